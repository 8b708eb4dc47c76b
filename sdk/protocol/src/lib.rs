//! What the SDK, the iframe and the server agree on: types and rules, with no input or output.
//!
//! Each type stands beside the sentence of the specification it comes from. The literals in the tests are the
//! wire: a change of a message shows there as a changed literal.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod base64url;
pub mod error;
pub mod frame;
pub mod numbered;
pub mod oauth;
pub mod origin;
pub mod pkce;
pub mod scope;

/// The version of the messages between the SDK, the callback page and the iframe.
///
/// Both sides name it in their first message, and neither talks to another version: the SDK is built into the
/// customer's site and the iframe is served by the platform, so the two are deployed at different times.
pub const VERSION: u32 = 1;
