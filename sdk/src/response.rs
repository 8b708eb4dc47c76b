//! Whether an authorization response belongs to a request of this client.

use alloc::string::String;

use latchkey_protocol::{
    error::ErrorCode,
    oauth::{Outcome, Response},
};

use crate::{error::Failure, options::Options};

/// A token that was issued to this client.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The access token.
    pub access_token: String,
    /// Its lifetime in seconds.
    pub expires_in: u32,
}

impl Options {
    /// Checks a response against the request's `state`.
    ///
    /// The issuer (RFC 9207 §2.4), the application and the `state` must be the request's; `origin`, where the
    /// response names the requesting site, this page's. `None` for a response that is not this client's.
    pub fn accept(&self, response: &str, state: &str, with_origin: bool) -> Option<Result<Token, Failure>> {
        let response = Response::parse(response).ok()?;
        let is_own = response.state == state
            && response.iss == self.platform
            && response.client_id == self.client_id
            && (!with_origin || response.origin.as_deref() == Some(&*self.origin));
        if !is_own {
            return None;
        }
        Some(match response.outcome {
            Outcome::Token { access_token, expires_in, .. } => Ok(Token { access_token, expires_in }),
            Outcome::Code { .. } => Err(Failure::new(ErrorCode::ServerError, "")),
            Outcome::Error { error, error_description } => Err(Failure {
                code: ErrorCode::from_oauth(&error),
                message: error_description.unwrap_or_default(),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Given, Page};
    use alloc::format;

    const TOKEN: &str = "access_token=lkat_1&token_type=Bearer&expires_in=3600&scope=org%3Aread&state=s1\
        &iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example";

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
    fn the_response_to_this_clients_request_is_accepted() {
        let token = options().accept(TOKEN, "s1", true).unwrap().ok().unwrap();
        assert_eq!((&*token.access_token, token.expires_in), ("lkat_1", 3600));
    }

    #[test]
    fn a_refusal_keeps_the_servers_words() {
        let text = "error=access_denied&error_description=No+thanks&state=s1&iss=https%3A%2F%2Fp.example&client_id=c1";
        let failure = options().accept(text, "s1", false).unwrap().err().unwrap();
        assert_eq!(failure, Failure::new(ErrorCode::AccessDenied, "No thanks"));
    }

    #[test]
    fn a_response_is_refused_when_any_part_is_anothers() {
        for (from, to) in [
            ("state=s1", "state=s2"),
            ("state=s1", "state="),
            ("p.example", "evil.example"),
            ("client_id=c1", "client_id=c2"),
            ("shop.example", "evil.example"),
            ("&origin=https%3A%2F%2Fshop.example", ""),
            ("state=s1", "state=s1&state=s1"),
            ("token_type=Bearer", "token_type=mac"),
        ] {
            let text = TOKEN.replace(from, to);
            assert_ne!(text, TOKEN);
            assert!(options().accept(&text, "s1", true).is_none(), "{text}");
        }
        assert!(options().accept(&format!("{TOKEN}&error=access_denied"), "s1", true).is_none());
    }

    #[test]
    fn where_the_redirect_uri_names_the_site_the_response_need_not() {
        let text = TOKEN.replace("&origin=https%3A%2F%2Fshop.example", "");
        assert!(options().accept(&text, "s1", false).is_some());
    }
}
