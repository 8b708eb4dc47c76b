//! The compiler for wasm32. No two machines have the same, so there are three ways to one, tried in this order:
//! the toolchain in use has the target already; rustup adds it; Debian's own Rust builds the standard library from
//! the sources it ships.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Result, bail};

use crate::{
    apt,
    command::{cargo, find, output, root, run_within, without_outer_cargo},
};

/// The target triple of everything a browser loads.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_RUSTDOC: &str = "/usr/bin/rustdoc";
const DEBIAN_PACKAGES: [&str; 5] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22"];

/// The way this machine compiles for wasm32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The toolchain in use carries a compiled standard library for the target. The size figures are this one's.
    Prebuilt,
    /// Debian's Rust, which carries the library's sources: cargo compiles them once.
    DebianBuildStd,
}

/// Chooses the way, installing what it needs. `XTASK_WASM=prebuilt|debian` forces one.
pub(crate) fn pick() -> Result<Toolchain> {
    if let Some(found) = find_installed()? {
        return Ok(found);
    }
    let debian_is_wanted = env::var_os("XTASK_WASM").is_some();
    if !debian_is_wanted && rustup_adds_target() && sysroot_has_target() {
        return Ok(Toolchain::Prebuilt);
    }
    apt::install(&DEBIAN_PACKAGES)?;
    if !debian_is_ready() {
        bail!(
            "no compiler for {TARGET}: Debian's packages are installed, but their library sources were not found. \
             With rustup: rustup target add {TARGET}"
        );
    }
    Ok(Toolchain::DebianBuildStd)
}

/// The way that needs no installing, if there is one.
pub(crate) fn find_installed() -> Result<Option<Toolchain>> {
    match env::var("XTASK_WASM").as_deref() {
        Ok("prebuilt") if sysroot_has_target() => return Ok(Some(Toolchain::Prebuilt)),
        Ok("prebuilt") => bail!("XTASK_WASM=prebuilt, but the toolchain in use has no {TARGET}"),
        Ok("debian") => return Ok(debian_is_ready().then_some(Toolchain::DebianBuildStd)),
        Ok(other) => bail!("XTASK_WASM is {other:?}; it takes prebuilt or debian"),
        Err(_) => {}
    }
    if sysroot_has_target() {
        return Ok(Some(Toolchain::Prebuilt));
    }
    // Asked before rustup is, so that a checkout which once settled for Debian's does not try the network again.
    Ok(debian_is_ready().then_some(Toolchain::DebianBuildStd))
}

fn sysroot_has_target() -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    let folder = output(rustc.args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_some_and(|folder| has_std(Path::new(&folder)))
}

fn has_std(folder: &Path) -> bool {
    let is_std = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("libstd-");
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(is_std))
}

fn rustup_adds_target() -> bool {
    let managed = env::var_os("RUSTUP_TOOLCHAIN").is_some() || env::var_os("RUSTUP_HOME").is_some();
    if !managed || find("rustup").is_none() {
        return false;
    }
    eprintln!("installing {TARGET} (rustup)");
    run_within(Command::new("rustup").args(["target", "add", TARGET]), Duration::from_secs(120))
}

fn debian_is_ready() -> bool {
    let sysroot = output(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]));
    let sources = |root: String| Path::new(&root).join("lib/rustlib/src/rust/library/Cargo.lock").exists();
    Path::new(DEBIAN_CARGO).exists() && sysroot.is_some_and(sources)
}

/// Makes sure that `cargo fmt` or `cargo clippy` works natively.
pub(crate) fn ensure_component(component: &str, subcommand: &str) -> Result<()> {
    if output(cargo().args([subcommand, "--version"])).is_some() {
        return Ok(());
    }
    let managed = env::var_os("RUSTUP_TOOLCHAIN").is_some() && find("rustup").is_some();
    if managed {
        eprintln!("installing {component} (rustup)");
        run_within(Command::new("rustup").args(["component", "add", component]), Duration::from_secs(120));
    } else if let Some(package) = debian_component(component) {
        apt::install(&[package])?;
    }
    if output(cargo().args([subcommand, "--version"])).is_none() {
        bail!(
            "cargo {subcommand} does not work here; install the {component} component of the toolchain by hand"
        );
    }
    Ok(())
}

fn debian_component(component: &str) -> Option<&'static str> {
    match component {
        "clippy" => Some("rust-web-clippy"),
        "rustfmt" => Some("rustfmt-web"),
        _ => None,
    }
}

impl Toolchain {
    /// `cargo <subcommand>` for wasm32, with a target folder of its own: switching compilers in a shared one
    /// would rebuild everything each way.
    pub(crate) fn cargo(self, subcommand: &str) -> Command {
        let mut command = match self {
            Self::Prebuilt => cargo(),
            Self::DebianBuildStd => debian_cargo(subcommand),
        };
        command.args([subcommand, "--locked", "--target", TARGET, "--target-dir"]);
        command.arg(self.target_dir().strip_prefix(root()).unwrap_or(&self.target_dir()));
        if self == Self::DebianBuildStd {
            command.arg("-Zbuild-std=std,panic_abort");
        }
        command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", remapped_paths());
        command
    }

    /// Makes sure that clippy works for wasm32.
    pub(crate) fn ensure_clippy(self) -> Result<()> {
        match self {
            Self::Prebuilt => ensure_component("clippy", "clippy"),
            Self::DebianBuildStd if Path::new(DEBIAN_CLIPPY).exists() => Ok(()),
            Self::DebianBuildStd => apt::install(&["rust-web-clippy"]),
        }
    }

    /// Where this toolchain's wasm goes.
    pub(crate) fn target_dir(self) -> PathBuf {
        root().join("target").join(match self {
            Self::Prebuilt => "wasm",
            Self::DebianBuildStd => "wasm-debian",
        })
    }

    /// The compiler's version, such as "1.95.0".
    pub(crate) fn version(self) -> String {
        let rustc = match self {
            Self::Prebuilt => env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()),
            Self::DebianBuildStd => DEBIAN_RUSTC.into(),
        };
        let printed = output(Command::new(rustc).arg("--version")).unwrap_or_default();
        printed.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
    }

    /// The way in words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Prebuilt => "the toolchain in use has it",
            Self::DebianBuildStd => "Debian's Rust, standard library from its sources",
        }
    }
}

fn debian_cargo(subcommand: &str) -> Command {
    // Asked for clippy, cargo would take the first on the PATH, which is rustup's where both are installed.
    let clippy = subcommand == "clippy";
    let mut command = Command::new(if clippy { DEBIAN_CLIPPY } else { DEBIAN_CARGO });
    command.current_dir(root());
    let mut command = without_outer_cargo(command);
    // Debian's is a stable compiler; the bootstrap switch admits the one unstable flag that build-std is.
    command.env("RUSTC", DEBIAN_RUSTC).env("RUSTDOC", DEBIAN_RUSTDOC).env("RUSTC_BOOTSTRAP", "1");
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env_remove(name);
    }
    command.env("CARGO", DEBIAN_CARGO);
    command
}

/// Takes this machine's folders out of the paths that end up in the wasm: they would make its size depend on the
/// length of a home directory.
fn remapped_paths() -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    let mut folders: Vec<PathBuf> =
        registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.push(root());
    let flag = |folder: &PathBuf| format!("--remap-path-prefix={}=", folder.display());
    folders.iter().map(flag).collect::<Vec<_>>().join("\x1f")
}
