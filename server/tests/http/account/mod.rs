//! `/account/…`

mod applications;
mod endings;
mod overview;
mod password;
mod sessions;
