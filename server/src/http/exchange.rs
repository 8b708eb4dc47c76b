//! What is around every request and its answer: the span that its log lines stand in, an end in time, an answer where
//! the code panics, the security headers. One service, since each layer of its own costs every request something.

use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};
use tower::{Layer, Service};
use tracing::Span;

use crate::{
    clock::Clock,
    gate::Route,
    http::{
        error::{ApiError, Error, LoggedCause},
        headers,
    },
    state::App,
};

/// Puts it around a service.
#[derive(Debug, Clone)]
pub struct ExchangeLayer {
    app: App,
    /// How long an answer may take to begin; `None` where somebody else sees to that.
    most: Option<Duration>,
}

impl ExchangeLayer {
    /// Around services whose answers begin in this time.
    pub fn new(app: &App, most: Option<Duration>) -> Self {
        Self { app: app.clone(), most }
    }
}

impl<S> Layer<S> for ExchangeLayer {
    type Service = Exchange<S>;

    fn layer(&self, service: S) -> Exchange<S> {
        Exchange { around: self.clone(), service }
    }
}

/// A service with all of it around it.
#[derive(Debug, Clone)]
pub struct Exchange<S> {
    around: ExchangeLayer,
    service: S,
}

impl<S> Service<Request> for Exchange<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let ExchangeLayer { app, most } = &self.around;
        let span = span(&request);
        let began = app.clock.elapsed();
        let call = AssertUnwindSafe(|| self.service.call(request));
        let answer = span.in_scope(|| catch_unwind(call)).ok();
        Answering { answer, deadline: None, most: *most, began, span, app: app.clone() }
    }
}

pin_project! {
    /// The answer that is on its way.
    #[derive(Debug)]
    pub struct Answering<F> {
        // None where the call itself panicked.
        #[pin]
        answer: Option<F>,
        // There is none before there is something to wait for, which mostly there is not.
        deadline: Option<Pin<Box<Sleep>>>,
        most: Option<Duration>,
        began: Duration,
        span: Span,
        app: App,
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Answering<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _entered = this.span.enter();
        let polled = this.answer.as_pin_mut().map(|answer| {
            // Whoever panicked is not polled again.
            catch_unwind(AssertUnwindSafe(|| answer.poll(context)))
        });
        let answer = match polled {
            Some(Ok(Poll::Ready(Ok(answer)))) => answer,
            Some(Ok(Poll::Pending)) => {
                let Some(most) = *this.most else { return Poll::Pending };
                let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(most)));
                ready!(deadline.as_mut().poll(context));
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
            Some(Err(_)) | None => panicked(),
        };
        let answer = headers::add(this.app, answer);
        log(&answer, *this.began, &this.app.clock);
        Poll::Ready(Ok(answer))
    }
}

fn panicked() -> Response {
    ApiError(Error::Internal(Arc::new(Panicked))).into_response()
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked")]
struct Panicked;

/// The route, and nothing of what the address says besides: there may be a transaction's id in the query, and whatever
/// somebody mistook for a path.
fn span(request: &Request) -> Span {
    let extensions = request.extensions();
    let known = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let route = known.or_else(|| extensions.get::<Route>().map(|Route(name)| &**name)).unwrap_or("none");
    tracing::info_span!("request", method = %request.method(), route)
}

/// The one place that logs an error's cause.
fn log(answer: &Response, began: Duration, clock: &Clock) {
    let status = answer.status().as_u16();
    let latency = || clock.elapsed().saturating_sub(began);
    match answer.extensions().get::<LoggedCause>() {
        Some(LoggedCause(cause)) => tracing::error!(status, latency = ?latency(), %cause, "failed"),
        None => tracing::debug!(status, latency = ?latency(), "answered"),
    }
}
