//! Starting the demo: two sites on this machine, as a customer and a platform would be.

use std::{path::PathBuf, process::Command};

use anyhow::Result;

use crate::{
    build,
    command::{announce, root, without_outer_cargo},
    native,
};

/// The demo's own options.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The port of the platform, which is the server
    #[arg(long, default_value_t = 8000)]
    platform_port: u16,
    /// The port of the customer's site
    #[arg(long, default_value_t = 8001)]
    site_port: u16,
    /// Where to keep the database, to find it again at the next start
    #[arg(long)]
    data: Option<PathBuf>,
    /// Build optimised, as it would be delivered
    #[arg(long)]
    release: bool,
}

/// Builds everything and becomes the demo.
pub(crate) fn run(options: &Options) -> Result<()> {
    let built = build::wasm()?;
    let [server, demo] = native::binaries(options.release, ["latchkey", "demo"])?;
    let mut command = without_outer_cargo(Command::new(demo));
    command.arg("--platform-port").arg(options.platform_port.to_string());
    command.arg("--site-port").arg(options.site_port.to_string());
    if let Some(data) = &options.data {
        command.arg("--data").arg(data);
    }
    command.arg("--server").arg(server).arg("--sdk").arg(built.sdk);
    command.arg("--www").arg(root().join("www"));
    announce(&command);
    replace_by(command)
}

/// Becomes the command, so that Ctrl-C and the exit code are its own.
#[cfg(unix)]
fn replace_by(mut command: Command) -> Result<()> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn replace_by(mut command: Command) -> Result<()> {
    std::process::exit(command.status()?.code().unwrap_or(1))
}
