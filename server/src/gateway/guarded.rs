//! Paths that somebody else answers, and what they ask of a token: a backend behind our gateway, or one behind a proxy
//! that asks at `/gate/check/`.

use std::{collections::BTreeMap, fmt, sync::Arc};

use axum::http::Method;
use latchkey_protocol::scope::Scope;
use serde::Deserialize;

use crate::{gate::Rule, gateway::upstream::Upstream};

/// Paths behind a proxy of the platform's own, as the file of settings describes them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where they begin. `{organization}` stands for one segment, in which requests name the token's organization.
    pub prefix: String,
    /// The scope that each method needs, such as `GET = "event:read"`. A method that is not named is not allowed; HEAD
    /// is where GET is.
    pub scopes: BTreeMap<String, String>,
}

/// Paths with one beginning, and what each method asks of a token.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// Where they begin, without a slash at the end.
    pub prefix: Arc<str>,
    /// The methods that are allowed.
    pub rules: Vec<(Method, Rule)>,
}

/// Why there are no such paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Where they begin.
    Prefix,
    /// A method.
    Method(String),
    /// A scope.
    Scope(String),
    /// There is no method.
    NoMethods,
    /// Others begin alike.
    Taken,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => f.write_str(
                "prefix is a path of plain segments, such as /api/0/organizations/{organization}/issues or /backend; at \
                 most one of them is {organization}",
            ),
            Self::Method(method) => {
                write!(f, "scopes names {method:?}, which is not one of GET, HEAD, POST, PUT, PATCH and DELETE")
            }
            Self::Scope(scope) => write!(f, "scopes names {scope:?}, which is not a scope"),
            Self::Taken => f.write_str(
                "prefix is another one's as well: of two rules for the same paths nobody could say which one counts",
            ),
            Self::NoMethods => f.write_str("scopes names no method: GET = \"event:read\" lets requests read"),
        }
    }
}

impl std::error::Error for Problem {}

impl Guarded {
    /// Reads where the paths begin, and what each method asks of a token.
    pub fn read(settings: &Settings) -> Result<Self, Problem> {
        let prefix = settings.prefix.trim_end_matches('/');
        if !is_prefix(prefix) {
            return Err(Problem::Prefix);
        }
        Ok(Self { rules: rules(&settings.scopes, prefix)?, prefix: prefix.into() })
    }

    /// What this method asks of a token; `None` where it is not allowed.
    pub fn rule(&self, method: &Method) -> Option<Rule> {
        self.rules.iter().find(|(known, _)| known == method).map(|(_, rule)| *rule)
    }

    /// Whether the path is one of these.
    pub fn covers(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        self.prefix.split('/').all(|wanted| match segments.next() {
            Some(segment) if wanted == latchkey_gate::ORGANIZATION => !segment.is_empty(),
            Some(segment) => segment == wanted,
            None => false,
        })
    }

    /// Of two that cover a path, the one that says more about it has the greater: first the one with more segments, then
    /// the one that names a segment, counted from the left, where the other takes any. Only equal ones are alike.
    pub fn rank(&self) -> (usize, Vec<bool>) {
        let names: Vec<_> =
            self.prefix.split('/').map(|segment| segment != latchkey_gate::ORGANIZATION).collect();
        (names.len(), names)
    }
}

/// Reads all of them: no two may begin alike, nor any as a backend's do.
pub fn read_all(all: &[Settings], upstreams: &[Upstream]) -> Result<Vec<Guarded>, (String, Problem)> {
    let mut read: Vec<Guarded> = Vec::with_capacity(all.len());
    for settings in all {
        let guarded = Guarded::read(settings).map_err(|problem| (settings.prefix.clone(), problem))?;
        let mut others = read.iter().chain(upstreams.iter().map(|upstream| &upstream.guarded));
        if others.any(|other| other.prefix == guarded.prefix) {
            return Err((settings.prefix.clone(), Problem::Taken));
        }
        read.push(guarded);
    }
    Ok(read)
}

/// A path of plain segments, of which one may stand for the organization.
fn is_prefix(prefix: &str) -> bool {
    let Some(relative) = prefix.strip_prefix('/') else { return false };
    let is_word = |segment: &str| {
        !segment.is_empty()
            && !segment.starts_with('.')
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let organizations = relative.split('/').filter(|segment| *segment == latchkey_gate::ORGANIZATION).count();
    organizations <= 1
        && relative.split('/').all(|segment| segment == latchkey_gate::ORGANIZATION || is_word(segment))
}

fn rules(scopes: &BTreeMap<String, String>, prefix: &str) -> Result<Vec<(Method, Rule)>, Problem> {
    const METHODS: [Method; 6] =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let mut rules = Vec::new();
    for (method, scope) in scopes {
        let known = METHODS.into_iter().find(|known| known.as_str() == method);
        let method = known.ok_or_else(|| Problem::Method(method.clone()))?;
        let scope = Scope::parse(scope).ok_or_else(|| Problem::Scope(scope.clone()))?;
        rules.push((method, Rule::of(prefix, Some(scope))));
    }
    let of = |wanted: &Method| rules.iter().find(|(method, _)| method == wanted).map(|(_, rule)| *rule);
    // RFC 9110 §9.3.2: the same as GET, without the content.
    if let (Some(rule), None) = (of(&Method::GET), of(&Method::HEAD)) {
        rules.push((Method::HEAD, rule));
    }
    if rules.is_empty() { Err(Problem::NoMethods) } else { Ok(rules) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::upstream;

    fn settings(prefix: &str, method: &str, scope: &str) -> Settings {
        Settings { prefix: prefix.into(), scopes: BTreeMap::from([(method.into(), scope.into())]) }
    }

    fn read(prefix: &str, method: &str, scope: &str) -> Result<Guarded, Problem> {
        Guarded::read(&settings(prefix, method, scope))
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in [
            "",
            "/",
            "a",
            "/a//b",
            "/{org}",
            "/a/{*rest}",
            "/a%20b",
            "/a/../b",
            "/a;b",
            "/{organization}/{organization}",
            "/.well-known",
        ] {
            assert_eq!(read(wrong, "GET", "event:read").unwrap_err(), Problem::Prefix, "{wrong:?}");
        }
        assert_eq!(read("/a", "TRACE", "event:read").unwrap_err(), Problem::Method("TRACE".into()));
        assert_eq!(read("/a", "get", "event:read").unwrap_err(), Problem::Method("get".into()));
        assert_eq!(read("/a", "GET", "event").unwrap_err(), Problem::Scope("event".into()));
        let none = Settings { prefix: "/a".into(), scopes: BTreeMap::new() };
        assert_eq!(Guarded::read(&none).unwrap_err(), Problem::NoMethods);
    }

    #[test]
    fn no_two_begin_alike() {
        let at = |prefix: &str| settings(prefix, "GET", "event:read");
        let upstream =
            upstream::Settings { prefix: "/b/{organization}".into(), ..upstream::Settings::at("http://a") };
        let upstreams = [Upstream::read(&upstream).unwrap()];
        assert_eq!(read_all(&[at("/a"), at("/a/{organization}"), at("/b")], &upstreams).unwrap().len(), 3);
        for (all, taken) in
            [([at("/a"), at("/a/")], "/a/"), ([at("/a"), at("/b/{organization}")], "/b/{organization}")]
        {
            assert_eq!(read_all(&all, &upstreams).unwrap_err(), (taken.to_owned(), Problem::Taken));
        }
    }

    #[test]
    fn a_path_is_covered_segment_by_segment() {
        let guarded = read("/o/{organization}/issues", "GET", "event:read").unwrap();
        for (path, covered) in [
            ("/o/acme/issues", true),
            ("/o/acme/issues/", true),
            ("/o/acme/issues/7/x", true),
            ("/o/acme/issuesx", false),
            ("/o/acme", false),
            ("/o//issues", false),
            ("/x/o/acme/issues", false),
            ("o/acme/issues", false),
            ("", false),
        ] {
            assert_eq!(guarded.covers(path), covered, "{path}");
        }
    }

    #[test]
    fn whoever_says_more_about_a_path_is_asked() {
        let rank = |prefix: &str| read(prefix, "GET", "event:read").unwrap().rank();
        for (less, more) in [
            ("/o/{organization}", "/o/acme/billing"),
            ("/o/{organization}", "/o/a"),
            ("/o", "/o/{organization}"),
            ("/o/{organization}/billing", "/o/acme/{organization}"),
            ("/o/averyveryverylongname", "/o/{organization}/b"),
        ] {
            assert!(rank(less) < rank(more), "{less} {more}");
        }
    }
}
