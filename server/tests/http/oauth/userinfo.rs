//! `/oauth/userinfo/` (OpenID Connect Core §5.3).

use axum::http::Method;
use serde_json::json;

use crate::support::{ACME_SITE, Asking, GLOBEX_SITE, MEMBER, Person, Platform, Site};

#[tokio::test]
async fn the_person_is_described_as_far_as_the_scopes_go() {
    let platform = Platform::new().await;
    platform.execute("update applications set scopes = 'org:read openid profile email'").await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for (scope, expected) in [
        ("openid", json!({ "sub": "max" })),
        ("openid profile", json!({ "sub": "max", "name": "Max" })),
        ("openid profile email", json!({ "sub": "max", "name": "Max", "email": MEMBER })),
    ] {
        let token = person.token(&Asking::new().with("scope", scope)).await;
        for method in [Method::GET, Method::POST] {
            let answer = Site::new(&platform, &token).send(method, "/oauth/userinfo/", String::new()).await;
            assert_eq!((answer.status, answer.json()), (200, expected.clone()));
            assert_eq!(answer.header("access-control-allow-origin"), Some(ACME_SITE));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    let token = person.token(&Asking::new().with("scope", "org:read profile email")).await;
    let answer = Site::new(&platform, &token).get("/oauth/userinfo/").await;
    answer.assert_api_error(403, "insufficient_scope");
}

#[tokio::test]
async fn who_left_or_asks_from_elsewhere_is_told_nothing() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let site = Site::new(&platform, &token);
    let elsewhere = site.clone().from(Some(GLOBEX_SITE)).get("/oauth/userinfo/").await;
    elsewhere.assert_api_error(403, "origin_not_allowed");
    platform.execute("delete from memberships where user_id = 'max'").await;
    site.get("/oauth/userinfo/").await.assert_api_error(403, "membership_required");
}
