//! From a crate to the wasm and JavaScript a browser loads, and the tests that run there.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use walrus::ModuleConfig;

use crate::{
    browsers, command, glue, names, node, panics,
    tally::Tally,
    toolchain::{self, Toolchain},
};

/// A crate that becomes wasm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crate {
    pub(crate) package: &'static str,
    /// The stem of the files made of it.
    pub(crate) stem: &'static str,
}

/// What a customer's page loads.
pub(crate) const SDK: Crate = Crate { package: "latchkey-sdk", stem: "latchkey_sdk" };
/// What the platform's frame loads.
pub(crate) const IFRAME: Crate = Crate { package: "latchkey-iframe", stem: "latchkey_iframe" };

/// Compiles one crate. Each by itself: together, cargo would give one the features the other asks for.
pub(crate) fn compile(toolchain: Toolchain, krate: Crate) -> Result<PathBuf> {
    let mut build = toolchain.cargo("build");
    build.args(["--package", krate.package, "--profile", "wasm-release"]);
    command::run(&mut build)?;
    let wasm = toolchain
        .target_dir()
        .join(toolchain::TARGET)
        .join("wasm-release")
        .join(format!("{}.wasm", krate.stem));
    ensure!(
        wasm.exists(),
        "{} made no wasm; its Cargo.toml needs crate-type = [\"cdylib\", \"rlib\"]",
        krate.package
    );
    Ok(wasm)
}

/// Makes the wasm of a compiled crate in an empty folder, and the glue that goes into its JavaScript.
pub(crate) fn bind(wasm: &Path, krate: Crate, wasm_opt: Option<&Path>, folder: &Path) -> Result<()> {
    // The command line tool's own entry point: the library behind it has other defaults, with which init() fails.
    wasm_bindgen_cli::wasm_bindgen::run_cli_with_args([
        "wasm-bindgen".as_ref(),
        "--target=web".as_ref(),
        "--no-typescript".as_ref(),
        "--remove-producers-section".as_ref(),
        "--out-name".as_ref(),
        krate.stem.as_ref(),
        "--out-dir".as_ref(),
        folder.as_os_str(),
        wasm.as_os_str(),
    ])?;
    let glue_path = folder.join(format!("{}.js", krate.stem));
    let wasm_path = folder.join(format!("{}_bg.wasm", krate.stem));
    let glue = fs::read_to_string(&glue_path).with_context(|| glue_path.display().to_string())?;
    let module = format!("./{}_bg.js", krate.stem);
    let mut config = ModuleConfig::new();
    config.generate_name_section(false).generate_producers_section(false);
    let mut wasm =
        config.parse(&fs::read(&wasm_path)?).context("reading the wasm that wasm-bindgen wrote")?;
    let silenced = panics::silence(&mut wasm);
    ensure!(
        silenced > 0,
        "{}: function names are missing; the wasm-release profile must not strip them",
        krate.stem
    );
    let glue = glue::trim(&glue, krate.stem);
    names::forget_exports(&mut wasm, &glue);
    let glue = names::shorten(&mut wasm, &glue, &module)?;
    fs::write(&wasm_path, wasm.emit_wasm())?;
    fs::write(&glue_path, glue)?;
    match wasm_opt {
        Some(wasm_opt) => optimise(wasm_opt, &wasm_path),
        None => Ok(()),
    }
}

/// The features that rustc's default wasm target emits, and that every browser of the last years runs.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Measured on the SDK: without inlining what is called once, the file is larger by 3 % and its brotli smaller by 2 %
/// than with -Oz, since what stays apart repeats itself more.
const LEVEL: [&str; 3] = ["-O2", "--converge", "--one-caller-inline-max-function-size=0"];

fn optimise(wasm_opt: &Path, wasm: &Path) -> Result<()> {
    let mut node = Command::new("node");
    node.arg(wasm_opt).args(FEATURES).args(LEVEL).args(["--strip-target-features", "--strip-producers"]);
    command::run(node.arg(wasm).arg("-o").arg(wasm))
}

/// `cargo xtask wasm-test`.
pub(crate) fn test_alone(filter: Option<&str>) -> Result<()> {
    let mut tally = Tally::default();
    test(filter, &mut tally)?;
    println!("{tally}");
    Ok(())
}

/// Runs the browser tests of both crates in headless Chromium.
pub(crate) fn test(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let toolchain = toolchain::pick()?;
    let chromium = browsers::chromium()?;
    let capabilities = chromium.write_capabilities()?;
    let runner = runner()?;
    for krate in [SDK, IFRAME] {
        // Not the documentation's examples: rustdoc would hand them to the browser's runner, which can't take them.
        let mut test = toolchain.cargo("test");
        test.args(["--config", &runner, "--package", krate.package, "--tests"]).args(filter);
        test.env("WASM_BINDGEN_USE_BROWSER", "1");
        test.env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", &capabilities);
        // The runner's own limits are 5 s for the driver and 20 s for the tests, too short on a busy machine.
        test.env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60").env("WASM_BINDGEN_TEST_TIMEOUT", "60");
        chromium.announce_to(&mut test);
        command::run_counted(&mut test, tally)?;
    }
    Ok(())
}

/// This helper as cargo's runner of wasm programs. A setting rather than a variable, which cargo would split at the
/// spaces of a path.
fn runner() -> Result<String> {
    // A build beside this one may have replaced the running file, which Linux then calls deleted.
    let helper = env::current_exe()?.to_string_lossy().trim_end_matches(" (deleted)").to_owned();
    Ok(format!("target.{}.runner = {:?}", toolchain::TARGET, [helper.as_str(), "test-runner"]))
}

/// How often the runner is started before what it says counts.
const ATTEMPTS: u32 = 3;

/// Runs a wasm program in wasm-bindgen's runner, in a process of its own. The server in that runner hands connections
/// to threads, and one that comes while a thread wakes for another may wait until the other is closed, which the
/// browser keeps open: the page then never loads. So a run in which not one test started is repeated.
pub(crate) fn run_program(args: &[OsString]) -> Result<()> {
    for attempt in 1..=ATTEMPTS {
        let mut runner = Command::new(env::current_exe()?);
        runner.arg("test-runner-once").args(args);
        let mut started = false;
        let status = command::pass_through(&mut runner, |line| started |= is_start(line))?;
        if status.success() {
            return Ok(());
        }
        ensure!(!started && attempt < ATTEMPTS, "{status}: {}", command::line(&runner));
        eprintln!("the page with the tests did not load; once more ({attempt} of {ATTEMPTS} attempts)");
    }
    Ok(())
}

/// True of the line that the test harness begins with, in the browser: `running 3 tests`.
fn is_start(line: &str) -> bool {
    line.contains("running ") && (line.ends_with(" tests") || line.ends_with(" test"))
}

/// Clippy over both crates as they are compiled for the browser.
pub(crate) fn lint() -> Result<()> {
    let toolchain = toolchain::pick()?;
    toolchain.ensure_clippy()?;
    let mut clippy = toolchain.cargo("clippy");
    clippy.args([
        "--package",
        SDK.package,
        "--package",
        IFRAME.package,
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    command::run(&mut clippy)
}

/// The version of the `wasm-opt` that was used, for the record; None without it.
pub(crate) fn wasm_opt_version(wasm_opt: Option<&Path>) -> Option<String> {
    wasm_opt.and_then(|program| node::version(&program.to_path_buf()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_started_when_the_harness_says_how_many_tests_it_runs() {
        assert!(is_start("running 3 tests"));
        assert!(is_start("running 1 test"));
        assert!(is_start("Loading Wasm module...running 3 tests"));
        assert!(!is_start("Running tests/edge.rs (edge.wasm)"));
        assert!(!is_start(
            "Loading scripts...Failed to detect test as having been run. It might have timed out."
        ));
    }
}
