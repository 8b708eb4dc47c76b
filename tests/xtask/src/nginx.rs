//! nginx from the distribution, for the journey of a platform that keeps its own proxy. It is unpacked into the target
//! folder and never installed: an installed one would be started as a service of this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    apt,
    command::{find, root, run_within},
};

/// Long enough for one package over a slow line.
const LIMIT: Duration = Duration::from_secs(120);

/// Makes sure that there is one, and returns the program.
pub(crate) fn install() -> Result<PathBuf> {
    if let Some(installed) = find("nginx").or_else(|| at(Path::new("/usr/sbin/nginx"))) {
        return Ok(installed);
    }
    let folder = root().join("target/nginx");
    let program = folder.join("usr/sbin/nginx");
    if program.is_file() {
        return Ok(program);
    }
    ensure!(apt::available(), "missing: nginx. There is no apt-get here; install it by hand");
    eprintln!("unpacking nginx (apt-get download) into target/nginx");
    fs::create_dir_all(&folder)?;
    let download =
        || run_within(Command::new("apt-get").args(["download", "-q", "nginx"]).current_dir(&folder), LIMIT);
    ensure!(download() || apt::update() && download(), "could not download nginx; install it by hand");
    let package = fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get download left no package")?;
    let unpacked = run_within(Command::new("dpkg-deb").arg("-x").args([&package, &folder]), LIMIT);
    ensure!(unpacked && program.is_file(), "{} holds no nginx", package.display());
    fs::remove_file(package)?;
    Ok(program)
}

fn at(path: &Path) -> Option<PathBuf> {
    path.is_file().then(|| path.to_owned())
}
