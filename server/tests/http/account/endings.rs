//! What ends with a session, with an account's password, and with what a person allowed: tokens, the lines of
//! refresh tokens, and the codes that nobody exchanged yet.

use axum::{body::Body, http::Request};

use crate::support::{
    ADMIN, APP, Asking, BOTH, Form, GLOBEX_APP, GLOBEX_REDIRECT, MEMBER, PASSWORD, PLATFORM, Person,
    Platform, Site, Tokens,
};

/// What one session of a person holds of Acme's application.
struct Held {
    fragment: String,
    tokens: Tokens,
    code: String,
}

impl Held {
    async fn by(person: &mut Person, platform: &Platform) -> Self {
        let fragment = person.token(&Asking::new()).await;
        let code = person.code(&Asking::code()).await;
        let tokens = Tokens::of(&platform.exchange(&Form::code(&code)).await);
        Self { fragment, tokens, code: person.code(&Asking::code()).await }
    }

    /// All of it works, or nothing does.
    #[track_caller]
    fn assert_all(answers: [u16; 4], lives: bool, what: &str) {
        let expected = if lives { [200, 200, 200, 200] } else { [401, 401, 400, 400] };
        assert_eq!(answers, expected, "{what}");
    }

    async fn answers(&self, platform: &Platform) -> [u16; 4] {
        let call = async |token: &str| Site::new(platform, token).get("/api/0/").await.status;
        let (fragment, access) = (call(&self.fragment).await, call(&self.tokens.access).await);
        let code = platform.exchange(&Form::code(&self.code)).await;
        let refresh = platform.refresh(&self.tokens.refresh).await;
        for refused in [&code, &refresh].into_iter().filter(|answer| answer.status != 200) {
            refused.assert_api_error(400, "invalid_grant");
        }
        [fragment, access, code.status, refresh.status]
    }
}

/// Sends the form of a page of the platform.
async fn send(person: &mut Person, page: &str, action: &str, fields: &[(&str, &str)]) {
    let csrf = person.get(page).await.csrf(action);
    let form: Vec<_> = [("csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
    person.post(action, &form).await.location();
}

async fn end_by_api(person: &mut Person) {
    let request = Request::delete(format!("/api/0/api-authorizations/?client_id={APP}"));
    let request = request.header("origin", PLATFORM).body(Body::empty()).unwrap();
    assert_eq!(person.send(request).await.status, 204);
}

/// Does something in one session of a person, and looks at what that one and another one of theirs held.
async fn after(what: &str, ending: impl AsyncFnOnce(&mut Person), elsewhere_lives: bool) {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let here = Held::by(&mut person, &platform).await;
    let elsewhere = Held::by(&mut Person::signed_in(&platform, MEMBER).await, &platform).await;
    let colleague_s = Held::by(&mut Person::signed_in(&platform, ADMIN).await, &platform).await;
    ending(&mut person).await;
    Held::assert_all(here.answers(&platform).await, false, what);
    Held::assert_all(elsewhere.answers(&platform).await, elsewhere_lives, what);
    Held::assert_all(colleague_s.answers(&platform).await, true, what);
}

#[tokio::test]
async fn signing_out_ends_what_came_from_this_session() {
    after("sign out", async |person| send(person, "/", "/logout/", &[]).await, true).await;
}

#[tokio::test]
async fn signing_out_everywhere_ends_what_came_from_any() {
    let ending = async |person: &mut Person| send(person, "/", "/logout/", &[("everywhere", "yes")]).await;
    after("everywhere", ending, false).await;
}

#[tokio::test]
async fn another_password_ends_what_came_from_any_session() {
    let path = "/account/password/";
    let form = [("current_password", PASSWORD), ("new_password", "another horse entirely")];
    after("password", async |person| send(person, path, path, &form).await, false).await;
}

#[tokio::test]
async fn the_end_of_an_application_s_access_ends_what_it_holds_from_any_session() {
    let path = "/account/applications/";
    after("page", async |person| send(person, path, path, &[("client_id", APP)]).await, false).await;
    after("API", end_by_api, false).await;
}

#[tokio::test]
async fn the_end_of_an_application_s_access_leaves_what_another_one_holds() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, BOTH).await;
    let here = Held::by(&mut person, &platform).await;
    let globex = Asking::code().with("client_id", GLOBEX_APP).with("redirect_uri", GLOBEX_REDIRECT);
    let code = person.code(&globex).await;
    end_by_api(&mut person).await;
    Held::assert_all(here.answers(&platform).await, false, "Acme's");
    let form = Form::code(&code).with("client_id", GLOBEX_APP).with("redirect_uri", GLOBEX_REDIRECT);
    assert_eq!(platform.exchange(&form).await.status, 200);
}

#[tokio::test]
async fn what_outlived_its_session_ends_everywhere_as_well() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    platform.advance(15 * 24 * 3600);
    let second = platform.refreshed(&first.refresh).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    send(&mut person, "/", "/logout/", &[("everywhere", "yes")]).await;
    platform.refresh(&second.refresh).await.assert_api_error(400, "invalid_grant");
    assert_eq!(platform.count("select count(*) from sessions where ended_at is null").await, 0);
}
