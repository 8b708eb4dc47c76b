//! Journeys: what a person does, in a real browser, across two sites, with third-party cookies blocked.
#![allow(missing_docs, clippy::unwrap_used, reason = "these are tests")]

