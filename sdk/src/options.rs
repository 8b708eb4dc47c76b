//! What `init` was given, checked.

use alloc::{string::String, vec::Vec};

use latchkey_protocol::{error::ErrorCode, oauth::encode_into, origin::is_loopback};

use crate::error::Failure;

/// How a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A toolbar on the page, and a window: the companion frame hands the token over.
    Frame,
    /// A window alone.
    Popup,
    /// The page goes to the platform and comes back.
    Redirect,
}

/// The options as the page wrote them: `None` where one is absent, an empty text where one is not a text.
#[derive(Debug, Default)]
pub struct Given {
    /// `clientId`, or `client_id`.
    pub client_id: Option<String>,
    /// `platform`.
    pub platform: Option<String>,
    /// `scopes`.
    pub scopes: Option<Vec<String>>,
    /// `mode`.
    pub mode: Option<String>,
    /// `responseType`.
    pub response_type: Option<String>,
    /// `redirectUri`.
    pub redirect_uri: Option<String>,
    /// `timeoutMs`; not a number where it is not one.
    pub timeout_ms: Option<f64>,
}

/// What the browser says of the page and of the option `platform`.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// The page's own origin.
    pub origin: &'a str,
    /// The page's own address, without query and fragment.
    pub address: &'a str,
    /// The origin that the browser's URL parser finds in `platform`; empty where that is no URL. It is the same text
    /// for an origin, and another for all that has a path, a user name or a letter in the wrong case.
    pub platform: &'a str,
}

/// The options of a client, each of them usable.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The application.
    pub client_id: String,
    /// The platform's origin, which is its issuer as well.
    pub platform: String,
    /// The scopes to ask for, space-delimited; empty for the application's maximum.
    pub scope: String,
    /// How a person signs in.
    pub mode: Mode,
    /// Where the platform answers in [`Mode::Redirect`].
    pub redirect_uri: String,
    /// The page's own origin.
    pub origin: String,
}

/// The longest delay a browser's timer counts to.
pub const MAX_TIMEOUT_MS: f64 = 2_147_483_647.0;

impl Given {
    /// Checks every option.
    ///
    /// A failure's message begins with the option's name and says what would be accepted.
    pub fn check(&self, page: &Page<'_>) -> Result<Options, Failure> {
        let client_id = self.client_id.as_deref().unwrap_or_default();
        if client_id.is_empty() {
            return Err(invalid("clientId: give the client id of an application, as a string"));
        }
        let platform = self.platform.as_deref().unwrap_or_default();
        let platform = platform.strip_suffix('/').unwrap_or(platform);
        if platform != page.platform || !is_secure(platform) {
            return Err(invalid(
                "platform: give the platform's origin, such as \"https://platform.example\" (http only on localhost)",
            ));
        }
        let mode = match self.mode.as_deref() {
            None | Some("auto" | "iframe") => Mode::Frame,
            Some("popup") => Mode::Popup,
            Some("redirect") => Mode::Redirect,
            Some(_) => return Err(invalid("mode: give \"auto\", \"iframe\", \"popup\" or \"redirect\"")),
        };
        if !matches!(self.response_type.as_deref(), None | Some("token")) {
            return Err(invalid("responseType: this version signs in with responseType \"token\""));
        }
        // `index.js` counts the time; here it is only a matter of whether it is one.
        timeout(self.timeout_ms, 0.0)?;
        let redirect_uri = redirect_uri(self.redirect_uri.as_deref(), page)?;
        Ok(Options {
            scope: scope(self.scopes.as_deref().unwrap_or_default())?,
            redirect_uri,
            client_id: client_id.into(),
            platform: platform.into(),
            mode,
            origin: page.origin.into(),
        })
    }
}

impl Options {
    /// An address below the platform's page for this application: the frame, the callback, the status.
    pub fn toolbar(&self, page: &str) -> String {
        let mut url = self.platform.clone();
        url.push_str("/toolbar/");
        encode_into(&mut url, &self.client_id);
        url.push('/');
        url.push_str(page);
        url
    }
}

/// Scopes as one space-delimited list (RFC 6749 §3.3). Which scopes there are is the server's to say.
pub fn scope(scopes: &[String]) -> Result<String, Failure> {
    let is_scope_token = |scope: &String| {
        !scope.is_empty() && scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E))
    };
    let mut list = String::new();
    for scope in scopes {
        if !is_scope_token(scope) {
            return Err(invalid("scopes: give an array of scopes, such as [\"project:read\"]"));
        }
        if !list.is_empty() {
            list.push(' ');
        }
        list.push_str(scope);
    }
    Ok(list)
}

/// A time limit in milliseconds.
pub fn timeout(given: Option<f64>, default: f64) -> Result<f64, Failure> {
    match given {
        None => Ok(default),
        Some(ms) if ms > 0.0 && ms <= MAX_TIMEOUT_MS => Ok(ms),
        Some(_) => Err(invalid("timeoutMs: give a number of milliseconds, from 1 to 2147483647")),
    }
}

/// Whether nobody between here and there can read along: https, or the machine itself.
fn is_secure(origin: &str) -> bool {
    let Some(host) = origin.strip_prefix("http://") else { return origin.starts_with("https://") };
    let digits = host.bytes().rev().take_while(u8::is_ascii_digit).count();
    let without_port = host.get(..host.len() - digits).and_then(|host| host.strip_suffix(':'));
    is_loopback(without_port.unwrap_or(host))
}

/// The page that handles the answer shares its storage with the one that asked, so it is on the same origin.
fn redirect_uri(given: Option<&str>, page: &Page<'_>) -> Result<String, Failure> {
    let uri = given.unwrap_or(page.address);
    let is_own = uri.strip_prefix(page.origin).is_some_and(|rest| rest.starts_with('/'));
    if !is_own || uri.bytes().any(|byte| byte == b'#') {
        return Err(invalid(
            "redirectUri: give the full address of a page on this site's own origin, without #",
        ));
    }
    Ok(uri.into())
}

pub(crate) fn invalid(message: &str) -> Failure {
    Failure::new(ErrorCode::InvalidOptions, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const SITE: &str = "https://shop.example";

    fn given() -> Given {
        Given {
            client_id: Some("c1".into()),
            platform: Some("https://platform.example".into()),
            ..Given::default()
        }
    }

    fn check(given: Given) -> Result<Options, Failure> {
        // What a browser finds in these texts: the origin, or another one, or none.
        let platform = given.platform.clone().unwrap_or_default();
        let platform = platform.strip_suffix('/').unwrap_or(&platform);
        let found = match platform {
            "https://p.example/app"
            | "https://user@p.example"
            | "https://p.example:443"
            | "HTTPS://p.example" => "https://p.example",
            "javascript:alert(1)" => "null",
            "" | "*" | "platform.example" => "",
            origin => origin,
        };
        given.check(&Page { origin: SITE, address: "https://shop.example/account", platform: found })
    }

    #[test]
    fn two_options_are_enough() {
        let options = check(given()).unwrap();
        assert_eq!(options.client_id, "c1");
        assert_eq!(options.platform, "https://platform.example");
        assert_eq!(options.mode, Mode::Frame);
        assert_eq!(options.scope, "");
        assert_eq!(options.redirect_uri, "https://shop.example/account");
        assert_eq!(options.toolbar("callback/"), "https://platform.example/toolbar/c1/callback/");
    }

    #[test]
    fn every_mode_has_its_word() {
        for (word, mode) in [
            ("auto", Mode::Frame),
            ("iframe", Mode::Frame),
            ("popup", Mode::Popup),
            ("redirect", Mode::Redirect),
        ] {
            assert_eq!(check(Given { mode: Some(word.into()), ..given() }).unwrap().mode, mode);
        }
    }

    #[test]
    fn an_origin_with_a_slash_behind_it_is_the_same_origin() {
        let options = check(Given { platform: Some("http://p.localhost:8000/".into()), ..given() }).unwrap();
        assert_eq!(options.platform, "http://p.localhost:8000");
    }

    #[test]
    fn plain_http_reaches_the_machine_itself_alone() {
        for (origin, secure) in [
            ("https://p.example", true),
            ("http://localhost", true),
            ("http://p.localhost:8000", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]", true),
            ("http://[::1]:8000", true),
            ("http://p.example", false),
            ("http://localhost.evil.example:1", false),
            ("http://[::2]", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(is_secure(origin), secure, "{origin}");
        }
    }

    #[test]
    fn a_client_id_stays_inside_its_part_of_the_path() {
        let options = check(Given { client_id: Some("../a?b#c".into()), ..given() }).unwrap();
        assert_eq!(options.toolbar(""), "https://platform.example/toolbar/..%2Fa%3Fb%23c/");
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_the_name_of_the_option() {
        let text = |text: &str| Some(String::from(text));
        let refused = [
            (Given { client_id: None, ..given() }, "clientId:"),
            (Given { client_id: text(""), ..given() }, "clientId:"),
            (Given { platform: None, ..given() }, "platform:"),
            (Given { platform: text(""), ..given() }, "platform:"),
            (Given { platform: text("platform.example"), ..given() }, "platform:"),
            (Given { platform: text("http://platform.example"), ..given() }, "platform:"),
            (Given { platform: text("http://localhost.evil.example:8000"), ..given() }, "platform:"),
            (Given { platform: text("https://p.example/app"), ..given() }, "platform:"),
            (Given { platform: text("https://user@p.example"), ..given() }, "platform:"),
            (Given { platform: text("https://p.example:443"), ..given() }, "platform:"),
            (Given { platform: text("HTTPS://p.example"), ..given() }, "platform:"),
            (Given { platform: text("ftp://p.example"), ..given() }, "platform:"),
            (Given { platform: text("javascript:alert(1)"), ..given() }, "platform:"),
            (Given { platform: text("*"), ..given() }, "platform:"),
            (Given { mode: text("frame"), ..given() }, "mode:"),
            (Given { mode: text(""), ..given() }, "mode:"),
            (Given { response_type: text("code"), ..given() }, "responseType:"),
            (Given { response_type: text("id_token"), ..given() }, "responseType:"),
            (Given { scopes: Some(vec!["".into()]), ..given() }, "scopes:"),
            (Given { scopes: Some(vec!["org:read org:write".into()]), ..given() }, "scopes:"),
            (Given { scopes: Some(vec!["a\"b".into()]), ..given() }, "scopes:"),
            (Given { scopes: Some(vec!["a\\b".into()]), ..given() }, "scopes:"),
            (Given { scopes: Some(vec!["é".into()]), ..given() }, "scopes:"),
            (Given { redirect_uri: text(""), ..given() }, "redirectUri:"),
            (Given { redirect_uri: text("/back"), ..given() }, "redirectUri:"),
            (Given { redirect_uri: text("https://other.example/"), ..given() }, "redirectUri:"),
            (Given { redirect_uri: text("https://shop.example.evil.example/"), ..given() }, "redirectUri:"),
            (Given { redirect_uri: text("https://shop.example/#x"), ..given() }, "redirectUri:"),
            (Given { timeout_ms: Some(0.0), ..given() }, "timeoutMs:"),
            (Given { timeout_ms: Some(-1.0), ..given() }, "timeoutMs:"),
            (Given { timeout_ms: Some(f64::NAN), ..given() }, "timeoutMs:"),
            (Given { timeout_ms: Some(f64::INFINITY), ..given() }, "timeoutMs:"),
        ];
        for (given, option) in refused {
            let failure = check(given).unwrap_err();
            assert_eq!(failure.code, ErrorCode::InvalidOptions);
            assert!(failure.message.starts_with(option), "{} for {option}", failure.message);
        }
    }
}
