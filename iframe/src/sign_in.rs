//! Which authorization requests are out, and which responses belong to them.
//!
//! Nothing here touches the browser.

use latchkey_protocol::{
    frame::{Prepared, ResponseType, Tokens},
    oauth::{Outcome, Response, encode_pairs},
    pkce::METHOD,
};

use crate::{
    handshake::{Page, Parent},
    text::join,
};

/// A request made ready before any click, and the secret that belongs to it.
#[derive(Clone)]
pub struct Request {
    /// What may be known outside.
    pub prepared: Prepared,
    /// The PKCE verifier (RFC 7636 §4.1); it never leaves this page.
    pub verifier: String,
}

/// Who opened the window of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opener {
    /// The page that frames this one: the window is not known here.
    Page,
    /// This page: the response must come from the window it opened.
    Own,
}

/// On which way a response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the callback page, to the opener of its window: it names the site that asked.
    Callback(Opener),
    /// By a redirect URI of the site's own, which passes it on: the redirect URI says which site that is.
    Site,
}

/// The answer to a request of this page.
pub struct Accepted {
    /// The request's `state`.
    pub state: String,
    /// What was decided.
    pub outcome: Outcome,
    /// The request's PKCE verifier.
    pub verifier: String,
    /// What this page makes its own session of; only the callback page brings one.
    pub handle: Option<String>,
}

/// The requests that are ready or out. Each is used once.
#[derive(Default)]
pub struct Requests {
    ready: Vec<Request>,
    out: Vec<Out>,
}

/// A request that is out.
struct Out {
    request: Request,
    opener: Opener,
    /// Whether its window is open.
    begun: bool,
}

impl Out {
    fn has(&self, state: &str) -> bool {
        self.request.prepared.state == state
    }
}

/// How many requests may be out at a time: a page that says `began` and never `ended` pushes its own oldest out.
const MOST_OUT: usize = 8;

impl Requests {
    /// Takes a new request into the stock.
    pub fn add(&mut self, request: Request) {
        self.ready.push(request);
    }

    /// How many requests are ready.
    pub fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Takes a request out of the stock, for a window that is opened now or in the page's next click.
    pub fn take(&mut self, opener: Opener) -> Option<Prepared> {
        let request = self.ready.pop()?;
        let prepared = request.prepared.clone();
        if self.out.len() == MOST_OUT {
            self.out.remove(0);
        }
        self.out.push(Out { request, opener, begun: opener == Opener::Own });
        Some(prepared)
    }

    /// Notes that the page opened a window with this `state`. False if there is no such request, or it was noted before.
    pub fn begin(&mut self, state: &str) -> bool {
        let out = self.out.iter_mut().find(|out| out.has(state) && !out.begun);
        out.map(|out| out.begun = true).is_some()
    }

    /// Whether the page has a request with this `state` and has not opened a window with it.
    pub fn is_waiting(&self, state: &str) -> bool {
        self.out.iter().any(|out| out.has(state) && !out.begun)
    }

    /// Gives up a request that is out. False if there is none with this `state`.
    pub fn give_up(&mut self, state: &str) -> bool {
        let before = self.out.len();
        self.out.retain(|out| !out.has(state));
        self.out.len() < before
    }

    /// Judges a response. The request it belongs to is used up, whatever the response says.
    ///
    /// `None` for everything that is not the answer to one of this page's requests, for this application, from this
    /// issuer (RFC 9207 §2.4), asked for by the site that frames this page, in the way in which it asks.
    pub fn accept(&mut self, text: &str, way: Way, page: &Page, parent: &Parent) -> Option<Accepted> {
        let response = Response::parse(text).ok()?;
        let (opener, origin) = match way {
            Way::Callback(opener) => (opener, Some(&*parent.origin)),
            Way::Site => (Opener::Page, None),
        };
        let is_ours = response.client_id == page.client_id
            && response.iss == page.issuer
            && response.origin.as_deref() == origin;
        let is_fitting = match response.outcome {
            Outcome::Token { .. } => parent.response_type == ResponseType::Token,
            Outcome::Code { .. } => parent.response_type == ResponseType::Code,
            Outcome::Error { .. } => true,
        };
        if !is_ours || !is_fitting {
            return None;
        }
        let position = self.out.iter().position(|out| out.has(&response.state) && out.opener == opener)?;
        let out = self.out.remove(position);
        let handle = response.handle.filter(|_| way != Way::Site);
        let Request { prepared, verifier } = out.request;
        Some(Accepted { state: prepared.state, outcome: response.outcome, verifier, handle })
    }
}

impl Page {
    /// Where the responses to this page's requests arrive: what a person allows to a page that holds the token, and to
    /// one that leaves it to this frame, the platform keeps apart by this address.
    pub fn callback(&self, tokens: Tokens) -> String {
        let page = match tokens {
            Tokens::Page => "/callback/",
            Tokens::Frame => "/callback/frame/",
        };
        join(&[&self.issuer, "/toolbar/", &self.client_id, page])
    }
}

/// The address of an authorization request (RFC 6749 §4.1.1 and §4.2.1), asked for by the site that frames this page.
pub fn authorize_url(page: &Page, parent: &Parent, request: &Prepared) -> String {
    let (code_challenge, method) = match parent.response_type {
        ResponseType::Token => ("", ""),
        ResponseType::Code => (&*request.code_challenge, METHOD),
    };
    let pairs = [
        ("client_id", &*page.client_id),
        ("response_type", parent.response_type.as_str()),
        ("redirect_uri", &page.callback(parent.tokens)),
        ("origin", &parent.origin),
        ("state", &request.state),
        ("nonce", &request.nonce),
        ("scope", &parent.scope),
        ("code_challenge", code_challenge),
        ("code_challenge_method", method),
    ];
    let query = encode_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
    join(&[&page.issuer, "/oauth/authorize/?", &query])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "access_token=lkat_1&token_type=Bearer&expires_in=3600&scope=org%3Aread&state=s1\
        &iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example";

    const BY_PAGE: Way = Way::Callback(Opener::Page);
    const BY_OWN: Way = Way::Callback(Opener::Own);

    fn page() -> Page {
        Page { client_id: "c1".into(), issuer: "https://p.example".into(), origins: Vec::new() }
    }

    fn parent() -> Parent {
        Parent {
            origin: "https://shop.example".into(),
            scope: String::new(),
            response_type: ResponseType::Token,
            tokens: Tokens::Page,
        }
    }

    fn requests(states: &[&str]) -> Requests {
        let mut requests = Requests::default();
        for state in states {
            let prepared = Prepared { state: (*state).into(), nonce: "n".into(), code_challenge: "c".into() };
            requests.add(Request { prepared, verifier: "v".into() });
        }
        requests
    }

    fn handed_out() -> Requests {
        let mut requests = requests(&["s1"]);
        requests.take(Opener::Page).unwrap();
        requests
    }

    fn requests_of_own() -> Requests {
        let mut requests = requests(&["s1"]);
        requests.take(Opener::Own).unwrap();
        requests
    }

    fn accepts(requests: &mut Requests, text: &str) -> bool {
        requests.accept(text, BY_PAGE, &page(), &parent()).is_some()
    }

    #[test]
    fn the_answer_to_a_request_that_is_out_is_accepted_once() {
        let mut requests = handed_out();
        let text = format!("{TOKEN}&handle=h1");
        let accepted = requests.accept(&text, BY_PAGE, &page(), &parent()).unwrap();
        assert!(matches!(accepted.outcome, Outcome::Token { access_token, .. } if access_token == "lkat_1"));
        assert_eq!((&*accepted.state, &*accepted.verifier), ("s1", "v"));
        assert_eq!(accepted.handle.as_deref(), Some("h1"));
        assert!(!accepts(&mut requests, TOKEN));
    }

    #[test]
    fn a_request_that_never_left_has_no_answer() {
        assert!(!accepts(&mut requests(&["s1"]), TOKEN));
    }

    #[test]
    fn a_request_that_was_given_up_has_no_answer() {
        let mut requests = handed_out();
        assert!(requests.give_up("s1"));
        assert!(!requests.give_up("s1"));
        assert!(!accepts(&mut requests, TOKEN));
    }

    #[test]
    fn a_refusal_uses_the_request_up_too() {
        let mut requests = handed_out();
        let refusal = "error=access_denied&state=s1&iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example";
        assert!(accepts(&mut requests, refusal));
        assert!(!accepts(&mut requests, TOKEN));
    }

    #[test]
    fn a_response_is_ignored_when_any_part_is_anothers_and_uses_nothing_up() {
        let mut requests = handed_out();
        for (from, to) in [
            ("state=s1", "state=s2"),
            ("state=s1", "state="),
            ("client_id=c1", "client_id=c2"),
            ("p.example", "evil.example"),
            ("shop.example", "evil.example"),
            ("&origin=https%3A%2F%2Fshop.example", ""),
            ("state=s1", "state=s1&state=s1"),
            ("token_type=Bearer", "token_type=mac"),
            ("access_token=lkat_1&", ""),
        ] {
            let text = TOKEN.replace(from, to);
            assert_ne!(text, TOKEN);
            assert!(!accepts(&mut requests, &text), "{text}");
        }
        assert!(accepts(&mut requests, TOKEN));
    }

    #[test]
    fn the_answer_to_an_own_window_comes_from_that_window() {
        let mut requests = requests(&["s1"]);
        requests.take(Opener::Own).unwrap();
        assert!(!accepts(&mut requests, TOKEN));
        assert!(requests.accept(TOKEN, BY_OWN, &page(), &parent()).is_some());
        assert!(handed_out().accept(TOKEN, BY_OWN, &page(), &parent()).is_none());
    }

    #[test]
    fn what_a_site_passes_on_is_the_answer_to_a_request_that_its_page_took_and_names_no_site() {
        let text = TOKEN.replace("&origin=https%3A%2F%2Fshop.example", "") + "&handle=h1";
        let mut requests = handed_out();
        assert!(requests.accept(TOKEN, Way::Site, &page(), &parent()).is_none());
        let accepted = requests.accept(&text, Way::Site, &page(), &parent()).unwrap();
        assert!(accepted.handle.is_none(), "only the callback brings one");
        let mut own = requests_of_own();
        assert!(own.accept(&text, Way::Site, &page(), &parent()).is_none());
        for (from, to) in [("client_id=c1", "client_id=c2"), ("p.example", "evil.example"), ("=s1", "=s2")] {
            let mut requests = handed_out();
            assert!(requests.accept(&text.replace(from, to), Way::Site, &page(), &parent()).is_none());
        }
    }

    #[test]
    fn an_answer_comes_in_the_way_it_was_asked_for() {
        let code =
            "code=lkac_1&state=s1&iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example";
        let asking_for_codes = Parent { response_type: ResponseType::Code, ..parent() };
        let mut requests = handed_out();
        assert!(requests.accept(code, BY_PAGE, &page(), &parent()).is_none());
        assert!(requests.accept(TOKEN, BY_PAGE, &page(), &asking_for_codes).is_none());
        let accepted = requests.accept(code, BY_PAGE, &page(), &asking_for_codes).unwrap();
        assert!(matches!(accepted.outcome, Outcome::Code { code } if code == "lkac_1"));
    }

    #[test]
    fn a_request_for_a_code_brings_the_challenge_and_never_the_verifier() {
        let request = Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c".into() };
        let parent = Parent { response_type: ResponseType::Code, ..parent() };
        let url = authorize_url(&page(), &parent, &request);
        assert!(url.contains("&response_type=code&") && !url.contains("verifier"), "{url}");
        assert!(url.ends_with("&nonce=n1&code_challenge=c&code_challenge_method=S256"), "{url}");
    }

    #[test]
    fn a_page_cannot_pile_up_requests() {
        let states: Vec<String> = (0..20).map(|i| format!("s{i}")).collect();
        let mut requests = requests(&states.iter().map(String::as_str).collect::<Vec<_>>());
        while requests.take(Opener::Page).is_some() {}
        assert_eq!(requests.out.len(), MOST_OUT);
        assert!(requests.give_up("s0") && !requests.give_up("s19"));
    }

    #[test]
    fn a_window_is_begun_once_and_with_a_request_that_is_out() {
        let mut requests = handed_out();
        assert!(!requests.begin("s2") && !requests.begin(""));
        assert!(requests.is_waiting("s1") && !requests.is_waiting("s2"));
        assert!(requests.begin("s1"));
        assert!(!requests.begin("s1") && !requests.is_waiting("s1"));
    }

    #[test]
    fn a_request_names_the_site_and_comes_back_to_the_callback() {
        let request = Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c".into() };
        let parent = Parent { scope: "org:read a&b".into(), ..parent() };
        assert_eq!(
            authorize_url(&page(), &parent, &request),
            "https://p.example/oauth/authorize/?client_id=c1&response_type=token\
             &redirect_uri=https%3A%2F%2Fp.example%2Ftoolbar%2Fc1%2Fcallback%2F\
             &origin=https%3A%2F%2Fshop.example&state=s1&nonce=n1&scope=org%3Aread%20a%26b"
        );
        let parent = Parent { tokens: Tokens::Frame, ..parent };
        let url = authorize_url(&page(), &parent, &request);
        assert!(url.contains("Ftoolbar%2Fc1%2Fcallback%2Fframe%2F&"), "{url}");
    }
}
