//! What each call leaves in the log, whichever way it comes: who it was and where, and never the token.

use axum::{body::Body, http::Request};
use latchkey_server::{
    config::Config,
    gateway::{
        guarded::{self, Guarded},
        upstream::{self, Upstream},
    },
};
use serde_json::Value;

use crate::{
    gateway::Backend,
    support::{ACME, ACME_SITE, APP, MEMBER, PEER, Platform, log},
};

async fn platform(backend: &Backend) -> Platform {
    let scopes = || [("GET".to_owned(), "event:read".to_owned())].into();
    let behind_us = upstream::Settings {
        prefix: "/v1/{organization}/issues".into(),
        scopes: scopes(),
        ..upstream::Settings::at(&backend.url())
    };
    let behind_a_proxy = guarded::Settings { prefix: "/v2/{organization}".into(), scopes: scopes() };
    let platform = Platform::with(Config {
        trusted_proxies: vec![PEER.parse::<std::net::IpAddr>().unwrap().into()],
        upstreams: vec![Upstream::read(&behind_us).unwrap()],
        guarded: vec![Guarded::read(&behind_a_proxy).unwrap()],
        ..Platform::config()
    })
    .await;
    platform.make_key().await;
    platform
        .execute(&format!(
            "update applications set scopes = 'event:read project:read' where client_id = '{APP}'"
        ))
        .await;
    platform
}

/// The entrances: our own API, a backend of ours, the gate's check in two ways; each with its route's name.
const ENTRANCES: [(&str, &str, &str); 4] = [
    ("/api/0/organizations/ORG/projects/", "", "/api/0/organizations/{organization}/projects"),
    ("/v1/ORG/issues/7?secret=1", "", "/v1/{organization}/issues"),
    ("/gate/check/path/v2/ORG/secret-place", "", "/v2/{organization}"),
    ("/gate/check/", "/v2/ORG/secret-place", "/v2/{organization}"),
];

async fn ask(platform: &Platform, token: &str, organization: &str, path: &str, told: &str) -> u16 {
    let fill = |text: &str| text.replace("ORG", organization);
    let request = Request::get(fill(path))
        .header("authorization", format!("Bearer {token}"))
        .header("origin", ACME_SITE);
    let request = match told {
        "" => request,
        told => request.header("x-original-method", "GET").header("x-original-uri", fill(told)),
    };
    platform.send(request.body(Body::empty()).unwrap()).await.status
}

#[tokio::test]
async fn every_call_leaves_a_line_that_says_who_it_was_and_never_the_token() {
    let backend = Backend::new().await;
    let platform = platform(&backend).await;
    let token = platform.token(MEMBER).await;
    let token_id = platform.text("select id from access_tokens").await;
    for (path, told, route) in ENTRANCES {
        for (organization, status, message) in
            [("acme", 200, "api call"), ("globex", 403, "api call refused")]
        {
            log::take();
            assert_eq!(ask(&platform, &token, organization, path, told).await, status, "{path}");
            let text = log::take();
            assert!(!text.contains(&token) && !text.contains("secret") && !text.contains("lkat_"), "{text}");
            let lines: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .filter(|line: &Value| line["message"].as_str().unwrap().starts_with("api call"))
                .collect();
            let [line] = lines.as_slice() else { panic!("{path}: {text}") };
            for (field, value) in [
                ("message", message),
                ("token", token_id.as_str()),
                ("client_id", APP),
                ("organization", ACME.0),
                ("user", "max"),
            ] {
                assert_eq!(line[field], value, "{path}: {field}");
            }
            let named = line.get("route").unwrap_or(&line["span"]["route"]);
            assert_eq!(named, route, "{path}");
        }
    }
}

#[tokio::test]
async fn what_was_refused_is_written_down_by_what_was_asked() {
    let backend = Backend::new().await;
    let platform = platform(&backend).await;
    let token = platform.token(MEMBER).await;
    for (path, told, route) in ENTRANCES {
        assert_eq!(ask(&platform, &token, "globex", path, told).await, 403);
        platform.app.refusals.flush(&platform.app.store, &platform.app.clock).await.unwrap();
        let latest = "select detail from audit_log where action = 'token.refused' order by id desc limit 1";
        let detail: Value = serde_json::from_str(&platform.text(latest).await).unwrap();
        assert_eq!(detail["route"], route, "{path}");
    }
}
