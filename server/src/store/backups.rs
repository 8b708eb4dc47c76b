//! Copies of an embedded database: made while it serves, and looked at before one takes its place.

use std::{collections::BTreeMap, path::Path};

use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::store::{StoreError, sqlite};

/// Why a file is no backup that can take the place of a database.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It cannot be opened, or is no database at all.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] sqlx::Error),
    /// The engine found that it is not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It is a database of another program's.
    #[error("it is no database of Latchkey's")]
    Foreign,
    /// Its schema is not one that this version has ever made.
    #[error(
        "its schema (migration {0}) is not known to this version: restore it with the version that made it"
    )]
    Schema(i64),
}

/// Writes a copy of the database, as it is at one moment, into a file that is empty. It brings no schema up to date, so
/// that one can be made before another version does. Nobody waits for it: who reads and writes meanwhile goes on.
pub async fn insert(database: &Path, copy: &str) -> Result<(), StoreError> {
    const COPY: &str = "vacuum into $1";
    let options = SqliteConnectOptions::new().filename(database).busy_timeout(sqlite::BUSY_TIMEOUT);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    let copied = sqlx::query(COPY).bind(copy).execute(&mut connection).await;
    // Also where it failed: nothing of this process stays beside the file.
    connection.close().await?;
    copied?;
    Ok(())
}

/// What is wrong with a file, if anything is. It reads all of it.
pub(super) async fn find_damage(file: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    const CHECK: &str = "pragma integrity_check";
    const CHECK_REFERENCES: &str = "select \"table\" from pragma_foreign_key_check limit 1";
    let found: String = sqlx::query_scalar(CHECK).fetch_one(&mut *file).await?;
    if found != "ok" {
        let found = found.trim_start_matches("*** in database main ***\n");
        return Ok(Some(found.replace('\n', "; ")));
    }
    let dangling: Option<String> = sqlx::query_scalar(CHECK_REFERENCES).fetch_optional(file).await?;
    Ok(dangling.map(|table| format!("a row of {table} refers to one that is not there")))
}

/// Whether a copy is whole, and one that this version can open.
pub async fn find(copy: &Path) -> Result<(), BackupError> {
    const IS_OURS: &str =
        "select count(*) from sqlite_master where type = 'table' and name = '_sqlx_migrations'";
    const MIGRATIONS: &str = "select version, checksum from _sqlx_migrations order by version";
    // Nobody else has it: no file is made beside it to tell them.
    let options = SqliteConnectOptions::new().filename(copy).read_only(true).immutable(true);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    if let Some(damage) = find_damage(&mut connection).await? {
        return Err(BackupError::Damaged(damage));
    }
    let is_ours: i64 = sqlx::query_scalar(IS_OURS).fetch_one(&mut connection).await?;
    if is_ours == 0 {
        return Err(BackupError::Foreign);
    }
    let made: Vec<(i64, Vec<u8>)> = sqlx::query_as(MIGRATIONS).fetch_all(&mut connection).await?;
    connection.close().await?;
    let known: BTreeMap<_, _> = sqlite::MIGRATIONS.iter().map(|one| (one.version, &*one.checksum)).collect();
    let unknown = made.iter().find(|(version, checksum)| known.get(version) != Some(&checksum.as_slice()));
    match unknown {
        Some((version, _)) => Err(BackupError::Schema(*version)),
        None if made.is_empty() => Err(BackupError::Foreign),
        None => Ok(()),
    }
}
