//! Users, organizations, memberships, projects; login and sessions.

pub mod admin;
pub mod attempt;
pub mod device;
pub mod home;
pub mod login;
pub mod logout;
pub mod organizations;
pub mod password;
pub mod projects;
pub mod session;
pub mod throttle;
