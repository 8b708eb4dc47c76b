//! What every route of the API refuses. The routes come out of the table itself, so that a new one is held to this
//! without a line here.

use axum::{
    body::Body,
    http::{Method, Request},
};
use latchkey_server::{
    gate::OrganizationRule,
    routes::{API, ApiRoute},
    secret::{AccessToken, Entropy},
};

use crate::support::{
    ACME, ACME_LOCAL, ACME_SITE, ADMIN, Answer, BOTH, GLOBEX, GLOBEX_SITE, MEMBER, PLATFORM, Platform, Site,
};

/// The route's address for an organization.
fn path(route: &ApiRoute, organization: &str) -> String {
    route.path.replace("{organization}", organization) + "/"
}

/// The answer of every route, for Acme, to the same caller.
async fn answers(site: &Site) -> Vec<Answer> {
    let mut answers = vec![];
    for route in API {
        answers.push(site.get(&path(route, ACME.1)).await);
    }
    assert!(answers.len() >= 5);
    answers
}

async fn assert_refused(site: &Site, status: u16, code: &str, challenge: Option<&str>) {
    for answer in answers(site).await {
        answer.assert_api_error(status, code);
        assert_eq!(answer.header("www-authenticate"), challenge);
        assert!(!answer.body.contains("Rockets") && !answer.body.contains("lkat_"), "{}", answer.body);
    }
}

/// The challenge for a reason, which names where the API is described (RFC 9728 §5.1).
fn challenge(reason: &str) -> String {
    let described_at = "https://platform.example/.well-known/oauth-protected-resource";
    format!("Bearer realm=\"api\"{reason}, resource_metadata=\"{described_at}\"")
}

async fn assert_invalid_token(site: &Site) {
    assert_refused(site, 401, "invalid_token", Some(&challenge(", error=\"invalid_token\""))).await;
}

#[tokio::test]
async fn a_valid_token_opens_every_route_that_its_role_reaches() {
    let platform = Platform::new().await;
    let token = platform.whole_token(ADMIN).await;
    for answer in answers(&Site::new(&platform, &token)).await {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn the_scheme_s_case_does_not_count() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for scheme in ["bearer", "BEARER", "Bearer "] {
        let site = Site::new(&platform, "").with(Some(&format!("{scheme} {token}")));
        assert_eq!(site.get("/api/0/").await.status, 200);
    }
}

#[tokio::test]
async fn no_token_is_a_challenge_without_a_code() {
    let platform = Platform::new().await;
    for authorization in [None, Some("Basic YWRhOnNlY3JldA==")] {
        let site = Site::new(&platform, "").with(authorization);
        assert_refused(&site, 401, "invalid_token", Some(&challenge(""))).await;
    }
}

#[tokio::test]
async fn a_malformed_or_unknown_token_is_refused() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let unknown = AccessToken::from_random(&Entropy::seeded(1 << 40).bytes().unwrap());
    let flipped = format!("{}{}", &token[..53], if token.ends_with('0') { '1' } else { '0' });
    for wrong in [unknown.expose(), &flipped, &token[..53], &format!("{token}0"), "", "x", &"x".repeat(9000)]
    {
        assert_invalid_token(&Site::new(&platform, wrong)).await;
    }
    assert_invalid_token(&Site::new(&platform, "").with(Some(&token))).await;
    assert_invalid_token(&Site::new(&platform, "").with(Some(&format!("Bearer {token}, Bearer {token}"))))
        .await;
}

#[tokio::test]
async fn a_malformed_token_costs_no_query() {
    let platform = Platform::new().await;
    platform.app.store.close().await;
    let flipped = format!("lkat_{}", "0".repeat(49));
    assert_invalid_token(&Site::new(&platform, &flipped).from(None)).await;
    let unknown = AccessToken::from_random(&Entropy::seeded(1 << 40).bytes().unwrap());
    let site = Site::new(&platform, unknown.expose()).from(None);
    assert_refused(&site, 503, "temporarily_unavailable", None).await;
}

#[tokio::test]
async fn a_token_lasts_an_hour() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let site = Site::new(&platform, &token);
    platform.advance(3599);
    assert_eq!(site.get("/api/0/").await.status, 200);
    platform.advance(1);
    assert_invalid_token(&site).await;
}

/// What a token stands on, taken away by another process.
#[tokio::test]
async fn what_was_taken_away_counts_at_the_next_request() {
    for change in [
        "update access_tokens set revoked_at = 1",
        "update access_tokens set expires_at = 1800000000",
        "update applications set disabled_at = 1 where client_id = 'acmeclient'",
        "update users set disabled_at = 1 where id = 'max'",
        "update organizations set disabled_at = 1 where slug = 'acme'",
        "delete from applications where client_id = 'acmeclient'",
        "delete from users where id = 'max'",
    ] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        let site = Site::new(&platform, &token);
        assert_eq!(site.get("/api/0/").await.status, 200);
        platform.execute(change).await;
        assert_invalid_token(&site.from(None)).await;
    }
}

#[tokio::test]
async fn a_removed_member_is_refused_on_the_next_request() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    platform.execute("delete from memberships where user_id = 'bea' and organization_id = 'org-acme'").await;
    assert_refused(&Site::new(&platform, &token), 403, "membership_required", None).await;
}

#[tokio::test]
async fn a_role_counts_as_it_is_now() {
    let platform = Platform::new().await;
    let token = platform.token(ADMIN).await;
    let site = Site::new(&platform, &token);
    let scopes = async || site.get("/api/0/").await.json()["scopes"].to_string();
    assert_eq!(scopes().await, r#"["org:read","member:read","project:write","event:write","openid"]"#);
    platform.execute("update memberships set role = 'member' where user_id = 'arno'").await;
    assert_eq!(scopes().await, r#"["org:read","member:read","project:read","event:write","openid"]"#);
}

#[tokio::test]
async fn another_organization_is_refused_although_the_person_is_a_member_there() {
    let platform = Platform::new().await;
    let token = platform.whole_token(BOTH).await;
    let site = Site::new(&platform, &token);
    for route in API.iter().filter(|route| route.rule().organization != OrganizationRule::Own) {
        let unknown = site.get(&path(route, "no-such-organization")).await;
        unknown.assert_api_error(403, "wrong_organization");
        for named in
            [GLOBEX.0, GLOBEX.1, "ACME", "acme%20", "%2e%2e", "acme%00", "%ff", "acme%c3%28", "org-acme2"]
        {
            let foreign = site.get(&path(route, named)).await;
            assert_eq!(
                (foreign.status, &foreign.headers, &foreign.body),
                (unknown.status, &unknown.headers, &unknown.body),
                "{named}"
            );
        }
        for own in [ACME.0, ACME.1] {
            assert_eq!(site.get(&path(route, own)).await.status, 200);
        }
    }
}

#[tokio::test]
async fn the_organization_comes_from_the_token_and_from_nowhere_else() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    let site = Site::new(&platform, &token);
    for path in [
        "/api/0/organizations/acme/projects/?organization=globex",
        "/api/0/organizations/acme/projects/?organization_id=org-globex&org=globex",
    ] {
        let answer = site.get(path).await;
        assert!(answer.body.contains("acme-backend") && !answer.body.contains("globex"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let platform = Platform::new().await;
    platform.token(MEMBER).await;
    for route in API {
        let Some(scope) = route.scope else { continue };
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        platform.execute("update access_tokens set scopes = 'email'").await;
        let answer = Site::new(&platform, &token).get(&path(route, ACME.1)).await;
        answer.assert_api_error(403, "insufficient_scope");
        let challenge = challenge(&format!(", error=\"insufficient_scope\", scope=\"{}\"", scope.as_str()));
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
    }
}

#[tokio::test]
async fn a_site_is_the_application_s_the_platform_or_refused() {
    let platform = Platform::new().await;
    let token = platform.whole_token(ADMIN).await;
    let site = Site::new(&platform, &token);
    for origin in [None, Some(PLATFORM), Some(ACME_SITE), Some(ACME_LOCAL)] {
        for answer in answers(&site.clone().from(origin)).await {
            assert_eq!(answer.status, 200, "{origin:?}");
        }
    }
    for origin in [
        "null",
        GLOBEX_SITE,
        "https://evil.example",
        "https://www.acme.example:8443",
        "http://www.acme.example",
    ] {
        assert_refused(&site.clone().from(Some(origin)), 403, "origin_not_allowed", None).await;
    }
    platform.execute("delete from application_origins where origin = 'https://www.acme.example'").await;
    assert_refused(&site, 403, "origin_not_allowed", None).await;
}

#[tokio::test]
async fn the_first_reason_in_the_documented_order_is_the_one_that_is_told() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    let wrong = Site::new(&platform, &token).from(Some("https://evil.example"));
    let globex = "/api/0/organizations/globex/projects/";
    platform.execute("update access_tokens set scopes = 'openid', revoked_at = 1").await;
    platform.execute("delete from memberships where user_id = 'bea'").await;
    wrong.get(globex).await.assert_api_error(401, "invalid_token");
    platform.execute("update access_tokens set revoked_at = null").await;
    wrong.get(globex).await.assert_api_error(403, "origin_not_allowed");
    let site = wrong.from(Some(ACME_SITE));
    site.get(globex).await.assert_api_error(403, "wrong_organization");
    let acme = "/api/0/organizations/acme/projects/";
    site.get(acme).await.assert_api_error(403, "membership_required");
    platform.execute("insert into memberships values ('org-acme', 'bea', 'member', 1)").await;
    site.get(acme).await.assert_api_error(403, "insufficient_scope");
}

#[tokio::test]
async fn a_token_in_the_address_is_refused() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for site in [Site::new(&platform, &token), Site::new(&platform, "").with(None)] {
        for query in [format!("access_token={token}"), "a=1&access%5ftoken=x".into(), "access_token".into()] {
            let answer = site.get(&format!("/api/0/?{query}")).await;
            answer.assert_api_error(400, "invalid_request");
            assert!(!answer.body.contains(&token));
        }
    }
}

#[tokio::test]
async fn a_session_of_the_platform_opens_nothing() {
    let platform = Platform::new().await;
    let mut person = crate::support::Person::signed_in(&platform, MEMBER).await;
    person.get("/api/0/").await.assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn what_is_not_in_the_table_is_not_found_whoever_asks() {
    let platform = Platform::new().await;
    let token = platform.token(ADMIN).await;
    for path in ["/api/0/projects/", "/api/0/organizations/acme/projects/backend/", "/api/1/organizations/"] {
        for site in [Site::new(&platform, &token), Site::new(&platform, "").with(None)] {
            site.get(path).await.assert_api_error(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_method_that_no_route_declares_is_not_allowed() {
    let platform = Platform::new().await;
    let token = platform.token(ADMIN).await;
    for route in API {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            // OpenID Connect Core §5.3.1.
            if route.path == "/oauth/userinfo" && method == Method::POST {
                continue;
            }
            let site = Site::new(&platform, &token);
            let answer = site.send(method, &path(route, ACME.1), "{}".into()).await;
            answer.assert_api_error(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_lets_nobody_through() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    platform.app.store.close().await;
    for answer in answers(&Site::new(&platform, &token)).await {
        answer.assert_api_error(503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(!answer.body.contains("pool"), "the cause is for the log: {}", answer.body);
    }
}

#[tokio::test]
async fn a_row_that_nobody_understands_lets_nobody_through() {
    for change in [
        "update access_tokens set scopes = 'org:read everything'",
        "update access_tokens set scopes = 'ORG:READ'",
    ] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        platform.execute(change).await;
        for answer in answers(&Site::new(&platform, &token)).await {
            answer.assert_api_error(500, "server_error");
        }
    }
}

#[tokio::test]
async fn of_two_origins_neither_counts() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for origins in [[ACME_SITE, ACME_SITE], [ACME_SITE, GLOBEX_SITE], [PLATFORM, ACME_SITE]] {
        let request = Request::get("/api/0/").header("authorization", format!("Bearer {token}"));
        let request = origins.iter().fold(request, |request, origin| request.header("origin", *origin));
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        answer.assert_api_error(403, "origin_not_allowed");
    }
}
