//! Which answers which site may read: every route and every kind of origin, preflight and request.

use axum::http::Method;
use latchkey_server::routes::API;

use crate::support::{
    ACME_LOCAL, ACME_SITE, ADMIN, APP, Answer, GLOBEX_SITE, MEMBER, PLATFORM, Platform, Site, anonymous,
};

const FOREIGN: [&str; 6] = [
    "null",
    "https://evil.example",
    "https://www.acme.example:8443",
    "http://www.acme.example",
    "https://www.acme.example.evil.example",
    PLATFORM,
];

fn bearer_paths() -> Vec<(&'static str, String)> {
    let api = API.iter().map(|route| ("GET", route.path.replace("{organization}", "acme") + "/"));
    api.chain([("POST", "/oauth/token/".to_owned()), ("POST", "/oauth/revoke/".to_owned())]).collect()
}

fn allowed(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    answer.header("access-control-allow-origin")
}

#[track_caller]
fn assert_varies(answer: &Answer) {
    let vary: Vec<_> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.join(", ").to_lowercase().contains("origin"), "{vary:?}");
}

#[tokio::test]
async fn a_preflight_is_answered_for_registered_origins_alone() {
    let platform = Platform::new().await;
    for (method, path) in bearer_paths() {
        for origin in [ACME_SITE, ACME_LOCAL, GLOBEX_SITE] {
            let answer = Site::new(&platform, "").from(Some(origin)).preflight(method, &path).await;
            assert_eq!((answer.status, allowed(&answer)), (200, Some(origin)), "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST,PUT,DELETE"));
            assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type"));
            assert_varies(&answer);
        }
        for origin in FOREIGN {
            let answer = Site::new(&platform, "").from(Some(origin)).preflight(method, &path).await;
            assert_eq!(allowed(&answer), None, "{origin} {path}");
            assert_varies(&answer);
        }
    }
}

#[tokio::test]
async fn data_is_readable_by_the_application_s_own_site_alone() {
    let platform = Platform::new().await;
    let token = platform.whole_token(ADMIN).await;
    for route in API {
        let path = route.path.replace("{organization}", "acme");
        let own = Site::new(&platform, &token).get(&path).await;
        assert_eq!((own.status, allowed(&own)), (200, Some(ACME_SITE)));
        assert_eq!(own.header("access-control-expose-headers"), Some("www-authenticate,retry-after"));
        assert_varies(&own);
        let other = Site::new(&platform, &token).from(Some(GLOBEX_SITE)).get(&path).await;
        assert_eq!((other.status, allowed(&other)), (403, Some(GLOBEX_SITE)), "only the refusal");
        assert_varies(&other);
        let none = Site::new(&platform, &token).from(None).get(&path).await;
        assert_eq!((none.status, allowed(&none)), (200, None));
        assert_varies(&none);
    }
}

#[tokio::test]
async fn a_refusal_reaches_every_registered_site_as_what_it_is() {
    let platform = Platform::new().await;
    for (method, path) in bearer_paths() {
        let site = Site::new(&platform, "wrong");
        for origin in [ACME_SITE, GLOBEX_SITE] {
            let answer =
                site.clone().from(Some(origin)).send(method.parse().unwrap(), &path, String::new()).await;
            assert!(answer.status == 401 || answer.status == 400, "{}", answer.status);
            assert_eq!(allowed(&answer), Some(origin));
            let exposed = answer.header("access-control-expose-headers");
            assert_eq!(exposed, Some("www-authenticate,retry-after"));
        }
        for origin in FOREIGN {
            let answer =
                site.clone().from(Some(origin)).send(method.parse().unwrap(), &path, String::new()).await;
            assert_eq!(allowed(&answer), None, "{origin} {path}");
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_allowed_is_readable_as_well() {
    let platform = Platform::new().await;
    let answer = Site::new(&platform, "x").send(Method::DELETE, "/api/0/organizations/", String::new()).await;
    assert_eq!((answer.status, allowed(&answer)), (405, Some(ACME_SITE)));
}

#[tokio::test]
async fn an_address_of_the_api_that_does_not_exist_is_readable_as_well() {
    let platform = Platform::new().await;
    let site = Site::new(&platform, "x");
    let answer = site.get("/api/0/organizations/acme/nothing/").await;
    assert_eq!((answer.status, allowed(&answer)), (404, Some(ACME_SITE)));
    let answer = site.preflight("GET", "/api/0/organizations/acme/nothing/").await;
    assert_eq!((answer.status, allowed(&answer)), (200, Some(ACME_SITE)));
}

#[tokio::test]
async fn a_disabled_application_s_sites_lose_it_at_once() {
    for change in [
        "update applications set disabled_at = 1 where client_id = 'acmeclient'",
        "update organizations set disabled_at = 1 where slug = 'acme'",
        "delete from application_origins where origin = 'https://www.acme.example'",
    ] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        platform.execute(change).await;
        let site = Site::new(&platform, &token);
        assert_eq!(allowed(&site.preflight("GET", "/api/0/").await), None, "{change}");
        assert_eq!(allowed(&site.get("/api/0/").await), None, "{change}");
    }
}

#[tokio::test]
async fn a_public_document_is_readable_by_everybody() {
    let platform = Platform::new().await;
    for origin in FOREIGN.into_iter().chain([ACME_SITE]) {
        let site = Site::new(&platform, "").with(None).from(Some(origin));
        for path in [
            &format!("/toolbar/{APP}/status/"),
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/.well-known/oauth-protected-resource",
            "/oauth/jwks/",
        ] {
            let answer = site.get(path).await;
            assert_eq!((answer.status, allowed(&answer)), (200, Some("*")), "{path}");
            let preflight = site.preflight("GET", path).await;
            assert_eq!((preflight.status, allowed(&preflight)), (200, Some("*")), "{path}");
            assert_eq!(preflight.header("access-control-allow-headers"), Some("*"));
        }
    }
}

#[tokio::test]
async fn no_page_is_readable_by_anybody() {
    let platform = Platform::new().await;
    for origin in FOREIGN.into_iter().chain([ACME_SITE, GLOBEX_SITE]) {
        let site = Site::new(&platform, "").with(None).from(Some(origin));
        for path in [
            "/",
            "/login/",
            "/logout/",
            "/account/applications/",
            "/account/password/",
            "/api/0/api-authorizations/",
            "/oauth/authorize/",
            "/oauth/introspect/",
            "/toolbar/acmeclient/",
            "/toolbar/acmeclient/callback/",
            "/toolbar/acmeclient/session/",
            "/toolbar/acmeclient/session/token/",
            "/nowhere/",
            "/healthz",
        ] {
            for answer in [site.get(path).await, site.preflight("POST", path).await] {
                assert_eq!(allowed(&answer), None, "{path}");
                assert_eq!(answer.header("access-control-allow-methods"), None, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn a_request_that_names_no_origin_gets_no_permission() {
    let platform = Platform::new().await;
    assert_eq!(allowed(&anonymous(&platform, "/api/0/").await), None);
}
