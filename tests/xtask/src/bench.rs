//! `cargo xtask bench`: how fast the gate is, and what it takes, beside a bare route in the same run. Both programs are
//! built as they would be delivered. `cargo xtask bench issuing`: how fast tokens are issued, beside what the engine
//! commits at all. `cargo xtask bench browser`: how fast people are signed in, beside other clients.
//! What it finds is printed, and fails nobody.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use anyhow::Result;

use crate::{
    browsers, build,
    command::{root, run, without_outer_cargo},
    modules, native, postgres,
};

/// What to measure.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// How many tokens the database has. It is made once, which takes a minute for a million, and kept in target/bench
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    tokens: u64,
    /// How many rounds
    #[arg(long, default_value_t = 12)]
    rounds: u64,
    /// For a look whether all of it works: few tokens and short rounds. The figures mean nothing
    #[arg(long, conflicts_with_all = ["tokens", "rounds"])]
    quick: bool,
}

/// What else there is to measure.
#[derive(Debug, clap::Subcommand)]
enum Part {
    /// Measure how fast people are signed in and tokens issued, on SQLite and on PostgreSQL, beside bare commits
    Issuing(Issuing),
    /// Measure in a browser how fast a site is ready and a person signed in, beside other clients
    Browser(Browser),
}

#[derive(Debug, clap::Args)]
struct Issuing {
    /// How many tokens the database has that has grown. It is made once, and kept in target/bench
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    tokens: u64,
    /// How many rounds
    #[arg(long, default_value_t = 7)]
    rounds: u64,
    /// How many milliseconds more each flush lasts, of all processes: where a disk answers at once, the processors are
    /// what is measured, and with a few of these a disk as others have it. Linux alone knows how
    #[arg(long, default_value_t = 0)]
    flush_millis: u64,
    /// For a look whether all of it works: few tokens and short rounds. The figures mean nothing
    #[arg(long, conflicts_with_all = ["tokens", "rounds"])]
    quick: bool,
}

#[derive(Debug, clap::Args)]
struct Browser {
    /// How many rounds
    #[arg(long, default_value_t = 15)]
    rounds: u64,
    /// For a look whether all of it works: few rounds, and the server as it is tested. The figures mean little
    #[arg(long, conflicts_with = "rounds")]
    quick: bool,
}

/// Builds both programs, and measures.
pub(crate) fn measure(options: &Options) -> Result<()> {
    match &options.part {
        Some(Part::Browser(options)) => return in_browser(options),
        Some(Part::Issuing(options)) => return of_issuing(options),
        None => {}
    }
    let (tokens, rounds, millis) =
        if options.quick { (20_000, 3, 100) } else { (options.tokens, options.rounds, 700) };
    run(&mut bench("run", tokens, rounds, millis)?)
}

fn of_issuing(options: &Issuing) -> Result<()> {
    let (tokens, rounds, millis) =
        if options.quick { (20_000, 2, 200) } else { (options.tokens, options.rounds, 2000) };
    postgres::install()?;
    let mut command = bench("issuing", tokens, rounds, millis)?;
    if options.flush_millis == 0 {
        return run(&mut command);
    }
    // PostgreSQL may run as somebody who cannot read what is built here.
    let folder = tempfile::Builder::new().permissions(Permissions::from_mode(0o755)).tempdir()?;
    let preloaded = folder.path().join("slow-disk.so");
    fs::copy(native::release_slow_disk()?, &preloaded)?;
    command.env("LD_PRELOAD", preloaded).env("LATCHKEY_FLUSH_MILLIS", options.flush_millis.to_string());
    run(&mut command)
}

fn bench(part: &str, tokens: u64, rounds: u64, millis: u64) -> Result<Command> {
    let server = native::release_server()?;
    let bench = native::release_bench()?;
    let mut command = without_outer_cargo(Command::new(bench));
    command.arg(part).arg("--server").arg(server).arg("--folder").arg(root().join("target/bench"));
    for (option, number) in [("--tokens", tokens), ("--rounds", rounds), ("--millis", millis)] {
        command.arg(option).arg(number.to_string());
    }
    Ok(command)
}

/// The clients whose pages stand in tests/peers.
const CLIENTS: [&str; 2] = ["oidc-client-ts", "auth0-spa-js"];

/// Builds everything, bundles the others as a site would, and has a browser sign in with each in turn.
fn in_browser(options: &Browser) -> Result<()> {
    let rounds = if options.quick { 3 } else { options.rounds };
    let chromium = browsers::chromium()?;
    let built = build::wasm()?;
    let peers = modules::install("peers")?;
    let bundles = peers.join("bundles");
    fs::create_dir_all(&bundles)?;
    for name in CLIENTS {
        fs::write(bundles.join(format!("{name}.js")), modules::bundle(&peers, name)?)?;
    }
    let [tested, speed] = native::binaries(false, ["latchkey", "speed"])?;
    let server = if options.quick { tested } else { native::release_server()? };
    let mut command = without_outer_cargo(Command::new(speed));
    command.arg("--rounds").arg(rounds.to_string());
    command.env("XTASK_SERVER", server).env("XTASK_SDK", built.sdk).env("XTASK_PEERS", peers);
    chromium.announce_to(&mut command);
    run(&mut command)
}
