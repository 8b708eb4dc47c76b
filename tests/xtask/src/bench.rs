//! `cargo xtask bench`: how fast the gate is, and what it takes, beside a bare route in the same run. Both programs are
//! built as they would be delivered. What it finds is printed, and fails nobody.

use std::process::Command;

use anyhow::Result;

use crate::{
    command::{root, run, without_outer_cargo},
    native,
};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
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

/// Builds both programs, and measures.
pub(crate) fn measure(options: &Options) -> Result<()> {
    let (tokens, rounds, millis) =
        if options.quick { (20_000, 3, 100) } else { (options.tokens, options.rounds, 700) };
    let server = native::release_server()?;
    let bench = native::release_bench()?;
    let mut command = without_outer_cargo(Command::new(bench));
    command.arg("run").arg("--server").arg(server).arg("--folder").arg(root().join("target/bench"));
    for (option, number) in [("--tokens", tokens), ("--rounds", rounds), ("--millis", millis)] {
        command.arg(option).arg(number.to_string());
    }
    run(&mut command)
}
