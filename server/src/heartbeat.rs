//! The centre's pulse: regions tell by it how old what they hold may be.

use std::time::Duration;

use crate::{state::App, store::regions};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Beats for as long as the server runs, or finds that there can be no regions.
pub async fn run(app: App) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut fails = false;
    loop {
        ticks.tick().await;
        match regions::beat(&app.store).await {
            Ok(true) => fails = false,
            Ok(false) => return,
            Err(error) => {
                if !fails {
                    tracing::warn!(%error, "regions are not told that the centre is there");
                }
                fails = true;
            }
        }
    }
}
