//! `GET /sdk/…`: the SDK for a script tag, at an address that any site may pin.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use latchkey_server::{
    config::Config,
    http::{assets::is_built, script},
    secret::Entropy,
};
use sha2::{Digest, Sha384};
use std::path::Path;

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

/// A platform that keeps the scripts of versions before this one here.
async fn keeping(folder: &Path) -> Platform {
    Platform::with(Config { scripts: Some(folder.to_owned()), ..Platform::config() }).await
}

/// The version of a script, as its address names it.
fn version_of(script: &str) -> String {
    Sha384::digest(script)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn what_a_site_has_pinned_is_there_after_an_update() {
    let folder = tempfile::tempdir().unwrap();
    let platform = keeping(folder.path()).await;
    let older = "globalThis.latchkey = 1;";
    let version = version_of(older);
    let path = format!("/sdk/{version}/latchkey.js");
    anonymous(&platform, &path).await.assert_error_page(404, "There is nothing at this address");
    // As the server of that version left it.
    std::fs::create_dir(folder.path().join(&version)).unwrap();
    for (name, text) in
        [("latchkey.js", older), ("latchkey-diagnose.js", "export {}"), ("secret.txt", "secret")]
    {
        std::fs::write(folder.path().join(&version).join(name), text).unwrap();
    }
    for (name, text) in [("latchkey.js", older), ("latchkey-diagnose.js", "export {}")] {
        let answer = anonymous(&platform, &format!("/sdk/{version}/{name}")).await;
        assert_script(&answer);
        assert_eq!(answer.body, text);
    }
    for name in ["secret.txt", "..%2flatchkey.js", "nothing.js"] {
        let answer = anonymous(&platform, &format!("/sdk/{version}/{name}")).await;
        answer.assert_error_page(404, "There is nothing at this address");
    }
    // What is not what its address says is nothing.
    std::fs::write(folder.path().join(&version).join("latchkey.js"), "globalThis.latchkey = 2;").unwrap();
    for name in ["latchkey.js", "latchkey-diagnose.js"] {
        let answer = anonymous(&platform, &format!("/sdk/{version}/{name}")).await;
        answer.assert_error_page(404, "There is nothing at this address");
    }
}

#[tokio::test]
async fn a_server_that_starts_leaves_its_script_for_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let platform = Platform::new().await;
    let Some((path, _)) = tag(&platform).await else { return };
    for _ in 0..2 {
        script::keep(folder.path(), &Entropy::System).unwrap();
    }
    let version = path.split('/').nth(2).unwrap();
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [version]);
    let script = std::fs::read_to_string(folder.path().join(version).join("latchkey.js")).unwrap();
    assert_eq!(script, anonymous(&platform, &path).await.body);
    assert_eq!(version_of(&script), version);
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
