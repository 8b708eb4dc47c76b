//! `/api/0/organizations/{organization}/members/`

use serde_json::json;

use crate::support::{BOTH, Platform, Site};

#[tokio::test]
async fn the_members_of_the_organization_are_listed_by_name_and_nobody_else() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    let answer = Site::new(&platform, &token).get("/api/0/organizations/acme/members/").await;
    let expected = json!([
        { "id": "ada", "name": "Ada", "email": "ada@example.org", "role": "owner" },
        { "id": "arno", "name": "Arno", "email": "arno@example.org", "role": "admin" },
        { "id": "bea", "name": "Bea", "email": "bea@example.org", "role": "admin" },
        { "id": "max", "name": "Max", "email": "max@example.org", "role": "member" },
    ]);
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn a_disabled_account_is_not_listed() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    platform.execute("update users set disabled_at = 1 where id = 'max'").await;
    let answer = Site::new(&platform, &token).get("/api/0/organizations/acme/members/").await;
    assert_eq!(answer.json().as_array().unwrap().len(), 3);
}
