//! The demo and the journeys' ground: a platform, a customer's site beside it, data, and a browser.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is a stage with real processes and a real browser: it speaks to a person and waits by the clock"
)]

pub mod browser;
pub mod canary;
pub mod counterpart;
pub mod data;
mod display;
pub mod engine;
pub mod matrix;
pub mod server;
pub mod site;
pub mod stage;
pub mod tls;
pub mod tracker;
