//! `/api/0/api-authorizations/`

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use latchkey_server::account::authorizations;
use serde_json::json;

use crate::support::{
    ACME_LOCAL, ACME_REDIRECT, ACME_SITE, ADMIN, APP, Answer, Asking, BOTH, Form, GLOBEX_APP,
    GLOBEX_REDIRECT, GLOBEX_SITE, LOCAL_REDIRECT, MEMBER, NOW, PLATFORM, Person, Platform, Site, Tokens,
    anonymous,
};

const PATH: &str = "/api/0/api-authorizations/";

fn globex() -> Asking {
    Asking::redirect().with("client_id", GLOBEX_APP).with("redirect_uri", GLOBEX_REDIRECT)
}

/// Sends a request as a script on a page of the platform does.
async fn delete(person: &mut Person, query: &str) -> Answer {
    delete_from(person, &[("origin", PLATFORM), ("sec-fetch-site", "same-origin")], query).await
}

async fn delete_from(person: &mut Person, headers: &[(&str, &str)], query: &str) -> Answer {
    let request = Request::delete(format!("{PATH}?{query}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    person.send(request.body(Body::empty()).unwrap()).await
}

async fn works(platform: &Platform, token: &str, site: &str) -> bool {
    Site::new(platform, token).from(Some(site)).get("/api/0/").await.status == 200
}

#[tokio::test]
async fn the_list_names_application_organization_and_sites_literally() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, BOTH).await;
    person.token(&Asking::new().with("scope", "project:read org:read")).await;
    platform.advance(60);
    person.token(&Asking::new().with("scope", "project:write")).await;
    person.token(&Asking::redirect().with("scope", "org:read")).await;
    person.token(&globex().with("scope", "org:read")).await;
    let callback = Asking::callback(APP);
    let expected = json!([
        {
            "application": { "client_id": APP, "name": "Acme Toolbar" },
            "organization": { "id": "org-acme", "slug": "acme", "name": "Acme Rockets" },
            "sites": [
                {
                    "requesting_origin": ACME_SITE,
                    "redirect_uri": callback,
                    "scopes": ["org:read", "project:write"],
                    "allowed_at": NOW,
                    "updated_at": NOW + 60,
                    "last_used_at": NOW + 60,
                },
                {
                    "requesting_origin": ACME_SITE,
                    "redirect_uri": ACME_REDIRECT,
                    "scopes": ["org:read"],
                    "allowed_at": NOW + 60,
                    "updated_at": NOW + 60,
                    "last_used_at": NOW + 60,
                },
            ],
        },
        {
            "application": { "client_id": GLOBEX_APP, "name": "Globex Toolbar" },
            "organization": { "id": "org-globex", "slug": "globex", "name": "Globex Corporation" },
            "sites": [{
                "requesting_origin": GLOBEX_SITE,
                "redirect_uri": GLOBEX_REDIRECT,
                "scopes": ["org:read"],
                "allowed_at": NOW + 60,
                "updated_at": NOW + 60,
                    "last_used_at": NOW + 60,
            }],
        },
    ]);
    let answer = person.get(PATH).await;
    assert_eq!((answer.status, answer.json()), (200, expected));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn the_list_holds_only_what_the_person_themselves_allowed() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, ADMIN).await.token(&Asking::new()).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    assert_eq!(person.get(PATH).await.json(), json!([]));
    person.token(&Asking::new()).await;
    assert_eq!(person.get(PATH).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_end_forgets_the_consents_and_revokes_the_tokens_of_every_site_and_session() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let one = person.token(&Asking::new()).await;
    let other = person.token(&Asking::new().with("origin", ACME_LOCAL)).await;
    let third = Person::signed_in(&platform, MEMBER).await.token(&Asking::redirect()).await;
    let answer = delete(&mut person, &format!("client_id={APP}")).await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    for (token, site) in [(one, ACME_SITE), (other, ACME_LOCAL), (third, ACME_SITE)] {
        assert!(!works(&platform, &token, site).await);
    }
    assert_eq!(person.get(PATH).await.json(), json!([]));
    assert_eq!(platform.count("select count(*) from consents").await, 0);
    person.ask(&Asking::new()).await.assert_page(200, "id=\"allow\"");
}

#[tokio::test]
async fn an_end_leaves_other_applications_and_other_people_alone() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, BOTH).await;
    let acme = person.token(&Asking::new()).await;
    let globex = person.token(&globex()).await;
    let mut colleague = Person::signed_in(&platform, MEMBER).await;
    let colleague_s = colleague.token(&Asking::new()).await;
    assert_eq!(delete(&mut person, &format!("client_id={APP}")).await.status, 204);
    assert!(!works(&platform, &acme, ACME_SITE).await);
    assert!(works(&platform, &globex, GLOBEX_SITE).await);
    assert!(works(&platform, &colleague_s, ACME_SITE).await);
    let left = person.get(PATH).await.json();
    assert_eq!(
        (left.as_array().unwrap().len(), &left[0]["application"]["client_id"]),
        (1, &json!(GLOBEX_APP))
    );
    assert_eq!(colleague.get(PATH).await.json().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_end_needs_no_token_to_end() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.token(&Asking::new()).await;
    platform.execute("delete from access_tokens").await;
    assert_eq!(delete(&mut person, &format!("client_id={APP}")).await.status, 204);
    assert_eq!(platform.count("select count(*) from consents").await, 0);
}

#[tokio::test]
async fn what_is_not_there_is_a_404_and_what_is_not_named_a_400() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, ADMIN).await.token(&Asking::new()).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for query in [format!("client_id={APP}"), "client_id=nobody".into(), format!("client_id={GLOBEX_APP}")] {
        delete(&mut person, &query).await.assert_api_error(404, "not_found");
    }
    for query in ["", "client_id=", "client_id=a&client_id=a"] {
        delete(&mut person, query).await.assert_api_error(400, "invalid_request");
    }
    person.token(&Asking::new()).await;
    assert_eq!(delete(&mut person, &format!("client_id={APP}")).await.status, 204);
    delete(&mut person, &format!("client_id={APP}")).await.assert_api_error(404, "not_found");
    assert_eq!(platform.count("select count(*) from consents").await, 1, "the colleague's");
}

#[tokio::test]
async fn an_end_comes_from_a_page_of_the_platform_alone() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let query = format!("client_id={APP}");
    for headers in [
        &[][..],
        &[("origin", ACME_SITE)],
        &[("origin", "null")],
        &[("origin", "https://sibling.platform.example"), ("sec-fetch-site", "same-site")],
        &[("origin", PLATFORM), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
    ] {
        delete_from(&mut person, headers, &query).await.assert_api_error(403, "forged_request");
    }
    assert!(works(&platform, &token, ACME_SITE).await);
    assert_eq!(delete_from(&mut person, &[("sec-fetch-site", "same-origin")], &query).await.status, 204);
}

#[tokio::test]
async fn only_a_live_session_opens_it() {
    let platform = Platform::new().await;
    anonymous(&platform, PATH).await.assert_api_error(403, "session_required");
    let mut nobody = Person::new(&platform);
    delete(&mut nobody, &format!("client_id={APP}")).await.assert_api_error(403, "session_required");
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.execute("update sessions set ended_at = 1").await;
    person.get(PATH).await.assert_api_error(403, "session_required");
}

#[tokio::test]
async fn no_token_opens_it_even_beside_a_session() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    Site::new(&platform, &token).get(PATH).await.assert_api_error(403, "session_required");
    for authorization in [format!("Bearer {token}"), "Bearer x".into(), "Basic eDp5".into(), String::new()] {
        for method in [Method::GET, Method::DELETE] {
            let request = Request::builder()
                .method(method)
                .uri(format!("{PATH}?client_id={APP}"))
                .header(header::ORIGIN, PLATFORM)
                .header(header::AUTHORIZATION, &authorization);
            let answer = person.send(request.body(Body::empty()).unwrap()).await;
            answer.assert_api_error(403, "session_required");
            assert_eq!(answer.header("www-authenticate"), None);
        }
    }
    assert!(works(&platform, &token, ACME_SITE).await);
}

#[tokio::test]
async fn no_site_may_read_it_or_ask_to() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.token(&Asking::new()).await;
    for origin in [ACME_SITE, ACME_LOCAL, GLOBEX_SITE, "null", "https://evil.example"] {
        let request = Request::get(PATH).header(header::ORIGIN, origin).body(Body::empty()).unwrap();
        let site = Site::new(&platform, "x").from(Some(origin));
        for answer in [person.send(request).await, site.preflight("DELETE", PATH).await, site.get(PATH).await]
        {
            for name in ["access-control-allow-origin", "access-control-allow-methods"] {
                assert_eq!(answer.header(name), None, "{origin}");
            }
        }
    }
}

#[tokio::test]
async fn another_method_is_not_allowed() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let answer = person.post(PATH, &[("client_id", APP)]).await;
    answer.assert_api_error(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD,DELETE"));
}

/// However the two come together, nothing is left that the person can't see: an end is an end.
/// A sign-in has read that the person allowed it, and waits for the writer, who takes it back.
#[tokio::test]
async fn a_sign_in_at_the_same_moment_leaves_nothing_behind() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let silent = Asking::code().with("prompt", "none");
    person.allow(&Asking::code()).await;
    let mut unit = platform.write().await;
    assert!(authorizations::end(&mut unit, "max", APP, NOW).await.unwrap());
    let asked = tokio::spawn({
        let mut person = person.clone();
        async move { person.ask(&silent).await }
    });
    // It reads all it needs while this does, many times over.
    for _ in 0..200 {
        platform.count("select count(*) from consents").await;
    }
    assert!(!asked.is_finished(), "it waits");
    unit.commit().await.unwrap();
    let answer = asked.await.unwrap();
    assert!(answer.location().contains("error=consent_required"), "{}", answer.location());
    assert_eq!(platform.count("select count(*) from grants where revoked_at is null").await, 0);
}

/// Without the row that the list is made of, and with no access token left.
#[tokio::test]
async fn a_line_of_refresh_tokens_alone_is_ended_as_well() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    platform.execute("delete from consents").await;
    platform.advance(3600);
    let mut person = Person::signed_in(&platform, MEMBER).await;
    assert_eq!(delete(&mut person, &format!("client_id={APP}")).await.status, 204);
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    assert_eq!(delete(&mut person, &format!("client_id={APP}")).await.status, 404);
}

#[tokio::test]
async fn who_left_the_organization_sees_nothing_of_it() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.token(&Asking::new()).await;
    assert!(person.get(PATH).await.body.contains("Acme"));
    platform.execute("delete from memberships where user_id = 'max'").await;
    assert_eq!(person.get(PATH).await.json(), json!([]));
}

/// Whatever is issued on it, when that was stands there.
#[tokio::test]
async fn what_was_allowed_is_used_by_a_fragment_an_exchange_and_a_refresh() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let used = async |person: &mut Person| {
        let list = person.get(PATH).await.json();
        let sites = list[0]["sites"].as_array().unwrap().clone();
        sites.iter().map(|site| site["last_used_at"].as_i64().unwrap() - NOW).collect::<Vec<_>>()
    };
    person.token(&Asking::new()).await;
    assert_eq!(used(&mut person).await, [0]);
    platform.advance(10);
    person.token(&Asking::new()).await;
    assert_eq!(used(&mut person).await, [10], "a fragment, without a page");
    platform.advance(10);
    let code = person.code(&Asking::code()).await;
    assert_eq!(used(&mut person).await, [10, 20], "another redirect URI");
    platform.advance(10);
    let tokens = Tokens::of(&platform.exchange(&Form::code(&code)).await);
    assert_eq!(used(&mut person).await, [10, 30], "an exchange");
    platform.advance(10);
    platform.refreshed(&tokens.refresh).await;
    assert_eq!(used(&mut person).await, [10, 40], "a refresh");
    platform.advance(10);
    platform.refresh("lkrt_x").await;
    platform.token(ADMIN).await;
    assert_eq!(used(&mut person).await, [10, 40], "nothing that is refused, and nothing of somebody else");
}

/// RFC 8252 §7.3: the port is another one each time, and what was allowed is the same.
#[tokio::test]
async fn a_port_on_loopback_makes_no_difference_to_it() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for port in ["49152", "49153"] {
        platform.advance(10);
        let redirect = LOCAL_REDIRECT.replace("3000", port);
        let code = person.code(&Asking::code().with("redirect_uri", &redirect)).await;
        platform.advance(10);
        let form = Form::code(&code).with("redirect_uri", &redirect);
        assert_eq!(platform.exchange(&form).await.status, 200);
    }
    let list = person.get(PATH).await.json();
    assert_eq!(list[0]["sites"].as_array().unwrap().len(), 1);
    assert_eq!(list[0]["sites"][0]["last_used_at"], NOW + 40);
}
