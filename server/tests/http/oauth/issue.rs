//! Every way to a token, with each thing that must stand taken away: no token.

use crate::support::{ACME_SITE, Asking, MEMBER, PASSWORD, Person, Platform};

/// Each takes one precondition away.
const CHANGES: [&str; 8] = [
    "update applications set disabled_at = 1 where client_id = 'acmeclient'",
    "update organizations set disabled_at = 1 where slug = 'acme'",
    "update users set disabled_at = 1 where id = 'max'",
    "delete from memberships where user_id = 'max'",
    "delete from application_origins where origin = 'https://www.acme.example'",
    "update sessions set ended_at = 1",
    "update sessions set expires_at = 1",
    "update applications set scopes = 'openid' where client_id = 'acmeclient'",
];

/// `openid` would be left of a request that names no scope.
fn asking() -> Asking {
    Asking::new().with("scope", "project:read")
}

async fn tokens(platform: &Platform) -> i64 {
    platform.count("select count(*) from access_tokens").await
}

#[tokio::test]
async fn by_the_consent_page() {
    for change in CHANGES {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let page = person.ask(&asking()).await;
        platform.execute(change).await;
        let answer = person.decide(&page, "approve").await;
        assert!(!answer.headers.values().any(|value| value.as_bytes().windows(5).any(|w| w == b"lkat_")));
        assert_eq!(platform.issued().await, (0, 0), "{change}");
    }
}

#[tokio::test]
async fn by_a_remembered_consent() {
    for change in CHANGES {
        for prompt in ["", "none"] {
            let platform = Platform::new().await;
            let mut person = Person::signed_in(&platform, MEMBER).await;
            person.allow(&asking()).await;
            platform.execute(change).await;
            person.ask(&asking().with("prompt", prompt)).await;
            assert_eq!(tokens(&platform).await, 1, "{change}: no second one");
        }
    }
}

#[tokio::test]
async fn by_a_login_that_goes_on_with_a_remembered_consent() {
    for change in CHANGES {
        let platform = Platform::new().await;
        Person::signed_in(&platform, MEMBER).await.allow(&asking()).await;
        let mut person = Person::new(&platform);
        let login = person.ask(&asking()).await.location().to_owned();
        let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
        platform.execute(change).await;
        person.get(&next).await;
        assert_eq!(tokens(&platform).await, 1, "{change}: no second one");
    }
}

#[tokio::test]
async fn a_token_is_the_organization_s_of_its_application_and_records_where_it_came_from() {
    let platform = Platform::new().await;
    let token = platform.token("bea@example.org").await;
    let row =
        "select client_id || ' ' || organization_id || ' ' || user_id || ' ' || requesting_origin || ' ' ||
                      last_four || ' ' || (expires_at - created_at) || ' ' || coalesce(revoked_at, 'live')
               from access_tokens where session_id = (select id from sessions)";
    let last_four = &token[token.len() - 4..];
    let expected = format!("acmeclient org-acme bea {ACME_SITE} {last_four} 3600 live");
    assert_eq!(platform.text(row).await, expected);
}
