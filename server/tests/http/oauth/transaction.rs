//! One request being decided: whose it is, how long, how often, and that nothing sent later changes it.

use axum::{body::Body, http::Request};
use latchkey_server::config::{Limits, Rate};

use crate::support::{
    ADMIN, APP, Answer, Asking, GLOBEX_REDIRECT, MEMBER, PASSWORD, PLATFORM, Person, Platform, STRANGER,
};

const CLOSED: &str = "This sign-in is not open any more";
const FORGED: &str = "The form does not come from this page";

async fn at_consent(platform: &Platform) -> (Person, Answer) {
    let mut person = Person::signed_in(platform, MEMBER).await;
    let page = person.ask(&Asking::new()).await;
    (person, page)
}

async fn assert_nothing_issued(platform: &Platform) {
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn belongs_to_the_browser_that_began_it() {
    let platform = Platform::new().await;
    let (_, page) = at_consent(&platform).await;
    let mut other = Person::signed_in(&platform, MEMBER).await;
    other.decide(&page, "approve").await.assert_error_page(400, CLOSED);
    for path in ["/oauth/authorize/", "/login/"] {
        let path = format!("{path}?transaction={}", page.field("transaction"));
        other.get(&path).await.assert_error_page(400, CLOSED);
        Person::new(&platform).get(&path).await.assert_error_page(400, CLOSED);
    }
    assert_nothing_issued(&platform).await;
}

#[tokio::test]
async fn lasts_ten_minutes() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    let (mut late, late_page) = at_consent(&platform).await;
    platform.advance(599);
    assert!(person.decide(&page, "approve").await.location().contains("#access_token="));
    platform.advance(1);
    late.decide(&late_page, "approve").await.assert_error_page(400, CLOSED);
    let path = format!("/oauth/authorize/?transaction={}", late_page.field("transaction"));
    late.get(&path).await.assert_error_page(400, CLOSED);
    assert_eq!(platform.issued().await, (1, 1));
}

#[tokio::test]
async fn that_is_too_late_leads_nowhere() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let login = person.ask(&Asking::new()).await.location().to_owned();
    platform.advance(599);
    person.get(&login).await.assert_page(200, "Acme Toolbar");
    platform.advance(1);
    person.get(&login).await.assert_error_page(400, CLOSED);
    person.sign_in(MEMBER).await;
    person.get(&login.replace("/login/", "/oauth/authorize/")).await.assert_error_page(400, CLOSED);
}

#[tokio::test]
async fn whose_redirect_was_removed_before_the_page_was_shown_is_told_on_a_page() {
    let platform = Platform::new().await;
    for (asking, change) in [
        (Asking::new(), "delete from application_origins where origin = 'https://www.acme.example'"),
        (Asking::redirect(), "delete from application_redirect_uris where redirect_uri like 'https:%'"),
    ] {
        let mut person = Person::new(&platform);
        let login = person.ask(&asking).await.location().to_owned();
        let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
        platform.execute(change).await;
        person.get(&next).await.assert_error_page(400, "redirect_uri is not one that is registered");
    }
}

#[tokio::test]
async fn is_decided_once() {
    let platform = Platform::new().await;
    for first in ["approve", "deny"] {
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let page = person.ask(&Asking::new().with("prompt", "consent")).await;
        person.decide(&page, first).await.location();
        for again in ["approve", "deny"] {
            person.decide(&page, again).await.assert_error_page(400, CLOSED);
        }
    }
    assert_eq!(platform.issued().await, (1, 1));
}

#[tokio::test]
async fn is_kept_apart_from_the_one_in_the_other_tab() {
    let platform = Platform::new().await;
    let (mut person, one) = at_consent(&platform).await;
    let other = person.ask(&Asking::redirect().with("state", "s2").with("scope", "org:read")).await;
    let mixed = [
        ("transaction", one.field("transaction")),
        ("csrf", other.field("csrf")),
        ("decision", "approve".into()),
    ];
    let mixed: Vec<_> = mixed.iter().map(|(name, value)| (*name, value.as_str())).collect();
    person.post("/oauth/authorize/", &mixed).await.assert_error_page(403, FORGED);
    let response = person.decide(&other, "approve").await.response_to(crate::support::ACME_REDIRECT);
    assert_eq!((response["state"].as_str(), response["scope"].as_str()), ("s2", "org:read"));
    let response = person.decide(&one, "approve").await.response_to(&Asking::callback(APP));
    assert_eq!(response["state"], "s1");
}

#[tokio::test]
async fn is_decided_by_the_person_who_saw_the_page() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    person.sign_in(ADMIN).await;
    for decision in ["approve", "deny"] {
        person.decide(&page, decision).await.assert_error_page(400, CLOSED);
    }
    assert_nothing_issued(&platform).await;
    let path = format!("/oauth/authorize/?transaction={}", page.field("transaction"));
    let own = person.get(&path).await;
    own.assert_page(200, "<bdi>Arno</bdi>");
    person.decide(&page, "approve").await.assert_error_page(403, FORGED);
    assert!(person.decide(&own, "approve").await.location().contains("#access_token="));
    assert_eq!(platform.text("select user_id from grants").await, "arno");
}

#[tokio::test]
async fn ignores_whatever_else_the_form_holds() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    let (transaction, csrf) = (page.field("transaction"), page.field("csrf"));
    let form = [
        ("transaction", transaction.as_str()),
        ("csrf", &csrf),
        ("decision", "approve"),
        ("client_id", "globexclient"),
        ("redirect_uri", GLOBEX_REDIRECT),
        ("origin", "https://evil.example"),
        ("scope", "org:admin project:admin"),
        ("state", "other"),
        ("user_id", "ada"),
        ("organization", "globex"),
    ];
    let response = person.post("/oauth/authorize/", &form).await.response_to(&Asking::callback(APP));
    assert_eq!((response["state"].as_str(), response["origin"].as_str()), ("s1", "https://www.acme.example"));
    assert_eq!(response["scope"], "org:read member:read project:read event:write openid");
    assert_eq!(platform.text("select user_id || organization_id from grants").await, "maxorg-acme");
}

/// Two readers of one request must not take different values for a parameter.
#[tokio::test]
async fn takes_nothing_from_its_address() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    let (transaction, csrf) = (page.field("transaction"), page.field("csrf"));
    let whole = [("transaction", transaction.as_str()), ("csrf", &csrf), ("decision", "approve")];
    for (query, form) in [
        ("decision=approve", &whole[..2]),
        ("decision=approve", &whole[..]),
        ("decision=deny", &whole[..]),
        ("scope=org:admin&redirect_uri=https://evil.example/", &whole[..]),
        ("x", &whole[..]),
    ] {
        let answer = person.post(&format!("/oauth/authorize/?{query}"), form).await;
        answer.assert_error_page(400, "The parameters are sent in the body, never in the address");
    }
    assert_nothing_issued(&platform).await;
    assert!(person.post("/oauth/authorize/?", &whole).await.location().contains("#access_token="));
}

/// Nobody has to be asked: the first one to come back from the login is answered, and no other.
#[tokio::test]
async fn that_needs_no_decision_is_answered_once() {
    let platform = Platform::new().await;
    platform.token(MEMBER).await;
    let mut person = Person::new(&platform);
    let login = person.ask(&Asking::new()).await.location().to_owned();
    let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
    assert!(person.get(&next).await.location().contains("#access_token="));
    person.get(&next).await.assert_error_page(400, CLOSED);
    assert_eq!(platform.issued().await, (2, 1));
}

#[tokio::test]
async fn needs_the_csrf_token_and_survives_a_form_without_it() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    let transaction = page.field("transaction");
    let wrong = "x".repeat(43);
    for csrf in [None, Some(""), Some("wrong"), Some(wrong.as_str())] {
        let mut form = vec![("transaction", transaction.as_str()), ("decision", "approve")];
        form.extend(csrf.map(|csrf| ("csrf", csrf)));
        person.post("/oauth/authorize/", &form).await.assert_error_page(403, FORGED);
    }
    assert_nothing_issued(&platform).await;
    assert!(person.decide(&page, "approve").await.location().contains("#access_token="));
}

#[tokio::test]
async fn is_decided_on_a_page_of_the_platform_alone() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    let (transaction, csrf) = (page.field("transaction"), page.field("csrf"));
    let form = [("transaction", transaction.as_str()), ("csrf", &csrf), ("decision", "approve")];
    for origin in [
        None,
        Some("null"),
        Some("https://evil.example"),
        Some("https://www.acme.example"),
        Some("http://platform.example"),
        Some("https://platform.example:8443"),
        Some("https://sub.platform.example"),
    ] {
        let answer = person.post_from(origin, "/oauth/authorize/", &form).await;
        answer.assert_error_page(403, FORGED);
    }
    assert_nothing_issued(&platform).await;
    assert!(person.decide(&page, "approve").await.location().contains("#access_token="));
}

#[tokio::test]
async fn needs_a_decision_that_is_known() {
    let platform = Platform::new().await;
    let (mut person, page) = at_consent(&platform).await;
    for decision in ["", "Approve", "allow", "approve deny"] {
        person.decide(&page, decision).await.assert_error_page(400, "decision is");
    }
    person.post("/oauth/authorize/", &[]).await.assert_error_page(400, "decision is missing");
    let form = [("decision", "approve"), ("csrf", "x")];
    person.post("/oauth/authorize/", &form).await.assert_error_page(400, "transaction is missing");
    let form = [("decision", "approve"), ("csrf", "x"), ("transaction", "x")];
    person.post("/oauth/authorize/", &form).await.assert_error_page(400, CLOSED);
    let form = [("decision", "deny"), ("decision", "approve")];
    person.post("/oauth/authorize/", &form).await.assert_error_page(400, "A parameter is given more than");
    assert_nothing_issued(&platform).await;
}

/// What stood when the page was shown, and does not when the form comes.
#[tokio::test]
async fn is_checked_again_when_it_is_decided() {
    for change in [
        "update applications set disabled_at = 1 where client_id = 'acmeclient'",
        "update organizations set disabled_at = 1 where slug = 'acme'",
        "delete from application_origins where origin = 'https://www.acme.example'",
        "delete from applications where client_id = 'acmeclient'",
        "update applications set scopes = 'profile' where client_id = 'acmeclient'",
    ] {
        let platform = Platform::new().await;
        let (mut person, page) = at_consent(&platform).await;
        platform.execute(change).await;
        let answer = person.decide(&page, "approve").await;
        answer.assert_page(400, "id=\"error\"");
        assert_eq!(platform.issued().await, (0, 0), "{change}");
    }
}

#[tokio::test]
async fn of_a_redirect_that_was_removed_is_refused() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for decision in ["approve", "deny"] {
        let page = person.ask(&Asking::redirect()).await;
        platform
            .execute(
                "update application_redirect_uris set redirect_uri = 'x' where redirect_uri like 'https%'",
            )
            .await;
        person.decide(&page, decision).await.assert_page(400, "id=\"error\"");
        let back = format!(
            "update application_redirect_uris set redirect_uri = '{}' where redirect_uri = 'x'",
            crate::support::ACME_REDIRECT
        );
        platform.execute(&back).await;
    }
    assert_nothing_issued(&platform).await;
}

#[tokio::test]
async fn of_somebody_who_is_signed_out_leads_to_the_login_page() {
    for change in [
        "update sessions set ended_at = 1",
        "update sessions set expires_at = 1",
        "update users set disabled_at = 1 where id = 'max'",
        "delete from sessions",
    ] {
        let platform = Platform::new().await;
        let (mut person, page) = at_consent(&platform).await;
        platform.execute(change).await;
        let answer = person.decide(&page, "approve").await;
        let login = format!("/login/?transaction={}", page.field("transaction"));
        assert_eq!(answer.location(), login, "{change}");
        assert_nothing_issued(&platform).await;
    }
}

#[tokio::test]
async fn goes_on_after_the_login_and_not_as_somebody_else() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    let login = person.ask(&Asking::new()).await.location().to_owned();
    let browser = person.cookies["__Host-latchkey_browser"].clone();
    let next = person.log_in(&login, STRANGER, PASSWORD).await.location().to_owned();
    assert_eq!(person.cookies["__Host-latchkey_browser"], browser, "login does not rotate it");
    assert_eq!(next.replace("/oauth/authorize/", "/login/"), login);
    person.get(&next).await.assert_page(403, "is not a member");
}

#[tokio::test]
async fn is_taken_by_one_of_twenty_at_once() {
    let platform = Platform::new().await;
    let (person, page) = at_consent(&platform).await;
    let tries: Vec<_> = (0..20)
        .map(|_| {
            let (mut person, page) = (person.clone(), page.clone());
            tokio::spawn(async move { person.decide(&page, "approve").await.status })
        })
        .collect();
    let mut statuses = vec![];
    for one in tries {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    let expected: Vec<_> = std::iter::once(303).chain([400; 19]).collect();
    assert_eq!((statuses, platform.issued().await), (expected, (1, 1)));
}

/// It is kept before anybody is known: one address does not fill the database.
#[tokio::test]
async fn is_begun_so_often_from_one_address_and_no_oftener() {
    let platform = Platform::limited(Limits { transactions: Rate::new(3, 60), ..Limits::default() }).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for _ in 0..3 {
        assert_eq!(person.ask(&Asking::new()).await.status, 200);
    }
    let page = person.ask(&Asking::new()).await;
    page.assert_error_page(429, "Too much is asked from one address");
    assert_eq!(page.header("retry-after"), Some("1"));
    assert_eq!(platform.count("select count(*) from transactions").await, 3);
    platform.advance(1);
    let page = person.ask(&Asking::new()).await;
    // Going on with one counts for nothing, and neither does what is answered at once.
    let again = format!("/oauth/authorize/?transaction={}", page.field("transaction"));
    assert_eq!(person.get(&again).await.status, 200);
    assert_eq!(person.ask(&Asking::new().with("prompt", "none")).await.status, 303);
    assert_eq!(person.decide(&page, "approve").await.status, 303);
}

/// Not even beside the session of the person.
#[tokio::test]
async fn is_decided_by_a_person_and_by_no_token() {
    let platform = Platform::new().await;
    let token = platform.token(ADMIN).await;
    let (person, page) = at_consent(&platform).await;
    let cookies: Vec<_> =
        person.cookies.iter().map(|(name, cookie)| format!("{name}={}", cookie.value)).collect();
    let (transaction, csrf) = (page.field("transaction"), page.field("csrf"));
    let form = format!("transaction={transaction}&csrf={csrf}&decision=approve");
    for authorization in [format!("Bearer {token}"), "Bearer x".to_owned()] {
        let with = |request: axum::http::request::Builder| {
            request.header("authorization", &authorization).header("cookie", cookies.join("; "))
        };
        let asked = with(Request::get(Asking::new().path())).body(Body::empty()).unwrap();
        let decided = with(Request::post("/oauth/authorize/"))
            .header("origin", PLATFORM)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.clone()))
            .unwrap();
        for request in [asked, decided] {
            platform.send(request).await.assert_page(403, "id=\"error\"");
        }
    }
    assert_eq!(platform.count("select count(*) from access_tokens").await, 1, "the one that was sent");
}
