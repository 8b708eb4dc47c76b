//! Who asks: the gateway's assertion, a JSON Web Token (RFC 7519) in `Latchkey-Assertion`.

use std::{
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header, jwk::JwkSet};
use latchkey_protocol::scope::Scopes;
use serde::Deserialize;
use tokio::{sync::Mutex, time::timeout};

use crate::tracker::issues::Refused;

/// The header that it comes in.
const HEADER: &str = "latchkey-assertion";
/// Its type (RFC 8725 §3.11): an id_token, which the same keys sign, is another one.
const TYPE: &str = "latchkey-assertion+jwt";
/// How often the keys are asked for, at most: anybody can send an assertion that names a key there is not.
const EVERY: Duration = Duration::from_secs(5);
/// How long the platform may take to name them.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much they may be, in bytes.
const MOST: usize = 64 * 1024;

/// Who passed the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The person's id.
    pub(super) user_id: String,
    /// The one organization that they may see.
    pub(super) organization_id: String,
    /// Its slug.
    pub(super) organization_slug: String,
    /// What they may do there.
    pub(super) scopes: Scopes,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    organization_id: String,
    organization_slug: String,
    scope: String,
}

/// What it takes to verify them.
#[derive(Debug)]
pub(super) struct Assertions {
    audience: String,
    trusted: OnceLock<Trusted>,
    keys: Mutex<Keys>,
    client: Client<HttpConnector, Body>,
}

#[derive(Debug)]
struct Trusted {
    issuer: String,
    keys: String,
}

#[derive(Debug)]
struct Keys {
    known: JwkSet,
    asked_at: Option<Instant>,
}

impl Assertions {
    /// Assertions for the backend at this address.
    pub(super) fn new(audience: String) -> Self {
        Self {
            audience,
            trusted: OnceLock::new(),
            keys: Mutex::new(Keys { known: JwkSet { keys: Vec::new() }, asked_at: None }),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// See [`super::Tracker::trust`]; the first one counts.
    pub(super) fn trust(&self, platform: &str, server: SocketAddr) {
        let keys = format!("http://{server}/oauth/jwks/");
        let _ = self.trusted.set(Trusted { issuer: platform.to_owned(), keys });
    }

    /// Who asks, by the one assertion among these headers.
    pub(super) async fn verify(&self, headers: &HeaderMap) -> Result<Caller, Refused> {
        let Some(trusted) = self.trusted.get() else { return Err(Refused::Unavailable) };
        let mut values = headers.get_all(HEADER).iter();
        let (Some(assertion), None) = (values.next(), values.next()) else {
            return Err(Refused::NoAssertion);
        };
        let bad = |_| Refused::BadAssertion;
        let header = decode_header(assertion).map_err(bad)?;
        if header.typ.as_deref() != Some(TYPE) || header.alg != Algorithm::RS256 {
            return Err(Refused::BadAssertion);
        }
        let key = self.key(trusted, header.kid.as_deref().ok_or(Refused::BadAssertion)?).await?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&trusted.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.leeway = 0;
        let Claims { sub, organization_id, organization_slug, scope } =
            decode(assertion, &key, &validation).map_err(bad)?.claims;
        let scopes = Scopes::parse(&scope).map_err(|_| Refused::BadAssertion)?;
        Ok(Caller { user_id: sub, organization_id, organization_slug, scopes })
    }

    /// The key of this id, which is asked for where it is not known: keys are rotated.
    async fn key(&self, trusted: &Trusted, id: &str) -> Result<DecodingKey, Refused> {
        let mut keys = self.keys.lock().await;
        let may_ask = keys.asked_at.is_none_or(|at| at.elapsed() >= EVERY);
        if keys.known.find(id).is_none() && may_ask {
            keys.asked_at = Some(Instant::now());
            let asked = timeout(PATIENCE, self.fetch(&trusted.keys)).await;
            let Ok(Ok(known)) = asked else {
                keys.asked_at = None;
                return Err(Refused::Unavailable);
            };
            keys.known = known;
        }
        let key = keys.known.find(id).ok_or(Refused::BadAssertion)?;
        DecodingKey::from_jwk(key).map_err(|_| Refused::BadAssertion)
    }

    async fn fetch(&self, address: &str) -> Result<JwkSet> {
        let answer = self.client.request(Request::get(address).body(Body::empty())?).await?;
        ensure!(answer.status() == StatusCode::OK, "{address} answers {}", answer.status());
        let body = to_bytes(Body::new(answer.into_body()), MOST).await?;
        serde_json::from_slice(&body).with_context(|| format!("{address} names no keys"))
    }
}
