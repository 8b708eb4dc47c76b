//! What a browser is told of a backend's answer.
//!
//! It comes back on the platform's own origin, where a page or a cookie of the backend's could do what the platform
//! can. So nothing passes but what describes the content, and the content itself runs nowhere: a separate host for the
//! API is still better, and can be had by `--public-url`.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use url::{Position, Url};

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
    // Whatever lies between here and the browser must not give one person's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("authorization"));
    if let Some(kept) = kept_privately(headers) {
        headers.insert(header::CACHE_CONTROL, kept);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
}

/// What `Cache-Control` says, without what lets a cache that several people share keep the answer to a request with a token
/// (RFC 9111 §3.5); `None` where it says nothing, and such a cache keeps nothing.
fn kept_privately(headers: &HeaderMap) -> Option<HeaderValue> {
    let said = headers.get_all(header::CACHE_CONTROL).iter();
    let said: Vec<String> =
        said.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase()).collect();
    if said.is_empty() {
        return None;
    }
    let said = said.join(",");
    // A list of names of headers, in quotes, would let everything else of the answer be shared.
    let unquoted: String = said.split('"').step_by(2).collect();
    let kept = |directive: &'_ str| -> Option<String> {
        let directive = directive.trim();
        let (name, argument) = directive.split_once('=').unwrap_or((directive, "whole"));
        match (name.trim(), argument.trim()) {
            ("" | "public" | "s-maxage" | "private", _) => None,
            // With such a list it would be less.
            ("no-cache", _) => Some("no-cache".to_owned()),
            (_, "") => None,
            _ => Some(directive.to_owned()),
        }
    };
    let directives: Vec<_> =
        std::iter::once("private".to_owned()).chain(unquoted.split(',').filter_map(kept)).collect();
    HeaderValue::from_str(&directives.join(", ")).ok()
}

/// The address of the backend itself is nobody's to know, and nobody outside could follow it. It is read as a browser
/// reads it, for which `\\` is a `/`.
fn relative(location: &HeaderValue, upstream: &Upstream) -> Option<HeaderValue> {
    // Tabs count for nothing wherever they stand.
    let location = location.to_str().ok()?.replace('\t', "");
    let slashes = location.chars().take(2).filter(|character| matches!(character, '/' | '\\')).count();
    // What is relative is found from the platform's own address.
    if slashes < 2 && Url::parse(&location).is_err() {
        return None;
    }
    let backend = Url::parse(&upstream.audience()).ok()?;
    let target = backend.join(&location).ok().filter(|target| target.origin() == backend.origin())?;
    let path = &target[Position::BeforePath..];
    // Two slashes would begin another host's address.
    HeaderValue::from_str(&if path.starts_with("//") { format!("/.{path}") } else { path.to_owned() }).ok()
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
    fn no_cache_that_people_share_keeps_an_answer() {
        for (said, kept) in [
            (&[][..], None),
            (&["public, max-age=60"], Some("private, max-age=60")),
            (&["s-maxage=60", "Max-Age=5, PUBLIC"], Some("private, max-age=5")),
            (&["max-age=60, must-revalidate"], Some("private, max-age=60, must-revalidate")),
            (&["private, max-age=5"], Some("private, max-age=5")),
            (&["private=\"set-cookie, public\", max-age=5"], Some("private, max-age=5")),
            (&["no-store"], Some("private, no-store")),
            (&["no-cache=\"x, public\""], Some("private, no-cache")),
        ] {
            let headers = said.iter().map(|said| (header::CACHE_CONTROL, HeaderValue::from_static(said)));
            let mut headers = HeaderMap::from_iter(headers.take(1));
            for said in said.iter().skip(1) {
                headers.append(header::CACHE_CONTROL, HeaderValue::from_static(said));
            }
            assert_eq!(
                kept_privately(&headers).as_ref().map(|kept| kept.to_str().unwrap()),
                kept,
                "{said:?}"
            );
        }
    }

    #[test]
    fn a_redirect_to_the_backend_is_one_to_the_platform() {
        let upstream = Upstream::read(&Settings::at("http://127.0.0.1:9000")).unwrap();
        for (location, expected) in [
            ("http://127.0.0.1:9000/a?b", Some("/a?b")),
            ("http://127.0.0.1:9000", Some("/")),
            ("HTTP://127.0.0.1:9000/a#b", Some("/a#b")),
            ("http://127.0.0.1:9000\\a", Some("/a")),
            ("http:\\\\127.0.0.1:9000\\a", Some("/a")),
            ("//127.0.0.1:9000/a", Some("/a")),
            ("\\\\127.0.0.1:9000/a", Some("/a")),
            ("http://user@127.0.0.1:9000/a", Some("/a")),
            ("http://127.0.0.1:9000//evil.example/", Some("/.//evil.example/")),
            ("a/b", None),
            ("?a", None),
            ("//docs.example/", None),
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
