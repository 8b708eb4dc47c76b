//! The only place with SQL.
//!
//! A request takes one [`Unit`] of work: a snapshot to read from, or a writer, before which it may take a look. Store
//! functions take the unit; what a unit changed is seen by others when [`Unit::commit`] has returned, which is the last
//! line of the request that does it.
//!
//! The verbs are a closed list: `insert find list consume touch revoke sweep`, and `remove` for what ends.

pub mod applications;
pub mod audit_log;
pub mod authorities;
pub mod authorization_codes;
pub mod backups;
pub mod consents;
pub mod counters;
mod errand;
pub mod frame_sessions;
pub mod gate_changes;
pub mod grants;
mod group_commit;
pub mod invitations;
pub mod kept_forms;
mod looks;
pub mod memberships;
pub mod moving;
pub mod organizations;
mod postgres;
pub mod projects;
pub mod refresh_tokens;
pub mod refused_origins;
pub mod regions;
pub mod resource_servers;
pub mod rounds;
#[cfg(test)]
mod schema;
pub mod sessions;
pub mod signing_keys;
mod sqlite;
pub mod subscriptions;
pub mod tokens;
pub mod transactions;
mod url;
pub mod users;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use latchkey_gate::database::Database as Remembered;

pub use url::{DatabaseUrl, DatabaseUrlError, PostgresUrl, shown};

use crate::{
    audit::By,
    clock::{Clock, UnixSeconds},
    config::Limits,
    store::counters::Counters,
};

/// How long a request waits for a connection before the server says that it is overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is such a row already.
    #[error("there is one already")]
    Conflict,
    /// Others changed the same in the meantime, so that nothing was done: it is to be done again from the beginning.
    #[error("others changed the same in the meantime: {0}")]
    Contended(#[source] sqlx::Error),
    /// A text holds what the engine keeps in none, as PostgreSQL does a NUL.
    #[error("a text that the database cannot hold: {0}")]
    NoText(#[source] sqlx::Error),
    /// The engine did not answer, or answered with an error.
    #[error(transparent)]
    Engine(sqlx::Error),
    /// The same, to all that shared a transaction.
    #[error("a transaction that several units of work share: {0}")]
    Shared(#[source] Arc<sqlx::Error>),
    /// The schema could not be brought up to date.
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database keeps texts in an encoding that lacks some of them.
    #[error(
        "it is encoded in {0}, which does not hold everybody's name: make it with `create database … template template0 \
         encoding 'UTF8'`"
    )]
    Encoding(String),
    /// Another process has locked the file.
    #[error("another process has the file to itself, as `latchkey migrate --to` does until it has moved")]
    Locked,
    /// An embedded database that is a server's now.
    #[error(
        "it has moved to a server, where what was done since is, such as revocations: name that one in --database. To go \
         back to what the file holds, and to lose the rest, run `latchkey migrate --take-back` with it first"
    )]
    Moved,
    /// An embedded database has come here in part.
    #[error(
        "a database that moves here is not complete: run the same `latchkey migrate --to` again until it is"
    )]
    Moving,
    /// A region's database was opened as one that everything is in.
    #[error("this database is a region's: `latchkey serve --role region` is for it")]
    Region,
    /// A database that is no region's was opened as one.
    #[error("this database is no region's: run `latchkey region subscribe` first")]
    NoRegion,
    /// A region's was opened at a server that follows another one.
    #[error(
        "this server is a standby, which may be later than the server that it follows: name that one in --database"
    )]
    Standby,
    /// The unit only reads.
    #[error("a unit that reads was asked to write")]
    ReadOnly,
    /// A row holds a value that this version does not know.
    #[error("the column {0} holds a value that this version does not know")]
    Unreadable(&'static str),
}

impl From<latchkey_gate::database::Error> for StoreError {
    fn from(error: latchkey_gate::database::Error) -> Self {
        match error {
            latchkey_gate::database::Error::Engine(error) => error.into(),
            latchkey_gate::database::Error::Unreadable(column) => Self::Unreadable(column),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::Conflict,
            Some(database) if postgres::is_no_text(database) => Self::NoText(error),
            Some(database) if postgres::is_contended(database) => Self::Contended(error),
            Some(_) | None => Self::Engine(error),
        }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    /// What the gate remembers of this database, which is told of every change before the change is acknowledged.
    remembered: Arc<OnceLock<Arc<Remembered>>>,
}

#[derive(Debug, Clone)]
enum Engine {
    Sqlite(sqlite::File),
    Postgres(postgres::Server),
}

impl Store {
    /// Opens the database, makes the file where there is none, and brings its schema up to date.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let engine = match url {
            DatabaseUrl::Sqlite(path) => Engine::Sqlite(sqlite::File::open(path).await?),
            DatabaseUrl::Postgres(url) => Engine::Postgres(postgres::Server::open(url).await?),
        };
        Ok(Self { engine, remembered: Arc::default() })
    }

    /// Opens a region's database, as it is: PostgreSQL's own replication writes there, and nobody else.
    pub async fn open_region(url: &PostgresUrl) -> Result<Self, StoreError> {
        let engine = Engine::Postgres(postgres::Server::open_region(url).await?);
        Ok(Self { engine, remembered: Arc::default() })
    }

    /// Whether it is a region's, in which nothing can be written.
    pub fn is_region(&self) -> bool {
        matches!(&self.engine, Engine::Postgres(server) if server.is_region)
    }

    /// The tokens of this database for the gate, which remembers so many of them.
    pub fn remembered(&self, clock: &Clock, limits: &Limits) -> Arc<Remembered> {
        let capacity = limits.remembered_tokens;
        let make = || {
            Arc::new(match &self.engine {
                Engine::Sqlite(file) => Remembered::of_sqlite(file.readers.clone(), clock.clone(), capacity),
                Engine::Postgres(server) if server.is_region => {
                    let pool = server.pool.clone();
                    Remembered::of_region(pool, clock.clone(), capacity, limits.staleness)
                }
                Engine::Postgres(server) => {
                    Remembered::of_postgres(server.pool.clone(), clock.clone(), capacity)
                }
            })
        };
        self.remembered.get_or_init(make).clone()
    }

    /// Whether writers may be in each other's way, so that what one of them does may have to be done again.
    pub fn has_many_writers(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_)) && !self.is_region()
    }

    /// Where several processes count together, if there may be several.
    pub fn counters(&self) -> Option<Counters> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(server) if server.is_region => None,
            Engine::Postgres(server) => Some(Counters(server.counters.clone())),
        }
    }

    /// A snapshot to read from.
    pub async fn read(&self) -> Result<Unit, StoreError> {
        let inner = match &self.engine {
            Engine::Sqlite(file) => Inner::Sqlite(file.read().await?),
            Engine::Postgres(server) => Inner::Postgres(server.read().await?),
        };
        Ok(Unit { inner, by: None, remembered: None })
    }

    /// What is there now, statement by statement, where one is enough or a writer looks again: it costs less than a
    /// snapshot, which two statements would agree in.
    pub async fn look(&self) -> Result<Unit, StoreError> {
        let inner = match &self.engine {
            Engine::Sqlite(file) => Inner::Sqlite(file.look().await?),
            Engine::Postgres(_) => return self.read().await,
        };
        Ok(Unit { inner, by: None, remembered: None })
    }

    /// A writer, on somebody's behalf. What it changed is dropped unless the unit is committed.
    pub async fn write(&self, by: By) -> Result<Unit, StoreError> {
        self.begin(by, rounds::is_alone()).await
    }

    /// A writer beside which there is no other: nobody is in its way, and nobody else writes before it is over.
    pub async fn write_alone(&self, by: By) -> Result<Unit, StoreError> {
        self.begin(by, true).await
    }

    async fn begin(&self, by: By, is_alone: bool) -> Result<Unit, StoreError> {
        let inner = match &self.engine {
            Engine::Sqlite(file) => Inner::Sqlite(file.write().await?),
            Engine::Postgres(server) => Inner::Postgres(server.write(is_alone).await?),
        };
        Ok(Unit { inner, by: Some(by), remembered: self.remembered.get().cloned() })
    }

    /// A writer that deletes what has expired, and what time it is at a server. `None` where another process does that at
    /// this moment.
    pub async fn sweep(&self, by: By) -> Result<Option<(Unit, Option<UnixSeconds>)>, StoreError> {
        let mut unit = self.write(by).await?;
        Ok(match &mut unit.inner {
            Inner::Sqlite(_) => Some((unit, None)),
            Inner::Postgres(transaction) => {
                postgres::sweeps_at(transaction).await?.map(|there| (unit, Some(there)))
            }
        })
    }

    /// Closes every connection, so that a file is whole on disk.
    pub async fn close(&self) {
        if let Some(remembered) = self.remembered.get() {
            remembered.close().await;
        }
        match &self.engine {
            Engine::Sqlite(file) => file.close().await,
            Engine::Postgres(server) => server.close().await,
        }
    }
}

/// A unit of work: everything in it happens, or nothing.
#[derive(Debug)]
pub struct Unit {
    inner: Inner,
    /// On whose behalf it writes.
    by: Option<By>,
    /// Who is to forget what this unit changes.
    remembered: Option<Arc<Remembered>>,
}

#[derive(Debug)]
enum Inner {
    Sqlite(sqlite::Transaction),
    Postgres(postgres::Transaction),
}

impl Unit {
    /// Writes on somebody else's behalf from now on: who it is may have to be read first.
    pub fn act_for(&mut self, by: By) {
        self.by = Some(by);
    }

    /// Whether several processes count together in its database.
    fn has_counters(&self) -> bool {
        matches!(self.inner, Inner::Postgres(_))
    }

    /// On whose behalf it writes.
    fn by(&self) -> Result<&By, StoreError> {
        self.by.as_ref().ok_or(StoreError::ReadOnly)
    }

    /// Makes what was changed last, and visible to others: no request that comes later is judged by what was before.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Some(remembered) = self.remembered else {
            return match self.inner {
                Inner::Sqlite(transaction) => transaction.commit().await.map(drop),
                Inner::Postgres(transaction) => postgres::commit(transaction).await,
            };
        };
        let (changes, committed) = match self.inner {
            Inner::Sqlite(mut transaction) => {
                let changes = match transaction.has_changed_the_gate() {
                    true => Some(remembered.changes_of_sqlite(transaction.connection().await?).await?),
                    false => None,
                };
                let committed = match transaction.commit().await {
                    // What was put off until the commit was heard of by nobody. A failure says itself that nothing that
                    // is remembered counts.
                    Ok(true) if changes.is_none() => {
                        let _ = remembered.catch_up().await;
                        Ok(())
                    }
                    committed => committed.map(drop),
                };
                (changes, committed)
            }
            Inner::Postgres(mut transaction) => {
                let changes = remembered.changes_of_postgres(&mut transaction).await?;
                (Some(changes), transaction.commit().await.map_err(StoreError::from))
            }
        };
        match committed {
            Ok(()) => {
                if let Some(changes) = changes {
                    remembered.apply(&changes);
                }
            }
            // Nothing was, and nothing is to be forgotten.
            Err(error @ StoreError::Contended(_)) => return Err(error),
            // Whether it was committed or not is unknown then. Its changes are not counted as heard of, for others may
            // come under the same numbers, and nothing that is remembered counts until they are read again.
            Err(error) => {
                remembered.distrust();
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Runs one statement on the engine at hand: `statement!(unit, fetch_optional Row, SQL, bind, bind)`.
///
/// The SQL text is the same for every engine; an engine is one arm here. With `later` nobody asks what comes of it, and
/// on an engine to which the way is long it is put off until something else goes there, or the commit: it is for what
/// fails only where the engine does, for the failure is another statement's then.
macro_rules! statement {
    ($unit:expr, later, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::store::statement!($unit, @ put_off, execute, $sql $(, $bind)*).map(drop)
    };
    ($unit:expr, execute, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::store::statement!($unit, @ execute, execute, $sql $(, $bind)*)
    };
    ($unit:expr, @ $sqlite:ident, $postgres:ident, $sql:expr $(, $bind:expr)*) => {
        match &mut $unit.inner {
            $crate::store::Inner::Sqlite(transaction) => async {
                let errand = transaction.errand($sql)?$(.bind($bind)?)*;
                transaction.$sqlite(errand).await
            }
            .await
            .map_err($crate::store::StoreError::from),
            $crate::store::Inner::Postgres(transaction) => sqlx::query($sql)
                $(.bind($bind))*
                .$postgres(&mut **transaction)
                .await
                .map(|done| done.rows_affected())
                .map_err($crate::store::StoreError::from),
        }
    };
    ($unit:expr, $fetch:ident $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $unit.inner {
            $crate::store::Inner::Sqlite(transaction) => async {
                let errand = transaction.errand($sql)?$(.bind($bind)?)*;
                transaction.$fetch::<$row>(errand).await
            }
            .await
            .map_err($crate::store::StoreError::from),
            $crate::store::Inner::Postgres(transaction) => sqlx::query_as::<_, $row>($sql)
                $(.bind($bind))*
                .$fetch(&mut **transaction)
                .await
                .map_err($crate::store::StoreError::from),
        }
    };
}
use statement;

/// How the engine goes about a statement: what is done in every request, or for every row, is done by an index.
#[cfg(test)]
mod plan {
    use super::*;

    /// The indexes that it is led by and by how much of their keys, in their order; `scan t` where it reads all of `t`.
    pub(super) async fn steps(sql: &'static str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("latchkey.db"));
        let mut unit = Store::open(&url).await.unwrap().read().await.unwrap();
        let explain = sqlx::AssertSqlSafe(format!("explain query plan {sql}"));
        let lines = statement!(unit, fetch_all(i64, i64, i64, String), explain).unwrap();
        let step = |line: &str| match line.split_once(" INDEX ") {
            Some((_, index)) => Some(index.to_owned()),
            None => line.strip_prefix("SCAN ").map(|table| format!("scan {table}")),
        };
        lines.iter().filter_map(|(_, _, _, line)| step(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_gate_hears_of_what_was_put_off_until_the_commit() {
        const INSERT: &str =
            "insert into organizations (id, slug, name, created_at) values ('o', 'o', 'O', 0)";
        const RENAME: &str = "update organizations set name = $1 where id = 'o'";
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("latchkey.db"))).await.unwrap();
        let remembered = store.remembered(&Clock::manual(0), &Limits::default());
        remembered.catch_up().await.unwrap();
        let before = remembered.applications_epoch();
        let mut unit = store.write(By::server(0)).await.unwrap();
        statement!(unit, later, INSERT).unwrap();
        statement!(unit, later, RENAME, "P").unwrap();
        unit.commit().await.unwrap();
        assert_ne!(before, None);
        assert_ne!(remembered.applications_epoch(), before);
    }

    #[tokio::test]
    async fn the_gate_hears_of_what_was_left_to_the_next_one() {
        const INSERT: &str = "insert into organizations (id, slug, name, created_at) values ($1, $1, 'O', 0)";
        const RENAME: &str = "update organizations set name = 'P' where id = 'o'";
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("latchkey.db"))).await.unwrap();
        let remembered = store.remembered(&Clock::manual(0), &Limits::default());
        let mut unit = store.write(By::server(0)).await.unwrap();
        statement!(unit, execute, INSERT, "o").unwrap();
        unit.commit().await.unwrap();
        remembered.catch_up().await.unwrap();
        let before = remembered.applications_epoch();
        let mut unit = store.write(By::server(0)).await.unwrap();
        statement!(unit, execute, INSERT, "p").unwrap();
        let next = tokio::spawn({
            let store = store.clone();
            async move {
                let mut unit = store.write(By::server(0)).await.unwrap();
                statement!(unit, execute, INSERT, "q").unwrap();
                unit.commit().await
            }
        });
        // It waits for its turn.
        tokio::task::yield_now().await;
        statement!(unit, later, RENAME).unwrap();
        unit.commit().await.unwrap();
        assert_ne!(before, None);
        assert_ne!(remembered.applications_epoch(), before);
        next.await.unwrap().unwrap();
    }
}
