//! What requests leave to be written down off their path, together with whatever else came meanwhile.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::Clock,
    store::{Store, StoreError},
};

/// What is taken note of.
pub trait Notes: Default {
    /// What it is, as a log says it.
    const NAME: &'static str;
    /// How often it is written down.
    const EVERY: Duration;

    /// Whether there is nothing to write down.
    fn is_empty(&self) -> bool;

    /// Notes what others noted, too.
    fn add(&mut self, others: Self);

    /// Writes it down, all of it or nothing.
    fn write(&self, store: &Store, clock: &Clock) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What was noted and is not written down yet.
#[derive(Debug, Default)]
pub struct Noted<N>(Mutex<N>);

impl<N: Notes> Noted<N> {
    /// To take note of something.
    pub fn lock(&self) -> MutexGuard<'_, N> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was noted, as long as the server runs.
    pub async fn run(&self, store: &Store, clock: &Clock) {
        let mut ticks = tokio::time::interval(N::EVERY);
        loop {
            ticks.tick().await;
            if let Err(error) = self.flush(store, clock).await {
                tracing::warn!(%error, "{} could not be written down", N::NAME);
            }
        }
    }

    /// Writes down what was noted. What could not be written is noted still.
    pub async fn flush(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let notes = std::mem::take(&mut *self.lock());
        if notes.is_empty() {
            return Ok(());
        }
        notes.write(store, clock).await.inspect_err(|_| self.lock().add(notes))
    }
}

#[cfg(test)]
mod tests {
    use crate::store::DatabaseUrl;

    use super::*;

    #[derive(Debug, Default)]
    struct Words(Vec<&'static str>);

    impl Notes for Words {
        const NAME: &str = "words";
        const EVERY: Duration = Duration::from_secs(1);

        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }

        fn add(&mut self, others: Self) {
            self.0.extend(others.0);
        }

        async fn write(&self, store: &Store, _: &Clock) -> Result<(), StoreError> {
            store.read().await.map(drop)
        }
    }

    #[tokio::test]
    async fn what_could_not_be_written_down_is_noted_still() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("latchkey.db"))).await.unwrap();
        let (noted, clock) = (Noted::<Words>::default(), Clock::manual(0));
        noted.lock().0.push("first");
        noted.flush(&store, &clock).await.unwrap();
        assert!(noted.lock().is_empty());

        noted.lock().0.push("second");
        store.close().await;
        assert!(noted.flush(&store, &clock).await.is_err());
        noted.lock().0.push("third");
        noted.lock().0.sort_unstable();
        assert_eq!(noted.lock().0, ["second", "third"]);
    }
}
