//! `latchkey backup` and `latchkey restore`: of the embedded database. What is on a server has the server's own tools.

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempPath};

use crate::{
    cli::{CliError, beside, options::Options, secret},
    store::{DatabaseUrl, backups},
};

/// What the engine keeps beside a file: parts of the database, until it was closed.
const PARTS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Copies the database while it serves. The copy gets its name when it is whole and on disk.
pub(super) async fn back_up(options: &Options, to: &Path) -> Result<Value, CliError> {
    let database = embedded(options, "back it up with pg_dump")?;
    if !database.exists() {
        return Err(CliError::Refused(format!("there is no database {}", database.display())));
    }
    refuse_existing(to, "a backup takes nobody else's place: name another file")?;
    let (draft, path) = draft_beside(to)?.into_parts();
    drop(draft);
    let text = path.to_str().ok_or_else(|| CliError::Refused(format!("--to {} is no text", to.display())))?;
    let copied = backups::insert(&database, text).await;
    if copied.is_err() {
        // Where the disk is full the engine leaves something of its own.
        for part in PARTS {
            let _ = fs::remove_file(beside(&path, part));
        }
    }
    copied?;
    backups::find(&path).await.map_err(|problem| {
        CliError::Refused(format!(
            "the copy was not kept: {problem}. Check the disk, and {} by `pragma integrity_check`",
            database.display()
        ))
    })?;
    let bytes = keep(path, to)?;
    Ok(json!({ "backup": to, "bytes": bytes, "secret": secret::path_beside(&database) }))
}

/// Puts a backup where no database is.
pub(super) async fn restore(options: &Options, from: &Path) -> Result<Value, CliError> {
    let database = embedded(options, "restore it with pg_restore")?;
    refuse_existing(&database, "stop its server, and move it away with what lies beside it (-wal, -shm)")?;
    for part in PARTS.map(|part| beside(&database, part)) {
        refuse_existing(
            &part,
            "it is a part of the database that was there: stop its server, and move it away too",
        )?;
    }
    for part in PARTS.map(|part| beside(from, part)) {
        refuse_existing(
            &part,
            "the file that it lies beside is no backup, but a database without its latest part",
        )?;
    }
    let no_backup = |problem: &dyn std::fmt::Display| {
        CliError::Refused(format!("{} was not restored: {problem}", from.display()))
    };
    let mut source = File::open(from).map_err(|error| no_backup(&error))?;
    let mut draft = draft_beside(&database)?;
    io::copy(&mut source, draft.as_file_mut()).map_err(|error| no_backup(&error))?;
    let path = draft.into_temp_path();
    // What is looked at is what is kept.
    backups::find(&path).await.map_err(|problem| no_backup(&problem))?;
    let bytes = keep(path, &database)?;
    Ok(json!({ "restored": database, "bytes": bytes, "secret": secret::path_beside(&database) }))
}

fn embedded(options: &Options, otherwise: &str) -> Result<PathBuf, CliError> {
    match options.database()? {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(url) => {
            Err(CliError::Refused(format!("{url} is on a PostgreSQL server: {otherwise}")))
        }
    }
}

/// Also where it is a link that leads nowhere.
fn refuse_existing(path: &Path, what_to_do: &str) -> Result<(), CliError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(CliError::Refused(format!("there is already {}: {what_to_do}", path.display()))),
    }
}

fn folder_of(path: &Path) -> io::Result<PathBuf> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.canonicalize(),
        _ => Path::new(".").canonicalize(),
    }
}

/// An empty file in the same folder that its owner alone can read, and that goes with the command unless it is kept.
fn draft_beside(path: &Path) -> Result<NamedTempFile, CliError> {
    let made =
        folder_of(path).and_then(|folder| tempfile::Builder::new().prefix(".latchkey-").tempfile_in(folder));
    made.map_err(|error| CliError::Refused(format!("cannot write {}: {error}", path.display())))
}

/// Gives a draft its name once it is on disk, unless somebody took the name meanwhile; how long it is.
fn keep(draft: TempPath, path: &Path) -> Result<u64, CliError> {
    let file = File::open(&draft)?;
    file.sync_all()?;
    draft
        .persist_noclobber(path)
        .map_err(|error| CliError::Refused(format!("cannot write {}: {}", path.display(), error.error)))?;
    File::open(folder_of(path)?)?.sync_all()?;
    Ok(file.metadata()?.len())
}
