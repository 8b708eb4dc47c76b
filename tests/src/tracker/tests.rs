use std::{
    slice,
    sync::atomic::{AtomicU32, Ordering},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256},
};
use axum::{Json, body::Body, http::Request};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::site::listen;

const ISSUER: &str = "https://platform.example";
const LIST: &str = "/api/0/organizations/acme/issues/";

/// A platform that signs, and a tracker that trusts it.
struct Stage {
    pair: KeyPair,
    keys: JoinHandle<()>,
    keys_at: SocketAddr,
    asked: Arc<AtomicU32>,
    tracker: Tracker,
    client: Client<HttpConnector, Body>,
    folder: TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.keys.abort();
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Stage {
    async fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let key = json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1",
            "n": encoded(n.big_endian_without_leading_zero()), "e": encoded(e.big_endian_without_leading_zero()),
        });
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let answer = async move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Json(json!({ "keys": slice::from_ref(&key) }))
        };
        let listener = listen(0).await.unwrap();
        let keys_at = listener.local_addr().unwrap();
        let router = Router::new().route("/oauth/jwks/", get(answer));
        let keys = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let folder = TempDir::new().unwrap();
        let tracker = Tracker::start(listen(0).await.unwrap(), folder.path()).await.unwrap();
        tracker.trust(ISSUER, keys_at);
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { pair, keys, keys_at, asked, tracker, client, folder }
    }

    /// What the gateway says of a person at acme who may read and write.
    fn claims(&self) -> Value {
        json!({
            "iss": ISSUER, "aud": format!("http://{}", self.tracker.address()), "sub": "u1", "exp": 4_000_000_000_i64,
            "organization_id": "o1", "organization_slug": "acme", "scope": "event:read event:write",
        })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let text = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        format!("{text}.{}", encoded(signature))
    }

    fn signed(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "RS256", "typ": "latchkey-assertion+jwt", "kid": "k1" }), claims)
    }

    async fn send(&self, method: &str, path: &str, assertions: &[&str], body: &str) -> (u16, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.tracker.address()))
            .header("content-type", "application/json");
        for assertion in assertions {
            request = request.header("latchkey-assertion", *assertion);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(Body::new(answer.into_body()), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &[&self.signed(&self.claims())], "").await
    }

    async fn put(&self, path: &str, body: &str) -> (u16, Value) {
        self.send("PUT", path, &[&self.signed(&self.claims())], body).await
    }

    /// The titles of a list.
    async fn titles(&self, query: &str) -> Vec<String> {
        let (status, page) = self.get(&format!("{LIST}?{query}")).await;
        assert_eq!(status, 200, "{page}");
        page["issues"]
            .as_array()
            .unwrap()
            .iter()
            .map(|issue| issue["title"].as_str().unwrap().to_owned())
            .collect()
    }
}

#[tokio::test]
async fn nobody_is_answered_without_an_assertion_or_with_two() {
    let stage = Stage::new().await;
    let good = stage.signed(&stage.claims());
    for (assertions, code) in [
        (&[][..], "invalid_request"),
        (&[&*good, &*good][..], "invalid_request"),
        (&["x"][..], "invalid_token"),
    ] {
        let (status, body) = stage.send("GET", LIST, assertions, "").await;
        assert_eq!((status, body["error"].as_str()), (401, Some(code)));
    }
    assert_eq!(stage.get(LIST).await.0, 200);
}

#[tokio::test]
async fn an_assertion_of_another_kind_for_somebody_else_or_of_the_past_is_none() {
    let stage = Stage::new().await;
    let with = |name: &str, value: Value| {
        let mut claims = stage.claims();
        claims[name] = value;
        stage.signed(&claims)
    };
    let without = |name: &str| {
        let mut claims = stage.claims();
        claims.as_object_mut().unwrap().remove(name);
        stage.signed(&claims)
    };
    let headed = |alg: &str, typ: &str, kid: &str| {
        stage.sign(&json!({ "alg": alg, "typ": typ, "kid": kid }), &stage.claims())
    };
    let typ = "latchkey-assertion+jwt";
    let good = headed("RS256", typ, "k1");
    let (signed, _) = good.rsplit_once('.').unwrap();
    for (wrong, assertion) in [
        ("aud", with("aud", json!("http://127.0.0.1:1"))),
        ("iss", with("iss", json!("https://evil.example"))),
        ("exp", with("exp", json!(1_000_000_000))),
        ("no aud", without("aud")),
        ("no iss", without("iss")),
        ("no exp", without("exp")),
        ("scope", with("scope", json!("everything"))),
        ("an id_token", headed("RS256", "JWT", "k1")),
        ("another key", headed("RS256", typ, "k2")),
        ("another algorithm", headed("RS384", typ, "k1")),
        ("a shared secret", headed("HS256", typ, "k1")),
        ("none", headed("none", typ, "k1")),
        ("no signature", format!("{signed}.")),
        ("another signature", format!("{signed}.{}", encoded([1; 256]))),
    ] {
        let (status, body) = stage.send("GET", LIST, &[&assertion], "").await;
        assert_eq!((status, body["error"].as_str()), (401, Some("invalid_token")), "{wrong}");
    }
    assert_eq!(stage.send("GET", LIST, &[&good], "").await.0, 200);
    assert_eq!(
        stage.asked.load(Ordering::Relaxed),
        1,
        "who names a key that there is not has nobody asked again"
    );
}

#[tokio::test]
async fn whom_to_trust_is_known_before_anybody_is_answered() {
    let mut stage = Stage::new().await;
    let folder = TempDir::new().unwrap();
    stage.tracker = Tracker::start(listen(0).await.unwrap(), folder.path()).await.unwrap();
    assert_eq!(stage.get(LIST).await.0, 503);
    stage.tracker.trust(ISSUER, stage.keys_at);
    assert_eq!(stage.get(LIST).await.0, 200);
}

#[tokio::test]
async fn what_is_another_organizations_is_not_there() {
    let stage = Stage::new().await;
    let mut claims = stage.claims();
    claims["organization_slug"] = json!("globex");
    claims["organization_id"] = json!("o2");
    let globex = stage.signed(&claims);
    assert_eq!(stage.send("GET", LIST, &[&globex], "").await.0, 404);
    let (_, page) = stage.get(LIST).await;
    let id = page["issues"][0]["id"].as_str().unwrap();
    let (own, foreign) = (format!("{LIST}{id}/"), format!("/api/0/organizations/globex/issues/{id}/"));
    let resolve = r#"{"status":"resolved"}"#;
    for (method, body) in [("GET", ""), ("PUT", resolve)] {
        let unknown = stage.send(method, "/api/0/organizations/globex/issues/999/", &[&globex], body).await;
        assert_eq!(unknown.0, 404);
        assert_eq!(stage.send(method, &foreign, &[&globex], body).await, unknown);
    }
    assert_eq!(stage.get(&own).await.1["status"], "unresolved");
}

#[tokio::test]
async fn who_may_only_read_changes_nothing_and_who_may_not_read_sees_nothing() {
    let stage = Stage::new().await;
    let (_, page) = stage.get(LIST).await;
    let issue = format!("{LIST}{}/", page["issues"][0]["id"].as_str().unwrap());
    for (scope, method, path, body, needed) in [
        ("org:read", "GET", LIST, "", "event:read"),
        ("org:read", "GET", &*issue, "", "event:read"),
        ("event:read", "PUT", &*issue, r#"{"status":"resolved"}"#, "event:write"),
    ] {
        let mut claims = stage.claims();
        claims["scope"] = json!(scope);
        let (status, body) = stage.send(method, path, &[&stage.signed(&claims)], body).await;
        assert_eq!((status, body["error"].as_str()), (403, Some("insufficient_scope")), "{method} {path}");
        assert!(body["error_description"].as_str().unwrap().contains(needed), "{body}");
    }
    assert_eq!(stage.get(&issue).await.1["status"], "unresolved");
}

#[tokio::test]
async fn a_list_is_narrowed_searched_and_paged() {
    let stage = Stage::new().await;
    let all = stage.titles("").await;
    assert_eq!(all.len(), 7);
    assert_eq!(stage.titles("project=billing").await.len(), 2);
    assert_eq!(stage.titles("page=%2Fpopup.html").await, ["ChunkLoadError: loading chunk 42 failed"]);
    assert_eq!(stage.titles("query=CART").await, ["TypeError: cart.total is undefined"]);
    // What means something to the database means itself to a person.
    assert_eq!(stage.titles("query=100%25").await, ["100% of coupon codes rejected for guests"]);
    assert_eq!(stage.titles("query=_").await, [""; 0]);
    assert_eq!(stage.titles("query=%5C").await, [""; 0]);
    assert_eq!(stage.titles("status=resolved").await, [""; 0]);
    let mut paged = Vec::new();
    let mut next = format!("{LIST}?limit=3");
    loop {
        let (_, page) = stage.get(&next).await;
        paged.extend(page["issues"].as_array().unwrap().iter().map(|issue| issue["title"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        next = format!("{LIST}?limit=3&cursor={cursor}");
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn a_parameter_or_a_body_that_makes_no_sense_is_named() {
    let stage = Stage::new().await;
    for (query, says) in [
        ("status=open", "status is resolved or unresolved"),
        ("limit=0", "limit is a number from 1 to 100"),
        ("limit=101", "limit is a number from 1 to 100"),
        ("cursor=x", "cursor is not the next_cursor of a page"),
        ("sort=title", "sort is not a parameter"),
    ] {
        let (status, body) = stage.get(&format!("{LIST}?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(body["error_description"].as_str().unwrap().contains(says), "{body}");
    }
    for body in ["", "{}", r#"{"status":"gone"}"#, r#"{"status":"resolved","by":"me"}"#] {
        assert_eq!(stage.put(&format!("{LIST}1/"), body).await.0, 400, "{body}");
    }
    for id in ["x", "-1", "1e3"] {
        assert_eq!(stage.get(&format!("{LIST}{id}/")).await.0, 404, "{id}");
    }
}

#[tokio::test]
async fn who_resolved_an_issue_is_kept_and_it_can_be_opened_again() {
    let mut stage = Stage::new().await;
    let path = format!("{LIST}1/");
    let (status, issue) = stage.put(&path, r#"{"status":"resolved"}"#).await;
    assert_eq!((status, &issue["status"], &issue["resolved_by"]), (200, &json!("resolved"), &json!("u1")));
    stage.tracker = Tracker::start(listen(0).await.unwrap(), stage.folder.path()).await.unwrap();
    stage.tracker.trust(ISSUER, stage.keys_at);
    assert_eq!(stage.get(&path).await.1, issue);
    assert_eq!(stage.titles("status=resolved").await.len(), 1);
    let (_, issue) = stage.put(&path, r#"{"status":"unresolved"}"#).await;
    assert_eq!((&issue["status"], &issue["resolved_by"]), (&json!("unresolved"), &Value::Null));
}
