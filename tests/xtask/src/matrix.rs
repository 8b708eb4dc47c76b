//! The whole matrix, or a part of it, as a table.

use std::process::Command;

use anyhow::Result;

use crate::{browsers, build, command, native};

/// What to play.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only cells with all of these values, written as in the table: `firefox coop=same-origin mode=popup`
    values: Vec<String>,
}

/// Builds everything and plays the cells.
pub(crate) fn run(options: &Options) -> Result<()> {
    let (chromium, others) = (browsers::chromium()?, browsers::others()?);
    let built = build::wasm()?;
    let [server, matrix] = native::binaries(false, ["latchkey", "matrix"])?;
    let mut play = command::without_outer_cargo(Command::new(matrix));
    play.args(&options.values).env("XTASK_SERVER", server).env("XTASK_SDK", built.sdk);
    chromium.announce_to(&mut play);
    others.announce_to(&mut play);
    command::run(&mut play)
}
