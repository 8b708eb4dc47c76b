//! More requests than the server answers at once.

use std::time::Duration;

use latchkey_server::{config::Limits, http::connections, routes};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{ACME_SITE, APP, MEMBER, Person, Platform, Site, anonymous};

/// A platform that is busy with all it can do.
async fn busy() -> Platform {
    Platform::limited(Limits { requests: 0, ..Limits::default() }).await
}

#[tokio::test]
async fn a_page_says_so() {
    let platform = busy().await;
    for path in ["/", "/login/", "/oauth/authorize/"] {
        let answer = anonymous(&platform, path).await;
        answer.assert_error_page(503, "Too much is asked of the service at once");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn a_site_may_read_that_and_when_to_come_again() {
    let platform = busy().await;
    for path in ["/api/0/", "/api/0/organizations/acme/projects/"] {
        let answer = Site::new(&platform, "x").get(path).await;
        answer.assert_api_error(503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("access-control-allow-origin"), Some(ACME_SITE));
        assert_eq!(answer.header("access-control-expose-headers"), Some("www-authenticate,retry-after"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let foreign = Site::new(&platform, "x").from(Some("https://evil.example")).get(path).await;
        assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (503, None));
    }
    let answer =
        Site::new(&platform, "x").send("POST".parse().unwrap(), "/oauth/revoke/", String::new()).await;
    answer.assert_api_error(503, "temporarily_unavailable");
    assert_eq!(answer.header("access-control-allow-origin"), Some(ACME_SITE));
}

#[tokio::test]
async fn what_tells_whether_the_server_lives_is_answered_all_the_same() {
    let platform = busy().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(anonymous(&platform, path).await.status, 204);
    }
    assert_eq!(anonymous(&platform, &format!("/toolbar/{APP}/status/")).await.status, 200);
}

#[tokio::test]
async fn an_answer_makes_room_for_the_next_request() {
    let platform = Platform::limited(Limits { requests: 1, ..Limits::default() }).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let under_way = platform.app.requests.try_acquire().unwrap();
    assert_eq!(person.get("/").await.status, 503);
    drop(under_way);
    for _ in 0..3 {
        person.get("/").await.assert_page(200, "Welcome");
    }
}

/// Over a real connection, as only there a body can be late.
#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    // No place is free: who sends slowly has none to take.
    let limits = Limits { body_time: Duration::from_millis(50), requests: 0, ..Limits::default() };
    let platform = Platform::limited(limits).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (told, stop) = tokio::sync::oneshot::channel::<()>();
    let app = platform.app.clone();
    let server = tokio::spawn(async move {
        let stop = async { stop.await.unwrap() };
        connections::serve(listener, routes::service(&app), &limits, stop).await;
    });
    let head = "POST /oauth/token/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\ncode=";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("cache-control: no-store"), "{answer}");
    assert!(answer.contains("did not come in time"), "{answer}");
    told.send(()).unwrap();
    server.await.unwrap();
}
