//! The site of a cell: one page that signs in, one that the redirect comes back to, and their headers.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use super::cell::{Coop, Csp, Line};
use crate::site::Settings;

const PAGE: &str = include_str!("../../matrix/site/page.html");
const SCRIPT: &str = include_str!("../../matrix/site/page.js");

/// The pages, below `/matrix/{coop}/{csp}/`: `page.html` and `redirect.html`, which are the same but for the name.
pub(crate) fn pages() -> Router<Arc<Settings>> {
    Router::new().route("/matrix/page.js", get(script)).route("/matrix/{coop}/{csp}/{page}", get(page))
}

/// The addresses that a response may be sent to: each site's own page, with that site's headers.
pub(crate) fn redirect_uris(origin: &str) -> Vec<String> {
    let of = |coop: Coop| Csp::ALL.map(|csp| format!("{origin}{}", path(coop, csp, "redirect.html")));
    Coop::ALL.into_iter().flat_map(of).collect()
}

/// Where a site's page is.
pub(crate) fn path(coop: Coop, csp: Csp, page: &str) -> String {
    format!("/matrix/{}/{}/{page}", coop.name(), csp.name())
}

async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript")], SCRIPT).into_response()
}

async fn page(
    State(settings): State<Arc<Settings>>,
    Path((coop, csp, _page)): Path<(String, String, String)>,
) -> Response {
    let coop = Coop::ALL.into_iter().find(|value| value.name() == coop);
    let csp = Csp::ALL.into_iter().find(|value| value.name() == csp);
    let (Some(coop), Some(csp)) = (coop, csp) else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response();
    let headers = response.headers_mut();
    if coop != Coop::None {
        headers.insert("cross-origin-opener-policy", HeaderValue::from_static(coop.name()));
    }
    if let Some(policy) = policy(csp, &settings.platform)
        && let Ok(policy) = HeaderValue::from_str(&policy)
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The policy of a site that is as strict as the SDK allows, or one line too strict.
fn policy(csp: Csp, platform: &str) -> Option<String> {
    let missing = match csp {
        Csp::None => return None,
        Csp::Strict => None,
        Csp::Missing(line) => Some(line),
    };
    let unless = |line, text: String| if missing == Some(line) { String::new() } else { text };
    let lines = [
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'".to_owned(),
        "; require-trusted-types-for 'script'; trusted-types 'none'".to_owned(),
        "; script-src 'self'".to_owned(),
        unless(Line::WasmUnsafeEval, " 'wasm-unsafe-eval'".to_owned()),
        unless(Line::FrameSrc, format!("; frame-src {platform}")),
        unless(Line::ConnectSrc, format!("; connect-src 'self' {platform}")),
    ];
    Some(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_lacks_the_line_that_it_is_to_lack_and_no_other() {
        let lines = [
            (Line::FrameSrc, "frame-src https://p.example"),
            (Line::ConnectSrc, "connect-src 'self' https://p.example"),
            (Line::WasmUnsafeEval, "'wasm-unsafe-eval'"),
        ];
        let strict = policy(Csp::Strict, "https://p.example").unwrap();
        for (line, text) in lines {
            assert!(strict.contains(text), "{strict}");
            let less = policy(Csp::Missing(line), "https://p.example").unwrap();
            for (other, text) in lines {
                assert_eq!(less.contains(text), other != line, "{less}");
            }
        }
    }
}
