//! The rules a registration is held to: names, origins, redirect URIs.

use latchkey_protocol::origin::{Origin, OriginError, is_loopback};
use url::{Host, Url};

/// The longest redirect URI, in bytes.
pub const MAX_REDIRECT_URI: usize = 2048;
/// The longest name for people, in characters.
pub const MAX_NAME: usize = 100;
/// The most origins, and the most redirect URIs, of one application.
pub const MAX_ENTRIES: usize = 50;
/// The longest that the entries of one list may be together, in bytes: whatever is registered fits into a form.
pub const MAX_TOGETHER: usize = 12_000;

/// What is wrong with a field, and what would be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// Nothing was given.
    #[error("it is empty")]
    Empty,
    /// Neither of two is given, of which an application needs one.
    #[error("one of the two is needed: give a site it runs on, or a redirect URI")]
    Nowhere,
    /// More than fits.
    #[error("it is longer than {0} characters")]
    TooLong(usize),
    /// A character that changes how the text is read, or that nobody sees.
    #[error("it holds a character that is not allowed there (control, invisible or direction-changing)")]
    Character,
    /// A slug with something else in it.
    #[error(
        "a slug is 1 to 50 lower-case letters, digits and hyphens, and begins and ends with a letter or a digit"
    )]
    Slug,
    /// An address without the parts of one.
    #[error("it is not an e-mail address such as ada@example.org")]
    Email,
    /// Not a web origin at all.
    #[error(
        "it is not an origin; an origin is a scheme, a host and, if it is not the default, a port, such as https://a.com or https://a.com:8443"
    )]
    NotAnOrigin,
    /// A host alone.
    #[error("it has no scheme; the origin is {0}")]
    NoScheme(String),
    /// A URL where an origin is wanted.
    #[error("it is a URL; the origin is {0}")]
    UrlNotOrigin(String),
    /// A wildcard.
    #[error("wildcards are not allowed: register each origin by itself")]
    Wildcard,
    /// Plain http away from the machine itself.
    #[error("http is accepted on loopback only (127.0.0.1, [::1], localhost, *.localhost); use https")]
    NotSecure,
    /// The same of an origin that https may have as well.
    #[error("http is accepted on loopback only (127.0.0.1, [::1], localhost, *.localhost); use {0}")]
    UseHttps(String),
    /// A redirect URI that is not an absolute web address.
    #[error("it is not an absolute https:// address (or http:// on loopback)")]
    NotAbsolute,
    /// A redirect URI with a fragment (RFC 6749 §3.1.2).
    #[error("a redirect URI has no fragment: leave out # and what follows it")]
    Fragment,
    /// A redirect URI with a name or a password before the host.
    #[error("a redirect URI has no user name or password in it")]
    UserInfo,
    /// A link that leads to no web page.
    #[error("it is not the address of a web page, such as https://a.com/about")]
    NotAWebAddress,
    /// A scope that is not in the list.
    #[error(
        "it is not a scope; the scopes are org, member, project and event, each with :read, :write or :admin, and openid, profile and email"
    )]
    UnknownScope,
    /// A response type that is not in the list.
    #[error("it is not a response type; those are token and code")]
    UnknownResponseType,
    /// None of several is chosen.
    #[error("none is chosen; choose at least one")]
    NoneChosen,
    /// A value of another type than the field's.
    #[error("it is not {0}")]
    NotOfType(&'static str),
    /// More entries than an application may have.
    #[error("there are more than {0}")]
    TooMany(usize),
    /// Entries that are longer than fits, all of them together.
    #[error("together they are longer than {0} characters: leave some out, or make them shorter")]
    TooLongTogether(usize),
}

/// Reads a name for people. What is stored is what was typed, without the spaces around it.
pub fn name(text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(FieldError::Empty),
        count if count > MAX_NAME => Err(FieldError::TooLong(MAX_NAME)),
        _ if text.chars().any(is_hidden) => Err(FieldError::Character),
        _ => Ok(text.to_owned()),
    }
}

/// Control characters, and those that are invisible or turn the direction of what follows (Unicode TR 36 §2.5).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Reads a slug.
pub fn slug(text: &str) -> Result<String, FieldError> {
    let fits = (1..=50).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if fits { Ok(text.to_owned()) } else { Err(FieldError::Slug) }
}

/// Reads an e-mail address: enough to tell one from something else. Only a message that arrives proves it.
pub fn email(text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    let Some((local, domain)) = text.rsplit_once('@') else { return Err(FieldError::Email) };
    let fits = text.len() <= 254
        && !local.is_empty()
        && !local.contains('@')
        && domain.split('.').all(|label| !label.is_empty())
        && !text
            .chars()
            .any(|c| c.is_whitespace() || is_hidden(c) || matches!(c, '<' | '>' | '"' | ',' | ';'));
    if fits { Ok(text.to_owned()) } else { Err(FieldError::Email) }
}

/// Reads what a person typed as an origin, and brings it into the form in which browsers write it.
pub fn origin(text: &str) -> Result<Origin, FieldError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(FieldError::Empty);
    }
    if text.contains('*') {
        return Err(FieldError::Wildcard);
    }
    if text.len() > MAX_REDIRECT_URI {
        return Err(FieldError::TooLong(MAX_REDIRECT_URI));
    }
    // The URL parser repairs backslashes, tabs and missing slashes; what needs repair is not what was meant.
    if text.contains(|c: char| c.is_whitespace() || is_hidden(c) || c == '\\') {
        return Err(FieldError::NotAnOrigin);
    }
    if !text.contains("://") {
        return Err(with_scheme(text).map_or(FieldError::NotAnOrigin, FieldError::NoScheme));
    }
    let url = Url::parse(text).map_err(|_| FieldError::NotAnOrigin)?;
    // Neither are `https:a://b`, `https:///a` and `https://@a`, whose parsed form shows nothing of it any more.
    let Some((scheme, authority, rest)) = parts(text) else { return Err(FieldError::NotAnOrigin) };
    let is_web = matches!(url.scheme(), "https" | "http") && scheme.eq_ignore_ascii_case(url.scheme());
    if !is_web || authority.is_empty() || authority.contains('@') {
        return Err(FieldError::NotAnOrigin);
    }
    let serialized = url.origin().ascii_serialization();
    let origin = match Origin::parse(&serialized) {
        Ok(origin) => origin,
        // What answers at a port of its own for http does not answer there for https.
        Err(OriginError::NotLoopback) => {
            let host = serialized.strip_prefix("http://").filter(|_| url.port().is_none());
            return Err(
                host.map_or(FieldError::NotSecure, |it| FieldError::UseHttps(format!("https://{it}")))
            );
        }
        Err(OriginError::Scheme | OriginError::Host | OriginError::Port) => {
            return Err(FieldError::NotAnOrigin);
        }
    };
    // As typed: `/x/..` is a path, though parsing leaves nothing of it.
    if !matches!(rest, "" | "/") {
        return Err(FieldError::UrlNotOrigin(origin.to_string()));
    }
    Ok(origin)
}

/// The origin that somebody meant who typed a host alone, such as `a.com` or `localhost:3000`.
fn with_scheme(text: &str) -> Option<String> {
    let url = Url::parse(&format!("https://{text}")).ok()?;
    let Some(Host::Domain(host)) = url.host() else { return None };
    let scheme = if is_loopback(host) { "http" } else { "https" };
    if scheme == "https" && !host.contains('.') {
        return None;
    }
    match origin(&format!("{scheme}://{text}")) {
        Ok(origin) => Some(origin.to_string()),
        Err(FieldError::UrlNotOrigin(origin)) => Some(origin),
        Err(_) => None,
    }
}

/// What stands before `://`, what up to the path, the query or the fragment (RFC 3986 §3.2), and the rest.
fn parts(text: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let (authority, rest) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
    Some((scheme, authority, rest))
}

/// Reads the address of a page that people may follow (never the server: it fetches nothing that somebody names).
pub fn web_address(text: &str) -> Result<String, FieldError> {
    if text.len() > MAX_REDIRECT_URI {
        return Err(FieldError::TooLong(MAX_REDIRECT_URI));
    }
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['\\', '<', '>', '"', '`']);
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    let has_host =
        parts(text).is_some_and(|(_, authority, _)| !authority.is_empty() && !authority.contains('@'));
    if is_plain && is_web && has_host && Url::parse(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(FieldError::NotAWebAddress)
    }
}

/// Reads a redirect URI. It is kept byte for byte, and compared so (RFC 9700 §2.1).
pub fn redirect_uri(text: &str) -> Result<String, FieldError> {
    if text.is_empty() {
        return Err(FieldError::Empty);
    }
    if text.len() > MAX_REDIRECT_URI {
        return Err(FieldError::TooLong(MAX_REDIRECT_URI));
    }
    // RFC 3986 §2: a URI is ASCII without spaces; these characters are in no URI, and URL parsers repair them.
    if !text.bytes().all(|b| b.is_ascii_graphic())
        || text.contains(['\\', '<', '>', '"', '`', '{', '}', '|', '^'])
    {
        return Err(FieldError::NotAbsolute);
    }
    if text.contains('*') {
        return Err(FieldError::Wildcard);
    }
    if text.contains('#') {
        return Err(FieldError::Fragment);
    }
    let secure = text.starts_with("https://");
    if !secure && !text.starts_with("http://") {
        return Err(FieldError::NotAbsolute);
    }
    let url = Url::parse(text).map_err(|_| FieldError::NotAbsolute)?;
    let authority = parts(text).map(|(_, authority, _)| authority).unwrap_or_default();
    if authority.is_empty() {
        return Err(FieldError::NotAbsolute);
    }
    if authority.contains('@') {
        return Err(FieldError::UserInfo);
    }
    if !secure && !url.host_str().is_some_and(is_loopback) {
        return Err(FieldError::NotSecure);
    }
    // The site a response goes to must have an origin of the accepted kind.
    Origin::parse(&url.origin().ascii_serialization()).map_err(|_| FieldError::NotAbsolute)?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_origin_is_brought_into_the_form_of_browsers() {
        for (typed, stored) in [
            ("https://a.com", "https://a.com"),
            ("HTTPS://A.com:443", "https://a.com"),
            ("https://a.com/", "https://a.com"),
            (" https://a.com ", "https://a.com"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
            ("http://Customer.localhost:8001", "http://customer.localhost:8001"),
        ] {
            assert_eq!(origin(typed).unwrap().as_str(), stored, "{typed:?}");
        }
    }

    #[test]
    fn what_is_not_an_origin_is_refused_with_what_would_be_accepted() {
        use FieldError::*;
        for (typed, error) in [
            ("", Empty),
            ("  ", Empty),
            ("null", NotAnOrigin),
            ("a.com", NoScheme("https://a.com".into())),
            ("A.com:8443/x", NoScheme("https://a.com:8443".into())),
            ("localhost:3000", NoScheme("http://localhost:3000".into())),
            ("//a.com", NotAnOrigin),
            ("user@a.com", NotAnOrigin),
            ("mailto:a@a.com", NotAnOrigin),
            ("about:blank", NotAnOrigin),
            ("https:a.com", NotAnOrigin),
            ("https:/a.com", NotAnOrigin),
            ("https:\\\\a.com", NotAnOrigin),
            ("https://a.com\\@b.com", NotAnOrigin),
            ("https://a\u{202e}.com", NotAnOrigin),
            ("https://a.com\t", NotAnOrigin),
            ("javascript://a.com", NotAnOrigin),
            ("data:text/html,x", NotAnOrigin),
            ("ftp://a.com", NotAnOrigin),
            ("file:///etc", NotAnOrigin),
            ("https://", NotAnOrigin),
            ("https://user@a.com", NotAnOrigin),
            ("https://user:pass@a.com", NotAnOrigin),
            ("https://@a.com", NotAnOrigin),
            ("https://:@a.com", NotAnOrigin),
            ("https:///a.com", NotAnOrigin),
            ("https:a://b.com", NotAnOrigin),
            ("https://a.com:99999", NotAnOrigin),
            ("https://*.a.com", Wildcard),
            ("https://*foo.com", Wildcard),
            ("*", Wildcard),
            ("http://site.example", UseHttps("https://site.example".into())),
            ("http://site.example:80/x", UseHttps("https://site.example".into())),
            ("http://site.example:8080", NotSecure),
            ("http://localhost.evil.example", UseHttps("https://localhost.evil.example".into())),
            ("https://a.com/x", UrlNotOrigin("https://a.com".into())),
            ("https://a.com:8443/?q", UrlNotOrigin("https://a.com:8443".into())),
            ("https://a.com/#x", UrlNotOrigin("https://a.com".into())),
            ("https://a.com?", UrlNotOrigin("https://a.com".into())),
            ("https://a.com//", UrlNotOrigin("https://a.com".into())),
            ("https://a.com/x/..", UrlNotOrigin("https://a.com".into())),
            ("https://a.com/%2e", UrlNotOrigin("https://a.com".into())),
        ] {
            if typed == "https://a.com\t" {
                // A tab at the end is trimmed like a space: it is how a line is pasted from a table.
                assert!(origin(typed).is_ok());
                continue;
            }
            assert_eq!(origin(typed), Err(error), "{typed:?}");
        }
    }

    #[test]
    fn a_link_leads_to_a_web_page_or_is_refused() {
        for text in ["https://a.com", "http://a.com/terms?x#y", "https://xn--bcher-kva.example/"] {
            assert_eq!(web_address(text).unwrap(), text);
        }
        for text in [
            "javascript:alert(1)",
            "data:text/html,x",
            "//a.com",
            "a.com",
            "https:a.com",
            "https://",
            "https://user@a.com/",
            "https://a.com/\"onclick=\"x",
            "https://a.com/<x>",
            "https://a.com/\u{202e}",
            "https://a.com/ x",
            "https:\\\\a.com",
        ] {
            assert_eq!(web_address(text), Err(FieldError::NotAWebAddress), "{text:?}");
        }
    }

    #[test]
    fn an_accepted_redirect_uri_is_kept_byte_for_byte() {
        for text in [
            "https://a.com",
            "https://a.com/",
            "https://a.com/cb?x=1&y=%2F",
            "https://A.com/Cb",
            "https://a.com:443/cb",
            "https://a.com/a/../b",
            "https://[2001:db8::1]/cb",
            "http://localhost:3000/cb",
            "http://127.0.0.1/cb",
            "http://[::1]:8080/cb",
            "http://customer.localhost:8001/redirect.html",
        ] {
            assert_eq!(redirect_uri(text).unwrap(), text);
        }
    }

    #[test]
    fn a_hostile_redirect_uri_is_refused_by_what_is_wrong() {
        use FieldError::*;
        for (text, error) in [
            ("", Empty),
            ("/cb", NotAbsolute),
            ("a.com/cb", NotAbsolute),
            ("//a.com/cb", NotAbsolute),
            ("https:a.com/cb", NotAbsolute),
            ("https:/a.com/cb", NotAbsolute),
            ("https:///a.com/cb", NotAbsolute),
            ("https://", NotAbsolute),
            ("https://?x", NotAbsolute),
            ("https://:8443/cb", NotAbsolute),
            ("HTTPS://a.com/cb", NotAbsolute),
            (" https://a.com/cb", NotAbsolute),
            ("https://a.com/cb ", NotAbsolute),
            ("https://a.com/c b", NotAbsolute),
            ("https://a.com/\tcb", NotAbsolute),
            ("https://a.com/\ncb", NotAbsolute),
            ("https://a.com/\0cb", NotAbsolute),
            ("https://a.com/\u{7f}cb", NotAbsolute),
            ("https://a.com\\@b.com/cb", NotAbsolute),
            ("https://a.com/\\b", NotAbsolute),
            ("https://a.com/<script>", NotAbsolute),
            ("https://a.com/\"x", NotAbsolute),
            ("https://a.com/`x", NotAbsolute),
            ("https://a.com/{x}", NotAbsolute),
            ("https://a.com/|x", NotAbsolute),
            ("https://a.com/^x", NotAbsolute),
            ("https://bücher.example/cb", NotAbsolute),
            ("https://a.com/ü", NotAbsolute),
            ("https://a.com:99999/cb", NotAbsolute),
            ("https://a.com:x/cb", NotAbsolute),
            ("https://a..com/cb", NotAbsolute),
            ("https://[::1/cb", NotAbsolute),
            ("https://a%00.com/cb", NotAbsolute),
            ("javascript:alert(1)", NotAbsolute),
            ("JavaScript:alert(1)", NotAbsolute),
            ("javascript://a.com/%0aalert(1)", NotAbsolute),
            ("vbscript:x", NotAbsolute),
            ("data:text/html,x", NotAbsolute),
            ("blob:https://a.com/x", NotAbsolute),
            ("file:///etc/passwd", NotAbsolute),
            ("ftp://a.com/cb", NotAbsolute),
            ("sftp://a.com/cb", NotAbsolute),
            ("mailto:a@a.com", NotAbsolute),
            ("tel:1", NotAbsolute),
            ("sms:1", NotAbsolute),
            ("jdbc:x", NotAbsolute),
            ("odbc:x", NotAbsolute),
            ("com.example.app:/cb", NotAbsolute),
            ("custom://cb", NotAbsolute),
            ("about:blank", NotAbsolute),
            ("ws://a.com", NotAbsolute),
            ("urn:ietf:wg:oauth:2.0:oob", NotAbsolute),
            ("https://*.a.com/cb", Wildcard),
            ("https://a.com/*", Wildcard),
            ("https://a.com/cb#", Fragment),
            ("https://a.com/cb#x", Fragment),
            ("https://user@a.com/cb", UserInfo),
            ("https://user:pass@a.com/cb", UserInfo),
            ("https://a.com@b.com/cb", UserInfo),
            ("https://@a.com/cb", UserInfo),
            ("http://a.com/cb", NotSecure),
            ("http://127.0.0.2/cb", NotSecure),
            ("http://localhost.evil.example/cb", NotSecure),
            ("http://0.0.0.0/cb", NotSecure),
            (&format!("https://a.com/{}", "x".repeat(2048)), TooLong(2048)),
        ] {
            assert_eq!(redirect_uri(text), Err(error), "{text:.60?}");
        }
    }

    #[test]
    fn a_name_is_bounded_and_shows_all_of_itself() {
        assert_eq!(name("  Acme & Söhne <b> "), Ok("Acme & Söhne <b>".into()));
        assert_eq!(name(" "), Err(FieldError::Empty));
        assert_eq!(name(&"x".repeat(101)), Err(FieldError::TooLong(100)));
        for hidden in ["a\u{202e}b", "a\u{200b}b", "a\0b", "a\nb", "a\u{2028}b", "a\u{feff}b", "a\u{2066}b"] {
            assert_eq!(name(hidden), Err(FieldError::Character), "{hidden:?}");
        }
    }

    #[test]
    fn slugs_and_addresses_are_told_from_something_else() {
        assert!(slug("acme-2").is_ok());
        for wrong in ["", "-a", "a-", "A", "a_b", "a b", "ä", "a/b", "..", &"a".repeat(51)] {
            assert_eq!(slug(wrong), Err(FieldError::Slug), "{wrong:?}");
        }
        assert_eq!(email(" Ada@Example.org "), Ok("Ada@Example.org".into()));
        for wrong in
            ["", "ada", "@a.org", "ada@", "a@b@c.org", "a b@c.org", "a@.org", "<a@b.org>", "a@b.org\u{200b}x"]
        {
            assert_eq!(email(wrong), Err(FieldError::Email), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn an_origin_reads_back_however_it_is_typed(
            host in "[a-z][a-z0-9-]{0,8}(\\.[a-z][a-z0-9]{0,8}){0,3}", port in 1u16.., upper in any::<bool>(), slash in "/?",
        ) {
            let browser = if port == 443 { format!("https://{host}") } else { format!("https://{host}:{port}") };
            prop_assume!(!host.starts_with("xn--"));
            let mut typed = format!("https://{host}:{port}{slash}");
            if upper {
                typed.make_ascii_uppercase();
            }
            prop_assert_eq!(origin(&typed).map(|it| it.to_string()), Ok(browser));
            typed.push_str("/x");
            prop_assert!(origin(&typed).is_err());
            prop_assert!(origin(&typed.replace("://", "://x@")).is_err());
        }

        #[test]
        fn a_redirect_uri_is_kept_as_it_is_and_with_a_foreign_character_refused(
            path in "(/[A-Za-z0-9._~%-]{0,6}){0,3}", query in "(\\?[a-z0-9=&%+]{0,8})?", at in 0usize..12,
            foreign in "[^!-~]|[\\\\<>\"`{}|^#*]",
        ) {
            let text = format!("https://a.com{path}{query}");
            prop_assert_eq!(redirect_uri(&text), Ok(text.clone()));
            let at = at.min(text.len());
            let (before, after) = text.split_at(at);
            let spoilt = format!("{before}{foreign}{after}");
            prop_assert!(redirect_uri(&spoilt).is_err());
        }

        #[test]
        fn any_text_is_an_origin_or_refused_without_a_panic(text in "(https?://)?\\PC{0,40}") {
            if let Ok(found) = origin(&text) {
                prop_assert_eq!(origin(found.as_str()), Ok(found));
            }
        }

        #[test]
        fn any_text_is_a_redirect_uri_or_refused_without_a_panic(text in "(https?://)?\\PC{0,40}") {
            if let Ok(found) = redirect_uri(&text) {
                prop_assert_eq!(found, text);
            }
        }
    }
}
