//! `latchkey serve`.

use std::{io::IsTerminal, net::SocketAddr, time::Duration};

use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::{
    applications::registration,
    cli::{CliError, Context, options::Options, read},
    config::Config,
    http::{assets, connections},
    routes,
    state::App,
    store::{self, StoreError},
};

/// How often what has expired is deleted, and how much of it at once.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
const SWEEP_MOST: u64 = 1000;

pub(super) async fn run(options: &Options) -> Result<(), CliError> {
    let public_url = read("--public-url", options.public_url()?, registration::origin)?;
    let filter = EnvFilter::try_new(options.log())
        .map_err(|error| CliError::Refused(format!("--log {:?}: {error}", options.log())))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();

    let config = Config {
        limits: options.limits(),
        trusted_proxies: options.trusted_proxies()?,
        ..Config::new(public_url)
    };
    let address = options.listen();
    let listener = listen(address).await?;
    let Context { store, clock, entropy } = Context::open(options).await?;
    let app = App::new(config, store, clock, entropy)?;
    tracing::info!("listening on {address} as {}", app.config.public_url);
    if !app.config.public_url.is_https() {
        tracing::info!("the public URL is plain http on loopback, for development: no HSTS is sent");
    }
    if !assets::is_built() {
        tracing::warn!(
            "the iframe's files are not built: run `cargo xtask build`, then start the server again"
        );
    }
    let sweeper = tokio::spawn(sweep(app.clone()));
    let stop = async {
        signal().await;
        tracing::info!("stopping");
    };
    connections::serve(listener, routes::service(&app), &app.config.limits, stop).await;
    sweeper.abort();
    app.store.close().await;
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
}

/// Deletes what has expired, off the path of every request.
async fn sweep(app: App) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    loop {
        ticks.tick().await;
        app.throttle.sweep();
        // One batch at a time, so that others get to write in between.
        loop {
            match sweep_once(&app).await {
                Ok(swept) if swept < SWEEP_MOST => break,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "expired rows were not deleted; the next round tries again");
                    break;
                }
            }
        }
    }
}

async fn sweep_once(app: &App) -> Result<u64, StoreError> {
    let mut unit = app.store.write().await?;
    let swept = store::transactions::sweep(&mut unit, app.clock.now(), SWEEP_MOST).await?;
    unit.commit().await?;
    Ok(swept)
}

/// Waits for Ctrl-C or the system's request to end.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
