//! The embedded engine: one file, one writer.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::{
    FromRow, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};

use super::{
    ACQUIRE_TIMEOUT, StoreError,
    errand::{Answer, Errand, Wanted},
    group_commit::{Turn, Writer},
    looks::{self, Look, Looks},
};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// What is noted in a file.
pub(super) const NOTED: &str = "pragma application_id";
/// That it may be served.
pub(super) const HERE: i64 = 0;
/// That everything in it has moved to a server.
pub(super) const MOVED: i64 = 0x4c4b_6d76;

/// How long a writer waits for another process that writes to the same file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many statements of a unit go on one errand, from which on none is put off any more.
const MOST_PUT_OFF: usize = 8;
/// Texts that the writer keeps ready: what goes together on one errand is one, and one that comes again in the same order
/// is the same.
const STATEMENTS: usize = 512;
/// Connections that read; SQLite lets them read while one writes.
const READERS: u32 = 8;

#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) readers: SqlitePool,
    looks: Looks,
    writer: Writer,
    changed: Changed,
}

/// Whether the unit at work changed anything that the gate remembers, or the end of the one before it. The engine tells
/// of every row that is written, so that nobody asks before each commit.
#[derive(Debug, Clone, Default)]
pub(super) struct Changed(Arc<AtomicBool>);

impl Changed {
    async fn hear(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        connection.lock_handle().await?.set_update_hook(move |written| {
            if written.table == "gate_changes" {
                self.0.store(true, Ordering::Relaxed);
            }
        });
        Ok(())
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of its transactions: a statement by itself, a snapshot, or a turn with the writer.
#[derive(Debug)]
pub(super) enum Transaction {
    Looks(Look),
    Reads(sqlx::Transaction<'static, Sqlite>),
    Writes(Turn, Changed),
}

impl Transaction {
    /// Whether it changed anything that the gate remembers.
    pub(super) fn has_changed_the_gate(&self) -> bool {
        match self {
            Self::Looks(_) | Self::Reads(_) => false,
            Self::Writes(_, changed) => changed.is_set(),
        }
    }

    /// The engine, which has done all that was put off.
    pub(super) async fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        match self {
            Self::Looks(look) => look.at_work(),
            Self::Reads(snapshot) => Ok(snapshot),
            Self::Writes(turn, _) => turn.connection().await,
        }
    }

    /// An errand for one statement, and for what was put off before it.
    pub(super) fn errand(&mut self, sql: impl SqlSafeStr) -> Result<Errand, sqlx::Error> {
        let mut errand = match self {
            Self::Looks(_) | Self::Reads(_) => Errand::default(),
            Self::Writes(turn, _) => turn.errand()?,
        };
        errand.add(sql);
        Ok(errand)
    }

    /// Leaves an errand until there is another one.
    pub(super) async fn put_off(&mut self, errand: Errand) -> Result<u64, sqlx::Error> {
        match self {
            Self::Writes(turn, _) if errand.len() < MOST_PUT_OFF => {
                turn.put_off(errand);
                Ok(0)
            }
            Self::Looks(_) | Self::Reads(_) | Self::Writes(..) => self.execute(errand).await,
        }
    }

    pub(super) async fn execute(&mut self, errand: Errand) -> Result<u64, sqlx::Error> {
        Ok(self.run(errand, Wanted::All).await?.changed)
    }

    pub(super) async fn fetch_one<R: Found>(&mut self, errand: Errand) -> Result<R, sqlx::Error> {
        self.fetch_optional(errand).await?.ok_or(sqlx::Error::RowNotFound)
    }

    pub(super) async fn fetch_optional<R: Found>(
        &mut self,
        errand: Errand,
    ) -> Result<Option<R>, sqlx::Error> {
        self.run(errand, Wanted::First).await?.rows.first().map(R::from_row).transpose()
    }

    pub(super) async fn fetch_all<R: Found>(&mut self, errand: Errand) -> Result<Vec<R>, sqlx::Error> {
        self.run(errand, Wanted::All).await?.rows.iter().map(R::from_row).collect()
    }

    async fn run(&mut self, errand: Errand, wanted: Wanted) -> Result<Answer, sqlx::Error> {
        Ok(match self {
            Self::Looks(look) => {
                let answer = errand.run(look.at_work()?, wanted).await?;
                look.done();
                answer
            }
            Self::Reads(snapshot) => errand.run(snapshot, wanted).await?,
            Self::Writes(turn, _) => turn.run(errand, wanted).await?,
        })
    }

    /// Makes it last, and says whether it changed anything that the gate remembers.
    pub(super) async fn commit(self) -> Result<bool, StoreError> {
        match self {
            Self::Looks(_) => Ok(false),
            Self::Reads(snapshot) => Ok(snapshot.commit().await.map(|()| false)?),
            Self::Writes(turn, changed) => turn.commit(move || changed.is_set()).await,
        }
    }
}

/// What a row is read as.
pub(super) trait Found: for<'r> FromRow<'r, SqliteRow> {}
impl<R: for<'r> FromRow<'r, SqliteRow>> Found for R {}

impl File {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
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
        let changed = Changed::default();
        let hears = changed.clone();
        let writer = pool()
            .max_connections(1)
            .after_connect(move |connection, _| Box::pin(hears.clone().hear(connection)))
            .connect_with(options.clone().statement_cache_capacity(STATEMENTS))
            .await
            .map_err(|error| {
                // As long as a pool waits for a connection, a connection waits for a lock.
                if matches!(error, sqlx::Error::PoolTimedOut) { StoreError::Locked } else { error.into() }
            })?;
        if sqlx::query_scalar::<_, i64>(NOTED).fetch_one(&writer).await? == MOVED {
            return Err(StoreError::Moved);
        }
        MIGRATIONS.run(&writer).await?;
        let readers = pool().max_connections(READERS + looks::AT_ONCE);
        let readers = readers.connect_with(options.read_only(true)).await?;
        let looks = Looks::new(readers.clone());
        Ok(Self { readers, looks, writer: Writer::new(writer), changed })
    }

    pub(super) async fn look(&self) -> Result<Transaction, StoreError> {
        Ok(Transaction::Looks(self.looks.begin().await?))
    }

    pub(super) async fn read(&self) -> Result<Transaction, StoreError> {
        Ok(Transaction::Reads(self.readers.begin().await?))
    }

    pub(super) async fn write(&self) -> Result<Transaction, StoreError> {
        let turn = self.writer.begin().await?;
        self.changed.0.store(false, Ordering::Relaxed);
        Ok(Transaction::Writes(turn, self.changed.clone()))
    }

    pub(super) async fn close(&self) {
        self.looks.close().await;
        self.writer.close().await;
    }
}
