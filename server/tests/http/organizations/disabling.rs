//! An application that its admin disables in the middle of whatever it is doing, and enables again.

use serde_json::json;

use crate::support::{ADMIN, APP, Answer, Asking, Form, MEMBER, Person, Platform, Site, Tokens, anonymous};

const SHOW: &str = "/organizations/acme/applications/acmeclient/";
const NOT_ACTIVE: &str = "client_id is not one of an active application";

/// Presses the button of the page that disables it.
async fn disable(platform: &Platform) {
    press(platform, &format!("{SHOW}disable/"), "disable/").await;
}

/// Presses the button that enables it.
async fn enable(platform: &Platform) {
    press(platform, SHOW, "enable/").await;
}

async fn press(platform: &Platform, page: &str, word: &str) {
    let mut admin = Person::signed_in(platform, ADMIN).await;
    let action = format!("{SHOW}{word}");
    let csrf = admin.get(page).await.csrf(&action);
    assert_eq!(admin.post(&action, &[("csrf", &csrf)]).await.location(), SHOW);
}

/// Whether a site of its may read the API's answers.
async fn is_open_to_its_site(platform: &Platform) -> bool {
    let preflight = Site::new(platform, "").preflight("GET", "/api/0/").await;
    preflight.header("access-control-allow-origin").is_some()
}

async fn call(platform: &Platform, token: &str) -> Answer {
    Site::new(platform, token).from(None).get("/api/0/").await
}

#[tokio::test]
async fn nobody_begins_a_sign_in_with_it() {
    let platform = Platform::new().await;
    disable(&platform).await;
    for asking in [Asking::new(), Asking::redirect(), Asking::code()] {
        Person::signed_in(&platform, MEMBER).await.ask(&asking).await.assert_error_page(400, NOT_ACTIVE);
        let silent = asking.with("prompt", "none");
        anonymous(&platform, &silent.path()).await.assert_error_page(400, NOT_ACTIVE);
    }
    assert!(!is_open_to_its_site(&platform).await);
    assert_eq!(platform.issued().await, (0, 0));
    enable(&platform).await;
    assert!(is_open_to_its_site(&platform).await);
    assert_eq!(call(&platform, &platform.token(MEMBER).await).await.status, 200);
}

#[tokio::test]
async fn nobody_allows_it_who_was_asked_before() {
    for asking in [Asking::new(), Asking::code()] {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let page = person.ask(&asking).await;
        disable(&platform).await;
        person.decide(&page, "approve").await.assert_error_page(400, NOT_ACTIVE);
        assert_eq!(platform.issued().await, (0, 0));
    }
}

#[tokio::test]
async fn a_code_from_before_is_exchanged_for_nothing_then_or_later() {
    let platform = Platform::new().await;
    let code = Person::signed_in(&platform, MEMBER).await.code(&Asking::code()).await;
    disable(&platform).await;
    platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
    enable(&platform).await;
    platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
    assert_eq!(platform.issued().await.0, 0);
}

#[tokio::test]
async fn tokens_from_before_do_nothing_then_or_later() {
    let platform = Platform::new().await;
    platform.add_resource_server("rs", None).await;
    let first = platform.tokens(MEMBER).await;
    let Tokens { access, refresh, .. } = platform.refreshed(&first.refresh).await;
    assert_eq!(platform.introspect("rs", &access).await.json()["client_id"], APP);
    assert_eq!(call(&platform, &access).await.status, 200);
    assert!(is_open_to_its_site(&platform).await);
    for (word, is_open) in [("disable", false), ("enable", true)] {
        if is_open {
            enable(&platform).await
        } else {
            disable(&platform).await
        }
        for token in [&refresh, &first.refresh] {
            platform.refresh(token).await.assert_api_error(400, "invalid_grant");
        }
        assert_eq!(platform.introspect("rs", &access).await.json(), json!({ "active": false }), "{word}");
        call(&platform, &access).await.assert_api_error(401, "invalid_token");
        assert_eq!(is_open_to_its_site(&platform).await, is_open, "{word}");
    }
    let anew = platform.tokens(MEMBER).await;
    assert_eq!(platform.introspect("rs", &anew.access).await.json()["active"], true);
}
