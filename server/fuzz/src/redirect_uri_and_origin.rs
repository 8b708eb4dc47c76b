//! The addresses of a registration, and origins as a browser writes them.

use latchkey_protocol::origin::{Origin, is_loopback};
use latchkey_server::applications::registration;
use url::Url;

pub(crate) fn run(text: &str) {
    if let Ok(kept) = registration::redirect_uri(text) {
        assert_eq!(kept, text, "byte for byte");
        check_address(&Url::parse(&kept).expect("an address"));
        assert!(!kept.chars().any(|c| c.is_control() || c.is_whitespace() || matches!(c, '\\' | '#' | '*')));
    }
    if let Ok(origin) = Origin::parse(text) {
        check_origin(&origin);
        assert_eq!(origin.as_str(), text, "byte for byte");
        assert_eq!(registration::origin(text).ok(), Some(origin));
    }
    if let Ok(origin) = registration::origin(text) {
        check_origin(&origin);
        assert_eq!(Origin::parse(origin.as_str()).ok().as_ref(), Some(&origin));
    }
}

/// The standard's own reading of it is the same text.
fn check_origin(origin: &Origin) {
    let url = Url::parse(origin.as_str()).expect("an address");
    check_address(&url);
    assert_eq!(url.origin().ascii_serialization(), origin.as_str());
    assert_eq!((url.path(), url.query()), ("/", None));
}

fn check_address(url: &Url) {
    let host = url.host_str().expect("a host");
    assert!(url.scheme() == "https" || url.scheme() == "http" && is_loopback(host), "{url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
}
