//! The cookie that tells one browser from another, before and after anybody signs in.
//!
//! Authorization requests and forms are bound to it. Login does not rotate it: a request that was begun before the
//! login is finished after it.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, request::Parts},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use time::Duration;

use crate::{
    http::error::{Error, PageError},
    secret::Secret,
    state::App,
};

/// The browser's cookie. `__Host-` (RFC 6265bis §4.1.3.2) keeps sibling domains from planting one.
const BROWSER: &str = "__Host-latchkey_browser";
/// The session's cookie.
pub const SESSION: &str = "__Host-latchkey_session";

/// The browser that a request comes from.
#[derive(Debug, Clone)]
pub struct Browser {
    secret: Secret,
    /// Whether the cookie has yet to be set.
    is_new: bool,
}

impl Browser {
    /// The hash that a transaction keeps of the cookie.
    pub fn digest(&self) -> crate::secret::Digest256 {
        self.secret.digest()
    }

    /// The CSRF token of a form, for one purpose: no other site can read the cookie it is derived from.
    pub fn csrf(&self, purpose: &str) -> String {
        self.secret.derive(purpose).expose().to_owned()
    }

    /// Whether a form brought this browser's token for the purpose.
    pub fn accepts(&self, purpose: &str, token: &str) -> bool {
        !self.is_new && self.secret.derive(purpose).matches(token)
    }

    /// The cookies that an answer to this browser sets.
    pub fn remember(&self, jar: CookieJar) -> CookieJar {
        if self.is_new { jar.add(cookie(BROWSER, self.secret.expose().to_owned())) } else { jar }
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        if let Some(secret) = secret(&parts.headers, BROWSER) {
            return Ok(Self { secret, is_new: false });
        }
        let secret = Secret::generate(&app.entropy).map_err(Error::from)?;
        Ok(Self { secret, is_new: true })
    }
}

/// A cookie's value, where it looks like one of ours.
pub fn secret(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let jar = CookieJar::from_headers(headers);
    let value = jar.get(name)?.value();
    (value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric())).then(|| Secret::new(value))
}

/// A cookie for one frame of ours: sent from within whatever site it stands on, and from there alone, since the browser
/// keeps another one for each (CHIPS).
pub fn framed_cookie(name: String, value: String, lifetime_secs: i64) -> Cookie<'static> {
    Cookie::build((name, value))
        .path("/")
        .secure(true)
        .http_only(true)
        .same_site(SameSite::None)
        .partitioned(true)
        .max_age(Duration::seconds(lifetime_secs))
        .build()
}

/// A cookie as every cookie of ours is: for this host alone, never for scripts, never from another site's request
/// except a navigation.
pub fn cookie(name: &'static str, value: String) -> Cookie<'static> {
    Cookie::build((name, value)).path("/").secure(true).http_only(true).same_site(SameSite::Lax).build()
}
