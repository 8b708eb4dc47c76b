//! Latchkey's server: the authorization server of organization-owned public clients, and the gate before the
//! platform's API.
//!
//! A reader finds any behaviour in three hops with the same name at each: [`routes`] → the endpoint's file →
//! [`store`].

pub mod account;
pub mod applications;
pub mod audit;
pub mod cli;
pub mod config;
pub mod directory;
pub mod gate;
pub mod gateway;
pub mod heartbeat;
pub mod http;
pub mod members;
pub mod noted;
pub mod oauth;
pub mod retention;
pub mod routes;
pub mod secret;
pub mod state;
pub mod store;
pub mod toolbar;

pub use latchkey_gate::clock;
