//! The security headers of every answer, 404 and 500 included. An endpoint that needs another value sets it itself.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::Response,
};

use crate::state::App;

/// A document that can load nothing, run nothing and be framed by nobody.
pub const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

const DEFAULTS: [(HeaderName, HeaderValue); 7] = [
    (header::CONTENT_SECURITY_POLICY, NOTHING),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // `no-referrer` would make a browser send `Origin: null` with the form's own POST.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), HeaderValue::from_static("none")),
];

/// Marks an answer that says itself, in its `Content-Security-Policy`, who may frame it: `X-Frame-Options` knows
/// no list of origins.
#[derive(Debug, Clone, Copy)]
pub struct FramedByPolicy;

/// Adds what the endpoint did not set.
pub fn add(app: &App, mut response: Response) -> Response {
    let framed_by_policy = response.extensions().get::<FramedByPolicy>().is_some();
    let headers = response.headers_mut();
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if framed_by_policy {
        headers.remove(header::X_FRAME_OPTIONS);
    }
    if app.config.public_url.is_https() {
        // RFC 6797 §6.1: two years, the least that browsers' preload lists accept being one.
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=63072000"));
    }
    response
}
