//! `POST /oauth/revoke/` (RFC 7009).

use axum::http::Method;

use crate::support::{APP, Answer, GLOBEX_APP, MEMBER, Platform, Site};

async fn revoke(platform: &Platform, body: &str) -> Answer {
    Site::new(platform, "").with(None).send(Method::POST, "/oauth/revoke/", body.into()).await
}

async fn is_live(platform: &Platform, token: &str) -> bool {
    Site::new(platform, token).get("/api/0/").await.status == 200
}

#[tokio::test]
async fn a_token_stops_at_once() {
    let platform = Platform::new().await;
    let (token, other) = (platform.token(MEMBER).await, platform.token(MEMBER).await);
    for hint in ["", "&token_type_hint=access_token", "&token_type_hint=refresh_token"] {
        let answer = revoke(&platform, &format!("client_id={APP}&token={token}{hint}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
        assert!(!is_live(&platform, &token).await);
    }
    assert!(is_live(&platform, &other).await, "and no other does");
}

#[tokio::test]
async fn another_application_s_token_stays_as_it_is() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let answer = revoke(&platform, &format!("client_id={GLOBEX_APP}&token={token}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(is_live(&platform, &token).await);
    let tokens = platform.tokens(MEMBER).await;
    let answer = revoke(&platform, &format!("client_id={GLOBEX_APP}&token={}", tokens.refresh)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(is_live(&platform, &tokens.access).await);
    assert_eq!(platform.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn who_is_not_an_application_of_ours_is_told_so() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for who in ["", "client_id=&", "client_id=nobody&", "client_id=ACMECLIENT&"] {
        let answer = revoke(&platform, &format!("{who}token={token}")).await;
        answer.assert_api_error(401, "invalid_client");
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"oauth\""));
    }
    for secret in ["client_secret=s", "client_assertion=a"] {
        let answer = revoke(&platform, &format!("client_id={APP}&token={token}&{secret}")).await;
        answer.assert_api_error(401, "invalid_client");
    }
    let site = Site::new(&platform, "").with(Some("Basic YWNtZWNsaWVudDo="));
    let body = format!("client_id={APP}&token={token}");
    site.send(Method::POST, "/oauth/revoke/", body).await.assert_api_error(401, "invalid_client");
    assert!(is_live(&platform, &token).await);
}

/// RFC 7009 §2.1: all that was issued on the same grant.
#[tokio::test]
async fn a_refresh_token_stops_with_every_token_beside_it() {
    let platform = Platform::new().await;
    let other = platform.tokens(MEMBER).await;
    let first = platform.tokens(MEMBER).await;
    let second = platform.refreshed(&first.refresh).await;
    // Even one that was replaced: whoever holds it means the line.
    let answer = revoke(&platform, &format!("client_id={APP}&token={}", first.refresh)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    for access in [&first.access, &second.access] {
        assert!(!is_live(&platform, access).await);
    }
    platform.refresh(&second.refresh).await.assert_api_error(400, "invalid_grant");
    assert!(is_live(&platform, &other.access).await, "and no other does");
}

#[tokio::test]
async fn an_access_token_stops_alone() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    revoke(&platform, &format!("client_id={APP}&token={}", tokens.access)).await;
    assert!(!is_live(&platform, &tokens.access).await);
    assert_eq!(platform.refresh(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn a_disabled_application_may_still_give_back_what_it_holds() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    platform.execute("update applications set disabled_at = 1 where client_id = 'acmeclient'").await;
    let answer = revoke(&platform, &format!("client_id={APP}&token={}", tokens.refresh)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(platform.count("select count(*) from grants where revoked_at is not null").await, 1);
}

#[tokio::test]
async fn an_unknown_or_malformed_token_is_answered_like_a_known_one() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let known = revoke(&platform, &format!("client_id={APP}&token={token}")).await;
    for unknown in ["x", "lkat_", &token[1..], &format!("lkat_{}", "0".repeat(49))] {
        let answer = revoke(&platform, &format!("client_id={APP}&token={unknown}")).await;
        assert_eq!((answer.status, answer.body, answer.headers), (200, String::new(), known.headers.clone()));
    }
}

#[tokio::test]
async fn what_is_missing_repeated_or_unreadable_is_named() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for (body, says) in [
        (format!("client_id={APP}"), "token is missing."),
        (format!("client_id={APP}&token="), "token is missing."),
        (format!("token={token}&token={token}&client_id={APP}"), "A parameter is given more than once."),
        (format!("token={token}&client_id={APP}&client_id={APP}"), "A parameter is given more than once."),
        (format!("token={token}&client_id=%ff"), "The parameters cannot be read."),
    ] {
        let answer = revoke(&platform, &body).await;
        answer.assert_api_error(400, "invalid_request");
        assert!(answer.json()["error_description"].as_str().unwrap().starts_with(says), "{}", answer.body);
        assert!(!answer.body.contains(&token));
    }
    assert!(is_live(&platform, &token).await);
}

#[tokio::test]
async fn parameters_in_the_address_count_for_nothing() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let path = format!("/oauth/revoke/?client_id={APP}&token={token}");
    let answer = Site::new(&platform, "").with(None).send(Method::POST, &path, String::new()).await;
    answer.assert_api_error(400, "invalid_request");
    assert!(is_live(&platform, &token).await);
}

#[tokio::test]
async fn only_post_is_answered() {
    let platform = Platform::new().await;
    Site::new(&platform, "").get("/oauth/revoke/").await.assert_api_error(405, "method_not_allowed");
}

/// Writing is for one at a time.
#[tokio::test]
async fn what_is_revoked_already_keeps_nobody_from_writing() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    let body = |client_id: &str, token: &str| format!("client_id={client_id}&token={token}");
    let foreign = platform.tokens(MEMBER).await;
    assert_eq!(revoke(&platform, &body(APP, &tokens.refresh)).await.status, 200);
    assert!(!is_live(&platform, &tokens.access).await);
    let _writing = platform.write().await;
    for (client_id, token) in [(APP, &tokens.refresh), (GLOBEX_APP, &foreign.refresh)] {
        assert_eq!(revoke(&platform, &body(client_id, token)).await.status, 200, "{client_id}");
    }
}
