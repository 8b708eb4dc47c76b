//! `GET /assets/…`: files that a browser keeps for ever.

use axum::{body::Body, http::Request};
use latchkey_server::http::assets;

use crate::support::{Platform, anonymous};

#[tokio::test]
async fn a_file_is_served_as_what_it_is_and_kept_for_ever() {
    let platform = Platform::new().await;
    for (name, kind) in [("pages.css", "text/css"), ("tokens.css", "text/css"), ("mark.svg", "image/svg+xml")]
    {
        let answer = anonymous(&platform, &format!("{}/{name}", assets::base())).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)));
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test]
async fn a_file_comes_in_the_smallest_coding_that_is_accepted() {
    let platform = Platform::new().await;
    let path = format!("{}/pages.css", assets::base());
    let plain = anonymous(&platform, &path).await;
    assert_eq!(plain.header("content-encoding"), None);
    // One cache for all browsers keeps each coding apart.
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    for (accepted, coding) in [("gzip, br", "br"), ("gzip", "gzip")] {
        let request = Request::get(&path).header("accept-encoding", accepted).body(Body::empty()).unwrap();
        let answer = platform.send(request).await;
        assert_eq!((answer.status, answer.header("vary")), (200, Some("accept-encoding")));
        assert_eq!(answer.header("content-type"), Some("text/css"));
        // A server beside which nothing was built has nothing but the files.
        if assets::is_built() {
            assert_eq!(answer.header("content-encoding"), Some(coding));
            assert_ne!(answer.body, plain.body);
        }
    }
}

#[tokio::test]
async fn another_version_and_another_folder_are_not_found() {
    let platform = Platform::new().await;
    for path in [
        "/assets/0000000000000000/pages.css".to_owned(),
        format!("{}/nothing.css", assets::base()),
        format!("{}/..%2f..%2fCargo.toml", assets::base()),
        format!("{}/%2e%2e/pages.css", assets::base()),
        "/assets/".into(),
    ] {
        anonymous(&platform, &path).await.assert_error_page(404, "There is nothing at this address");
    }
}
