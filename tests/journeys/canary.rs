//! The canary itself: it looks where the server really writes.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    browser::{Browser, Options},
    canary::Kind,
    data::ADA,
    stage::{Scheme, Stage},
};

use crate::journey::journeys;

journeys! {
    fn every_cookie_that_the_browser_held_is_known_at_the_end(journey) on Loopback {
        journey.sign_in(ADA).await?;
        journey.browser.open(&format!("{}/", journey.stage.platform())).await?;
        let before = journey.browser.cookies().await;
        journey.browser.click("#sign-out").await?;
        journey.browser.see("#sign-in").await?;
        let after = journey.browser.cookies().await;
        ensure!(before.len() >= 2 && after.is_superset(&before), "{} and {}", before.len(), after.len());
        ensure!(before.iter().all(|value| value.len() == 43), "a cookie of the platform looks otherwise");
    }
}

/// What is found when this is called a secret.
async fn found(kind: Kind, value: &str) -> Result<String> {
    let mut stage = Stage::start(Scheme::Loopback).await?;
    stage.mark(kind, value);
    let error = stage.stop().await.err().context("nothing is found")?;
    Ok(format!("{error:#}"))
}

#[tokio::test]
async fn what_the_server_tells_is_found() -> Result<()> {
    // The second is told by a library of the server's, of every statement: they tell everything as well.
    for told in ["listening on", "sqlx::query"] {
        let found = found(Kind::State, told).await.context(told)?;
        ensure!(found.contains("of the log holds a state:") && found.contains(told), "{found}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_server_keeps_is_found() -> Result<()> {
    let found = found(Kind::Password, ADA.email).await?;
    ensure!(found.starts_with("latchkey.db") && found.ends_with("it holds a password"), "{found}");
    Ok(())
}

#[tokio::test]
async fn what_a_page_shows_is_found() -> Result<()> {
    let mut stage = Stage::start(Scheme::Loopback).await?;
    let browser = Browser::start(Options::default()).await?;
    browser.open(&format!("{}/login/?from=canary", stage.platform())).await?;
    browser.fill("#email", ADA.email).await?;
    stage.search_pages(&browser.pages().await)?;
    // The page before is searched as well.
    browser.open(&format!("{}/", stage.site("customer"))).await?;
    stage.mark(Kind::Password, "name=\"csrf\"");
    let error = stage.search_pages(&browser.pages().await).err().context("nothing is found")?;
    let error = format!("{error:#}");
    ensure!(error == format!("a page at {}/login/: it holds a password", stage.platform()), "{error}");
    browser.stop().await?;
    stage.stop().await
}
