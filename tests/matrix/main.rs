//! The matrix in real browsers: every pair of values in Chromium, what differs in Firefox and WebKitGTK.
#![allow(missing_docs, clippy::print_stderr, reason = "these are tests, with real browsers")]

use std::fmt::Write;

use latchkey_journeys::{
    engine::Engine,
    matrix::{Cell, Ground, elsewhere, every_pair, extra, play_all},
};

/// Plays the cells, and fails with all that did not end as documented.
async fn plays(engine: Engine, cells: Vec<Cell>) -> Result<(), String> {
    let ground = Ground::start().await.map_err(|error| format!("{error:#}"))?;
    let played = play_all(&ground, engine, cells, |_| {}).await;
    ground.stop().await.map_err(|error| format!("{error:#}"))?;
    let mut failures = String::new();
    for one in played.iter() {
        if let Err(error) = &one.result {
            let _ = write!(failures, "\n{} {}: {:?}, but {error:#}", engine.name(), one.cell, one.expected);
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

#[tokio::test]
async fn every_pair_of_conditions_comes_to_its_documented_end_in_chromium() -> Result<(), String> {
    plays(Engine::Chromium, [every_pair(), extra()].concat()).await
}

#[tokio::test]
async fn what_engines_do_in_their_own_ways_comes_to_the_same_end_in_firefox() -> Result<(), String> {
    plays(Engine::Firefox, [elsewhere(), extra()].concat()).await
}

#[tokio::test]
async fn what_engines_do_in_their_own_ways_comes_to_the_same_end_in_webkit() -> Result<(), String> {
    plays(Engine::WebKit, [elsewhere(), extra()].concat()).await
}
