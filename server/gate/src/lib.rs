//! The gate before a platform's API: a [tower](https://docs.rs/tower) layer through which a request passes for the one
//! organization of its access token, only while the token's person is a member of it, only from the application's own
//! sites, and only as far as the token's scopes and the person's role go.
//!
//! bearer → token → application → user → organization → origin → path → membership → scope. The first reason in this
//! order is the one that is told: see [`decision::decide`].
//!
//! ```
//! # use std::sync::Arc;
//! # use latchkey_gate::{Clock, Gate, Rule, Settings, Source};
//! # use latchkey_protocol::scope::Scope;
//! # fn guarded<S: Source>(source: Arc<S>) {
//! let gate = Gate::new(source, Settings {
//!     platform: "https://platform.example".into(),
//!     described_at: "https://platform.example/.well-known/oauth-protected-resource".into(),
//!     clock: Clock::System,
//!     observer: None,
//! });
//! // In axum: .route(PATH, get(list).layer(gate.layer(RULE)))
//! const PATH: &str = "/organizations/{organization}/issues";
//! const RULE: Rule = Rule::of(PATH, Some(Scope::EventRead));
//! let layer = gate.layer(RULE);
//! # }
//! ```
//!
//! A handler behind it finds [`Authorized`] among the request's extensions.
//!
//! Where the tokens are known from is a [`Source`]: the authorization server's own database (feature `database`), where
//! every change counts at once, or the authorization server itself, asked over HTTP (feature `introspection`).

pub mod bearer;
pub mod cache;
pub mod clock;
#[cfg(feature = "database")]
pub mod database;
pub mod decision;
#[cfg(feature = "introspection")]
pub mod introspection;
mod layer;
mod refusal;
mod rule;
mod source;
pub mod standing;
pub mod token;

pub use clock::Clock;
pub use layer::{Authorized, Gate, GateLayer, Guarded, Observer, Presented, Refused, Route, Settings};
pub use refusal::{Answer, Cause, Refusal};
pub use rule::{ORGANIZATION, OrganizationRule, Rule};
pub use source::Source;
pub use standing::Standing;
