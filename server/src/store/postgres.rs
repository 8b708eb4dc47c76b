//! PostgreSQL: as many writers as there are connections, on as many machines as there are.
//!
//! A writer's transaction is serializable: what it read it could have read alone, so that whatever holds with the one
//! writer of the embedded engine holds with many. Where two of them cannot be put in an order, one is refused
//! ([`StoreError::Contended`]) and whoever asked for it does it [again](super::rounds) from the beginning.

use std::{
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::Arc,
};

use latchkey_gate::database::{answered_in_time, past_cuts};
use sqlx::{
    Connection, PgConnection, PgExecutor, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnectionMetadata,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{ACQUIRE_TIMEOUT, StoreError, url::PostgresUrl};
use crate::clock::UnixSeconds;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Whether an embedded database moves to it at this moment, or would if somebody went on with it.
pub(super) const IS_MOVING: &str = "select to_regclass('moving') is not null";

/// Whether it is a region's: see [`super::subscriptions`].
pub(super) const IS_REGION: &str =
    "select to_regclass('regional.heartbeat') is not null and to_regclass('regional.regions') is null";
/// Whether it follows another server, and may be later than that.
const IS_STANDBY: &str = "select pg_is_in_recovery()";
/// Whether it is a centre's.
pub(super) const IS_CENTRE: &str = "select to_regclass('access_tokens') is not null";

const SERIALIZABLE: &str = "begin isolation level serializable";
/// A writer that has a lock of this kind on a table that stands for all of the database; a server writes nothing there
/// once it has opened it. It hears after a while that others have it, and knows by that that the server is there.
/// Of this lock alone: whoever gave up waiting for a row would do it again, and alone in the end, and keep all writers
/// waiting for whoever has that row.
macro_rules! begin_with_lock {
    ($mode:literal) => {
        concat!(
            "begin isolation level serializable; set local lock_timeout = '2s'; lock table _sqlx_migrations in ",
            $mode,
            " mode; set local lock_timeout = 0"
        )
    };
}
const TOGETHER: &str = begin_with_lock!("row share");
const ALONE: &str = begin_with_lock!("exclusive");

/// Connections of one process.
const CONNECTIONS: u32 = 16;
/// How many of them write at most: while all writers wait for one who is alone, whoever reads does not. Writers who go away
/// meanwhile leave theirs when they have waited for the lock for long enough, and until then there are fewer to read with.
const WRITERS: usize = 12;
/// And those that count.
const COUNTING: u32 = 4;
/// Statements that a connection keeps prepared: more than there are.
const STATEMENTS: usize = 512;
/// A statement that takes longer is given up, and so is a transaction whose process does not go on with it: a machine
/// that is cut off holds no lock for longer.
const PATIENCE: [(&str, &str); 2] =
    [("statement_timeout", "20s"), ("idle_in_transaction_session_timeout", "20s")];
/// In a region nothing is written, whoever tries; the tables there are called as at the centre.
const IN_REGION: [(&str, &str); 2] = [("default_transaction_read_only", "on"), ("search_path", "regional")];

#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) pool: PgPool,
    /// For what is counted beside a unit of work: who holds one never waits for another who does.
    pub(super) counters: PgPool,
    /// A permit for each who may write at once.
    writers: Arc<Semaphore>,
    /// Whether it locks tables. What is compatible with PostgreSQL need not.
    has_locks: bool,
    pub(super) is_region: bool,
}

/// One of its transactions. What it did is undone unless it is committed.
#[derive(Debug)]
pub(super) struct Transaction {
    begun: sqlx::Transaction<'static, Postgres>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Transaction {
    /// Makes it last.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.begun.commit().await
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.begun
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.begun
    }
}

impl Server {
    pub(super) async fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let options = url.options()?.statement_cache_capacity(STATEMENTS);
        let patient = options.clone().options(PATIENCE);
        let migrating = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options.clone())
            .await;
        let migrating = match migrating {
            // A pool that gave up does not say what was in its way.
            Err(sqlx::Error::PoolTimedOut) => return Err(why_not(&options).await.into()),
            opened => opened?,
        };
        if sqlx::query_scalar(IS_STANDBY).fetch_one(&migrating).await? {
            return Err(StoreError::Standby);
        }
        require_utf8(&migrating).await?;
        // A part of a database would let in whom the rest of it keeps out.
        if sqlx::query_scalar(IS_MOVING).fetch_one(&migrating).await? {
            return Err(StoreError::Moving);
        }
        if sqlx::query_scalar(IS_REGION).fetch_one(&migrating).await? {
            return Err(StoreError::Region);
        }
        MIGRATIONS.run(&migrating).await?;
        let has_locks = migrating.begin_with(TOGETHER).await.is_ok();
        migrating.close().await;
        Self::connect(patient, has_locks, false).await
    }

    /// A region's, in which nothing is written, not even the schema.
    pub(super) async fn open_region(url: &PostgresUrl) -> Result<Self, StoreError> {
        let options = url.options()?.statement_cache_capacity(STATEMENTS);
        let opening = PgPoolOptions::new().max_connections(1).acquire_timeout(ACQUIRE_TIMEOUT);
        let opening = opening.connect_with(options.clone().options(IN_REGION)).await?;
        if !sqlx::query_scalar(IS_REGION).fetch_one(&opening).await? {
            return Err(StoreError::NoRegion);
        }
        if sqlx::query_scalar(IS_STANDBY).fetch_one(&opening).await? {
            return Err(StoreError::Standby);
        }
        opening.close().await;
        Self::connect(options.options(PATIENCE).options(IN_REGION), false, true).await
    }

    async fn connect(
        patient: PgConnectOptions,
        has_locks: bool,
        is_region: bool,
    ) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // Asking first would cost every request the way to the server and back once more.
            .test_before_acquire(false)
            .after_release(is_there);
        let pool = match is_region {
            // It knows by its beats how old what it reads is.
            true => pool,
            false => pool.after_connect(|connection, _| Box::pin(refuse_standby(connection))),
        };
        let pool = pool.connect_with(patient.clone()).await?;
        let counters = PgPoolOptions::new()
            .max_connections(COUNTING)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .after_release(is_there)
            .connect_lazy_with(patient);
        let writers = Arc::new(Semaphore::new(WRITERS));
        Ok(Self { pool, counters, writers, has_locks, is_region })
    }

    pub(super) async fn close(&self) {
        self.counters.close().await;
        self.pool.close().await;
    }

    pub(super) async fn read(&self) -> Result<Transaction, StoreError> {
        const SNAPSHOT: &str = "begin isolation level repeatable read read only";
        Ok(Transaction { begun: self.begin(SNAPSHOT).await?, _turn: None })
    }

    /// Who is to be alone waits for all other writers, and the others for it. A lock on a table, unlike any other, is there
    /// before the snapshot is taken: what the others did is seen, and nothing of it is in the way.
    pub(super) async fn write(&self, is_alone: bool) -> Result<Transaction, StoreError> {
        let how = match (self.has_locks, is_alone) {
            (true, true) => ALONE,
            (true, false) => TOGETHER,
            (false, _) => SERIALIZABLE,
        };
        let until = Instant::now() + ACQUIRE_TIMEOUT;
        let turn = timeout_at(until, self.writers.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        loop {
            match self.begin(how).await {
                Ok(begun) => return Ok(Transaction { begun, _turn: Some(turn) }),
                Err(error) if !is_locked(&error) => return Err(error.into()),
                Err(_) if Instant::now() >= until => return Err(sqlx::Error::PoolTimedOut.into()),
                // Who is alone takes long.
                Err(_) => {}
            }
        }
    }

    async fn begin(&self, how: &'static str) -> Result<sqlx::Transaction<'static, Postgres>, sqlx::Error> {
        past_cuts(&self.pool, || self.pool.begin_with(how)).await
    }
}

/// Why there is no connection.
async fn why_not(options: &PgConnectOptions) -> sqlx::Error {
    match tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await {
        Ok(Err(error)) => error,
        Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut,
    }
}

/// Refuses a database that cannot hold every text: somebody whose name has no place in it could not be told why.
pub(super) async fn require_utf8(database: impl PgExecutor<'_>) -> Result<(), StoreError> {
    const ENCODING: &str = "select current_setting('server_encoding')";
    let encoding: String = sqlx::query_scalar(ENCODING).fetch_one(database).await?;
    if encoding == "UTF8" { Ok(()) } else { Err(StoreError::Encoding(encoding)) }
}

/// Refuses a server that follows another one. What was the first may be the second when it is there again, under the
/// same name, and does not know what was revoked meanwhile.
async fn refuse_standby(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    match sqlx::query_scalar(IS_STANDBY).fetch_one(connection).await? {
        true => Err(sqlx::Error::Configuration(StoreError::Standby.into())),
        false => Ok(()),
    }
}

/// Whether a connection that was used is good for the next one, which is asked off everybody's path. One over which nothing
/// comes back would keep its place for as long as the system takes to notice, which may be a quarter of an hour.
///
/// And nothing is begun on it any more: of a transaction whose beginner went away before it was answered nobody knows,
/// and whoever came next would read what was there when it began.
fn is_there<'c>(
    connection: &'c mut PgConnection,
    _: PoolConnectionMetadata,
) -> Pin<Box<dyn Future<Output = Result<bool, sqlx::Error>> + Send + 'c>> {
    // To roll back what was not begun is warned of in the server's log. What has failed cannot be begun again: that
    // connection is closed.
    const END: &str = "begin; rollback";
    Box::pin(async { answered_in_time(sqlx::raw_sql(END).execute(connection)).await.map(|_| true) })
}

/// Commits what was not refused: of a transaction in which a statement failed the engine says that it is done, and has
/// done nothing.
pub(super) async fn commit(mut transaction: Transaction) -> Result<(), StoreError> {
    sqlx::query("select 1").execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// The time at the database, where no other transaction sweeps; none will until this one is over.
pub(super) async fn sweeps_at(transaction: &mut Transaction) -> Result<Option<UnixSeconds>, StoreError> {
    // Any number that nobody else takes.
    const SWEEP: i64 = 0x6c61_7463_686b_6579;
    let locked =
        sqlx::query_as("select pg_try_advisory_xact_lock($1), cast(extract(epoch from now()) as bigint)");
    let (is_alone, now) = locked.bind(SWEEP).fetch_one(&mut **transaction).await?;
    Ok(bool::then_some(is_alone, now))
}

/// Whether a text holds a NUL: character_not_in_repertoire (PostgreSQL 18, §8.3).
pub(super) fn is_no_text(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| code == "22021")
}

/// Whether the engine could not put the transaction in an order with the others: serialization_failure,
/// deadlock_detected (PostgreSQL 18, §13.5).
pub(super) fn is_contended(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| matches!(&*code, "40001" | "40P01"))
}

/// Whether others had a lock for as long as it was waited for: lock_not_available (PostgreSQL 18, appendix A).
fn is_locked(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}

/// Whether what was asked for is not there: undefined_table, invalid_schema_name, undefined_function.
pub(super) fn is_absent(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "42P01" | "3F000" | "42883"))
}
