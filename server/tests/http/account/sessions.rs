//! `POST /account/sessions/`

use crate::support::{
    ADMIN, Answer, Asking, Form, MEMBER, PLATFORM, Person, Platform, Site, Tokens, anonymous,
};

const PATH: &str = "/account/sessions/";
const FORGED: &str = "The form does not come from this page";

async fn end(person: &mut Person, id: &str) -> Answer {
    let csrf = person.get("/account/").await.csrf(PATH);
    person.post(PATH, &[("csrf", &csrf), ("id", id)]).await
}

/// The session that this browser holds.
async fn id_of(person: &mut Person) -> String {
    let page = person.get("/account/").await;
    let (before, _) = page.body.split_once("This browser").unwrap();
    let (_, id) = before.rsplit_once("id=\"session-").unwrap();
    id.split('"').next().unwrap().to_owned()
}

/// What one session holds, and whether it works.
struct Held {
    fragment: String,
    tokens: Tokens,
}

impl Held {
    async fn by(person: &mut Person, platform: &Platform) -> Self {
        let fragment = person.token(&Asking::new()).await;
        let code = person.code(&Asking::code()).await;
        Self { fragment, tokens: Tokens::of(&platform.exchange(&Form::code(&code)).await) }
    }

    async fn answers(&self, platform: &Platform) -> [u16; 3] {
        let call = async |token: &str| Site::new(platform, token).get("/api/0/").await.status;
        let refresh = platform.refresh(&self.tokens.refresh).await.status;
        [call(&self.fragment).await, call(&self.tokens.access).await, refresh]
    }
}

#[tokio::test]
async fn ends_one_session_with_what_came_from_it_and_leaves_the_others() {
    let platform = Platform::new().await;
    let mut here = Person::signed_in(&platform, MEMBER).await;
    let mut there = Person::signed_in(&platform, MEMBER).await;
    let mut elsewhere = Person::signed_in(&platform, MEMBER).await;
    let mut colleague = Person::signed_in(&platform, ADMIN).await;
    let mut held = vec![];
    for person in [&mut here, &mut there, &mut elsewhere, &mut colleague] {
        held.push(Held::by(person, &platform).await);
    }
    let id = id_of(&mut there).await;
    for _ in 0..2 {
        assert_eq!(end(&mut here, &id).await.location(), "/account/", "twice is no error");
    }
    let mut answers = vec![];
    for one in &held {
        answers.push(one.answers(&platform).await);
    }
    assert_eq!(answers, [[200; 3], [401, 401, 400], [200; 3], [200; 3]]);
    there.get("/").await.assert_page(200, "You are signed out");
    here.get("/").await.assert_page(200, "Welcome, <bdi>Max</bdi>");
    elsewhere.get("/").await.assert_page(200, "Welcome, <bdi>Max</bdi>");
    assert!(!here.get("/account/").await.body.contains(&id));
    let by = platform.text("select actor_id from audit_log where action = 'grant.revoked'").await;
    assert_eq!(by, "max");
}

#[tokio::test]
async fn the_end_of_this_one_signs_out_here() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let held = Held::by(&mut person, &platform).await;
    let id = id_of(&mut person).await;
    let answer = end(&mut person, &id).await;
    assert_eq!((answer.location(), person.session()), ("/", None));
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(held.answers(&platform).await, [401, 401, 400]);
}

#[tokio::test]
async fn another_person_s_session_is_left_alone_like_one_that_there_is_not() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut colleague = Person::signed_in(&platform, ADMIN).await;
    let held = Held::by(&mut colleague, &platform).await;
    for id in [id_of(&mut colleague).await.as_str(), "nothing"] {
        let answer = end(&mut person, id).await;
        assert_eq!((answer.location(), answer.body.as_str()), ("/account/", ""), "{id}");
    }
    assert_eq!(held.answers(&platform).await, [200; 3]);
    assert_eq!(platform.count("select count(*) from sessions where ended_at is null").await, 2);
}

#[tokio::test]
async fn the_form_needs_its_own_csrf_token_and_a_page_of_the_platform() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let id = id_of(&mut person).await;
    let logout = person.get("/").await.csrf("/logout/");
    for csrf in ["", "wrong", &logout] {
        person.post(PATH, &[("csrf", csrf), ("id", &id)]).await.assert_error_page(403, FORGED);
    }
    let csrf = person.get("/account/").await.csrf(PATH);
    for origin in [None, Some("null"), Some("https://www.acme.example")] {
        let answer = person.post_from(origin, PATH, &[("csrf", &csrf), ("id", &id)]).await;
        answer.assert_error_page(403, FORGED);
    }
    person.post(PATH, &[("csrf", &csrf)]).await.assert_error_page(400, "id is missing");
    assert_eq!(platform.count("select count(*) from sessions where ended_at is null").await, 1);
    assert_eq!(person.post_from(Some(PLATFORM), PATH, &[("csrf", &csrf), ("id", &id)]).await.location(), "/");
}

#[tokio::test]
async fn who_was_signed_out_meanwhile_signs_in_and_ends_nothing() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut elsewhere = Person::signed_in(&platform, MEMBER).await;
    let (id, own) = (id_of(&mut elsewhere).await, id_of(&mut person).await);
    let csrf = person.get("/account/").await.csrf(PATH);
    platform.execute(&format!("update sessions set ended_at = 1 where id = '{own}'")).await;
    let answer = person.post(PATH, &[("csrf", &csrf), ("id", &id)]).await;
    assert_eq!(answer.location(), "/login/?next=%2Faccount%2F");
    elsewhere.get("/").await.assert_page(200, "Welcome");
    let answer = anonymous(&platform, PATH).await;
    answer.assert_error_page(405, "This address does not take that method");
}

#[tokio::test]
async fn where_somebody_signed_in_is_kept_bounded() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform).calling_itself(&"x".repeat(2000));
    person.sign_in(MEMBER).await;
    assert_eq!(platform.count("select length(user_agent) from sessions").await, 256);
    assert_eq!(platform.text("select address from sessions").await, "192.0.2.1");
    let csrf = person.get("/account/password/").await.csrf("/account/password/");
    let form = [
        ("csrf", csrf.as_str()),
        ("current_password", crate::support::PASSWORD),
        ("new_password", "another horse entirely"),
    ];
    person.post("/account/password/", &form).await.location();
    let sql = "select address from sessions where ended_at is null and length(user_agent) = 256";
    assert_eq!(platform.text(sql).await, "192.0.2.1");
}
