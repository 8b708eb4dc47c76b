//! `/organizations/`: the pages by which an organization's admins run it.

mod applications;
mod members;
