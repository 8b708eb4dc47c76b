//! `cargo xtask build`: lays out target/latchkey. Each of its two folders is made aside and then swapped in, so that
//! a running server never sees half of one, and is left alone while nothing that goes into it has changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{
    command::{root, shown},
    compress, glue, javascript, native, node, script,
    toolchain::{self, Toolchain},
    wasm::{self, Crate, IFRAME, SDK},
};

/// What a build left behind.
#[derive(Debug)]
pub(crate) struct Built {
    /// The npm package, as a customer installs it.
    pub(crate) sdk: PathBuf,
    /// What the server serves beside its pages.
    pub(crate) assets: PathBuf,
    /// The SDK for a script tag.
    pub(crate) script: PathBuf,
    pub(crate) toolchain: Toolchain,
    pub(crate) wasm_opt: Option<PathBuf>,
}

impl Built {
    /// True if the sizes can be compared with the committed ones: the same way to the wasm, with wasm-opt.
    pub(crate) fn is_canonical(&self) -> bool {
        self.toolchain == Toolchain::Prebuilt && self.wasm_opt.is_some()
    }
}

/// `cargo xtask build [--release]`.
pub(crate) fn run(release: bool) -> Result<()> {
    let built = wasm()?;
    for path in [&built.sdk, &built.assets, &built.script] {
        println!("{}", shown(path));
    }
    println!("the script's integrity is {}", script::integrity(&fs::read(&built.script)?));
    if release {
        let server = native::release_server()?;
        let bytes = fs::metadata(&server)?.len();
        println!("{} ({}.{} MB)", shown(&server), bytes / 1_000_000, bytes / 100_000 % 10);
    }
    Ok(())
}

/// Builds both folders of target/latchkey.
pub(crate) fn wasm() -> Result<Built> {
    // Held until the end: of two builds at once, the second waits and then finds its work done.
    let lock = lock()?;
    let toolchain = toolchain::pick()?;
    let wasm_opt = node::wasm_opt()?;
    let mut built = Built {
        sdk: root().join("target/latchkey/sdk"),
        assets: root().join("target/latchkey/assets"),
        script: root().join("target/latchkey/script"),
        toolchain,
        wasm_opt,
    };
    let mut package =
        sources(&root().join("sdk"), &[".js", ".d.ts", "package.json", "README.md", "CHANGELOG.md"])?;
    package.push(root().join("LICENSE"));
    folder(&built, &built.sdk, SDK, &package)?;
    folder(&built, &built.assets, IFRAME, &sources(&root().join("iframe"), &[".js", ".css"])?)?;
    let scripts = root().join("target/latchkey/script");
    built.script = script::build(&built.sdk, &scripts)?;
    compress::folders(&[built.sdk.clone(), built.assets.clone(), scripts, root().join("server/assets")])?;
    drop(lock);
    Ok(built)
}

fn lock() -> Result<File> {
    let folder = root().join("target/latchkey");
    fs::create_dir_all(&folder)?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// The files directly in a folder whose name ends in one of these, in order.
fn sources(folder: &Path, ends: &[&str]) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        path.is_file() && ends.iter().any(|end| name.ends_with(end))
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(wanted).collect();
    found.sort();
    Ok(found)
}

/// Makes one folder of a crate and the hand-written files beside it.
fn folder(built: &Built, folder: &Path, krate: Crate, sources: &[PathBuf]) -> Result<()> {
    let compiled = wasm::compile(built.toolchain, krate)?;
    let fingerprint = fingerprint(built, &compiled, sources)?;
    let stamp = folder.with_extension("stamp");
    if folder.is_dir() && fs::read_to_string(&stamp).is_ok_and(|seen| seen == fingerprint) {
        return Ok(());
    }
    let staged = folder.with_extension("new");
    remove(&staged)?;
    fs::create_dir_all(&staged)?;
    wasm::bind(&compiled, krate, built.wasm_opt.as_deref(), &staged)?;
    let glue_name = format!("{}.js", krate.stem);
    let glue = fs::read_to_string(staged.join(&glue_name))?;
    fs::remove_file(staged.join(&glue_name))?;
    lay_out(sources, &staged, (&glue_name, &glue))?;
    remove(&stamp)?;
    swap(&staged, folder)?;
    fs::write(stamp, fingerprint)?;
    Ok(())
}

/// What of this helper decides the content of the files, so that a change here makes them anew.
const HELPER: [&str; 7] = [
    include_str!("../Cargo.toml"),
    include_str!("build.rs"),
    include_str!("glue.rs"),
    include_str!("javascript.rs"),
    include_str!("names.rs"),
    include_str!("panics.rs"),
    include_str!("wasm.rs"),
];

/// Everything the folder's content depends on.
fn fingerprint(built: &Built, compiled: &Path, sources: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    HELPER.iter().for_each(|text| hash.update(text));
    hash.update(format!("{:?} ", wasm::wasm_opt_version(built.wasm_opt.as_deref())));
    for path in sources.iter().map(PathBuf::as_path).chain([compiled]) {
        let content = fs::read(path).with_context(|| path.display().to_string())?;
        hash.update(format!("{} {} ", path.display(), content.len()));
        hash.update(content);
    }
    Ok(hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Copies files. JavaScript is minified, and the modules that another one imports statically, the glue among them, go
/// into that one: each file less is one wait less. What is loaded on demand stays apart.
fn lay_out(sources: &[PathBuf], folder: &Path, (glue_name, glue): (&str, &str)) -> Result<()> {
    let is_script = |source: &PathBuf| source.extension().is_some_and(|extension| extension == "js");
    let (scripts, others): (Vec<_>, Vec<_>) = sources.iter().cloned().partition(is_script);
    for source in others {
        let name = source.file_name().context("a file has a name")?;
        fs::copy(&source, folder.join(name)).with_context(|| shown(&source))?;
    }
    let mut modules = BTreeMap::new();
    for script in &scripts {
        let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
        modules.insert(name, fs::read_to_string(script).with_context(|| shown(script))?);
    }
    let mut read = |name: &str| match modules.get(name) {
        Some(text) => Ok(text.clone()),
        None if name == glue_name => Ok(glue.to_owned()),
        None => bail!("{name} is imported, and there is no such file"),
    };
    let mut joined = BTreeMap::new();
    let mut inside = BTreeSet::new();
    for (name, text) in &modules {
        let (text, parts) = glue::join(text, &mut read).with_context(|| name.clone())?;
        joined.insert(name, text);
        inside.extend(parts);
    }
    for (name, text) in joined.into_iter().filter(|(name, _)| !inside.contains(*name)) {
        fs::write(folder.join(name), javascript::minify(name, &text)?)?;
    }
    Ok(())
}

/// Puts a finished folder in the place of the last one.
fn swap(staged: &Path, folder: &Path) -> Result<()> {
    let last = folder.with_extension("old");
    remove(&last)?;
    if folder.exists() {
        fs::rename(folder, &last)?;
    }
    fs::rename(staged, folder)?;
    remove(&last)
}

fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        fs::remove_dir_all(path)?;
    } else if path.exists() {
        fs::remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swap_leaves_the_new_folder_alone_in_its_place() {
        let here = std::env::temp_dir().join(format!("xtask-swap-{}", std::process::id()));
        let (staged, folder) = (here.join("assets.new"), here.join("assets"));
        for (path, text) in [(&folder, "last"), (&staged, "next")] {
            fs::create_dir_all(path).unwrap();
            fs::write(path.join("a.js"), text).unwrap();
        }
        swap(&staged, &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("a.js")).unwrap(), "next");
        assert_eq!(fs::read_dir(&here).unwrap().count(), 1);
        fs::remove_dir_all(here).unwrap();
    }
}
