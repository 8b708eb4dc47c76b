//! `prompt` and `login_hint` (OpenID Connect Core §3.1.2.1).

use latchkey_server::config::{Limits, Rate};

use crate::support::{
    ACME_LOCAL, APP, Answer, Asking, MEMBER, OUTSIDER, OWNER, PASSWORD, PLATFORM, Person, Platform, STRANGER,
};

#[track_caller]
fn error_of(answer: &Answer) -> String {
    answer.response_to(&Asking::callback(APP))["error"].clone()
}

fn silent() -> Asking {
    Asking::new().with("prompt", "none")
}

#[tokio::test]
async fn none_never_shows_a_page_and_says_why() {
    let platform = Platform::new().await;
    assert_eq!(error_of(&Person::new(&platform).ask(&silent()).await), "login_required");
    for stranger in [OUTSIDER, STRANGER] {
        let answer = Person::signed_in(&platform, stranger).await.ask(&silent()).await;
        assert_eq!(error_of(&answer), "access_denied");
    }
    let mut person = Person::signed_in(&platform, MEMBER).await;
    assert_eq!(error_of(&person.ask(&silent()).await), "consent_required");
    let answer = person.ask(&silent().with("scope", "org:everything")).await;
    assert_eq!(error_of(&answer), "invalid_scope");
    assert_eq!(platform.issued().await, (0, 0));
    assert_eq!(platform.count("select count(*) from transactions").await, 0);
}

#[tokio::test]
async fn none_answers_by_redirect_even_while_nobody_is_signed_in() {
    let platform = Platform::new().await;
    let answer = Person::new(&platform).ask(&silent().with("scope", "org:everything")).await;
    assert_eq!(error_of(&answer), "invalid_scope");
}

#[tokio::test]
async fn none_brings_a_token_where_consent_is_remembered() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    let response = person.ask(&silent().with("state", "s2")).await.response_to(&Asking::callback(APP));
    assert!(response["access_token"].starts_with("lkat_"));
    assert_eq!(response["state"], "s2");
}

#[tokio::test]
async fn none_tells_whoever_is_signed_out_that_a_login_is_required() {
    const GRANTS: &str = "select count(*) from grants";
    for change in [
        "update sessions set ended_at = 1",
        "update sessions set expires_at = 1",
        "update users set disabled_at = 1 where id = 'max'",
        "delete from sessions",
    ] {
        for asking in [Asking::new(), Asking::code()] {
            let platform = Platform::new().await;
            let mut person = Person::signed_in(&platform, MEMBER).await;
            person.allow(&asking).await;
            platform.execute(change).await;
            let before = platform.count(GRANTS).await;
            let told = person.ask(&asking.with("prompt", "none")).await.location().to_owned();
            assert!(told.contains("error=login_required"), "{change}: {told}");
            assert_eq!(platform.count(GRANTS).await, before, "{change}");
        }
    }
}

#[tokio::test]
async fn none_brings_nothing_on_loopback_or_where_the_application_asks_always() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new().with("origin", ACME_LOCAL)).await;
    person.allow(&Asking::new()).await;
    let answer = person.ask(&silent().with("origin", ACME_LOCAL)).await;
    assert_eq!(error_of(&answer), "consent_required");
    platform.execute("update applications set asks_always_at = 1 where client_id = 'acmeclient'").await;
    assert_eq!(error_of(&person.ask(&silent()).await), "consent_required");
}

#[tokio::test]
async fn none_tells_a_member_who_left_that_access_is_denied() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    platform.execute("delete from memberships where user_id = 'max'").await;
    assert_eq!(error_of(&person.ask(&silent()).await), "access_denied");
    assert_eq!(platform.count("select count(*) from access_tokens").await, 1);
}

/// Each leaves a grant and a token behind.
#[tokio::test]
async fn none_is_granted_so_often_from_one_address_and_the_client_is_told_by_redirect() {
    let platform = Platform::limited(Limits { transactions: Rate::new(3, 60), ..Limits::default() }).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    for _ in 0..2 {
        assert!(person.ask(&silent()).await.location().contains("#access_token="));
    }
    let response = person.ask(&silent().with("state", "s4")).await.response_to(&Asking::callback(APP));
    assert_eq!(response["error"], "temporarily_unavailable");
    assert_eq!((response["state"].as_str(), response["iss"].as_str()), ("s4", PLATFORM));
    // Where a page may be shown, it is.
    person.ask(&Asking::new()).await.assert_error_page(429, "Too much is asked from one address");
    assert_eq!(platform.issued().await, (3, 1));
    platform.advance(1);
    assert!(person.ask(&silent()).await.location().contains("#access_token="));
}

#[tokio::test]
async fn none_is_answered_by_redirect_when_the_server_cannot_answer() {
    for (fault, told) in [
        ("alter table access_tokens rename to gone", "temporarily_unavailable"),
        ("update consents set scopes = 'nonsense'", "server_error"),
    ] {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        person.allow(&Asking::new()).await;
        platform.try_execute(fault).await.unwrap();
        let response = person.ask(&silent()).await.response_to(&Asking::callback(APP));
        assert_eq!(response["error"], told);
        assert_eq!((response["state"].as_str(), response["iss"].as_str()), ("s1", PLATFORM));
        assert!(person.ask(&Asking::new()).await.status >= 500, "where a page may be shown, it is");
    }
}

/// Writing is for one at a time.
#[tokio::test]
async fn none_that_is_refused_keeps_nobody_from_writing() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let _writing = platform.write().await;
    assert_eq!(error_of(&Person::new(&platform).ask(&silent()).await), "login_required");
    assert_eq!(error_of(&person.ask(&silent()).await), "consent_required");
}

/// Who wants to sign in as somebody else would go on as who they were.
#[tokio::test]
async fn login_asks_for_the_password_in_the_very_second_of_another_login() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    let login = person.ask(&Asking::new().with("prompt", "login")).await.location().to_owned();
    assert!(login.starts_with("/login/?transaction="), "{login}");
    let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
    assert!(person.get(&next).await.location().contains("#access_token="), "and once is enough");
}

#[tokio::test]
async fn login_asks_for_the_password_again_once() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.advance(60);
    let asking = Asking::new().with("prompt", "login");
    let login = person.ask(&asking).await.location().to_owned();
    assert!(login.starts_with("/login/?transaction="), "{login}");
    let id = login.split_once('=').unwrap().1;
    let skipped = person.get(&format!("/oauth/authorize/?transaction={id}")).await;
    assert_eq!(skipped.location(), login, "going on without the password leads back");
    let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
    let page = person.get(&next).await;
    page.assert_page(200, "Allow <bdi id=\"application\">Acme Toolbar</bdi>");
    assert!(person.decide(&page, "approve").await.location().contains("#access_token="));
}

#[tokio::test]
async fn select_account_shows_the_login_page() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.advance(1);
    let answer = person.ask(&Asking::new().with("prompt", "select_account")).await;
    assert!(answer.location().starts_with("/login/?transaction="));
}

#[tokio::test]
async fn consent_asks_again_although_it_is_remembered() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    assert!(person.ask(&Asking::new()).await.location().contains("#access_token="));
    person.ask(&Asking::new().with("prompt", "consent")).await.assert_page(200, "id=\"allow\"");
}

#[tokio::test]
async fn login_and_consent_together_do_both() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    platform.advance(60);
    let login = person.ask(&Asking::new().with("prompt", "login consent")).await.location().to_owned();
    let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
    person.get(&next).await.assert_page(200, "id=\"allow\"");
}

#[tokio::test]
async fn a_login_hint_is_filled_in_and_escaped() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    for (hint, shown) in [
        (OWNER, "value=\"ada@example.org\""),
        ("\"><script>alert(1)</script>", "value=\"&#34;&#62;&#60;script&#62;alert(1)&#60;/script&#62;\""),
    ] {
        let login = person.ask(&Asking::new().with("login_hint", hint)).await.location().to_owned();
        let page = person.get(&login).await;
        page.assert_page(200, shown);
        assert!(!page.body.contains("<script>"), "{}", page.body);
    }
    let login = person.ask(&Asking::new().with("login_hint", &"x".repeat(255))).await.location().to_owned();
    person.get(&login).await.assert_page(200, "type=\"email\" value=\"\"");
}
