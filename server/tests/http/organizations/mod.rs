//! `/organizations/`: the pages by which an organization's admins run it.

mod applications;
mod audit;
mod disabling;
mod members;
