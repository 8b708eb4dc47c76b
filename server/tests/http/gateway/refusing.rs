//! What does not go on, and what is said when a backend is not well.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, Response},
};
use latchkey_server::{
    cli::CliError,
    config::{Config, Limits},
    gateway::{
        guarded::Guarded,
        upstream::{self, Problem, Upstream},
    },
    http::connections::Passage,
};

use super::{Backend, before, before_with, site};
use crate::support::{ACME_SITE, GLOBEX_SITE, MEMBER, OWNER, Platform, Site};

const PATH: &str = "/api/0/organizations/acme/issues/";

#[tokio::test]
async fn whoever_the_gate_refuses_does_not_reach_the_backend() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let site = site(&platform).await;
    Site::new(&platform, "").with(None).get(PATH).await.assert_api_error(401, "invalid_token");
    Site::new(&platform, "x").get(PATH).await.assert_api_error(401, "invalid_token");
    site.clone().from(Some(GLOBEX_SITE)).get(PATH).await.assert_api_error(403, "origin_not_allowed");
    let foreign = site.get("/api/0/organizations/globex/issues/").await;
    foreign.assert_api_error(403, "wrong_organization");
    let unknown = site.get("/api/0/organizations/nobody/issues/").await;
    assert_eq!(
        (foreign.status, foreign.headers, foreign.body),
        (unknown.status, unknown.headers, unknown.body)
    );
    site.get(&format!("{PATH}?access_token=x")).await.assert_api_error(400, "invalid_request");
    platform.execute("update access_tokens set scopes = 'event:read'").await;
    let answer = site.send(Method::POST, PATH, String::new()).await;
    answer.assert_api_error(403, "insufficient_scope");
    assert!(answer.header("www-authenticate").unwrap().contains("scope=\"event:write\""));
    platform.execute("delete from memberships where user_id = 'max'").await;
    site.get(PATH).await.assert_api_error(403, "membership_required");
    platform.execute("update access_tokens set revoked_at = 1").await;
    site.get(PATH).await.assert_api_error(401, "invalid_token");
    assert!(backend.asked().is_empty());
}

#[tokio::test]
async fn a_method_that_the_settings_do_not_name_is_not_allowed() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let site = site(&platform).await;
    for method in ["DELETE", "PATCH", "TRACE", "CONNECT", "BREW"] {
        let answer = site.send(method.parse().unwrap(), PATH, String::new()).await;
        answer.assert_api_error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("GET,POST,PUT,HEAD"), "{method}");
    }
    assert!(backend.asked().is_empty());
}

/// Whatever a server behind us could make of such a path, it never gets it.
#[tokio::test]
async fn no_trick_with_a_path_reaches_the_backend() {
    let backend = Backend::new().await;
    let platform = before_with(&backend, |upstream| Upstream {
        guarded: Guarded { prefix: "/api/0/organizations/{organization}".into(), ..upstream.guarded },
        ..upstream
    })
    .await;
    let site = site(&platform).await;
    for rest in [
        "issues/../../globex/issues",
        "../globex/issues",
        "issues/%2e%2e/%2e%2e/globex/issues",
        "issues/..%2f..%2fglobex%2fissues",
        "issues%2f..%2f..%2fglobex",
        "issues/..;/..;/globex/issues",
        "issues;organization=globex",
        "issues/%252e%252e/%252e%252e/globex",
        "issues/..%5c..%5cglobex",
        "issues/.%2e/.%2e/globex",
        "issues//globex",
        "issues/%00",
        "issues/%c0%ae%c0%ae/",
        "issues//",
        "%69ssues",
    ] {
        let answer = site.get(&format!("/api/0/organizations/acme/{rest}")).await;
        answer.assert_api_error(400, "invalid_request");
    }
    // The organization's own segment among them, where the gate reads it.
    for organization in ["acme%2f..%2fglobex", "%61cme", "acme;x", "acme%00", "acme%252f"] {
        let answer = site.get(&format!("/api/0/organizations/{organization}/issues")).await;
        assert!([400, 403].contains(&answer.status), "{organization}: {}", answer.body);
    }
    assert!(backend.asked().is_empty());
}

fn upload(token: &str, body: Body, length: Option<&str>) -> Request<Body> {
    let request =
        Request::post(PATH).header("authorization", format!("Bearer {token}")).header("origin", ACME_SITE);
    length
        .into_iter()
        .fold(request, |request, length| request.header("content-length", length))
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn a_body_has_its_bound_whether_it_says_its_length_or_not() {
    let backend = Backend::new().await;
    let platform = before_with(&backend, |upstream| Upstream { max_body_bytes: 100, ..upstream }).await;
    let token = platform.token(MEMBER).await;
    let answer = platform.send(upload(&token, Body::from(vec![b'x'; 100]), None)).await;
    assert_eq!((answer.status, backend.only().body.len()), (200, 100));
    let answer = platform.send(upload(&token, Body::from(vec![b'x'; 101]), None)).await;
    answer.assert_api_error(413, "invalid_request");
    assert!(answer.body.contains("100 bytes"), "{}", answer.body);
    assert_eq!(backend.asked().len(), 1, "it is refused before anything is sent on");
    let parts = (0..30).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"0123456789")));
    let stream = Body::from_stream(tokio_stream::iter(parts));
    platform.send(upload(&token, stream, None)).await.assert_api_error(413, "invalid_request");
}

async fn ask(platform: &Platform, method: Method) -> crate::support::Answer {
    site(platform).await.send(method, PATH, String::new()).await
}

#[tokio::test]
async fn a_backend_that_is_not_there_is_a_bad_gateway() {
    let backend = Backend::nowhere().await;
    let platform = before(&backend).await;
    for method in [Method::GET, Method::POST] {
        let answer = ask(&platform, method).await;
        answer.assert_api_error(502, "bad_gateway");
        assert!(!answer.body.contains("127.0.0.1") && !answer.body.contains("onnect"), "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), Some(ACME_SITE));
    }
}

#[tokio::test]
async fn a_backend_that_speaks_no_http_is_a_bad_gateway() {
    for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"] {
        let backend = Backend::speaking(vec![answer]).await;
        let platform = before(&backend).await;
        ask(&platform, Method::POST).await.assert_api_error(502, "bad_gateway");
        assert_eq!(backend.asked().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn what_may_be_done_twice_is_tried_once_more_where_the_connection_broke() {
    const WELL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell";
    for (method, status, times) in
        [(Method::GET, 200, 2), (Method::HEAD, 200, 2), (Method::PUT, 200, 2), (Method::POST, 502, 1)]
    {
        let backend = Backend::speaking(vec!["", WELL]).await;
        let platform = before(&backend).await;
        assert_eq!(ask(&platform, method.clone()).await.status, status, "{method}");
        assert_eq!(backend.asked().len(), times, "{method}");
    }
    let backend = Backend::speaking(vec!["", "", WELL]).await;
    let platform = before(&backend).await;
    assert_eq!(ask(&platform, Method::GET).await.status, 502, "once");
    // And a body is not kept to be sent again.
    let backend = Backend::speaking(vec!["", WELL]).await;
    let platform = before(&backend).await;
    let token = platform.token(MEMBER).await;
    let mut put = upload(&token, Body::from("x"), None);
    *put.method_mut() = Method::PUT;
    platform.send(put).await.assert_api_error(502, "bad_gateway");
}

#[tokio::test]
async fn a_backend_that_does_not_answer_in_time_is_a_gateway_timeout() {
    // An answer whose body never comes.
    let endless =
        || Response::new(Body::from_stream(tokio_stream::pending::<Result<Bytes, std::io::Error>>()));
    let backend = Backend::answering(endless).await;
    let platform =
        before_with(&backend, |upstream| Upstream { answer_time: Duration::from_millis(50), ..upstream })
            .await;
    let token = platform.token(MEMBER).await;
    let request =
        Request::get(PATH).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap();
    let answer = platform.stream(request).await;
    assert_eq!(answer.status(), 200, "it began in time");
    let broken = axum::body::to_bytes(answer.into_body(), 100).await;
    assert!(broken.is_err(), "and is broken off when nothing more comes");

    let silent = Backend::silent().await;
    let platform =
        before_with(&silent, |upstream| Upstream { answer_time: Duration::from_millis(50), ..upstream })
            .await;
    ask(&platform, Method::GET).await.assert_api_error(504, "gateway_timeout");
}

#[tokio::test]
async fn more_than_the_backend_is_to_bear_is_sent_away() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let site = site(&platform).await;
    let places = &platform.app.gateway.backends()[0].places;
    let held = places.acquire_many(u32::try_from(places.available_permits()).unwrap()).await.unwrap();
    let answer = site.get(PATH).await;
    answer.assert_api_error(503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(held);
    assert_eq!(site.get(PATH).await.status, 200);
}

#[test]
fn a_backend_that_is_described_wrongly_is_named() {
    let error = CliError::Upstream("http://a/b".into(), Problem::Url).to_string();
    assert_eq!(
        error,
        "upstream \"http://a/b\": url is http://HOST:PORT or https://HOST:PORT, with no path: a request's own is passed on"
    );
}

#[tokio::test]
async fn a_backend_that_hangs_holds_up_no_other() {
    let (hanging, well) = (Backend::silent().await, Backend::new().await);
    let upstream = |backend: &Backend, prefix: &str| {
        let settings = upstream::Settings { prefix: prefix.into(), ..upstream::Settings::at(&backend.url()) };
        Upstream::read(&settings).unwrap()
    };
    let limits = Limits { requests: 2, ..Limits::default() };
    let upstreams = vec![upstream(&hanging, "/a"), upstream(&well, "/b")];
    let platform = Platform::with(Config { limits, upstreams, ..Platform::config() }).await;
    platform.make_key().await;
    let site = site(&platform).await;
    let held: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn({
                let site = site.clone();
                async move { site.get("/a").await }
            })
        })
        .collect();
    while platform.app.gateway.backends()[0].places.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    site.get("/a").await.assert_api_error(503, "temporarily_unavailable");
    assert_eq!(site.get("/b").await.body, "issues");
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Steady as it is, it may take longer than the backend may take to answer; where it stands still, it is said whose fault it
/// is.
#[tokio::test]
async fn an_upload_that_stands_still_is_the_client_s_fault() {
    let backend = Backend::new().await;
    let limits = Limits { body_time: Duration::from_millis(50), ..Limits::default() };
    let settings = upstream::Settings { prefix: "/a".into(), ..upstream::Settings::at(&backend.url()) };
    let upstreams = vec![Upstream::read(&settings).unwrap()];
    let platform = Platform::with(Config { limits, upstreams, ..Platform::config() }).await;
    platform.make_key().await;
    let token = platform.whole_token(OWNER).await;
    let mut request =
        upload(&token, Body::from_stream(tokio_stream::pending::<Result<Bytes, std::io::Error>>()), None);
    *request.uri_mut() = "/a".parse().unwrap();
    platform.send(request).await.assert_api_error(408, "invalid_request");
}

#[tokio::test]
async fn whoever_the_gate_lets_through_may_take_the_time_of_a_long_transfer() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let token = platform.token(MEMBER).await;
    for (token, passes) in [(token.as_str(), true), ("x", false)] {
        let (passage, mut request) = (Passage::default(), upload(token, Body::empty(), None));
        request.extensions_mut().insert(passage.clone());
        assert_eq!(platform.send(request).await.status == 200, passes);
        assert_eq!(format!("{passage:?}").contains("is_forwarded: true"), passes);
    }
}
