//! So many requests at once, and none of them for too long: more are sent away before anything is done for them, with a
//! word when to come again. A request of which nothing was done, since others changed the same at that moment, is answered
//! again from the beginning.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes, HttpBody, to_bytes},
    extract::Request,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tower::{Layer, Service, ServiceExt};

use crate::{
    http::{
        error::{ApiError, Contended, Error, PageError},
        parameters::MAX_BODY,
    },
    state::App,
    store::rounds,
};

/// Bounds the requests of people, who are told by a page.
pub fn shed_page(app: &App) -> ShedLayer {
    ShedLayer { app: app.clone(), tell: |error| PageError::from(error).into_response() }
}

/// Bounds the requests of programs, which are told by JSON.
pub fn shed_api(app: &App) -> ShedLayer {
    ShedLayer { app: app.clone(), tell: |error| ApiError::from(error).into_response() }
}

/// Puts the bounds before a service.
#[derive(Debug, Clone)]
pub struct ShedLayer {
    app: App,
    tell: fn(Error) -> Response,
}

impl<S> Layer<S> for ShedLayer {
    type Service = Shed<S>;

    fn layer(&self, service: S) -> Shed<S> {
        Shed { bounds: self.clone(), service }
    }
}

/// A service with the bounds before it.
#[derive(Debug, Clone)]
pub struct Shed<S> {
    bounds: ShedLayer,
    service: S,
}

impl<S> Service<Request> for Shed<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let ShedLayer { app, tell } = self.bounds.clone();
        // Mostly there is no body to wait for, and nobody who could be in the way.
        if request.body().is_end_stream() && !app.store.has_many_writers() {
            let answer = place(&app).map(|place| (self.service.call(request), place));
            return Box::pin(async move {
                let answered = match answer {
                    Ok((answer, place)) => in_time(&app, answer, place).await,
                    Err(error) => Err(error),
                };
                Ok(answered.unwrap_or_else(tell))
            });
        }
        let ready = self.service.clone();
        let service = mem::replace(&mut self.service, ready);
        Box::pin(async move {
            let answered = async {
                // Before it takes a place: who sends slowly keeps nobody else out.
                let (parts, body) = whole(&app, request).await?;
                let place = place(&app)?;
                in_time(&app, until_done(&app, service, parts, body), place).await
            };
            Ok(answered.await.unwrap_or_else(tell))
        })
    }
}

/// The request, once all of its body is there.
async fn whole(app: &App, request: Request) -> Result<(Parts, Bytes), Error> {
    let (parts, body) = request.into_parts();
    let body = timeout(app.config.limits.body_time, to_bytes(body, MAX_BODY)).await;
    let body = body.map_err(|_| Error::SlowBody)?.map_err(|_| Error::TooLarge)?;
    Ok((parts, body))
}

async fn until_done<S>(app: &App, service: S, parts: Parts, body: Bytes) -> Result<Response, Infallible>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone,
{
    let request = |parts, body| Request::from_parts(parts, Body::from(body));
    if !app.store.has_many_writers() {
        return service.oneshot(request(parts, body)).await;
    }
    let attempt = move || service.clone().oneshot(request(parts.clone(), body.clone()));
    rounds::until_done(&app.entropy, attempt, |answer| {
        answer.as_ref().is_ok_and(|answer| answer.extensions().get::<Contended>().is_some())
    })
    .await
}

fn place(app: &App) -> Result<OwnedSemaphorePermit, Error> {
    app.requests.clone().try_acquire_owned().map_err(|_| Error::Overloaded)
}

async fn in_time(
    app: &App,
    answer: impl Future<Output = Result<Response, Infallible>>,
    _place: OwnedSemaphorePermit,
) -> Result<Response, Error> {
    match timeout(app.config.limits.request_time, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Err(_) => Err(Error::Overloaded),
    }
}
