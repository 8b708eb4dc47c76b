//! `/oauth/…`

mod authorize;
mod code_request;
mod consent;
mod id_token;
mod introspect;
mod issue;
mod membership;
mod metadata;
mod prompt;
mod revoke;
mod state;
mod token;
mod transaction;
mod userinfo;
