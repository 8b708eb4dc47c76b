//! `/account/…`

mod applications;
mod password;
