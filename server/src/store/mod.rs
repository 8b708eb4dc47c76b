//! The only place with SQL.
//!
//! A request takes one [`Unit`] of work: a snapshot to read from, or the single writer. Store functions take the
//! unit; what a unit changed is seen by others when [`Unit::commit`] has returned, which is the last line of the
//! request that does it.
//!
//! The verbs are a closed list: `insert find list consume touch revoke sweep`, and `remove` for what ends.

pub mod applications;
pub mod audit_log;
pub mod authorization_codes;
pub mod consents;
pub mod frame_sessions;
pub mod gate_changes;
pub mod grants;
pub mod invitations;
pub mod kept_forms;
pub mod memberships;
pub mod organizations;
pub mod projects;
pub mod refresh_tokens;
pub mod refused_origins;
pub mod resource_servers;
pub mod sessions;
pub mod signing_keys;
pub mod tokens;
pub mod transactions;
pub mod users;

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use latchkey_gate::database::Database as Remembered;

use sqlx::{
    Sqlite, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{audit::By, clock::Clock};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a writer waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a connection before the server says that it is overloaded.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read; SQLite lets them read while one writes.
const READERS: u32 = 8;

/// Where the database is, as `--database` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:///path/to/file.db`: an embedded file.
    Sqlite(std::path::PathBuf),
}

/// Why a text does not name a database.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DatabaseUrlError {
    /// PostgreSQL is not part of this version.
    #[error("PostgreSQL is not supported by this version; use sqlite:///path/to/latchkey.db")]
    Postgres,
    /// The URL has no scheme this server knows, or no path.
    #[error("a database is named by a URL such as sqlite:///var/lib/latchkey/latchkey.db")]
    Malformed,
}

impl std::str::FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Err(DatabaseUrlError::Postgres);
        }
        let path = text.strip_prefix("sqlite://").or_else(|| text.strip_prefix("sqlite:"));
        let path = path.filter(|path| !path.is_empty() && !path.contains('?'));
        path.map(|path| Self::Sqlite(path.into())).ok_or(DatabaseUrlError::Malformed)
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is such a row already.
    #[error("there is one already")]
    Conflict,
    /// The engine did not answer, or answered with an error.
    #[error(transparent)]
    Engine(sqlx::Error),
    /// The schema could not be brought up to date.
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
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
            latchkey_gate::database::Error::Engine(error) => Self::Engine(error),
            latchkey_gate::database::Error::Unreadable(column) => Self::Unreadable(column),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error() {
            Some(database) if database.is_unique_violation() => Self::Conflict,
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
    Sqlite { writer: SqlitePool, readers: SqlitePool },
}

impl Store {
    /// Opens the database, makes it where there is none, and brings its schema up to date.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let engine = match url {
            DatabaseUrl::Sqlite(path) => Engine::open_sqlite(path).await?,
        };
        Ok(Self { engine, remembered: Arc::default() })
    }

    /// The tokens of this database for the gate, which remembers so many of them.
    pub fn remembered(&self, clock: &Clock, capacity: usize) -> Arc<Remembered> {
        let Engine::Sqlite { readers, .. } = &self.engine;
        let make = || Arc::new(Remembered::new(readers.clone(), clock.clone(), capacity));
        self.remembered.get_or_init(make).clone()
    }

    /// A snapshot to read from.
    pub async fn read(&self) -> Result<Unit, StoreError> {
        match &self.engine {
            Engine::Sqlite { readers, .. } => {
                Ok(Unit { inner: Inner::Sqlite(readers.begin().await?), by: None, remembered: None })
            }
        }
    }

    /// The single writer, on somebody's behalf. What it changed is dropped unless the unit is committed.
    pub async fn write(&self, by: By) -> Result<Unit, StoreError> {
        match &self.engine {
            // IMMEDIATE takes the write lock now: a transaction that reads first and writes later can't be refused
            // half-way because another process wrote in between.
            Engine::Sqlite { writer, .. } => Ok(Unit {
                inner: Inner::Sqlite(writer.begin_with("begin immediate").await?),
                by: Some(by),
                remembered: self.remembered.get().cloned(),
            }),
        }
    }

    /// Closes every connection, so that the file is whole on disk.
    pub async fn close(&self) {
        if let Some(remembered) = self.remembered.get() {
            remembered.close().await;
        }
        match &self.engine {
            Engine::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

impl Engine {
    async fn open_sqlite(path: &Path) -> Result<Self, StoreError> {
        // Who copies it reads people's addresses and may guess at their passwords: it is its owner's alone, and the files
        // that the engine makes beside it are made with the same rights.
        let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode a commit survives a crash of the process at NORMAL, and a crash of the machine at FULL:
            // an acknowledged revocation must not come back.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).test_before_acquire(false);
        let writer = pool().max_connections(1).connect_with(options.clone()).await?;
        SQLITE_MIGRATIONS.run(&writer).await?;
        let readers = pool().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self::Sqlite { writer, readers })
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
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Unit {
    /// Writes on somebody else's behalf from now on: who it is may have to be read first.
    pub fn act_for(&mut self, by: By) {
        self.by = Some(by);
    }

    /// On whose behalf it writes.
    fn by(&self) -> Result<&By, StoreError> {
        self.by.as_ref().ok_or(StoreError::ReadOnly)
    }

    /// Makes what was changed last, and visible to others: no request that comes later is judged by what was before.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Inner::Sqlite(mut transaction) = self.inner;
        let Some(remembered) = self.remembered else { return Ok(transaction.commit().await?) };
        let changes = remembered.changes(&mut transaction).await?;
        match transaction.commit().await {
            Ok(()) => remembered.apply(&changes),
            // Whether it was committed or not is unknown then. Its changes are not counted as heard of, for others may
            // come under the same numbers, and nothing that is remembered counts until they are read again.
            Err(error) => {
                remembered.distrust();
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// Runs one statement on the engine at hand: `statement!(unit, fetch_optional Row, SQL, bind, bind)`.
///
/// The SQL text is the same for every engine; an engine is one arm here.
macro_rules! statement {
    ($unit:expr, execute, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $unit.inner {
            $crate::store::Inner::Sqlite(transaction) => sqlx::query($sql)
                $(.bind($bind))*
                .execute(&mut **transaction)
                .await
                .map(|done| done.rows_affected())
                .map_err($crate::store::StoreError::from),
        }
    };
    ($unit:expr, $fetch:ident $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        match &mut $unit.inner {
            $crate::store::Inner::Sqlite(transaction) => sqlx::query_as::<_, $row>($sql)
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

    #[test]
    fn a_database_is_named_by_a_url() {
        assert_eq!("sqlite:///a/b.db".parse(), Ok(DatabaseUrl::Sqlite("/a/b.db".into())));
        assert_eq!("sqlite:b.db".parse(), Ok(DatabaseUrl::Sqlite("b.db".into())));
        assert_eq!("postgres://x".parse::<DatabaseUrl>(), Err(DatabaseUrlError::Postgres));
        for wrong in ["", "sqlite://", "/a/b.db", "mysql://x", "sqlite:///a?mode=memory"] {
            assert_eq!(wrong.parse::<DatabaseUrl>(), Err(DatabaseUrlError::Malformed), "{wrong:?}");
        }
    }
}
