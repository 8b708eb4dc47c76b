//! `GET /sdk/…`: the SDK for a script tag, at an address that any site may pin.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use latchkey_server::http::assets::is_built;
use sha2::{Digest, Sha384};

use crate::support::{ACME_SITE, ADMIN, APP, Answer, Person, Platform, Site, anonymous};

/// The tag's address, as a path, and its hash. None where nothing is built, which the answer then says.
async fn tag(platform: &Platform) -> Option<(String, String)> {
    let answer = anonymous(platform, "/sdk/").await;
    if !is_built() {
        assert_eq!(answer.status, 503, "{}", answer.body);
        return None;
    }
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let tag: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let path = tag["url"].as_str().unwrap().strip_prefix("https://platform.example").unwrap();
    Some((path.to_owned(), tag["integrity"].as_str().unwrap().to_owned()))
}

#[track_caller]
fn assert_script(answer: &Answer) {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/javascript")));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    // A browser compares a hash only of what the page may read.
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("set-cookie"), None);
}

#[tokio::test]
async fn the_script_is_what_the_hash_says_and_kept_for_ever_by_any_site() {
    let platform = Platform::new().await;
    let Some((path, integrity)) = tag(&platform).await else { return };
    for origin in [Some(ACME_SITE), Some("https://evil.example"), None] {
        let answer = Site::new(&platform, "").from(origin).get(&path).await;
        assert_script(&answer);
        assert_eq!(integrity, format!("sha384-{}", BASE64.encode(Sha384::digest(&answer.body))));
    }
    // What it loads itself it loads by a hash of its own.
    let apart = anonymous(&platform, &path.replace("latchkey.js", "latchkey-diagnose.js")).await;
    assert_script(&apart);
    let hash = format!("sha384-{}", BASE64.encode(Sha384::digest(&apart.body)));
    assert!(anonymous(&platform, &path).await.body.contains(&hash));
}

#[tokio::test]
async fn another_version_is_not_found() {
    let platform = Platform::new().await;
    let mut paths = vec!["/sdk/0000000000000000/latchkey.js".to_owned()];
    if let Some((path, _)) = tag(&platform).await {
        let folder = path.strip_suffix("latchkey.js").unwrap();
        paths.extend(
            ["index.js", "..%2flatchkey.js", "%2e%2e/latchkey.js"].map(|name| format!("{folder}{name}")),
        );
    }
    for path in paths {
        anonymous(&platform, &path).await.assert_error_page(404, "There is nothing at this address");
    }
}

#[tokio::test]
async fn the_page_of_an_application_shows_the_tag() {
    let platform = Platform::new().await;
    let Some((path, integrity)) = tag(&platform).await else { return };
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let page = admin.get(&format!("/organizations/acme/applications/{APP}/")).await;
    let (_, snippet) = page.body.split_once("id=\"snippet-script\">").unwrap();
    assert!(snippet.contains(&format!("src=\"https://platform.example{path}\"")), "{snippet}");
    let integrity = integrity.replace('+', "&#43;").replace('=', "&#61;");
    let shown = snippet.replace('+', "&#43;").replace('=', "&#61;");
    assert!(shown.contains(&integrity), "{snippet}");
}
