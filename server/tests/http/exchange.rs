//! What is around every request: an answer though the code panics, an end in time.

use std::{convert::Infallible, future::pending, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
    response::Response,
    routing::get,
};
use latchkey_server::{
    config::Limits,
    http::{exchange::ExchangeLayer, load},
};
use tower::{ServiceExt, service_fn};

use crate::support::{Answer, Platform};

/// Long enough for a handler that answers, and soon over for one that does not.
const SOON: Duration = Duration::from_millis(50);

/// Handlers that panic before and after they have something to wait for, one that never answers, one that does.
fn router() -> Router {
    let panics = |request: Request<Body>| {
        let _: &str = request.headers().get("no-such-header").map(|_| "").unwrap();
        async { Ok::<_, Infallible>(Response::new(Body::empty())) }
    };
    Router::new()
        .route_service("/at-once", service_fn(panics))
        .route("/later", get(later))
        .route("/never", get(async || pending::<()>().await))
        .route("/", get(async || "here"))
}

async fn later(headers: HeaderMap) {
    tokio::task::yield_now().await;
    headers.get("no-such-header").unwrap();
}

async fn ask(router: &Router, path: &str) -> Answer {
    let request = Request::get(path).body(Body::empty()).unwrap();
    Answer::of(router.clone().oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn a_panic_is_an_answer_with_the_headers_of_every_answer() {
    let platform = Platform::new().await;
    let router = router().layer(ExchangeLayer::new(&platform.app, None));
    for path in ["/at-once", "/later"] {
        let answer = ask(&router, path).await;
        answer.assert_api_error(500, "server_error");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(!answer.body.contains("None"), "{}", answer.body);
    }
    assert_eq!(ask(&router, "/").await.body, "here");
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time_is_given_up() {
    let platform = Platform::new().await;
    let router = router().layer(ExchangeLayer::new(&platform.app, Some(SOON)));
    let answer = ask(&router, "/never").await;
    assert_eq!((answer.status, answer.header("cache-control")), (503, Some("no-store")));
    assert_eq!(ask(&router, "/").await.status, 200);
}

#[tokio::test]
async fn a_request_that_takes_too_long_gives_its_place_to_the_next_one() {
    let limits = Limits { requests: 1, request_time: SOON, ..Limits::default() };
    let platform = Platform::limited(limits).await;
    let router = router().layer(load::shed_api(&platform.app));
    for _ in 0..2 {
        ask(&router, "/never").await.assert_api_error(503, "temporarily_unavailable");
    }
    assert_eq!(ask(&router, "/").await.body, "here");
}

#[tokio::test]
async fn a_request_whose_client_goes_away_gives_its_place_to_the_next_one() {
    let platform = Platform::limited(Limits { requests: 1, ..Limits::default() }).await;
    let router = router().layer(load::shed_api(&platform.app));
    let abandoned = tokio::time::timeout(SOON, ask(&router, "/never")).await;
    assert!(abandoned.is_err());
    assert_eq!(ask(&router, "/").await.body, "here");
}
