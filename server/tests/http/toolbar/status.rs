//! `GET /toolbar/{client_id}/status/`: may this site use this application, and if not, why?

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use latchkey_server::config::{Config, Opener};

use crate::support::{
    ACME_LOCAL, ACME_REDIRECT, ACME_SITE, APP, Answer, GLOBEX_REDIRECT, GLOBEX_SITE, LOCAL_REDIRECT, NOW,
    PLATFORM, Platform, Site,
};

/// What stands in every answer.
fn with_platform(mut object: Value) -> Value {
    let same = [("opener", json!("kept")), ("version", json!(1)), ("now", json!(NOW))];
    same.into_iter().for_each(|(name, value)| object[name] = value);
    object
}

async fn status(platform: &Platform, client_id: &str, origin: Option<&str>) -> Answer {
    let site = Site::new(platform, "").with(None).from(origin);
    let answer = site.get(&format!("/toolbar/{client_id}/status/")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("vary"), Some("origin"), "another site's answer is another one");
    answer
}

fn refused(error: &str, hint: &str, origin: Option<&str>) -> Value {
    let mut object = json!({ "allowed": false, "error": error, "error_description": hint });
    if let Some(origin) = origin {
        object["origin"] = origin.into();
    }
    with_platform(object)
}

#[tokio::test]
async fn a_registered_site_and_the_platform_are_allowed() {
    let platform = Platform::new().await;
    for origin in [ACME_SITE, ACME_LOCAL, PLATFORM] {
        let answer = status(&platform, APP, Some(origin)).await;
        assert_eq!(answer.json(), with_platform(json!({ "allowed": true, "origin": origin })));
    }
    // None of them is a site that asks to be let in.
    platform.app.refused_origins.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    assert_eq!(platform.count("select count(*) from refused_origins").await, 0);
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

#[tokio::test]
async fn whoever_asks_about_a_redirect_uri_is_told_whether_a_response_may_go_there() {
    let platform = Platform::new().await;
    let ask = async |client_id: &str, redirect_uri: &str| {
        let encoded = url::form_urlencoded::byte_serialize(redirect_uri.as_bytes()).collect::<String>();
        let path = format!("/toolbar/{client_id}/status/?redirect_uri={encoded}");
        Site::new(&platform, "").with(None).get(&path).await.json()["redirect_uri"].clone()
    };
    let callback = format!("{PLATFORM}/toolbar/{APP}/callback/");
    for registered in [ACME_REDIRECT, LOCAL_REDIRECT, "http://127.0.0.1:3001/cb", &callback] {
        assert_eq!(ask(APP, registered).await, "registered", "{registered}");
    }
    let (other_callback, long) =
        (format!("{PLATFORM}/toolbar/globexclient/callback/"), format!("{ACME_SITE}/{}", "a".repeat(3000)));
    for unregistered in
        [GLOBEX_REDIRECT, "https://www.acme.example/signed-in", &other_callback, &long, "nonsense", "\u{0}"]
    {
        assert_eq!(ask(APP, unregistered).await, "unregistered", "{unregistered}");
    }
    assert_eq!(
        ask("nobody", ACME_REDIRECT).await,
        Value::Null,
        "nothing is known of a client that is unknown"
    );
    assert_eq!(ask(APP, "").await, Value::Null, "nothing was asked");
    let twice = format!("/toolbar/{APP}/status/?redirect_uri=a&redirect_uri=b");
    assert_eq!(Site::new(&platform, "").with(None).get(&twice).await.status, 400);
}

/// A registered address that came to lie on the platform itself is one to which no response goes.
#[tokio::test]
async fn a_page_of_the_platform_is_no_redirect_uri() {
    let platform = Platform::new().await;
    let page = format!("{PLATFORM}/account/");
    let statement = format!(
        "update application_redirect_uris set redirect_uri = '{page}' where redirect_uri = '{LOCAL_REDIRECT}'"
    );
    platform.execute(&statement).await;
    let path = format!("/toolbar/{APP}/status/?redirect_uri={page}");
    let answer = Site::new(&platform, "").with(None).get(&path).await;
    assert_eq!(answer.json()["redirect_uri"], "unregistered");
}

#[tokio::test]
async fn a_login_that_cuts_the_window_off_its_opener_is_told_before_the_window_opens() {
    let platform = Platform::with(Config { opener: Opener::Cut, ..Platform::config() }).await;
    assert_eq!(status(&platform, APP, Some(ACME_SITE)).await.json()["opener"], "cut");
}

#[tokio::test]
async fn the_platform_s_clock_and_protocol_are_told() {
    let platform = Platform::new().await;
    platform.app.clock.advance(90);
    let answer = status(&platform, APP, Some(ACME_SITE)).await.json();
    assert_eq!(answer["now"], NOW + 90);
    assert_eq!(answer["version"], latchkey_protocol::VERSION);
}
