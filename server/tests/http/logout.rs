//! `POST /logout/`

use crate::support::{ADMIN, Asking, MEMBER, PLATFORM, Person, Platform, Site};

async fn sign_out(person: &mut Person) -> crate::support::Answer {
    let csrf = person.get("/").await.field("csrf");
    person.post("/logout/", &[("csrf", &csrf)]).await
}

#[tokio::test]
async fn ends_the_session_and_removes_its_cookie() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let kept = person.clone();
    let answer = sign_out(&mut person).await;
    assert_eq!(answer.location(), "/");
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-latchkey_session=; "), "{cookie}");
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=0"] {
        assert!(
            cookie.contains(attribute),
            "a browser ignores a __Host- cookie without {attribute}: {cookie}"
        );
    }
    assert_eq!(person.session(), None);
    kept.clone().get("/").await.assert_page(200, "You are signed out");
}

#[tokio::test]
async fn ends_what_came_from_the_session_at_once_and_nothing_else() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let elsewhere = platform.token(MEMBER).await;
    sign_out(&mut person).await;
    Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    assert_eq!(Site::new(&platform, &elsewhere).get("/api/0/").await.status, 200);
}

#[tokio::test]
async fn needs_the_csrf_token_and_a_page_of_the_platform() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let login = person.get("/login/").await.field("csrf");
    for form in [&[][..], &[("csrf", "")], &[("csrf", "wrong")], &[("csrf", login.as_str())]] {
        person.post("/logout/", form).await.assert_error_page(403, "The form does not come from this page");
    }
    let csrf = person.get("/").await.field("csrf");
    for origin in [None, Some("null"), Some("https://www.acme.example")] {
        let answer = person.post_from(origin, "/logout/", &[("csrf", &csrf)]).await;
        answer.assert_error_page(403, "The form does not come from this page");
    }
    person.get("/").await.assert_page(200, "Welcome");
    assert_eq!(person.post_from(Some(PLATFORM), "/logout/", &[("csrf", &csrf)]).await.location(), "/");
}

#[tokio::test]
async fn does_nothing_on_a_get() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.get("/logout/").await.assert_error_page(405, "This address does not take that method");
    person.get("/").await.assert_page(200, "Welcome");
}

#[tokio::test]
async fn of_somebody_who_is_signed_out_leads_home() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let csrf = person.get("/").await.field("csrf");
    for _ in 0..2 {
        assert_eq!(person.post("/logout/", &[("csrf", &csrf)]).await.location(), "/");
    }
}

#[tokio::test]
async fn everywhere_ends_every_session_of_the_person_and_what_came_from_them() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut elsewhere = Person::signed_in(&platform, MEMBER).await;
    let mut colleague = Person::signed_in(&platform, ADMIN).await;
    let (own, other) = (person.token(&Asking::new()).await, elsewhere.token(&Asking::new()).await);
    let colleague_s = colleague.token(&Asking::new()).await;
    let page = person.get("/").await;
    assert!(page.body.contains("name=\"everywhere\" value=\"yes\">Sign out everywhere</button>"));
    let csrf = page.field("csrf");
    let answer = person.post("/logout/", &[("csrf", &csrf), ("everywhere", "yes")]).await;
    assert_eq!((answer.location(), person.session()), ("/", None));
    elsewhere.get("/").await.assert_page(200, "You are signed out");
    for token in [own, other] {
        Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    }
    colleague.get("/").await.assert_page(200, "Welcome, <bdi>Arno</bdi>");
    assert_eq!(Site::new(&platform, &colleague_s).get("/api/0/").await.status, 200);
}

#[tokio::test]
async fn everywhere_needs_the_csrf_token_and_a_page_of_the_platform_as_well() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let csrf = person.get("/").await.field("csrf");
    let forms = [(Some(PLATFORM), "wrong"), (Some("https://www.acme.example"), csrf.as_str()), (None, &csrf)];
    for (origin, csrf) in forms {
        let form = [("csrf", csrf), ("everywhere", "yes")];
        let answer = person.post_from(origin, "/logout/", &form).await;
        answer.assert_error_page(403, "The form does not come from this page");
    }
    person.get("/").await.assert_page(200, "Welcome");
}
