//! The tests of the SDK's own JavaScript modules, in Node, and what comes from npm for them and for the peers that the
//! SDK is weighed against.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    apt,
    command::{announce, find, root, run_counted, run_within},
    tally::Tally,
};

/// Long enough for some tens of megabytes over a slow line.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs the tests, or those whose name contains this.
pub(crate) fn test(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let folder = install("modules")?;
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap"]).current_dir(&folder);
    if let Some(filter) = filter {
        // Words of a sentence here, of a name there; Node takes it for a regular expression.
        let plain: String = filter.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '.' }).collect();
        node.arg("--test-name-pattern").arg(plain);
    }
    run_counted(&mut node, tally)
}

/// Brings a folder of the tests' to the target folder, with the packages that its list names; returns where it is.
pub(crate) fn install(name: &str) -> Result<PathBuf> {
    let (from, folder) = (root().join("tests").join(name), root().join("target").join(name));
    if find("node").is_none() || find("npm").is_none() {
        apt::install(&["nodejs", "npm"])?;
    }
    copy(&from, &folder)?;
    let wanted = fs::read_to_string(folder.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed");
    if !fs::read_to_string(&stamp).is_ok_and(|seen| seen == wanted) {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--loglevel=error"]).current_dir(&folder);
        eprintln!("installing the packages of tests/{name} into target/{name} (npm)");
        ensure!(run_within(&mut npm, LIMIT), "could not install the packages of tests/{name}");
        fs::write(stamp, wanted)?;
    }
    Ok(folder)
}

/// A program of Node's finds its packages beside itself. What is not there any more is taken away.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in files(to)? {
        fs::remove_file(file)?;
    }
    for file in files(from)? {
        fs::copy(&file, to.join(file.file_name().context("a file has a name")?))?;
    }
    Ok(())
}

/// The files directly in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect())
}

/// A module of the peers' folder with all that it imports, as a site's bundler delivers it.
pub(crate) fn bundle(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let mut esbuild = Command::new(folder.join("node_modules/.bin/esbuild"));
    esbuild.arg(format!("{name}.js")).current_dir(folder);
    esbuild.args(["--bundle", "--minify", "--format=esm", "--target=es2022", "--log-level=warning"]);
    announce(&esbuild);
    let output = esbuild.output().context("cannot start esbuild")?;
    ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who has the sources must be able to install them from whichever registry they use.
    #[test]
    fn the_lists_of_packages_name_no_registry() {
        for folder in ["modules", "packages", "peers"] {
            for file in ["package-lock.json", "package.json", ".npmrc"] {
                let text = fs::read_to_string(root().join("tests").join(folder).join(file)).unwrap();
                assert!(!text.contains("\"resolved\""), "{folder}/{file}");
            }
        }
    }

    #[test]
    fn what_left_the_sources_is_not_tested_any_more() {
        let here = root().join("target/tmp/modules-copy");
        let (from, to) = (here.join("from"), here.join("to"));
        for folder in [&from, &to] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(to.join("old.test.mjs"), "").unwrap();
        fs::write(from.join("new.test.mjs"), "").unwrap();
        copy(&from, &to).unwrap();
        assert!(to.join("new.test.mjs").exists() && !to.join("old.test.mjs").exists());
        fs::remove_dir_all(here).unwrap();
    }
}
