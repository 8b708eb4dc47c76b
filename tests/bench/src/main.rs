//! How fast the gate is: the real server on a database of a real size, beside a bare axum route that answers the same
//! bytes, in the same run. `cargo xtask bench` builds both and runs this.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool that measures time by the real clock"
)]

mod backend;
mod comparison;
mod database;
mod issuance;
mod issuing;
mod load;
mod memory;
mod process;
mod profile;
mod route;
mod statistics;
mod table;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};
use tokio::{runtime::Builder, task::LocalSet};

#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, and print the table
    Run(Options),
    /// Measure how fast tokens are issued, on either engine
    Issuing(Options),
    /// Only the load on a guarded route, for whoever profiles a server that runs
    Load(profile::Options),
    /// What the server is compared with
    Backend(backend::Options),
}

#[derive(Debug, clap::Args)]
struct Options {
    /// The server's binary
    #[arg(long)]
    server: PathBuf,
    /// Where to keep the databases and the logs
    #[arg(long)]
    folder: PathBuf,
    /// How many tokens there are
    #[arg(long)]
    tokens: usize,
    /// How many rounds
    #[arg(long)]
    rounds: usize,
    /// How long each route is measured in a round
    #[arg(long)]
    millis: u64,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(options) => alone(run(&options)),
        Command::Issuing(options) => alone(issuing::run(&options)),
        Command::Load(options) => alone(profile::run(&options)),
        Command::Backend(options) => Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(backend::run(options))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// On one thread: the load must not take from the servers what it does not need itself.
fn alone(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work)
}

async fn run(options: &Options) -> Result<()> {
    fs::create_dir_all(&options.folder)?;
    let compared = comparison::run(options).await?;
    let remembered = memory::run(options).await?;
    print!("{}", table::Table { compared: &compared, remembered: &remembered, tokens: options.tokens });
    Ok(())
}
