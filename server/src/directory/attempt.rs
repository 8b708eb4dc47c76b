//! One attempt at an account's password: the only way to a verification, for whoever asks for a password.

use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{
    directory::{
        password::PasswordError,
        throttle::{self, Wait},
    },
    http::{address::ClientAddress, error::Error},
    secret::Secret,
    state::App,
};

/// How an attempt ended.
#[derive(Debug)]
pub enum Attempt {
    /// The password is the account's.
    Right,
    /// It is not, or nobody looked.
    Refused(Refusal),
}

/// Why an attempt was refused, in words for the form that is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The password is not the account's, or there is no such account.
    Wrong,
    /// Too many attempts at this account, or from this address: nobody looked.
    TooOften(Wait),
    /// Too many passwords wait to be worked on.
    Overloaded,
}

/// How soon a queue of passwords has become shorter.
const QUEUE_SECS: u64 = 2;

impl Refusal {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooOften(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Says in the answer's header when to try again, where that is known.
    pub fn mark(self, mut response: Response) -> Response {
        let secs = match self {
            Self::Wrong => return response,
            Self::TooOften(wait) => wait.secs(),
            Self::Overloaded => QUEUE_SECS,
        };
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong => {
                f.write_str("The e-mail address or the password is not right. Check both and try again.")
            }
            Self::TooOften(wait) => write!(
                f,
                "There were too many attempts. Wait {wait} and try again, or ask your platform's team if you don't \
                 know the password."
            ),
            Self::Overloaded => {
                f.write_str("Too many people are signing in at this moment. Try again in a few seconds.")
            }
        }
    }
}

/// Verifies a password of the account with this e-mail address. `None` stands for an account that does not exist or
/// is disabled: it is counted the same, and costs the same.
pub async fn verify(
    app: &App,
    address: ClientAddress,
    email: &str,
    password: Secret,
    stored: Option<String>,
) -> Result<Attempt, Error> {
    match app.throttle.attempt(address, email).await {
        Ok(()) => {}
        Err(throttle::Refused::TooOften(wait)) => {
            tracing::info!(%address, wait_secs = wait.secs(), "too many attempts at passwords");
            return Ok(Attempt::Refused(Refusal::TooOften(wait)));
        }
        Err(refused) => return Err(refused.into()),
    }
    match app.passwords.verify(password, stored).await {
        Ok(true) => Ok(Attempt::Right),
        Ok(false) => Ok(Attempt::Refused(Refusal::Wrong)),
        Err(PasswordError::Overloaded) => Ok(Attempt::Refused(Refusal::Overloaded)),
        Err(error) => Err(error.into()),
    }
}
