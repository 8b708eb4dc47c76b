//! A store that does not answer: nothing is let through, and the process says so.

use crate::support::{ACME_SITE, Asking, MEMBER, Person, Platform, Site, anonymous};

#[tokio::test]
async fn pages_say_so() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let page = person.ask(&Asking::new()).await;
    platform.app.store.close().await;
    let decided = person.decide(&page, "approve").await;
    let asked = person.ask(&Asking::new()).await;
    for answer in [decided, asked, person.get("/").await, anonymous(&platform, "/toolbar/acmeclient/").await]
    {
        answer.assert_error_page(503, "The service cannot answer right now");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}

#[tokio::test]
async fn the_process_runs_and_is_not_ready() {
    let platform = Platform::new().await;
    assert_eq!(anonymous(&platform, "/readyz").await.status, 204);
    platform.app.store.close().await;
    anonymous(&platform, "/readyz").await.assert_api_error(503, "temporarily_unavailable");
    assert_eq!(anonymous(&platform, "/healthz").await.status, 204);
}

#[tokio::test]
async fn no_site_may_read_anything() {
    let platform = Platform::new().await;
    platform.app.store.close().await;
    for origin in [ACME_SITE, "https://evil.example", "null"] {
        let site = Site::new(&platform, "x").from(Some(origin));
        for answer in [site.preflight("GET", "/api/0/").await, site.get("/api/0/").await] {
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
}
