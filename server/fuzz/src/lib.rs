//! What reads the words of strangers, held to what must be true of whatever it accepts.
//!
//! Each target takes any bytes and panics where a property does not hold. The test suite runs them over the corpus and
//! a bounded number of its mutations; `cargo xtask fuzz TARGET` runs one for as long as wanted, guided by coverage.
#![allow(clippy::panic, clippy::expect_used, reason = "a target says no by a panic")]

mod authorize_query;
mod redirect_uri_and_origin;
mod scope;
mod token;

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and its corpus's.
    pub name: &'static str,
    /// Holds an input to its properties; says whether the parser accepted it.
    pub run: fn(&str) -> bool,
}

/// Every target.
pub const TARGETS: [Target; 4] = [
    Target { name: "authorize_query", run: authorize_query::run },
    Target { name: "redirect_uri_and_origin", run: redirect_uri_and_origin::run },
    Target { name: "token", run: token::run },
    Target { name: "scope", run: scope::run },
];

impl Target {
    /// The target with this name.
    pub fn find(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }
}
