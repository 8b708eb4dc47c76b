//! Which requests a page may have this frame make with a token that the page never sees (SECURITY 43).
//!
//! The frame is of the platform's own origin, where more than the API answers: a call goes below [`PREFIX`] and nowhere
//! else, brings no credential besides the token, and says nothing that only a browser may. Nothing here touches the
//! browser.

use crate::text::join;

/// What every path begins with.
pub const PREFIX: &str = "/api/0/";

/// The methods that a call may have.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// The longest path, with its query, in bytes.
const MAX_PATH: usize = 8 * 1024;
/// The longest value of a header, in bytes.
const MAX_VALUE: usize = 8 * 1024;

/// The headers that are a credential, a browser's to write (Fetch §2.2.2), or a proxy's to believe.
const FORBIDDEN: [&str; 31] = [
    "accept-charset",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "cookie2",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "latchkey-frame",
    "origin",
    "permissions-policy",
    "priority",
    "referer",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];
/// What the names of others begin with.
const FORBIDDEN_PREFIXES: [&str; 4] = ["access-control-", "proxy-", "sec-", "x-forwarded-"];

/// Whether a call may have this method, as it stands.
pub fn is_method(method: &str) -> bool {
    METHODS.contains(&method)
}

/// Whether a call may bring this header.
pub fn is_header(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    // RFC 9110 §5.6.2.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7F);
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(is_token)
        && !FORBIDDEN.contains(&&*name)
        && !FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && value.len() <= MAX_VALUE
        && value.bytes().all(is_text)
}

/// The path of a call on the platform: one that begins with a slash as it stands, any other below this organization.
/// `None` for one that is, or that anything on the way could read as, another place.
pub fn resolve(path: &str, organization: &str) -> Option<String> {
    let (place, query) = path.split_once('?').map_or((path, None), |(place, query)| (place, Some(query)));
    // What a browser would cut off, or repair.
    if path.len() > MAX_PATH || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return None;
    }
    let relative = if place.starts_with('/') { place.strip_prefix(PREFIX)? } else { place };
    if !is_plain(relative) {
        return None;
    }
    let below =
        if place.starts_with('/') { String::new() } else { join(&["organizations/", organization, "/"]) };
    let query = query.map(|query| join(&["?", query])).unwrap_or_default();
    Some(join(&[PREFIX, &below, relative, &query]))
}

/// Whether a path below another one stays there, however often it is decoded.
fn is_plain(path: &str) -> bool {
    // A scheme (RFC 3986 §4.2), and what has no name before the first slash.
    if path.starts_with('/') || path.split('/').next().is_some_and(|first| first.contains(':')) {
        return false;
    }
    let mut bytes = path.as_bytes().to_vec();
    let slashes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'/').count();
    loop {
        let stays = bytes.split(|byte| *byte == b'/').all(|segment| !matches!(segment, b"." | b".."));
        let is_clean = bytes.iter().all(|byte| *byte != b'\\' && *byte > b' ' && *byte != 0x7F);
        if !stays || !is_clean || bytes.windows(2).any(|two| two == b"//") {
            return false;
        }
        let decoded = decode(&bytes);
        if decoded.len() == bytes.len() {
            return true;
        }
        // An encoded slash is another path to whoever decodes it.
        if slashes(&decoded) != slashes(&bytes) {
            return false;
        }
        bytes = decoded;
    }
}

/// Decodes what is encoded (RFC 3986 §2.1), once.
fn decode(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| text.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    decoded
}

/// The headers of an answer as a page reads them: what is said of the body as it travelled does not hold for the body as
/// it was decoded.
pub fn shown(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let is_encoded = headers.iter().any(|(name, _)| name == "content-encoding");
    let keep = |name: &str| !is_encoded || !matches!(name, "content-encoding" | "content-length");
    headers.into_iter().filter(|(name, _)| keep(name)).collect()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_stands_below_the_token_s_organization_or_below_the_api() {
        for (path, resolved) in [
            ("projects/", "/api/0/organizations/acme/projects/"),
            ("", "/api/0/organizations/acme/"),
            (
                "issues/?page=%2Fa%2Fb&cursor=../..//",
                "/api/0/organizations/acme/issues/?page=%2Fa%2Fb&cursor=../..//",
            ),
            ("/api/0/", "/api/0/"),
            ("/api/0/organizations/acme/members/?limit=1", "/api/0/organizations/acme/members/?limit=1"),
            ("files/a%20b..c/...", "/api/0/organizations/acme/files/a%20b..c/..."),
            ("a/b:c", "/api/0/organizations/acme/a/b:c"),
            ("100%", "/api/0/organizations/acme/100%"),
        ] {
            let found = resolve(path, "acme");
            // An encoded space is a space to whoever decodes it.
            let expected = (!path.contains("%20")).then(|| resolved.to_owned());
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn no_path_leads_elsewhere() {
        for path in [
            "/",
            "/api",
            "/api/",
            "/api/0",
            "/api/00/",
            "/api/1/",
            "/API/0/",
            "/login/",
            "/oauth/token/",
            "/toolbar/c1/session/",
            "//evil.example/api/0/",
            "/api/0//evil.example/",
            "https://evil.example/api/0/",
            "https:/api/0/",
            "javascript:alert(1)",
            "blob:x",
            "..",
            ".",
            "./projects/",
            "../globex/projects/",
            "projects/../../globex/",
            "projects/..",
            "/api/0/../../login/",
            "/api/0/./",
            "/api/0/%2e%2e/%2e%2e/login/",
            "/api/0/.%2E/",
            "/api/0/%252e%252e/",
            "/api/0/%25252e%25252e/",
            "/api/0/..%2f..%2flogin/",
            "/api/0/%2flogin",
            "/api/0/%255clogin",
            "/api/0/a%5c..%5cb",
            "\\\\evil.example",
            "/api/0\\..\\login",
            "/api/0/a\\b",
            " /login/",
            "pro jects/",
            "projects/\n",
            "projects/\t",
            "projects/%0a",
            "projects/%00",
            "projects/\u{0}",
            "projects/#x",
            "/api/0/#/login/",
            "prôjects/",
            "／／evil.example",
            "/api/0/．．/",
        ] {
            assert_eq!(resolve(path, "acme"), None, "{path:?}");
        }
        assert_eq!(resolve(&"a".repeat(MAX_PATH + 1), "acme"), None);
    }

    #[test]
    fn a_method_is_one_of_a_closed_list_to_the_letter() {
        for method in METHODS {
            assert!(is_method(method));
        }
        for method in
            ["", "get", "GET ", "CONNECT", "TRACE", "TRACK", "OPTIONS", "PROPFIND", "GET\r\nHost: x"]
        {
            assert!(!is_method(method), "{method:?}");
        }
    }

    #[test]
    fn no_header_is_a_credential_a_browser_s_or_a_proxy_s() {
        for name in ["accept", "Content-Type", "if-none-match", "x-request-id", "idempotency-key", "range"] {
            assert!(is_header(name, "x y\tz; q=0.5, é"), "{name}");
        }
        let others =
            ["Authorization", "COOKIE", "Sec-Fetch-Site", "sec-x", "Proxy-Authorization", "X-Forwarded-For"];
        for name in FORBIDDEN.into_iter().chain(others).chain(["access-control-request-method", "Proxy-x"]) {
            assert!(!is_header(name, "x"), "{name}");
        }
        for name in ["", " ", "a b", "a:", "a\r\nb", "é", "authorization ", "cookie\0", &"a".repeat(65)] {
            assert!(!is_header(name, "x"), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\nb", "\0", "\u{7f}", &"a".repeat(MAX_VALUE + 1)] {
            assert!(!is_header("accept", value), "{value:.20?}");
        }
    }

    #[test]
    fn what_was_said_of_an_encoded_body_is_not_said_of_the_decoded_one() {
        let pair = |name: &str| (name.to_owned(), "x".to_owned());
        let all = vec![pair("content-length"), pair("content-type")];
        assert_eq!(shown(all.clone()), all);
        let encoded = [all, vec![pair("content-encoding")]].concat();
        assert_eq!(shown(encoded), [pair("content-type")]);
    }

    /// Whatever a server or a proxy makes of a path that is let through, by the URL standard and after any number of
    /// decodings, it stays below the prefix.
    fn stays(resolved: &str) -> bool {
        let (mut place, _) = resolved.split_once('?').unwrap_or((resolved, ""));
        let mut decoded;
        loop {
            let mut depth = 0;
            for segment in place.trim_start_matches(PREFIX).split(['/', '\\']) {
                depth += if segment == ".." { -1 } else { 1 };
                if depth < 0 {
                    return false;
                }
            }
            if !place.starts_with(PREFIX) {
                return false;
            }
            decoded = String::from_utf8_lossy(&decode(place.as_bytes())).into_owned();
            if decoded == place {
                return true;
            }
            place = Box::leak(decoded.into_boxed_str());
        }
    }

    proptest! {
        #[test]
        fn whatever_is_let_through_stays_below_the_prefix(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "/", "\\", ".", "..", "%2e", "%2E", "%252e", "%2f", "%5c", "%25", "2e", "api", "0", "/api/0/", "a",
                    "?", "#", ":", "//", "%", " ", "\n", "@", "http:", "login",
                ]),
                0..12,
            ),
        ) {
            let path = parts.concat();
            if let Some(resolved) = resolve(&path, "acme") {
                prop_assert!(stays(&resolved), "{path:?} became {resolved:?}");
                let segments = resolved.split('?').next().unwrap_or_default();
                prop_assert!(!segments.contains("//") && !segments.contains('\\'));
            }
        }

        #[test]
        fn any_text_is_resolved_or_refused_without_a_panic(path in "\\PC{0,64}", name in "\\PC{0,16}") {
            let _ = resolve(&path, "acme");
            let _ = (is_method(&name), is_header(&name, &path));
        }
    }
}
