//! Why a request does not pass, and how that is told: one table.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use latchkey_protocol::scope::Scope;

/// What went wrong underneath: for the log, never for the answer.
pub type Cause = Arc<dyn std::error::Error + Send + Sync>;

/// Why a request does not pass.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refusal {
    /// No access token came with the request (RFC 6750 §3.1: no error code then).
    #[error("no access token was sent")]
    TokenMissing,
    /// The access token is malformed, unknown, expired, revoked, or what it stands on is disabled.
    #[error("the access token is not valid")]
    InvalidToken,
    /// The token came in the query string, where servers and proxies write it into their logs.
    #[error("an access token is sent in the Authorization header, never in the address")]
    TokenInQuery,
    /// The request comes from a site that the token's application does not run on.
    #[error("this site is not among the application's allowed origins")]
    OriginNotAllowed,
    /// The path names an organization that is not the token's: a foreign one, or none at all.
    #[error("this token does not open that organization")]
    WrongOrganization,
    /// The person is not a member of the token's organization any more.
    #[error("the person is not a member of the organization")]
    MembershipRequired,
    /// The token does not hold the scope that the route declares.
    #[error("the token lacks a scope")]
    InsufficientScope(Scope),
    /// What the answer depends on did not answer: nothing is let through then.
    #[error("the service cannot answer right now")]
    Unavailable(#[source] Cause),
    /// What a region knows may be older than it is allowed to be: nothing is let through then.
    #[error("this region has not heard from the centre for too long")]
    Stale,
    /// What it answered cannot be understood.
    #[error("the server failed")]
    Failed(#[source] Cause),
}

/// How a refusal is answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The name in the body.
    pub code: &'static str,
    /// What to do next.
    pub next: &'static str,
}

impl Refusal {
    /// The table.
    pub fn answer(&self) -> Answer {
        let (status, code, next) = match self {
            Self::TokenMissing => (
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "Send an access token in the Authorization header.",
            ),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token", "Sign in again."),
            Self::TokenInQuery => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Send the token in the Authorization header, and revoke this one.",
            ),
            Self::OriginNotAllowed => (
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "Add the site's origin to the application's allowed origins.",
            ),
            Self::WrongOrganization => (
                StatusCode::FORBIDDEN,
                "wrong_organization",
                "Use the organization that the token was issued for.",
            ),
            Self::MembershipRequired => (
                StatusCode::FORBIDDEN,
                "membership_required",
                "Ask an admin of the organization to add the person.",
            ),
            Self::InsufficientScope(_) => {
                (StatusCode::FORBIDDEN, "insufficient_scope", "Sign in again and ask for the scope.")
            }
            Self::Unavailable(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "Try again in a moment.")
            }
            Self::Stale => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "Ask the platform itself, or try again in a moment.",
            ),
            Self::Failed(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "Try again. If it happens again, tell the platform's team.",
            ),
        };
        Answer { status, code, next }
    }

    /// What only the log may know.
    pub fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Unavailable(cause) | Self::Failed(cause) => Some(cause),
            Self::TokenMissing
            | Self::InvalidToken
            | Self::TokenInQuery
            | Self::OriginNotAllowed
            | Self::WrongOrganization
            | Self::MembershipRequired
            | Self::InsufficientScope(_)
            | Self::Stale => None,
        }
    }

    /// `WWW-Authenticate` of a refusal that another token, or any token, would mend, with RFC 6750's codes alone (§3.1).
    /// It names where the resource is described (RFC 9728 §5.1), so that a client that knows nothing but the address of
    /// the API finds its way.
    pub fn challenge(&self, described_at: &str) -> Option<HeaderValue> {
        let reason = match self {
            // RFC 6750 §3.1: no error code where no token was sent.
            Self::TokenMissing => String::new(),
            Self::TokenInQuery => ", error=\"invalid_request\"".to_owned(),
            Self::InvalidToken => ", error=\"invalid_token\"".to_owned(),
            Self::InsufficientScope(scope) => {
                format!(", error=\"insufficient_scope\", scope=\"{}\"", scope.as_str())
            }
            Self::OriginNotAllowed
            | Self::WrongOrganization
            | Self::MembershipRequired
            | Self::Unavailable(_)
            | Self::Stale
            | Self::Failed(_) => return None,
        };
        HeaderValue::from_str(&format!("Bearer realm=\"api\"{reason}, resource_metadata=\"{described_at}\""))
            .ok()
    }

    /// The whole answer, as JSON: `{"error": …, "error_description": …}`.
    pub fn into_response<B: From<String>>(self, described_at: &str) -> Response<B> {
        let Answer { status, code, next } = self.answer();
        let text = self.to_string();
        let (initial, rest) = text.split_at(1);
        // None of these texts comes from a request, so that none needs escaping.
        let body = format!(
            r#"{{"error":"{code}","error_description":"{}{rest}. {next}"}}"#,
            initial.to_ascii_uppercase()
        );
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        self.describe(response.headers_mut(), described_at);
        response
    }

    fn describe(&self, headers: &mut HeaderMap, described_at: &str) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(challenge) = self.challenge(described_at) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::Unavailable(_) | Self::Stale = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_json_with_its_name_and_what_to_do() {
        let response: Response<String> =
            Refusal::InsufficientScope(Scope::EventWrite).into_response("https://p.example/r");
        assert_eq!(response.status(), 403);
        assert_eq!(
            response.headers()["www-authenticate"],
            r#"Bearer realm="api", error="insufficient_scope", scope="event:write", resource_metadata="https://p.example/r""#
        );
        assert_eq!(
            response.body(),
            r#"{"error":"insufficient_scope","error_description":"The token lacks a scope. Sign in again and ask for the scope."}"#
        );
    }
}
