//! The authorization request's address.

use alloc::string::String;

use latchkey_protocol::{frame::Prepared, oauth::encode_into};

use crate::options::{Mode, Options};

/// What one call of `login` asks for.
#[derive(Debug, Default, Clone)]
pub struct Ask {
    /// The scopes, space-delimited; empty for the application's maximum.
    pub scope: String,
    /// OpenID Connect's `prompt`; empty for none.
    pub prompt: String,
}

impl Options {
    /// The address of an authorization request (RFC 6749 §4.2.1).
    pub fn authorize_url(&self, request: &Prepared, ask: &Ask) -> String {
        let callback = self.toolbar("callback/");
        // The callback belongs to the platform, so the request says which site it comes from (DESIGN §1).
        let (redirect_uri, origin) = match self.mode {
            Mode::Frame | Mode::Popup => (&callback, &*self.origin),
            Mode::Redirect => (&self.redirect_uri, ""),
        };
        form(
            self.on_platform("/oauth/authorize/?"),
            &[
                ("client_id", &*self.client_id),
                ("response_type", "token"),
                ("redirect_uri", redirect_uri),
                ("origin", origin),
                ("state", &request.state),
                ("nonce", &request.nonce),
                ("scope", &ask.scope),
                ("prompt", &ask.prompt),
            ],
        )
    }
}

/// Writes the pairs that have a value to the end of a text (`application/x-www-form-urlencoded`).
pub(crate) fn form(mut text: String, pairs: &[(&str, &str)]) -> String {
    let mut separator = "";
    for (name, value) in pairs {
        if !value.is_empty() {
            text.push_str(separator);
            text.push_str(name);
            text.push('=');
            encode_into(&mut text, value);
            separator = "&";
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Page};

    fn options(mode: &str) -> Options {
        let given = Given {
            client_id: Some("c1".into()),
            platform: Some("https://p.example".into()),
            mode: Some(mode.into()),
            ..Given::default()
        };
        given
            .check(&Page {
                origin: "https://shop.example",
                address: "https://shop.example/back",
                platform: "https://p.example",
            })
            .unwrap()
    }

    fn request() -> Prepared {
        Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c".into() }
    }

    #[test]
    fn a_window_asks_for_the_callback_and_names_the_site() {
        for mode in ["iframe", "popup"] {
            assert_eq!(
                options(mode).authorize_url(&request(), &Ask::default()),
                "https://p.example/oauth/authorize/?client_id=c1&response_type=token\
                 &redirect_uri=https%3A%2F%2Fp.example%2Ftoolbar%2Fc1%2Fcallback%2F\
                 &origin=https%3A%2F%2Fshop.example&state=s1&nonce=n1"
            );
        }
    }

    #[test]
    fn a_redirect_asks_for_the_sites_own_page() {
        assert_eq!(
            options("redirect").authorize_url(&request(), &Ask::default()),
            "https://p.example/oauth/authorize/?client_id=c1&response_type=token\
             &redirect_uri=https%3A%2F%2Fshop.example%2Fback&state=s1&nonce=n1"
        );
    }

    #[test]
    fn what_is_asked_for_cannot_leave_its_parameter() {
        let ask = Ask { scope: "a&state=x b".into(), prompt: "none#".into() };
        let url = options("popup").authorize_url(&request(), &ask);
        assert!(url.ends_with("&nonce=n1&scope=a%26state%3Dx%20b&prompt=none%23"), "{url}");
    }
}
