//! Who belongs to an organization: the rules, its admins' pages, the links by which people become members, and the list
//! of the API.

pub mod accept;
pub mod api;
pub mod invitation;
pub mod list;
pub mod membership;
pub mod pages;
pub mod remove;
pub mod role;
pub mod withdraw;
