//! The whole product of the matrix, or what a filter leaves of it, as a table: `cargo xtask matrix`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to a person")]

use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Parser;
use latchkey_journeys::{
    engine::Engine,
    matrix::{Cell, Ground, Played, all, play_all},
};

/// Plays cells of the matrix and prints what came of each.
#[derive(Debug, Parser)]
struct Matrix {
    /// Only cells with all of these values, such as `coop=same-origin mode=popup`; the name of an engine is one, too
    values: Vec<String>,
}

fn main() -> ExitCode {
    let options = Matrix::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("matrix: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(options.values)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("matrix: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(values: Vec<String>) -> Result<()> {
    let named = |engine: &Engine| values.iter().any(|value| value == engine.name());
    let mut engines: Vec<Engine> = Engine::ALL.into_iter().filter(named).collect();
    if engines.is_empty() {
        engines = Engine::ALL.to_vec();
    }
    let is_engine = |value: &&String| Engine::ALL.iter().any(|engine| engine.name() == *value);
    let wanted: Vec<&String> = values.iter().filter(|value| !is_engine(value)).collect();
    let chosen = |cell: &Cell| {
        let text = cell.to_string();
        wanted.iter().all(|value| text.split(' ').any(|one| one == *value))
    };
    let cells: Vec<Cell> = all().into_iter().filter(chosen).collect();
    ensure!(!cells.is_empty(), "no cell has all of these values; they are written as in the table");
    let (mut played, mut failed, mut left_out) = (0, 0, 0);
    for engine in engines {
        let shown: Vec<Cell> = cells.iter().filter(|cell| cell.can_be_shown(engine)).cloned().collect();
        left_out += cells.len() - shown.len();
        let ground = Ground::start(&shown).await?;
        let ended = play_all(&ground, engine, shown, print).await;
        ground.stop().await?;
        played += ended.len();
        failed += ended.iter().filter(|one| one.result.is_err()).count();
    }
    println!("{} cells as documented, {failed} not", played - failed);
    if left_out > 0 {
        println!("{left_out} cells were left out: their engine's driver answers nothing any more in them");
    }
    if failed > 0 {
        bail!("pictures of what failed are in target/matrix");
    }
    Ok(())
}

fn print(played: &Played) {
    let (mark, told) = match &played.result {
        Ok(told) => ("ok", told.clone()),
        Err(error) => ("NOT", format!("{error:#}; expected {:?}", played.expected)),
    };
    let told = told.replace('\n', " ");
    println!(
        "{mark:<4}{:<9} {}  {:.1} s  {told}",
        played.engine.name(),
        played.cell,
        played.took.as_secs_f64()
    );
}
