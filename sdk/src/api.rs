//! The platform's addresses, and what its answers mean.

use alloc::string::String;

use latchkey_protocol::error::ErrorCode;
use wasm_bindgen::JsValue;

use crate::{
    authorize::form,
    error::Failure,
    options::Options,
    session::Event,
    value::{get, text},
};

/// An answer of the platform.
pub struct Answer {
    /// Its HTTP status; 0 where there was none.
    pub status: u32,
    /// Its JSON body; `undefined` where there was none.
    pub body: JsValue,
}

impl Answer {
    /// The body of a success, or what the refusal says: `{ error, error_description }`.
    pub fn success(self) -> Result<JsValue, Failure> {
        match self.status {
            200..=299 => Ok(self.body),
            0 => Err(ErrorCode::NetworkError.into()),
            _ => Err(refusal(&self.body)),
        }
    }

    /// May this site use this application? A frame that is refused can't say it.
    pub fn status(self) -> Event {
        match self.success() {
            Ok(body) if get(&body, "allowed").as_bool() == Some(true) => Event::Allowed,
            Ok(body) => Event::Refused(refusal(&body)),
            Err(failure) => Event::Refused(failure),
        }
    }
}

fn refusal(body: &JsValue) -> Failure {
    Failure {
        code: text(body, "error").and_then(|code| ErrorCode::parse(&code)).unwrap_or(ErrorCode::ServerError),
        message: text(body, "error_description").unwrap_or_default(),
    }
}

impl Options {
    /// An address on the platform.
    pub fn on_platform(&self, path: &str) -> String {
        let mut url = self.platform.clone();
        url.push_str(path);
        url
    }

    /// Whether the token may go there: to the platform's API, and to nothing else. The address is the browser's own
    /// reading of a path: dot segments, backslashes and user names are no longer what they were in it.
    pub fn is_api(&self, href: &str) -> bool {
        href.strip_prefix(&*self.platform).is_some_and(|path| path.starts_with("/api/"))
    }

    /// The form that revokes a token (RFC 7009 §2.1).
    pub fn revocation(&self, token: &str) -> String {
        form(String::new(), &[("token", token), ("client_id", &self.client_id)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Page};

    fn options() -> Options {
        let given = Given {
            client_id: Some("c1".into()),
            platform: Some("https://p.example".into()),
            ..Given::default()
        };
        given
            .check(&Page {
                origin: "https://shop.example",
                address: "https://shop.example/",
                platform: "https://p.example",
            })
            .unwrap()
    }

    #[test]
    fn a_token_goes_to_the_platforms_api_and_nowhere_else() {
        for (href, reachable) in [
            ("https://p.example/api/0/organizations/acme/projects/", true),
            ("https://p.example/api/0/", true),
            ("https://p.example/api", false),
            ("https://p.example/apix/", false),
            ("https://p.example/login/", false),
            ("https://evil.example/api/", false),
            ("https://p.example.evil.example/api/", false),
            ("https://p.example:8443/api/", false),
            ("https://p.example@evil.example/api/", false),
            ("http://p.example/api/", false),
            ("data:,https://p.example/api/", false),
        ] {
            assert_eq!(options().is_api(href), reachable, "{href}");
        }
    }

    #[test]
    fn a_revocation_names_the_token_and_the_application() {
        assert_eq!(options().revocation("lkat_a&b"), "token=lkat_a%26b&client_id=c1");
    }
}
