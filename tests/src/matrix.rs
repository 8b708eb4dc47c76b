//! The matrix: what becomes of a sign-in on every kind of site, in every kind of browser.
//!
//! A [`Cell`] is a site (its headers, how it has its people sign in), a browser (what it lets a frame keep) and what
//! becomes of the window. [`expected`] says, for each, what a person and the site's own code see; `play` does it in a
//! real browser and compares. Together the dimensions have 360 cells: every pair of values once ([`every_pair`]) is in
//! the test command, all of them by `cargo xtask matrix`.

mod cell;
mod cover;
mod expected;
mod play;
mod site;

pub use cell::{Cell, Coop, Csp, Line, Mode, Window};
pub use cover::{all, elsewhere, every_pair, extra};
pub use expected::{Delivery, Expected, Outcome, expected};
pub use play::{AT_ONCE, Ground, Played, play_all};
