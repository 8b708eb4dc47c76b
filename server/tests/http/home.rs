//! `/`

use crate::support::{BOTH, Person, Platform, STRANGER, anonymous};

#[tokio::test]
async fn somebody_who_is_signed_out_is_offered_the_login() {
    let platform = Platform::new().await;
    let page = anonymous(&platform, "/").await;
    page.assert_page(200, "You are signed out");
    assert_eq!(page.link("sign-in"), "/login/");
}

#[tokio::test]
async fn somebody_who_is_signed_in_sees_their_active_organizations_alone() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, BOTH).await.get("/").await;
    let organization =
        |name, role| format!("<p class=\"name\"><bdi>{name}</bdi> <span class=\"badge\">{role}</span></p>");
    page.assert_page(200, &organization("Acme Rockets", "Admin"));
    page.assert_page(200, &organization("Globex Corporation", "Member"));
    platform.execute("update organizations set disabled_at = 1 where slug = 'acme'").await;
    let page = Person::signed_in(&platform, BOTH).await.get("/").await;
    assert!(!page.body.contains("Acme") && page.body.contains("Globex"));
    let page = Person::signed_in(&platform, STRANGER).await.get("/").await;
    assert!(!page.body.contains("Globex") && !page.body.contains("Your organizations"));
}

#[tokio::test]
async fn a_disabled_account_is_signed_out_at_once() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, BOTH).await;
    platform.execute("update users set disabled_at = 1 where id = 'bea'").await;
    person.get("/").await.assert_page(200, "You are signed out");
}
