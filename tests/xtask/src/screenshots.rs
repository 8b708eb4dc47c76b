//! Pictures of every page, to be looked at before a change is called done.

use std::process::Command;

use anyhow::Result;

use crate::{browsers, build, command, native};

/// Builds everything and takes the pictures, into `target/screenshots`.
pub(crate) fn run() -> Result<()> {
    let chromium = browsers::chromium()?;
    let built = build::wasm()?;
    let [server, screenshots] = native::binaries(false, ["latchkey", "screenshots"])?;
    let mut take = command::without_outer_cargo(Command::new(screenshots));
    take.arg("--into").arg(command::root().join("target/screenshots"));
    take.env("XTASK_SERVER", server).env("XTASK_SDK", built.sdk);
    chromium.announce_to(&mut take);
    command::run(&mut take)
}
