//! Clients no one here wrote, for the journeys, and axe-core, which the pages are held to: their programs, and the
//! libraries they stand on, from npm and PyPI by version and hash. They are installed into the target folder, never into
//! the sources.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    apt,
    command::{find, output, root, run_within},
};

/// Long enough for a few small packages over a slow line.
const LIMIT: Duration = Duration::from_secs(300);

/// Where they are installed.
pub(crate) fn folder() -> PathBuf {
    root().join("target/clients")
}

/// Makes sure that every client can run, and returns their folder.
pub(crate) fn install() -> Result<PathBuf> {
    let folder = folder();
    copy(&root().join("tests/clients"), &folder)?;
    javascript(&folder)?;
    python(&folder)?;
    Ok(folder)
}

/// Brings the programs and the lists of packages there: a program of Node's finds its libraries beside itself.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let path = entry?.path();
        if let (true, Some(name)) = (path.is_file(), path.file_name()) {
            fs::copy(&path, to.join(name)).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn javascript(folder: &Path) -> Result<()> {
    if find("node").is_none() || find("npm").is_none() {
        apt::install(&["nodejs", "npm"])?;
    }
    let wanted = fs::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed");
    once(&stamp, &wanted, "axe-core, clients and style sheets (npm)", || {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--loglevel=error"]).current_dir(folder);
        run_within(&mut npm, LIMIT)
    })
}

fn python(folder: &Path) -> Result<()> {
    if find("python3").is_none() {
        apt::install(&["python3", "python3-venv"])?;
    }
    let environment = folder.join("python");
    // Its packages are built for one version of Python.
    let version = output(Command::new("python3").arg("--version")).context("python3 does not start")?;
    let wanted = format!("{version}\n{}", fs::read_to_string(folder.join("requirements.txt"))?);
    once(&environment.join(".installed"), &wanted, "Authlib (pip)", || {
        let make = || {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv", "--clear"]).arg(&environment);
            run_within(&mut venv, LIMIT)
        };
        // Debian has the module in a package of its own.
        if !(make() || apt::install(&["python3-venv"]).is_ok() && make()) {
            return false;
        }
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.args(["--require-hashes", "--requirement"]).arg(folder.join("requirements.txt"));
        run_within(&mut pip, LIMIT)
    })
}

/// Installs something unless the stamp says that just this is there.
fn once(stamp: &Path, wanted: &str, what: &str, install: impl FnOnce() -> bool) -> Result<()> {
    if fs::read_to_string(stamp).is_ok_and(|seen| seen == wanted) {
        return Ok(());
    }
    eprintln!("installing {what} into target/clients");
    ensure!(install(), "could not install {what}, which the journeys need");
    Ok(fs::write(stamp, wanted)?)
}

/// What of it is there, for a person; nothing is installed.
pub(crate) fn installed() -> String {
    let folder = folder();
    let missing: Vec<_> = [("npm's", "node_modules/.installed"), ("Python's", "python/.installed")]
        .into_iter()
        .filter(|(_, stamp)| !folder.join(stamp).exists())
        .map(|(name, _)| name)
        .collect();
    match missing.as_slice() {
        [] => "installed".to_owned(),
        some => format!("not yet {}; the journeys install them", some.join(" and ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_not_installed_again_and_what_failed_is() {
        let folder = root().join("target/tmp/counterparts");
        fs::create_dir_all(&folder).unwrap();
        let stamp = folder.join("stamp");
        let _ = fs::remove_file(&stamp);
        assert!(once(&stamp, "1", "it", || false).is_err());
        once(&stamp, "1", "it", || true).unwrap();
        once(&stamp, "1", "it", || panic!("it is there")).unwrap();
        assert!(once(&stamp, "2", "it", || false).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    /// Who has the sources must be able to install them from whichever registry they use.
    #[test]
    fn the_lists_of_packages_name_no_registry() {
        for file in ["package-lock.json", "package.json", ".npmrc", "requirements.txt"] {
            let text = fs::read_to_string(root().join("tests/clients").join(file)).unwrap();
            assert!(!text.contains("\"resolved\"") && !text.contains("index-url"), "{file}");
        }
    }
}
