//! The matrix in real browsers: every pair of values in Chromium, what differs in Firefox and WebKitGTK.
#![allow(missing_docs, clippy::print_stderr, reason = "these are tests, with real browsers")]

use std::fmt::Write;

use anyhow::ensure;
use latchkey_journeys::{
    browser::{Browser, Options},
    engine::{Engine, ThirdParty},
    matrix::{Cell, Ground, elsewhere, every_pair, extra, play_all},
};

/// Plays the cells, and fails with all that did not end as documented.
async fn plays(engine: Engine, cells: Vec<Cell>) -> Result<(), String> {
    let ground = Ground::start(&cells).await.map_err(|error| format!("{error:#}"))?;
    let played = play_all(&ground, engine, cells, |_| {}).await;
    ground.stop().await.map_err(|error| format!("{error:#}"))?;
    let mut failures = String::new();
    for one in &played {
        if let Err(error) = &one.result {
            let _ = write!(failures, "\n{} {}: {:?}, but {error:#}", engine.name(), one.cell, one.expected);
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// What a frame of another site can keep: storage, and a cookie that is `Partitioned`.
const KEEPS: &str = "let storage = false;
    try { localStorage.setItem('kept', '1'); storage = localStorage.getItem('kept') === '1'; } catch {}
    document.cookie = '__Host-kept=1; Path=/; Secure; SameSite=None; Partitioned';
    return `${storage} ${document.cookie.includes('kept')}`";

/// Whether the page is told that the toolbar's frame can keep no cookie.
const IS_TOLD: &str = "return client.diagnose().then(({ findings }) =>
    findings.some(({ check, setting }) => check === 'cookies' && setting === 'cookies of other sites'))";

/// The matrix stands on what its browsers keep and tell: if they did not, its cells would prove nothing.
async fn is_what_it_is_taken_for(engine: Engine, partitioned: &str, blocked: &str) -> anyhow::Result<()> {
    let ground = Ground::start(&[]).await?;
    for (third_party, expected) in [(ThirdParty::Partitioned, partitioned), (ThirdParty::Blocked, blocked)] {
        let browser = Browser::start(Options { engine, third_party, ..Options::default() }).await?;
        browser.open(&ground.page()).await?;
        browser.until("window.told?.started === 'started'").await?;
        let is_told = browser.run(IS_TOLD).await?;
        browser.run("fail()").await?;
        browser.until("told.errors.length > 0").await?;
        browser.enter_toolbar().await?;
        let keeps = browser.run(KEEPS).await?;
        // WebKitGTK tells its driver nothing: there, what the page itself hears must do.
        if engine != Engine::WebKit {
            browser.complains("nobody catches this").await?;
        }
        browser.stop().await?;
        ensure!(keeps == expected, "{third_party:?}: storage and cookie are {keeps}");
        let keeps_cookies = expected.ends_with("true");
        ensure!(is_told != keeps_cookies, "{third_party:?}: a diagnosis that speaks of cookies: {is_told}");
    }
    ground.stop().await
}

#[tokio::test]
async fn every_pair_of_conditions_comes_to_its_documented_end_in_chromium() -> Result<(), String> {
    plays(Engine::Chromium, [every_pair(), extra()].concat()).await
}

#[tokio::test]
async fn what_engines_do_in_their_own_ways_comes_to_the_same_end_in_firefox() -> Result<(), String> {
    plays(Engine::Firefox, elsewhere()).await
}

#[tokio::test]
async fn what_engines_do_in_their_own_ways_comes_to_the_same_end_in_webkit() -> Result<(), String> {
    plays(Engine::WebKit, elsewhere().into_iter().filter(|cell| cell.can_be_shown(Engine::WebKit)).collect())
        .await
}

#[tokio::test]
async fn chromium_keeps_and_tells_what_the_matrix_stands_on() -> Result<(), String> {
    let taken_for = is_what_it_is_taken_for(Engine::Chromium, "true true", "false false").await;
    taken_for.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn firefox_keeps_and_tells_what_the_matrix_stands_on() -> Result<(), String> {
    let taken_for = is_what_it_is_taken_for(Engine::Firefox, "true true", "false false").await;
    taken_for.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn webkit_keeps_and_tells_what_the_matrix_stands_on() -> Result<(), String> {
    let taken_for = is_what_it_is_taken_for(Engine::WebKit, "true false", "true false").await;
    taken_for.map_err(|error| format!("{error:#}"))
}
