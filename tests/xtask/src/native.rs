//! The native half of the workspace, always built with the same choice of packages and features, since cargo
//! rebuilds a dependency whenever the union of features over the chosen packages differs.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    apt,
    command::{announce, cargo, find, line},
};

/// Everything but this helper, whose own dependencies are built once for `cargo xtask` and not a second time with
/// the others' features.
const CHOICE: [&str; 5] = ["--locked", "--workspace", "--exclude", "xtask", "--all-features"];

/// `cargo <subcommand>` over the native workspace.
pub(crate) fn workspace(subcommand: &str) -> Command {
    let mut command = cargo();
    command.arg(subcommand).args(CHOICE);
    command
}

/// Makes sure of a C compiler, which the bundled SQLite needs.
pub(crate) fn ensure_c_compiler() -> Result<()> {
    if find("cc").is_some() || find("gcc").is_some() || find("clang").is_some() {
        return Ok(());
    }
    apt::install(&["gcc", "libc6-dev"])
}

/// Builds the workspace's binaries and returns where the named ones are.
pub(crate) fn binaries<const N: usize>(release: bool, names: [&str; N]) -> Result<[PathBuf; N]> {
    ensure_c_compiler()?;
    let mut command = workspace("build");
    command.arg("--bins");
    if release {
        command.arg("--release");
    }
    executables(command, names)
}

/// Builds the one binary that is delivered: only the server, with the features it is delivered with.
pub(crate) fn release_server() -> Result<PathBuf> {
    release("latchkey-server", "latchkey")
}

/// Builds what measures the server, as the server is built.
pub(crate) fn release_bench() -> Result<PathBuf> {
    release("latchkey-bench", "bench")
}

/// Builds what makes a disk slower for whoever it is preloaded into.
pub(crate) fn release_slow_disk() -> Result<PathBuf> {
    release("latchkey-slow-disk", "latchkey_slow_disk")
}

fn release(package: &str, name: &str) -> Result<PathBuf> {
    ensure_c_compiler()?;
    let mut command = cargo();
    command.args(["build", "--locked", "--release", "--package", package]);
    let [binary] = executables(command, [name])?;
    Ok(binary)
}

/// Asks cargo itself where the executables, and what is preloaded, went: a configured target folder may be anywhere.
fn executables<const N: usize>(mut command: Command, names: [&str; N]) -> Result<[PathBuf; N]> {
    announce(&command);
    command.arg("--message-format=json-render-diagnostics");
    let output = command.stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{}: {}", output.status, line(&command));
    let messages = String::from_utf8_lossy(&output.stdout).into_owned();
    let built: Vec<Value> = messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut paths = Vec::new();
    for name in names {
        let mut made = built.iter().filter(|message| message["target"]["name"] == name);
        let path = made.find_map(|message| {
            let is_library = message["target"]["crate_types"][0] == "cdylib";
            if is_library { &message["filenames"][0] } else { &message["executable"] }.as_str()
        });
        paths.push(PathBuf::from(path.with_context(|| format!("there is no binary named {name}"))?));
    }
    paths.try_into().ok().context("as many paths as names")
}

/// The integration tests of a package, by name, and whether a plain `cargo test` runs them.
pub(crate) fn integration_tests(package: &str) -> Result<Vec<(String, bool)>> {
    let output = cargo().args(["metadata", "--locked", "--no-deps", "--format-version", "1"]).output()?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.filter(|it| it["name"] == package).flat_map(|it| it["targets"].as_array());
    let tests = targets.flatten().filter(|it| it["kind"][0] == "test");
    Ok(tests
        .filter_map(|it| Some((it["name"].as_str()?.to_owned(), it["test"].as_bool().unwrap_or(true))))
        .collect())
}
