//! The load alone: on a server that somebody started under a profiler, with a database of this program's.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;

use crate::{
    comparison::{FEW, bearer, each, get},
    database::Database,
    load::{self, Until},
};

/// On whom, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    address: SocketAddr,
    /// How many tokens its database has
    #[arg(long)]
    tokens: usize,
    #[arg(long, default_value_t = 5000)]
    millis: u64,
}

/// Asks for a guarded route, and tells how often a second it was answered.
pub(crate) async fn run(options: &Options) -> Result<()> {
    let tokens = Database::known(options.tokens).spread(FEW);
    let requests = each(&tokens, |token| get("/api/0/", &bearer(token)));
    let until = Until::Elapsed(Duration::from_millis(options.millis));
    let round = load::run(options.address, requests.into(), 200, until, 0).await?;
    println!("{:.0} requests/s", round.latencies.len() as f64 / round.elapsed.as_secs_f64());
    Ok(())
}
