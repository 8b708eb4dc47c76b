//! The gate's layer before a service of somebody else's, which knows tokens by asking this server (RFC 7662).

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, Response, header},
    routing::get,
};
use latchkey_gate::{
    Authorized, Clock, Gate, Rule, Settings,
    introspection::{self, Introspection},
};
use latchkey_protocol::scope::Scope;
use latchkey_server::{secret::Secret, store};
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt;

use crate::{
    gateway::Backend,
    support::{ACME_SITE, Answer, GLOBEX_SITE, MEMBER, NOW, PLATFORM, Platform, SERVER_SECRET},
};

const PATH: &str = "/things/{organization}";
const RULE: Rule = Rule::of(PATH, Some(Scope::ProjectRead));

/// A service that asks a platform, and the platform's own server, which ends with it.
struct Service {
    router: Router,
    clock: Clock,
    serving: JoinHandle<()>,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn service(platform: &Platform, secret: &str, trust: Duration) -> Service {
    let mut unit = platform.write().await;
    let digest = Secret::new(SERVER_SECRET).digest();
    store::resource_servers::insert(&mut unit, "things", "Things", &digest, None, NOW).await.unwrap();
    unit.commit().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/oauth/introspect/", listener.local_addr().unwrap());
    let served = platform.clone();
    let router = Router::new().fallback(
        async move |ConnectInfo(_): ConnectInfo<std::net::SocketAddr>, request: Request<Body>| {
            served.stream(request).await
        },
    );
    let router = router.into_make_service_with_connect_info::<std::net::SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    asking(&endpoint, secret, trust, Duration::from_secs(5), serving)
}

/// A service that asks there, and waits so long for an answer.
fn asking(endpoint: &str, secret: &str, trust: Duration, time: Duration, serving: JoinHandle<()>) -> Service {
    let clock = Clock::manual(NOW);
    let source = Introspection::new(&introspection::Settings {
        endpoint,
        id: "things",
        secret,
        capacity: 10,
        trust,
        time,
        clock: clock.clone(),
    });
    let gate = Gate::new(
        Arc::new(source.unwrap()),
        Settings {
            platform: PLATFORM.into(),
            described_at: "https://things.example/.well-known/oauth-protected-resource".into(),
            clock: clock.clone(),
            observer: None,
        },
    );
    let things = async |Extension(authorized): Extension<Authorized>| {
        format!("{} of {}", authorized.member().name, authorized.organization().name)
    };
    Service { router: Router::new().route(PATH, get(things).layer(gate.layer(RULE))), clock, serving }
}

impl Service {
    async fn get(&self, token: &str, path: &str, origin: &str) -> Answer {
        let request = Request::get(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::ORIGIN, origin);
        Answer::of(self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()).await
    }
}

#[tokio::test]
async fn it_is_the_same_gate() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let service = service(&platform, SERVER_SECRET, Duration::from_secs(1)).await;
    let answer = service.get(&token, "/things/acme", ACME_SITE).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "Max of Acme Rockets"));
    service.get(&token, "/things/globex", ACME_SITE).await.assert_api_error(403, "wrong_organization");
    service.get(&token, "/things/acme", GLOBEX_SITE).await.assert_api_error(403, "origin_not_allowed");
    let answer = service.get("x", "/things/acme", ACME_SITE).await;
    answer.assert_api_error(401, "invalid_token");
    assert_eq!(
        answer.header("www-authenticate"),
        Some(
            "Bearer realm=\"api\", error=\"invalid_token\", \
             resource_metadata=\"https://things.example/.well-known/oauth-protected-resource\""
        )
    );
    service
        .get(&token.replace('a', "b"), "/things/acme", ACME_SITE)
        .await
        .assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn an_answer_counts_for_a_second_and_no_longer() {
    for (trust, remembered) in
        [(Duration::from_secs(1), true), (Duration::from_secs(60), true), (Duration::ZERO, false)]
    {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        let service = service(&platform, SERVER_SECRET, trust).await;
        assert_eq!(service.get(&token, "/things/acme", ACME_SITE).await.status, 200);
        platform.execute("delete from memberships where user_id = 'max'").await;
        let status = if remembered { 200 } else { 401 };
        assert_eq!(service.get(&token, "/things/acme", ACME_SITE).await.status, status, "{trust:?}");
        service.clock.advance(1);
        service.get(&token, "/things/acme", ACME_SITE).await.assert_api_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn where_nobody_answers_nobody_passes() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let wrong = service(&platform, "another secret", Duration::ZERO).await;
    wrong.get(&token, "/things/acme", ACME_SITE).await.assert_api_error(503, "temporarily_unavailable");
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let gone = service(&platform, SERVER_SECRET, Duration::from_secs(1)).await;
    assert_eq!(gone.get(&token, "/things/acme", ACME_SITE).await.status, 200);
    platform.app.store.close().await;
    gone.clock.advance(1);
    let answer = gone.get(&token, "/things/acme", ACME_SITE).await;
    answer.assert_api_error(503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// What comes back is the platform's word, and no more of it is read, and no longer waited for, than it needs.
#[tokio::test]
async fn an_answer_that_is_endless_or_never_comes_is_none() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    // As long as it may be, and longer by the one byte that makes it too long.
    let inactive = r#"{"active":false}"#;
    for (length, status) in [(64 * 1024, 401), (64 * 1024 + 1, 503)] {
        let body = format!("{inactive}{}", " ".repeat(length - inactive.len()));
        let backend = Backend::answering(move || Response::new(Body::from(body.clone()))).await;
        let service = asking(
            &backend.url(),
            SERVER_SECRET,
            Duration::ZERO,
            Duration::from_secs(5),
            tokio::spawn(async {}),
        );
        assert_eq!(service.get(&token, "/things/acme", ACME_SITE).await.status, status, "{length}");
    }
    let silent = Backend::silent().await;
    let service = asking(
        &silent.url(),
        SERVER_SECRET,
        Duration::ZERO,
        Duration::from_millis(50),
        tokio::spawn(async {}),
    );
    let answer = service.get(&token, "/things/acme", ACME_SITE).await;
    answer.assert_api_error(503, "temporarily_unavailable");
}
