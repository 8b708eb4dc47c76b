//! The authorization response (RFC 6749 §4.2.2): how the client is told what was decided.

use axum::response::{IntoResponse, Redirect, Response};
use latchkey_protocol::oauth::{BEARER, encode_pairs};

use crate::{
    config::Config,
    oauth::{issue::Issued, request::Target},
};

/// What a client is told when it gets nothing (RFC 6749 §4.2.2.1, OpenID Connect Core §3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectError {
    /// A parameter is malformed.
    InvalidRequest,
    /// A scope is unknown, or beyond what the application may ask for.
    InvalidScope,
    /// The person said no, or may not say yes.
    AccessDenied,
    /// `prompt=none`, and nobody is signed in.
    LoginRequired,
    /// `prompt=none`, and the person was not asked yet.
    ConsentRequired,
}

impl RedirectError {
    /// The error code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
        }
    }

    /// What it means, for the developer.
    pub const fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The prompt is not one of none, login and consent.",
            Self::InvalidScope => "A scope is unknown, or beyond what this application may ask for.",
            Self::AccessDenied => "The person did not allow access, or may not.",
            Self::LoginRequired => "Nobody is signed in at the platform.",
            Self::ConsentRequired => "The person has not allowed this application yet.",
        }
    }
}

/// Where the browser goes when the client is given a token.
pub fn granted(
    config: &Config,
    client_id: &str,
    target: &Target,
    state: Option<&str>,
    issued: &Issued,
) -> Response {
    let expires_in = issued.expires_in_secs.to_string();
    let scope = issued.scopes.to_list();
    let pairs = [
        ("access_token", issued.token.expose()),
        ("token_type", BEARER),
        ("expires_in", &expires_in),
        ("scope", &scope),
    ];
    redirect(&location(config, client_id, target, state, &pairs))
}

/// Where the browser goes when the client is given nothing.
pub fn refused(
    config: &Config,
    client_id: &str,
    target: &Target,
    state: Option<&str>,
    error: RedirectError,
) -> Response {
    redirect(&refusal(config, client_id, target, state, error))
}

/// The address of a refusal, for a page that offers it as a link.
pub fn refusal(
    config: &Config,
    client_id: &str,
    target: &Target,
    state: Option<&str>,
    error: RedirectError,
) -> String {
    location(
        config,
        client_id,
        target,
        state,
        &[("error", error.code()), ("error_description", error.description())],
    )
}

/// Every response names its issuer (RFC 9207) and its application; at the callback, where many sites' responses
/// arrive, also the site it is for.
fn location(
    config: &Config,
    client_id: &str,
    target: &Target,
    state: Option<&str>,
    outcome: &[(&str, &str)],
) -> String {
    let mut pairs = outcome.to_vec();
    if let Some(state) = state {
        pairs.push(("state", state));
    }
    pairs.push(("iss", config.issuer()));
    pairs.push(("client_id", client_id));
    if target.is_callback {
        pairs.push(("origin", target.requesting_origin.as_str()));
    }
    // RFC 6749 §4.2.2: in the fragment, which is not sent to any server. A registered URI has none of its own.
    format!("{}#{}", target.redirect_uri, encode_pairs(pairs))
}

/// 303: a form that was sent must not be sent on (RFC 9700 §4.12).
fn redirect(location: &str) -> Response {
    Redirect::to(location).into_response()
}
