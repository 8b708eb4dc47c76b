//! What changes something comes from a page of the platform itself, by what the browser says.

use axum::http::{HeaderMap, header};
use latchkey_protocol::origin::Origin;

use crate::http::error::Error;

/// Refuses a request that changes something and does not come from a page of the platform itself.
///
/// Browsers send `Origin` with everything but GET and HEAD; where an old one does not, `Sec-Fetch-Site` must say it. A
/// request with neither is not from one of our pages.
pub fn require_same_origin(headers: &HeaderMap, platform: &Origin) -> Result<(), Error> {
    let is_own = match (headers.get(header::ORIGIN), headers.get("sec-fetch-site")) {
        (Some(origin), Some(site)) => origin == platform.as_str() && site == "same-origin",
        (Some(origin), None) => origin == platform.as_str(),
        (None, Some(site)) => site == "same-origin",
        (None, None) => false,
    };
    if is_own { Ok(()) } else { Err(Error::Forged) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_form_comes_from_our_own_page_or_is_refused() {
        let platform = Origin::parse("https://p.example").unwrap();
        for (origin, site, passes) in [
            (Some("https://p.example"), Some("same-origin"), true),
            (Some("https://p.example"), None, true),
            (None, Some("same-origin"), true),
            (None, None, false),
            (Some("https://evil.example"), None, false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("https://p.example"), Some("cross-site"), false),
            (Some("https://p.example"), Some("same-site"), false),
            (Some("https://p.example:8443"), None, false),
            (Some("http://p.example"), None, false),
            (Some("null"), None, false),
            (Some("null"), Some("same-origin"), false),
            (None, Some("cross-site"), false),
            (None, Some("none"), false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            assert_eq!(require_same_origin(&headers, &platform).is_ok(), passes, "{origin:?} {site:?}");
        }
    }
}
