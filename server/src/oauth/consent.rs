//! The page on which a person decides, and the one that tells them they can't.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use latchkey_protocol::scope::Scopes;

use crate::{
    http::{browser::Browser, page},
    oauth::{
        client::Client,
        request::{Target, words},
        transaction::Transaction,
    },
    secret::Secret,
    store::sessions::Session,
};

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentPage<'a> {
    application: &'a str,
    organization: &'a str,
    site: &'a str,
    scopes: Vec<&'static str>,
    name: &'a str,
    email: &'a str,
    transaction: &'a str,
    csrf: String,
}

#[derive(Template)]
#[template(path = "membership.html")]
struct MembershipPage<'a> {
    application: &'a str,
    email: &'a str,
    transaction: &'a str,
    back: String,
}

/// What the consent form's CSRF token is good for: this request, decided by this person.
pub fn csrf_purpose(transaction: &Secret, user_id: &str) -> String {
    format!("consent {} {user_id}", transaction.expose())
}

/// Asks the person.
pub fn ask(
    browser: &Browser,
    transaction: &Transaction,
    client: &Client,
    session: &Session,
    scopes: Scopes,
) -> Response {
    let target = &transaction.request.target;
    let page = ConsentPage {
        application: &client.application.name,
        organization: &client.organization.name,
        site: target.requesting_origin.as_str(),
        scopes: words(scopes),
        name: &session.name,
        email: &session.email,
        transaction: transaction.id.expose(),
        csrf: browser.csrf(&csrf_purpose(&transaction.id, &session.user_id)),
    };
    page::respond(StatusCode::OK, &page, &form_targets(target))
}

/// Tells the person that they are not a member: not of which organization, which they may not see.
pub fn tell_not_a_member(
    transaction: &Transaction,
    client: &Client,
    session: &Session,
    back: String,
) -> Response {
    let page = MembershipPage {
        application: &client.application.name,
        email: &session.email,
        transaction: transaction.id.expose(),
        back,
    };
    page::respond(StatusCode::FORBIDDEN, &page, &[])
}

/// Where the redirect after a form may lead, besides our own pages.
pub fn form_targets(target: &Target) -> Vec<&str> {
    if target.is_callback { vec![] } else { vec![target.requesting_origin.as_str()] }
}
