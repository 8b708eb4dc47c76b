//! `cargo xtask fuzz TARGET`: one of the fuzz targets under LLVM's engine, guided by coverage, with the stable compiler.
//!
//! The compiler's own pass counts which edges of the code an input reaches; no sanitizer is used, which is what would
//! need a nightly one. It has a target folder of its own, since every crate is built with that pass.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, ensure};

use crate::{
    apt,
    command::{cargo, find, output, root, run},
    native::ensure_c_compiler,
};

/// What to fuzz, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A target, as the folders under server/fuzz/corpus are named
    target: String,
    /// For how many seconds
    #[arg(long, default_value_t = 60)]
    secs: u32,
}

/// What cargo-fuzz passes too, but for the sanitizer.
const FLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// Builds the engine and runs it. What it finds new goes into a folder of its own; what breaks a property is named.
pub(crate) fn run_one(options: &Options) -> Result<()> {
    let corpus = root().join("server/fuzz/corpus").join(&options.target);
    ensure!(corpus.is_dir(), "there is no target {:?}; there are {}", options.target, names()?.join(", "));
    ensure_c_compiler()?;
    if find("c++").is_none() && find("g++").is_none() && find("clang++").is_none() {
        apt::install(&["g++"])?;
    }
    let host = host()?;
    let folder = root().join("target/fuzz");
    let mut build = cargo();
    build
        .args(["build", "--locked", "--package", "latchkey-fuzz", "--bin", "fuzz"])
        // With a target named, the flags are not for build scripts, which no engine is linked to.
        .args(["--target", &host])
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"))
        // Fast, but with the checks of arithmetic and of `debug_assert!` that a release build leaves out.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    run(&mut build)?;
    let (found, broken) = (folder.join("found").join(&options.target), folder.join("broken"));
    fs::create_dir_all(&found)?;
    fs::create_dir_all(&broken)?;
    let mut engine = Command::new(folder.join(&host).join("debug/fuzz"));
    engine
        .env("FUZZ_TARGET", &options.target)
        .current_dir(root())
        .args([&found, &corpus])
        .args([format!("-max_total_time={}", options.secs), "-print_final_stats=1".to_owned()])
        // Longer than the longest thing that any of them takes: a redirect URI of 2,048 bytes.
        .args(["-only_ascii=0".to_owned(), "-max_len=4096".to_owned()])
        .arg(format!("-artifact_prefix={}/", broken.display()));
    run(&mut engine)
        .with_context(|| format!("a property does not hold; the input is in {}", broken.display()))
}

fn names() -> Result<Vec<String>> {
    let entries = fs::read_dir(root().join("server/fuzz/corpus"))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// The machine's own target triple.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = output(Command::new(Path::new(&rustc)).arg("-vV")).context("rustc does not start")?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}
