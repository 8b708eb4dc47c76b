//! The authorization request (RFC 6749 §4.1.1 and §4.2.1): what is checked, in which order, and who is told.
//!
//! Until the application and the redirect are known to belong together, a failure is a page and never a redirect
//! (RFC 6749 §4.2.2.1, RFC 9700 §4.11). After that the client is told.

use latchkey_protocol::{frame::Tokens, oauth::MAX_STATE, origin::Origin, pkce, scope::Scopes};
use url::Url;

use crate::{
    applications::{ResponseType, registration::MAX_REDIRECT_URI},
    clock::UnixSeconds,
    config::{Config, callback_path},
    http::{error::Error, parameters::Parameters},
    oauth::response::{Recipient, RedirectError},
    store::{applications::Application, consents::Subject},
};

/// The longest `login_hint` that is kept, in bytes.
const MAX_LOGIN_HINT: usize = 254;
/// The longest `nonce`, in bytes.
const MAX_NONCE: usize = 512;

/// A valid authorization request.
#[derive(Debug, Clone)]
pub struct Request {
    /// The application that asks.
    pub client_id: String,
    /// What it asks for.
    pub response_type: ResponseType,
    /// Where the response goes, and for which site.
    pub target: Target,
    /// Whether the request named that address itself (RFC 6749 §4.1.3 asks for it again then).
    pub names_redirect: bool,
    /// The scopes it named, or the application's maximum.
    pub scopes: Scopes,
    /// Its own value, byte for byte.
    pub state: Option<String>,
    /// Which pages it wants or refuses to be shown.
    pub prompt: Prompt,
    /// Who it thinks will sign in.
    pub login_hint: Option<String>,
    /// How long ago, in seconds, the person may have proved who they are (OpenID Connect Core §3.1.2.1).
    pub max_age: Option<UnixSeconds>,
    /// What a code is bound to, by S256 (RFC 7636 §4.3); always there where a code is asked for.
    pub code_challenge: Option<String>,
    /// What an id_token repeats (OpenID Connect Core §3.1.2.1).
    pub nonce: Option<String>,
    /// Whose id_token the client sent along (OpenID Connect Core §3.1.2.1 `id_token_hint`).
    pub hinted_user_id: Option<String>,
}

/// Where a response goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub redirect_uri: String,
    /// Whether that is a callback page of the platform's own.
    pub is_callback: bool,
    /// The site the request comes from: shown to the person, checked by whoever receives the response.
    pub requesting_origin: Origin,
}

/// OpenID Connect Core §3.1.2.1 `prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompt {
    /// Show what is needed.
    AsNeeded,
    /// Show nothing: answer with an error where a page would be needed.
    None,
    /// The person proves again who they are.
    Login,
    /// The person is asked again.
    Consent,
    /// Both.
    LoginAndConsent,
}

impl Prompt {
    /// Reads the space-delimited list.
    pub fn parse(list: Option<&str>) -> Option<Self> {
        let Some(list) = list else { return Some(Self::AsNeeded) };
        let (mut none, mut login, mut consent) = (false, false, false);
        for value in list.split(' ').filter(|value| !value.is_empty()) {
            match value {
                "none" => none = true,
                // The login page is where an account is chosen.
                "login" | "select_account" => login = true,
                "consent" => consent = true,
                _ => return None,
            }
        }
        match (none, login, consent) {
            (true, false, false) => Some(Self::None),
            // OpenID Connect Core §3.1.2.1: none stands alone.
            (true, _, _) => None,
            (false, false, false) => Some(Self::AsNeeded),
            (false, true, false) => Some(Self::Login),
            (false, false, true) => Some(Self::Consent),
            (false, true, true) => Some(Self::LoginAndConsent),
        }
    }

    /// The value that [`Prompt::parse`] reads back.
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Self::AsNeeded => None,
            Self::None => Some("none"),
            Self::Login => Some("login"),
            Self::Consent => Some("consent"),
            Self::LoginAndConsent => Some("login consent"),
        }
    }

    /// Whether the person proves again who they are.
    pub const fn wants_login(self) -> bool {
        matches!(self, Self::Login | Self::LoginAndConsent)
    }

    /// Whether the person is asked again.
    pub const fn wants_consent(self) -> bool {
        matches!(self, Self::Consent | Self::LoginAndConsent)
    }
}

/// Why a request is not valid.
#[derive(Debug)]
pub enum Invalid {
    /// Nobody can be told but the person: a page, never a redirect.
    Page(Error),
    /// The client is told.
    Redirect {
        /// What it is told.
        error: RedirectError,
        /// Where.
        target: Target,
        /// With its own value.
        state: Option<String>,
        /// In which part of the address.
        response_type: ResponseType,
        /// Whether it wants to be told whatever happens, since it shows no page.
        prompt_none: bool,
    },
}

impl From<Error> for Invalid {
    fn from(error: Error) -> Self {
        Self::Page(error)
    }
}

impl Request {
    /// Checks a request of an application that is known to be active, in the documented order.
    pub fn validate(
        parameters: &Parameters,
        application: &Application,
        config: &Config,
    ) -> Result<Self, Invalid> {
        let target = Target::find(parameters, application, config)?;
        let prompt = Prompt::parse(parameters.get("prompt"));
        let prompt_none = prompt == Some(Prompt::None);
        let state = parameters.get("state");
        // RFC 6749 appendix A.5 knows no NUL, and not every database holds one in a text.
        let has_nul = state.is_some_and(|state| state.contains('\0'));
        let fitting = state.filter(|state| state.len() <= MAX_STATE && !has_nul);
        let refuse = |error, response_type| Invalid::Redirect {
            error,
            target: target.clone(),
            state: fitting.map(str::to_owned),
            response_type,
            prompt_none,
        };
        // From here on a request that shows no page is answered by redirect, whatever is wrong with it.
        let page = |error: Error, told: RedirectError, response_type| {
            if prompt_none { refuse(told, response_type) } else { Invalid::Page(error) }
        };
        let response_type = response_type(parameters, application)
            .map_err(|(error, told, response_type)| page(error, told, response_type))?;
        if state.is_some() && fitting.is_none() {
            let problem = if has_nul { "holds a NUL" } else { "is longer than 1,024 bytes" };
            let name = "state";
            let told = RedirectError::InvalidRequest { name, problem };
            return Err(page(Error::parameter(name, problem), told, response_type));
        }
        let refuse = |error| refuse(error, response_type);
        // RFC 6749 §4.1.2.1 invalid_scope: unknown, malformed, or beyond what the application may ask for.
        let scopes = scopes(parameters, application).ok_or_else(|| refuse(RedirectError::InvalidScope))?;
        let code_challenge = code_challenge(parameters, response_type).map_err(refuse)?;
        let prompt = prompt.ok_or_else(|| {
            refuse(RedirectError::InvalidRequest {
                name: "prompt",
                problem: "is not one of none, login and consent",
            })
        })?;
        let details = Details::find(parameters, response_type).map_err(refuse)?;
        Ok(Self {
            client_id: application.client_id.clone(),
            response_type,
            names_redirect: parameters.get("redirect_uri").is_some(),
            scopes,
            prompt,
            login_hint: details.login_hint,
            max_age: details.max_age,
            code_challenge,
            nonce: details.nonce,
            hinted_user_id: None,
            state: fitting.map(str::to_owned),
            target,
        })
    }

    /// What a consent to it is remembered as. On a loopback address the port is whatever was free: another one is not
    /// another site.
    pub fn remembered_as(&self) -> Remembrance<'_> {
        Remembrance::of(&self.client_id, &self.target)
    }

    /// Who is told what becomes of it.
    pub fn recipient(&self) -> Recipient<'_> {
        Recipient {
            client_id: &self.client_id,
            target: &self.target,
            state: self.state.as_deref(),
            response_type: self.response_type,
        }
    }
}

/// What a consent is remembered under.
#[derive(Debug, PartialEq, Eq)]
pub struct Remembrance<'a> {
    client_id: &'a str,
    requesting_origin: String,
    redirect_uri: String,
}

impl<'a> Remembrance<'a> {
    /// Of an application, for responses that go there.
    pub fn of(client_id: &'a str, target: &Target) -> Self {
        let Target { redirect_uri, requesting_origin, is_callback } = target;
        let (redirect_uri, requesting_origin) = match without_loopback_port(redirect_uri) {
            Some((host, rest)) if !is_callback => (format!("{host}{rest}"), host.to_owned()),
            Some(_) | None => (redirect_uri.clone(), requesting_origin.to_string()),
        };
        Self { client_id, requesting_origin, redirect_uri }
    }
}

impl Remembrance<'_> {
    /// For one person.
    pub fn subject<'a>(&'a self, user_id: &'a str) -> Subject<'a> {
        let Self { client_id, requesting_origin, redirect_uri } = self;
        Subject { user_id, client_id, requesting_origin, redirect_uri }
    }
}

/// What OpenID Connect adds to a request.
struct Details {
    login_hint: Option<String>,
    max_age: Option<UnixSeconds>,
    nonce: Option<String>,
}

impl Details {
    fn find(parameters: &Parameters, response_type: ResponseType) -> Result<Self, RedirectError> {
        let invalid = |name, problem| RedirectError::InvalidRequest { name, problem };
        // OpenID Connect Core §6.1 and §6.2.1: who does not read request objects says so.
        if parameters.get("request").is_some() {
            return Err(RedirectError::RequestNotSupported);
        }
        if parameters.get("request_uri").is_some() {
            return Err(RedirectError::RequestUriNotSupported);
        }
        // OAuth 2.0 Multiple Response Types §2.1: a token never travels in the query; a code has no need of another way.
        if parameters.get("response_mode").is_some_and(|mode| mode != response_type.mode()) {
            return Err(invalid(
                "response_mode",
                "is not query for response_type=code, or fragment for response_type=token",
            ));
        }
        let max_age = match parameters.get("max_age").map(seconds) {
            Some(None) => return Err(invalid("max_age", "is not a number of seconds")),
            Some(secs) => secs,
            None => None,
        };
        let nonce = parameters.get("nonce");
        if nonce.is_some_and(|nonce| nonce.len() > MAX_NONCE) {
            return Err(invalid("nonce", "is longer than 512 bytes"));
        }
        let login_hint = parameters.get("login_hint").filter(|hint| hint.len() <= MAX_LOGIN_HINT);
        Ok(Self { login_hint: login_hint.map(str::to_owned), max_age, nonce: nonce.map(str::to_owned) })
    }
}

impl Target {
    fn find(parameters: &Parameters, application: &Application, config: &Config) -> Result<Self, Error> {
        const NAME: &str = "redirect_uri";
        let redirect_uri = match (parameters.get(NAME), application.redirect_uris.as_slice()) {
            (Some(given), _) if given.len() > MAX_REDIRECT_URI => {
                return Err(Error::parameter(NAME, "is longer than 2,048 bytes"));
            }
            (Some(given), _) if config.is_callback(&application.client_id, given) => {
                return Self::for_callback(parameters, application, config, given);
            }
            (Some(given), registered) if registered.iter().any(|one| is_same_redirect(one, given)) => given,
            (Some(_), _) => {
                return Err(Error::parameter(NAME, "is not one that is registered for this application"));
            }
            // RFC 6749 §3.1.2.3: it may be left out where exactly one is registered.
            (None, [only]) => only,
            (None, _) => return Err(Error::parameter(NAME, "is missing")),
        };
        let requesting_origin =
            origin_of(redirect_uri).ok_or(Error::parameter(NAME, "is not an address on the web"))?;
        // Its own callback is the one page of the platform that a response goes to; not another application's.
        if requesting_origin == config.public_url {
            return Err(Error::parameter(NAME, "is a page of the platform itself"));
        }
        Ok(Self { redirect_uri: redirect_uri.to_owned(), is_callback: false, requesting_origin })
    }

    /// The callback says nothing about the site, so the request does; whatever it says must be registered.
    fn for_callback(
        parameters: &Parameters,
        application: &Application,
        config: &Config,
        callback: &str,
    ) -> Result<Self, Error> {
        let origin = parameters.require("origin")?;
        let requesting_origin = Origin::parse(origin)
            .map_err(|_| Error::parameter("origin", "is not the origin of a site, such as https://a.com"))?;
        // From the platform's own pages an admin tries the application before any site has it.
        if requesting_origin != config.public_url && !application.runs_on(&requesting_origin) {
            return Err(Error::parameter("origin", "is not among the allowed origins of this application"));
        }
        Ok(Self { redirect_uri: callback.to_owned(), is_callback: true, requesting_origin })
    }

    /// What a consent was remembered for: what [`Remembrance::of`] says of it, read back.
    pub fn remembered(client_id: &str, requesting_origin: &str, redirect_uri: &str) -> Option<Self> {
        Some(Self {
            requesting_origin: Origin::parse(requesting_origin).ok()?,
            is_callback: Tokens::ALL
                .iter()
                .any(|tokens| redirect_uri.ends_with(&callback_path(client_id, *tokens))),
            redirect_uri: redirect_uri.to_owned(),
        })
    }

    /// Whether a response may go there: its callback, or a redirect URI that is registered for it.
    pub fn is_registered(redirect_uri: &str, application: &Application, config: &Config) -> bool {
        let is_own = || origin_of(redirect_uri).as_ref() == Some(&config.public_url);
        let registered = || application.redirect_uris.iter().any(|one| is_same_redirect(one, redirect_uri));
        config.is_callback(&application.client_id, redirect_uri) || registered() && !is_own()
    }

    /// Whether the application still has this target: it may have changed while the person decided.
    pub fn is_still_registered(&self, application: &Application) -> bool {
        if self.is_callback {
            // The callback is a page of the platform's own, from whose other pages an application may be tried.
            let platform = origin_of(&self.redirect_uri);
            platform.as_ref() == Some(&self.requesting_origin) || application.runs_on(&self.requesting_origin)
        } else {
            application.redirect_uris.iter().any(|one| is_same_redirect(one, &self.redirect_uri))
        }
    }
}

/// A number of seconds, in digits and nothing else.
fn seconds(text: &str) -> Option<UnixSeconds> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u32>().ok().filter(|_| is_number).map(UnixSeconds::from)
}

/// The response type, or what is wrong with it: for a page, and for a client that shows none.
fn response_type(
    parameters: &Parameters,
    application: &Application,
) -> Result<ResponseType, (Error, RedirectError, ResponseType)> {
    const NAME: &str = "response_type";
    let Some(given) = parameters.get(NAME) else {
        let problem = "is missing";
        let told = RedirectError::InvalidRequest { name: NAME, problem };
        return Err((Error::parameter(NAME, problem), told, ResponseType::Code));
    };
    let Some(response_type) = ResponseType::parse(given) else {
        let error = Error::parameter(NAME, "is not one that this server answers; use token or code");
        return Err((error, RedirectError::UnsupportedResponseType, ResponseType::Code));
    };
    if application.allows(response_type) {
        return Ok(response_type);
    }
    let error = Error::parameter(NAME, "is not one that this application may use");
    Err((error, RedirectError::UnauthorizedClient, response_type))
}

/// A code is bound to a secret of who asked for it (RFC 7636 §4.3, required by RFC 9700 §2.1.1); with a token in the
/// fragment there is nothing to bind.
fn code_challenge(
    parameters: &Parameters,
    response_type: ResponseType,
) -> Result<Option<String>, RedirectError> {
    let invalid = |name, problem| Err(RedirectError::InvalidRequest { name, problem });
    if response_type == ResponseType::Token {
        return Ok(None);
    }
    let Some(challenge) = parameters.get("code_challenge") else {
        return invalid("code_challenge", "is missing; a code needs PKCE");
    };
    // RFC 7636 §4.3: a request that names no method means plain.
    if parameters.get("code_challenge_method") != Some(pkce::METHOD) {
        return invalid("code_challenge_method", "is not S256");
    }
    if !pkce::is_challenge(challenge) {
        return invalid("code_challenge", "is not 43 to 128 characters of A-Z a-z 0-9 - . _ ~");
    }
    Ok(Some(challenge.to_owned()))
}

/// What is asked for: within the application's maximum, or all of that where nothing is named (RFC 6749 §3.3).
fn scopes(parameters: &Parameters, application: &Application) -> Option<Scopes> {
    let asked = match parameters.get("scope") {
        Some(list) => Scopes::parse(list).ok()?,
        None => Scopes::NONE,
    };
    if asked.is_empty() {
        return Some(application.scopes);
    }
    application.scopes.covers(asked).then_some(asked)
}

/// Exact comparison of strings (RFC 9700 §2.1), but for the port of a loopback address (RFC 8252 §7.3).
fn is_same_redirect(registered: &str, given: &str) -> bool {
    registered == given
        || match (without_loopback_port(registered), without_loopback_port(given)) {
            (Some(registered), Some(given)) => registered == given,
            _ => false,
        }
}

/// Splits an http address on a loopback literal into what stands before its port and what stands after it.
fn without_loopback_port(uri: &str) -> Option<(&str, &str)> {
    ["http://127.0.0.1", "http://[::1]"].into_iter().find_map(|host| {
        let rest = uri.strip_prefix(host)?;
        let after = match rest.strip_prefix(':') {
            Some(port) => {
                let after = port.trim_start_matches(|c: char| c.is_ascii_digit());
                port[..port.len() - after.len()].parse::<u16>().ok().filter(|port| *port != 0)?;
                after
            }
            None => rest,
        };
        (after.is_empty() || after.starts_with(['/', '?'])).then_some((host, after))
    })
}

fn origin_of(uri: &str) -> Option<Origin> {
    Origin::parse(&Url::parse(uri).ok()?.origin().ascii_serialization()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::applications::ResponseTypes;
    use latchkey_protocol::scope::Scope;
    use proptest::prelude::*;

    fn config() -> Config {
        Config::new(Origin::parse("https://p.example").unwrap())
    }

    fn application() -> Application {
        Application {
            client_id: "c1".into(),
            organization_id: "o1".into(),
            name: "Toolbar".into(),
            scopes: Scopes::of(&[Scope::OrgRead, Scope::ProjectWrite]),
            response_types: ResponseTypes::standard(),
            asks_always_at: None,
            disabled_at: None,
            homepage_url: None,
            privacy_url: None,
            terms_url: None,
            revision: 1,
            origins: vec![Origin::parse("https://a.com").unwrap()],
            redirect_uris: vec!["https://a.com/cb?x=1".into()],
        }
    }

    fn validate(query: &str) -> Result<Request, Invalid> {
        Request::validate(&Parameters::parse(query).unwrap(), &application(), &config())
    }

    const CALLBACK: &str = "redirect_uri=https%3A%2F%2Fp.example%2Ftoolbar%2Fc1%2Fcallback%2F";
    const REGISTERED: &str = "redirect_uri=https%3A%2F%2Fa.com%2Fcb%3Fx%3D1";

    #[test]
    fn the_callback_needs_an_allowed_origin() {
        let request = validate(&format!("{CALLBACK}&origin=https://a.com&response_type=token")).unwrap();
        assert!(request.target.is_callback);
        assert_eq!(request.target.requesting_origin.as_str(), "https://a.com");
        assert_eq!(request.scopes, application().scopes);
        for origin in ["", "&origin=", "&origin=null", "&origin=https://b.com", "&origin=https://a.com/"] {
            let refused = validate(&format!("{CALLBACK}{origin}&response_type=token"));
            let Err(Invalid::Page(Error::Parameter { name: "origin", .. })) = refused else {
                panic!("{origin}")
            };
        }
    }

    #[test]
    fn a_registered_redirect_says_itself_which_site_asks() {
        let request =
            validate(&format!("{REGISTERED}&response_type=token&origin=https://evil.example")).unwrap();
        assert_eq!(request.target.requesting_origin.as_str(), "https://a.com");
        assert!(!request.target.is_callback);
        let request = validate("response_type=token").unwrap();
        assert_eq!(request.target.redirect_uri, "https://a.com/cb?x=1");
    }

    #[test]
    fn a_redirect_that_differs_in_anything_is_told_on_a_page() {
        for given in [
            "https://a.com/cb?x=1/",
            "https://a.com/cb/?x=1",
            "https://a.com/cb",
            "https://a.com/cb?x=1&y=2",
            "https://a.com/cb?x=2",
            "https://A.com/cb?x=1",
            "https://a.com/CB?x=1",
            "https://a.com/%63b?x=1",
            "https://a.com/./cb?x=1",
            "https://a.com/%2e/cb?x=1",
            "https://a.com:443/cb?x=1",
            "https://a.com./cb?x=1",
            "https://b.a.com/cb?x=1",
            "https://a.com@evil.example/cb?x=1",
            "https://evil.example\\@a.com/cb?x=1",
            "https://a.com/\tcb?x=1",
            "https://\u{430}.com/cb?x=1",
            "http://a.com/cb?x=1",
            "https://a.com/cb?x=1#",
            " https://a.com/cb?x=1",
            "https://p.example/toolbar/c2/callback/",
            "https://p.example/toolbar/c2/callback/frame/",
            "https://p.example/toolbar/c1/callback",
            "https://p.example/toolbar/c1/callback/frame",
            "https://p.example/toolbar/c1/callback/page/",
            "javascript:alert(1)",
        ] {
            let mut query = String::from("response_type=token&origin=https://a.com&redirect_uri=");
            latchkey_protocol::oauth::encode_into(&mut query, given);
            let Err(Invalid::Page(Error::Parameter { name: "redirect_uri", .. })) = validate(&query) else {
                panic!("{given}")
            };
        }
    }

    #[test]
    fn a_redirect_may_be_left_out_only_where_exactly_one_is_registered() {
        let parameters = Parameters::parse("response_type=token").unwrap();
        for redirect_uris in [vec![], vec!["https://a.com/1".into(), "https://a.com/2".into()]] {
            let application = Application { redirect_uris, ..application() };
            let refused = Request::validate(&parameters, &application, &config());
            let Err(Invalid::Page(Error::Parameter { name: "redirect_uri", .. })) = refused else { panic!() };
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_vary() {
        for (registered, given, same) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:5173/cb", true),
            ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", true),
            ("http://[::1]:1/cb?x", "http://[::1]:65535/cb?x", true),
            ("http://127.0.0.1:1", "http://127.0.0.1:2", true),
            ("http://127.0.0.1/cb", "http://127.0.0.1:5173/cb2", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:65536/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb", false),
            ("http://127.0.0.1/cb", "http://127.0.0.1:1@evil.example/cb", false),
            ("http://127.0.0.1", "http://127.0.0.1.evil.example", false),
            ("http://127.0.0.1/cb", "http://[::1]/cb", false),
            ("http://localhost:1/cb", "http://localhost:2/cb", false),
            ("http://a.localhost:1/cb", "http://a.localhost:2/cb", false),
            ("https://127.0.0.1:1/cb", "https://127.0.0.1:2/cb", false),
        ] {
            assert_eq!(is_same_redirect(registered, given), same, "{registered} {given}");
        }
    }

    #[test]
    fn a_response_type_that_is_missing_or_unknown_is_told_on_a_page() {
        for query in
            ["", "response_type=", "response_type=code", "response_type=id_token", "response_type=TOKEN"]
        {
            let refused = validate(&format!("{REGISTERED}&{query}"));
            let Err(Invalid::Page(Error::Parameter { name: "response_type", .. })) = refused else {
                panic!("{query}")
            };
        }
    }

    #[test]
    fn a_scope_beyond_the_application_and_a_parameter_nobody_understands_are_told_to_the_client() {
        const fn of(name: &'static str, problem: &'static str) -> RedirectError {
            RedirectError::InvalidRequest { name, problem }
        }
        const PROMPT: RedirectError = of("prompt", "is not one of none, login and consent");
        const MAX_AGE: RedirectError = of("max_age", "is not a number of seconds");
        const RESPONSE_MODE: RedirectError =
            of("response_mode", "is not query for response_type=code, or fragment for response_type=token");
        for (query, expected) in [
            ("scope=org:everything", RedirectError::InvalidScope),
            ("scope=project:admin", RedirectError::InvalidScope),
            ("scope=org:read+member:read", RedirectError::InvalidScope),
            ("prompt=maybe", PROMPT),
            ("prompt=none+login", PROMPT),
            ("prompt=none+consent", PROMPT),
            ("max_age=-1", MAX_AGE),
            ("max_age=%2B1", MAX_AGE),
            ("max_age=1h", MAX_AGE),
            ("max_age=99999999999", MAX_AGE),
            ("response_mode=query", RESPONSE_MODE),
            ("response_mode=form_post", RESPONSE_MODE),
            ("request=eyJ", RedirectError::RequestNotSupported),
            ("request_uri=https://a.com/r", RedirectError::RequestUriNotSupported),
        ] {
            let refused = validate(&format!("{REGISTERED}&response_type=token&state=s1&{query}"));
            let Err(Invalid::Redirect { error, state, .. }) = refused else { panic!("{query}") };
            assert_eq!((error, state.as_deref()), (expected, Some("s1")), "{query}");
        }
        let request = validate(&format!("{REGISTERED}&response_type=token&scope=project:read")).unwrap();
        assert_eq!(request.scopes.to_list(), "project:read");
    }

    #[test]
    fn a_page_of_the_platform_is_no_redirect_but_the_application_s_own_callback() {
        let other = "https://p.example/toolbar/c2/callback/";
        let application = Application { redirect_uris: vec![other.into()], ..application() };
        for query in [
            "response_type=token",
            "response_type=token&redirect_uri=https%3A%2F%2Fp.example%2Ftoolbar%2Fc2%2Fcallback%2F",
        ] {
            let refused = Request::validate(&Parameters::parse(query).unwrap(), &application, &config());
            let Err(Invalid::Page(Error::Parameter { name: "redirect_uri", .. })) = refused else {
                panic!("{query}")
            };
        }
    }

    #[test]
    fn a_consent_on_loopback_is_remembered_without_the_port() {
        let application =
            Application { redirect_uris: vec!["http://127.0.0.1:1/cb?x".into()], ..application() };
        let remembered = |redirect: &str| {
            let query = format!("response_type=token&redirect_uri={redirect}");
            let request =
                Request::validate(&Parameters::parse(&query).unwrap(), &application, &config()).unwrap();
            let Remembrance { requesting_origin, redirect_uri, .. } = request.remembered_as();
            (requesting_origin, redirect_uri)
        };
        let expected = ("http://127.0.0.1".to_owned(), "http://127.0.0.1/cb?x".to_owned());
        assert_eq!(remembered("http://127.0.0.1:49152/cb?x"), expected);
        assert_eq!(remembered("http://127.0.0.1/cb?x"), expected);
        let request = validate(&format!("{REGISTERED}&response_type=token")).unwrap();
        assert_eq!(request.remembered_as().redirect_uri, "https://a.com/cb?x=1");
        assert_eq!(request.remembered_as().requesting_origin, "https://a.com");
    }

    #[test]
    fn a_state_has_a_length() {
        let fits = format!("{REGISTERED}&response_type=token&state={}", "s".repeat(MAX_STATE));
        assert!(validate(&fits).is_ok());
        let Err(Invalid::Page(Error::Parameter { name: "state", .. })) = validate(&format!("{fits}s")) else {
            panic!()
        };
    }

    #[test]
    fn a_prompt_reads_back() {
        for prompt in
            [Prompt::AsNeeded, Prompt::None, Prompt::Login, Prompt::Consent, Prompt::LoginAndConsent]
        {
            assert_eq!(Prompt::parse(prompt.as_str()), Some(prompt));
        }
    }

    /// Queries of the parameters that are read, with values that are right, nearly right, and anything.
    fn any_query() -> impl Strategy<Value = Vec<(&'static str, String)>> {
        let of = |name: &'static str, known: &'static [&'static str]| {
            let value = prop_oneof![
                8 => prop::sample::select(known).prop_map(str::to_owned),
                1 => "\\PC{0,50}",
            ];
            prop::option::weighted(0.7, value).prop_map(move |value| value.map(|value| (name, value)))
        };
        (
            of(
                "redirect_uri",
                &["https://a.com/cb?x=1", "https://p.example/toolbar/c1/callback/", "https://b.com"],
            ),
            of("origin", &["https://a.com", "https://b.com", "null"]),
            of("response_type", &["token", "code", "code", "id_token"]),
            of("scope", &["org:read", "project:read openid", "project:write", ""]),
            of("prompt", &["none", "login", "consent", "none login"]),
            of("code_challenge", &["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "short"]),
            of("code_challenge_method", &["S256", "S256", "S256", "plain"]),
            "[^\\x00\n]{0,40}".prop_map(|state| Some(("state", state))),
        )
            .prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].into_iter().flatten().collect())
    }

    fn encoded(pairs: &[(&str, String)]) -> String {
        latchkey_protocol::oauth::encode_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())))
    }

    fn with_both() -> Application {
        let response_types = ResponseTypes::of(&[ResponseType::Token, ResponseType::Code]).unwrap();
        Application { response_types, ..application() }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_registered_within_the_maximum_and_bound(pairs in any_query()) {
            let (application, config) = (with_both(), config());
            let parameters = Parameters::parse(&encoded(&pairs)).unwrap();
            let sent = |name| pairs.iter().find(|(known, _)| *known == name).map(|(_, it)| it.as_str());
            let sent = |name| sent(name).filter(|value| !value.is_empty());
            let target = match Request::validate(&parameters, &application, &config) {
                Ok(request) => {
                    prop_assert!(application.scopes.covers(request.scopes) && !request.scopes.is_empty());
                    let is_code = request.response_type == ResponseType::Code;
                    let challenge = sent("code_challenge").filter(|_| is_code);
                    prop_assert_eq!(request.code_challenge.as_deref(), challenge);
                    prop_assert_eq!(request.code_challenge.is_some(), is_code);
                    prop_assert!(!is_code || sent("code_challenge_method") == Some("S256"));
                    prop_assert_eq!(request.state.as_deref(), sent("state"));
                    request.target
                }
                Err(Invalid::Redirect { target, state, .. }) => {
                    prop_assert_eq!(state.as_deref(), sent("state"));
                    target
                }
                Err(Invalid::Page(Error::Parameter { name: "redirect_uri" | "origin", .. })) => return Ok(()),
                // The client is known to be told: one that shows no page never gets one.
                Err(Invalid::Page(_)) => {
                    prop_assert_ne!(sent("prompt"), Some("none"));
                    return Ok(());
                }
            };
            prop_assert!(target.is_still_registered(&application));
            prop_assert!(application.runs_on(&target.requesting_origin));
            let address = target.redirect_uri;
            prop_assert!(address == "https://a.com/cb?x=1" || config.is_callback("c1", &address));
        }

        #[test]
        fn any_query_is_a_request_or_refused_without_a_panic(text in "([a-z_]{0,14}=?[\\PC%&+]{0,20}&){0,6}") {
            if let Ok(parameters) = Parameters::parse(&text) {
                let _ = Request::validate(&parameters, &application(), &config());
            }
        }

        #[test]
        fn a_redirect_with_one_character_more_less_or_other_is_refused(at in 0usize..20, c in any::<char>(), how in 0..3) {
            let registered = "https://a.com/cb?x=1";
            let mut given: Vec<char> = registered.chars().collect();
            match how {
                0 => given.insert(at, c),
                1 => drop(given.splice(at..=at, [])),
                _ => given[at] = c,
            }
            let given: String = given.into_iter().collect();
            prop_assume!(given != registered);
            let pairs = [("response_type", "token".to_owned()), ("redirect_uri", given)];
            let refused = validate(&encoded(&pairs));
            let on_a_page = matches!(refused, Err(Invalid::Page(Error::Parameter { name: "redirect_uri", .. })));
            prop_assert!(on_a_page);
        }

        #[test]
        fn any_port_will_do_on_loopback_and_nothing_else_will(port in 1u16.., host in "127\\.0\\.0\\.1|\\[::1\\]", path in "(/[a-z]{0,3})?", other in "(/[a-z]{0,3})?") {
            let registered = format!("http://{host}:3000{path}");
            let same = format!("http://{host}:{port}{path}");
            let elsewhere = format!("http://{host}:{port}{other}");
            let user = format!("http://{host}:{port}@b.com{path}");
            let secure = format!("https://{host}:{port}{path}");
            prop_assert!(is_same_redirect(&registered, &same));
            prop_assert_eq!(is_same_redirect(&registered, &elsewhere), path == other);
            prop_assert!(!is_same_redirect(&registered, &user) && !is_same_redirect(&registered, &secure));
        }
    }
}
