//! `WWW-Authenticate` of what the gate refuses, with RFC 6750's codes alone (§3.1). It names where the resource is
//! described (RFC 9728 §5.1), so that a client that knows nothing but the address of the API finds its way.

use axum::http::HeaderValue;

use crate::{config::Config, http::error::Error, oauth::metadata::PROTECTED_RESOURCE};

/// The challenge for an error, where it is one that another token, or any token, would mend.
pub(super) fn of(error: &Error, config: &Config) -> Option<HeaderValue> {
    let reason = match error {
        // RFC 6750 §3.1: no error code where no token was sent.
        Error::TokenMissing => String::new(),
        Error::TokenInQuery => ", error=\"invalid_request\"".to_owned(),
        Error::InvalidToken => ", error=\"invalid_token\"".to_owned(),
        Error::InsufficientScope(scope) => {
            format!(", error=\"insufficient_scope\", scope=\"{}\"", scope.as_str())
        }
        _ => return None,
    };
    let described_at = config.url(PROTECTED_RESOURCE);
    HeaderValue::from_str(&format!("Bearer realm=\"api\"{reason}, resource_metadata=\"{described_at}\"")).ok()
}
