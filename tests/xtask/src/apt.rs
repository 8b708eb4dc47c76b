//! Installing what is missing on Debian and its relatives.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Result, bail};

use crate::command::{output, run_within};

/// Long enough for a browser over a slow line; a mirror that does not answer is given up sooner by apt itself.
const LIMIT: Duration = Duration::from_secs(900);

/// True where apt-get exists.
pub(crate) fn available() -> bool {
    Path::new("/usr/bin/apt-get").exists()
}

/// Installs packages, refreshing the package lists only if the first attempt fails.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(", ");
    if !available() {
        bail!("missing: {list}. There is no apt-get here; install them by hand");
    }
    eprintln!("installing {list} (apt-get)");
    let install = || {
        let mut command = apt_get();
        command.args(["install", "-y", "-q", "--no-install-recommends"]).args(packages);
        run_within(&mut command, LIMIT)
    };
    if install() || update() && install() {
        return Ok(());
    }
    bail!("could not install {list}; install by hand: apt-get install {}", packages.join(" "))
}

/// Refreshes the package lists.
pub(crate) fn update() -> bool {
    run_within(apt_get().args(["update", "-q"]), LIMIT)
}

fn apt_get() -> Command {
    let root = output(Command::new("id").arg("-u")).is_some_and(|id| id == "0");
    let mut command = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args([
        "-o",
        "Acquire::Retries=3",
        "-o",
        "Acquire::http::Timeout=30",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    command
}
