//! `/account/password/`

use latchkey_server::{
    config::Limits,
    store::{self, Unit},
};

use crate::support::{ADMIN, Answer, Asking, MEMBER, PASSWORD, PLATFORM, Person, Platform, Site, anonymous};

const PATH: &str = "/account/password/";
const NEW: &str = "another horse entirely";
const FORGED: &str = "The form does not come from this page";

async fn change(person: &mut Person, current: &str, new: &str) -> Answer {
    let csrf = person.get(PATH).await.csrf(PATH);
    let form = [("csrf", csrf.as_str()), ("current_password", current), ("new_password", new)];
    person.post(PATH, &form).await
}

async fn signs_in(platform: &Platform, password: &str) -> bool {
    let mut person = Person::new(platform);
    person.log_in("/login/", MEMBER, password).await.status == 303
}

#[tokio::test]
async fn the_new_password_opens_the_account_and_the_old_one_does_not() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let done = change(&mut person, PASSWORD, NEW).await.location().to_owned();
    person.get(&done).await.assert_page(200, "Your password is changed.");
    assert!(signs_in(&platform, NEW).await);
    assert!(!signs_in(&platform, PASSWORD).await);
    assert!(Person::new(&platform).log_in("/login/", ADMIN, PASSWORD).await.status == 303, "nobody else's");
}

#[tokio::test]
async fn every_session_and_token_of_the_person_ends_and_this_browser_gets_a_new_session() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let own = person.token(&Asking::new()).await;
    let mut elsewhere = Person::signed_in(&platform, MEMBER).await;
    let other = elsewhere.token(&Asking::new()).await;
    let mut colleague = Person::signed_in(&platform, ADMIN).await;
    let colleague_s = colleague.token(&Asking::new()).await;
    let mut before = person.clone();

    change(&mut person, PASSWORD, NEW).await.location();
    assert_ne!(person.session(), before.session());
    person.get("/").await.assert_page(200, "Welcome, <bdi>Max</bdi>");
    for ended in [&mut before, &mut elsewhere] {
        ended.get("/").await.assert_page(200, "You are signed out");
    }
    for token in [own, other] {
        Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    }
    assert_eq!(Site::new(&platform, &colleague_s).get("/api/0/").await.status, 200);
    colleague.get("/").await.assert_page(200, "Welcome, <bdi>Arno</bdi>");
}

#[tokio::test]
async fn what_is_not_acceptable_is_named_and_changes_nothing() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let (short, long) = ("1234567", "x".repeat(1025));
    for (current, new, says) in [
        (PASSWORD, short, "The new password is too short: it needs at least 8 characters."),
        (PASSWORD, "", "The new password is too short"),
        (PASSWORD, &long, "The new password is too long: it can have at most 1024 bytes."),
        (PASSWORD, PASSWORD, "The new password is the current one. Choose another."),
        ("wrong horse", NEW, "The current password is not right."),
        ("", NEW, "The current password is not right."),
    ] {
        let page = change(&mut person, current, new).await;
        page.assert_page(422, &format!("role=\"alert\" id=\"error\">{says}"));
        let (name, other) = if says.contains("current password is not") {
            ("current-password", "new-password")
        } else {
            ("new-password", "current-password")
        };
        assert!(input(&page, name).contains("aria-invalid=\"true\""), "{says}");
        assert!(!input(&page, other).contains("aria-invalid"), "{says}");
        assert!(!page.body.contains(NEW) && !page.body.contains(PASSWORD), "no password is sent back");
        assert!(page.body.contains(&format!("value=\"{MEMBER}\"")), "the account is");
    }
    person.get("/").await.assert_page(200, "Welcome");
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200);
    assert!(signs_in(&platform, PASSWORD).await);
}

/// The element with this id.
fn input<'a>(page: &'a Answer, id: &str) -> &'a str {
    let (_, rest) = page.body.split_once(&format!("<input id=\"{id}\"")).expect(id);
    rest.split_once('>').unwrap().0
}

#[tokio::test]
async fn a_current_password_of_a_megabyte_is_not_worked_on() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    change(&mut person, &"x".repeat(1025), NEW).await.assert_error_page(400, "password is longer than any");
    assert_eq!(change(&mut person, &"x".repeat(1 << 20), NEW).await.status, 413);
}

#[tokio::test]
async fn the_current_password_is_guessed_no_oftener_than_at_the_login() {
    let platform = Platform::limited(Limits::default()).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for _ in 0..9 {
        change(&mut person, "wrong horse", NEW).await.assert_page(422, "The current password is not right.");
    }
    let refused = change(&mut person, PASSWORD, NEW).await;
    refused.assert_page(429, "id=\"error\">There were too many attempts. Wait 60 seconds and try again");
    assert_eq!(refused.header("retry-after"), Some("60"));
    change(&mut person, PASSWORD, "short").await.assert_page(422, "too short");
    platform.advance(60);
    change(&mut person, PASSWORD, NEW).await.location();
}

#[tokio::test]
async fn a_flood_of_passwords_is_told_here_as_well() {
    let limits = Limits { passwords: 1, ..Limits::default() };
    let platform = Platform::limited(limits).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut other = person.clone();
    // Two at once, where one finds a place.
    let (one, two) =
        tokio::join!(change(&mut person, "wrong horse", NEW), change(&mut other, "wrong horse", NEW));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [422, 503]);
}

#[tokio::test]
async fn somebody_who_is_signed_out_signs_in_first_and_comes_back() {
    let platform = Platform::new().await;
    let login = anonymous(&platform, PATH).await.location().to_owned();
    assert_eq!(login, "/login/?next=%2Faccount%2Fpassword%2F");
    let mut person = Person::new(&platform);
    let page = person.get(&login).await;
    let csrf = page.field("csrf");
    assert_eq!(page.field("next"), PATH);
    let form = |password| {
        [("csrf", csrf.as_str()), ("next", "/account/password/"), ("email", MEMBER), ("password", password)]
    };
    let refused = person.post("/login/", &form("wrong horse")).await;
    assert_eq!(refused.field("next"), PATH, "a wrong password loses nothing");
    assert_eq!(person.post("/login/", &form(PASSWORD)).await.location(), PATH);
    person.get(PATH).await.assert_page(200, "Change your password");
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_changes_nothing() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let csrf = person.get(PATH).await.csrf(PATH);
    platform.execute("update sessions set ended_at = 1").await;
    let form = [("csrf", csrf.as_str()), ("current_password", PASSWORD), ("new_password", NEW)];
    assert_eq!(person.post(PATH, &form).await.location(), "/login/?next=%2Faccount%2Fpassword%2F");
    assert!(signs_in(&platform, PASSWORD).await);
}

#[tokio::test]
async fn of_two_changes_at_once_one_counts() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut elsewhere = Person::signed_in(&platform, MEMBER).await;
    let (one, two) = tokio::join!(
        change(&mut person, PASSWORD, "the first horse"),
        change(&mut elsewhere, PASSWORD, "the second horse")
    );
    let mut locations = [one.location(), two.location()];
    locations.sort_unstable();
    assert!(
        locations[0].starts_with("/account/password/?done=")
            && locations[1] == "/login/?next=%2Faccount%2Fpassword%2F"
    );
    assert_eq!(platform.count("select count(*) from sessions where ended_at is null").await, 1);
}

/// A change whose account is changed after it was read and before anything is written.
async fn overtaken_by(change: impl AsyncFnOnce(&mut Unit)) {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await.at("198.51.100.7");
    let csrf = person.get(PATH).await.csrf(PATH);
    let mut unit = platform.write().await;
    let counted = platform.app.throttle.len();
    let post = tokio::spawn(async move {
        let form = [("csrf", csrf.as_str()), ("current_password", PASSWORD), ("new_password", NEW)];
        person.post(PATH, &form).await
    });
    // An attempt from a new address is counted once the account was read; then there is the one writer to wait for.
    while platform.app.throttle.len() == counted {
        tokio::task::yield_now().await;
    }
    change(&mut unit).await;
    unit.commit().await.unwrap();
    assert_eq!(post.await.unwrap().location(), "/login/?next=%2Faccount%2Fpassword%2F");
    assert!(!signs_in(&platform, NEW).await);
}

#[tokio::test]
async fn a_password_that_was_replaced_meanwhile_is_not_replaced_again() {
    overtaken_by(async |unit| {
        let user = store::users::find(unit, "max").await.unwrap().unwrap();
        assert!(store::users::touch_password(unit, "max", &user.password_hash, "other").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn somebody_who_was_signed_out_meanwhile_changes_nothing() {
    overtaken_by(async |unit| assert_eq!(store::sessions::revoke_of_user(unit, "max", 1).await.unwrap(), 1))
        .await;
}

#[tokio::test]
async fn the_form_needs_its_own_csrf_token_and_a_page_of_the_platform() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let logout = person.get("/").await.field("csrf");
    for csrf in ["", "wrong", &logout] {
        let form = [("csrf", csrf), ("current_password", PASSWORD), ("new_password", NEW)];
        person.post(PATH, &form).await.assert_error_page(403, FORGED);
    }
    let csrf = person.get(PATH).await.csrf(PATH);
    let form = [("csrf", csrf.as_str()), ("current_password", PASSWORD), ("new_password", NEW)];
    for origin in [None, Some("null"), Some("https://www.acme.example")] {
        person.post_from(origin, PATH, &form).await.assert_error_page(403, FORGED);
    }
    assert!(signs_in(&platform, PASSWORD).await);
    person.post_from(Some(PLATFORM), PATH, &form).await.location();
}

#[tokio::test]
async fn nobody_else_can_make_the_page_say_that_it_is_done() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut other = Person::signed_in(&platform, ADMIN).await;
    let done = change(&mut other, PASSWORD, NEW).await.location().to_owned();
    for link in [&done, "/account/password/?done=yes", "/account/password/?done="] {
        let page = person.get(link).await;
        assert!(page.status == 200 && !page.body.contains("id=\"done\""), "{link}");
    }
}
