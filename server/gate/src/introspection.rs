//! Tokens as the authorization server describes them when it is asked (RFC 7662), for a service that does not share its
//! database.
//!
//! What it answered is remembered for a second at most: a revoked token, or a member who left, is refused after that.
//! Where it does not answer, nothing passes.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use latchkey_protocol::scope::{Role, Scopes};
use quick_cache::sync::Cache;
use serde::Deserialize;
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use crate::{
    Clock, Refusal, Source, Standing,
    clock::UnixSeconds,
    standing::{Application, Member, Organization, Shared},
    token::AccessToken,
};

/// How long an answer counts, at most.
const TRUST: Duration = Duration::from_secs(1);
/// How long an answer may take.
const TIME: Duration = Duration::from_secs(5);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks the authorization server about tokens.
#[derive(Debug)]
pub struct Introspection {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    credentials: HeaderValue,
    remembered: Cache<[u8; 32], Remembered>,
    trust: Duration,
    time: Duration,
    clock: Clock,
}

#[derive(Debug, Clone)]
struct Remembered {
    standing: Arc<Standing>,
    until: Duration,
}

/// Where and as whom to ask.
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    /// The introspection endpoint: `https://platform.example/oauth/introspect/`. Plain http is for loopback alone.
    pub endpoint: &'a str,
    /// The id of this service, as `latchkey resource-server add` printed it.
    pub id: &'a str,
    /// Its secret.
    pub secret: &'a str,
    /// How many tokens are remembered.
    pub capacity: usize,
    /// For how long an answer is: a second at most, and not at all where it is nothing.
    pub trust: Duration,
    /// How long an answer may take: five seconds at most.
    pub time: Duration,
    /// The time.
    pub clock: Clock,
}

/// Why there is nobody to ask, or why the answer does not help.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is not an address that secrets may be sent to.
    #[error("the introspection endpoint is an https URL, or an http URL on loopback")]
    Endpoint,
    /// The machine's certificates cannot be read.
    #[error("the certificates of this machine cannot be read: {0}")]
    Certificates(#[from] std::io::Error),
    /// The authorization server did not answer.
    #[error("the authorization server did not answer")]
    NoAnswer,
    /// It answered with another status than 200.
    #[error("the authorization server answered with {0}")]
    Status(StatusCode),
    /// It answered something else than RFC 7662 says.
    #[error("the authorization server's answer cannot be read")]
    Unreadable,
}

/// The answer, as far as the gate needs it.
#[derive(Debug, Deserialize)]
struct Answer {
    active: bool,
    #[serde(flatten)]
    token: Option<Described>,
}

#[derive(Debug, Deserialize)]
struct Described {
    jti: String,
    scope: String,
    client_id: String,
    exp: UnixSeconds,
    iat: UnixSeconds,
    sub: String,
    name: String,
    /// A region does not tell it.
    email: Option<String>,
    role: String,
    origins: Vec<String>,
    organization_id: String,
    organization_slug: String,
    organization_name: String,
}

impl Introspection {
    /// Asks there.
    pub fn new(settings: &Settings<'_>) -> Result<Self, Error> {
        let endpoint: Uri = settings.endpoint.parse().map_err(|_| Error::Endpoint)?;
        if !may_be_told_secrets(&endpoint) {
            return Err(Error::Endpoint);
        }
        // RFC 6749 §2.3.1: both are form-urlencoded before they are joined.
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let joined = STANDARD.encode(format!("{}:{}", encode(settings.id), encode(settings.secret)));
        let mut credentials =
            HeaderValue::from_str(&format!("Basic {joined}")).map_err(|_| Error::Endpoint)?;
        credentials.set_sensitive(true);
        // Named here: where a program holds several, the library cannot choose one.
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let connector = connector.https_or_http().enable_http1();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector.build()),
            endpoint,
            credentials,
            remembered: Cache::new(settings.capacity),
            trust: settings.trust.min(TRUST),
            time: settings.time.min(TIME),
            clock: settings.clock.clone(),
        })
    }

    async fn ask(&self, token: &AccessToken) -> Result<Option<Standing>, Error> {
        let body = Serializer::new(String::new())
            .append_pair("token", token.expose())
            .append_pair("token_type_hint", "access_token")
            .finish();
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let headers = request.headers_mut();
        headers.insert(header::AUTHORIZATION, self.credentials.clone());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let answer = async {
            let response = self.client.request(request).await.map_err(|_| Error::NoAnswer)?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            Ok::<_, Error>((status, body.map_err(|_| Error::NoAnswer)?.to_bytes()))
        };
        let (status, body) = timeout(self.time, answer).await.map_err(|_| Error::NoAnswer)??;
        if status != StatusCode::OK {
            return Err(Error::Status(status));
        }
        read(&body)
    }
}

/// TLS, or no way out of this machine.
fn may_be_told_secrets(endpoint: &Uri) -> bool {
    match (endpoint.scheme_str(), endpoint.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => {
            matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
        }
        (Some(_) | None, Some(_) | None) => false,
    }
}

fn read(body: &[u8]) -> Result<Option<Standing>, Error> {
    match serde_json::from_slice(body).map_err(|_| Error::Unreadable)? {
        Answer { active: false, .. } => Ok(None),
        Answer { active: true, token: Some(token) } => Standing::try_from(token).map(Some),
        // Of another server than ours, or of one that does not know this version.
        Answer { active: true, token: None } => Err(Error::Unreadable),
    }
}

impl TryFrom<Described> for Standing {
    type Error = Error;

    fn try_from(token: Described) -> Result<Self, Error> {
        let organization_id: Box<str> = token.organization_id.into();
        Ok(Self {
            token_id: token.jti.into(),
            scopes: Scopes::parse(&token.scope).map_err(|_| Error::Unreadable)?,
            created_at: token.iat,
            expires_at: token.exp,
            is_revoked: false,
            application: Shared::new(Application {
                client_id: token.client_id.into(),
                origins: token.origins.into_iter().map(Into::into).collect(),
                disabled_at: None,
                organization: Organization {
                    id: organization_id.clone(),
                    slug: token.organization_slug.into(),
                    name: token.organization_name.into(),
                    disabled_at: None,
                },
            }),
            member: Shared::new(Member {
                user_id: token.sub.into(),
                name: token.name.into(),
                email: token.email.map(Into::into),
                disabled_at: None,
                organization_id,
                role: Some(Role::parse(&token.role).ok_or(Error::Unreadable)?),
            }),
        })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreadable => Self::Failed(Arc::new(error)),
            Error::Endpoint | Error::Certificates(_) | Error::NoAnswer | Error::Status(_) => {
                Self::Unavailable(Arc::new(error))
            }
        }
    }
}

impl Source for Introspection {
    fn recall(&self, token: &AccessToken) -> Option<Arc<Standing>> {
        if self.trust.is_zero() {
            return None;
        }
        let known = self.remembered.get(token.digest().as_array())?;
        (self.clock.elapsed() < known.until).then_some(known.standing)
    }

    async fn find(&self, token: &AccessToken) -> Result<Option<Arc<Standing>>, Refusal> {
        // From when it was asked: what changes while the answer is on its way is not in it.
        let until = self.clock.elapsed() + self.trust;
        let Some(standing) = self.ask(token).await? else { return Ok(None) };
        let standing = Arc::new(standing);
        if !self.trust.is_zero() {
            let remembered = Remembered { standing: standing.clone(), until };
            self.remembered.insert(*token.digest().as_array(), remembered);
        }
        Ok(Some(standing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTIVE: &str = r#"{"active":true,"jti":"t1","scope":"event:read openid","client_id":"c1","token_type":"Bearer",
        "exp":20,"iat":10,"sub":"u1","iss":"https://p.example","name":"Ada","email":"ada@example.org","role":"admin",
        "origins":["https://a.com"],"organization_id":"o1","organization_slug":"acme","organization_name":"Acme"}"#;

    #[test]
    fn an_answer_is_a_standing_or_nothing_or_an_error() {
        let standing = read(ACTIVE.as_bytes()).unwrap().unwrap();
        assert_eq!(standing.scopes.to_list(), "event:read openid");
        assert_eq!(&*standing.application.organization.slug, "acme");
        assert_eq!(
            (standing.member.role, &*standing.application.origins[0]),
            (Some(Role::Admin), "https://a.com")
        );
        let from_region =
            read(ACTIVE.replace(r#""email":"ada@example.org","#, "").as_bytes()).unwrap().unwrap();
        assert_eq!((standing.member.email.is_some(), from_region.member.email.is_none()), (true, true));
        assert!(read(br#"{"active":false}"#).unwrap().is_none());
        for wrong in [
            "",
            "{}",
            "[]",
            "true",
            r#"{"active":true}"#,
            r#"{"active":"true"}"#,
            &ACTIVE.replace("admin", "emperor"),
            &ACTIVE.replace("event:read", "event:rede"),
            &ACTIVE.replace(r#""role":"admin","#, ""),
            &ACTIVE.replace(r#""origins":["https://a.com"],"#, ""),
            &ACTIVE[..40],
        ] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn nobody_is_asked_to_whom_a_secret_may_not_be_told() {
        let at = |endpoint| {
            Introspection::new(&Settings {
                endpoint,
                id: "a",
                secret: "b",
                capacity: 1,
                trust: Duration::from_secs(60),
                time: Duration::from_secs(60),
                clock: Clock::System,
            })
        };
        for endpoint in ["http://p.example/", "/oauth/introspect/", "", "ftp://localhost/"] {
            assert!(matches!(at(endpoint), Err(Error::Endpoint)), "{endpoint:?}");
        }
        let known = at("http://127.0.0.1:8000/").unwrap();
        assert_eq!((known.trust, known.time), (TRUST, TIME));
    }

    #[test]
    fn a_secret_is_told_over_tls_or_on_loopback() {
        for (endpoint, allowed) in [
            ("https://p.example/oauth/introspect/", true),
            ("http://localhost:8000/oauth/introspect/", true),
            ("http://127.0.0.1:8000/", true),
            ("http://[::1]:8000/", true),
            ("http://p.localhost/", true),
            ("http://p.example/", false),
            ("http://localhost.evil.example/", false),
            ("ftp://localhost/", false),
            ("/oauth/introspect/", false),
        ] {
            assert_eq!(may_be_told_secrets(&endpoint.parse().unwrap()), allowed, "{endpoint}");
        }
    }
}
