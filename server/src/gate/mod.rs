//! The gate before our own API: the layer of the crate `latchkey-gate`, with this server's database and settings.

pub mod check;
pub mod link;

use std::sync::Arc;

use axum::routing::MethodRouter;
use latchkey_gate::{Settings, database::Database};

pub use latchkey_gate::{Authorized, OrganizationRule, Presented, Refusal, Route, Rule};

use crate::{
    audit::refusals::Refusals, clock::Clock, config::Config, oauth::metadata::PROTECTED_RESOURCE, state::App,
};

/// The gate, which knows tokens from the database.
pub type Gate = latchkey_gate::Gate<Arc<Database>>;

/// The gate of this server.
pub fn new(config: &Config, database: Arc<Database>, clock: &Clock, refusals: Option<&Refusals>) -> Gate {
    Gate::new(
        database,
        Settings {
            platform: config.issuer().to_owned(),
            described_at: config.url(PROTECTED_RESOURCE),
            clock: clock.clone(),
            observer: refusals.map(|refusals| Arc::new(refusals.clone()) as Arc<dyn latchkey_gate::Observer>),
        },
    )
}

/// Puts the gate before a route. There is no other way into the API's router, so a route without a rule does not
/// compile.
pub fn guard(app: &App, rule: Rule, route: MethodRouter<App>) -> MethodRouter<App> {
    route.layer(app.gate.layer(rule))
}
