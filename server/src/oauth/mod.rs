//! The authorization server: RFC 6749 for organization-owned public clients.

pub mod authorize;
pub mod consent;
pub mod decision;
pub mod issue;
pub mod request;
pub mod response;
pub mod revoke;
pub mod transaction;
