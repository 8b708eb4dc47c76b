//! `latchkey backup` and `latchkey restore`

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::{TempDir, tempdir};

use super::{
    Said, latchkey, run,
    serve::{free_address, get_with, serve, start},
};
use crate::support::{MEMBER, Platform};

/// A folder with a database in it.
fn with_acme() -> TempDir {
    let folder = tempdir().unwrap();
    on(folder.path(), &["org", "add", "--slug", "acme", "--name", "Acme"]).json();
    folder
}

/// Runs a command on the file in this folder, whatever the tests run on.
fn on(folder: &Path, line: &[&str]) -> Said {
    let mut command = latchkey(line);
    command.arg("--database").arg(format!("sqlite://{}", folder.join("latchkey.db").display()));
    run(command)
}

fn back_up(folder: &Path, to: &Path) -> Said {
    on(folder, &["backup", "--to", to.to_str().unwrap()])
}

fn restore(folder: &Path, from: &Path) -> Said {
    on(folder, &["restore", "--from", from.to_str().unwrap()])
}

async fn open(file: &Path) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap()
}

fn names(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_restored_is_what_was_backed_up() {
    let platform = Platform::embedded().await;
    platform.make_key().await;
    let (token, folder) = (platform.token(MEMBER).await, platform.folder());
    let (copy, other) = (folder.join("copy.db"), tempdir().unwrap());
    let said = back_up(&folder, &copy).json();
    let bytes = fs::metadata(&copy).unwrap().len();
    let secret = folder.join("latchkey.db.secret");
    assert_eq!(said, json!({ "backup": copy, "bytes": bytes, "secret": secret }));
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    // What happened afterwards is not in it.
    let later = platform.token(MEMBER).await;

    let restored = other.path().join("latchkey.db");
    let said = restore(other.path(), &copy).json();
    let secret = other.path().join("latchkey.db.secret");
    assert_eq!(said, json!({ "restored": restored, "bytes": bytes, "secret": secret }));
    assert_eq!(names(other.path()), std::slice::from_ref(&restored));
    assert_eq!(fs::metadata(&restored).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read(&restored).unwrap() == fs::read(&copy).unwrap());

    let address = free_address();
    let mut command = serve(other.path(), &address);
    command.env("LATCHKEY_SECRET", crate::support::SECRET);
    let (_running, _, _log) = start(command);
    for (token, status) in [(token, "200"), (later, "401")] {
        let answer = get_with(&address, "/api/0/", &format!("Authorization: Bearer {token}"));
        assert_eq!(&answer[9..12], status, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment_however_much_is_written_meanwhile() {
    let folder = with_acme();
    let file = folder.path().join("latchkey.db");
    let mut command = serve(folder.path(), &free_address());
    command.env("LATCHKEY_SECRET", crate::support::SECRET);
    let (_running, _, _log) = start(command);
    let is_over = AtomicBool::new(false);
    let write = async {
        let mut connection = open(&file).await;
        let mut written = 0;
        while !is_over.load(Ordering::Relaxed) {
            // Two rows that belong together, and much that makes the file grow.
            let mut transaction = connection.begin_with("begin immediate").await.unwrap();
            for sql in [
                "insert into users values ($1, $1, $1, hex(randomblob(4000)), '', 1, null)",
                "insert into memberships values ((select id from organizations), $1, 'member', 1)",
            ] {
                sqlx::query(sql).bind(format!("user-{written}")).execute(&mut *transaction).await.unwrap();
            }
            transaction.commit().await.unwrap();
            written += 1;
        }
        written
    };
    let back_up = async {
        let copies: Vec<_> = (0..5).map(|number| folder.path().join(format!("copy-{number}.db"))).collect();
        for copy in copies.clone() {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || back_up(&folder, &copy).json()).await.unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        copies
    };
    let (written, copies) = tokio::join!(write, back_up);
    let mut before = 0;
    for copy in copies {
        let mut connection = open(&copy).await;
        let counts = "select (select count(*) from users), (select count(*) from memberships)";
        let (users, memberships): (i64, i64) =
            sqlx::query_as(counts).fetch_one(&mut connection).await.unwrap();
        assert!(
            users == memberships && before <= users && users <= written,
            "{before} {users} {memberships}"
        );
        before = users;
    }
    assert!(before > 0, "something was written meanwhile");
}

#[test]
fn a_backup_takes_nobody_else_s_place() {
    let folder = with_acme();
    let copy = folder.path().join("copy.db");
    fs::write(&copy, "somebody else's").unwrap();
    back_up(folder.path(), &copy).assert_refused("copy.db: a backup takes nobody else's place");
    assert_eq!(fs::read_to_string(&copy).unwrap(), "somebody else's");
    back_up(folder.path(), &folder.path().join("latchkey.db")).assert_refused("there is already");
    back_up(folder.path(), &folder.path().join("nowhere/copy.db")).assert_refused("cannot write ");
    assert_eq!(names(folder.path()).len(), 2, "no draft is left");
}

/// As on a disk that is full: no file can be longer than this.
#[tokio::test]
async fn a_backup_that_fails_leaves_nothing() {
    let folder = with_acme();
    let (file, copy) = (folder.path().join("latchkey.db"), folder.path().join("copy.db"));
    // More than the engine keeps in its memory.
    let mut connection = open(&file).await;
    let much = "update organizations set name = hex(randomblob(3000000))";
    sqlx::query(much).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let line = latchkey(&["backup", "--to", copy.to_str().unwrap()]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 4000; exec \"$@\"", "sh"]);
    command.arg(line.get_program()).args(line.get_args());
    command.arg("--database").arg(format!("sqlite://{}", file.display()));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(names(folder.path()), std::slice::from_ref(&file));
}

#[test]
fn there_is_nothing_to_back_up_where_no_database_is() {
    let folder = tempdir().unwrap();
    back_up(folder.path(), &folder.path().join("copy.db")).assert_refused("there is no database ");
    assert!(names(folder.path()).is_empty());
}

/// Before another version does that.
#[tokio::test]
async fn a_backup_brings_no_schema_up_to_date() {
    let folder = with_acme();
    let file = folder.path().join("latchkey.db");
    let latest = "select max(version) from _sqlx_migrations";
    for sql in ["drop table frame_sessions", "delete from _sqlx_migrations where version = 8"] {
        sqlx::query(sql).execute(&mut open(&file).await).await.unwrap();
    }
    let copy = folder.path().join("copy.db");
    back_up(folder.path(), &copy).json();
    for file in [file, copy] {
        let found: i64 = sqlx::query_scalar(latest).fetch_one(&mut open(&file).await).await.unwrap();
        assert_eq!(found, 7, "{}", file.display());
    }
}

#[test]
fn a_database_that_is_there_is_not_restored_over() {
    let folder = with_acme();
    let (file, copy) = (folder.path().join("latchkey.db"), folder.path().join("copy.db"));
    back_up(folder.path(), &copy).json();
    let mut command = serve(folder.path(), &free_address());
    command.env("LATCHKEY_SECRET", crate::support::SECRET);
    let (running, _, _log) = start(command);
    restore(folder.path(), &copy)
        .assert_refused("latchkey.db: stop its server, and move it away with what lies");
    // A server that still runs has more than the file.
    fs::rename(&file, folder.path().join("old.db")).unwrap();
    restore(folder.path(), &copy)
        .assert_refused("latchkey.db-wal: it is a part of the database that was there");
    drop(running);
    for part in ["latchkey.db-wal", "latchkey.db-shm"] {
        fs::remove_file(folder.path().join(part)).unwrap();
    }
    restore(folder.path(), &copy).json();
}

#[tokio::test]
async fn what_is_no_whole_backup_of_this_version_or_an_earlier_one_is_not_restored() {
    let folder = with_acme();
    let copy = folder.path().join("copy.db");
    back_up(folder.path(), &copy).json();
    let whole = fs::read(&copy).unwrap();
    let other = tempdir().unwrap();
    let broken = other.path().join("broken.db");
    let refused = |says: &str| {
        restore(other.path(), &broken).assert_refused(says);
        assert_eq!(names(other.path()), std::slice::from_ref(&broken), "nothing is left of it");
    };
    fs::write(&broken, "no database at all, and longer than a header of one would be, by far: ".repeat(20))
        .unwrap();
    refused("was not restored: it cannot be read: ");
    fs::write(&broken, "").unwrap();
    refused("it is no database of Latchkey's");
    fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    refused("was not restored: it ");
    let mut turned = whole.clone();
    turned[20_000..60_000].fill(0xa5);
    fs::write(&broken, turned).unwrap();
    refused("was not restored: it ");
    for (sql, says) in [
        (
            "insert into _sqlx_migrations values (9999, 'later', 0, true, x'00', 0)",
            "its schema (migration 9999)",
        ),
        ("update _sqlx_migrations set checksum = x'00' where version = 3", "its schema (migration 3)"),
        ("delete from _sqlx_migrations", "it is no database of Latchkey's"),
        ("insert into memberships values ('gone', 'gone', 'owner', 1)", "a row of memberships refers to one"),
    ] {
        fs::write(&broken, &whole).unwrap();
        let options = SqliteConnectOptions::new().filename(&broken).foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        refused(says);
    }
    fs::remove_file(&broken).unwrap();
    restore(other.path(), &broken).assert_refused("was not restored: ");
    assert!(names(other.path()).is_empty());
}

/// A file that was copied while a server wrote to it.
#[test]
fn a_file_with_parts_beside_it_is_no_backup() {
    let folder = with_acme();
    let (copy, other) = (folder.path().join("copy.db"), tempdir().unwrap());
    back_up(folder.path(), &copy).json();
    fs::write(folder.path().join("copy.db-wal"), "more").unwrap();
    restore(other.path(), &copy).assert_refused("copy.db-wal: the file that it lies beside is no backup");
    assert!(names(other.path()).is_empty());
}

#[tokio::test]
async fn what_is_on_a_server_is_its_tools_to_back_up() {
    for (line, says) in [(["backup", "--to"], "pg_dump"), (["restore", "--from"], "pg_restore")] {
        let mut command = latchkey(&line);
        command.args(["a.db", "--database", "postgres://latchkey:canary@127.0.0.1:1/latchkey"]);
        let said = run(command);
        said.assert_refused("postgres://latchkey@127.0.0.1:1/latchkey is on a PostgreSQL server: ");
        said.assert_refused(says);
    }
}
