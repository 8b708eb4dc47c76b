//! Paths that mean one thing to everybody who reads them.
//!
//! The gate judges a path, and another program answers it: where the two could read it differently, one of them would
//! let through what the other refuses. So a path with anything in it that some reader resolves, decodes twice, cuts off
//! or skips is refused before it is judged. What is let through is passed on byte for byte.

/// Whether every reader understands the path alike.
///
/// It has no empty segment but the last, no `.` or `..`, no `\`, no `;` (matrix parameters, which some cut off before
/// they look at the segment), and nothing percent-encoded that would be one of these, a `/`, a `%` (which somebody could
/// decode a second time), a control character or a letter, digit or mark that needs no encoding (RFC 3986 §2.3, the
/// same path in another spelling); and what is encoded is UTF-8.
pub fn is_unambiguous(path: &str) -> bool {
    let Some(relative) = path.strip_prefix('/') else { return false };
    let mut segments = relative.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !is_last) || !is_plain(segment) {
            return false;
        }
    }
    true
}

fn is_plain(segment: &str) -> bool {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let Some(byte) = hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| high << 4 | low)
                else {
                    return false;
                };
                if needs_no_encoding(byte) || byte.is_ascii_control() || b"/\\%;".contains(&byte) {
                    return false;
                }
                decoded.push(byte);
            }
            b'\\' | b';' => return false,
            // Anything else in a path is encoded (RFC 3986 §3.3).
            byte if !byte.is_ascii_graphic() => return false,
            byte => decoded.push(byte),
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// RFC 3986 §2.3: `unreserved`.
fn needs_no_encoding(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_that_anybody_could_read_differently_is_refused() {
        for path in [
            "",
            "a",
            "*",
            "//",
            "/a//b",
            "//a",
            "/a//",
            "/.",
            "/..",
            "/a/../b",
            "/a/./b",
            "/a/..",
            "/a/%2e%2e/b",
            "/a/%2E/b",
            "/a/.%2e/b",
            "/a/..%2fb",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a/..\\b",
            "/a;b=c/d",
            "/a;/d",
            "/a/..;/b",
            "/a%3bb",
            "/a%252e%252e/b",
            "/a%25",
            "/a%2",
            "/a%",
            "/a%zz",
            "/a%00",
            "/a%0d%0ab",
            "/a%7f",
            "/%61cme",
            "/a%7e",
            "/a%ff",
            "/a%c0%ae",
            "/a%c0%af",
            "/a%e0%80%af",
            "/a b",
            "/a\u{e9}",
            "/a\tb",
        ] {
            assert!(!is_unambiguous(path), "{path:?}");
        }
    }

    #[test]
    fn a_plain_path_is_let_through() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/a/b/c",
            "/a.b/...c/d..",
            "/a%20b",
            "/caf%C3%A9",
            "/a:b@c!$&'()*+,=~_-",
            "/%E2%80%AE",
            "/a%3Fb%23c",
        ] {
            assert!(is_unambiguous(path), "{path:?}");
        }
    }

    proptest! {
        /// Whatever is let through stays the same however often it is decoded, and resolves to itself.
        #[test]
        fn what_is_let_through_resolves_to_itself(path in "/([a-c.;/\\\\%25eEfF]|%2[eEfF5]|\\.\\.|%5c){0,14}") {
            if is_unambiguous(&path) {
                let url = url::Url::parse(&format!("http://a{path}")).unwrap();
                prop_assert_eq!(url.path(), &path);
                let once = percent_encoding::percent_decode_str(&path).decode_utf8().unwrap();
                let twice = percent_encoding::percent_decode_str(&once).decode_utf8().unwrap();
                prop_assert_eq!(&once, &twice);
                prop_assert_eq!(once.split('/').count(), path.split('/').count());
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(path in "\\PC{0,40}") {
            let _ = is_unambiguous(&path);
        }
    }
}
