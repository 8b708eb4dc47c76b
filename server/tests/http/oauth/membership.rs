//! A person who is not a member is told so, and gets nothing, whatever they send.

use crate::support::{
    APP, Asking, GLOBEX_APP, GLOBEX_SITE, MEMBER, OUTSIDER, PASSWORD, Person, Platform, STRANGER,
};

#[tokio::test]
async fn the_page_says_so_and_names_no_organization() {
    let platform = Platform::new().await;
    for email in [OUTSIDER, STRANGER] {
        let page = Person::signed_in(&platform, email).await.ask(&Asking::new()).await;
        page.assert_page(
            403,
            &format!("<strong><bdi>{email}</bdi></strong>, and this account is not a member"),
        );
        for secret in ["Rockets", "org-acme", "<form", "csrf", "Globex"] {
            assert!(!page.body.contains(secret), "{secret}: {}", page.body);
        }
    }
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn the_page_is_the_same_whichever_organization_owns_the_application() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    let acme = person.ask(&Asking::new()).await;
    let globex = Asking::new()
        .with("client_id", GLOBEX_APP)
        .with("redirect_uri", &Asking::callback(GLOBEX_APP))
        .with("origin", GLOBEX_SITE);
    let globex = person.ask(&globex).await;
    let transaction = |link: String| link.split_once('=').unwrap().1.to_owned();
    let (one, other) = (transaction(acme.link("switch")), transaction(globex.link("switch")));
    let shape = globex
        .body
        .replace(&other, &one)
        .replace("Globex Toolbar", "Acme Toolbar")
        .replace(GLOBEX_APP, APP)
        .replace("www.globex.example", "www.acme.example");
    assert_eq!((shape, globex.status), (acme.body, acme.status));
}

#[tokio::test]
async fn going_back_tells_the_client_that_access_is_denied() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, STRANGER).await.ask(&Asking::new().with("state", "s&9")).await;
    assert_eq!(
        page.link("back"),
        "https://platform.example/toolbar/acmeclient/callback/#error=access_denied&error_description=The%20person\
         %20did%20not%20allow%20access%2C%20or%20may%20not.&state=s%269&iss=https%3A%2F%2Fplatform.example\
         &client_id=acmeclient&origin=https%3A%2F%2Fwww.acme.example"
    );
}

#[tokio::test]
async fn switching_the_account_goes_on_with_the_same_request() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    let switch = person.ask(&Asking::new().with("state", "s7")).await.link("switch");
    let next = person.log_in(&switch, MEMBER, PASSWORD).await.location().to_owned();
    let page = person.get(&next).await;
    let response = person.decide(&page, "approve").await.response_to(&Asking::callback(APP));
    assert_eq!(response["state"], "s7");
    assert_eq!(platform.text("select user_id from grants").await, "max");
}

#[tokio::test]
async fn a_forged_decision_of_a_stranger_is_refused() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    let page = person.ask(&Asking::new()).await;
    let transaction = page.link("switch").split_once('=').unwrap().1.to_owned();
    // The login page's token is for logging in alone, and nobody saw a consent page.
    let csrf = person.get("/login/").await.field("csrf");
    let form = [("transaction", transaction.as_str()), ("csrf", &csrf), ("decision", "approve")];
    let answer = person.post("/oauth/authorize/", &form).await;
    answer.assert_error_page(400, "This sign-in is not open any more");
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn a_stranger_can_t_use_the_page_that_a_member_saw_in_the_same_browser() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let page = person.ask(&Asking::new()).await;
    person.sign_in(STRANGER).await;
    let answer = person.decide(&page, "approve").await;
    answer.assert_error_page(400, "This sign-in is not open any more");
    let next = format!("/oauth/authorize/?transaction={}", page.field("transaction"));
    person.get(&next).await.assert_page(403, "is not a member");
    person.decide(&page, "approve").await.assert_error_page(400, "This sign-in is not open");
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn a_remembered_consent_of_a_member_who_left_is_worth_nothing() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    platform.execute("delete from memberships where user_id = 'max'").await;
    person.ask(&Asking::new()).await.assert_page(403, "is not a member");
    assert_eq!(platform.count("select count(*) from access_tokens").await, 1);
}

#[tokio::test]
async fn a_membership_elsewhere_is_none_here() {
    let platform = Platform::new().await;
    platform.execute("delete from memberships where user_id = 'bea' and organization_id = 'org-acme'").await;
    let mut person = Person::signed_in(&platform, "bea@example.org").await;
    person.ask(&Asking::new()).await.assert_page(403, "is not a member");
}

#[tokio::test]
async fn who_left_while_they_decided_is_told_so_and_may_use_another_account() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let page = person.ask(&Asking::new()).await;
    platform.execute("delete from memberships where user_id = 'max'").await;
    let answer = person.decide(&page, "approve").await;
    answer.assert_page(403, "this account is not a member");
    assert_eq!(platform.issued().await, (0, 0));
    person.get(&answer.link("switch")).await.assert_page(200, "id=\"password\"");
}
