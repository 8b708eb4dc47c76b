//! An embedded database moves to a server: every row of it, in batches, so that a move that was broken off goes on.
//!
//! What there is to move is read from the schema, so that a column that comes later is moved too. Rows go in the order of
//! their primary keys, and tables after those that they refer to: how far a move came is the last key in the target, and
//! no second account of it can be wrong. What was to be moved stands in a table of the target, `moving`, until all of it is
//! there and the same. As long as it stands, no server starts on the target.

use std::{collections::BTreeMap, num::NonZeroU32, path::Path, time::Duration};

use sha2::{Digest, Sha256};
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode},
};

use crate::store::{StoreError, backups, postgres, sqlite, url::PostgresUrl};

/// The embedded engine's own, which a server tells by `NOTIFY`.
const STAYS: &str = "gate_changes";

/// How long to wait for a command that has the file open; a server has it for as long as it runs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a database did not move.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    /// A process has the file open, and could change it.
    #[error("a process has the database open: stop the server, which cannot serve it while it moves")]
    InUse,
    /// The target is no place to move to.
    #[error(
        "the table {0} of the target holds rows already: a database moves into an empty one. Nothing was changed there"
    )]
    Occupied(String),
    /// What was done since is at another place, and not in the file.
    #[error(
        "it has moved to a server already, where what was done since is: move that database on with pg_dump and \
         pg_restore. To move what the file holds, and to lose the rest, run `latchkey migrate --take-back` with it first"
    )]
    Moved,
    /// The target lets nobody in.
    #[error("the target cannot be opened: {0}")]
    Closed(#[source] sqlx::Error),
    /// The target is no database for a server to serve.
    #[error(transparent)]
    Unfit(StoreError),
    /// Another process is at it.
    #[error("another process moves into the target at this moment")]
    Busy,
    /// It was begun with other rows than there are now.
    #[error(
        "the table {0} has changed since the move began: what is in the target is of no use. Give an empty database"
    )]
    Changed(String),
    /// The two schemas are not the same.
    #[error("the table {0} is not the same in both schemas")]
    Schema(String),
    /// A table refers to itself by way of others.
    #[error("the tables {0} refer to each other in a circle")]
    Circle(String),
    /// The server has no such text.
    #[error("a text in {0}.{1} holds the character U+0000, which the server cannot store: change that row")]
    Nul(String, String),
    /// No engine made such a text.
    #[error("a text in {0}.{1} is not UTF-8: change that row")]
    NoText(String, String),
    /// What is read by an index that lacks a row lacks it as well.
    #[error("the file is damaged: {0}. Move a backup of it that is whole")]
    Damaged(String),
    /// What arrived is not what was sent.
    #[error(
        "the table {0} of the target is not the same as the file's: give an empty database, and move again"
    )]
    Different(String),
    /// The file did not answer.
    #[error("the file failed: {0}")]
    Source(#[source] sqlx::Error),
    /// The target did not answer.
    #[error("the target failed: {0}. What it has is kept: the same command goes on from there")]
    Target(#[source] sqlx::Error),
    /// One of the schemas could not be brought up to date.
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
}

/// What a move is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Looks whether the file is whole.
    Looking,
    /// Reads everything there is, to know it again.
    Reading,
    /// Moves what is not there yet.
    Moving,
    /// Reads everything in the target.
    Checking,
}

/// How far a move is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What it is doing.
    pub stage: Stage,
    /// With which table.
    pub table: &'a str,
    /// How many rows of the table are done.
    pub rows: u64,
    /// Whether that is all of them.
    pub is_done: bool,
    /// How much is done in all the stages, and of how much.
    pub overall: (u64, u64),
}

/// A table, as both databases have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 over all of them in the order of their keys.
    pub sha256: [u8; 32],
}

/// Moves everything in the file to the server, so many rows at once, and compares what arrived.
pub async fn insert_all(
    from: &Path,
    to: &PostgresUrl,
    batch: NonZeroU32,
    told: impl FnMut(Progress<'_>),
) -> Result<Vec<Moved>, MovingError> {
    let mut source = Source::open(from).await?;
    let mut target = Target::open(to).await?;
    let begun = target.begun().await?;
    match source.moved().await? {
        // Where it moved only the end of the move is missing, and nowhere else does it go on.
        moved @ Some(_) if moved != begun => return Err(MovingError::Moved),
        None if begun.is_none() => target.refuse_occupied().await?,
        Some(_) | None => {}
    }
    let tables = source.tables().await?;
    let mut rows = 0;
    for table in &tables {
        rows += source.count(table).await?;
    }
    let mut telling = Telling { told, done: 0, of: rows.saturating_mul(3) };
    telling.begin();
    source.refuse_damaged().await?;
    postgres::MIGRATIONS.run(&mut target.0).await?;
    target.compare(&tables).await?;
    let expected = read(&mut source, &tables, batch, &mut telling).await?;
    let number = match begun {
        Some(number) => {
            target.compare_plan(&expected).await?;
            number
        }
        None => target.begin(&expected).await?,
    };
    go_on(&mut source, &mut target, &tables, batch, &mut telling).await?;
    check(&mut target, &tables, &expected, batch, &mut telling).await?;
    // First: whatever happens in between, no two of them can be served.
    source.note(sqlite::MOVED, number).await?;
    target.end(&source.numbers().await?).await?;
    source.0.close().await.map_err(MovingError::Source)?;
    target.0.close().await.map_err(MovingError::Target)?;
    Ok(expected)
}

/// Lets the file be opened again that has moved. False where it has not.
pub async fn take_back(path: &Path) -> Result<bool, MovingError> {
    let mut source = Source::open(path).await?;
    let has_moved = source.moved().await?.is_some();
    source.note(sqlite::HERE, 0).await?;
    source.0.close().await.map_err(MovingError::Source)?;
    Ok(has_moved)
}

/// Everything that there is to move.
async fn read(
    source: &mut Source,
    tables: &[Table],
    batch: NonZeroU32,
    telling: &mut Telling<impl FnMut(Progress<'_>)>,
) -> Result<Vec<Moved>, MovingError> {
    let mut all = vec![];
    for table in tables {
        let mut reading = Reading::new(table, batch);
        while let Some(rows) = source.next(&mut reading).await? {
            if let Some(column) = table.find_nul(&rows) {
                return Err(MovingError::Nul(table.name.clone(), column.to_owned()));
            }
            telling.tell(Stage::Reading, &reading, rows.len() as u64);
        }
        telling.end(Stage::Reading, &reading);
        all.push(reading.end());
    }
    Ok(all)
}

/// Moves what comes after the last row that is there.
async fn go_on(
    source: &mut Source,
    target: &mut Target,
    tables: &[Table],
    batch: NonZeroU32,
    telling: &mut Telling<impl FnMut(Progress<'_>)>,
) -> Result<(), MovingError> {
    for table in tables {
        let mut reading = Reading::new(table, batch);
        reading.last = target.last(table).await?;
        if reading.last.is_some() {
            reading.rows = target.count(table).await?;
            telling.tell(Stage::Moving, &reading, reading.rows);
        }
        while let Some(rows) = source.next(&mut reading).await? {
            let count = rows.len() as u64;
            target.insert(table, rows).await?;
            telling.tell(Stage::Moving, &reading, count);
        }
        telling.end(Stage::Moving, &reading);
    }
    Ok(())
}

/// Whether the target holds what was to be moved, and nothing else.
async fn check(
    target: &mut Target,
    tables: &[Table],
    expected: &[Moved],
    batch: NonZeroU32,
    telling: &mut Telling<impl FnMut(Progress<'_>)>,
) -> Result<(), MovingError> {
    for (table, expected) in tables.iter().zip(expected) {
        let mut reading = Reading::new(table, batch);
        while let Some(rows) = target.next(&mut reading).await? {
            telling.tell(Stage::Checking, &reading, rows.len() as u64);
        }
        telling.end(Stage::Checking, &reading);
        if reading.end() != *expected {
            return Err(MovingError::Different(table.name.clone()));
        }
    }
    Ok(())
}

/// Who is told, and how far it is in all.
struct Telling<F> {
    told: F,
    done: u64,
    of: u64,
}

impl<F: FnMut(Progress<'_>)> Telling<F> {
    /// Of all tables together nothing is done yet.
    fn begin(&mut self) {
        let overall = (self.done, self.of);
        (self.told)(Progress { stage: Stage::Looking, table: "the file", rows: 0, is_done: false, overall });
    }

    /// So many rows more.
    fn tell(&mut self, stage: Stage, reading: &Reading<'_>, rows: u64) {
        self.done += rows;
        self.say(stage, reading, false);
    }

    /// That was the last of them.
    fn end(&mut self, stage: Stage, reading: &Reading<'_>) {
        self.say(stage, reading, true);
    }

    fn say(&mut self, stage: Stage, reading: &Reading<'_>, is_done: bool) {
        let (table, rows) = (reading.table.name.as_str(), reading.rows);
        (self.told)(Progress { stage, table, rows, is_done, overall: (self.done, self.of) });
    }
}

/// What a column holds: there are no other types in either schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Bytes,
}

impl Kind {
    /// By either engine's name.
    fn of(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "text" => Some(Self::Text),
            "integer" | "bigint" => Some(Self::Integer),
            "blob" | "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }

    fn list(self) -> &'static str {
        match self {
            Self::Text => "text[]",
            Self::Integer => "bigint[]",
            Self::Bytes => "bytea[]",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Bytes(Vec<u8>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<Column>,
    /// The places of the primary key's columns among them, in the key's order.
    key: Vec<usize>,
    /// The tables that it refers to.
    parents: Vec<String>,
}

impl Table {
    fn names(&self) -> String {
        list(self.columns.iter().map(|column| quoted(&column.name)))
    }

    fn key_names(&self) -> String {
        list(self.key.iter().filter_map(|at| self.columns.get(*at)).map(|column| quoted(&column.name)))
    }

    /// Rows in the order of the key, which is the same in both engines: texts are compared byte by byte. What is bound
    /// is the key that they come after, and at the end how many there may be.
    fn select(&self, is_after: bool) -> String {
        let (names, name, key) = (self.names(), quoted(&self.name), self.key_names());
        let width = if is_after { self.key.len() } else { 0 };
        let after = list((1..=width).map(|number| format!("${number}")));
        let condition = if is_after { format!("where ({key}) > ({after})") } else { String::new() };
        format!("select {names} from {name} {condition} order by {key} limit ${}", width + 1)
    }

    fn insert(&self) -> String {
        let list_of = |(at, column): (usize, &Column)| format!("${}::{}", at + 1, column.kind.list());
        let lists = list(self.columns.iter().enumerate().map(list_of));
        format!("insert into {} ({}) select * from unnest({lists})", quoted(&self.name), self.names())
    }

    fn last(&self) -> String {
        let order = self.key_names().replace(',', " desc,");
        format!("select {} from {} order by {order} desc limit 1", self.names(), quoted(&self.name))
    }

    fn key_of(&self, row: &[Cell]) -> Vec<Cell> {
        self.key.iter().filter_map(|at| row.get(*at)).cloned().collect()
    }

    /// Why a row of the file could not be read.
    fn unreadable(&self, error: sqlx::Error) -> MovingError {
        let sqlx::Error::ColumnDecode { index, .. } = &error else { return MovingError::Source(error) };
        let column = index.parse().ok().and_then(|at: usize| self.columns.get(at));
        match column.filter(|column| column.kind == Kind::Text) {
            Some(column) => MovingError::NoText(self.name.clone(), column.name.clone()),
            None => MovingError::Source(error),
        }
    }

    /// The column of a text that only the file can hold.
    fn find_nul(&self, rows: &[Vec<Cell>]) -> Option<&str> {
        let has_nul = |cell: &Cell| matches!(cell, Cell::Text(text) if text.contains('\0'));
        let at = rows.iter().find_map(|row| row.iter().position(has_nul))?;
        self.columns.get(at).map(|column| column.name.as_str())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// Tables after those that they refer to.
fn in_order(mut tables: Vec<Table>) -> Result<Vec<Table>, MovingError> {
    let mut ordered: Vec<Table> = vec![];
    while !tables.is_empty() {
        let is_ready = |table: &Table| {
            table
                .parents
                .iter()
                .all(|parent| *parent == table.name || ordered.iter().any(|done| done.name == *parent))
        };
        let (ready, waiting): (Vec<_>, Vec<_>) = tables.into_iter().partition(is_ready);
        if ready.is_empty() {
            return Err(MovingError::Circle(list(waiting.into_iter().map(|table| table.name))));
        }
        ordered.extend(ready);
        tables = waiting;
    }
    Ok(ordered)
}

/// A table that is read from its beginning to its end.
struct Reading<'a> {
    table: &'a Table,
    batch: NonZeroU32,
    last: Option<Vec<Cell>>,
    rows: u64,
    sha256: Sha256,
}

impl<'a> Reading<'a> {
    fn new(table: &'a Table, batch: NonZeroU32) -> Self {
        let mut sha256 = Sha256::new();
        for column in &table.columns {
            feed(&mut sha256, 0, column.name.as_bytes());
        }
        Self { table, batch, last: None, rows: 0, sha256 }
    }

    /// Takes the next rows into account. `None` where there are none.
    fn take(&mut self, rows: Vec<Vec<Cell>>) -> Option<Vec<Vec<Cell>>> {
        self.last = Some(self.table.key_of(rows.last()?));
        self.rows += rows.len() as u64;
        for cell in rows.iter().flatten() {
            match cell {
                Cell::Null => feed(&mut self.sha256, 1, &[]),
                Cell::Text(text) => feed(&mut self.sha256, 2, text.as_bytes()),
                Cell::Integer(number) => feed(&mut self.sha256, 3, &number.to_be_bytes()),
                Cell::Bytes(bytes) => feed(&mut self.sha256, 4, bytes),
            }
        }
        Some(rows)
    }

    fn end(self) -> Moved {
        Moved { table: self.table.name.clone(), rows: self.rows, sha256: self.sha256.finalize().into() }
    }
}

/// No two rows say the same: each part comes after what it is and how long.
fn feed(sha256: &mut Sha256, what: u8, bytes: &[u8]) {
    sha256.update([what]);
    sha256.update((bytes.len() as u64).to_be_bytes());
    sha256.update(bytes);
}

/// Reads the rows of a statement, from either engine.
macro_rules! rows {
    ($connection:expr, $table:expr, $sql:expr, $after:expr, $limit:expr) => {
        async {
            let mut query = sqlx::query(AssertSqlSafe($sql));
            for cell in $after {
                query = match cell {
                    // No column of a key is null.
                    Cell::Null => query,
                    Cell::Text(text) => query.bind(text),
                    Cell::Integer(number) => query.bind(number),
                    Cell::Bytes(bytes) => query.bind(bytes),
                };
            }
            if let Some(limit) = $limit {
                query = query.bind(limit);
            }
            let found = query.fetch_all(&mut $connection).await?;
            let cell = |row: &_, at: usize, kind: Kind| -> Result<Cell, sqlx::Error> {
                Ok(match kind {
                    Kind::Text => Row::try_get::<Option<String>, _>(row, at)?.map(Cell::Text),
                    Kind::Integer => Row::try_get::<Option<i64>, _>(row, at)?.map(Cell::Integer),
                    Kind::Bytes => Row::try_get::<Option<Vec<u8>>, _>(row, at)?.map(Cell::Bytes),
                }
                .unwrap_or(Cell::Null))
            };
            let columns = &$table.columns;
            found
                .iter()
                .map(|row| {
                    columns.iter().enumerate().map(|(at, column)| cell(row, at, column.kind)).collect()
                })
                .collect::<Result<Vec<Vec<Cell>>, sqlx::Error>>()
        }
    };
}

/// The file, which nobody else has while it moves.
struct Source(SqliteConnection);

impl Source {
    async fn open(path: &Path) -> Result<Self, MovingError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            // Every process that has a file in WAL mode open holds a lock on it for as long: this one needs all of it,
            // and keeps it. What a server acknowledged while the file moves would be lost.
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY_TIMEOUT);
        let in_use = |error| if is_locked(&error) { MovingError::InUse } else { MovingError::Source(error) };
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(in_use)?;
        // Until something is read or written, no lock is taken.
        sqlx::query("begin immediate").execute(&mut connection).await.map_err(in_use)?;
        sqlx::query("commit").execute(&mut connection).await.map_err(in_use)?;
        sqlite::MIGRATIONS.run(&mut connection).await?;
        Ok(Self(connection))
    }

    /// By which move it has moved, if it is noted that it has.
    async fn moved(&mut self) -> Result<Option<i64>, MovingError> {
        let noted: i64 =
            sqlx::query_scalar(sqlite::NOTED).fetch_one(&mut self.0).await.map_err(MovingError::Source)?;
        if noted != sqlite::MOVED {
            return Ok(None);
        }
        let number = sqlx::query_scalar("pragma user_version").fetch_one(&mut self.0).await;
        number.map(Some).map_err(MovingError::Source)
    }

    /// Notes in the file what becomes of it, and by which move.
    async fn note(&mut self, application_id: i64, number: i64) -> Result<(), MovingError> {
        let sql = format!(
            "begin; pragma application_id = {application_id}; pragma user_version = {number}; commit"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await.map_err(MovingError::Source)?;
        Ok(())
    }

    /// Rows are read in the order of an index: what is not in it would not be missed.
    async fn refuse_damaged(&mut self) -> Result<(), MovingError> {
        match backups::find_damage(&mut self.0).await.map_err(MovingError::Source)? {
            Some(damage) => Err(MovingError::Damaged(damage)),
            None => Ok(()),
        }
    }

    /// Everything that moves, in the order in which it does.
    async fn tables(&mut self) -> Result<Vec<Table>, MovingError> {
        const TABLES: &str = "select name from sqlite_master
                              where type = 'table' and name not like 'sqlite\\_%' escape '\\'
                              and name <> '_sqlx_migrations' and name <> $1 order by name";
        const COLUMNS: &str = "select name, type, pk from pragma_table_info($1) order by cid";
        const PARENTS: &str = "select distinct \"table\" from pragma_foreign_key_list($1) order by 1";
        let names: Vec<String> = sqlx::query_scalar(TABLES)
            .bind(STAYS)
            .fetch_all(&mut self.0)
            .await
            .map_err(MovingError::Source)?;
        let mut tables = vec![];
        for name in names {
            let found: Vec<(String, String, i64)> = sqlx::query_as(COLUMNS)
                .bind(&name)
                .fetch_all(&mut self.0)
                .await
                .map_err(MovingError::Source)?;
            let parents = sqlx::query_scalar(PARENTS)
                .bind(&name)
                .fetch_all(&mut self.0)
                .await
                .map_err(MovingError::Source)?;
            let mut columns = vec![];
            let mut key = BTreeMap::new();
            for (at, (column, kind, place)) in found.into_iter().enumerate() {
                let kind = Kind::of(&kind).ok_or_else(|| MovingError::Schema(name.clone()))?;
                columns.push(Column { name: column, kind });
                if place > 0 {
                    key.insert(place, at);
                }
            }
            if key.is_empty() {
                return Err(MovingError::Schema(name));
            }
            tables.push(Table { name, columns, key: key.into_values().collect(), parents });
        }
        in_order(tables)
    }

    async fn count(&mut self, table: &Table) -> Result<u64, MovingError> {
        let sql = format!("select count(*) from {}", quoted(&table.name));
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.0)
            .await
            .map_err(MovingError::Source)?;
        Ok(count.unsigned_abs())
    }

    async fn next(&mut self, reading: &mut Reading<'_>) -> Result<Option<Vec<Vec<Cell>>>, MovingError> {
        let (table, last) = (reading.table, reading.last.take());
        let sql = table.select(last.is_some());
        let limit = Some(i64::from(reading.batch.get()));
        let rows = rows!(self.0, table, sql, last.into_iter().flatten(), limit).await;
        Ok(reading.take(rows.map_err(|error| table.unreadable(error))?))
    }

    /// The last number that each table has given, which no row need have any more.
    async fn numbers(&mut self) -> Result<BTreeMap<String, i64>, MovingError> {
        const NUMBERS: &str = "select name, seq from sqlite_sequence";
        let found: Vec<(String, i64)> =
            sqlx::query_as(NUMBERS).fetch_all(&mut self.0).await.map_err(MovingError::Source)?;
        Ok(found.into_iter().collect())
    }
}

fn is_locked(error: &sqlx::Error) -> bool {
    // SQLITE_BUSY, and what says more closely why.
    const BUSY: u32 = 5;
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == BUSY)
}

/// The database that it moves to.
struct Target(PgConnection);

impl Target {
    async fn open(url: &PostgresUrl) -> Result<Self, MovingError> {
        // Any number that nobody else takes. Who was killed may hold it until the server notices.
        const LOCK: &str = "select pg_advisory_lock(7813308473218165349)";
        const PATIENCE: &str = "set lock_timeout = '5s'";
        const NO_MORE: &str = "set lock_timeout = 0";
        let options = url.options().map_err(MovingError::Closed)?;
        let mut connection = PgConnection::connect_with(&options).await.map_err(MovingError::Closed)?;
        postgres::require_utf8(&mut connection).await.map_err(MovingError::Unfit)?;
        let is_region = sqlx::query_scalar(postgres::IS_REGION).fetch_one(&mut connection).await;
        if is_region.map_err(MovingError::Target)? {
            return Err(MovingError::Unfit(StoreError::Region));
        }
        for statement in [PATIENCE, LOCK, NO_MORE] {
            sqlx::query(statement).execute(&mut connection).await.map_err(|error| {
                // lock_not_available (PostgreSQL 18, appendix A).
                let code = error.as_database_error().and_then(|error| error.code());
                if code.is_some_and(|code| code == "55P03") {
                    MovingError::Busy
                } else {
                    MovingError::Target(error)
                }
            })?;
        }
        Ok(Self(connection))
    }

    /// The number of the move that was begun here, if one was.
    async fn begun(&mut self) -> Result<Option<i64>, MovingError> {
        const NUMBER: &str = "select number from moving limit 1";
        let is_begun = sqlx::query_scalar(postgres::IS_MOVING).fetch_one(&mut self.0).await;
        if !is_begun.map_err(MovingError::Target)? {
            return Ok(None);
        }
        sqlx::query_scalar(NUMBER).fetch_optional(&mut self.0).await.map_err(MovingError::Target)
    }

    /// Refuses a database that holds anything, before anything is changed there.
    async fn refuse_occupied(&mut self) -> Result<(), MovingError> {
        const TABLES: &str = "select table_name::text from information_schema.tables
                              where table_schema = current_schema() and table_type = 'BASE TABLE'
                              and table_name <> '_sqlx_migrations' order by table_name";
        let tables: Vec<String> =
            sqlx::query_scalar(TABLES).fetch_all(&mut self.0).await.map_err(MovingError::Target)?;
        for table in tables {
            let sql = format!("select exists (select from {})", quoted(&table));
            let is_occupied: bool = sqlx::query_scalar(AssertSqlSafe(sql))
                .fetch_one(&mut self.0)
                .await
                .map_err(MovingError::Target)?;
            if is_occupied {
                return Err(MovingError::Occupied(table));
            }
        }
        Ok(())
    }

    /// Both have the same columns of the same types.
    async fn compare(&mut self, tables: &[Table]) -> Result<(), MovingError> {
        const COLUMNS: &str = "select column_name::text, data_type::text from information_schema.columns
                               where table_schema = current_schema() and table_name = $1 order by 1";
        for table in tables {
            let found: Vec<(String, String)> = sqlx::query_as(COLUMNS)
                .bind(&table.name)
                .fetch_all(&mut self.0)
                .await
                .map_err(MovingError::Target)?;
            let found: BTreeMap<_, _> =
                found.iter().map(|(name, kind)| (name.as_str(), Kind::of(kind))).collect();
            let wanted: BTreeMap<_, _> =
                table.columns.iter().map(|column| (column.name.as_str(), Some(column.kind))).collect();
            if found != wanted {
                return Err(MovingError::Schema(table.name.clone()));
            }
        }
        Ok(())
    }

    /// Writes down what there is to move, under a number by which the file will know where it moved.
    async fn begin(&mut self, expected: &[Moved]) -> Result<i64, MovingError> {
        const CREATE: &str = "create table moving (
                                  table_name text collate \"C\" not null primary key,
                                  row_count  bigint  not null,
                                  sha256     bytea   not null,
                                  number     bigint  not null
                              )";
        const NUMBER: &str = "select cast(floor(random() * 2147483647) as bigint)";
        const INSERT: &str =
            "insert into moving (table_name, row_count, sha256, number) values ($1, $2, $3, $4)";
        let mut transaction = self.0.begin().await.map_err(MovingError::Target)?;
        let number = sqlx::query_scalar(NUMBER).fetch_one(&mut *transaction).await;
        let number = number.map_err(MovingError::Target)?;
        sqlx::query(CREATE).execute(&mut *transaction).await.map_err(MovingError::Target)?;
        for one in expected {
            sqlx::query(INSERT)
                .bind(&one.table)
                .bind(one.rows.cast_signed())
                .bind(one.sha256.as_slice())
                .bind(number)
                .execute(&mut *transaction)
                .await
                .map_err(MovingError::Target)?;
        }
        transaction.commit().await.map_err(MovingError::Target)?;
        Ok(number)
    }

    /// What is to be moved is still what it was when that was written down.
    async fn compare_plan(&mut self, expected: &[Moved]) -> Result<(), MovingError> {
        const LIST: &str = "select table_name, row_count, sha256 from moving";
        let found: Vec<(String, i64, Vec<u8>)> =
            sqlx::query_as(LIST).fetch_all(&mut self.0).await.map_err(MovingError::Target)?;
        let found: BTreeMap<_, _> =
            found.into_iter().map(|(table, rows, sha256)| (table, (rows, sha256))).collect();
        let is_other =
            |one: &&Moved| found.get(&one.table) != Some(&(one.rows.cast_signed(), one.sha256.to_vec()));
        match expected.iter().find(is_other) {
            Some(changed) => Err(MovingError::Changed(changed.table.clone())),
            None => Ok(()),
        }
    }

    /// The key of the last row that is there.
    async fn last(&mut self, table: &Table) -> Result<Option<Vec<Cell>>, MovingError> {
        let rows = rows!(self.0, table, table.last(), Vec::<Cell>::new(), None::<i64>).await;
        Ok(rows.map_err(MovingError::Target)?.first().map(|row| table.key_of(row)))
    }

    async fn count(&mut self, table: &Table) -> Result<u64, MovingError> {
        let sql = format!("select count(*) from {}", quoted(&table.name));
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut self.0)
            .await
            .map_err(MovingError::Target)?;
        Ok(count.unsigned_abs())
    }

    /// All of these rows, or none.
    async fn insert(&mut self, table: &Table, rows: Vec<Vec<Cell>>) -> Result<(), MovingError> {
        let mut columns: Vec<Vec<Cell>> =
            table.columns.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(cell);
            }
        }
        let mut query = sqlx::query(AssertSqlSafe(table.insert()));
        for (column, cells) in table.columns.iter().zip(columns) {
            query = match column.kind {
                Kind::Text => query.bind(cells.into_iter().map(Cell::text).collect::<Vec<_>>()),
                Kind::Integer => query.bind(cells.into_iter().map(Cell::integer).collect::<Vec<_>>()),
                Kind::Bytes => query.bind(cells.into_iter().map(Cell::bytes).collect::<Vec<_>>()),
            };
        }
        query.execute(&mut self.0).await.map(drop).map_err(MovingError::Target)
    }

    async fn next(&mut self, reading: &mut Reading<'_>) -> Result<Option<Vec<Vec<Cell>>>, MovingError> {
        let (table, last) = (reading.table, reading.last.take());
        let sql = table.select(last.is_some());
        let limit = Some(i64::from(reading.batch.get()));
        let rows = rows!(self.0, table, sql, last.into_iter().flatten(), limit).await;
        Ok(reading.take(rows.map_err(MovingError::Target)?))
    }

    /// Numbers go on where they were, and servers may start.
    async fn end(&mut self, numbers: &BTreeMap<String, i64>) -> Result<(), MovingError> {
        const NUMBERED: &str = "select table_name::text, column_name::text from information_schema.columns
                                where table_schema = current_schema() and is_identity = 'YES'";
        const GO_ON: &str = "select setval(pg_get_serial_sequence(quote_ident($1), $2), $3)";
        const DROP: &str = "drop table moving";
        let numbered: Vec<(String, String)> =
            sqlx::query_as(NUMBERED).fetch_all(&mut self.0).await.map_err(MovingError::Target)?;
        for (table, column) in numbered {
            let Some(number) = numbers.get(&table).filter(|number| **number > 0) else { continue };
            sqlx::query(GO_ON)
                .bind(table)
                .bind(column)
                .bind(number)
                .execute(&mut self.0)
                .await
                .map_err(MovingError::Target)?;
        }
        sqlx::query(DROP).execute(&mut self.0).await.map(drop).map_err(MovingError::Target)
    }
}

impl Cell {
    fn text(self) -> Option<String> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn integer(self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(number) } else { None }
    }

    fn bytes(self) -> Option<Vec<u8>> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, parents: &[&str]) -> Table {
        let column = |(name, kind): (&str, _)| Column { name: name.into(), kind };
        Table {
            name: name.into(),
            columns: [("a", Kind::Text), ("b", Kind::Integer), ("c", Kind::Bytes)].map(column).into(),
            key: vec![1, 0],
            parents: parents.iter().map(|parent| (*parent).into()).collect(),
        }
    }

    #[test]
    fn a_table_comes_after_those_that_it_refers_to() {
        let tables = vec![table("a", &["c", "a"]), table("b", &["a"]), table("c", &[]), table("d", &[])];
        let names: Vec<_> = in_order(tables).unwrap().into_iter().map(|table| table.name).collect();
        assert_eq!(names, ["c", "d", "a", "b"]);
        let circle = in_order(vec![table("a", &["b"]), table("b", &["a"]), table("c", &[])]);
        assert!(matches!(circle, Err(MovingError::Circle(names)) if names == "a, b"));
    }

    #[test]
    fn rows_come_in_the_order_of_the_whole_key() {
        let table = table("t", &[]);
        let after = "select \"a\", \"b\", \"c\" from \"t\" where (\"b\", \"a\") > ($1, $2) \
                     order by \"b\", \"a\" limit $3";
        assert_eq!(table.select(true), after);
        assert_eq!(
            table.select(false),
            "select \"a\", \"b\", \"c\" from \"t\"  order by \"b\", \"a\" limit $1"
        );
        let last = "select \"a\", \"b\", \"c\" from \"t\" order by \"b\" desc, \"a\" desc limit 1";
        assert_eq!(table.last(), last);
        let insert = "insert into \"t\" (\"a\", \"b\", \"c\") \
                      select * from unnest($1::text[], $2::bigint[], $3::bytea[])";
        assert_eq!(table.insert(), insert);
    }

    #[test]
    fn whatever_differs_in_a_row_differs_in_the_digest() {
        let table = table("t", &[]);
        let digest = |rows: &[[Cell; 3]]| {
            let mut reading = Reading::new(&table, NonZeroU32::MIN);
            reading.take(rows.iter().map(|row| row.to_vec()).collect());
            reading.end().sha256
        };
        let row = |a: &str, b, c: &[u8]| [Cell::Text(a.into()), Cell::Integer(b), Cell::Bytes(c.into())];
        let null = |a: Cell, c: Cell| [a, Cell::Integer(1), c];
        let all = [
            digest(&[]),
            digest(&[row("x", 1, b"")]),
            digest(&[row("", 1, b"x")]),
            digest(&[row("x", 2, b"")]),
            digest(&[null(Cell::Null, Cell::Bytes(vec![]))]),
            digest(&[null(Cell::Text(String::new()), Cell::Null)]),
            digest(&[row("x", 1, b""), row("y", 1, b"")]),
            digest(&[row("y", 1, b""), row("x", 1, b"")]),
        ];
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
    }
}
