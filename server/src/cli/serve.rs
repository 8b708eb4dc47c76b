//! `latchkey serve`.

use std::{io::IsTerminal, net::SocketAddr, time::Duration};

use axum::ServiceExt;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::{
    applications::registration,
    cli::{CliError, Context, options::Options, read, secret},
    config::Config,
    retention, routes,
    state::App,
};

/// How long requests that are under way may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

pub(super) async fn run(options: &Options) -> Result<(), CliError> {
    let public_url = read("--public-url", options.public_url()?, registration::origin)?;
    let filter = EnvFilter::try_new(options.log())
        .map_err(|error| CliError::Refused(format!("--log {:?}: {error}", options.log())))?;
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();

    let address = options.listen();
    let listener = listen(address).await?;
    let Context { store, clock, entropy } = Context::open(options).await?;
    let secret = secret::find_or_make(options, &entropy)?;
    let app = App::new(Config::new(public_url), store, clock, entropy, &secret)?;
    app.signing_keys.ensure(&app.store, &app.clock, &app.entropy).await?;
    tracing::info!("listening on {address} as {}", app.config.public_url);
    if !app.config.public_url.is_https() {
        tracing::info!("the public URL is plain http on loopback, for development: no HSTS is sent");
    }
    if !crate::http::assets::is_built() {
        tracing::warn!(
            "the iframe's files are not built: run `cargo xtask build`, then start the server again"
        );
    }
    let sweeper = tokio::spawn(retention::run(app.clone()));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let service = ServiceExt::<axum::extract::Request>::into_make_service(routes::service(&app));
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        signal().await;
        tracing::info!("stopping");
        let _ = stop.send(());
    });
    let farewell = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(FAREWELL).await,
            Err(_) => std::future::pending().await,
        }
    };
    let result = tokio::select! {
        result = async { server.await } => result,
        () = farewell => Ok(()),
    };
    sweeper.abort();
    app.store.close().await;
    Ok(result?)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, CliError> {
    TcpListener::bind(address).await.map_err(|source| CliError::Listen { address, source })
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
