//! What is shown before a person allows, and what is remembered afterwards.

use crate::support::{
    ACME_LOCAL, ACME_REDIRECT, ACME_SITE, ADMIN, APP, Asking, GLOBEX_APP, GLOBEX_SITE, LOCAL_REDIRECT,
    MEMBER, Person, Platform,
};

const SHOP: &str = "https://shop.acme.example";

async fn remembered(platform: &Platform) -> Person {
    let mut person = Person::signed_in(platform, ADMIN).await;
    person.allow(&Asking::new().with("scope", "org:read project:read")).await;
    person
}

#[tokio::test]
async fn the_page_names_application_organization_site_account_and_scopes_in_words() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await;
    for shown in [
        "<bdi id=\"application\">Acme Toolbar</bdi>",
        "<dd id=\"organization\"><bdi>Acme Rockets</bdi></dd>",
        "<dd id=\"site\" class=\"site\">https://www.acme.example</dd>",
        "<bdi>Max</bdi> <span class=\"muted\"><bdi>max@example.org</bdi></span>",
        "<li>See the organization&#39;s projects</li>",
        "<li>Resolve and change events and issues</li>",
        "name=\"decision\" value=\"approve\"",
        "name=\"decision\" value=\"deny\"",
    ] {
        page.assert_page(200, shown);
    }
    assert!(!page.body.contains("Create and change projects"), "a member's role does not hold it");
    assert!(!page.body.contains("See events and issues"), "one line for a level and those it includes");
}

#[tokio::test]
async fn the_form_sends_the_transaction_the_csrf_token_and_the_decision_alone() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await;
    let names: Vec<_> =
        page.body.split(" name=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(names, ["viewport", "color-scheme", "transaction", "csrf", "decision", "decision"]);
}

#[tokio::test]
async fn a_remembered_consent_skips_the_page_for_what_it_covers() {
    let platform = Platform::new().await;
    let mut person = remembered(&platform).await;
    for scope in ["org:read project:read", "org:read", "project:read"] {
        let answer = person.ask(&Asking::new().with("scope", scope)).await;
        assert_eq!(answer.response_to(&Asking::callback(APP))["scope"], scope);
    }
}

#[tokio::test]
async fn more_than_was_allowed_asks_again_and_is_remembered_as_the_union() {
    let platform = Platform::new().await;
    let mut person = remembered(&platform).await;
    let page = person.ask(&Asking::new().with("scope", "project:write")).await;
    page.assert_page(200, "<li>Create and change projects</li>");
    person.decide(&page, "approve").await;
    assert_eq!(platform.text("select scopes from consents").await, "org:read project:write");
    let answer = person.ask(&Asking::new().with("scope", "org:read project:write")).await;
    assert!(answer.location().contains("#access_token="));
}

#[tokio::test]
async fn another_site_another_redirect_and_another_person_ask_again() {
    let platform = Platform::new().await;
    let mut person = remembered(&platform).await;
    for asking in [
        Asking::new().with("origin", SHOP),
        Asking::redirect(),
        Asking::redirect().with("redirect_uri", LOCAL_REDIRECT),
    ] {
        person.ask(&asking.with("scope", "org:read")).await.assert_page(200, "id=\"allow\"");
    }
    let mut other = Person::signed_in(&platform, MEMBER).await;
    other.ask(&Asking::new().with("scope", "org:read")).await.assert_page(200, "id=\"allow\"");
}

/// A script of the page's can ask for whatever the page can.
#[tokio::test]
async fn what_is_allowed_to_the_frame_is_not_allowed_to_the_page_and_the_other_way_round() {
    for (allowed, other) in [(Asking::for_frame(), Asking::new()), (Asking::new(), Asking::for_frame())] {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        person.allow(&allowed).await;
        let silent = |asking: &Asking| asking.clone().with("prompt", "none");
        let redirect_uri = |asking: &Asking| asking.value("redirect_uri").to_owned();
        let answer = person.ask(&silent(&allowed)).await;
        assert!(answer.response_to(&redirect_uri(&allowed)).contains_key("access_token"));
        person.ask(&other).await.assert_page(200, "id=\"allow\"");
        let answer = person.ask(&silent(&other)).await;
        assert_eq!(answer.response_to(&redirect_uri(&other))["error"], "consent_required");
        person.allow(&other).await;
        // A site that leaves the token to its frame takes from its pages, and from whatever script gets there, what they
        // were allowed before.
        let for_frame = redirect_uri(&other).ends_with("/callback/frame/");
        assert_eq!(platform.count("select count(*) from consents").await, if for_frame { 1 } else { 2 });
        let answer = person.ask(&silent(&allowed)).await;
        let answered = answer.response_to(&redirect_uri(&allowed));
        assert_eq!(answered.get("error").map(String::as_str), for_frame.then_some("consent_required"));
        // Also where the frame was allowed before, and nobody is asked.
        let frame = if for_frame { &other } else { &allowed };
        let page = if for_frame { &allowed } else { &other };
        person.ask(page).await;
        person.ask(&silent(frame)).await;
        let answer = person.ask(&silent(page)).await;
        assert_eq!(answer.response_to(&redirect_uri(page))["error"], "consent_required");
    }
}

#[tokio::test]
async fn another_application_asks_again() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, "bea@example.org").await;
    person.allow(&Asking::new()).await;
    let globex = Asking::new()
        .with("client_id", GLOBEX_APP)
        .with("redirect_uri", &Asking::callback(GLOBEX_APP))
        .with("origin", GLOBEX_SITE);
    person.ask(&globex).await.assert_page(200, "<dd id=\"organization\"><bdi>Globex Corporation</bdi></dd>");

    // Even where it runs on the same site and is answered at the same address.
    person.allow(&Asking::redirect()).await;
    let same = [
        "insert into applications (client_id, organization_id, name, scopes, response_types, created_at)
                     select 'acmeother', organization_id, name, scopes, response_types, created_at
                     from applications where client_id = 'acmeclient'",
        "insert into application_origins (client_id, origin)
             select 'acmeother', origin from application_origins where client_id = 'acmeclient'",
        "insert into application_redirect_uris (client_id, redirect_uri)
             select 'acmeother', redirect_uri from application_redirect_uris where client_id = 'acmeclient'",
    ];
    for sql in same {
        platform.execute(sql).await;
    }
    assert_eq!(person.ask(&Asking::redirect()).await.status, 303);
    let other = Asking::redirect().with("client_id", "acmeother");
    person.ask(&other).await.assert_page(200, "id=\"allow\"");
}

#[tokio::test]
async fn loopback_asks_every_time() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for asking in
        [Asking::new().with("origin", ACME_LOCAL), Asking::redirect().with("redirect_uri", LOCAL_REDIRECT)]
    {
        for _ in 0..2 {
            let page = person.ask(&asking).await;
            page.assert_page(200, "id=\"allow\"");
            assert!(person.decide(&page, "approve").await.location().contains("#access_token="));
        }
    }
}

#[tokio::test]
async fn consent_is_one_row_for_each_site_and_redirect() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for asking in [Asking::new(), Asking::new().with("origin", SHOP), Asking::redirect()] {
        person.allow(&asking.clone().with("prompt", "consent")).await;
        person.allow(&asking.with("prompt", "consent")).await;
    }
    let key = "user_id || ' ' || client_id || ' ' || requesting_origin || ' ' || redirect_uri";
    for (origin, redirect) in
        [(ACME_SITE, Asking::callback(APP)), (SHOP, Asking::callback(APP)), (ACME_SITE, ACME_REDIRECT.into())]
    {
        let row = format!("select count(*) from consents where {key} = 'max {APP} {origin} {redirect}'");
        assert_eq!(platform.count(&row).await, 1);
    }
    assert_eq!(platform.issued().await, (6, 3));
}

#[tokio::test]
async fn saying_no_leaves_no_row() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let page = person.ask(&Asking::new()).await;
    let answer = person.decide(&page, "deny").await;
    let response = answer.response_to(&Asking::callback(APP));
    let names: Vec<_> = response.keys().collect();
    assert_eq!(names, ["client_id", "error", "error_description", "iss", "origin", "state"]);
    assert_eq!(response["error"], "access_denied");
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn what_was_allowed_is_not_more_than_what_was_shown() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let page = person.ask(&Asking::new()).await;
    assert!(!page.body.contains("Create and change projects"));
    platform.execute("update memberships set role = 'admin' where user_id = 'max'").await;
    let response = person.decide(&page, "approve").await.response_to(&Asking::callback(APP));
    assert_eq!(response["scope"], "org:read member:read project:read event:write openid");
}

/// Every port is another redirect, but it is one site, and one row.
#[tokio::test]
async fn on_loopback_is_one_row_whatever_the_port() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for port in 40000..40005 {
        let asking = Asking::redirect().with("redirect_uri", &format!("http://127.0.0.1:{port}/cb"));
        assert_eq!(person.allow(&asking).await.status, 303);
    }
    let row = "select requesting_origin || ' ' || redirect_uri from consents";
    assert_eq!(platform.text(row).await, "http://127.0.0.1 http://127.0.0.1/cb");
    assert_eq!(platform.issued().await, (5, 1));
}

#[tokio::test]
async fn for_one_hour_is_not_a_consent_for_ninety_days() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = Asking::redirect().with("scope", "project:read");
    let code = Asking::code().with("scope", "project:read");
    person.ask(&token).await.assert_page(200, "for one hour");
    // What comes to the callback the frame goes on with.
    person.ask(&Asking::new()).await.assert_page(200, "for up to 7 days without asking again");
    person.allow(&token).await;
    let page = person.ask(&code).await;
    page.assert_page(200, "for up to 90 days without asking again");
    person.decide(&page, "approve").await;
    for asking in [&code, &token] {
        assert_eq!(person.ask(asking).await.status, 303, "and the longer one is enough for both");
    }
    // Allowing the shorter again takes nothing back.
    person.allow(&token.with("prompt", "consent")).await;
    assert_eq!(person.ask(&code).await.status, 303);
}

/// Browsers take no IPv6 address in a policy; without a word for it they would block the redirect.
#[tokio::test]
async fn for_a_site_on_an_ipv6_address_can_be_answered() {
    let platform = Platform::new().await;
    platform
        .execute("insert into application_redirect_uris values ('acmeclient', 'http://[::1]:3000/cb')")
        .await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let page = person.ask(&Asking::redirect().with("redirect_uri", "http://[::1]:3000/cb")).await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' http:;") && !policy.contains('['), "{policy}");
}

#[tokio::test]
async fn the_page_leads_to_what_the_organization_says_elsewhere() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await;
    assert!(!page.body.contains("id=\"links\""));
    platform.execute("update applications set privacy_url = 'https://acme.example/privacy?a&b' where client_id = 'acmeclient'").await;
    let page = Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await;
    let link = "<a href=\"https://acme.example/privacy?a&#38;b\" target=\"_blank\" rel=\"noopener noreferrer\">Privacy policy</a>";
    page.assert_page(200, &format!("id=\"links\">{link}</p>"));
}
