//! `POST /oauth/introspect/` (RFC 7662).

use axum::http::Method;
use serde_json::json;

use crate::support::{
    ACME, ACME_LOCAL, ACME_SITE, ADMIN, APP, GLOBEX, MEMBER, NOW, PLATFORM, Platform, SERVER_SECRET, Site,
    basic,
};

#[tokio::test]
async fn a_live_token_is_described() {
    let platform = Platform::new().await;
    platform.add_resource_server("rs", None).await;
    let token = platform.token(MEMBER).await;
    let answer = platform.introspect("rs", &token).await;
    let expected = json!({
        "active": true, "scope": "org:read member:read project:read event:write openid", "client_id": APP,
        "token_type": "Bearer", "iat": NOW, "exp": NOW + 3600, "sub": "max", "iss": PLATFORM,
        "organization_id": ACME.0, "organization_slug": ACME.1, "organization_name": "Acme Rockets",
        "jti": platform.text("select id from access_tokens").await, "role": "member",
        "name": "Max", "email": MEMBER,
        "origins": [ACME_LOCAL, "https://shop.acme.example", ACME_SITE],
    });
    let mut described = answer.json();
    // In no order of theirs.
    described["origins"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
    assert_eq!((answer.status, described), (200, expected));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let tokens = platform.tokens(MEMBER).await;
    assert_eq!(platform.introspect("rs", &tokens.access).await.json()["active"], true);
}

/// Nothing tells the one from the other.
#[tokio::test]
async fn whatever_is_not_to_be_accepted_is_the_same_answer() {
    let platform = Platform::new().await;
    for (id, organization) in [("rs", None), ("acme", Some(ACME.0)), ("globex", Some(GLOBEX.0))] {
        platform.add_resource_server(id, organization).await;
    }
    let live = platform.token(MEMBER).await;
    let tokens = platform.tokens(MEMBER).await;
    let unknown = latchkey_server::secret::AccessToken::from_random(
        &latchkey_server::secret::Entropy::System.bytes().unwrap(),
    );
    let mut answers = vec![];
    for token in ["x", "lkat_", unknown.expose(), &tokens.refresh, &live[1..]] {
        answers.push(platform.introspect("rs", token).await);
    }
    assert_eq!(platform.introspect("acme", &live).await.json()["active"], true);
    answers.push(platform.introspect("globex", &live).await);
    let revoked = platform.token(MEMBER).await;
    let form = format!("client_id={APP}&token={revoked}");
    Site::new(&platform, "").with(None).send(Method::POST, "/oauth/revoke/", form).await;
    answers.push(platform.introspect("rs", &revoked).await);
    let left = platform.token(ADMIN).await;
    platform.execute("delete from memberships where user_id = 'arno'").await;
    answers.push(platform.introspect("rs", &left).await);
    for table in ["applications", "organizations", "users"] {
        platform.execute(&format!("update {table} set disabled_at = 1")).await;
        answers.push(platform.introspect("rs", &live).await);
        platform.execute(&format!("update {table} set disabled_at = null")).await;
    }
    assert_eq!(platform.introspect("rs", &live).await.json()["active"], true);
    platform.advance(3600);
    answers.push(platform.introspect("rs", &live).await);
    for answer in &answers {
        assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"active":false}"#));
        assert_eq!(answer.headers, answers[0].headers);
    }
    assert_eq!(answers.len(), 12);
}

#[tokio::test]
async fn who_is_not_registered_is_refused() {
    let platform = Platform::new().await;
    platform.add_resource_server("rs", None).await;
    let token = platform.token(MEMBER).await;
    let form = || format!("token={token}");
    for authorization in [
        None,
        Some(basic("rs", "wrong")),
        Some(basic("rs", "")),
        Some(basic("nobody", SERVER_SECRET)),
        Some(basic("RS", SERVER_SECRET)),
        Some(basic(APP, "")),
        Some(format!("Bearer {token}")),
        Some("Basic !".to_owned()),
        Some(format!("Basic {}", "A".repeat(4096))),
    ] {
        let site = Site::new(&platform, "").from(None).with(authorization.as_deref());
        let answer = site.send(Method::POST, "/oauth/introspect/", form()).await;
        answer.assert_api_error(401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"oauth\""));
    }
    let in_the_body = format!("token={token}&client_id=rs&client_secret={SERVER_SECRET}");
    let site = Site::new(&platform, "").from(None).with(None);
    site.send(Method::POST, "/oauth/introspect/", in_the_body).await.assert_api_error(401, "invalid_client");
    platform.execute("update resource_servers set disabled_at = 1").await;
    platform.introspect("rs", &token).await.assert_api_error(401, "invalid_client");
}

#[tokio::test]
async fn no_site_calls_it_and_its_form_is_read_like_every_other() {
    let platform = Platform::new().await;
    platform.add_resource_server("rs", None).await;
    let token = platform.token(MEMBER).await;
    let site = Site::new(&platform, "").with(Some(&basic("rs", SERVER_SECRET)));
    assert_eq!(
        site.preflight("POST", "/oauth/introspect/").await.header("access-control-allow-origin"),
        None
    );
    let answer = site
        .clone()
        .from(Some(ACME_SITE))
        .send(Method::POST, "/oauth/introspect/", format!("token={token}"))
        .await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    for (path, body) in [
        ("/oauth/introspect/", String::new()),
        ("/oauth/introspect/", format!("token={token}&token={token}")),
        ("/oauth/introspect/?x=1", format!("token={token}")),
        ("/oauth/introspect/", "token=%ff".to_owned()),
    ] {
        site.send(Method::POST, path, body).await.assert_api_error(400, "invalid_request");
    }
    site.get("/oauth/introspect/").await.assert_api_error(405, "method_not_allowed");
}
