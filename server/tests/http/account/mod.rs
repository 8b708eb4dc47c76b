//! `/account/…`

mod applications;
mod endings;
mod password;
