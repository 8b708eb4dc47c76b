//! `GET /toolbar/{client_id}/`: who may frame the page.

use latchkey_server::http::assets::is_built;

use super::assert_served;
use crate::support::{ACME_LOCAL, ACME_SITE, APP, GLOBEX_SITE, Platform, anonymous};

const SCRIPTED: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                        connect-src 'self'; base-uri 'none'; form-action 'none'";

#[tokio::test]
async fn the_page_is_framed_by_the_application_s_origins_and_nobody_else() {
    let platform = Platform::new().await;
    let page = anonymous(&platform, &format!("/toolbar/{APP}/")).await;
    assert_served(&page);
    if is_built() {
        let expected =
            format!("{SCRIPTED}; frame-ancestors 'self' {ACME_LOCAL} https://shop.acme.example {ACME_SITE}");
        assert_eq!(page.header("content-security-policy"), Some(expected.as_str()));
        assert_eq!(page.header("x-frame-options"), None);
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        // For sites that take only what agrees to it.
        assert_eq!(page.header("cross-origin-embedder-policy"), Some("require-corp"));
        assert_eq!(page.header("cross-origin-resource-policy"), Some("cross-origin"));
        assert!(!page.body.contains(GLOBEX_SITE));
    }
}

#[tokio::test]
async fn the_page_runs_no_script_that_stands_in_it() {
    let platform = Platform::new().await;
    for path in [format!("/toolbar/{APP}/"), format!("/toolbar/{APP}/callback/")] {
        let page = anonymous(&platform, &path).await;
        assert_served(&page);
        for script in page.body.split("<script").skip(1) {
            assert!(script.contains("src=\"/assets/") && script.contains("></script>"), "{script}");
        }
        assert!(!page.body.contains(" on") || !page.body.contains("onload="), "{}", page.body);
    }
}

#[tokio::test]
async fn what_the_request_says_about_itself_changes_nothing() {
    let platform = Platform::new().await;
    let path = format!("/toolbar/{APP}/");
    let plain = anonymous(&platform, &path).await;
    for query in ["?origin=https://evil.example", "?frame-ancestors=*", "?referrer=https://evil.example"] {
        let page = anonymous(&platform, &format!("{path}{query}")).await;
        assert_eq!((page.body, page.headers), (plain.body.clone(), plain.headers.clone()));
    }
}

#[tokio::test]
async fn an_unknown_or_disabled_application_is_a_page_that_nobody_frames() {
    let platform = Platform::new().await;
    platform.execute("update applications set disabled_at = 1 where client_id = 'globexclient'").await;
    for client_id in ["nobody", "globexclient", "ACMECLIENT", "%2e%2e", "acmeclient%20"] {
        let page = anonymous(&platform, &format!("/toolbar/{client_id}/")).await;
        page.assert_error_page(404, "There is nothing at this address");
        assert!(page.header("content-security-policy").unwrap().ends_with("frame-ancestors 'none'"));
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
    }
    platform.execute("update organizations set disabled_at = 1 where slug = 'acme'").await;
    assert_eq!(anonymous(&platform, &format!("/toolbar/{APP}/")).await.status, 404);
}
