//! The platform's own backends: where they are, which paths are theirs, and what those ask of a token.

use std::{collections::BTreeMap, fmt, time::Duration};

use axum::http::{HeaderName, Uri, uri::Authority};
use latchkey_protocol::scope::Scope;
use serde::Deserialize;

use crate::{
    gateway::guarded::{self, Guarded},
    routes::{API, RESERVED, SESSION_API},
};

/// Where a backend's paths begin that does not say: the API's own, so that the SDK's `client.fetch("issues/")` reaches
/// it.
pub const DEFAULT_PREFIX: &str = "/api/0/organizations/{organization}";

/// A backend, as the file of settings describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where it is: `http://127.0.0.1:9000`, or https.
    pub url: String,
    /// Where its paths begin. `{organization}` stands for one segment, in which requests name the token's
    /// organization.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// The scope that each method needs, such as `GET = "event:read"`. A method that is not named is not allowed;
    /// HEAD is where GET is.
    #[serde(default = "default_scopes")]
    pub scopes: BTreeMap<String, String>,
    /// The longest body of a request, in bytes.
    #[serde(default = "default_body_bytes")]
    pub max_body_bytes: u64,
    /// How long a connection to it may take.
    #[serde(default = "default_connect_secs")]
    pub connect_secs: u32,
    /// How long it may take to take a part of a request, to begin an answer once it has the whole of it, and between two
    /// parts of one.
    #[serde(default = "default_answer_secs")]
    pub answer_secs: u32,
    /// Headers of its answers that are passed on besides the usual ones.
    #[serde(default)]
    pub response_headers: Vec<String>,
}

fn default_prefix() -> String {
    DEFAULT_PREFIX.to_owned()
}

fn default_scopes() -> BTreeMap<String, String> {
    let write = ["POST", "PUT", "PATCH", "DELETE"].map(|method| (method, Scope::OrgWrite));
    std::iter::once(("GET", Scope::OrgRead))
        .chain(write)
        .map(|(method, scope)| (method.to_owned(), scope.as_str().to_owned()))
        .collect()
}

const fn default_body_bytes() -> u64 {
    10 * 1024 * 1024
}

const fn default_connect_secs() -> u32 {
    2
}

const fn default_answer_secs() -> u32 {
    30
}

impl Settings {
    /// A backend of which nothing but the address is said.
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            prefix: default_prefix(),
            scopes: default_scopes(),
            max_body_bytes: default_body_bytes(),
            connect_secs: default_connect_secs(),
            answer_secs: default_answer_secs(),
            response_headers: vec![],
        }
    }
}

/// A backend.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Whether it is spoken to over TLS.
    pub is_https: bool,
    /// Its host and port.
    pub authority: Authority,
    /// The paths that are its own, and what they ask of a token.
    pub guarded: Guarded,
    /// The longest body of a request, in bytes.
    pub max_body_bytes: u64,
    /// How long a connection to it may take.
    pub connect_time: Duration,
    /// How long it may take to take a part of a request, to begin an answer once it has the whole of it, and between two
    /// parts of one.
    pub answer_time: Duration,
    /// Headers of its answers that are passed on besides the usual ones.
    pub response_headers: Vec<HeaderName>,
}

/// Why there is no such backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The address.
    Url,
    /// The paths, or what they ask of a token.
    Guarded(guarded::Problem),
    /// Where its paths begin is this server's own, or another's.
    Taken,
    /// A header that a backend may not set here.
    Header(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str(
                "url is http://HOST:PORT or https://HOST:PORT, with no path: a request's own is passed on",
            ),
            Self::Guarded(problem) => problem.fmt(f),
            Self::Taken => f.write_str("prefix is this server's own, or another backend's"),
            Self::Header(name) => {
                write!(
                    f,
                    "response_headers names {name:?}, which acts on the platform's own origin or is no header"
                )
            }
        }
    }
}

impl std::error::Error for Problem {}

impl Upstream {
    /// Reads a backend's settings.
    pub fn read(settings: &Settings) -> Result<Self, Problem> {
        let (is_https, authority) = address(&settings.url).ok_or(Problem::Url)?;
        let paths = guarded::Settings { prefix: settings.prefix.clone(), scopes: settings.scopes.clone() };
        let guarded = Guarded::read(&paths).map_err(Problem::Guarded)?;
        if is_ours(&guarded.prefix) {
            return Err(Problem::Taken);
        }
        Ok(Self {
            is_https,
            authority,
            guarded,
            max_body_bytes: settings.max_body_bytes,
            connect_time: Duration::from_secs(settings.connect_secs.max(1).into()),
            answer_time: Duration::from_secs(settings.answer_secs.max(1).into()),
            response_headers: settings
                .response_headers
                .iter()
                .map(|name| header(name))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Its address, as it is written into what is signed for it.
    pub fn audience(&self) -> String {
        format!("{}://{}", if self.is_https { "https" } else { "http" }, self.authority)
    }
}

/// Reads all of them: no two may begin alike.
pub fn read_all(all: &[Settings]) -> Result<Vec<Upstream>, (String, Problem)> {
    let mut read: Vec<Upstream> = Vec::with_capacity(all.len());
    for settings in all {
        let upstream = Upstream::read(settings).map_err(|problem| (settings.url.clone(), problem))?;
        if read.iter().any(|other| other.guarded.prefix == upstream.guarded.prefix) {
            return Err((settings.url.clone(), Problem::Taken));
        }
        read.push(upstream);
    }
    Ok(read)
}

/// Whether one of our own paths begins so. The default does, and leaves the backend whatever is below it and not ours.
fn is_ours(prefix: &str) -> bool {
    let begins = |path: &str| {
        let mut segments = path.split('/');
        prefix.split('/').all(|wanted| segments.next().is_some_and(|segment| same(segment, wanted)))
    };
    let is_below = |own: &str| {
        let mut segments = prefix.split('/');
        own.split('/').all(|own| segments.next().is_some_and(|segment| same(segment, own)))
    };
    let api = API.iter().map(|route| route.path).chain(SESSION_API);
    prefix != DEFAULT_PREFIX
        && (RESERVED.into_iter().any(is_below) || RESERVED.into_iter().chain(api).any(begins))
}

/// Whether a request's segment can be both.
fn same(one: &str, other: &str) -> bool {
    one == other || one.starts_with('{') || other.starts_with('{')
}

fn address(url: &str) -> Option<(bool, Authority)> {
    let uri: Uri = url.parse().ok()?;
    let is_https = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?.clone();
    (matches!(uri.path(), "" | "/") && uri.query().is_none()).then_some((is_https, authority))
}

fn header(name: &str) -> Result<HeaderName, Problem> {
    let known = name.to_ascii_lowercase().parse().ok();
    let harmless = known.filter(|name: &HeaderName| !super::response::acts_on_the_platform(name));
    harmless.ok_or_else(|| Problem::Header(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{OrganizationRule, Rule};

    #[test]
    fn an_address_alone_is_enough() {
        let upstream = Upstream::read(&Settings::at("http://127.0.0.1:9000")).unwrap();
        assert_eq!((upstream.is_https, upstream.authority.as_str()), (false, "127.0.0.1:9000"));
        assert_eq!(&*upstream.guarded.prefix, DEFAULT_PREFIX);
        for (method, scope) in
            [("GET", Scope::OrgRead), ("HEAD", Scope::OrgRead), ("DELETE", Scope::OrgWrite)]
        {
            let rule = upstream.guarded.rule(&method.parse().unwrap()).unwrap();
            assert_eq!(rule, Rule { organization: OrganizationRule::InPath(3), scope: Some(scope) });
        }
        assert_eq!(upstream.guarded.rule(&axum::http::Method::OPTIONS), None);
        assert_eq!(upstream.audience(), "http://127.0.0.1:9000");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let at = |url: &str| Settings::at(url);
        let good = "http://127.0.0.1:9000";
        let prefix = |prefix: &str| Settings { prefix: prefix.into(), ..at(good) };
        for url in
            ["", "x", "ftp://a", "http://", "http://a/b", "http://a?b", "http://u:p@a", "//a", "http://a b"]
        {
            assert_eq!(Upstream::read(&at(url)).unwrap_err(), Problem::Url, "{url:?}");
        }
        let wrong = Upstream::read(&prefix("/a//b")).unwrap_err();
        assert_eq!(wrong, Problem::Guarded(guarded::Problem::Prefix));
        for name in ["Set-Cookie", "access-control-allow-origin", "Latchkey-User", "a b", ""] {
            let settings = Settings { response_headers: vec![name.into()], ..at(good) };
            assert_eq!(Upstream::read(&settings).unwrap_err(), Problem::Header(name.into()));
        }
        assert_eq!(read_all(&[at(good), at(good)]).unwrap_err().1, Problem::Taken);
        assert!(read_all(&[at(good), prefix("/backend")]).is_ok());
    }

    #[test]
    fn where_a_path_of_ours_begins_is_no_backend_s() {
        let read = |prefix: &str| {
            Upstream::read(&Settings { prefix: prefix.into(), ..Settings::at("http://127.0.0.1:9000") })
        };
        let ours = API.iter().map(|route| route.path).filter(|path| *path != DEFAULT_PREFIX);
        for taken in ours.chain(RESERVED).chain(SESSION_API).chain([
            "/oauth/token",
            "/toolbar/x",
            "/api",
            "/api/",
            "/{organization}",
            "/{organization}/x",
            "/api/{organization}",
            "/api/0/{organization}",
            "/api/0/organizations/acme",
            "/api/{organization}/organizations",
        ]) {
            // A prefix has a place for the organization alone.
            let taken = taken.replace("{client_id}", "x");
            assert_eq!(read(&taken).unwrap_err(), Problem::Taken, "{taken:?}");
        }
        for free in [
            DEFAULT_PREFIX,
            "/api/0/organizations/{organization}/issues",
            "/api/0/organizations/{organization}/members/roles",
            "/api/0/issues",
            "/api/1",
            "/v1/{organization}",
            "/logins",
        ] {
            assert!(read(free).is_ok(), "{free:?}");
        }
    }
}
