//! Pages: templates filled in on the server, that work without JavaScript.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use std::sync::Arc;

use crate::http::{
    error::{ApiError, Error, PageError},
    headers::FramedByPolicy,
};

/// What went wrong, and what to do next.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// In a few words.
    pub title: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub next: &'static str,
    /// Where to go back to.
    pub back: Option<String>,
    /// The site that opened the window, where it is a sign-in's: it is told that the window is there.
    pub site: Option<String>,
}

/// Answers with a page of ours: it loads our own style and images, its forms go to us and to the origins of the
/// redirect that may follow (browsers apply `form-action` to that as well), and nobody frames it.
pub fn respond(status: StatusCode, page: &impl Template, form_targets: &[&str]) -> Response {
    let targets = form_targets.iter().fold(String::new(), |list, origin| list + " " + origin);
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'{targets}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    with_policy(status, page, &policy)
}

/// Answers with a page of ours that is better with a little JavaScript of ours, and works without.
pub fn respond_enhanced(status: StatusCode, page: &impl Template) -> Response {
    respond_in_window(status, page, &[])
}

/// Answers with a page of the sign-in window: as [`respond`] does, with a script of ours that tells whoever opened the
/// window that it is there.
pub fn respond_in_window(status: StatusCode, page: &impl Template, form_targets: &[&str]) -> Response {
    let targets = form_targets.iter().fold(String::new(), |list, origin| list + " " + origin);
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'{targets}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    with_policy(status, page, &policy)
}

/// Answers with a page of ours that does what a customer's site does: it loads the SDK, and frames the toolbar.
pub fn respond_as_site(page: &impl Template) -> Response {
    let policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                  connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    with_policy(StatusCode::OK, page, policy)
}

/// Answers with a page that other sites may frame.
///
/// Its address and what it says go nowhere: not to the site that frames it, not to the one its links lead to.
pub fn respond_framed(page: &impl Template, ancestors: &[&str]) -> Response {
    let ancestors = ancestors.iter().fold(String::new(), |list, origin| list + " " + origin);
    let policy = format!("{SCRIPTED}; frame-ancestors 'self'{ancestors}");
    let mut response = with_policy(StatusCode::OK, page, &policy);
    response.extensions_mut().insert(FramedByPolicy);
    // A site that takes only what agrees to be embedded takes frames that ask the same of what they load, which is all
    // the platform's own (HTML, "obtain an embedder policy"; Fetch, "Cross-Origin-Resource-Policy").
    let headers = response.headers_mut();
    for (name, value) in
        [("cross-origin-embedder-policy", "require-corp"), ("cross-origin-resource-policy", "cross-origin")]
    {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    without_referrer(response)
}

/// Answers with a page of ours that runs our scripts and that nobody frames.
pub fn respond_scripted(page: &impl Template) -> Response {
    without_referrer(with_policy(StatusCode::OK, page, &format!("{SCRIPTED}; frame-ancestors 'none'")))
}

const SCRIPTED: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                        connect-src 'self'; base-uri 'none'; form-action 'none'";

fn without_referrer(mut response: Response) -> Response {
    response.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn with_policy(status: StatusCode, page: &impl Template, policy: &str) -> Response {
    let text = match page.render() {
        Ok(text) => text,
        // A page that cannot be rendered must not try to render a page about it.
        Err(error) => return ApiError(Error::Internal(Arc::new(error))).into_response(),
    };
    let mut response = (status, Html(text)).into_response();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// `404` for everything that is not in the table, as a page.
pub async fn not_found() -> PageError {
    Error::NotFound.into()
}

/// `405` for an address of a page.
pub async fn method_not_allowed() -> PageError {
    Error::MethodNotAllowed.into()
}
