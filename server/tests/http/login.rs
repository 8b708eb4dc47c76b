//! `/login/`: who gets in, what the cookies are, and what a wrong answer gives away.

use axum::{
    body::Body,
    http::{Request, header},
};

use latchkey_server::{
    audit::By,
    config::{Config, Limits, Rate},
    store::{self, Unit},
};

use crate::support::{ADMIN, Asking, MEMBER, NOW, PASSWORD, PLATFORM, Person, Platform, Site, anonymous};

const WRONG: &str = "The e-mail address or the password is not right. Check both and try again.";
const ATTRIBUTES: [&str; 4] = ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"];

#[tokio::test]
async fn the_right_password_opens_a_session() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    for email in [MEMBER, "MAX@example.org", " max@Example.org "] {
        assert_eq!(person.log_in("/login/", email, PASSWORD).await.location(), "/");
        person.get("/").await.assert_page(200, "Welcome, <bdi>Max</bdi>");
    }
}

#[tokio::test]
async fn a_wrong_password_an_unknown_address_and_a_disabled_account_are_one_answer() {
    let platform = Platform::new().await;
    platform.execute("update users set disabled_at = 1 where id = 'arno'").await;
    let mut person = Person::new(&platform);
    let mut bodies = vec![];
    for (email, password) in [
        (MEMBER, "wrong horse"),
        (MEMBER, ""),
        ("nobody@example.org", PASSWORD),
        (ADMIN, PASSWORD),
        ("' or 1=1 --", PASSWORD),
    ] {
        let answer = person.log_in("/login/", email, password).await;
        answer.assert_page(422, &format!("role=\"alert\" id=\"error\">{WRONG}"));
        bodies.push(answer.body.replace(&email.replace('\'', "&#39;"), ""));
        assert_eq!(person.session(), None);
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:#?}");
    assert_eq!(platform.count("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn a_wrong_password_leaves_the_session_there_was() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.log_in("/login/", ADMIN, "wrong horse").await.assert_page(422, WRONG);
    person.get("/").await.assert_page(200, "Welcome, <bdi>Max</bdi>");
}

#[tokio::test]
async fn both_cookies_are_for_this_host_and_no_script() {
    let platform = Platform::new().await;
    let person = Person::signed_in(&platform, MEMBER).await;
    let names: Vec<_> = person.cookies.keys().map(String::as_str).collect();
    assert_eq!(names, ["__Host-latchkey_browser", "__Host-latchkey_session"]);
    for cookie in person.cookies.values() {
        assert_eq!(cookie.attributes, ATTRIBUTES);
        assert_eq!(cookie.value.len(), 43);
    }
}

#[tokio::test]
async fn a_session_gets_another_secret_at_every_login() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let before = person.clone();
    person.sign_in(MEMBER).await;
    assert_ne!(person.session(), before.session());
    before.clone().get("/").await.assert_page(200, "You are signed out");
    person.get("/").await.assert_page(200, "Welcome, <bdi>Max</bdi>");
}

#[tokio::test]
async fn a_session_that_somebody_planted_is_not_the_one_that_is_opened() {
    let platform = Platform::new().await;
    let mut planted = Person::new(&platform);
    planted.sign_in(ADMIN).await;
    let mut victim = Person::new(&platform);
    for value in ["A".repeat(43), planted.session().unwrap().to_owned()] {
        let mut cookie = planted.cookies["__Host-latchkey_session"].clone();
        cookie.value = value.clone();
        victim.cookies.insert("__Host-latchkey_session".into(), cookie);
        victim.sign_in(MEMBER).await;
        assert_ne!(victim.session(), Some(value.as_str()));
        victim.get("/").await.assert_page(200, "<bdi>Max</bdi>");
    }
    let page = planted.get("/").await;
    assert!(!page.body.contains("<bdi>Max</bdi>"), "{}", page.body);
}

#[tokio::test]
async fn the_form_needs_its_own_csrf_token() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let logout = person.get("/").await.field("csrf");
    let other = Person::new(&platform).get("/login/").await.field("csrf");
    for csrf in ["", "wrong", &logout, &other] {
        let form = [("csrf", csrf), ("email", MEMBER), ("password", PASSWORD)];
        person.post("/login/", &form).await.assert_error_page(403, "The form does not come from this page");
    }
    let form = [("email", MEMBER), ("password", PASSWORD)];
    person.post("/login/", &form).await.assert_error_page(403, "The form does not come from this page");
    assert_eq!(platform.count("select count(*) from sessions").await, 1);
}

#[tokio::test]
async fn the_form_comes_from_a_page_of_the_platform_alone() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let csrf = person.get("/login/").await.field("csrf");
    let form = [("csrf", csrf.as_str()), ("email", MEMBER), ("password", PASSWORD)];
    for origin in [None, Some("null"), Some("https://evil.example"), Some("https://www.acme.example")] {
        let answer = person.post_from(origin, "/login/", &form).await;
        answer.assert_error_page(403, "The form does not come from this page");
    }
    assert_eq!(platform.count("select count(*) from sessions").await, 0);
    assert_eq!(person.post_from(Some(PLATFORM), "/login/", &form).await.location(), "/");
}

#[tokio::test]
async fn a_password_is_bounded() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    person.log_in("/login/", MEMBER, &"x".repeat(1024)).await.assert_page(422, WRONG);
    let answer = person.log_in("/login/", MEMBER, &"x".repeat(1025)).await;
    answer.assert_error_page(400, "password is longer than any password can be");
}

#[tokio::test]
async fn a_body_of_a_megabyte_is_refused_before_it_is_read() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let csrf = person.get("/login/").await.field("csrf");
    let password = "x".repeat(1 << 20);
    let form = [("csrf", csrf.as_str()), ("email", MEMBER), ("password", password.as_str())];
    assert_eq!(person.post("/login/", &form).await.status, 413, "its length is not declared");
    let declared = Request::post("/login/")
        .header(header::ORIGIN, PLATFORM)
        .header(header::CONTENT_LENGTH, 1 << 20)
        .body(Body::from(password.clone()))
        .unwrap();
    assert_eq!(person.send(declared).await.status, 413, "its length is declared");
}

#[tokio::test]
async fn the_page_says_for_what_one_signs_in() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let login = person.ask(&Asking::new()).await.location().to_owned();
    let page = person.get(&login).await;
    page.assert_page(200, "to continue to <strong><bdi>Acme Toolbar</bdi></strong>");
    page.assert_page(200, "<strong class=\"site\">https://www.acme.example</strong>");
    assert!(!page.body.contains("Rockets"), "the organization is its members' to know");
}

#[tokio::test]
async fn only_a_transaction_of_this_browser_leads_anywhere_afterwards() {
    let platform = Platform::new().await;
    for next in ["//evil.example", "/\\evil.example", "https:evil.example", "%2F%2Fevil.example", "x"] {
        let page = anonymous(&platform, &format!("/login/?transaction={next}")).await;
        page.assert_error_page(400, "This sign-in is not open any more");
    }
    for name in ["next", "return_to", "redirect"] {
        let mut person = Person::new(&platform);
        let page = format!("/login/?{name}=https://evil.example");
        assert_eq!(person.log_in(&page, MEMBER, PASSWORD).await.location(), "/");
    }
}

#[tokio::test]
async fn a_login_leads_to_a_page_of_ours_and_to_no_other_address() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let csrf = person.get("/login/").await.field("csrf");
    for (next, leads_to) in [
        ("/account/password/", "/account/password/"),
        ("/organizations/acme/applications/?after=x", "/organizations/acme/applications/?after=x"),
        ("", "/"),
        ("/oauth/authorize/?client_id=evil", "/"),
        ("/account//evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https:evil.example", "/"),
        ("https://evil.example", "/"),
        ("/account/\r\nlocation: https://evil.example", "/"),
        ("/account/../..//evil.example", "/"),
    ] {
        let form = [("csrf", csrf.as_str()), ("next", next), ("email", MEMBER), ("password", PASSWORD)];
        assert_eq!(person.post("/login/", &form).await.location(), leads_to, "{next:?}");
        let page =
            person.post("/login/", &form.map(|(n, v)| (n, if n == "password" { "x" } else { v }))).await;
        assert!(!page.body.contains("evil"), "{next:?}");
    }
}

#[tokio::test]
async fn the_same_person_s_second_login_keeps_the_tokens_and_another_person_s_ends_them() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let elsewhere = platform.token(MEMBER).await;
    person.sign_in(MEMBER).await;
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200);
    person.sign_in(ADMIN).await;
    Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    assert_eq!(Site::new(&platform, &elsewhere).get("/api/0/").await.status, 200);
}

#[tokio::test]
async fn a_session_lasts_fourteen_days() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.advance(14 * 24 * 3600 - 1);
    person.get("/").await.assert_page(200, "Welcome");
    platform.advance(1);
    person.get("/").await.assert_page(200, "You are signed out");
}

#[tokio::test]
async fn a_flood_of_passwords_ends_in_words_and_not_in_a_queue() {
    let platform = Platform::limited(Limits { passwords: 0, ..Limits::default() }).await;
    let mut person = Person::new(&platform);
    let answer = person.log_in("/login/", MEMBER, PASSWORD).await;
    answer.assert_page(503, "id=\"error\">Too many people are signing in at this moment. Try again in a few");
    answer.assert_page(503, &format!("value=\"{MEMBER}\""));
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(person.session(), None);
}

const TOO_OFTEN: &str = "id=\"error\">There were too many attempts. Wait ";

#[tokio::test]
async fn an_account_s_password_is_tried_ten_times_and_then_once_a_minute() {
    for email in [MEMBER, "nobody@example.org"] {
        let platform = Platform::limited(Limits::default()).await;
        let mut person = Person::new(&platform);
        for _ in 0..10 {
            person.log_in("/login/", email, "wrong horse").await.assert_page(422, WRONG);
        }
        for password in ["wrong horse", PASSWORD] {
            let answer = person.log_in("/login/", email, password).await;
            answer.assert_page(429, &format!("{TOO_OFTEN}60 seconds and try again, or ask your platform"));
            answer.assert_page(429, &format!("value=\"{email}\""));
            assert_eq!(answer.header("retry-after"), Some("60"));
            assert!(!answer.body.contains("aria-invalid"), "nobody looked at the password");
        }
        person.log_in("/login/", &email.to_uppercase(), PASSWORD).await.assert_page(429, TOO_OFTEN);
        platform.advance(59);
        assert_eq!(person.log_in("/login/", email, "x").await.header("retry-after"), Some("1"));
        platform.advance(1);
        person.log_in("/login/", email, "wrong horse").await.assert_page(422, WRONG);
        person.log_in("/login/", email, PASSWORD).await.assert_page(429, TOO_OFTEN);
        assert_eq!(person.session(), None);
    }
}

/// Whoever tries somebody's password from their own address keeps out nobody but themselves.
#[tokio::test]
async fn attempts_from_another_address_keep_nobody_out() {
    let platform = Platform::limited(Limits::default()).await;
    let mut stranger = Person::new(&platform).at("203.0.113.9");
    for _ in 0..12 {
        stranger.log_in("/login/", MEMBER, "wrong horse").await;
    }
    stranger.log_in("/login/", MEMBER, PASSWORD).await.assert_page(429, TOO_OFTEN);
    let mut person = Person::new(&platform).at("198.51.100.7");
    assert_eq!(person.log_in("/login/", MEMBER, PASSWORD).await.location(), "/");
}

/// But an account is not tried without end from ever new addresses.
#[tokio::test]
async fn an_account_s_password_is_tried_so_often_from_wherever() {
    let limits = Limits { per_account: Rate::new(3, 10), ..Limits::default() };
    let platform = Platform::limited(limits).await;
    for (from, status) in [(1, 422), (2, 422), (3, 422), (4, 429)] {
        let mut person = Person::new(&platform).at(&format!("203.0.113.{from}"));
        assert_eq!(person.log_in("/login/", MEMBER, "wrong horse").await.status, status, "{from}");
    }
}

#[tokio::test]
async fn another_account_s_attempts_keep_nobody_out() {
    let platform = Platform::limited(Limits::default()).await;
    let mut person = Person::new(&platform);
    for _ in 0..11 {
        person.log_in("/login/", ADMIN, "wrong horse").await;
    }
    assert_eq!(person.log_in("/login/", MEMBER, PASSWORD).await.location(), "/");
}

/// Without a computation, as in a flood: what is counted are attempts, not answers.
async fn use_up(person: &mut Person, attempts: usize) {
    for i in 0..attempts {
        person
            .log_in("/login/", &format!("a{i}@example.org"), PASSWORD)
            .await
            .assert_page(503, "Too many people");
    }
}

async fn flooded() -> Platform {
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let limits = Limits { passwords: 0, ..Limits::default() };
    Platform::with(Config { limits, trusted_proxies, ..Platform::config() }).await
}

#[tokio::test]
async fn passwords_are_tried_sixty_times_from_one_address_and_then_every_two_seconds() {
    let platform = flooded().await;
    for (one, same, other) in [
        ("203.0.113.9", "::ffff:203.0.113.9", "203.0.113.10"),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"),
    ] {
        let mut person = Person::new(&platform).at(one);
        use_up(&mut person, 60).await;
        let mut person = Person::new(&platform).at(same);
        let answer = person.log_in("/login/", MEMBER, PASSWORD).await;
        answer.assert_page(429, &format!("{TOO_OFTEN}2 seconds"));
        assert_eq!(answer.header("retry-after"), Some("2"));
        use_up(&mut Person::new(&platform).at(other), 1).await;
        platform.advance(2);
        use_up(&mut person, 1).await;
        person.log_in("/login/", MEMBER, PASSWORD).await.assert_page(429, TOO_OFTEN);
        platform.advance(3600);
    }
}

#[tokio::test]
async fn an_address_counts_as_the_trusted_proxy_saw_it_and_not_as_the_client_says() {
    let platform = flooded().await;
    let mut person = Person::new(&platform).at("10.0.0.1").forwarded_for("192.0.2.66, 198.51.100.1");
    use_up(&mut person, 60).await;
    for invented in ["192.0.2.67, 198.51.100.1", "198.51.100.1", "198.51.100.1, 10.0.0.2"] {
        let mut person = person.clone().forwarded_for(invented);
        person.log_in("/login/", MEMBER, PASSWORD).await.assert_page(429, TOO_OFTEN);
    }
    use_up(&mut person.clone().forwarded_for("198.51.100.1, 198.51.100.2"), 1).await;

    let mut direct = Person::new(&platform).at("203.0.113.9").forwarded_for("192.0.2.1");
    use_up(&mut direct, 60).await;
    let mut direct = direct.forwarded_for("192.0.2.2");
    direct.log_in("/login/", MEMBER, PASSWORD).await.assert_page(429, TOO_OFTEN);
}

/// A login whose account is changed after it was read and before the session is opened.
async fn overtaken_by(change: impl AsyncFnOnce(&mut Unit)) {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let csrf = person.get("/login/").await.field("csrf");
    let mut unit = platform.app.store.write_alone(By::server(NOW)).await.unwrap();
    let login = tokio::spawn(async move {
        let form = [("csrf", csrf.as_str()), ("email", MEMBER), ("password", PASSWORD)];
        person.post("/login/", &form).await
    });
    // An attempt is counted once the account was read; the session waits for the one writer.
    while platform.app.throttle.is_empty() {
        tokio::task::yield_now().await;
    }
    change(&mut unit).await;
    unit.commit().await.unwrap();
    login.await.unwrap().assert_page(422, WRONG);
    assert_eq!(platform.count("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn a_password_that_is_replaced_while_it_is_verified_opens_nothing() {
    overtaken_by(async |unit| {
        let user = store::users::find(unit, "max").await.unwrap().unwrap();
        assert!(store::users::touch_password(unit, "max", &user.password_hash, "other").await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_account_that_is_disabled_while_its_password_is_verified_is_not_opened() {
    overtaken_by(async |unit| store::users::revoke(unit, "max", 1).await.unwrap()).await;
}
