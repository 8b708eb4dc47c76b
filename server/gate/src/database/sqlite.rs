//! The embedded engine: changes are written down in a table, in the order in which they happened, and read from there.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

use super::{Error, change::read};
use crate::cache::{Cache, Change};

/// How often the changes of other processes are read.
pub(super) const EVERY: Duration = Duration::from_millis(100);
/// How long what was heard last is good for.
pub(super) const TRUST: Duration = Duration::from_millis(500);
/// How many changes are looked at one by one. Whoever missed more forgets everything.
const MOST: usize = 10_000;

#[derive(Debug)]
pub(super) struct Reader {
    readers: SqlitePool,
    /// One connection that no request takes: the changes are heard however much is asked.
    listener: SqlitePool,
    /// The last change that was heard of.
    seen: Mutex<Option<i64>>,
}

/// Changes as they were read.
#[derive(Debug)]
pub struct Changes {
    changes: Vec<Change>,
    /// The number of the last of them.
    last: i64,
    /// When they were read.
    at: Duration,
}

impl Changes {
    /// What one transaction changed, which has no number among others.
    pub(super) fn of_one(changes: Vec<Change>, at: Duration) -> Self {
        Self { changes, last: 0, at }
    }

    pub(super) fn anything(at: Duration) -> Self {
        Self::of_one(vec![Change::Anything], at)
    }

    pub(super) fn all(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn at(&self) -> Duration {
        self.at
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    subject: String,
    key: String,
    user_id: Option<String>,
}

impl Reader {
    pub(super) fn new(readers: SqlitePool) -> Self {
        let options = readers.connect_options();
        let listener = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_lazy_with((*options).clone());
        Self { readers, listener, seen: Mutex::default() }
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) async fn read(&self, at: Duration) -> Result<Changes, Error> {
        let mut listener = self.listener.acquire().await?;
        self.changes(at, &mut listener).await
    }

    pub(super) async fn changes(
        &self,
        at: Duration,
        connection: &mut SqliteConnection,
    ) -> Result<Changes, Error> {
        let seen = *self.seen();
        let (changes, last) = match seen {
            None => (vec![Change::Anything], last(connection).await?),
            Some(seen) => since(seen, connection).await?,
        };
        Ok(Changes { changes, last, at })
    }

    pub(super) fn apply(&self, changes: &Changes, cache: &Cache) {
        let mut seen = self.seen();
        cache.apply(&changes.changes);
        *seen = match *seen {
            // Who reads less than another one did, and at the same time, changes nothing by it.
            Some(seen) if !changes.changes.contains(&Change::Anything) => Some(seen.max(changes.last)),
            Some(_) | None => Some(changes.last),
        };
    }

    pub(super) async fn close(&self) {
        self.listener.close().await;
    }

    fn seen(&self) -> MutexGuard<'_, Option<i64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of the last change there is.
async fn last(connection: &mut SqliteConnection) -> Result<i64, Error> {
    const LAST: &str = "select coalesce(max(id), 0) from gate_changes";
    Ok(sqlx::query_scalar(LAST).fetch_one(connection).await?)
}

/// What changed since the change with this number. That one is read too: where it is not there any more, others that
/// came after it may be gone as well.
async fn since(seen: i64, connection: &mut SqliteConnection) -> Result<(Vec<Change>, i64), Error> {
    const SINCE: &str =
        "select id, subject, key, user_id from gate_changes where id >= $1 order by id limit $2";
    let most = i64::try_from(MOST + 2).unwrap_or(i64::MAX);
    let rows: Vec<Row> = sqlx::query_as(SINCE).bind(seen).bind(most).fetch_all(&mut *connection).await?;
    let is_complete = seen == 0 || rows.first().is_some_and(|row| row.id == seen);
    if !is_complete || rows.len() > MOST {
        return Ok((vec![Change::Anything], last(connection).await?));
    }
    let last = rows.last().map_or(seen, |row| row.id);
    Ok((
        rows.into_iter()
            .filter(|row| row.id != seen)
            .map(|row| read(&row.subject, &row.key, row.user_id.as_deref()))
            .collect(),
        last,
    ))
}
