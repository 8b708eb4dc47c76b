//! The options of every command: from the line, else from the environment, else from a TOML file.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    cli::CliError,
    config::{Lifetimes, Limits, Opener, Role},
    gateway::{
        guarded::{self, Guarded},
        upstream::{self, Upstream},
    },
    store::{self, DatabaseUrl, PostgresUrl},
};

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object on each line.
    Json,
}

/// The options that every command takes, anywhere on the line.
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// A TOML file with these options, as database = "…", listen = "…", public_url = "…".
    #[arg(long, global = true, env = "LATCHKEY_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// The database: sqlite:///path/to/latchkey.db or postgres://user@host/database
    #[arg(long, global = true, env = "LATCHKEY_DATABASE", value_name = "URL")]
    database: Option<String>,
    /// The address to listen on [default: 127.0.0.1:8000]
    #[arg(long, global = true, env = "LATCHKEY_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// The platform's origin, as browsers see it: https://platform.example
    #[arg(long, global = true, env = "LATCHKEY_PUBLIC_URL", value_name = "ORIGIN")]
    public_url: Option<String>,
    /// A proxy whose X-Forwarded-For is believed, by its address or network; again for each: 10.0.0.0/8
    #[arg(
        long = "trusted-proxy",
        global = true,
        env = "LATCHKEY_TRUSTED_PROXY",
        value_name = "CIDR",
        value_delimiter = ','
    )]
    #[serde(rename = "trusted_proxy", default)]
    trusted_proxies: Vec<String>,
    /// The platform's own backend, to which requests below /api/0/organizations/{organization}/ go on that passed the
    /// gate: http://127.0.0.1:9000. The file of settings can name several, each as an [[upstreams]]
    #[arg(long, global = true, env = "LATCHKEY_UPSTREAM", value_name = "URL")]
    upstream: Option<String>,
    #[arg(skip)]
    #[serde(default)]
    upstreams: Vec<upstream::Settings>,
    #[arg(skip)]
    #[serde(default)]
    guarded: Vec<guarded::Settings>,
    /// Whether the sign-in window still knows the page that opened it after the login: cut where the login passes
    /// through a page with Cross-Origin-Opener-Policy, such as another identity provider's. Sites are then answered
    /// through a redirect URI of their own [default: kept]
    #[arg(long, global = true, env = "LATCHKEY_OPENER", value_name = "OPENER")]
    opener: Option<Opener>,
    /// The folder that keeps the SDK's scripts of this version and those before it, for the sites that pinned one: it
    /// has to outlive updates [default: latchkey-scripts beside an embedded database]
    #[arg(long, global = true, env = "LATCHKEY_SCRIPTS", value_name = "FOLDER")]
    scripts: Option<PathBuf>,
    /// The most connections that are open at once [default: 900]
    #[arg(long, global = true, env = "LATCHKEY_MAX_CONNECTIONS", value_name = "NUMBER")]
    max_connections: Option<NonZeroU32>,
    /// The most requests that are answered at once; more get a 503 [default: 256]
    #[arg(long, global = true, env = "LATCHKEY_MAX_REQUESTS", value_name = "NUMBER")]
    max_requests: Option<NonZeroU32>,
    /// The most access tokens that the gate remembers; 0 asks the database for every request [default: 100000]
    #[arg(long, global = true, env = "LATCHKEY_MAX_REMEMBERED_TOKENS", value_name = "NUMBER")]
    max_remembered_tokens: Option<u32>,
    /// How long a connection may take for the head of a request and stay idle before it: longer than the proxy
    /// keeps an idle one [default: 30]
    #[arg(long, global = true, env = "LATCHKEY_HEADER_TIMEOUT_SECS", value_name = "SECONDS")]
    header_timeout_secs: Option<NonZeroU32>,
    /// How long an access token lives [default: 3600]
    #[arg(long, global = true, env = "LATCHKEY_ACCESS_TOKEN_SECS", value_name = "SECONDS")]
    access_token_secs: Option<NonZeroU32>,
    /// How long a refresh token lives that nobody uses [default: 2592000, 30 days]
    #[arg(long, global = true, env = "LATCHKEY_REFRESH_IDLE_SECS", value_name = "SECONDS")]
    refresh_idle_secs: Option<NonZeroU32>,
    /// How long a line of refresh tokens lives in all [default: 7776000, 90 days]
    #[arg(long, global = true, env = "LATCHKEY_REFRESH_TOTAL_SECS", value_name = "SECONDS")]
    refresh_total_secs: Option<NonZeroU32>,
    /// How long a session at the platform lives [default: 1209600, 14 days]
    #[arg(long, global = true, env = "LATCHKEY_SESSION_SECS", value_name = "SECONDS")]
    session_secs: Option<NonZeroU32>,
    /// How long an application's frame keeps a person signed in, and never longer than the session at the platform
    /// [default: 604800, 7 days]
    #[arg(long, global = true, env = "LATCHKEY_FRAME_SESSION_SECS", value_name = "SECONDS")]
    frame_session_secs: Option<NonZeroU32>,
    /// How long the audit log is kept [default: 15552000, 180 days]
    #[arg(long, global = true, env = "LATCHKEY_AUDIT_SECS", value_name = "SECONDS")]
    audit_secs: Option<NonZeroU32>,
    /// How the server writes its log: text for people, json for programs, a line each [default: text]
    #[arg(long, global = true, env = "LATCHKEY_LOG_FORMAT", value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// What the server logs: error, warn, info, debug, trace, or a filter of tracing-subscriber [default: info]
    #[arg(long, global = true, env = "LATCHKEY_LOG", value_name = "FILTER")]
    log: Option<String>,
    // Of `serve` alone: another command has a --role, too.
    #[arg(skip)]
    pub(super) role: Option<Role>,
    #[arg(skip)]
    pub(super) max_staleness_secs: Option<u32>,
}

impl Options {
    /// Adds what the file of settings says and neither the line nor the environment does.
    pub(super) fn with_settings(self) -> Result<Self, CliError> {
        let Some(path) = self.config.clone() else { return Ok(self) };
        let settings = |problem| CliError::Settings { path: path.clone(), problem };
        let text = std::fs::read_to_string(&path).map_err(|error| settings(error.to_string()))?;
        let file: Self =
            toml::from_str(&text).map_err(|error| settings(error.to_string().trim().to_owned()))?;
        Ok(Self {
            config: self.config,
            database: self.database.or(file.database),
            role: self.role.or(file.role),
            max_staleness_secs: self.max_staleness_secs.or(file.max_staleness_secs),
            listen: self.listen.or(file.listen),
            public_url: self.public_url.or(file.public_url),
            trusted_proxies: if self.trusted_proxies.is_empty() {
                file.trusted_proxies
            } else {
                self.trusted_proxies
            },
            upstream: self.upstream.or(file.upstream),
            upstreams: file.upstreams,
            guarded: file.guarded,
            opener: self.opener.or(file.opener),
            scripts: self.scripts.or(file.scripts),
            max_connections: self.max_connections.or(file.max_connections),
            max_requests: self.max_requests.or(file.max_requests),
            max_remembered_tokens: self.max_remembered_tokens.or(file.max_remembered_tokens),
            header_timeout_secs: self.header_timeout_secs.or(file.header_timeout_secs),
            access_token_secs: self.access_token_secs.or(file.access_token_secs),
            refresh_idle_secs: self.refresh_idle_secs.or(file.refresh_idle_secs),
            refresh_total_secs: self.refresh_total_secs.or(file.refresh_total_secs),
            session_secs: self.session_secs.or(file.session_secs),
            frame_session_secs: self.frame_session_secs.or(file.frame_session_secs),
            audit_secs: self.audit_secs.or(file.audit_secs),
            log_format: self.log_format.or(file.log_format),
            log: self.log.or(file.log),
        })
    }

    /// Where the database is.
    pub(super) fn database(&self) -> Result<DatabaseUrl, CliError> {
        let text = self.database.as_deref().ok_or(CliError::Missing("--database", "LATCHKEY_DATABASE"))?;
        text.parse().map_err(|error| CliError::Database(store::shown(text), error))
    }

    /// Where the database is, for what an embedded one cannot do.
    pub(super) fn server_database(&self) -> Result<PostgresUrl, CliError> {
        match self.database()? {
            DatabaseUrl::Postgres(url) => Ok(url),
            DatabaseUrl::Sqlite(_) => Err(CliError::Refused(
                "regions are kept by PostgreSQL's own replication: move there with `latchkey migrate --to`, and give \
                 --database as postgres://user@host/database"
                    .to_owned(),
            )),
        }
    }

    /// Where to listen.
    pub(super) fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8000)))
    }

    /// Whose `X-Forwarded-For` is believed.
    pub(super) fn trusted_proxies(&self) -> Result<Vec<IpNet>, CliError> {
        let given = self.trusted_proxies.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let read = |text: &str| {
            let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse().ok().or_else(alone).ok_or_else(|| {
                let wanted = "it is neither an address nor a network such as 10.0.0.0/8 or 2001:db8::/32";
                CliError::Refused(format!("--trusted-proxy {text:?}: {wanted}"))
            })
        };
        given.map(read).collect()
    }

    /// The platform's own backends.
    pub(super) fn upstreams(&self) -> Result<Vec<Upstream>, CliError> {
        let alone = self.upstream.as_deref().map(upstream::Settings::at);
        let all: Vec<_> = self.upstreams.iter().cloned().chain(alone).collect();
        upstream::read_all(&all).map_err(|(url, problem)| CliError::Upstream(url, problem))
    }

    /// The platform's own paths behind a proxy that asks for the gate's decision.
    pub(super) fn guarded(&self, upstreams: &[Upstream]) -> Result<Vec<Guarded>, CliError> {
        guarded::read_all(&self.guarded, upstreams)
            .map_err(|(prefix, problem)| CliError::Guarded(prefix, problem))
    }

    /// Whether the sign-in window keeps its opener through the platform's login.
    pub(super) fn opener(&self) -> Opener {
        self.opener.unwrap_or_default()
    }

    /// Where the SDK's scripts are kept, if anywhere: a database on a server has no folder.
    pub(super) fn scripts(&self) -> Result<Option<PathBuf>, CliError> {
        Ok(match (&self.scripts, self.database()?) {
            (Some(given), _) => Some(given.clone()),
            (None, DatabaseUrl::Sqlite(database)) => Some(database.with_file_name("latchkey-scripts")),
            (None, DatabaseUrl::Postgres(_)) => None,
        })
    }

    /// How much is done at once.
    pub(super) fn limits(&self) -> Limits {
        let default = Limits::default();
        let count = |number: NonZeroU32| number.get() as usize;
        let secs = |number: NonZeroU32| Duration::from_secs(number.get().into());
        Limits {
            connections: self.max_connections.map_or(default.connections, count),
            requests: self.max_requests.map_or(default.requests, count),
            remembered_tokens: self
                .max_remembered_tokens
                .map_or(default.remembered_tokens, |number| number as usize),
            header_timeout: self.header_timeout_secs.map_or(default.header_timeout, secs),
            ..default
        }
    }

    /// How long things live.
    pub(super) fn lifetimes(&self) -> Lifetimes {
        let default = Lifetimes::default();
        let secs = |given: Option<NonZeroU32>, default| given.map_or(default, |secs| secs.get().into());
        Lifetimes {
            access_token_secs: secs(self.access_token_secs, default.access_token_secs),
            refresh_idle_secs: secs(self.refresh_idle_secs, default.refresh_idle_secs),
            refresh_total_secs: secs(self.refresh_total_secs, default.refresh_total_secs),
            session_secs: secs(self.session_secs, default.session_secs),
            frame_session_secs: secs(self.frame_session_secs, default.frame_session_secs),
            audit_secs: secs(self.audit_secs, default.audit_secs),
            ..default
        }
    }

    /// How to write the log.
    pub(super) fn log_format(&self) -> LogFormat {
        self.log_format.unwrap_or_default()
    }

    /// What to log.
    pub(super) fn log(&self) -> &str {
        self.log.as_deref().unwrap_or("info")
    }

    /// The platform's origin, as it was given.
    pub(super) fn public_url(&self) -> Result<&str, CliError> {
        self.public_url.as_deref().ok_or(CliError::Missing("--public-url", "LATCHKEY_PUBLIC_URL"))
    }
}
