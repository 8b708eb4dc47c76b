//! `POST /oauth/token/` (RFC 6749 §3.2).

mod code;
mod refresh;
mod standing;

use axum::{
    body::Body,
    http::{Method, Request, header},
};

use crate::support::{
    ACME_SITE, APP, Asking, Form, GLOBEX_APP, GLOBEX_SITE, MEMBER, PLATFORM, Person, Platform, Site, Tokens,
};

async fn a_code(platform: &Platform) -> String {
    Person::signed_in(platform, MEMBER).await.code(&Asking::code()).await
}

#[tokio::test]
async fn a_success_says_what_rfc_6749_asks_for_and_is_kept_by_nobody() {
    let platform = Platform::new().await;
    let answer = platform.exchange(&Form::code(&a_code(&platform).await).without("x")).await;
    let body = answer.json();
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!((body["token_type"].as_str(), body["expires_in"].as_i64()), (Some("Bearer"), Some(3600)));
    assert_eq!(body["scope"], "org:read member:read project:read event:write");
    assert!(body["refresh_token"].as_str().unwrap().starts_with("lkrt_"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let site = Site::new(&platform, body["access_token"].as_str().unwrap());
    assert_eq!(site.get("/api/0/organizations/acme/projects/").await.status, 200);
    assert_eq!(site.get("/api/0/organizations/globex/projects/").await.status, 403);
}

#[tokio::test]
async fn only_post_is_answered() {
    let platform = Platform::new().await;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = Site::new(&platform, "").send(method, "/oauth/token/", String::new()).await;
        answer.assert_api_error(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn the_client_names_itself_and_has_no_secret() {
    let platform = Platform::new().await;
    let form = Form::code(&a_code(&platform).await);
    for wrong in [
        form.clone().without("client_id"),
        form.clone().with("client_id", ""),
        form.clone().with("client_id", "nobody"),
        form.clone().with("client_id", "ACMECLIENT"),
        form.clone().with("client_secret", "s"),
        form.clone().with("client_assertion", "a"),
    ] {
        let answer = platform.exchange(&wrong).await;
        answer.assert_api_error(401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"oauth\""));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for header in ["Basic YWNtZWNsaWVudDo=", "Basic !", "Bearer x"] {
        let site = Site::new(&platform, "").with(Some(header));
        site.send(Method::POST, "/oauth/token/", form.body()).await.assert_api_error(401, "invalid_client");
    }
    assert_eq!(platform.exchange(&form).await.status, 200, "and none of it harmed the code");
}

#[tokio::test]
async fn the_grant_type_is_one_of_two() {
    let platform = Platform::new().await;
    let form = Form::code(&a_code(&platform).await);
    platform.exchange(&form.clone().without("grant_type")).await.assert_api_error(400, "invalid_request");
    for unknown in ["password", "client_credentials", "implicit", "AUTHORIZATION_CODE", "code"] {
        let answer = platform.exchange(&form.clone().with("grant_type", unknown)).await;
        answer.assert_api_error(400, "unsupported_grant_type");
    }
    platform
        .exchange(&form.clone().with("grant_type", "refresh_token"))
        .await
        .assert_api_error(400, "invalid_request");
    assert_eq!(platform.exchange(&form).await.status, 200);
}

#[tokio::test]
async fn an_application_that_may_not_use_codes_gets_no_tokens() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    let form = Form::code(&a_code(&platform).await);
    platform.execute("update applications set response_types = 'token' where client_id = 'acmeclient'").await;
    platform.exchange(&form).await.assert_api_error(400, "unauthorized_client");
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "unauthorized_client");
}

#[tokio::test]
async fn parameters_come_once_in_the_body_as_a_form() {
    let platform = Platform::new().await;
    let form = Form::code(&a_code(&platform).await);
    for name in form.names() {
        let answer = post(&platform, "/oauth/token/", FORM, &format!("{}&{name}=x", form.body())).await;
        answer.assert_api_error(400, "invalid_request");
    }
    let body = form.body();
    for (path, kind, body) in [
        (format!("/oauth/token/?{body}"), FORM, ""),
        ("/oauth/token/?x".to_owned(), FORM, body.as_str()),
        (format!("/oauth/token/?client_id={APP}"), FORM, body.as_str()),
        ("/oauth/token/".to_owned(), "application/json", body.as_str()),
        ("/oauth/token/".to_owned(), "text/plain", body.as_str()),
        ("/oauth/token/".to_owned(), "", body.as_str()),
        ("/oauth/token/".to_owned(), FORM, "grant_type=%ff"),
    ] {
        let answer = post(&platform, &path, kind, body).await;
        assert!(!answer.body.contains("lkac_"), "{}", answer.body);
        assert!([400, 401].contains(&answer.status), "{path} {kind}");
    }
    let large = format!("{body}&x={}", "x".repeat(97 << 10));
    post(&platform, "/oauth/token/", FORM, &large).await.assert_api_error(413, "invalid_request");
    assert_eq!(platform.exchange(&form).await.status, 200);
}

/// A code is not a refresh token, and neither is an access token.
#[tokio::test]
async fn a_token_of_one_kind_is_not_taken_for_another() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    let Tokens { access, refresh, .. } = platform.tokens(MEMBER).await;
    for wrong in [&code, &access, "", "x", &refresh[1..], &format!("{refresh} ")] {
        assert_eq!(platform.refresh(wrong).await.status, 400, "{wrong}");
    }
    for wrong in [&refresh, &access, "", "x", &code[1..]] {
        assert_eq!(platform.exchange(&Form::code(wrong)).await.status, 400, "{wrong}");
    }
    for wrong in [&code, &refresh] {
        Site::new(&platform, wrong).get("/api/0/").await.assert_api_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_malformed_code_or_token_costs_no_query_for_it() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    let refresh = platform.tokens(MEMBER).await.refresh;
    let flip = |text: &str| {
        let (start, last) = text.split_at(text.len() - 1);
        format!("{start}{}", if last == "a" { "b" } else { "a" })
    };
    // Only the application is looked up: without these tables the answer is the same.
    platform.drop_table("authorization_codes").await;
    platform.drop_table("refresh_tokens").await;
    platform.exchange(&Form::code(&flip(&code))).await.assert_api_error(400, "invalid_grant");
    platform.refresh(&flip(&refresh)).await.assert_api_error(400, "invalid_grant");
    assert_eq!(platform.exchange(&Form::code(&code)).await.status, 503, "and with the right one it is asked");
}

#[tokio::test]
async fn another_application_gets_nothing_for_it() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    let refresh = platform.tokens(MEMBER).await.refresh;
    for form in [Form::code(&code), Form::refresh(&refresh)] {
        let answer = platform.exchange(&form.clone().with("client_id", GLOBEX_APP)).await;
        answer.assert_api_error(400, "invalid_grant");
        assert_eq!(platform.exchange(&form).await.status, 200, "and it still works for its owner");
    }
}

#[tokio::test]
async fn another_site_exchanges_nothing_for_an_application_that_is_not_its_own() {
    let platform = Platform::new().await;
    let form = Form::code(&a_code(&platform).await);
    for origin in [GLOBEX_SITE, "https://evil.example", "null", "https://www.acme.example:8443"] {
        let site = Site::new(&platform, "").with(None).from(Some(origin));
        site.send(Method::POST, "/oauth/token/", form.body())
            .await
            .assert_api_error(403, "origin_not_allowed");
    }
    for origin in [None, Some(PLATFORM), Some(ACME_SITE)] {
        let form = Form::code(&a_code(&platform).await);
        let site = Site::new(&platform, "").with(None).from(origin);
        assert_eq!(site.send(Method::POST, "/oauth/token/", form.body()).await.status, 200, "{origin:?}");
    }
    assert_eq!(platform.exchange(&form).await.status, 200, "and it was not harmed");
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn post(platform: &Platform, path: &str, kind: &str, body: &str) -> crate::support::Answer {
    let mut request = Request::post(path);
    if !kind.is_empty() {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    platform.send(request.body(Body::from(body.to_owned())).unwrap()).await
}
