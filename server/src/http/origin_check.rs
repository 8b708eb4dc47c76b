//! Every form is held to its own page twice: by a token that only the page knows, and by where the browser says
//! it comes from.

use axum::http::{HeaderMap, header};
use latchkey_protocol::origin::Origin;

use crate::http::{browser::Browser, error::Error, parameters::Parameters};

/// Reads a form that a page of the platform itself sent. Whoever takes a form reads it here, and then asks
/// [`require_token`].
pub fn read_form(headers: &HeaderMap, body: &[u8], platform: &Origin) -> Result<Parameters, Error> {
    require_same_origin(headers, platform)?;
    Parameters::parse_form(body)
}

/// Refuses a form that does not bring this browser's `csrf` token for the purpose.
pub fn require_token(form: &Parameters, browser: &Browser, purpose: &str) -> Result<(), Error> {
    if browser.accepts(purpose, form.get("csrf").unwrap_or_default()) { Ok(()) } else { Err(Error::Forged) }
}

/// Refuses a request that changes something and does not come from a page of the platform itself.
///
/// Browsers send `Origin` with everything but GET and HEAD; where an old one does not, `Sec-Fetch-Site` must say it. A request with
/// neither is not from one of our pages.
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
