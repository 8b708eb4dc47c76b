//! The build helper behind `cargo xtask`: it turns two crates into what a browser loads, finds or installs the
//! tools that takes, and runs the whole suite the way continuous integration does.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line tool: its output is for a person, and it times its own steps by the real clock"
)]

mod apt;
mod bench;
mod browsers;
mod build;
mod command;
mod compress;
mod counterparts;
mod demo;
mod doctor;
mod fuzz;
mod glue;
mod javascript;
mod matrix;
mod modules;
mod names;
mod native;
mod nginx;
mod node;
mod packages;
mod panics;
mod postgres;
mod screenshots;
mod script;
mod size;
mod suite;
mod tally;
mod toolchain;
mod wasm;

use std::{env, ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds, tests and shows Latchkey")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the SDK's npm package and the iframe's files into target/latchkey
    Build {
        /// Also build the release server, one binary with those files inside
        #[arg(long)]
        release: bool,
    },
    /// Run the whole suite, or some of its stages
    Test(suite::Options),
    /// Run the tests that need a browser around the wasm, in headless Chromium
    WasmTest {
        /// Only tests whose name contains this
        filter: Option<String>,
    },
    /// Feed one of the parsers with hostile words, guided by coverage, for as long as wanted
    Fuzz(fuzz::Options),
    /// Measure how fast the gate is, beside a bare route in the same run
    Bench(bench::Options),
    /// Start the demo: a platform and a customer's site, on two ports of this machine
    Demo(demo::Options),
    /// Sign in on every kind of site, in three browsers, and show what came of it: the whole product, or a part
    Matrix(matrix::Options),
    /// Take a picture of every page, in light and dark, wide and narrow, into target/screenshots
    Screenshots,
    /// Show what the SDK weighs beside the committed figures
    Size {
        /// Commit to today's figures: write them to .config/size.toml
        #[arg(long)]
        accept: bool,
    },
    /// Show which tools are here
    Doctor,
    /// What cargo calls for each wasm test binary
    #[command(hide = true, disable_help_flag = true)]
    TestRunner {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// What the one above starts
    #[command(hide = true, disable_help_flag = true)]
    TestRunnerOnce {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match perform(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<()> {
    match task {
        Task::Build { release } => build::run(release),
        Task::Test(options) => suite::run(&options),
        Task::WasmTest { filter } => wasm::test_alone(filter.as_deref()),
        Task::Fuzz(options) => fuzz::run_one(&options),
        Task::Bench(options) => bench::measure(&options),
        Task::Matrix(options) => matrix::run(&options),
        Task::Screenshots => screenshots::run(),
        Task::Demo(options) => demo::run(&options),
        Task::Size { accept } => size::run(accept),
        Task::Doctor => doctor::run(),
        Task::TestRunner { args } => wasm::run_program(&args),
        Task::TestRunnerOnce { .. } => {
            wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(env::args_os().skip(1))
        }
    }
}
