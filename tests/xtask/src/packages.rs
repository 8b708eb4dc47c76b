//! The npm package as others use it: packed by npm, installed, and built into a site by each bundler. All of that
//! happens in the target folder, and only when something that goes into it has changed.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::{
    build::Built,
    command::{root, run},
    modules,
};

/// The SDK as a hook for React.
const HOOK: &str = "use-latchkey.js";

/// Makes the sites anew where need be, and returns their folder.
pub(crate) fn build(built: &Built) -> Result<PathBuf> {
    let folder = modules::install("packages")?;
    let sources = root().join("tests/packages");
    let mut hash = Sha256::new();
    for tree in [&sources, &built.sdk] {
        digest(tree, tree, &mut hash)?;
    }
    // What the application's page shows, word for word.
    let hook = root().join("www").join(HOOK);
    hash.update(fs::read(&hook)?);
    let fingerprint = hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    // Beside what was installed, so that it goes with that.
    let stamp = folder.join("node_modules/.built");
    if fs::read_to_string(&stamp).is_ok_and(|seen| seen == fingerprint) {
        return Ok(folder);
    }
    copy(&sources, &folder)?;
    fs::copy(hook, folder.join("react").join(HOOK))?;
    pack(&built.sdk, &folder.join("node_modules"))?;
    run(Command::new("node").arg("build.js").current_dir(&folder)).context("building the sites")?;
    fs::write(stamp, fingerprint)?;
    Ok(folder)
}

/// Packs the package as it would be published, and unpacks it where the sites look for it.
fn pack(sdk: &Path, modules: &Path) -> Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--pack-destination"]).arg(modules).current_dir(sdk);
    run(npm.stdout(Stdio::null()))?;
    let is_packed = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tgz");
    let packed = entries(modules)?.into_iter().find(is_packed).context("npm packed nothing")?;
    let place = modules.join("@latchkey");
    let installed = place.join("sdk");
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&installed)?;
    let archive = place.join("sdk.tgz");
    fs::rename(packed, &archive)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--strip-components=1", "--file"]).arg(archive);
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
