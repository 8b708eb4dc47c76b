//! Who may talk to this page: the page that frames it, on an allowed origin, in this version, for this application.

use latchkey_protocol::{
    VERSION,
    frame::{Hello, ResponseType, Tokens},
};

/// What this page is, as the server wrote it into the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The application.
    pub client_id: String,
    /// The platform's origin: this page's own, and the issuer of every response.
    pub issuer: String,
    /// Where the application's sites are.
    pub origins: Vec<String>,
}

/// The outside of a message: what the browser vouches for.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    /// Whether it comes from the window that frames this page.
    pub is_parent: bool,
    /// The origin it comes from.
    pub origin: &'a str,
}

/// What to do with a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing at all.
    Ignore,
    /// Say which version is spoken here, so that the SDK can say so, and nothing more.
    OtherVersion,
    /// Talk.
    Accept(Parent),
}

/// The page that frames this one, once its hello was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The site's origin, vouched for by the browser and allowed by the server.
    pub origin: String,
    /// The scopes this page's own button asks for; empty for the application's maximum.
    pub scope: String,
    /// What its sign-ins ask for.
    pub response_type: ResponseType,
    /// Who holds the access token.
    pub tokens: Tokens,
}

impl Page {
    /// Judges a hello, after the one of `before`.
    ///
    /// A document that kept the token from its page once never hands one out: whatever script says hello anew gets no
    /// more than the page had.
    pub fn judge(&self, sender: Sender<'_>, hello: &Hello, before: Option<&Parent>) -> Verdict {
        let is_allowed = sender.origin == self.issuer || self.origins.iter().any(|own| own == sender.origin);
        if !sender.is_parent || !is_allowed {
            return Verdict::Ignore;
        }
        if hello.version != VERSION {
            return Verdict::OtherVersion;
        }
        let was_kept = before.is_some_and(|before| before.tokens == Tokens::Frame);
        if hello.client_id != self.client_id || was_kept && hello.tokens == Tokens::Page {
            return Verdict::Ignore;
        }
        Verdict::Accept(Parent {
            origin: sender.origin.to_owned(),
            scope: hello.scope.clone(),
            response_type: hello.response_type,
            tokens: hello.tokens,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "https://shop.example";

    fn page() -> Page {
        Page {
            client_id: "c1".into(),
            issuer: "https://p.example".into(),
            origins: vec![SITE.into(), "https://other.example".into()],
        }
    }

    fn hello(version: u32, client_id: &str) -> Hello {
        Hello {
            version,
            client_id: client_id.into(),
            scope: "org:read".into(),
            response_type: ResponseType::Code,
            tokens: Tokens::Frame,
        }
    }

    fn from(origin: &str) -> Sender<'_> {
        Sender { is_parent: true, origin }
    }

    #[test]
    fn the_framing_page_on_an_allowed_origin_is_accepted() {
        for origin in [SITE, "https://other.example", "https://p.example"] {
            let parent = Parent {
                origin: origin.into(),
                scope: "org:read".into(),
                response_type: ResponseType::Code,
                tokens: Tokens::Frame,
            };
            assert_eq!(page().judge(from(origin), &hello(VERSION, "c1"), None), Verdict::Accept(parent));
        }
    }

    #[test]
    fn an_origin_that_is_not_allowed_is_ignored_whatever_it_looks_like() {
        for origin in [
            "",
            "null",
            "https://evil.example",
            "http://shop.example",
            "https://shop.example:8443",
            "https://shop.example.evil.example",
            "https://evil-shop.example",
            "https://sub.shop.example",
            "https://SHOP.example",
            "https://shop.example https://other.example",
        ] {
            assert_eq!(page().judge(from(origin), &hello(VERSION, "c1"), None), Verdict::Ignore, "{origin}");
            assert_eq!(
                page().judge(from(origin), &hello(VERSION + 1, "c1"), None),
                Verdict::Ignore,
                "{origin}"
            );
        }
    }

    #[test]
    fn only_the_window_that_frames_this_page_is_heard() {
        let sender = Sender { is_parent: false, origin: SITE };
        assert_eq!(page().judge(sender, &hello(VERSION, "c1"), None), Verdict::Ignore);
        assert_eq!(page().judge(sender, &hello(VERSION + 1, "c1"), None), Verdict::Ignore);
    }

    #[test]
    fn another_version_is_told_which_one_is_spoken_here() {
        for version in [0, VERSION + 1, u32::MAX] {
            assert_eq!(page().judge(from(SITE), &hello(version, "c1"), None), Verdict::OtherVersion);
        }
    }

    #[test]
    fn another_application_is_ignored() {
        for client_id in ["", "c2", "C1"] {
            assert_eq!(page().judge(from(SITE), &hello(VERSION, client_id), None), Verdict::Ignore);
        }
    }

    #[test]
    fn who_kept_the_token_from_the_page_hands_none_out_later() {
        let mut before = None;
        for (tokens, is_accepted) in [
            (Tokens::Page, true),
            (Tokens::Page, true),
            (Tokens::Frame, true),
            (Tokens::Page, false),
            (Tokens::Frame, true),
            (Tokens::Page, false),
        ] {
            let hello = Hello { tokens, ..hello(VERSION, "c1") };
            match page().judge(from(SITE), &hello, before.as_ref()) {
                Verdict::Accept(parent) if is_accepted => before = Some(parent),
                verdict => assert!(!is_accepted && verdict == Verdict::Ignore, "{tokens:?}: {verdict:?}"),
            }
        }
    }
}
