//! `/api/0/…`

mod authorizations;
mod gate;
mod members;
mod organizations;
mod projects;
mod remembered;
