//! The authorization server: RFC 6749 for organization-owned public clients.

pub mod authorize;
pub mod client;
pub mod consent;
pub mod decision;
pub mod id_token;
pub mod introspect;
pub mod issue;
pub mod metadata;
pub mod request;
pub mod response;
pub mod revoke;
pub mod signing_keys;
pub mod token;
pub mod transaction;
pub mod userinfo;
