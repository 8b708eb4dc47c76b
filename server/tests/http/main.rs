//! What the server answers, through its real router, on a real database, with a clock and a randomness that stand
//! still: a SQLite file, or a database of the PostgreSQL server that `LATCHKEY_TEST_POSTGRES` names. The modules mirror the tree of addresses; `support` holds the platform and who calls it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says no by a panic")]

mod support;

mod account;
mod api;
mod assets;
mod broken_off;
mod cli;
mod cors;
mod dump;
mod exchange;
mod faults;
mod gate_check;
mod gate_elsewhere;
mod gateway;
mod headers;
mod heard;
mod home;
mod inert;
mod invitations;
mod leaks;
mod load;
mod log;
mod login;
mod logout;
mod nodes;
mod oauth;
mod organizations;
mod region;
mod registration;
mod retention;
mod script;
mod servers;
mod tenants;
mod toolbar;
mod unavailable;
