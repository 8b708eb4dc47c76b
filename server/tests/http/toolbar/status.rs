//! `GET /toolbar/{client_id}/status/`: may this site use this application, and if not, why?

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::support::{ACME_LOCAL, ACME_SITE, APP, Answer, GLOBEX_SITE, PLATFORM, Platform, Site};

async fn status(platform: &Platform, client_id: &str, origin: Option<&str>) -> Answer {
    let site = Site::new(platform, "").with(None).from(origin);
    let answer = site.get(&format!("/toolbar/{client_id}/status/")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer
}

fn refused(error: &str, hint: &str, origin: Option<&str>) -> Value {
    let mut object = json!({ "allowed": false, "error": error, "error_description": hint });
    if let Some(origin) = origin {
        object["origin"] = origin.into();
    }
    object
}

#[tokio::test]
async fn a_registered_site_and_the_platform_are_allowed() {
    let platform = Platform::new().await;
    for origin in [ACME_SITE, ACME_LOCAL, PLATFORM] {
        let answer = status(&platform, APP, Some(origin)).await;
        assert_eq!(answer.json(), json!({ "allowed": true, "origin": origin }));
    }
}

/// A page of the platform's own names no origin with a GET, and its browser says whose it is.
#[tokio::test]
async fn a_page_of_the_platform_s_own_is_known_by_what_its_browser_says() {
    let platform = Platform::new().await;
    for (site, allowed) in
        [("same-origin", true), ("same-site", false), ("cross-site", false), ("none", false)]
    {
        let request = Request::get(format!("/toolbar/{APP}/status/")).header("sec-fetch-site", site);
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.json()["allowed"], json!(allowed), "{site}");
    }
}

#[tokio::test]
async fn a_site_that_is_not_registered_is_told_so_and_by_which_name() {
    let platform = Platform::new().await;
    let hint = "Add this site's origin to the application's allowed origins.";
    for origin in [Some(GLOBEX_SITE), Some("null"), Some("https://www.acme.example:8443"), None] {
        let answer = status(&platform, APP, origin).await;
        let mut expected = refused("origin_not_allowed", hint, origin);
        if let Some(site) = origin.filter(|origin| *origin != "null") {
            let site = site.replace(':', "%3A").replace('/', "%2F");
            let link = format!("{PLATFORM}/toolbar/{APP}/setup/?origin={site}");
            expected["setup_url"] = link.into();
        }
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn an_application_that_is_unknown_or_disabled_is_told() {
    let platform = Platform::new().await;
    platform.execute("update applications set disabled_at = 1 where client_id = 'globexclient'").await;
    let hint = "Check clientId: no active application has it.";
    for client_id in ["nobody", "globexclient", "ACMECLIENT"] {
        let answer = status(&platform, client_id, Some(ACME_SITE)).await;
        assert_eq!(answer.json(), refused("unknown_client", hint, Some(ACME_SITE)));
    }
}
