//! Why something failed, on its way to becoming a `LatchkeyError`.

use alloc::string::String;

use latchkey_protocol::error::ErrorCode;

/// A code of the closed list, and words for this one case where there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the caller can branch on.
    pub code: ErrorCode,
    /// What happened, for people; empty where the code's hint says it all.
    pub message: String,
}

impl Failure {
    /// A failure with words of its own.
    pub fn new(code: ErrorCode, message: &str) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<ErrorCode> for Failure {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: String::new() }
    }
}
