//! `/account/applications/`

use crate::support::{
    ACME_LOCAL, ACME_SITE, ADMIN, APP, Answer, Asking, BOTH, GLOBEX_APP, GLOBEX_REDIRECT, GLOBEX_SITE,
    MEMBER, PASSWORD, PLATFORM, Person, Platform, Site, anonymous,
};

const PATH: &str = "/account/applications/";
const FORGED: &str = "The form does not come from this page";

async fn end(person: &mut Person, client_id: &str) -> Answer {
    let csrf = person.get(PATH).await.csrf(PATH);
    person.post(PATH, &[("csrf", &csrf), ("client_id", client_id)]).await
}

/// Somebody who allowed an application of each of their organizations.
async fn allowed(platform: &Platform) -> (Person, String, String) {
    let mut person = Person::signed_in(platform, BOTH).await;
    let acme = person.token(&Asking::new().with("scope", "project:read")).await;
    platform.advance(24 * 3600);
    person.token(&Asking::new().with("scope", "org:read").with("origin", ACME_LOCAL)).await;
    let globex = Asking::redirect().with("client_id", GLOBEX_APP).with("redirect_uri", GLOBEX_REDIRECT);
    let globex = person.token(&globex).await;
    (person, acme, globex)
}

#[tokio::test]
async fn it_shows_by_organization_what_the_person_allowed_where_and_since_when() {
    let platform = Platform::new().await;
    let (mut person, ..) = allowed(&platform).await;
    let page = person.get(PATH).await;
    page.assert_page(200, "<h2 id=\"organization-org-acme\"><bdi>Acme Rockets</bdi></h2>");
    page.assert_page(200, "<h3 id=\"application-acmeclient\"><bdi>Acme Toolbar</bdi></h3>");
    page.assert_page(
        200,
        &format!("<li class=\"site\">{ACME_LOCAL}</li>\n<li class=\"site\">{ACME_SITE}</li>"),
    );
    page.assert_page(200, "Since <time datetime=\"2027-01-15\">15 January 2027</time>");
    page.assert_page(200, "Since <time datetime=\"2027-01-16\">16 January 2027</time>");
    let used = "</time>, last used <time datetime=\"2027-01-16\">16 January 2027</time></p>";
    assert_eq!(page.body.matches(used).count(), 2, "{}", page.body);
    let (acme, globex) = page.body.split_once("Globex Corporation").unwrap();
    assert!(acme.contains("<li>See the organization&#39;s projects</li>"), "{acme}");
    assert!(globex.contains(GLOBEX_SITE) && !globex.contains(ACME_SITE));
    assert_eq!(page.body.matches("Revoke</button>").count(), 2);
}

#[tokio::test]
async fn it_says_what_will_appear_where_nothing_was_allowed() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, ADMIN).await.token(&Asking::new()).await;
    let page = Person::signed_in(&platform, MEMBER).await.get(PATH).await;
    page.assert_page(200, "id=\"none\">You have not allowed any application yet. When you sign in to a site");
    assert!(!page.body.contains("Revoke</button>") && !page.body.contains("Acme"));
}

#[tokio::test]
async fn the_button_ends_the_access_of_its_application_alone() {
    let platform = Platform::new().await;
    let (mut person, acme, globex) = allowed(&platform).await;
    let colleague_s = platform.token(MEMBER).await;
    platform.execute("update access_tokens set expires_at = expires_at + 100000").await;
    for _ in 0..2 {
        assert_eq!(end(&mut person, APP).await.location(), PATH);
        let page = person.get(PATH).await;
        assert!(!page.body.contains("Acme") && page.body.contains("Globex Toolbar"), "{}", page.body);
    }
    Site::new(&platform, &acme).get("/api/0/").await.assert_api_error(401, "invalid_token");
    let other = Site::new(&platform, &globex).from(Some(GLOBEX_SITE));
    assert_eq!(other.get("/api/0/").await.status, 200);
    assert_eq!(Site::new(&platform, &colleague_s).get("/api/0/").await.status, 200);
    person.ask(&Asking::new()).await.assert_page(200, "id=\"allow\"");
}

#[tokio::test]
async fn the_form_needs_its_own_csrf_token_and_a_page_of_the_platform() {
    let platform = Platform::new().await;
    let (mut person, ..) = allowed(&platform).await;
    let logout = person.get("/").await.field("csrf");
    for csrf in ["", "wrong", &logout] {
        person.post(PATH, &[("csrf", csrf), ("client_id", APP)]).await.assert_error_page(403, FORGED);
    }
    let csrf = person.get(PATH).await.csrf(PATH);
    let form = [("csrf", csrf.as_str()), ("client_id", APP)];
    for origin in [None, Some("null"), Some(ACME_SITE)] {
        person.post_from(origin, PATH, &form).await.assert_error_page(403, FORGED);
    }
    assert_eq!(platform.count("select count(*) from consents").await, 3);
    assert_eq!(person.post_from(Some(PLATFORM), PATH, &form).await.location(), PATH);
    assert_eq!(platform.count("select count(*) from consents").await, 1);
    person.post(PATH, &[("csrf", &csrf)]).await.assert_error_page(400, "client_id is missing");
}

#[tokio::test]
async fn somebody_who_is_signed_out_signs_in_first_and_comes_back() {
    let platform = Platform::new().await;
    let login = anonymous(&platform, PATH).await.location().to_owned();
    assert_eq!(login, "/login/?next=%2Faccount%2Fapplications%2F");
    let mut person = Person::new(&platform);
    let csrf = person.get(&login).await.field("csrf");
    let form = [
        ("csrf", csrf.as_str()),
        ("next", "/account/applications/"),
        ("email", MEMBER),
        ("password", PASSWORD),
    ];
    assert_eq!(person.post("/login/", &form).await.location(), PATH);
}

#[tokio::test]
async fn somebody_who_was_signed_out_meanwhile_ends_nothing() {
    let platform = Platform::new().await;
    let (mut person, ..) = allowed(&platform).await;
    let csrf = person.get(PATH).await.csrf(PATH);
    platform.execute("update sessions set ended_at = 1").await;
    let answer = person.post(PATH, &[("csrf", &csrf), ("client_id", APP)]).await;
    assert_eq!(answer.location(), "/login/?next=%2Faccount%2Fapplications%2F");
    assert_eq!(platform.count("select count(*) from consents").await, 3);
}

#[tokio::test]
async fn what_is_remembered_from_before_may_never_have_been_used() {
    let platform = Platform::new().await;
    let (mut person, ..) = allowed(&platform).await;
    platform.execute("update consents set last_used_at = null").await;
    let page = person.get(PATH).await;
    assert_eq!(page.body.matches("</time>, not used yet</p>").count(), 2, "{}", page.body);
}
