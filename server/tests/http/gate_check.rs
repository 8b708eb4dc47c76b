//! `/gate/check/`: the gate's decision for a proxy of the platform's own, in each of the ways in which proxies ask.

use axum::{body::Body, http::Request};
use latchkey_server::{
    config::Config,
    gateway::guarded::{Guarded, Settings},
};

use crate::support::{ACME, ACME_SITE, APP, Answer, GLOBEX_SITE, MEMBER, PEER, Platform};

fn guarded(prefix: &str, scopes: &[(&str, &str)]) -> Guarded {
    let scopes = scopes.iter().map(|(method, scope)| ((*method).to_owned(), (*scope).to_owned())).collect();
    Guarded::read(&Settings { prefix: prefix.into(), scopes }).unwrap()
}

/// A platform whose own proxy is at [`PEER`].
async fn platform() -> Platform {
    let platform = Platform::with(Config {
        trusted_proxies: vec![PEER.parse::<std::net::IpAddr>().unwrap().into()],
        guarded: vec![
            guarded("/v1", &[("GET", "org:read")]),
            guarded("/v1/{organization}/things", &[("GET", "event:read"), ("POST", "event:write")]),
        ],
        ..Platform::config()
    })
    .await;
    platform.make_key().await;
    platform
}

/// The ways in which a proxy says what it was asked.
const WAYS: [&str; 3] = ["original", "forwarded", "path"];

struct Proxy<'a> {
    platform: &'a Platform,
    token: String,
    origin: Option<&'static str>,
}

impl Proxy<'_> {
    async fn ask(&self, way: &str, method: &str, address: &str) -> Answer {
        let request = match way {
            "path" => Request::builder().method(method).uri(format!("/gate/check/path{address}")),
            way => Request::get("/gate/check/")
                .header(format!("x-{way}-method"), method)
                .header(format!("x-{way}-uri"), address),
        };
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let request =
            self.origin.into_iter().fold(request, |request, origin| request.header("origin", origin));
        self.platform.send(request.body(Body::empty()).unwrap()).await
    }
}

async fn proxy(platform: &Platform) -> Proxy<'_> {
    let scopes = "update applications set scopes = 'org:read event:write' where client_id = 'acmeclient'";
    platform.execute(scopes).await;
    Proxy { platform, token: platform.token(MEMBER).await, origin: Some(ACME_SITE) }
}

#[tokio::test]
async fn whoever_may_pass_is_let_through_and_named() {
    let platform = platform().await;
    let proxy = proxy(&platform).await;
    for way in WAYS {
        for (method, address) in [
            ("GET", "/v1/acme/things"),
            ("HEAD", "/v1/acme/things/"),
            ("POST", "/v1/org-acme/things/7?x=%2F"),
            ("GET", "/v1/other"),
        ] {
            let answer = proxy.ask(way, method, address).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{way} {method} {address}");
            for (name, value) in [
                ("latchkey-user", "max"),
                ("latchkey-organization", ACME.0),
                ("latchkey-application", APP),
                ("latchkey-scopes", "org:read event:write"),
                ("latchkey-role", "member"),
            ] {
                assert_eq!(answer.header(name), Some(value), "{way} {name}");
            }
            assert_eq!(answer.header("latchkey-assertion").unwrap().split('.').count(), 3);
            assert_eq!(answer.header("access-control-allow-origin"), None, "no site reads this");
        }
    }
}

#[tokio::test]
async fn whoever_may_not_is_refused_in_the_two_statuses_that_proxies_know() {
    let platform = platform().await;
    let proxy = proxy(&platform).await;
    for way in WAYS {
        for (method, address, code) in [
            ("GET", "/v1/globex/things", "wrong_organization"),
            ("GET", "/v1/nobody/things", "wrong_organization"),
            ("DELETE", "/v1/acme/things", "not_declared"),
            ("OPTIONS", "/v1/acme/things", "not_declared"),
            ("GET", "/v2/acme/things", "not_declared"),
            ("GET", "/v1x/acme", "not_declared"),
            ("GET", "/", "not_declared"),
            ("GET", "/v1/acme/things?access_token=x", "invalid_request"),
            ("GET", "/v1/acme/../globex/things", "invalid_request"),
            ("GET", "/v1/acme/%2e%2e/globex/things", "invalid_request"),
            ("GET", "/v1/acme%2f..%2fglobex/things", "invalid_request"),
            ("GET", "/v1/acme;/things", "invalid_request"),
            ("GET", "/v1/acme//things", "invalid_request"),
            ("GET", "/v1/acme/%252e%252e/things", "invalid_request"),
        ] {
            let answer = proxy.ask(way, method, address).await;
            answer.assert_api_error(403, code);
            assert_eq!(answer.header("latchkey-user"), None, "{way} {method} {address}");
        }
        let nobody = Proxy { token: "x".into(), ..proxy_of(&proxy) };
        let answer = nobody.ask(way, "GET", "/v1/acme/things").await;
        answer.assert_api_error(401, "invalid_token");
        assert!(answer.header("www-authenticate").unwrap().contains("invalid_token"));
        let elsewhere = Proxy { origin: Some(GLOBEX_SITE), ..proxy_of(&proxy) };
        elsewhere.ask(way, "GET", "/v1/acme/things").await.assert_api_error(403, "origin_not_allowed");
    }
    platform.execute("update access_tokens set scopes = 'event:read'").await;
    proxy.ask("original", "POST", "/v1/acme/things").await.assert_api_error(403, "insufficient_scope");
    platform.execute("delete from memberships where user_id = 'max'").await;
    proxy.ask("original", "GET", "/v1/acme/things").await.assert_api_error(403, "membership_required");
    platform.app.store.close().await;
    proxy.ask("original", "GET", "/v1/acme/things").await.assert_api_error(503, "temporarily_unavailable");
}

fn proxy_of<'a>(proxy: &Proxy<'a>) -> Proxy<'a> {
    Proxy { platform: proxy.platform, token: proxy.token.clone(), origin: proxy.origin }
}

#[tokio::test]
async fn what_a_proxy_does_not_say_in_one_way_counts_for_nothing() {
    let platform = platform().await;
    let proxy = proxy(&platform).await;
    for headers in [
        &[][..],
        &[("x-original-uri", "/v1/acme/things")],
        &[
            ("x-original-method", "GET"),
            ("x-original-uri", "/v1/globex/things"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-uri", "/v1/acme/things"),
        ],
    ] {
        let request = Request::get("/gate/check/").header("authorization", format!("Bearer {}", proxy.token));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        platform.send(request.body(Body::empty()).unwrap()).await.assert_api_error(403, "invalid_request");
    }
}

#[tokio::test]
async fn nobody_but_a_proxy_of_the_platform_s_is_told() {
    let platform = platform().await;
    let proxy = proxy(&platform).await;
    let ask = async |peer: &str| {
        let request = Request::get("/gate/check/path/v1/acme/things")
            .header("authorization", format!("Bearer {}", proxy.token))
            .header("x-forwarded-for", PEER);
        platform.send_from(peer, request.body(Body::empty()).unwrap()).await
    };
    assert_eq!(ask(PEER).await.status, 200);
    for peer in ["192.0.2.7", "127.0.0.1", "::1"] {
        ask(peer).await.assert_api_error(403, "not_a_proxy");
    }
    // Where nobody named one, whoever is on the same machine is.
    let platform = Platform::new().await;
    for (peer, code) in [("127.0.0.1", "not_declared"), ("::1", "not_declared"), (PEER, "not_a_proxy")] {
        let request = Request::get("/gate/check/path/v1/acme").body(Body::empty()).unwrap();
        platform.send_from(peer, request).await.assert_api_error(403, code);
    }
}

/// Whatever a proxy or a backend makes of a `#`, nothing behind it is let through unjudged.
#[tokio::test]
async fn a_path_with_a_fragment_is_not_judged_in_part() {
    let platform = platform().await;
    let proxy = proxy(&platform).await;
    for address in
        ["/v1/acme/things/#/../../../globex/things", "/v1/acme/things#", "/v1/acme/things?a=b#/../../globex"]
    {
        for way in ["original", "forwarded"] {
            let answer = proxy.ask(way, "GET", address).await;
            answer.assert_api_error(403, "invalid_request");
            assert_eq!(answer.header("latchkey-user"), None, "{way} {address}");
        }
        // By its path a request can't tell of one: what stands there ends before it, here and on the wire.
        let request = Request::get(format!("/gate/check/path{address}")).body(Body::empty()).unwrap();
        assert!(!request.uri().to_string().contains('#'));
    }
}

#[tokio::test]
async fn of_two_rules_for_a_path_the_one_that_says_more_about_it_counts() {
    let platform = Platform::with(Config {
        trusted_proxies: vec![PEER.parse::<std::net::IpAddr>().unwrap().into()],
        guarded: vec![
            guarded("/o/{organization}", &[("GET", "org:read")]),
            guarded("/o/acme/billing", &[("GET", "org:admin")]),
        ],
        ..Platform::config()
    })
    .await;
    platform.make_key().await;
    let proxy = proxy(&platform).await;
    for way in WAYS {
        assert_eq!(proxy.ask(way, "GET", "/o/acme/anything").await.status, 200);
        for path in ["/o/acme/billing", "/o/acme/billing/", "/o/acme/billing/7"] {
            proxy.ask(way, "GET", path).await.assert_api_error(403, "insufficient_scope");
        }
    }
}
