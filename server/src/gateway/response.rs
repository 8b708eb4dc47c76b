//! What a browser is told of a backend's answer.
//!
//! It comes back on the platform's own origin, where a page or a cookie of the backend's could do what the platform
//! can. So nothing passes but what describes the content, and the content itself runs nowhere: a separate host for the
//! API is still better, and can be had by `--public-url`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::gateway::{request::remove_hop_by_hop, upstream::Upstream};

/// A document that is nobody's, loads nothing and runs nothing.
pub const SANDBOX: HeaderValue = HeaderValue::from_static(
    "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// What describes an answer and nothing besides.
pub const PASSED_ON: [HeaderName; 19] = [
    header::ACCEPT_RANGES,
    header::AGE,
    header::ALLOW,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LINK,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
    header::WARNING,
];

/// Headers that never pass, whoever asks for it: they act on the origin that the answer comes from, or say what only
/// this server may say.
pub fn acts_on_the_platform(name: &HeaderName) -> bool {
    const NAMES: [&str; 29] = [
        "alt-svc",
        "authentication-info",
        "clear-site-data",
        "connection",
        "content-security-policy",
        "content-security-policy-report-only",
        "document-policy",
        "integrity-policy",
        "keep-alive",
        "nel",
        "origin-agent-cluster",
        "permissions-policy",
        "proxy-authenticate",
        "proxy-authentication-info",
        "public-key-pins",
        "referrer-policy",
        "refresh",
        "report-to",
        "reporting-endpoints",
        "service-worker-allowed",
        "set-cookie",
        "set-cookie2",
        "set-login",
        "sourcemap",
        "strict-transport-security",
        "transfer-encoding",
        "upgrade",
        "www-authenticate",
        "x-content-type-options",
    ];
    const FAMILIES: [&str; 8] = [
        "access-control-",
        "cross-origin-",
        "latchkey-",
        "sec-",
        "speculation-",
        "supports-loading-",
        "x-frame-",
        "x-permitted-",
    ];
    let name = name.as_str();
    NAMES.contains(&name) || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Makes the headers of an answer what a browser may see of it.
pub fn rewrite(headers: &mut HeaderMap, upstream: &Upstream) {
    remove_hop_by_hop(headers);
    let refused: Vec<HeaderName> = headers
        .keys()
        .filter(|name| !PASSED_ON.contains(name) && !upstream.response_headers.contains(name))
        .cloned()
        .collect();
    for name in refused {
        headers.remove(name);
    }
    if let Some(relative) = headers.get(header::LOCATION).and_then(|location| relative(location, upstream)) {
        headers.insert(header::LOCATION, relative);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
}

/// The address of the backend itself is nobody's to know, and nobody outside could follow it.
fn relative(location: &HeaderValue, upstream: &Upstream) -> Option<HeaderValue> {
    let path = location.to_str().ok()?.strip_prefix(&upstream.audience())?;
    match path.chars().next() {
        None => Some(HeaderValue::from_static("/")),
        Some('/' | '?') => HeaderValue::from_str(path).ok(),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::upstream::Settings;

    #[test]
    fn nothing_that_is_passed_on_acts_on_the_platform() {
        assert!(PASSED_ON.iter().all(|name| !acts_on_the_platform(name)));
    }

    #[test]
    fn a_redirect_to_the_backend_is_one_to_the_platform() {
        let upstream = Upstream::read(&Settings::at("http://127.0.0.1:9000")).unwrap();
        for (location, expected) in [
            ("http://127.0.0.1:9000/a?b", Some("/a?b")),
            ("http://127.0.0.1:9000", Some("/")),
            ("http://127.0.0.1:90001/a", None),
            ("http://127.0.0.1:9000.evil.example/", None),
            ("/a", None),
            ("https://docs.example/", None),
        ] {
            let found = relative(&HeaderValue::from_static(location), &upstream);
            assert_eq!(found.as_ref().map(|value| value.to_str().unwrap()), expected, "{location}");
        }
    }
}
