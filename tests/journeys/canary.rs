//! The canary itself: it looks where the server really writes.

use anyhow::{Context, Result, ensure};
use latchkey_journeys::{
    canary::Kind,
    data::ADA,
    stage::{Scheme, Stage},
};

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
