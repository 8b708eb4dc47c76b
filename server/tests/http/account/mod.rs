//! `/account/…`

mod password;
