//! One error enum, one table, and the renderers: JSON for the API, a page for people.
//!
//! The third renderer, the redirect to the client, belongs to the authorization endpoint alone: see
//! [`crate::oauth::response`].

use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use latchkey_gate::{Cause, Refusal};

use crate::{
    applications::draft::{self, Problem},
    directory::{
        login,
        password::PasswordError,
        throttle::{self, Wait},
    },
    http::page::{self, ErrorPage},
    secret::NoEntropy,
    store::StoreError,
};

/// Why a request was not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A parameter is missing, malformed or not acceptable. Neither text comes from the request.
    #[error("{name} {problem}")]
    Parameter {
        /// The parameter's name.
        name: &'static str,
        /// What is wrong with it, as the end of a sentence that begins with its name.
        problem: &'static str,
    },
    /// A parameter that the request may name only once stands twice (RFC 6749 §3.1).
    #[error("a parameter is given more than once")]
    Repeated,
    /// The parameters are not `application/x-www-form-urlencoded`, or there are too many, or they are too long.
    #[error("the parameters cannot be read")]
    Malformed,
    /// Parameters stand in the address of a request that takes them in its body alone.
    #[error("the parameters are sent in the body, never in the address")]
    InQuery,
    /// The body is longer than anything that is asked for here, or did not come to its end.
    #[error("the body is too long, or was cut off")]
    TooLarge,
    /// The body did not come in time.
    #[error("the body of the request did not come in time")]
    SlowBody,
    /// The body is not a form.
    #[error("the body is not application/x-www-form-urlencoded")]
    NotAForm,
    /// The client is unknown, or sent a secret it does not have (RFC 6749 §5.2). The text comes not from the request.
    #[error("{0}")]
    InvalidClient(&'static str),
    /// The code or the refresh token is not one that can be exchanged by who sent it (RFC 6749 §5.2).
    #[error("the code or refresh token is unknown, expired, used, revoked, or not this client's")]
    InvalidGrant,
    /// The application may not ask for codes (RFC 6749 §5.2).
    #[error("this application may not use response_type=code")]
    UnauthorizedClient,
    /// The grant type is not one that the server knows (RFC 6749 §5.2).
    #[error("the grant_type is neither authorization_code nor refresh_token")]
    UnsupportedGrantType,
    /// A scope is unknown, or more than was granted (RFC 6749 §5.2).
    #[error("the scope holds one that is unknown or was not granted")]
    InvalidScope,
    /// A form was not sent from our own page, or is too old.
    #[error("the form does not come from this page")]
    Forged,
    /// The authorization request is unknown, used, too old, or somebody else's.
    #[error("this sign-in is not open any more")]
    TransactionClosed,
    /// The person is not a member of the application's organization. It does not say which that is.
    #[error("your account is not a member of the organization that this application belongs to")]
    NotAMember,
    /// The gate does not let the request through.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The address is for a person's own session at the platform, and there is none, or a token came instead.
    #[error("this address takes a session at the platform, and no access token")]
    SessionRequired,
    /// The session that a frame keeps is unknown, over, ended, or another site's.
    #[error("the session has ended")]
    SessionEnded,
    /// The person is a member of the organization, and no admin of it.
    #[error("this is for admins and owners of the organization")]
    AdminRequired,
    /// Only an owner makes, demotes and removes owners.
    #[error("only an owner of the organization can do this to an owner")]
    OwnerRequired,
    /// The organization would be without an owner who is active.
    #[error("this is the last owner of the organization")]
    LastOwner,
    /// Fields are not acceptable, each for its own reason.
    #[error("fields are not acceptable")]
    Fields(Vec<Problem>),
    /// The body is not a JSON object, or says something twice.
    #[error("the body is not a JSON object in which every name stands once")]
    NotAnObject,
    /// The body holds a name that nothing is known by.
    #[error("the body holds a field that there is not; {0}")]
    UnknownField(&'static str),
    /// Somebody changed it in between.
    #[error("it was changed by somebody else in the meantime")]
    Outdated,
    /// The request does not say which state of it is to be changed.
    #[error("the request does not say which state it changes")]
    StateUnnamed,
    /// There is nothing at this address.
    #[error("there is nothing at this address")]
    NotFound,
    /// A region answers the gate's questions alone.
    #[error("this is a region, which has no such address")]
    NotHere,
    /// The address does not take this method.
    #[error("this address does not take that method")]
    MethodNotAllowed,
    /// Who asks for the gate's decision is no proxy of the platform's.
    #[error("the gate's decision is told to the platform's own proxies alone")]
    NotAProxy,
    /// A proxy does not say what it was asked, or says it in two ways.
    #[error("the proxy does not say in one way what it was asked")]
    NotTold,
    /// Nobody said what the path, or the method, asks of a token.
    #[error("nothing is declared for this method and path")]
    NotDeclared,
    /// The path could be read in more than one way: see [`crate::gateway::path`].
    #[error("the path of this address can be read in more than one way")]
    AmbiguousPath,
    /// The body is longer than the backend takes, in bytes.
    #[error("the body is longer than {0} bytes")]
    BodyTooLarge(u64),
    /// The backend cannot be reached, or broke off before it answered.
    #[error("the service behind this address cannot be reached")]
    BadGateway(#[source] Cause),
    /// The backend did not answer in time.
    #[error("the service behind this address did not answer in time")]
    GatewayTimeout,
    /// The wasm files were not built.
    #[error("the iframe's files are not built")]
    NotBuilt,
    /// More is asked at this moment than the server can do.
    #[error("too much is asked of the service at once")]
    Overloaded,
    /// The same address asks too often.
    #[error("too much is asked from one address")]
    TooOften(Wait),
    /// Something the answer depends on did not answer: nothing is let through then.
    #[error("the service cannot answer right now")]
    Unavailable(#[source] Cause),
    /// Others changed the same in the meantime, so that nothing was done: it is done again by [`crate::http::load`].
    #[error("too much is changed at once")]
    Contended(#[source] Cause),
    /// The server is at fault.
    #[error("the server failed")]
    Internal(#[source] Cause),
}

/// How an error is answered.
struct Answer {
    status: StatusCode,
    code: &'static str,
    /// What to do next, for people.
    next: &'static str,
}

impl Error {
    /// A parameter that is not acceptable.
    pub const fn parameter(name: &'static str, problem: &'static str) -> Self {
        Self::Parameter { name, problem }
    }

    /// The table.
    fn answer(&self) -> Answer {
        let (status, code, next) = match self {
            Self::Parameter { .. } | Self::Repeated | Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Go back to the site you came from and try again. If it happens again, tell its owner what this page says.",
            ),
            Self::InQuery | Self::NotAForm => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Send the parameters as application/x-www-form-urlencoded in the body of the request.",
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "Send less than 96 KB, in one piece.")
            }
            Self::SlowBody => {
                (StatusCode::REQUEST_TIMEOUT, "invalid_request", "Send it again, in one piece.")
            }
            Self::InvalidClient(_) => (
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "An application sends its client_id alone; a resource server sends its id and secret by HTTP Basic.",
            ),
            Self::InvalidGrant => (
                StatusCode::BAD_REQUEST,
                "invalid_grant",
                "Check redirect_uri and code_verifier; if they are right, begin a new authorization request.",
            ),
            Self::UnauthorizedClient => (
                StatusCode::BAD_REQUEST,
                "unauthorized_client",
                "Allow the response type in the application's settings.",
            ),
            Self::UnsupportedGrantType => {
                (StatusCode::BAD_REQUEST, "unsupported_grant_type", "Use one of those two.")
            }
            Self::InvalidScope => (
                StatusCode::BAD_REQUEST,
                "invalid_scope",
                "Ask for the scopes that were granted, or fewer, or leave the parameter out.",
            ),
            Self::Forged => (
                StatusCode::FORBIDDEN,
                "forged_request",
                "Go back, reload the page and send the form again. Cookies must be allowed for this site.",
            ),
            Self::TransactionClosed => (
                StatusCode::BAD_REQUEST,
                "transaction_closed",
                "Go back to the site you came from and start the sign-in again.",
            ),
            Self::NotAMember => (
                StatusCode::FORBIDDEN,
                "membership_required",
                "Ask an admin of the organization to add you, or use another account.",
            ),
            Self::Refused(refusal) => {
                let latchkey_gate::Answer { status, code, next } = refusal.answer();
                (status, code, next)
            }
            // Not 401, which is to name a scheme of the Authorization header (RFC 9110 §15.5.2): there is none to use.
            Self::SessionRequired => (
                StatusCode::FORBIDDEN,
                "session_required",
                "Sign in at the platform in this browser, and send no Authorization header.",
            ),
            Self::SessionEnded => (StatusCode::FORBIDDEN, "session_expired", "Sign in again."),
            Self::AdminRequired => (
                StatusCode::FORBIDDEN,
                "admin_required",
                "Ask an admin or owner of the organization to do it, or to make you one.",
            ),
            Self::OwnerRequired => {
                (StatusCode::FORBIDDEN, "owner_required", "Ask an owner of the organization to do it.")
            }
            Self::LastOwner => {
                (StatusCode::CONFLICT, "last_owner", "Make somebody else an owner first, then try again.")
            }
            Self::Fields(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_fields",
                "Correct what `fields` names and send the request again.",
            ),
            Self::NotAnObject => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Send a JSON object, with Content-Type: application/json.",
            ),
            Self::UnknownField(_) => {
                (StatusCode::BAD_REQUEST, "invalid_request", "Leave it out and send the request again.")
            }
            Self::Outdated => (
                StatusCode::PRECONDITION_FAILED,
                "outdated",
                "Read it again, make the change there, and send the new ETag as If-Match.",
            ),
            // RFC 6585 §3.
            Self::StateUnnamed => (
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "Send the ETag that you read as If-Match.",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Check the address."),
            Self::NotHere => (
                StatusCode::NOT_FOUND,
                "not_here",
                "Use the platform's own address, which is the issuer: a region signs nobody in and issues nothing.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Use a method that the answer's Allow names.",
            ),
            Self::NotAProxy => (StatusCode::FORBIDDEN, "not_a_proxy", "Name the proxy with --trusted-proxy."),
            Self::NotTold => (
                StatusCode::FORBIDDEN,
                "invalid_request",
                "Send X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri, and take the \
                 other two away.",
            ),
            Self::NotDeclared => (
                StatusCode::FORBIDDEN,
                "not_declared",
                "Declare the path and the method as a [[guarded]] in the file of settings.",
            ),
            Self::AmbiguousPath => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "Send no empty, \".\" or \"..\" segments, and encode nothing that needs no encoding.",
            ),
            Self::BodyTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "Send less."),
            Self::BadGateway(_) => (
                StatusCode::BAD_GATEWAY,
                "bad_gateway",
                "Try again in a moment. If it happens again, tell the platform's team.",
            ),
            Self::GatewayTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", "Look whether it was done, then try again.")
            }
            Self::NotBuilt => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not_built",
                "Run `cargo xtask build` in the source folder, then start the server again.",
            ),
            Self::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "Try again in a few seconds.")
            }
            Self::TooOften(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable", "Wait a minute, then try again.")
            }
            Self::Unavailable(_) | Self::Contended(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "Try again in a moment.")
            }
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "Try again. If it happens again, tell the platform's team.",
            ),
        };
        Answer { status, code, next }
    }

    /// What to do next, for who wrote the program: they see the answer, no page.
    fn next_for_programs(&self, answer: &Answer) -> &'static str {
        match self {
            Self::Parameter { .. } | Self::Repeated | Self::Malformed => {
                "Correct the request and send it again."
            }
            _ => answer.next,
        }
    }

    /// What is wrong, with a capital at its beginning; a parameter's name stays as it is.
    fn sentence(&self) -> String {
        let text = self.to_string();
        if let Self::Parameter { .. } = self { text } else { capitalized(&text) }
    }

    /// What a 401 says of how to authenticate (RFC 9110 §11.6.1). The gate answers for bearer tokens itself.
    fn challenge(&self) -> Option<HeaderValue> {
        match self {
            Self::InvalidClient(_) => Some(HeaderValue::from_static("Basic realm=\"oauth\"")),
            _ => None,
        }
    }

    /// What only the log may know.
    fn cause(&self) -> Option<Cause> {
        match self {
            Self::Unavailable(cause)
            | Self::Contended(cause)
            | Self::Internal(cause)
            | Self::BadGateway(cause) => Some(cause.clone()),
            Self::Refused(refusal) => refusal.cause().cloned(),
            _ => None,
        }
    }

    /// Gives an answer the cause along, on its way to the one place that logs it.
    pub fn leave_cause(&self, answer: &mut Response) {
        if let Some(cause) = self.cause() {
            answer.extensions_mut().insert(LoggedCause(cause));
        }
        if self.is_in_the_way() {
            answer.extensions_mut().insert(Contended);
        }
    }

    /// Whether others were in the way, so that nothing was done. Two who insert one row at once may hear of it by its key
    /// (PostgreSQL 18, §13.2.3): who expects that there is one already says so before this.
    fn is_in_the_way(&self) -> bool {
        match self {
            Self::Contended(_) => true,
            Self::Internal(cause) => matches!(cause.downcast_ref(), Some(StoreError::Conflict)),
            _ => false,
        }
    }

    fn finish(&self, mut response: Response) -> Response {
        if let Some(challenge) = self.challenge() {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        let retry_after = match self {
            Self::Unavailable(_)
            | Self::Contended(_)
            | Self::Refused(Refusal::Unavailable(_) | Refusal::Stale)
            | Self::Overloaded => Some(1),
            Self::TooOften(wait) => Some(wait.secs()),
            _ => None,
        };
        if let Some(secs) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        self.leave_cause(&mut response);
        response
    }
}

/// What is wrong, as a sentence begins.
pub fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The cause of an error, on its way to the one place that logs it.
#[derive(Debug, Clone)]
pub struct LoggedCause(pub Cause);

/// An answer that says that nothing was done: the request is to be answered again.
#[derive(Debug, Clone, Copy)]
pub struct Contended;

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Engine(_)
            | StoreError::Shared(_)
            | StoreError::Migration(_)
            | StoreError::Encoding(_)
            | StoreError::Locked
            | StoreError::Moved
            | StoreError::Moving
            | StoreError::Region
            | StoreError::NoRegion
            | StoreError::Standby => Self::Unavailable(Arc::new(error)),
            StoreError::Contended(_) => Self::Contended(Arc::new(error)),
            StoreError::NoText(_) => Self::Malformed,
            StoreError::Conflict | StoreError::ReadOnly | StoreError::Unreadable(_) => {
                Self::Internal(Arc::new(error))
            }
        }
    }
}

impl From<throttle::Refused> for Error {
    fn from(refused: throttle::Refused) -> Self {
        match refused {
            throttle::Refused::TooOften(wait) => Self::TooOften(wait),
            throttle::Refused::Store(error) => error.into(),
        }
    }
}

impl From<NoEntropy> for Error {
    fn from(error: NoEntropy) -> Self {
        Self::Unavailable(Arc::new(error))
    }
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooLong => Self::parameter("password", "is longer than any password can be"),
            PasswordError::TooShort => Self::parameter("password", "is shorter than any password can be"),
            PasswordError::Overloaded => Self::Overloaded,
            PasswordError::Failed => Self::Unavailable(Arc::new(error)),
        }
    }
}

/// An error of the API: rendered as JSON.
#[derive(Debug)]
pub struct ApiError(pub Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let answer = self.0.answer();
        let mut body = serde_json::json!({
            "error": answer.code,
            "error_description": format!("{}. {}", self.0.sentence(), self.0.next_for_programs(&answer)),
        });
        if let Error::Fields(problems) = &self.0 {
            body["fields"] = draft::by_field(problems);
        }
        self.0.finish((answer.status, Json(body)).into_response())
    }
}

/// An error for people: rendered as a page.
#[derive(Debug)]
pub struct PageError {
    /// What is wrong.
    pub error: Error,
    /// Where the page offers to go back to.
    pub back: Option<String>,
    /// The site that asked for the sign-in whose window this is.
    pub site: Option<String>,
    /// The page that somebody who is not signed in is sent to the login for.
    pub wanted: Option<String>,
}

impl PageError {
    /// An error of this page: who is not signed in is sent to the login, and from there to this address.
    pub fn to_sign_in(error: Error, address: &str) -> Self {
        Self { error, back: None, site: None, wanted: Some(address.to_owned()) }
    }
}

impl<E: Into<Error>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self { error: error.into(), back: None, site: None, wanted: None }
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if let (Error::SessionRequired, Some(wanted)) = (&self.error, &self.wanted) {
            return login::before(wanted).into_response();
        }
        let answer = self.error.answer();
        let page = ErrorPage {
            title: title(answer.status),
            message: self.error.sentence(),
            next: answer.next,
            back: self.back,
            site: self.site,
        };
        let response = match page.site {
            Some(_) => page::respond_in_window(answer.status, &page, &[]),
            None => page::respond(answer.status, &page, &[]),
        };
        self.error.finish(response)
    }
}

fn title(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "This request can't be answered",
        StatusCode::FORBIDDEN => "This is not allowed",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "This address works differently",
        StatusCode::CONFLICT => "This can't be done yet",
        _ => "Something went wrong",
    }
}
