//! Tokens, codes, cookies and passwords stand where they belong and nowhere else. `support::leak` looks at every
//! answer of every test; here it is shown that it sees, and is led past whatever could tell a secret.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::support::{
    ACME_REDIRECT, APP, Asking, Form, MEMBER, PASSWORD, Person, Platform, SERVER_SECRET, Site, Tokens,
    VERIFIER, anonymous, leak,
};

const TOKEN: &str = "lkat_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghijABC";

fn with(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
}

#[test]
fn a_secret_in_the_wrong_place_is_seen() {
    let refresh = TOKEN.replace("lkat", "lkrt");
    let code = TOKEN.replace("lkat", "lkac");
    let address = format!("https://a.example/#access_token={TOKEN}");
    let (json, html) = (("content-type", "application/json"), ("content-type", "text/html; charset=utf-8"));
    let both = format!(r#"{{"access_token":"{TOKEN}","refresh_token":"{refresh}"}}"#);
    for (status, (name, value), body) in [
        (200, html, TOKEN),
        (200, html, &code),
        (400, html, PASSWORD),
        (200, html, &both),
        (200, json, &format!(r#"{{"access_token":"{TOKEN}"}}"#)),
        (200, json, &format!(r#"{{"token":"{refresh}"}}"#)),
        (400, json, &both),
        (200, json, &both.replace("}", &format!(r#","code":"{code}"}}"#))),
        (200, ("location", address.as_str()), ""),
        (303, ("x-location", address.as_str()), ""),
        (303, ("location", PASSWORD), ""),
        (303, ("location", VERIFIER), ""),
        (400, json, VERIFIER),
        (200, json, &format!(r#"{{"active":true,"secret":"{SERVER_SECRET}"}}"#)),
        (401, ("www-authenticate", SERVER_SECRET), ""),
        (303, ("set-cookie", TOKEN), ""),
    ] {
        assert!(
            leak::in_answer(status, &with(name, value), body).is_some(),
            "{status} {name}: {value}\n{body}"
        );
    }
    for (status, (name, value), body) in [
        (303, ("location", address.as_str()), ""),
        (200, json, both.as_str()),
        (200, html, "a token begins with lkat_ and ends with 3f9a"),
    ] {
        assert_eq!(leak::in_answer(status, &with(name, value), body), None);
    }
}

#[tokio::test]
async fn a_cookie_that_a_page_shows_is_seen() {
    let platform = Platform::new().await;
    let person = Person::signed_in(&platform, MEMBER).await;
    let session = person.session().unwrap();
    assert!(leak::of_cookies(&person.cookies, &HeaderMap::new(), &format!("<p>{session}")).is_some());
    assert!(leak::of_cookies(&person.cookies, &with("x-session", session), "").is_some());
    assert_eq!(leak::of_cookies(&person.cookies, &with("set-cookie", session), "<p>"), None);
    assert_eq!(leak::of_cookies(&BTreeMap::new(), &HeaderMap::new(), session), None);
}

#[tokio::test]
async fn a_code_and_its_tokens_are_told_to_their_client_alone() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    person.ask(&Asking::code()).await;
    person.sign_in(MEMBER).await;
    let code = person.code(&Asking::code()).await;
    // Presented wrongly, rightly, and again.
    for form in [
        Form::code(&code).with("code_verifier", &"x".repeat(43)),
        Form::code(&code).with("redirect_uri", &code),
        Form::code(&code).with("client_id", &code),
        Form::code(&code).with("grant_type", &code),
        Form::refresh(&code),
    ] {
        assert!(platform.exchange(&form).await.status >= 400);
    }
    let first = Tokens::of(&platform.exchange(&Form::code(&code)).await);
    let next = platform.refreshed(&first.refresh).await;
    let site = Site::new(&platform, &next.access);
    for path in ["/api/0/", "/api/0/organizations/acme/projects/", "/oauth/userinfo/", "/nowhere/"] {
        site.get(path).await;
    }
    for path in ["/", "/login/", "/account/applications/", "/account/password/", "/api/0/api-authorizations/"]
    {
        assert_eq!(person.get(path).await.status, 200, "{path}");
    }
    let revocation = |token: &str| format!("client_id={APP}&token={token}");
    let anybody = site.clone().with(None);
    assert_eq!(anybody.send(Method::POST, "/oauth/revoke/", revocation(&next.refresh)).await.status, 200);
    assert_eq!(site.get("/api/0/").await.status, 401);
    assert_eq!(platform.refresh(&next.refresh).await.status, 400);
    assert_eq!(platform.exchange(&Form::code(&code)).await.status, 400);
}

#[tokio::test]
async fn what_somebody_sends_in_the_wrong_place_is_not_repeated() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let code = Person::signed_in(&platform, MEMBER).await.code(&Asking::code()).await;
    for secret in [token.as_str(), code.as_str(), PASSWORD, VERIFIER] {
        let escaped = secret.replace(' ', "%20");
        for path in [
            format!("/nowhere/{escaped}/"),
            format!("/api/0/{escaped}/"),
            format!("/api/0/organizations/{escaped}/"),
            format!("/api/0/?access_token={escaped}"),
            format!("/toolbar/{escaped}/"),
            format!("/toolbar/{escaped}/status/"),
            format!("/toolbar/{APP}/callback/?access_token={escaped}&code={escaped}&state=x"),
            format!("/login/?transaction={escaped}"),
            format!("/assets/{escaped}/pages.css"),
            Asking::new().with("client_id", secret).path(),
            Asking::new().with("redirect_uri", secret).path(),
            Asking::new().with("origin", secret).path(),
            Asking::new().with("response_type", secret).path(),
            Asking::code().with("redirect_uri", &format!("{ACME_REDIRECT}?{secret}")).path(),
        ] {
            anonymous(&platform, &path).await;
            Site::new(&platform, secret).get(&path).await;
        }
        let mut person = Person::new(&platform);
        let page = person.log_in("/login/", MEMBER, &format!("{secret}!")).await;
        assert_ne!(page.status, 303);
    }
}
