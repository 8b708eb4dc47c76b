//! The authorization response (RFC 6749 §4.1.2 and §4.2.2): how the client is told what was decided.

use std::borrow::Cow;

use axum::response::{IntoResponse, Redirect, Response};
use latchkey_protocol::oauth::{BEARER, encode_pairs};

use crate::{
    applications::ResponseType,
    config::Config,
    http::error::Error,
    oauth::{
        issue::{AccessIssued, Brought},
        request::Target,
    },
    secret::AuthorizationCode,
};

/// Who is told.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The application.
    pub client_id: &'a str,
    /// Where.
    pub target: &'a Target,
    /// With its own value.
    pub state: Option<&'a str>,
    /// What it asked for, which says in which part of the address it is told.
    pub response_type: ResponseType,
}

/// What a client is told when it gets nothing (RFC 6749 §4.1.2.1 and §4.2.2.1, OpenID Connect Core §3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedirectError {
    /// A parameter is missing or malformed. Neither text comes from the request.
    InvalidRequest {
        /// The parameter's name.
        name: &'static str,
        /// What is wrong with it, as the end of a sentence that begins with its name.
        problem: &'static str,
    },
    /// A scope is unknown, or beyond what the application may ask for.
    InvalidScope,
    /// The response type is not one that the server answers.
    UnsupportedResponseType,
    /// The response type is not one that the application may use.
    UnauthorizedClient,
    /// A request object.
    RequestNotSupported,
    /// The address of a request object.
    RequestUriNotSupported,
    /// The person said no, or may not say yes.
    AccessDenied,
    /// `prompt=none`, and nobody is signed in, or not lately enough.
    LoginRequired,
    /// `prompt=none`, and the person was not asked yet.
    ConsentRequired,
    /// `prompt=none`, and the server cannot answer right now, or is asked too often.
    TemporarilyUnavailable,
    /// `prompt=none`, and the server is at fault.
    ServerError,
}

impl RedirectError {
    /// The error code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest { .. } => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::AccessDenied => "access_denied",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::ServerError => "server_error",
        }
    }

    /// What it means, for the developer.
    pub fn description(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidRequest { name, problem } => return format!("{name} {problem}.").into(),
            Self::InvalidScope => "A scope is unknown, or beyond what this application may ask for.",
            Self::UnsupportedResponseType => "The response_type is not one of token and code.",
            Self::UnauthorizedClient => "The response_type is not one that this application may use.",
            Self::RequestNotSupported => "Send the parameters themselves instead of a request object.",
            Self::RequestUriNotSupported => {
                "Send the parameters themselves instead of a request object's address."
            }
            Self::AccessDenied => "The person did not allow access, or may not.",
            Self::LoginRequired => "Nobody is signed in at the platform, or not lately enough.",
            Self::ConsentRequired => "The person has not allowed this application yet.",
            Self::TemporarilyUnavailable => "Too much is asked at once. Try again in a minute.",
            Self::ServerError => "The server failed. Try again.",
        })
    }

    /// What a client that wants no page is told of an error that is nobody's decision (RFC 6749 §4.1.2.1: a status can't
    /// be told by redirect).
    pub const fn of(error: &Error) -> Option<Self> {
        match error {
            Error::TooOften(_) | Error::Overloaded | Error::Unavailable(_) => {
                Some(Self::TemporarilyUnavailable)
            }
            Error::Internal(_) => Some(Self::ServerError),
            _ => None,
        }
    }

    /// The same for the person, on a page.
    pub const fn as_error(self) -> Error {
        match self {
            Self::InvalidRequest { name, problem } => Error::parameter(name, problem),
            Self::InvalidScope => Error::parameter(
                "scope",
                "holds a scope that is unknown or beyond what this application may ask for",
            ),
            Self::UnsupportedResponseType | Self::UnauthorizedClient => {
                Error::parameter("response_type", "is not one that this application may use")
            }
            Self::RequestNotSupported => Error::parameter("request", "is not supported"),
            Self::RequestUriNotSupported => Error::parameter("request_uri", "is not supported"),
            Self::AccessDenied
            | Self::LoginRequired
            | Self::ConsentRequired
            | Self::TemporarilyUnavailable
            | Self::ServerError => Error::TransactionClosed,
        }
    }
}

/// Where the browser goes when the client is given a token.
pub fn with_token(config: &Config, recipient: Recipient<'_>, brought: &Brought<AccessIssued>) -> Response {
    let Brought { credential: issued, handle } = brought;
    let expires_in = issued.expires_in_secs.to_string();
    let scope = issued.scopes.to_list();
    let mut pairs = vec![
        ("access_token", issued.token.expose()),
        ("token_type", BEARER),
        ("expires_in", &expires_in),
        ("scope", &scope),
    ];
    pairs.extend(handle.as_ref().map(|handle| ("handle", handle.expose())));
    redirect(&location(config, recipient, &pairs))
}

/// Where the browser goes when the client is given a code.
pub fn with_code(
    config: &Config,
    recipient: Recipient<'_>,
    brought: &Brought<AuthorizationCode>,
) -> Response {
    let mut pairs = vec![("code", brought.credential.expose())];
    pairs.extend(brought.handle.as_ref().map(|handle| ("handle", handle.expose())));
    redirect(&location(config, recipient, &pairs))
}

/// Where the browser goes when the client is given nothing.
pub fn refused(config: &Config, recipient: Recipient<'_>, error: RedirectError) -> Response {
    redirect(&refusal(config, recipient, error))
}

/// The address of a refusal, for a page that offers it as a link.
pub fn refusal(config: &Config, recipient: Recipient<'_>, error: RedirectError) -> String {
    location(config, recipient, &[("error", error.code()), ("error_description", &error.description())])
}

/// Every response names its issuer (RFC 9207) and its application; at the callback, where many sites' responses
/// arrive, also the site it is for.
fn location(config: &Config, recipient: Recipient<'_>, outcome: &[(&str, &str)]) -> String {
    let Recipient { client_id, target, state, response_type } = recipient;
    let mut pairs = outcome.to_vec();
    if let Some(state) = state {
        pairs.push(("state", state));
    }
    pairs.push(("iss", config.issuer()));
    pairs.push(("client_id", client_id));
    if target.is_callback {
        pairs.push(("origin", target.requesting_origin.as_str()));
    }
    let separator = match response_type {
        // RFC 6749 §4.2.2: in the fragment, which is not sent to any server. A registered URI has none of its own.
        ResponseType::Token => '#',
        // RFC 6749 §3.1.2: the query that a registered URI has is kept.
        ResponseType::Code if target.redirect_uri.contains('?') => '&',
        ResponseType::Code => '?',
    };
    format!("{}{separator}{}", target.redirect_uri, encode_pairs(pairs))
}

/// 303: a form that was sent must not be sent on (RFC 9700 §4.12).
fn redirect(location: &str) -> Response {
    Redirect::to(location).into_response()
}
