//! The addresses of a registration, and origins as a browser writes them.

use latchkey_protocol::origin::{Origin, is_loopback};
use latchkey_server::{
    applications::registration::{self, MAX_REDIRECT_URI},
    oauth::request::Target,
};
use url::Url;

use crate::authorize_query::{ask, only};

pub(crate) fn run(text: &str) -> bool {
    let redirect_uri = registration::redirect_uri(text).ok();
    if let Some(kept) = &redirect_uri {
        check_redirect_uri(kept, text);
    }
    let written = Origin::parse(text).ok();
    if let Some(origin) = &written {
        check_origin(origin);
        assert_eq!(origin.as_str(), text, "byte for byte");
        assert_eq!(registration::origin(text).ok().as_ref(), Some(origin));
    }
    let typed = registration::origin(text).ok();
    if let Some(origin) = &typed {
        check_origin(origin);
        check_typed(origin, text.trim());
    }
    redirect_uri.is_some() || written.is_some() || typed.is_some()
}

/// What is kept is what was typed, leads to where it seems to lead, and is then accepted as it is, and as nothing else.
fn check_redirect_uri(kept: &str, text: &str) {
    assert_eq!(kept, text, "byte for byte");
    assert!(kept.len() <= MAX_REDIRECT_URI && kept.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(!kept.contains(['\\', '#', '*', '<', '>', '"']));
    let url = Url::parse(kept).expect("an address");
    check_address(&url);
    check_authority(kept, &url);
    let origin = Origin::parse(&url.origin().ascii_serialization()).expect("an origin");
    let registered = only(kept);
    let target = Target { redirect_uri: kept.to_owned(), is_callback: false, requesting_origin: origin };
    assert_eq!(ask(&registered, kept).as_ref(), Some(&target));
    assert!(target.is_still_registered(&registered));
    let sum: usize = kept.bytes().map(usize::from).sum();
    let (before, after) = kept.split_at(sum % kept.len());
    let others = [
        format!("{before}x{after}"),
        format!("{kept}x"),
        format!("{kept}/"),
        format!("{kept}#"),
        format!(" {kept}"),
        format!("{kept}\n"),
    ];
    // Each input tries one of them, and others try the others.
    let other = &others[sum / kept.len() % others.len()];
    assert_eq!(ask(&registered, other), None, "{other:?}");
}

/// The standard's own reading of it is the same text.
fn check_origin(origin: &Origin) {
    let url = Url::parse(origin.as_str()).expect("an address");
    check_address(&url);
    assert_eq!(Origin::parse(origin.as_str()).ok().as_ref(), Some(origin));
    assert_eq!(url.origin().ascii_serialization(), origin.as_str());
    assert_eq!((url.path(), url.query()), ("/", None));
    assert_eq!(url.host_str(), Some(origin.host()));
    assert_eq!(origin.is_loopback(), is_loopback(origin.host()));
}

/// What a person typed is the origin they read there: with one slash after it at most, and nothing before the host.
fn check_typed(origin: &Origin, typed: &str) {
    let url = Url::parse(typed).expect("an address");
    assert_eq!(url.origin().ascii_serialization(), origin.as_str());
    check_authority(typed, &url);
    let (_, rest) = typed.split_once("://").expect("a scheme");
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    assert!(["", "/"].contains(&&rest[end..]), "{typed:?}");
}

fn check_address(url: &Url) {
    let host = url.host_str().expect("a host");
    assert!(url.scheme() == "https" || url.scheme() == "http" && is_loopback(host), "{url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
}

/// A reader who knows no more than `scheme://host` finds the host where the browser does.
fn check_authority(text: &str, url: &Url) {
    let (scheme, rest) = text.split_once("://").expect("a scheme");
    assert!(scheme.eq_ignore_ascii_case(url.scheme()), "{text:?}");
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    assert!(!authority.is_empty() && !authority.contains(['@', '\\', ' ']), "{text:?}");
    if authority.is_ascii()
        && !authority.contains('%')
        && authority.bytes().any(|byte| byte.is_ascii_alphabetic())
    {
        let host = url.host_str().expect("a host");
        let is_address =
            host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        assert!(is_address || authority.to_ascii_lowercase().starts_with(host), "{text:?}");
    }
}
