//! `/oauth/…`

mod authorize;
mod consent;
mod issue;
mod membership;
mod prompt;
mod revoke;
mod state;
mod transaction;
