//! `response_type=code` at `/oauth/authorize/` (RFC 6749 §4.1, RFC 7636 §4.3).

use std::collections::BTreeMap;

use crate::support::{
    ACME_REDIRECT, APP, Answer, Asking, CHALLENGE, GLOBEX_APP, GLOBEX_REDIRECT, MEMBER, OUTSIDER, PLATFORM,
    Person, Platform,
};

/// What came in the query, after the query that the registered address has.
fn query_of(answer: &Answer) -> BTreeMap<String, String> {
    let rest = answer.location().strip_prefix(ACME_REDIRECT).expect("the registered address, as it stands");
    assert!(!rest.contains('#'), "{rest}");
    url::form_urlencoded::parse(rest.strip_prefix('&').unwrap().as_bytes()).into_owned().collect()
}

#[tokio::test]
async fn a_code_comes_in_the_query_with_state_and_issuer_and_no_token() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let response = query_of(&person.allow(&Asking::code()).await);
    let names: Vec<_> = response.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_id", "code", "iss", "state"]);
    assert_eq!((response["iss"].as_str(), response["client_id"].as_str()), (PLATFORM, APP));
    assert_eq!(response["state"], "s1");
    assert!(response["code"].starts_with("lkac_") && response["code"].len() == 54);
    assert_eq!(platform.issued().await, (0, 1), "no token, and the consent");
    let stored =
        "select code_challenge || ' ' || (expires_at - created_at) || ' ' || coalesce(cast(used_at as text), 'unused')
                  from authorization_codes";
    assert_eq!(platform.text(stored).await, format!("{CHALLENGE} 60 unused"));
}

#[tokio::test]
async fn an_address_without_a_query_gets_one() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, OUTSIDER).await;
    let asking = Asking::code()
        .with("client_id", GLOBEX_APP)
        .with("redirect_uri", GLOBEX_REDIRECT)
        .with("scope", "openid");
    let answer = person.allow(&asking).await;
    assert!(answer.location().starts_with(&format!("{GLOBEX_REDIRECT}?code=lkac_")), "{}", answer.location());
}

#[tokio::test]
async fn the_callback_is_told_for_which_site_the_code_is() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let asking = Asking::code()
        .with("redirect_uri", &Asking::callback(APP))
        .with("origin", "https://www.acme.example");
    let answer = person.allow(&asking).await;
    let (address, query) = answer.location().split_once('?').unwrap();
    assert_eq!(address, Asking::callback(APP));
    assert!(query.ends_with("&origin=https%3A%2F%2Fwww.acme.example"), "{query}");
}

#[tokio::test]
async fn a_code_needs_a_challenge_by_s256() {
    let long = "a".repeat(129);
    let short = "a".repeat(42);
    let padded = format!("{}=", "a".repeat(43));
    for (challenge, method, says) in [
        (None, None, "code_challenge is missing"),
        (None, Some("S256"), "code_challenge is missing"),
        (Some(""), Some("S256"), "code_challenge is missing"),
        (Some(CHALLENGE), None, "code_challenge_method is not S256"),
        (Some(CHALLENGE), Some("plain"), "code_challenge_method is not S256"),
        (Some(CHALLENGE), Some("s256"), "code_challenge_method is not S256"),
        (Some(CHALLENGE), Some("S512"), "code_challenge_method is not S256"),
        (Some(short.as_str()), Some("S256"), "code_challenge is not 43 to 128"),
        (Some(long.as_str()), Some("S256"), "code_challenge is not 43 to 128"),
        (Some(padded.as_str()), Some("S256"), "code_challenge is not 43 to 128"),
        (Some("a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), Some("S256"), "code_challenge is not 43"),
        (
            Some("aaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
            Some("S256"),
            "code_challenge is not 43",
        ),
    ] {
        let platform = Platform::new().await;
        let mut asking = Asking::code().without("code_challenge").without("code_challenge_method");
        if let Some(challenge) = challenge {
            asking = asking.with("code_challenge", challenge);
        }
        if let Some(method) = method {
            asking = asking.with("code_challenge_method", method);
        }
        let mut person = Person::new(&platform);
        person.ask(&asking).await.assert_error_page(400, says);
        person.sign_in(MEMBER).await;
        let response = query_of(&person.ask(&asking).await);
        assert_eq!((response["error"].as_str(), response["state"].as_str()), ("invalid_request", "s1"));
        assert!(response["error_description"].starts_with(says), "{response:?}");
        assert_eq!(response["iss"], PLATFORM);
        for table in ["transactions", "grants", "authorization_codes"] {
            assert_eq!(platform.count(&format!("select count(*) from {table}")).await, 0, "{table}");
        }
    }
}

#[tokio::test]
async fn a_challenge_beside_a_fragment_token_is_of_no_account() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let asking = Asking::new().with("code_challenge", "short").with("code_challenge_method", "plain");
    assert!(person.allow(&asking).await.location().contains("#access_token=lkat_"));
}

#[tokio::test]
async fn an_error_comes_in_the_query_as_the_code_would() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for (name, value, error) in [
        ("scope", "org:everything", "invalid_scope"),
        ("prompt", "maybe", "invalid_request"),
        ("max_age", "soon", "invalid_request"),
        ("nonce", &"n".repeat(513), "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("response_mode", "form_post", "invalid_request"),
        ("request", "eyJ", "request_not_supported"),
        ("request_uri", "https://a.com/r", "request_uri_not_supported"),
    ] {
        let response = query_of(&person.ask(&Asking::code().with(name, value)).await);
        assert_eq!((response["error"].as_str(), response.get("code")), (error, None), "{name}");
    }
    assert_eq!(person.ask(&Asking::code().with("response_mode", "query")).await.status, 200);
    let page = person.ask(&Asking::code()).await;
    let denied = query_of(&person.decide(&page, "deny").await);
    assert_eq!((denied["error"].as_str(), denied["state"].as_str()), ("access_denied", "s1"));
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn a_remembered_consent_gives_a_code_at_once() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.code(&Asking::code()).await;
    for asking in [Asking::code(), Asking::code().with("prompt", "none")] {
        assert!(query_of(&person.ask(&asking).await)["code"].starts_with("lkac_"));
    }
}

#[tokio::test]
async fn an_application_that_may_not_use_codes_is_told_on_a_page() {
    let platform = Platform::new().await;
    platform.execute("update applications set response_types = 'token' where client_id = 'acmeclient'").await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person
        .ask(&Asking::code())
        .await
        .assert_error_page(400, "response_type is not one that this application");
    platform.execute("update applications set response_types = 'code' where client_id = 'acmeclient'").await;
    person.ask(&Asking::new()).await.assert_error_page(400, "response_type is not one that this application");
    assert_eq!(person.ask(&Asking::code()).await.status, 200);
}

/// Once client and redirect are valid, a request that shows no page is answered by redirect, whatever is wrong.
#[tokio::test]
async fn who_shows_no_page_is_told_by_redirect() {
    let platform = Platform::new().await;
    for (asking, error, says_state) in [
        (Asking::code().with("response_type", "id_token"), "unsupported_response_type", true),
        (Asking::code().without("response_type"), "invalid_request", true),
        (Asking::code().with("state", &"s".repeat(1025)), "invalid_request", false),
        (Asking::code().without("code_challenge"), "invalid_request", true),
        (Asking::code(), "login_required", true),
    ] {
        let response = query_of(&Person::new(&platform).ask(&asking.with("prompt", "none")).await);
        assert_eq!(response["error"], error);
        assert_eq!(response.contains_key("state"), says_state, "{error}");
    }
    platform.execute("update applications set response_types = 'code' where client_id = 'acmeclient'").await;
    let answer = Person::new(&platform).ask(&Asking::redirect().with("prompt", "none")).await;
    let response = answer.response_to(ACME_REDIRECT);
    assert_eq!(response["error"], "unauthorized_client", "in the fragment, as the token would");
    // Not before they are valid.
    let asking = Asking::code().with("prompt", "none").with("redirect_uri", "https://evil.example/");
    Person::new(&platform).ask(&asking).await.assert_error_page(400, "redirect_uri is not");
    let asking = Asking::new().with("prompt", "none").with("origin", "https://evil.example");
    Person::new(&platform).ask(&asking).await.assert_error_page(400, "origin is not");
}

#[tokio::test]
async fn a_login_older_than_max_age_is_asked_for_again() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.advance(100);
    let asking = Asking::code().with("max_age", "99");
    let silent = query_of(&person.ask(&asking.clone().with("prompt", "none")).await);
    assert_eq!(silent["error"], "login_required");
    let login = person.ask(&asking).await.location().to_owned();
    assert!(login.starts_with("/login/?transaction="));
    let next = person.log_in(&login, MEMBER, crate::support::PASSWORD).await.location().to_owned();
    assert_eq!(person.get(&next).await.status, 200, "the consent page");
    assert_eq!(person.ask(&Asking::code().with("max_age", "100")).await.status, 200);
}
