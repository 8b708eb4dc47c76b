//! `/api/0/…`

mod gate;
mod members;
mod organizations;
mod projects;
