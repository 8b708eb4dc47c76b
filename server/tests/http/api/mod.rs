//! `/api/0/…`

mod applications;
mod audit_logs;
mod authorizations;
mod gate;
mod members;
mod organizations;
mod projects;
mod remembered;
