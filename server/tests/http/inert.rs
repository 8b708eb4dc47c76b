//! Names that people chose do nothing on a page but stand there.

use latchkey_server::{
    audit::Action,
    http::assets::is_built,
    store::audit_log::{self, Entry},
};
use serde_json::json;

use crate::support::{
    ACME, ADMIN, APP, Answer, Asking, MEMBER, OWNER, PASSWORD, Person, Platform, STRANGER, anonymous,
};

const HOSTILE: &str = "<script>alert(1)</script>\"><img src=x onerror=alert(1)>' onload='x";

async fn hostile() -> Platform {
    let platform = Platform::new().await;
    for table in ["organizations", "applications", "users", "projects"] {
        platform.execute(&format!("update {table} set name = '{}'", HOSTILE.replace('\'', "''"))).await;
    }
    platform
}

#[track_caller]
fn assert_inert(page: &Answer) {
    assert!(
        page.body.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#62;&#60;img"),
        "{}",
        page.body
    );
    for live in ["<script>", "<img src=x", "\"><", "' onload"] {
        let rest = page.body.replace("\"><meta", "").replace("\"><link", "");
        let found = rest.contains(live) && (live != "\"><" || rest.contains("\"><img src=x"));
        assert!(!found, "{live}: {}", page.body);
    }
}

#[tokio::test]
async fn on_the_login_page() {
    let platform = hostile().await;
    let mut person = Person::new(&platform);
    let login = person.ask(&Asking::new()).await.location().to_owned();
    assert_inert(&person.get(&login).await);
    assert_inert(&person.log_in(&login, HOSTILE, PASSWORD).await);
}

#[tokio::test]
async fn on_the_consent_page() {
    let platform = hostile().await;
    assert_inert(&Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await);
}

#[tokio::test]
async fn on_the_membership_page() {
    let platform = hostile().await;
    assert_inert(&Person::signed_in(&platform, STRANGER).await.ask(&Asking::new()).await);
}

#[tokio::test]
async fn on_the_home_page() {
    let platform = hostile().await;
    assert_inert(&Person::signed_in(&platform, MEMBER).await.get("/").await);
}

#[tokio::test]
async fn on_the_account_s_page() {
    let platform = hostile().await;
    assert_inert(&Person::signed_in(&platform, MEMBER).await.get("/account/").await);
    let mut person = Person::new(&platform).calling_itself("<script>alert(2)</script>");
    person.sign_in(MEMBER).await;
    let page = person.get("/account/").await;
    page.assert_page(200, "An unknown browser");
    assert!(!page.body.contains("alert(2)"), "{}", page.body);
}

#[tokio::test]
async fn on_the_audit_log_s_page() {
    let platform = hostile().await;
    platform.token(MEMBER).await;
    let mut unit = platform.write().await;
    let entry = Entry::new(ACME.0, Action::ProjectAdded);
    audit_log::insert(&mut unit, &entry, &json!({ HOSTILE: [HOSTILE] })).await.unwrap();
    unit.commit().await.unwrap();
    let mut person = Person::signed_in(&platform, ADMIN).await;
    for query in
        ["", "?action=%3Cscript%3Ecanary", "?client_id=canary", "?user_id=%22canary", "?since=canary"]
    {
        let page = person.get(&format!("/organizations/acme/audit/{query}")).await;
        assert_inert(&page);
        assert!(page.status == 200 && !page.body.contains("canary"), "{query}: {}", page.body);
    }
}

#[tokio::test]
async fn on_the_applications_page() {
    let platform = hostile().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.token(&Asking::new()).await;
    assert_inert(&person.get("/account/applications/").await);
}

#[tokio::test]
async fn on_the_password_page() {
    let platform = hostile().await;
    platform
        .execute(&format!("update users set email = '{}' where id = 'max'", HOSTILE.replace('\'', "''")))
        .await;
    assert_inert(&Person::signed_in(&platform, MEMBER).await.get("/account/password/").await);
}

#[tokio::test]
async fn on_the_pages_about_members() {
    let platform = hostile().await;
    let mut person = Person::signed_in(&platform, OWNER).await;
    let members = "/organizations/acme/members/";
    assert_inert(&person.get(members).await);
    assert_inert(&person.get(&format!("{members}max/remove/")).await);
    let csrf = person.csrf("members of acme");
    let form = [("csrf", csrf.as_str()), ("email", HOSTILE), ("role", "member")];
    assert_inert(&person.post(members, &form).await);
}

#[tokio::test]
async fn on_the_page_of_an_invitation() {
    let platform = hostile().await;
    let path = platform.invite(STRANGER, "member").await;
    assert_inert(&Person::signed_in(&platform, STRANGER).await.get(&path).await);
    let hostile = HOSTILE.replace('\'', "''");
    platform.execute(&format!("update invitations set email = '{hostile}', email_key = 'x'")).await;
    assert_inert(&Person::signed_in(&platform, OWNER).await.get(&path).await);
}

#[tokio::test]
async fn on_the_iframe_s_page() {
    let platform = hostile().await;
    let page = anonymous(&platform, &format!("/toolbar/{APP}/")).await;
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"), "{}", page.body);
    assert_eq!(page.status, if is_built() { 200 } else { 503 });
}

#[tokio::test]
async fn no_error_page_repeats_what_was_sent() {
    let platform = Platform::new().await;
    for name in ["client_id", "redirect_uri", "origin", "response_type", "scope", "prompt"] {
        let page = anonymous(&platform, &Asking::new().with(name, "canary<script>").path()).await;
        page.assert_page(400, "id=\"error\"");
        assert!(!page.body.contains("canary"), "{name}: {}", page.body);
    }
    for path in ["/canary/", "/toolbar/canary/", "/login/?transaction=canary"] {
        assert!(!anonymous(&platform, path).await.body.contains("canary"), "{path}");
    }
}
