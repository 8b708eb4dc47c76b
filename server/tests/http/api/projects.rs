//! `/api/0/organizations/{organization}/projects/`

use serde_json::json;

use crate::support::{BOTH, Platform, Site};

#[tokio::test]
async fn the_projects_of_the_organization_are_listed_by_name_and_no_others() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    let answer = Site::new(&platform, &token).get("/api/0/organizations/acme/projects/").await;
    let expected = json!([
        { "id": "acme-backend", "slug": "backend", "name": "Acme Rockets backend" },
        { "id": "acme-website", "slug": "website", "name": "Acme Rockets website" },
    ]);
    assert_eq!(answer.json(), expected);
}
