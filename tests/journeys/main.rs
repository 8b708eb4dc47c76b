//! Journeys: what a person does, in a real browser, across two sites, with third-party cookies blocked.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "these are tests, with a real browser"
)]

mod accessible;
mod by_keyboard;
mod canary;
mod clients;
mod diagnose;
mod hostile;
mod https;
mod issues;
mod journey;
mod openidconnect;
mod proxies;
mod refusals;
mod self_serve;
mod sign_in;
mod sign_out;
mod toolbar;
mod ways;
