//! Sites that ask for an application they are not registered for, so that its admins see what their site lacks.
//!
//! Anybody can make a site ask: so many of one application are taken note of between two writings, and so many of all.
//! Who floods one application pushes out nothing of another's.

use std::{collections::HashMap, sync::Arc, time::Duration};

use latchkey_protocol::origin::Origin;

use crate::{
    audit::By,
    clock::Clock,
    noted::{Noted, Notes},
    store::{self, Store, StoreError},
};

/// How many different ones of an application are noted until then.
const EACH: usize = 20;
/// How many are noted of all applications. One of which nothing is noted yet finds a place all the same.
const MOST: usize = 2000;

/// Sites that asked and are not written down yet.
#[derive(Debug, Clone, Default)]
pub struct RefusedOrigins(Arc<Noted<Sites>>);

/// Sites by the application that they asked for.
#[derive(Debug, Default)]
struct Sites {
    /// By client id and origin, how often.
    applications: HashMap<String, HashMap<String, u32>>,
    /// How many different ones there are in all.
    all: usize,
}

impl Sites {
    fn note(&mut self, client_id: &str, origin: &str, occurrences: u32) {
        if let Some(of_one) = self.applications.get_mut(client_id) {
            if let Some(noted) = of_one.get_mut(origin) {
                *noted = noted.saturating_add(occurrences);
                return;
            }
            if of_one.len() >= EACH || self.all >= MOST {
                return;
            }
        } else if self.all >= MOST {
            self.make_room();
        }
        self.applications.entry(client_id.to_owned()).or_default().insert(origin.to_owned(), occurrences);
        self.all += 1;
    }

    /// Forgets one of the application of which the most are noted: the one that asked least.
    fn make_room(&mut self) {
        let Some((client_id, of_one)) = self.applications.iter_mut().max_by_key(|(_, of_one)| of_one.len())
        else {
            return;
        };
        let least =
            of_one.iter().min_by_key(|(_, occurrences)| **occurrences).map(|(origin, _)| origin.clone());
        if least.is_some_and(|least| of_one.remove(&least).is_some()) {
            self.all -= 1;
        }
        if of_one.is_empty() {
            let client_id = client_id.clone();
            self.applications.remove(&client_id);
        }
    }
}

impl Notes for Sites {
    const NAME: &str = "sites that were refused";
    const EVERY: Duration = Duration::from_secs(5);

    fn is_empty(&self) -> bool {
        self.applications.is_empty()
    }

    fn add(&mut self, others: Self) {
        for (client_id, origins) in others.applications {
            for (origin, occurrences) in origins {
                self.note(&client_id, &origin, occurrences);
            }
        }
    }

    async fn write(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let now = clock.now();
        let mut unit = store.write(By::server(now)).await?;
        for (client_id, origins) in &self.applications {
            for (origin, occurrences) in origins {
                store::refused_origins::insert(&mut unit, client_id, origin, *occurrences, now).await?;
            }
        }
        unit.commit().await
    }
}

impl RefusedOrigins {
    /// Takes note of a site, where there is room: one that a browser would name.
    pub fn note(&self, client_id: &str, origin: &str) {
        if Origin::parse(origin).is_err() {
            return;
        }
        self.0.lock().note(client_id, origin, 1);
    }

    /// Writes down what was noted, as long as the server runs.
    pub async fn run(self, store: Store, clock: Clock) {
        self.0.run(&store, &clock).await;
    }

    /// Writes down what was noted.
    pub async fn flush(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        self.0.flush(store, clock).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(noted: &Sites) -> usize {
        noted.applications.values().map(HashMap::len).sum()
    }

    #[test]
    fn one_application_never_takes_the_place_of_another() {
        let mut noted = Sites::default();
        for origin in 0..500 {
            noted.note("flooded", &format!("https://a{origin}.example"), 1);
        }
        noted.note("other", "https://www.example", 1);
        assert_eq!((noted.applications["flooded"].len(), noted.applications["other"].len()), (EACH, 1));
    }

    #[test]
    fn an_application_of_which_nothing_is_noted_finds_a_place() {
        let mut noted = Sites::default();
        for (client, origin) in
            (0..MOST / EACH).flat_map(|client| (0..EACH).map(move |origin| (client, origin)))
        {
            noted.note(&format!("c{client}"), &format!("https://a{origin}.example"), 1);
        }
        assert_eq!((noted.all, count(&noted)), (MOST, MOST));
        for client in 0..MOST * 2 {
            noted.note(&format!("new{client}"), "https://www.example", 1);
            assert_eq!(noted.applications[&format!("new{client}")].len(), 1);
            assert_eq!((noted.all, count(&noted)), (MOST, MOST));
        }
    }
}
