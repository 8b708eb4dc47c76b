//! The demo: a platform, a customer's site, data, ready to click through.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to a person")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use latchkey_journeys::{
    data::{self, Clients},
    server::{CommandLine, Log, SETTINGS},
    site::{Settings, Sites, listen},
    tracker::Tracker,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

/// Starts a platform and a customer's site on two ports of this machine.
#[derive(Debug, Parser)]
struct Demo {
    /// The port of the platform.
    #[arg(long, default_value_t = 8000)]
    platform_port: u16,
    /// The port of the customer's site.
    #[arg(long, default_value_t = 8001)]
    site_port: u16,
    /// Where to keep the database; without it the data goes when the demo ends.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The `latchkey` binary.
    #[arg(long)]
    server: PathBuf,
    /// The SDK's built package.
    #[arg(long)]
    sdk: PathBuf,
    /// The customer's site.
    #[arg(long)]
    www: PathBuf,
}

fn main() -> ExitCode {
    let demo = Demo::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("demo: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(demo)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(demo: Demo) -> Result<()> {
    // From here on a Ctrl-C ends everything in order, whenever it comes.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    ensure!(demo.platform_port != demo.site_port, "the platform and the site need two different ports");
    let site = listen(demo.site_port).await?;
    drop(listen(demo.platform_port).await?);

    let temporary = TempDir::new()?;
    let folder = demo.data.as_deref().unwrap_or(temporary.path());
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let latchkey = CommandLine::new(&demo.server, folder);
    let platform = format!("http://platform.localhost:{}", demo.platform_port);
    let acme = format!("http://customer.localhost:{}", demo.site_port);
    let globex = format!("http://globex.localhost:{}", demo.site_port);
    let clients = clients(&latchkey, folder, &acme, &globex).await?;

    let tracker = Tracker::start(listen(0).await?, folder).await?;
    std::fs::write(folder.join(SETTINGS), tracker.settings())?;
    let listen = SocketAddr::from(([127, 0, 0, 1], demo.platform_port));
    tracker.trust(&platform, listen);
    let mut server = latchkey.serve(listen, &platform, Log::Terminal).await?;
    let settings = Settings {
        platform: platform.clone(),
        clients: BTreeMap::from([
            ("customer.localhost".to_owned(), clients.acme.clone()),
            ("globex.localhost".to_owned(), clients.globex),
        ]),
        otherwise: clients.acme,
    };
    let sites = Sites::start(site, &demo.www, &[("/latchkey", &demo.sdk)], axum::Router::new(), settings);
    welcome(&platform, &acme, &globex);

    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = server.ended() => anyhow::bail!("the server ended by itself: {}", ended?),
    }
    println!("\nStopping.");
    drop(sites);
    server.stop().await?;
    drop(tracker);
    Ok(())
}

/// Finds the data of an earlier demo in the folder, or loads it.
async fn clients(latchkey: &CommandLine, folder: &Path, acme: &str, globex: &str) -> Result<Clients> {
    let note = folder.join("demo.json");
    if note.exists() {
        let text = std::fs::read_to_string(&note)?;
        let kept: Value =
            serde_json::from_str(&text).with_context(|| format!("cannot read {}", note.display()))?;
        let field = |name: &str| kept.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        ensure!(
            field("site") == acme,
            "{} holds the data of a demo at {}: use its ports, or another folder",
            folder.display(),
            field("site")
        );
        return Ok(Clients { acme: field("acme"), globex: field("globex") });
    }
    println!("Loading the demo's data.");
    let clients = data::load(latchkey, acme, globex).await?;
    let text = json!({ "site": acme, "acme": clients.acme, "globex": clients.globex }).to_string();
    std::fs::write(&note, text).with_context(|| format!("cannot write {}", note.display()))?;
    Ok(clients)
}

fn welcome(platform: &str, acme: &str, globex: &str) {
    println!(
        "
  Latchkey is running.

    The customer's site      {acme}/
      by redirect            {acme}/redirect.html
      by popup, no toolbar   {acme}/popup.html
    Another customer's site  {globex}/
    A site not registered    {}/
    The platform             {platform}/
      acme's applications    {platform}/organizations/acme/applications/ (its owner's)

  Sign in as (the password is {} for everybody)",
        acme.replace("customer.", "stranger."),
        data::PASSWORD
    );
    for person in data::PEOPLE {
        let places: Vec<String> =
            person.memberships.iter().map(|(org, role)| format!("{role} of {org}")).collect();
        let places = if places.is_empty() { "a member of nothing".to_owned() } else { places.join(", ") };
        println!("    {:<22} {places}", person.email);
    }
    println!("\n  Ctrl-C stops everything.\n");
}
