//! The platform under test and its callers, typed by how they authenticate: a [`Person`] by cookies, a [`Site`] by
//! a bearer token, and [`anonymous`] by nothing.

mod answer;
mod asking;
mod database;
mod figure;
mod frame;
pub(crate) mod hostile;
pub(crate) mod leak;
mod link;
pub(crate) mod log;
mod person;
mod platform;
mod remote;
mod site;
mod tokens;
mod until;

pub(crate) use answer::Answer;
pub(crate) use asking::Asking;
pub(crate) use database::{Database, Line, Place, database_of, is_embedded};
pub(crate) use figure::figure;
pub(crate) use frame::Frame;
pub(crate) use link::Link;
pub(crate) use person::Person;
pub(crate) use platform::{
    ACME, ACME_LOCAL, ACME_REDIRECT, ACME_SITE, ADMIN, APP, BOTH, GLOBEX, GLOBEX_APP, GLOBEX_REDIRECT,
    GLOBEX_SITE, LOCAL_REDIRECT, MEMBER, NOW, OUTSIDER, OWNER, PASSWORD, PEER, PLATFORM, Platform, SECRET,
    STRANGER,
};
pub(crate) use site::{Site, anonymous};
pub(crate) use tokens::{CHALLENGE, Form, SERVER_SECRET, Tokens, VERIFIER, basic};
pub(crate) use until::until;
