//! The security headers of every answer.

use std::fmt::Write;

use latchkey_server::http::assets;

use crate::support::{
    ACME_SITE, ADMIN, APP, Answer, Asking, MEMBER, OWNER, Person, Platform, STRANGER, Site, anonymous,
};

const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const PAGE: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
                    frame-ancestors 'none'";
/// Of a page that is better with a little JavaScript of ours.
const ENHANCED: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
                        base-uri 'none'; frame-ancestors 'none'";
const NAMES: [&str; 7] = [
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cache-control",
    "permissions-policy",
    "strict-transport-security",
];

fn snapshot(answer: &Answer) -> String {
    NAMES.iter().fold(answer.status.to_string(), |mut text, name| {
        let _ = write!(text, "\n{name}: {}", answer.header(name).unwrap_or("-"));
        text
    })
}

fn expected(status: u16, policy: &str) -> String {
    format!(
        "{status}\ncontent-security-policy: {policy}\nx-content-type-options: nosniff\nx-frame-options: DENY\n\
         referrer-policy: same-origin\ncache-control: no-store\n\
         permissions-policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\n\
         strict-transport-security: max-age=63072000"
    )
}

/// Whatever cannot be read is answered by us, and not by the framework.
#[tokio::test]
async fn of_addresses_that_cannot_be_read() {
    let platform = Platform::new().await;
    for path in [
        "/organizations/%ff/",
        "/organizations/%ff/applications/",
        "/organizations/acme/applications/%c3%28/edit/",
        "/organizations/%ff/members/",
        "/organizations/%ff/audit/",
        "/toolbar/%ff/",
        "/toolbar/%ff/setup/",
    ] {
        let answer = anonymous(&platform, path).await;
        answer.assert_error_page(404, "There is nothing at this address");
        assert_eq!(snapshot(&answer), expected(404, PAGE), "{path}");
    }
    for path in [
        "/api/0/organizations/%ff/api-applications/",
        "/api/0/organizations/acme/api-applications/%ff/",
        "/toolbar/%ff/status/",
        "/toolbar/%ff/session/",
        "/toolbar/%ff/session/token/",
    ] {
        let answer = anonymous(&platform, path).await;
        answer.assert_api_error(404, "not_found");
        assert_eq!(snapshot(&answer), expected(404, NOTHING), "{path}");
    }
    // Behind the gate they are an organization like any other that is not the token's.
    for path in ["/api/0/organizations/%ff/", "/api/0/organizations/%ff/members/"] {
        let answer = Site::new(&platform, "").with(None).get(path).await;
        assert_eq!(snapshot(&answer), expected(401, NOTHING), "{path}");
        assert!(answer.header("access-control-allow-origin").is_some(), "its site can read that");
    }
}

#[tokio::test]
async fn of_pages() {
    let platform = Platform::new().await;
    for (path, status) in [
        ("/", 200),
        ("/login/", 200),
        ("/login/?transaction=x", 400),
        ("/logout/", 405),
        ("/oauth/authorize/", 400),
        ("/nowhere/", 404),
        ("/toolbar/nobody/", 404),
        ("/toolbar/nobody/callback/", 404),
        ("/assets/x/pages.css", 404),
    ] {
        assert_eq!(snapshot(&anonymous(&platform, path).await), expected(status, PAGE), "{path}");
    }
}

#[tokio::test]
async fn of_pages_for_who_is_signed_in() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, ADMIN).await;
    for path in [
        "/",
        "/account/",
        "/account/applications/",
        "/account/password/",
        "/organizations/acme/audit/",
        "/organizations/acme/audit/?since=x",
    ] {
        assert_eq!(snapshot(&person.get(path).await), expected(200, ENHANCED), "{path}");
    }
    assert_eq!(snapshot(&person.get("/organizations/globex/audit/").await), expected(404, PAGE));
    assert_eq!(snapshot(&person.get("/account/sessions/").await), expected(405, PAGE));
    assert_eq!(snapshot(&anonymous(&platform, "/organizations/acme/audit/").await), expected(303, NOTHING));
    assert_eq!(snapshot(&person.get("/api/0/api-authorizations/").await), expected(200, NOTHING));
    assert_eq!(snapshot(&anonymous(&platform, "/account/password/").await), expected(303, NOTHING));
}

#[tokio::test]
async fn of_the_pages_about_members() {
    let enhanced = PAGE.replace("style-src", "script-src 'self'; style-src");
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, OWNER).await;
    for path in ["/organizations/acme/members/", "/organizations/acme/members/max/remove/"] {
        assert_eq!(snapshot(&person.get(path).await), expected(200, &enhanced), "{path}");
    }
    for (path, status) in [
        ("/organizations/acme/members/max/role/", 405),
        ("/organizations/acme/members/nobody/remove/", 404),
        ("/organizations/nowhere/members/", 404),
        ("/invitations/x/", 404),
    ] {
        assert_eq!(snapshot(&person.get(path).await), expected(status, PAGE), "{path}");
    }
    let of_an_open_one = platform.invite(STRANGER, "member").await;
    for (email, status) in [(STRANGER, 200), (OWNER, 403)] {
        let mut person = Person::signed_in(&platform, email).await;
        assert_eq!(snapshot(&person.get(&of_an_open_one).await), expected(status, PAGE), "{email}");
    }
    assert_eq!(snapshot(&anonymous(&platform, &of_an_open_one).await), expected(303, NOTHING));
}

#[tokio::test]
async fn of_the_api_and_of_what_is_no_page() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    for (path, status) in [
        ("/api/0/", 200),
        ("/api/0/organizations/", 200),
        ("/api/0/organizations/acme/", 200),
        ("/api/0/organizations/acme/members/", 200),
        ("/api/0/organizations/acme/projects/", 200),
        ("/api/0/organizations/globex/", 403),
        ("/api/0/api-authorizations/", 403),
        ("/api/0/nowhere/", 404),
        ("/api/0/?access_token=x", 400),
        ("/oauth/revoke/", 405),
        ("/oauth/token/", 405),
        ("/oauth/introspect/", 405),
        ("/oauth/userinfo/", 200),
        ("/healthz", 204),
        ("/readyz", 204),
        ("/toolbar/acmeclient/status/", 200),
        ("/toolbar/nobody/status/", 200),
        ("/toolbar/acmeclient/session/", 405),
        ("/toolbar/acmeclient/session/token/", 405),
    ] {
        let answer = Site::new(&platform, &token).get(path).await;
        assert_eq!(snapshot(&answer), expected(status, NOTHING), "{path}");
    }
    let answer = Site::new(&platform, "x").get("/api/0/").await;
    assert_eq!(snapshot(&answer), expected(401, NOTHING));
    let answer = Site::new(&platform, "x").preflight("GET", "/api/0/").await;
    assert_eq!(snapshot(&answer), expected(200, NOTHING));
}

/// They are public and the same for everybody, so whoever wants may keep them for a while.
#[tokio::test]
async fn of_documents() {
    let platform = Platform::new().await;
    for (path, kept) in [
        ("/.well-known/oauth-authorization-server", "public, max-age=3600"),
        ("/.well-known/openid-configuration", "public, max-age=3600"),
        ("/.well-known/oauth-protected-resource", "public, max-age=3600"),
        ("/oauth/jwks/", "no-cache"),
    ] {
        let answer = anonymous(&platform, path).await;
        let expected = expected(200, NOTHING).replace("no-store", kept);
        assert_eq!(snapshot(&answer), expected, "{path}");
    }
}

#[tokio::test]
async fn of_redirects() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform);
    assert_eq!(snapshot(&person.ask(&Asking::new()).await), expected(303, NOTHING));
    let mut person = Person::signed_in(&platform, MEMBER).await;
    assert_eq!(snapshot(&person.allow(&Asking::new()).await), expected(303, NOTHING));
}

#[tokio::test]
async fn of_failures() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let large = Site::new(&platform, &token);
    let answer = large.send(axum::http::Method::POST, "/oauth/revoke/", "x".repeat(1 << 17)).await;
    assert_eq!(snapshot(&answer), expected(413, NOTHING));
    platform.execute("update access_tokens set scopes = 'x'").await;
    let answer = Site::new(&platform, &token).get("/api/0/").await;
    assert_eq!(snapshot(&answer), expected(500, NOTHING));
    platform.app.store.close().await;
    assert_eq!(snapshot(&anonymous(&platform, "/readyz").await), expected(503, NOTHING));
    assert_eq!(snapshot(&anonymous(&platform, &Asking::new().path()).await), expected(503, PAGE));
}

/// Browsers apply `form-action` to the redirect that follows the form.
#[tokio::test]
async fn forms_lead_to_the_platform_and_to_the_site_that_asked() {
    let platform = Platform::new().await;
    let own = ENHANCED.to_owned();
    let with_site = ENHANCED.replace("form-action 'self'", "form-action 'self' https://www.acme.example");
    for (asking, policy) in [(Asking::new(), own), (Asking::redirect(), with_site)] {
        let mut person = Person::new(&platform);
        let login = person.ask(&asking).await.location().to_owned();
        let page = person.get(&login).await;
        assert_eq!(page.header("content-security-policy"), Some(policy.as_str()));
        let next = person.log_in(&login, MEMBER, "wrong horse").await;
        assert_eq!((next.status, next.header("content-security-policy")), (422, Some(policy.as_str())));
        let page = Person::signed_in(&platform, MEMBER).await.ask(&asking).await;
        assert_eq!((page.status, page.header("content-security-policy")), (200, Some(policy.as_str())));
    }
}

/// A window that never says that it is there may have been cut off from its opener.
#[tokio::test]
async fn the_pages_of_the_sign_in_window_tell_the_site_that_asked_and_no_other_page_does() {
    let platform = Platform::new().await;
    let script = format!("<script src=\"{}/alive.js\" data-site=\"{ACME_SITE}\"></script>", assets::base());
    let mut person = Person::new(&platform);
    let login = person.ask(&Asking::new()).await.location().to_owned();
    for page in [
        person.get(&login).await,
        person.log_in(&login, MEMBER, "wrong horse").await,
        Person::new(&platform).ask(&Asking::new().with("scope", "org:everything")).await,
        Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await,
        Person::signed_in(&platform, STRANGER).await.ask(&Asking::new()).await,
    ] {
        assert!(page.body.contains(&script), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().contains("script-src 'self';"));
    }
    for page in [person.get("/login/").await, person.get("/oauth/authorize/").await, person.get("/").await] {
        assert!(!page.body.contains("<script"), "{}", page.body);
    }
}

#[tokio::test]
async fn strict_transport_security_is_for_https_alone() {
    let platform = Platform::at("http://platform.localhost:8000").await;
    for path in ["/", "/api/0/", "/nowhere/"] {
        let answer = anonymous(&platform, path).await;
        assert_eq!(answer.header("strict-transport-security"), None);
    }
}

#[tokio::test]
async fn no_popup_page_cuts_itself_off_from_its_opener() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for page in [
        person.ask(&Asking::new()).await,
        person.get("/login/").await,
        anonymous(&platform, &format!("/toolbar/{APP}/callback/")).await,
        anonymous(&platform, "/oauth/authorize/").await,
    ] {
        assert_eq!(page.header("cross-origin-opener-policy"), None);
        assert_eq!(page.header("cross-origin-embedder-policy"), None);
    }
}

#[tokio::test]
async fn a_slash_at_the_end_is_optional_everywhere() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let stylesheet = format!("{}/pages.css", assets::base());
    for path in [
        "/login",
        "/logout",
        "/account",
        "/account/applications",
        "/account/sessions",
        "/organizations/acme/audit",
        "/account/password",
        "/api/0/api-authorizations",
        "/oauth/authorize",
        "/oauth/revoke",
        "/toolbar/acmeclient",
        "/toolbar/acmeclient/callback",
        "/toolbar/acmeclient/callback/frame",
        "/toolbar/acmeclient/status",
        "/toolbar/acmeclient/session",
        "/toolbar/acmeclient/session/token",
        "/api/0",
        "/api/0/organizations",
        "/api/0/organizations/acme",
        "/api/0/organizations/acme/members",
        "/api/0/organizations/acme/projects",
        "/healthz",
        "/readyz",
        "/nowhere",
        &stylesheet,
    ] {
        let site = Site::new(&platform, &token);
        let (without, with) = (site.get(path).await, site.get(&format!("{path}/")).await);
        assert_eq!(without.status, with.status, "{path}");
        assert_eq!(snapshot(&without), snapshot(&with), "{path}");
        assert_eq!(without.header("location"), with.header("location"), "{path}");
        assert!(path == "/nowhere" || with.status != 404, "{path}");
    }
}
