//! `latchkey serve`.

use std::{
    io::{BufWriter, IsTerminal, stderr},
    net::SocketAddr,
    time::Duration,
};

use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::{
    applications::registration,
    cli::{
        CliError, Context,
        options::{LogFormat, Options},
        read, secret,
    },
    clock::Clock,
    config::{Config, Limits, Role},
    heartbeat,
    http::{assets, connections, script},
    retention, routes,
    secret::{Entropy, Secret},
    state::App,
    store::{DatabaseUrl, Store},
};

/// How many lines of the log may wait to be written.
const WAITING_LINES: usize = 8192;

/// What it is for.
#[derive(Debug, Args)]
pub(super) struct Kind {
    /// What the server is for: region answers the gate, the gateway and introspection alone, from a database that
    /// `latchkey region subscribe` made [default: centre]
    #[arg(long, env = "LATCHKEY_ROLE", value_name = "ROLE")]
    role: Option<Role>,
    /// How old what a region knows of the centre may be before it lets nobody through, at least 5 [default: 30]
    #[arg(long, env = "LATCHKEY_MAX_STALENESS_SECS", value_name = "SECONDS")]
    max_staleness_secs: Option<u32>,
}

impl Kind {
    fn role(&self, options: &Options) -> Role {
        self.role.or(options.role).unwrap_or_default()
    }

    /// Less than this it would be all the time, between two beats of the centre's.
    fn staleness(&self, options: &Options) -> Result<Duration, CliError> {
        const LEAST: u32 = 5;
        match self.max_staleness_secs.or(options.max_staleness_secs) {
            None => Ok(Limits::default().staleness),
            Some(secs @ LEAST..) => Ok(Duration::from_secs(secs.into())),
            Some(secs) => Err(CliError::Refused(format!(
                "--max-staleness-secs {secs}: {LEAST} is the least, for it takes a few seconds to know that the centre \
                 is there"
            ))),
        }
    }
}

fn config(options: &Options, kind: &Kind) -> Result<Config, CliError> {
    let public_url = read("--public-url", options.public_url()?, registration::origin)?;
    let upstreams = options.upstreams()?;
    Ok(Config {
        lifetimes: options.lifetimes(),
        limits: Limits { staleness: kind.staleness(options)?, ..options.limits() },
        trusted_proxies: options.trusted_proxies()?,
        guarded: options.guarded(&upstreams)?,
        upstreams,
        opener: options.opener(),
        scripts: options.scripts()?,
        ..Config::new(public_url)
    })
}

/// A server far from the centre: nothing runs beside it but what hears of changes.
async fn run_region(options: &Options, config: Config) -> Result<(), CliError> {
    let url = options.server_database()?;
    let stop = Stop::listen()?;
    let address = options.listen();
    let listener = listen(address).await?;
    let open = Store::open_region(&url).await;
    let store = open.map_err(|source| CliError::Open { url: DatabaseUrl::Postgres(url), source })?;
    // Nothing lies under it here.
    let secret = Secret::generate(&Entropy::System)?;
    let app = App::new(config, store, Clock::System, Entropy::System, &secret)?;
    tracing::info!("listening on {address} as a region of {}", app.config.public_url);
    serve(listener, &app, stop).await;
    app.store.close().await;
    Ok(())
}

pub(super) async fn run(options: &Options, kind: &Kind) -> Result<(), CliError> {
    let config = config(options, kind)?;
    let _log = log(options)?;
    if kind.role(options) == Role::Region {
        return run_region(options, config).await;
    }
    // Before anybody can reach it: whoever starts it may end it at once.
    let stop = Stop::listen()?;
    let address = options.listen();
    let listener = listen(address).await?;
    let context = Context::open(options).await?;
    let secret = secret::find_or_make(options, &context, false).await?;
    let Context { store, clock, entropy } = context;
    let app = App::new(config, store, clock, entropy, &secret)?;
    app.signing_keys.ensure(&app.store, &app.clock, &app.entropy).await?;
    tracing::info!("listening on {address} as {}", app.config.public_url);
    if !app.config.public_url.is_https() {
        tracing::info!("the public URL is plain http on loopback, for development: no HSTS is sent");
    }
    if !assets::is_built() {
        tracing::warn!(
            "the iframe's files are not built: run `cargo xtask build`, then start the server again"
        );
    }
    if let Some(folder) = &app.config.scripts
        && let Err(error) = script::keep(folder, &app.entropy)
    {
        tracing::warn!(
            "the SDK's script cannot be kept in {}: {error}. Sites that pin this version lose it at the next update",
            folder.display()
        );
    }
    let sweeper = tokio::spawn(retention::run(app.clone()));
    let auditing = tokio::spawn(app.refusals.clone().run(app.store.clone(), app.clock.clone()));
    let beating = tokio::spawn(heartbeat::run(app.clone()));
    let noting = tokio::spawn(app.refused_origins.clone().run(app.store.clone(), app.clock.clone()));
    serve(listener, &app, stop).await;
    sweeper.abort();
    auditing.abort();
    noting.abort();
    beating.abort();
    app.refused_origins.flush(&app.store, &app.clock).await?;
    app.refusals.flush(&app.store, &app.clock).await?;
    app.store.close().await;
    Ok(())
}

/// Answers, and hears of what changes, until it is told to stop.
async fn serve(listener: TcpListener, app: &App, stop: Stop) {
    let hearing = tokio::spawn({
        let database = app.gate.source().clone();
        async move { database.watch().await }
    });
    let stop = async move {
        stop.told().await;
        tracing::info!("stopping");
    };
    connections::serve(listener, routes::service(app), &app.config.limits, stop).await;
    hearing.abort();
}

/// Begins to log. Lines are written on a thread of their own, together when many come: for each of them alone the system
/// call takes longer than all the rest of it. None is lost: whoever logs faster than they can be written waits, and the
/// guard writes what is left when it goes.
fn log(options: &Options) -> Result<WorkerGuard, CliError> {
    let filter = EnvFilter::try_new(options.log())
        .map_err(|error| CliError::Refused(format!("--log {:?}: {error}", options.log())))?;
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(BufWriter::new(stderr()));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(lines)
        // They would be told on standard error, and a panic if that is what cannot be written.
        .log_internal_errors(false);
    match options.log_format() {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(guard)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
}

/// Ctrl-C, or the system's request to end.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Self, CliError> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn told(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
