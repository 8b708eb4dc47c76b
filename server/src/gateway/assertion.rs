//! Who passed the gate, signed: a JSON Web Token (RFC 7519) that a backend verifies with the keys at `/oauth/jwks/`.
//!
//! It lives for a minute, says for which backend it is (`aud`), and is of a type of its own (RFC 8725 §3.11), so that
//! nobody takes an id_token for one. Signing takes longer than all the rest of the gate, so one is made for a token and
//! used for half of its time.

use axum::http::HeaderValue;
use quick_cache::sync::Cache;
use serde::Serialize;

use crate::{clock::UnixSeconds, gate::Authorized, http::error::Error, state::App};

/// The type of these tokens (RFC 7515 §4.1.9 `typ`).
pub const TYPE: &str = "latchkey-assertion+jwt";
/// How long one lives.
const LIFETIME_SECS: UnixSeconds = 60;
/// For how long one is used: whoever it is sent to has the rest of its time to look at it.
const USED_SECS: UnixSeconds = 30;
/// How many are kept.
const MOST: usize = 10_000;

/// Assertions that were made lately.
#[derive(Debug)]
pub struct Assertions(Cache<(Box<str>, String), Made>);

impl Default for Assertions {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

#[derive(Debug, Clone)]
struct Made {
    value: HeaderValue,
    at: UnixSeconds,
    /// Whom it says: a person whose role changed is another one, with other scopes.
    role: &'static str,
    organization_slug: Box<str>,
}

/// What is said.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    iat: UnixSeconds,
    exp: UnixSeconds,
    client_id: &'a str,
    organization_id: &'a str,
    organization_slug: &'a str,
    role: &'a str,
    scope: &'a str,
    /// The access token's id, for the backend's log; never the token.
    token_id: &'a str,
}

/// An assertion for this backend; none in a region, which holds no key that could sign one.
pub async fn make(app: &App, authorized: &Authorized, audience: &str) -> Result<Option<HeaderValue>, Error> {
    if app.store.is_region() {
        return Ok(None);
    }
    let now = app.clock.now();
    let scopes = authorized.scopes().to_list();
    let role = authorized.member().role.map(latchkey_protocol::scope::Role::as_str).unwrap_or_default();
    let organization = authorized.organization();
    let key = (Box::from(authorized.token_id()), audience.to_owned());
    let is_used = |made: &Made| {
        (made.at..made.at + USED_SECS).contains(&now)
            && made.role == role
            && made.organization_slug == organization.slug
    };
    if let Some(made) = app.assertions.0.get(&key).filter(is_used) {
        return Ok(Some(made.value));
    }
    let signer = app.signing_keys.current(&mut app.store.read().await?).await?;
    let claims = Claims {
        iss: app.config.issuer(),
        aud: audience,
        sub: &authorized.member().user_id,
        iat: now,
        // Never longer than what it stands for.
        exp: authorized.expires_at().min(now + LIFETIME_SECS),
        client_id: &authorized.application().client_id,
        organization_id: &organization.id,
        organization_slug: &organization.slug,
        role,
        scope: &scopes,
        token_id: authorized.token_id(),
    };
    let mut value = HeaderValue::from_str(&signer.sign(TYPE, &claims)?)
        .map_err(|error| Error::Internal(std::sync::Arc::new(error)))?;
    value.set_sensitive(true);
    let organization_slug = organization.slug.clone();
    app.assertions.0.insert(key, Made { value: value.clone(), at: now, role, organization_slug });
    Ok(Some(value))
}
