//! Time as an argument.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// A moment, in seconds since the Unix epoch.
pub type UnixSeconds = i64;

/// Where the server takes the time from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until a test moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at this moment.
    pub fn manual(now: UnixSeconds) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now)))
    }

    /// The current moment.
    pub fn now(&self) -> UnixSeconds {
        i64::try_from(self.since_epoch().as_secs()).unwrap_or(i64::MAX)
    }

    /// How long it is since the Unix epoch.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn since_epoch(&self) -> Duration {
        match self {
            Self::System => {
                std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
            }
            Self::Manual(now) => manual(now),
        }
    }

    /// How long it is since some fixed moment: for what lies between two of these. It never goes back, even where
    /// the machine's clock is set.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
    pub fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => START.elapsed(),
            Self::Manual(now) => manual(now),
        }
    }

    /// Moves a manual clock; the machine's clock does not move.
    pub fn advance(&self, secs: i64) {
        if let Self::Manual(now) = self {
            now.fetch_add(secs, Ordering::SeqCst);
        }
    }
}

fn manual(now: &AtomicI64) -> Duration {
    Duration::from_secs(u64::try_from(now.load(Ordering::SeqCst)).unwrap_or_default())
}
