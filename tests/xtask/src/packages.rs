//! The npm package as others use it: packed by npm, installed, and built into a site by each bundler. All of that
//! happens in the target folder, and only when something that goes into it has changed.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::{
    apt,
    build::Built,
    command::{find, root, run, run_within},
};

/// Long enough for the bundlers over a slow line.
const LIMIT: Duration = Duration::from_secs(600);

/// Where the packed package is, beside the sites that use it.
const PACKED: &str = "latchkey-sdk.tgz";

/// Makes the sites anew where need be, and returns their folder.
pub(crate) fn build(built: &Built) -> Result<PathBuf> {
    let folder = root().join("target/packages");
    let sources = root().join("tests/packages");
    if find("node").is_none() || find("npm").is_none() {
        apt::install(&["nodejs", "npm"])?;
    }
    fs::create_dir_all(&folder)?;
    install(&sources, &folder)?;
    let mut hash = Sha256::new();
    for tree in [&sources, &built.sdk] {
        digest(tree, tree, &mut hash)?;
    }
    let fingerprint = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let stamp = folder.join("built");
    if fs::read_to_string(&stamp).is_ok_and(|seen| seen == fingerprint) {
        return Ok(folder);
    }
    let _ = fs::remove_file(&stamp);
    copy(&sources, &folder)?;
    pack(&built.sdk, &folder)?;
    run(Command::new("node").arg("build.js").current_dir(&folder)).context("building the sites")?;
    fs::write(stamp, fingerprint)?;
    Ok(folder)
}

/// What the sites are built with, at the locked versions.
fn install(sources: &Path, folder: &Path) -> Result<()> {
    let lock = fs::read_to_string(sources.join("package-lock.json"))?;
    let stamp = folder.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|seen| seen == lock) {
        return Ok(());
    }
    eprintln!("installing Vite, webpack, esbuild, Next.js and what checks packages into target/packages (npm)");
    for file in ["package.json", "package-lock.json", ".npmrc"] {
        fs::copy(sources.join(file), folder.join(file)).with_context(|| file.to_owned())?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--loglevel=error"]).current_dir(folder);
    ensure!(run_within(&mut npm, LIMIT), "could not install what the sites are built with");
    // It belongs to another installation now.
    let _ = fs::remove_file(folder.join("built"));
    Ok(fs::write(stamp, lock)?)
}

/// Packs the package as it would be published, and unpacks it where the sites look for it.
fn pack(sdk: &Path, folder: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(folder).current_dir(sdk);
    npm.stdout(std::process::Stdio::null());
    run(&mut npm)?;
    let packed = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("latchkey-sdk-") && name.ends_with(".tgz")
    });
    fs::rename(packed.context("npm packed nothing")?, folder.join(PACKED))?;
    let installed = folder.join("node_modules/@latchkey/sdk");
    if installed.exists() {
        fs::remove_dir_all(&installed)?;
    }
    fs::create_dir_all(&installed)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--strip-components=1", "--file"]).arg(folder.join(PACKED));
    run(tar.arg("--directory").arg(installed))
}

/// Everything in a folder, in order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    entries.sort();
    Ok(entries)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for path in entries(from)? {
        let place = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &place)?;
        } else {
            fs::copy(&path, place).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn digest(root: &Path, folder: &Path, hash: &mut Sha256) -> Result<()> {
    for path in entries(folder)? {
        if path.is_dir() {
            digest(root, &path, hash)?;
        } else {
            let content = fs::read(&path)?;
            let name = path.strip_prefix(root).unwrap_or(&path);
            hash.update(format!("{} {} ", name.display(), content.len()));
            hash.update(content);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who has the sources must be able to install them from whichever registry they use.
    #[test]
    fn the_lock_names_no_registry() {
        for file in ["package-lock.json", "package.json", ".npmrc"] {
            let text = fs::read_to_string(root().join("tests/packages").join(file)).unwrap();
            assert!(!text.contains("\"resolved\""), "{file}");
        }
    }
}
