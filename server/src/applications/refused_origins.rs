//! Sites that ask for an application they are not registered for, so that its admins see what their site lacks.
//!
//! Anybody can make a site ask: so many are taken note of between two writings, and so many kept of one application.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use latchkey_protocol::origin::Origin;

use crate::{
    audit::By,
    clock::Clock,
    store::{self, Store, StoreError},
};

/// How often they are written down.
const EVERY: Duration = Duration::from_secs(5);
/// How many different ones are noted until then.
const MOST: usize = 200;

/// Sites that asked and are not written down yet: by client id and origin, how often.
#[derive(Debug, Clone, Default)]
pub struct RefusedOrigins(Arc<Mutex<HashMap<(String, String), u32>>>);

impl RefusedOrigins {
    /// Takes note of a site, where there is room: one that a browser would name.
    pub fn note(&self, client_id: &str, origin: &str) {
        if Origin::parse(origin).is_err() {
            return;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client_id.to_owned(), origin.to_owned());
        if let Some(occurrences) = noted.get_mut(&key) {
            *occurrences = occurrences.saturating_add(1);
        } else if noted.len() < MOST {
            noted.insert(key, 1);
        }
    }

    /// Writes down what was noted, as long as the server runs.
    pub async fn run(self, store: Store, clock: Clock) {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            if let Err(error) = self.flush(&store, &clock).await {
                tracing::warn!(%error, "sites that were refused could not be written down");
            }
        }
    }

    /// Writes down what was noted.
    pub async fn flush(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if noted.is_empty() {
            return Ok(());
        }
        let now = clock.now();
        let mut unit = store.write(By::server(now)).await?;
        for ((client_id, origin), occurrences) in noted {
            store::refused_origins::insert(&mut unit, &client_id, &origin, occurrences, now).await?;
        }
        unit.commit().await
    }
}
