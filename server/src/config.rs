//! The settings of a running server.

use latchkey_protocol::origin::Origin;

use crate::clock::UnixSeconds;

/// How long things live, in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Lifetimes {
    /// An access token.
    pub access_token_secs: UnixSeconds,
    /// An authorization code.
    pub code_secs: UnixSeconds,
    /// A refresh token that nobody uses.
    pub refresh_idle_secs: UnixSeconds,
    /// A line of refresh tokens, from the first to the last.
    pub refresh_total_secs: UnixSeconds,
    /// For how long a refresh token that was replaced is answered with the one that replaced it: the first answer may
    /// have been lost.
    pub refresh_grace_secs: UnixSeconds,
    /// An authorization request that is being decided.
    pub transaction_secs: UnixSeconds,
    /// A session at the platform.
    pub session_secs: UnixSeconds,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY: UnixSeconds = 24 * 3600;
        Self {
            access_token_secs: 3600,
            code_secs: 60,
            refresh_idle_secs: 30 * DAY,
            refresh_total_secs: 90 * DAY,
            refresh_grace_secs: 30,
            transaction_secs: 600,
            session_secs: 14 * DAY,
        }
    }
}

/// The settings of a running server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The platform's origin: the issuer, and where every address of this server begins.
    pub public_url: Origin,
    /// How long things live.
    pub lifetimes: Lifetimes,
}

impl Config {
    /// The settings for a platform at this origin.
    pub fn new(public_url: Origin) -> Self {
        Self { public_url, lifetimes: Lifetimes::default() }
    }

    /// The issuer identifier (RFC 8414 §2).
    pub fn issuer(&self) -> &str {
        self.public_url.as_str()
    }

    /// An address of this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The callback page of one application: a redirect URI it has without registering it.
    pub fn callback(&self, client_id: &str) -> String {
        self.url(&format!("/toolbar/{client_id}/callback/"))
    }
}
