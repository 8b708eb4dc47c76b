//! `/api/0/`, `/api/0/organizations/`, `/api/0/organizations/{organization}/`

use serde_json::json;

use crate::support::{BOTH, MEMBER, NOW, Platform, Site};

#[tokio::test]
async fn the_index_shows_exactly_the_token_s_own() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    let answer = Site::new(&platform, &token).get("/api/0/organizations/").await;
    assert_eq!(answer.json(), json!([{ "id": "org-acme", "slug": "acme", "name": "Acme Rockets" }]));
}

#[tokio::test]
async fn an_organization_is_read_by_slug_and_by_id() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for named in ["acme", "org-acme"] {
        let answer = Site::new(&platform, &token).get(&format!("/api/0/organizations/{named}/")).await;
        assert_eq!(answer.json(), json!({ "id": "org-acme", "slug": "acme", "name": "Acme Rockets" }));
    }
}

#[tokio::test]
async fn the_root_says_what_the_token_is() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let answer = Site::new(&platform, &token).get("/api/0/").await;
    let expected = json!({
        "client_id": "acmeclient",
        "organization": { "id": "org-acme", "slug": "acme", "name": "Acme Rockets" },
        "user": { "id": "max", "name": "Max" },
        "scopes": ["org:read", "member:read", "project:read", "event:write", "openid"],
        "expires_at": NOW + 3600,
    });
    assert_eq!(answer.json(), expected);
}
