//! `/organizations/…`

mod members;
