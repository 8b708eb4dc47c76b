//! The settings of a running server.

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use clap::ValueEnum;
use ipnet::IpNet;
use latchkey_protocol::{frame::Tokens, origin::Origin};
use serde::{Deserialize, Serialize};

use crate::{
    clock::UnixSeconds,
    gateway::{guarded::Guarded, upstream::Upstream},
};

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
    /// A handle that nobody makes a frame's session of.
    pub handle_secs: UnixSeconds,
    /// A session that a frame keeps, which never lasts longer than the session at the platform that it came from.
    pub frame_session_secs: UnixSeconds,
    /// An invitation that nobody accepts.
    pub invitation_secs: UnixSeconds,
    /// An entry of the audit log.
    pub audit_secs: UnixSeconds,
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
            handle_secs: 60,
            frame_session_secs: 7 * DAY,
            invitation_secs: 7 * DAY,
            audit_secs: 180 * DAY,
        }
    }
}

/// So many at once, and so many a minute from then on.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// How many at once.
    pub burst: NonZeroU32,
    /// How many a minute from then on.
    pub per_minute: NonZeroU32,
}

impl Rate {
    /// A rate; nothing at all is not one, and counts as one.
    pub const fn new(burst: u32, per_minute: u32) -> Self {
        const fn at_least_one(number: u32) -> NonZeroU32 {
            NonZeroU32::MIN.saturating_add(number.saturating_sub(1))
        }
        Self { burst: at_least_one(burst), per_minute: at_least_one(per_minute) }
    }
}

/// How often, and how much at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Attempts at the password of one account from one address.
    pub per_account_and_address: Rate,
    /// Attempts at the password of one account, from wherever they come: so many that one address alone keeps nobody out.
    pub per_account: Rate,
    /// Attempts at passwords from one address, for whatever account.
    pub per_address: Rate,
    /// Authorization requests that are kept for a decision, from one address.
    pub transactions: Rate,
    /// Refreshes of one grant.
    pub refreshes: Rate,
    /// Passwords that are worked on or wait for it. One takes some tens of milliseconds of one processor, so that the
    /// last of these waits for a second or two.
    pub passwords: usize,
    /// Requests that are answered at once.
    pub requests: usize,
    /// How long a request may take, its body included.
    pub request_time: Duration,
    /// How long the body of a request may take to come; of one that goes on to a backend, each part of it.
    pub body_time: Duration,
    /// Access tokens that the gate remembers between two requests; none where it is 0. One takes less than 200 bytes,
    /// and what several of them stand on is kept once.
    pub remembered_tokens: usize,
    /// How old what a region knows of the centre may be before it lets nobody through.
    pub staleness: Duration,
    /// Refusals of the gate's that an organization's audit log keeps, the latest ones: whoever holds one of its tokens can
    /// make as many as they like.
    pub kept_refusals: i64,
    /// Open connections. Together with the database's own files they fit under the 1024 that a process may have open
    /// where nobody says otherwise.
    pub connections: usize,
    /// How long a connection may take for the head of a request, and stay idle before it.
    pub header_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            per_account_and_address: Rate::new(10, 1),
            per_account: Rate::new(100, 10),
            per_address: Rate::new(60, 30),
            transactions: Rate::new(120, 60),
            refreshes: Rate::new(120, 60),
            passwords: 64,
            requests: 256,
            remembered_tokens: 100_000,
            staleness: Duration::from_secs(30),
            request_time: Duration::from_secs(30),
            body_time: Duration::from_secs(10),
            kept_refusals: 100_000,
            connections: 900,
            header_timeout: Duration::from_secs(30),
        }
    }
}

/// Whether the sign-in window still knows the page that opened it when it comes back from the platform's login.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Opener {
    /// It does: no page on the way sends `Cross-Origin-Opener-Policy`.
    #[default]
    Kept,
    /// It does not: the login passes through a page that does, such as another identity provider's.
    Cut,
}

/// What a server is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    #[default]
    Centre,
    /// It answers the gate, the gateway and introspection, far from the centre: see [`crate::store::regions`].
    Region,
}

/// The settings of a running server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The platform's origin: the issuer, and where every address of this server begins.
    pub public_url: Origin,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// How often, and how much at once.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The platform's own backends behind the gateway.
    pub upstreams: Vec<Upstream>,
    /// The platform's own paths behind a proxy that asks for the gate's decision.
    pub guarded: Vec<Guarded>,
    /// What the platform's login does to the link between the sign-in window and its opener. Sites are told by
    /// [`crate::toolbar::status`], so that the SDK chooses another way before it opens a window that could not answer.
    pub opener: Opener,
    /// Where the SDK's scripts are kept for the sites that pinned one: see [`crate::http::script`].
    pub scripts: Option<PathBuf>,
}

impl Config {
    /// The settings for a platform at this origin.
    pub fn new(public_url: Origin) -> Self {
        Self {
            public_url,
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
            trusted_proxies: vec![],
            upstreams: vec![],
            guarded: vec![],
            opener: Opener::default(),
            scripts: None,
        }
    }

    /// The issuer identifier (RFC 8414 §2).
    pub fn issuer(&self) -> &str {
        self.public_url.as_str()
    }

    /// An address of this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The callback page of one application: a redirect URI it has without registering it. There is another one where the
    /// frame holds the token.
    pub fn callback(&self, client_id: &str, tokens: Tokens) -> String {
        self.url(&callback_path(client_id, tokens))
    }

    /// Whether it is one of the application's callback pages.
    pub fn is_callback(&self, client_id: &str, redirect_uri: &str) -> bool {
        Tokens::ALL.iter().any(|tokens| redirect_uri == self.callback(client_id, *tokens))
    }
}

/// Where on the platform a callback page of one application lies.
pub fn callback_path(client_id: &str, tokens: Tokens) -> String {
    match tokens {
        Tokens::Page => format!("/toolbar/{client_id}/callback/"),
        Tokens::Frame => format!("/toolbar/{client_id}/callback/frame/"),
    }
}
