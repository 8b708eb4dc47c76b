//! `cargo xtask test`: the whole suite, cheapest answers first. Each stage says what it runs, and the first that
//! fails ends the run. Nothing is skipped in silence.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use latchkey_cluster::{Cluster, Durability};

use crate::{
    browsers, build, command, counterparts, modules,
    native::{self, ensure_c_compiler},
    nginx, packages, postgres, size,
    tally::Tally,
    toolchain, wasm,
};

/// What to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these stages, separated by commas; a build is added where one needs it
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    only: Vec<Stage>,
    /// Only tests whose name contains this; without --only, just the stages that have tests
    filter: Option<String>,
}

/// The stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Stage {
    /// cargo fmt --check
    Format,
    /// clippy, natively
    Lint,
    /// clippy for wasm32
    LintWasm,
    /// cargo doc, where a warning is an error
    Docs,
    /// Unit, HTTP and documentation tests
    Native,
    /// The HTTP and command-line tests once more, on a PostgreSQL server
    Postgres,
    /// The SDK's own JavaScript modules, in Node
    Modules,
    /// cargo xtask build
    Build,
    /// The wasm crates' tests in Chromium
    Wasm,
    /// The SDK's weight against the committed figures
    Size,
    /// The npm package and the script tag, built into sites by each bundler and signed in on
    Packages,
    /// Whole journeys in Chromium, across two sites
    Journeys,
    /// Signing in on every kind of site, in three browsers
    Matrix,
}

impl Stage {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn has_tests(self) -> bool {
        matches!(
            self,
            Self::Native
                | Self::Postgres
                | Self::Modules
                | Self::Wasm
                | Self::Packages
                | Self::Journeys
                | Self::Matrix
        )
    }

    fn run(self, filter: Option<&str>, tally: &mut Tally) -> Result<()> {
        match self {
            Self::Format => format(),
            Self::Lint => lint(),
            Self::LintWasm => wasm::lint(),
            Self::Docs => docs(),
            Self::Native => native_tests(filter, tally),
            Self::Postgres => postgres_tests(filter, tally),
            Self::Modules => modules::test(filter, tally),
            Self::Build => build::run(false),
            Self::Wasm => wasm::test(filter, tally),
            Self::Size => size::run(false),
            Self::Packages => package_tests(filter, tally),
            Self::Journeys => journeys(filter, tally),
            Self::Matrix => matrix(filter, tally),
        }
    }
}

/// Runs the chosen stages and closes with the number of tests, or with the stage that failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let stages = chosen(options);
    let mut tally = Tally::default();
    let mut finished: Vec<(Stage, Duration)> = Vec::new();
    for stage in &stages {
        eprintln!("\n=== {} ===", stage.name());
        let started = Instant::now();
        let result = stage.run(options.filter.as_deref(), &mut tally);
        finished.push((*stage, started.elapsed()));
        if let Err(error) = result {
            summarise(&finished, Some(*stage));
            if tally.failed > 0 {
                println!("{tally}");
            }
            return Err(error.context(format!("stage {} failed", stage.name())));
        }
    }
    summarise(&finished, None);
    if stages.iter().any(|stage| stage.has_tests()) {
        ensure!(tally.executed() > 0, "not a single test was executed");
        println!("{tally}");
    }
    Ok(())
}

fn chosen(options: &Options) -> Vec<Stage> {
    let mut stages: Vec<Stage> = if !options.only.is_empty() {
        options.only.clone()
    } else if options.filter.is_some() {
        eprintln!("a filter is given: only the stages that have tests are run");
        Stage::value_variants().iter().copied().filter(|stage| stage.has_tests()).collect()
    } else {
        Stage::value_variants().to_vec()
    };
    let needs_build = |stage: &Stage| matches!(stage, Stage::Packages | Stage::Journeys | Stage::Matrix);
    if stages.iter().any(needs_build) && !stages.contains(&Stage::Build) {
        stages.push(Stage::Build);
    }
    stages.sort();
    stages.dedup();
    stages
}

fn summarise(finished: &[(Stage, Duration)], failed: Option<Stage>) {
    println!();
    for (stage, time) in finished {
        let outcome = if failed == Some(*stage) { "FAILED" } else { "ok" };
        println!("{:<12}{outcome:<8}{:>6.1} s", stage.name(), time.as_secs_f64());
    }
}

fn format() -> Result<()> {
    toolchain::ensure_component("rustfmt", "fmt")?;
    command::run(command::cargo().args(["fmt", "--all", "--check"]))
}

fn lint() -> Result<()> {
    toolchain::ensure_component("clippy", "clippy")?;
    ensure_c_compiler()?;
    let clippy = |targets: &[&str]| {
        let mut clippy = command::cargo();
        clippy.args(["clippy", "--locked", "--workspace", "--all-features"]).args(targets);
        command::run(clippy.args(["--", "-D", "warnings"]))
    };
    clippy(&["--all-targets"])?;
    // Cargo's "all" leaves out what a plain `cargo test` does.
    native::integration_tests(JOURNEYS)?.iter().try_for_each(|(name, _)| clippy(&["--test", name]))
}

fn docs() -> Result<()> {
    let mut doc = command::cargo();
    doc.args(["doc", "--locked", "--workspace", "--all-features", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings");
    command::run(&mut doc)
}

/// The test of what the server answers.
const HTTP: &str = "http";
/// The package whose tests need browsers.
const JOURNEYS: &str = "latchkey-journeys";
/// The test among the journeys that has a stage of its own, since it needs sites built by others.
const PACKAGES: &str = "packages";
/// And the one that needs more browsers than one.
const MATRIX: &str = "matrix";

/// The tests that need no browser: this helper's, then everything else's in one go.
fn native_tests(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    ensure_c_compiler()?;
    if let Some((name, _)) = native::integration_tests(JOURNEYS)?.iter().find(|(_, by_default)| *by_default) {
        bail!(
            "{JOURNEYS}: the test {name} needs `test = false` in its [[test]] entry, so that a plain `cargo test` \
             needs no browser; the journeys stage runs it by name"
        );
    }
    let mut own = command::cargo();
    own.args(["test", "--locked", "--package", "xtask"]).args(filter);
    command::run_counted(&mut own, tally)?;
    command::run_counted(native::workspace("test").arg("--no-fail-fast").args(filter), tally)
}

/// What the server answers, with its data on a PostgreSQL server that is thrown away afterwards.
fn postgres_tests(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    postgres::install_clock()?;
    let cluster = Cluster::start(&postgres::install()?, Durability::Thrown)?;
    let mut test = native::workspace("test");
    // The server's own, besides: its two schemas and its statements.
    test.args(["--no-fail-fast", "--lib", "--test", HTTP]).args(filter);
    test.env("LATCHKEY_TEST_POSTGRES", cluster.url("postgres"));
    command::run_counted(&mut test, tally).context("on PostgreSQL")
}

/// The journeys, against the server and the files that were just built.
fn journeys(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let mut tests = native::integration_tests(JOURNEYS)?;
    tests.retain(|(name, _)| name != MATRIX);
    ensure!(!tests.is_empty(), "{JOURNEYS} has no tests");
    let chromium = browsers::chromium()?;
    let clients = counterparts::install()?;
    let nginx = nginx::install()?;
    let built = build::wasm()?;
    let [server] = native::binaries(false, ["latchkey"])?;
    let mut test = native::workspace("test");
    test.arg("--no-fail-fast");
    for (name, _) in tests.iter().filter(|(name, _)| name != PACKAGES) {
        test.args(["--test", name]);
    }
    test.args(filter)
        .env("XTASK_SERVER", server)
        .env("XTASK_SDK", built.sdk)
        .env("XTASK_CLIENTS", clients)
        .env("XTASK_NGINX", nginx);
    chromium.announce_to(&mut test);
    command::run_counted(&mut test, tally).context("the journeys")
}

/// The npm package and the script tag, as others use them.
fn package_tests(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let chromium = browsers::chromium()?;
    let built = build::wasm()?;
    let sites = packages::build(&built)?;
    let [server] = native::binaries(false, ["latchkey"])?;
    let mut test = native::workspace("test");
    test.args(["--no-fail-fast", "--test", PACKAGES]).args(filter);
    test.env("XTASK_SERVER", server).env("XTASK_SDK", built.sdk).env("XTASK_PACKAGES", sites);
    chromium.announce_to(&mut test);
    command::run_counted(&mut test, tally).context("the packages")
}

/// The cells of the matrix that are in the test command, in all three browsers.
fn matrix(filter: Option<&str>, tally: &mut Tally) -> Result<()> {
    let (chromium, others) = (browsers::chromium()?, browsers::others()?);
    let built = build::wasm()?;
    let [server] = native::binaries(false, ["latchkey"])?;
    let mut test = native::workspace("test");
    test.args(["--test", MATRIX]).args(filter);
    test.env("XTASK_SERVER", server).env("XTASK_SDK", built.sdk);
    chromium.announce_to(&mut test);
    others.announce_to(&mut test);
    command::run_counted(&mut test, tally).context("the matrix")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(only: &[Stage], filter: Option<&str>) -> Vec<Stage> {
        chosen(&Options { only: only.to_vec(), filter: filter.map(str::to_owned) })
    }

    #[test]
    fn without_a_choice_every_stage_runs_in_order() {
        assert_eq!(stages(&[], None), Stage::value_variants());
    }

    #[test]
    fn journeys_never_run_against_a_stale_build() {
        assert_eq!(stages(&[Stage::Journeys], None), [Stage::Build, Stage::Journeys]);
        assert_eq!(stages(&[Stage::Packages], None), [Stage::Build, Stage::Packages]);
        assert_eq!(stages(&[Stage::Matrix], None), [Stage::Build, Stage::Matrix]);
    }

    #[test]
    fn a_filter_alone_leaves_the_stages_without_tests_out() {
        let with_tests = [
            Stage::Native,
            Stage::Postgres,
            Stage::Modules,
            Stage::Build,
            Stage::Wasm,
            Stage::Packages,
            Stage::Journeys,
            Stage::Matrix,
        ];
        assert_eq!(stages(&[], Some("code")), with_tests);
    }
}
