//! One attempt at an account's password: the only way to a verification, for whoever asks for a password.

use std::fmt;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{directory::password::PasswordError, http::error::Error, secret::Secret, state::App};

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
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Says in the answer's header when to try again, where that is known.
    pub fn mark(self, mut response: Response) -> Response {
        let secs = match self {
            Self::Wrong => return response,
            Self::Overloaded => QUEUE_SECS,
        };
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        response
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "The e-mail address or the password is not right. Check both and try again.",
            Self::Overloaded => "Too many people are signing in at this moment. Try again in a few seconds.",
        })
    }
}

/// Verifies a password. `None` stands for an account that does not exist or is disabled, and costs the same.
pub async fn verify(app: &App, password: Secret, stored: Option<String>) -> Result<Attempt, Error> {
    match app.passwords.verify(password, stored).await {
        Ok(true) => Ok(Attempt::Right),
        Ok(false) => Ok(Attempt::Refused(Refusal::Wrong)),
        Err(PasswordError::Overloaded) => Ok(Attempt::Refused(Refusal::Overloaded)),
        Err(error) => Err(error.into()),
    }
}
