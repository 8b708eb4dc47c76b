//! The gateway: requests that passed the gate go on to the platform's own backend, and its answers come back.
//!
//! Bodies are passed on as they come, both ways. A backend behind it needs no OAuth: it reads who it is from headers that
//! nobody else can set, and verifies the assertion beside them if others can reach it.

pub mod assertion;
pub mod guarded;
pub mod path;
pub mod request;
pub mod response;
pub mod upload;
pub mod upstream;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError, Extension,
    body::Body,
    extract::State,
    http::{
        HeaderValue, Method, Request, Response, StatusCode, Uri, header, request::Parts, uri::PathAndQuery,
    },
    response::IntoResponse,
};
use http_body_util::{LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error as ClientError, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};

use crate::{
    gate::{Authorized, Presented, Route},
    gateway::{
        upload::{Turn, Upload},
        upstream::Upstream,
    },
    http::{
        address::ClientAddress,
        connections::Passage,
        error::{ApiError, Error},
    },
    routes::SentPath,
    state::App,
};

/// How long a connection to a backend is kept that nobody uses: shorter than most servers keep theirs.
const IDLE: Duration = Duration::from_secs(4);

/// The backends, and the way to each.
#[derive(Debug)]
pub struct Gateway(Vec<Arc<Backend>>);

/// A backend and the way to it, which it has for itself: where one of them hangs, the others are none the worse.
#[derive(Debug)]
pub struct Backend {
    /// Where it is, and what it asks of a token.
    pub upstream: Upstream,
    /// A permit for each request that may be before it at once.
    pub places: Semaphore,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Gateway {
    /// A way to these, for so many requests at once to each. The machine's certificates are read where one of them is
    /// spoken to over TLS.
    pub fn new(upstreams: &[Upstream], places: usize) -> Result<Self, std::io::Error> {
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?;
        let tls = match upstreams.iter().any(|upstream| upstream.is_https) {
            true => tls.with_native_roots()?.with_no_client_auth(),
            false => tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth(),
        };
        let backend = |upstream: &Upstream| {
            Arc::new(Backend {
                upstream: upstream.clone(),
                places: Semaphore::new(places),
                client: client(upstream, tls.clone()),
            })
        };
        Ok(Self(upstreams.iter().map(backend).collect()))
    }

    /// The backend whose this path is: of several the one that says the most about it.
    pub fn find(&self, path: &str) -> Option<&Arc<Backend>> {
        let covering = self.0.iter().filter(|backend| backend.upstream.guarded.covers(path));
        covering.max_by_key(|backend| backend.upstream.guarded.rank())
    }

    /// Every backend.
    pub fn backends(&self) -> &[Arc<Backend>] {
        &self.0
    }
}

fn client(upstream: &Upstream, tls: rustls::ClientConfig) -> Client<HttpsConnector<HttpConnector>, Body> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(upstream.connect_time));
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .build(connector.wrap_connector(http))
}

/// Lets a request through to its backend, or says why not.
pub async fn forward(
    State(app): State<App>,
    Extension(backend): Extension<Arc<Backend>>,
    request: Request<Body>,
) -> axum::response::Response {
    let upstream = &backend.upstream;
    let (parts, body) = request.into_parts();
    let sent = parts.extensions.get::<SentPath>().map_or(&parts.uri, |SentPath(sent)| sent).clone();
    if !path::is_unambiguous(sent.path()) {
        return ApiError(Error::AmbiguousPath).into_response();
    }
    let Some(rule) = upstream.guarded.rule(&parts.method) else { return not_allowed(upstream) };
    let presented = Presented {
        headers: &parts.headers,
        path: sent.path(),
        query: sent.query(),
        route: parts.extensions.get::<Route>(),
    };
    let authorized = match app.gate.authorize(rule, presented).await {
        Ok(authorized) => authorized,
        Err(refused) => return app.gate.refuse(refused, &parts),
    };
    match pass_on(&app, &backend, &authorized, parts, &sent, body).await {
        Ok(mut response) => {
            response::rewrite(response.headers_mut(), upstream);
            response
        }
        Err(error) => ApiError(error).into_response(),
    }
}

fn not_allowed(upstream: &Upstream) -> axum::response::Response {
    let mut response = ApiError(Error::MethodNotAllowed).into_response();
    let methods: Vec<_> = upstream.guarded.rules.iter().map(|(method, _)| method.as_str()).collect();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(",")) {
        response.headers_mut().insert(header::ALLOW, methods);
    }
    response
}

async fn pass_on(
    app: &App,
    backend: &Backend,
    authorized: &Authorized,
    mut parts: Parts,
    sent: &Uri,
    body: Body,
) -> Result<Response<Body>, Error> {
    let upstream = &backend.upstream;
    if let Some(passage) = parts.extensions.get::<Passage>() {
        passage.lengthen();
    }
    let _place = backend.places.try_acquire().map_err(|_| Error::Overloaded)?;
    let address = ClientAddress::of(&parts.extensions, &parts.headers, app)?;
    let assertion = assertion::make(app, authorized, &upstream.audience()).await?;
    request::rewrite(&mut parts.headers, authorized, assertion, address, app.config.issuer());
    let path = sent.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
    let address = request::address(upstream, path).ok_or(Error::AmbiguousPath)?;
    if body.size_hint().lower() > upstream.max_body_bytes {
        return Err(Error::BodyTooLarge(upstream.max_body_bytes));
    }
    let is_repeatable = body.is_end_stream()
        && matches!(parts.method, Method::GET | Method::HEAD | Method::PUT | Method::DELETE);
    let again = is_repeatable.then(|| (parts.method.clone(), parts.headers.clone()));
    let whole = |method: Method, headers, body| {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = address.clone();
        *request.headers_mut() = headers;
        request
    };
    let max = usize::try_from(upstream.max_body_bytes).unwrap_or(usize::MAX);
    let (body, told) = if body.is_end_stream() {
        (Body::empty(), Upload::nothing())
    } else {
        // Said outright: where nobody does, hyper takes a GET of unknown length for one without a body.
        if body.size_hint().exact().is_none() {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let (upload, told) = Upload::new(Body::new(Limited::new(body, max)));
        (Body::new(upload), told)
    };
    let part_time = app.config.limits.body_time;
    let first = ask(backend, whole(parts.method, parts.headers, body), told, part_time).await;
    let answer = match (first, again) {
        // RFC 9110 §9.2.2: what may be done twice is tried once more where the connection broke.
        (Err(Error::BadGateway(_)), Some((method, headers))) => {
            ask(backend, whole(method, headers, Body::empty()), Upload::nothing(), part_time).await?
        }
        (first, _) => first?,
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Error::BadGateway(Arc::new(Switched)));
    }
    Ok(answer.map(|body| Body::new(Idle::new(body, upstream.answer_time))))
}

async fn ask(
    backend: &Backend,
    request: Request<Body>,
    told: watch::Receiver<Turn>,
    part_time: Duration,
) -> Result<Response<Incoming>, Error> {
    let Backend { upstream, client, .. } = backend;
    let patience = |turn| {
        sleep(match turn {
            Turn::Client => part_time,
            Turn::Backend | Turn::Answer => upstream.answer_time,
        })
    };
    match upload::answered(client.request(request), told, patience).await? {
        Ok(answer) => Ok(answer),
        Err(error) if is_too_large(&error) => Err(Error::BodyTooLarge(upstream.max_body_bytes)),
        Err(error) => Err(Error::BadGateway(Arc::new(error))),
    }
}

fn is_too_large(error: &ClientError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[derive(Debug, thiserror::Error)]
#[error("the backend switched to another protocol")]
struct Switched;

pin_project_lite::pin_project! {
    /// A body that may not stand still for longer than this.
    struct Idle {
        #[pin]
        body: Incoming,
        #[pin]
        deadline: tokio::time::Sleep,
        time: Duration,
    }
}

impl Idle {
    fn new(body: Incoming, time: Duration) -> Self {
        Self { body, deadline: tokio::time::sleep(time), time }
    }
}

impl hyper::body::Body for Idle {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if let Poll::Ready(frame) = this.body.poll_frame(context) {
            let again = tokio::time::Instant::now() + *this.time;
            this.deadline.as_mut().reset(again);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        match this.deadline.poll(context) {
            // The answer has begun: to break it off is all that can still be said.
            Poll::Ready(()) => {
                Poll::Ready(Some(Err("the backend stopped in the middle of its answer".into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
