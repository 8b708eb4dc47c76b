//! The page on which a person decides, and the one that tells them they can't.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use latchkey_protocol::scope::Scopes;

use crate::{
    applications::ResponseType,
    clock::UnixSeconds,
    config::Lifetimes,
    http::{browser::Browser, page},
    oauth::{
        client::Client,
        request::{Request, Target},
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
    duration: String,
    links: Vec<(&'static str, &'a str)>,
    transaction: &'a str,
    csrf: String,
}

#[derive(Template)]
#[template(path = "membership.html")]
struct MembershipPage<'a> {
    site: &'a str,
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
    lifetimes: &Lifetimes,
) -> Response {
    let target = &transaction.request.target;
    let page = ConsentPage {
        application: &client.application.name,
        organization: &client.organization.name,
        site: target.requesting_origin.as_str(),
        scopes: scopes.words(),
        name: &session.name,
        email: &session.email,
        duration: duration(&transaction.request, lifetimes),
        links: client.application.links(),
        transaction: transaction.id.expose(),
        csrf: browser.csrf(&csrf_purpose(&transaction.id, &session.user_id)),
    };
    page::respond_in_window(StatusCode::OK, &page, &form_targets(target))
}

/// Tells the person that they are not a member: not of which organization, which they may not see.
pub fn tell_not_a_member(
    transaction: &Transaction,
    client: &Client,
    session: &Session,
    back: String,
) -> Response {
    let page = MembershipPage {
        site: transaction.request.target.requesting_origin.as_str(),
        application: &client.application.name,
        email: &session.email,
        transaction: transaction.id.expose(),
        back,
    };
    page::respond_in_window(StatusCode::FORBIDDEN, &page, &[])
}

/// For how long, in words: a token in the fragment ends by itself; with what comes to the callback the frame stays signed
/// in; a code begins a line of refresh tokens.
fn duration(request: &Request, lifetimes: &Lifetimes) -> String {
    match request.response_type {
        ResponseType::Token if request.target.is_callback => {
            format!("for up to {} without asking again", span(lifetimes.frame_session_secs))
        }
        ResponseType::Token => format!("for {}", span(lifetimes.access_token_secs)),
        ResponseType::Code => {
            format!("for up to {} without asking again", span(lifetimes.refresh_total_secs))
        }
    }
}

/// A span of time in the largest unit it has two of, or exactly one of, rounded up.
fn span(secs: UnixSeconds) -> String {
    const UNITS: [(UnixSeconds, &str, &str); 4] = [
        (24 * 3600, "one day", "days"),
        (3600, "one hour", "hours"),
        (60, "one minute", "minutes"),
        (1, "one second", "seconds"),
    ];
    let fits = |(unit, ..): &&(UnixSeconds, _, _)| secs == *unit || secs >= 2 * unit;
    match UNITS.iter().find(fits) {
        Some((unit, one, _)) if secs == *unit => (*one).to_owned(),
        Some((unit, _, many)) => format!("{} {many}", (secs + unit - 1) / unit),
        None => "a moment".to_owned(),
    }
}

/// Where the redirect after a form may lead, besides our own pages, in the words of a Content-Security-Policy.
pub fn form_targets(target: &Target) -> Vec<&str> {
    let origin = &target.requesting_origin;
    match origin.as_str().split_once('[') {
        _ if target.is_callback => vec![],
        // There is no word for an IPv6 address (Content Security Policy §2.3.1 host-source); its scheme is one.
        Some((scheme, _)) => vec![scheme.trim_end_matches('/')],
        None => vec![origin.as_str()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_protocol::origin::Origin;

    #[test]
    fn a_form_leads_to_the_site_that_asked_in_words_that_a_browser_knows() {
        for (origin, is_callback, expected) in [
            ("https://a.com:8443", false, vec!["https://a.com:8443"]),
            ("https://a.com", true, vec![]),
            ("http://[::1]:3000", false, vec!["http:"]),
            ("https://[2001:db8::1]", false, vec!["https:"]),
        ] {
            let requesting_origin = Origin::parse(origin).unwrap();
            let target = Target { redirect_uri: format!("{origin}/cb"), is_callback, requesting_origin };
            assert_eq!(form_targets(&target), expected, "{origin}");
        }
    }

    #[test]
    fn a_span_is_told_in_the_unit_that_fits() {
        for (secs, words) in [
            (0, "a moment"),
            (1, "one second"),
            (60, "one minute"),
            (90, "90 seconds"),
            (3600, "one hour"),
            (5400, "90 minutes"),
            (2 * 3600, "2 hours"),
            (24 * 3600, "one day"),
            (36 * 3600, "36 hours"),
            (90 * 24 * 3600, "90 days"),
        ] {
            assert_eq!(span(secs), words, "{secs}");
        }
    }
}
