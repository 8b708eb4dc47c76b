//! Waiting for what somebody else does.

use std::time::Duration;

use latchkey_server::clock::Clock;

/// Until it is so, which must be within this time, and how long that took.
pub(crate) async fn until(patience: Duration, what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let since = Clock::System.elapsed();
    while !is_so().await {
        assert!(Clock::System.elapsed() - since < patience, "not within {patience:?}: {what}");
        tokio::task::yield_now().await;
    }
    Clock::System.elapsed() - since
}
