//! The query of an authorization request.

use latchkey_protocol::{
    oauth::{MAX_STATE, Response, encode_pairs},
    origin::Origin,
    scope::{Scope, Scopes},
};
use latchkey_server::{
    applications::{ResponseType, ResponseTypes},
    config::Config,
    http::{error::Error, parameters::Parameters},
    oauth::{
        request::{Invalid, Prompt, Request, Target},
        response::{Recipient, RedirectError, refusal},
    },
    store::applications::Application,
};
use url::{Url, form_urlencoded};

const PLATFORM: &str = "https://platform.example";
const CALLBACKS: [&str; 2] =
    ["https://platform.example/toolbar/c1/callback/", "https://platform.example/toolbar/c1/callback/frame/"];
const ORIGINS: [&str; 2] = ["https://www.acme.example", "http://localhost:3000"];
const SITE: &str = "https://www.acme.example/cb?from=1";
/// What stands before the port, and after it.
const LOOPBACK: [(&str, &str); 2] = [("http://127.0.0.1", "/cb"), ("http://[::1]", "/cb?x=1")];

/// An application that may do everything a request can ask for.
fn application() -> Application {
    let [first, second] = LOOPBACK.map(|(host, path)| format!("{host}:3000{path}"));
    Application {
        client_id: "c1".into(),
        organization_id: "o1".into(),
        name: "Toolbar".into(),
        scopes: Scopes::of(&[Scope::OrgRead, Scope::ProjectWrite, Scope::OpenId]),
        response_types: ResponseTypes::of(&[ResponseType::Token, ResponseType::Code]).expect("two"),
        asks_always_at: None,
        disabled_at: None,
        homepage_url: None,
        privacy_url: None,
        terms_url: None,
        revision: 1,
        origins: ORIGINS.map(Origin::parse).into_iter().flatten().collect(),
        redirect_uris: vec![SITE.into(), first, second, "https://www.acme.example/plain".into()],
    }
}

/// An application with one redirect URI, which a request may leave out, and with tokens alone.
pub(crate) fn only(redirect_uri: &str) -> Application {
    let response_types = ResponseTypes::standard();
    Application { redirect_uris: vec![redirect_uri.into()], response_types, ..application() }
}

fn config() -> Config {
    Config::new(Origin::parse(PLATFORM).expect("an origin"))
}

/// Where an application gets its response that asks for it at an address.
pub(crate) fn ask(application: &Application, redirect_uri: &str) -> Option<Target> {
    let query = encode_pairs([("response_type", "token"), ("redirect_uri", redirect_uri)]);
    let parameters = Parameters::parse(&query).ok()?;
    Some(Request::validate(&parameters, application, &config()).ok()?.target)
}

pub(crate) fn run(query: &str) -> bool {
    let Ok(parameters) = Parameters::parse(query) else { return false };
    let sent = Sent(query);
    let accepted = [application(), only(SITE)].map(|application| {
        let found = Request::validate(&parameters, &application, &config());
        check(&sent, &application, found)
    });
    accepted.contains(&true)
}

/// The query as a browser's `URLSearchParams` reads it: a second reader beside the server's own.
struct Sent<'a>(&'a str);

impl Sent<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let mut found = form_urlencoded::parse(self.0.as_bytes()).filter(|(known, _)| known == name);
        let first = found.next().map(|(_, value)| value.into_owned());
        assert!(found.next().is_none(), "{name} stands twice");
        first.filter(|value| !value.is_empty())
    }
}

fn check(sent: &Sent<'_>, application: &Application, found: Result<Request, Invalid>) -> bool {
    let wants_no_page = Prompt::parse(sent.get("prompt").as_deref()) == Some(Prompt::None);
    let state = sent.get("state").filter(|state| state.len() <= MAX_STATE && !state.contains('\0'));
    match found {
        Ok(request) => {
            check_target(sent, &request.target, application);
            check_request(sent, &request, application);
            check_response(request.recipient(), RedirectError::AccessDenied);
            true
        }
        Err(Invalid::Redirect { error, target, state: told, response_type, prompt_none }) => {
            check_target(sent, &target, application);
            assert_eq!((told.as_deref(), prompt_none), (state.as_deref(), wants_no_page));
            let recipient =
                Recipient { client_id: "c1", target: &target, state: told.as_deref(), response_type };
            check_response(recipient, error);
            false
        }
        Err(Invalid::Page(error)) => {
            let about_target = matches!(error, Error::Parameter { name: "redirect_uri" | "origin", .. });
            assert!(about_target || !wants_no_page, "prompt=none shows no page: {error:?}");
            false
        }
    }
}

/// Nobody is sent anywhere but to a registered address, byte for byte but for the port on loopback.
fn check_target(sent: &Sent<'_>, target: &Target, application: &Application) {
    let address = target.redirect_uri.as_str();
    match sent.get("redirect_uri") {
        Some(given) => assert_eq!(address, given, "byte for byte"),
        None => assert_eq!([address], application.redirect_uris[..], "the only one"),
    }
    assert_eq!(target.is_callback, CALLBACKS.contains(&address));
    assert!(target.is_still_registered(application));
    if target.is_callback {
        let origin = target.requesting_origin.as_str();
        assert_eq!(sent.get("origin").as_deref(), Some(origin));
        assert!(ORIGINS.contains(&origin));
        return;
    }
    let registered =
        |one: &String| one == address || LOOPBACK.iter().any(|it| is_on_loopback(one, address, it));
    assert!(application.redirect_uris.iter().any(registered), "{address}");
    let url = Url::parse(address).expect("an address");
    assert_eq!(url.origin().ascii_serialization(), target.requesting_origin.as_str());
}

fn is_on_loopback(registered: &str, given: &str, (host, path): &(&str, &str)) -> bool {
    let port = |uri: &str| -> Option<String> { Some(uri.strip_prefix(host)?.strip_suffix(path)?.to_owned()) };
    let is_port = |text: String| match text.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse() != Ok(0u16),
        None => text.is_empty(),
    };
    port(registered).is_some() && port(given).is_some_and(is_port)
}

/// What is accepted is what was asked for, within what the application may.
fn check_request(sent: &Sent<'_>, request: &Request, application: &Application) {
    let get = |name| sent.get(name);
    assert_eq!(request.client_id, application.client_id);
    assert_eq!(get("response_type").as_deref(), Some(request.response_type.as_str()));
    assert!(application.response_types.contains(request.response_type));
    assert!(get("response_mode").is_none_or(|mode| mode == request.response_type.mode()));
    assert_eq!((get("request"), get("request_uri")), (None, None));
    assert_eq!(request.names_redirect, get("redirect_uri").is_some());
    assert_eq!(request.state, get("state"));
    assert!(request.state.as_ref().is_none_or(|state| state.len() <= MAX_STATE));
    assert_eq!(request.nonce, get("nonce"));
    assert!(request.login_hint.is_none() || request.login_hint == get("login_hint"));
    assert_eq!(request.max_age.is_some(), get("max_age").is_some());
    assert_eq!(Prompt::parse(get("prompt").as_deref()), Some(request.prompt));
    assert_eq!(Prompt::parse(request.prompt.as_str()), Some(request.prompt));
    check_scopes(get("scope"), request.scopes, application);
    // RFC 7636 §4.3: a code is bound, and by S256 alone.
    if request.response_type == ResponseType::Code {
        let challenge = request.code_challenge.clone().expect("a challenge");
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        assert!((43..=128).contains(&challenge.len()) && challenge.bytes().all(unreserved));
        assert_eq!(get("code_challenge"), Some(challenge));
        assert_eq!(get("code_challenge_method").as_deref(), Some("S256"));
    } else {
        assert_eq!(request.code_challenge, None);
    }
}

fn check_scopes(list: Option<String>, scopes: Scopes, application: &Application) {
    assert!(!scopes.is_empty());
    assert!(scopes.iter().all(|scope| application.scopes.grants(scope)));
    let list = list.unwrap_or_default();
    let named: Vec<&str> = list.split(' ').filter(|token| !token.is_empty()).collect();
    if named.is_empty() {
        assert_eq!(scopes, application.scopes);
    }
    assert!(named.iter().all(|token| scopes.names().contains(token)));
    assert!(named.is_empty() || scopes.names().iter().all(|name| named.contains(name)));
}

/// As a browser reads it: the registered address as it was, the state byte for byte, and everything once.
fn check_response(recipient: Recipient<'_>, error: RedirectError) {
    let Recipient { target, state, .. } = recipient;
    let location = refusal(&config(), recipient, error);
    assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "it stands in a header");
    let base = Url::parse(&target.redirect_uri).expect("an address");
    let url = Url::parse(&location).expect("an address");
    assert_eq!((url.origin(), url.path()), (base.origin(), base.path()));
    let pairs: Vec<_> = if recipient.response_type == ResponseType::Token {
        assert_eq!(url.query(), base.query(), "nothing in the query, which other servers see");
        let fragment = url.fragment().expect("a fragment");
        if let Some(state) = state {
            let read = Response::parse(fragment).expect("what the toolbar reads");
            assert_eq!((read.state.as_str(), read.iss.as_str()), (state, PLATFORM));
        }
        form_urlencoded::parse(fragment.as_bytes()).collect()
    } else {
        assert_eq!(url.fragment(), None, "nothing in the fragment");
        let own: Vec<_> = base.query_pairs().collect();
        let all: Vec<_> = url.query_pairs().collect();
        assert!(all.starts_with(&own), "the registered query is kept");
        all.into_iter().skip(own.len()).collect()
    };
    let of = |name: &str| {
        let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_ref());
        let first = found.next();
        assert!(found.next().is_none(), "{name} stands twice");
        first
    };
    assert_eq!(of("state"), state);
    assert_eq!((of("iss"), of("client_id")), (Some(PLATFORM), Some("c1")));
    assert_eq!(of("origin"), target.is_callback.then(|| target.requesting_origin.as_str()));
    assert_eq!((of("error"), of("code"), of("access_token")), (Some(error.code()), None, None));
    let known = ["error", "error_description", "state", "iss", "client_id", "origin"];
    assert!(pairs.iter().all(|(name, _)| known.contains(&name.as_ref())), "nothing is added");
}
