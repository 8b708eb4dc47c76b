//! `GET /toolbar/{client_id}/callback/`: where responses arrive.

use latchkey_server::http::assets::is_built;

use super::assert_served;
use crate::support::{APP, Platform, anonymous};

#[tokio::test]
async fn the_page_is_framed_by_nobody_and_tells_nobody_where_it_is() {
    let platform = Platform::new().await;
    for (path, tokens) in [("callback/", "page"), ("callback/frame/", "frame")] {
        let page = anonymous(&platform, &format!("/toolbar/{APP}/{path}")).await;
        assert_served(&page);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("cross-origin-opener-policy"), None, "it needs its opener");
        if is_built() {
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
            assert!(policy.contains("script-src 'self' 'wasm-unsafe-eval'; "), "{policy}");
            assert!(page.body.contains(&format!("data-tokens=\"{tokens}\"")), "{}", page.body);
        }
    }
}

#[tokio::test]
async fn an_unknown_application_has_none() {
    let platform = Platform::new().await;
    for client_id in ["nobody", "%3Cscript%3E"] {
        let page = anonymous(&platform, &format!("/toolbar/{client_id}/callback/")).await;
        page.assert_error_page(404, "There is nothing at this address");
        assert!(!page.body.contains("<script>"));
    }
}

#[tokio::test]
async fn what_stands_in_its_address_stands_nowhere_in_it() {
    let platform = Platform::new().await;
    let path = format!("/toolbar/{APP}/callback/?access_token=lkat_canary&state=canary");
    let page = anonymous(&platform, &path).await;
    assert_served(&page);
    assert!(!page.body.contains("canary"));
}
