//! `latchkey migrate --to postgres://…`

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use latchkey_server::{
    clock::Clock,
    secret::Digest256,
    store::{kept_forms, refused_origins},
};
use serde_json::{Value, json};
use sqlx::{Postgres, pool::PoolConnection};

use super::{
    Running, Said, database, latchkey, on, run,
    serve::{free_address, get_with, serve, signal, start},
};
use crate::support::{
    ACME, APP, Asking, Database, Form, Frame, MEMBER, NOW, OWNER, Person, Place, Platform, Tokens,
    database_of, is_embedded,
};

/// A platform in a file with something in every table, what somebody holds of it, and each table's rows.
struct Embedded {
    platform: Platform,
    /// A token of a fragment.
    token: String,
    tokens: Tokens,
    rows: Vec<(String, Vec<Vec<String>>)>,
}

impl Embedded {
    async fn new() -> Self {
        let platform = Platform::embedded().await;
        platform.make_key().await;
        let token = platform.token(MEMBER).await;
        let first = platform.tokens(MEMBER).await;
        let tokens = platform.refreshed(&first.refresh).await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        person.ask(&Asking::redirect().with("prompt", "consent")).await;
        person.code(&Asking::code()).await;
        Frame::signed_in(&platform, MEMBER).await;
        platform.invite("new@example.org", "member").await;
        platform.add_resource_server("api", Some(ACME.0)).await;
        let mut unit = platform.write().await;
        let digest = |text: &str| Digest256::of(text.as_bytes());
        let fields = "what they typed: 'ü\u{301}' \"\\\u{1f511}\" {null,NULL}";
        kept_forms::insert(&mut unit, &digest("a"), &digest("b"), "/organizations/", fields, NOW)
            .await
            .unwrap();
        refused_origins::insert(&mut unit, APP, "https://a.com", 1, NOW).await.unwrap();
        unit.commit().await.unwrap();
        // The last number that was given belongs to no row any more.
        platform.execute("delete from audit_log where id = (select max(id) from audit_log)").await;
        let rows = rows(&platform.database).await;
        for (table, rows) in &rows {
            assert!(!rows.is_empty(), "{table} is empty");
        }
        platform.end().await;
        Self { platform, token, tokens, rows }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.platform.folder()
    }

    fn moving(&self, target: &Place) -> Command {
        moving(&self.folder(), &database_of(target.folder()))
    }
}

fn moving(folder: &Path, to: &str) -> Command {
    latchkey(&["migrate", "--database", &database(folder), "--to", to])
}

/// Every table that moves, with its rows as texts.
async fn rows(database: &Database) -> Vec<(String, Vec<Vec<String>>)> {
    let mut tables = database.tables().await;
    tables.retain(|table| !["gate_changes", "counters"].contains(&table.as_str()));
    tables.sort();
    let mut all = vec![];
    for table in tables {
        let mut rows = database.lines(&table).await;
        rows.sort();
        all.push((table, rows));
    }
    all
}

/// The object, and that all of it has moved.
#[track_caller]
fn assert_moved(said: &Said, rows: &[(String, Vec<Vec<String>>)]) {
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let object: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((said.stdout.lines().count(), &object["verified"]), (1, &json!(true)));
    let moved = object["moved"].as_object().unwrap();
    let counts: Vec<_> =
        moved.iter().map(|(table, one)| (table.clone(), one["rows"].as_u64().unwrap())).collect();
    let expected: Vec<_> = rows.iter().map(|(table, rows)| (table.clone(), rows.len() as u64)).collect();
    assert_eq!(counts, expected);
    assert!(moved.values().all(|one| one["sha256"].as_str().unwrap().len() == 64));
}

fn post(address: &str, path: &str, form: &Form) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "Host: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded";
    let (body, mut answer) = (form.body(), String::new());
    write!(stream, "POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn everything_moves_and_is_of_use_there() {
    // A database that nobody did anything with, and one whose schema is there.
    let Some(bare) = Place::bare().await else { return };
    for target in [bare, Place::new().await] {
        let source = Embedded::new().await;
        let mut command = source.moving(&target);
        command.args(["--batch", "2"]);
        let said = run(command);
        assert_moved(&said, &source.rows);
        assert!(
            said.stderr.contains("latchkey: audit_log: ") && !said.stderr.contains('\u{1b}'),
            "{}",
            said.stderr
        );
        let there = target.connect().await;
        assert_eq!(rows(&there).await, source.rows);

        let numbers = "select max(id) from audit_log";
        let last = there.number(numbers).await;
        on(target.folder(), &["app", "disable", "--client-id", "globexclient"]).json();
        assert!(there.number(numbers).await > last + 1, "a number that was given once is not given again");
        on(target.folder(), &["key", "rotate"]).json();

        let address = free_address();
        let (_running, _, _log) = start(serve(target.folder(), &address));
        for token in [&source.token, &source.tokens.access] {
            let answer = get_with(&address, "/api/0/", &format!("Authorization: Bearer {token}"));
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        let answer = post(&address, "/oauth/token/", &Form::refresh(&source.tokens.refresh));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("lkrt_"), "{answer}");

        run(source.moving(&target)).assert_refused("it has moved to a server already");
        let other = Embedded::new().await;
        run(other.moving(&target)).assert_refused("holds rows already: a database moves into an empty one");
    }
}

#[tokio::test]
async fn on_a_terminal_a_bar_shows_how_far_it_is() {
    let Some(target) = Place::bare().await else { return };
    let source = Embedded::new().await;
    let moving = source.moving(&target);
    let words = [moving.get_program()].into_iter().chain(moving.get_args());
    let line: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
    command.envs(moving.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    for shows in ["\u{2588}", "% ", " left)", "everything has moved to", "\"verified\":true"] {
        assert!(shown.contains(shows), "{shows} is not in {shown}");
    }
    let lines = shown.split(['\r', '\n']).filter(|line| line.contains("audit_log: "));
    assert_eq!(lines.count(), 0, "no line for each table beside it: {shown}");
}

/// What was revoked at the one place would be good at the other.
#[tokio::test]
async fn what_has_moved_moves_nowhere_else() {
    let Some(target) = Place::bare().await else { return };
    let (source, begun, other) = (Embedded::new().await, Place::new().await, Place::bare().await.unwrap());
    drop(move_and_kill_at_its_end(&source, &begun).await);
    assert_eq!(run(back(&source.folder())).code, Some(0));
    assert_moved(&run(source.moving(&target)), &source.rows);
    // Neither to a place of which it knows nothing, nor to one to which all of it came before.
    for elsewhere in [&other, &begun] {
        run(source.moving(elsewhere))
            .assert_refused("it has moved to a server already, where what was done since is");
    }
    assert_eq!(run(back(&source.folder())).code, Some(0));
    assert_moved(&run(source.moving(&other)), &source.rows);
}

/// The command that takes a file back.
fn back(folder: &Path) -> Command {
    latchkey(&["migrate", "--database", &database_of(folder), "--take-back"])
}

/// What was revoked at the new place would be good at the old one.
#[tokio::test]
async fn a_file_that_has_moved_is_served_by_nobody_until_it_is_taken_back() {
    let Some(target) = Place::bare().await else { return };
    let source = Embedded::new().await;
    let (folder, before) = (source.folder(), &source.rows);
    let moved = "it has moved to a server, where what was done since is";
    assert_moved(&run(source.moving(&target)), before);
    on(&folder, &["key", "rotate"]).assert_refused(moved);
    run(serve(&folder, &free_address())).assert_refused(moved);
    run(back(target.folder()))
        .assert_refused("is on a PostgreSQL server already: --take-back is for the file");
    for (taken_back, says) in [(true, "servers start on it again"), (false, "it has not moved")] {
        let said = run(back(&folder));
        let told = serde_json::from_str::<Value>(&said.stdout).unwrap();
        assert_eq!(told, json!({ "taken_back": taken_back }), "{}", said.stderr);
        assert!(said.code == Some(0) && said.stderr.contains(says), "{}", said.stderr);
    }
    let address = free_address();
    let (_running, _, _log) = start(serve(&folder, &address));
    let answer = get_with(&address, "/api/0/", &format!("Authorization: Bearer {}", source.token));
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn it_says_what_the_secret_is_given_as() {
    let Some(target) = Place::bare().await else { return };
    let source = Embedded::new().await;
    let secret = source.folder().join("latchkey.db.secret");
    std::fs::write(&secret, "").unwrap();
    std::fs::create_dir(source.folder().join("latchkey-scripts")).unwrap();
    let mut command = source.moving(&target);
    command.env_remove("LATCHKEY_SECRET");
    let said = run(command);
    let says = format!("lie under the secret in {}: give its content as LATCHKEY_SECRET", secret.display());
    assert!(said.code == Some(0) && said.stderr.contains(&says), "{}", said.stderr);
    assert!(said.stderr.contains("latchkey-scripts: give it as --scripts"), "{}", said.stderr);
}

/// Moves until it comes to some later row of the audit log, and is killed there.
async fn move_and_kill(source: &Embedded, target: &Place) -> Database {
    const LOCK: &str = "select pg_advisory_lock(42)";
    const UNLOCK: &str = "select pg_advisory_unlock(42)";
    let there = target.connect().await;
    for sql in [
        "create function wait_there() returns trigger language plpgsql as
         $$ begin perform pg_advisory_xact_lock(42); return new; end $$",
        "create trigger wait_there before insert on audit_log for each row when (new.id > 4)
         execute function wait_there()",
    ] {
        there.execute(sql).await.unwrap();
    }
    let Database::Postgres(pool) = &there else { panic!("it is no server") };
    let mut held: PoolConnection<Postgres> = pool.acquire().await.unwrap();
    sqlx::query(LOCK).execute(&mut *held).await.unwrap();
    let mut command = source.moving(target);
    command.args(["--batch", "2"]);
    let mut running = Running(command.spawn().unwrap());
    let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database =
                   (select oid from pg_database where datname = current_database())";
    let began = Clock::System.elapsed();
    while there.number(waiting).await == 0 {
        assert!(Clock::System.elapsed() - began < Duration::from_secs(30), "it does not come there");
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
    }
    on(&source.folder(), &["migrate"]).assert_refused("another process has the file to itself");
    signal(&running, "-KILL");
    running.0.wait().unwrap();
    sqlx::query(UNLOCK).execute(&mut *held).await.unwrap();
    there.execute("drop trigger wait_there on audit_log").await.unwrap();
    let moved = there.number("select count(*) from audit_log").await;
    assert!(
        moved > 0 && moved % 2 == 0 && there.number("select max(id) from audit_log").await <= 6,
        "{moved}"
    );
    there
}

#[tokio::test]
async fn a_move_that_is_killed_goes_on_where_it_was() {
    if is_embedded() {
        return;
    }
    let (source, target) = (Embedded::new().await, Place::new().await);
    let there = move_and_kill(&source, &target).await;
    let made = "select xmin::text from users union all select xmin::text from audit_log where id <= 4";
    let before = there.texts(made).await;

    let half = run(serve(target.folder(), &free_address()));
    half.assert_refused("a database that moves here is not complete");
    on(target.folder(), &["migrate"]).assert_refused("run the same `latchkey migrate --to` again");

    assert_moved(&run(source.moving(&target)), &source.rows);
    assert_eq!(rows(&there).await, source.rows);
    assert_eq!(there.texts(made).await, before, "what was there was not moved again");
    on(target.folder(), &["migrate"]).json();
}

/// Moves all of it, and is killed when only the end of the move is missing at the server.
async fn move_and_kill_at_its_end(source: &Embedded, target: &Place) -> Database {
    let there = move_and_kill(source, target).await;
    let Database::Postgres(pool) = &there else { panic!("it is no server") };
    // Whoever reads the table keeps it from being dropped, which is the last thing that is done.
    let mut reading = pool.begin().await.unwrap();
    sqlx::query("lock table moving in access share mode").execute(&mut *reading).await.unwrap();
    let mut running = Running(source.moving(target).spawn().unwrap());
    // In this database: other tests have others at the same server.
    let waits = "from pg_locks where relation = 'moving'::regclass and not granted and database =
                 (select oid from pg_database where datname = current_database())";
    let waiting = format!("select count(*) {waits}");
    let began = Clock::System.elapsed();
    while there.number(&waiting).await == 0 {
        assert!(Clock::System.elapsed() - began < Duration::from_secs(30), "it does not come there");
        assert!(running.0.try_wait().unwrap().is_none(), "it ended");
    }
    signal(&running, "-KILL");
    running.0.wait().unwrap();
    // What its connection waits for would be done though nobody is there any more.
    there.execute(&format!("select pg_terminate_backend(pid) {waits}")).await.unwrap();
    reading.rollback().await.unwrap();
    there
}

/// The file is one that has moved before the server is one that may be served: at no moment both of them may be.
#[tokio::test]
async fn a_move_that_is_killed_at_its_end_leaves_neither_to_be_served_and_goes_on() {
    if is_embedded() {
        return;
    }
    let (source, target) = (Embedded::new().await, Place::new().await);
    let there = move_and_kill_at_its_end(&source, &target).await;
    let moved = "it has moved to a server, where what was done since is";
    on(&source.folder(), &["key", "rotate"]).assert_refused(moved);
    on(target.folder(), &["key", "rotate"]).assert_refused("a database that moves here is not complete");
    assert_moved(&run(source.moving(&target)), &source.rows);
    assert_eq!(rows(&there).await, source.rows);
    on(target.folder(), &["migrate"]).json();
}

#[tokio::test]
async fn a_move_does_not_go_on_with_a_file_that_has_changed_since() {
    if is_embedded() {
        return;
    }
    let (source, target) = (Embedded::new().await, Place::new().await);
    let there = move_and_kill(&source, &target).await;
    let before = rows(&there).await;
    // As many rows as before.
    on(&source.folder(), &["user", "disable", "--email", OWNER]).json();
    run(source.moving(&target)).assert_refused_at_last("has changed since the move began");
    assert_eq!(rows(&there).await, before);
}

impl Said {
    /// A refusal after it was told how far it came.
    #[track_caller]
    fn assert_refused_at_last(&self, says: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{}", self.stderr);
        let last = self.stderr.lines().last().unwrap();
        assert!(last.starts_with("latchkey: cannot ") && last.contains(says), "{}", self.stderr);
    }
}

#[tokio::test]
async fn a_target_that_holds_anything_is_refused_and_stays_as_it_is() {
    let Some(foreign) = Place::bare().await else { return };
    let source = Embedded::new().await;
    let there = foreign.connect().await;
    there.execute("create table somebody_elses (a bigint)").await.unwrap();
    there.execute("insert into somebody_elses values (1)").await.unwrap();
    run(source.moving(&foreign)).assert_refused("the table somebody_elses of the target holds rows already");
    assert_eq!(there.tables().await, ["somebody_elses"], "not even the schema was made");

    let served = Place::new().await;
    on(served.folder(), &["org", "add", "--slug", "acme", "--name", "Acme"]).json();
    let there = served.connect().await;
    let before = rows(&there).await;
    run(source.moving(&served)).assert_refused("of the target holds rows already");
    assert_eq!(rows(&there).await, before);
}

#[tokio::test]
async fn a_region_is_no_place_to_move_to() {
    let Some(region) = Place::bare().await else { return };
    let source = Embedded::new().await;
    let there = region.connect().await;
    there.script("create schema regional; create table regional.heartbeat (number bigint)").await;
    run(source.moving(&region)).assert_refused("this database is a region's");
    assert!(there.tables().await.is_empty(), "not even the schema was made");
}

#[tokio::test]
async fn one_moves_at_a_time() {
    let Some(target) = Place::bare().await else { return };
    let source = Embedded::new().await;
    let Database::Postgres(pool) = target.connect().await else { panic!("it is no server") };
    let mut held: PoolConnection<Postgres> = pool.acquire().await.unwrap();
    let lock = "select pg_advisory_lock(7813308473218165349)";
    sqlx::query(lock).execute(&mut *held).await.unwrap();
    run(source.moving(&target)).assert_refused("another process moves into the target at this moment");
}

#[tokio::test]
async fn what_arrives_other_than_it_was_sent_is_noticed() {
    let Some(target) = Place::bare().await else { return };
    let source = Embedded::new().await;
    on(target.folder(), &["migrate"]).json();
    let there = target.connect().await;
    for sql in [
        "create function other() returns trigger language plpgsql as
         $$ begin new.name := new.name || ' '; return new; end $$",
        "create trigger other before insert on projects for each row execute function other()",
    ] {
        there.execute(sql).await.unwrap();
    }
    run(source.moving(&target)).assert_refused_at_last("the table projects of the target is not the same");
    on(target.folder(), &["migrate"]).assert_refused("is not complete");
}

#[tokio::test]
async fn a_text_that_only_the_file_can_hold_is_named() {
    for (text, problem) in
        [("'a' || char(0)", "holds the character U+0000"), ("cast(x'ff41' as text)", "is not UTF-8")]
    {
        let Some(target) = Place::bare().await else { return };
        let platform = Platform::embedded().await;
        platform.execute(&format!("update projects set name = {text}")).await;
        platform.end().await;
        let said = run(moving(&platform.folder(), &database_of(target.folder())));
        said.assert_refused_at_last(&format!("a text in projects.name {problem}"));
    }
}

/// A row that an index lacks would be missing there, and in what is compared.
#[tokio::test]
async fn a_damaged_file_does_not_move() {
    let Some(target) = Place::bare().await else { return };
    for (damage, says) in [
        (
            "pragma writable_schema = on;
             update sqlite_master set rootpage = (select rootpage from sqlite_master
                                                  where name = 'sqlite_autoindex_frame_sessions_1')
             where name = 'sqlite_autoindex_projects_1';
             pragma writable_schema = off",
            "the file is damaged: ",
        ),
        ("pragma foreign_keys = off; delete from users", "refers to one that is not there"),
    ] {
        let platform = Platform::embedded().await;
        platform.database.script(damage).await;
        platform.end().await;
        let said = run(moving(&platform.folder(), &database_of(target.folder())));
        said.assert_refused_at_last(says);
        assert!(target.connect().await.tables().await.is_empty(), "not even the schema was made");
    }
}

#[tokio::test]
async fn a_database_that_does_not_hold_every_text_is_refused() {
    let source = tempfile::tempdir().unwrap();
    run(latchkey(&["migrate", "--database", &database(source.path())]));
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let Some(target) = Place::encoded(encoding).await else { return };
        let says = format!("it is encoded in {encoding}, which does not hold everybody's name");
        run(moving(source.path(), &database_of(target.folder()))).assert_refused(&says);
        on(target.folder(), &["migrate"]).assert_refused(&says);
        run(serve(target.folder(), &free_address())).assert_refused_at_last(&says);
        assert!(target.connect().await.tables().await.is_empty(), "not even the schema was made");
    }
}

/// Also before anybody asks where to.
#[tokio::test]
async fn a_file_that_is_in_use_does_not_move() {
    let platform = Platform::embedded().await;
    platform.database.close().await;
    let nowhere = "postgres://postgres:canary@127.0.0.1:1/nothing";
    let said = run(moving(&platform.folder(), nowhere));
    said.assert_refused("a process has the database open: stop the server");
    platform.app.store.close().await;
    let said = run(moving(&platform.folder(), nowhere));
    said.assert_refused("cannot open the database postgres://postgres@127.0.0.1:1/nothing");
    assert!(!said.stderr.contains("canary"), "{}", said.stderr);
}

#[test]
fn what_cannot_be_moved_or_moved_to_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (to, says) in [
        ("sqlite:///a.db", "--to names a database on a server"),
        ("postgres://u:canary@db.example/d?x=1", "--to: the parameter \"x\" is not known"),
        ("postgres://u@127.0.0.1:1/d", "latchkey.db: the file failed: "),
    ] {
        let said = run(latchkey(&[
            "migrate",
            "--to",
            to,
            "--database",
            &format!("sqlite://{}", folder.path().join("latchkey.db").display()),
        ]));
        said.assert_refused(says);
        assert!(!said.stderr.contains("canary"), "{}", said.stderr);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file was made");
    let both = ["migrate", "--database", "postgres://u@127.0.0.1:1/a", "--to", "postgres://u@127.0.0.1:1/b"];
    run(latchkey(&both))
        .assert_refused("is on a PostgreSQL server already: move it with pg_dump and pg_restore");
}
