//! What a code and a refresh token stand on, taken away one by one: no token by any way, and nothing deleted.

use crate::support::{Asking, Form, MEMBER, Person, Platform, Site};

use super::a_code;

/// Each takes one thing away, and gives it back.
const CHANGES: [(&str, &str); 6] = [
    (
        "update applications set disabled_at = 1 where client_id = 'acmeclient'",
        "update applications set disabled_at = null where client_id = 'acmeclient'",
    ),
    (
        "update organizations set disabled_at = 1 where slug = 'acme'",
        "update organizations set disabled_at = null where slug = 'acme'",
    ),
    (
        "update users set disabled_at = 1 where id = 'max'",
        "update users set disabled_at = null where id = 'max'",
    ),
    (
        "delete from memberships where user_id = 'max'",
        "insert into memberships (organization_id, user_id, role, created_at) values ('org-acme', 'max', 'member', 1)",
    ),
    (
        "delete from application_redirect_uris where redirect_uri like 'https://www.acme.example%'",
        "insert into application_redirect_uris (client_id, redirect_uri)
         values ('acmeclient', 'https://www.acme.example/signed-in?from=latchkey')",
    ),
    (
        "update applications set scopes = 'profile' where client_id = 'acmeclient'",
        "update applications set scopes = 'org:read' where client_id = 'acmeclient'",
    ),
];

#[tokio::test]
async fn a_code_is_refused_while_something_is_missing_and_works_again() {
    for (change, back) in CHANGES {
        let platform = Platform::new().await;
        let code = a_code(&platform).await;
        platform.execute(change).await;
        platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
        assert_eq!(platform.issued().await.0, 0, "{change}");
        platform.execute(back).await;
        assert_eq!(platform.exchange(&Form::code(&code)).await.status, 200, "{change}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_refused_while_something_is_missing_and_works_again() {
    for (change, back) in CHANGES {
        let platform = Platform::new().await;
        let tokens = platform.tokens(MEMBER).await;
        platform.execute(change).await;
        platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
        assert_eq!(platform.issued().await.0, 1, "{change}");
        platform.execute(back).await;
        assert_eq!(platform.refresh(&tokens.refresh).await.status, 200, "{change}");
    }
}

#[tokio::test]
async fn an_answer_is_not_repeated_while_something_is_missing() {
    for (change, _) in CHANGES {
        let platform = Platform::new().await;
        let tokens = platform.tokens(MEMBER).await;
        platform.refreshed(&tokens.refresh).await;
        platform.execute(change).await;
        platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
        assert_eq!(platform.issued().await.0, 2, "{change}");
    }
}

#[tokio::test]
async fn signing_out_of_the_platform_ends_what_came_from_that_session() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let tokens = crate::support::Tokens::of(
        &platform.exchange(&Form::code(&person.code(&Asking::code()).await)).await,
    );
    let code = person.code(&Asking::code()).await;
    let elsewhere = platform.tokens(MEMBER).await;
    let csrf = person.get("/").await.field("csrf");
    person.post("/logout/", &[("csrf", &csrf)]).await;
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
    Site::new(&platform, &tokens.access).get("/api/0/").await.assert_api_error(401, "invalid_token");
    assert_eq!(platform.refresh(&elsewhere.refresh).await.status, 200, "and in no other browser");
}

/// Nobody signed out: what was allowed for ninety days is not over after the two weeks of a session.
#[tokio::test]
async fn a_session_that_merely_expires_ends_nothing() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    platform.advance(20 * 24 * 3600);
    let session = platform.count("select count(*) from sessions where expires_at > 1801728000").await;
    assert_eq!(session, 0, "the session is over");
    assert_eq!(platform.refresh(&tokens.refresh).await.status, 200);
}
