//! The database under test: a file, or a database of the PostgreSQL server that `LATCHKEY_TEST_POSTGRES` names.

use std::path::Path;

use latchkey_server::store::{DatabaseUrl, Store};
use sqlx::{
    AssertSqlSafe, Column, Connection, PgConnection, PgPool, Row, SqlitePool, TypeInfo, ValueRef,
    postgres::PgPoolOptions, sqlite::SqliteConnectOptions,
};
use tokio::sync::OnceCell;
use url::Url;

/// A server that a test may make databases on.
fn server() -> Option<Url> {
    let url = std::env::var("LATCHKEY_TEST_POSTGRES").ok()?;
    Some(url.parse().expect("LATCHKEY_TEST_POSTGRES is the URL of a PostgreSQL server"))
}

/// A database of it.
fn database(server: &Url, name: &str) -> Url {
    let mut url = server.clone();
    url.set_path(name);
    url
}

/// Whether it is a file: what a test says of that is not true of a server.
pub(crate) fn is_embedded() -> bool {
    server().is_none()
}

/// Where the database is, until the test is over.
#[derive(Debug)]
pub(crate) struct Place {
    url: DatabaseUrl,
    folder: tempfile::TempDir,
    made: Made,
}

/// Who made it, and throws it away.
#[derive(Debug)]
enum Made {
    /// A file in the folder, which goes with that.
    File,
    /// A database of this name on the server of all tests.
    Database(String),
    /// One that somebody else throws away, at this URL.
    Elsewhere(String),
}

impl Place {
    pub(crate) async fn new() -> Self {
        let Some(server) = server() else { return Self::embedded() };
        let template = template(&server).await;
        Self::on(&server, &format!("template {template}")).await
    }

    /// A file, whatever the tests run on.
    pub(crate) fn embedded() -> Self {
        Self::embedded_in(&std::env::temp_dir())
    }

    /// The same, below this folder.
    pub(crate) fn embedded_in(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("latchkey.db"));
        Self { url, folder, made: Made::File }
    }

    /// A database with nothing in it, not even the schema, where the tests run on a server.
    pub(crate) async fn bare() -> Option<Self> {
        Some(Self::on(&server()?, "").await)
    }

    /// The same, in an encoding that a server need not have been made with.
    pub(crate) async fn encoded(encoding: &str) -> Option<Self> {
        let how = format!("template template0 encoding '{encoding}' locale 'C'");
        Some(Self::on(&server()?, &how).await)
    }

    async fn on(server: &Url, how: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = fresh();
        ask(server, &format!("create database {name} {how}")).await;
        let url = database(server, &name);
        // For the command line, which is told of a folder.
        std::fs::write(folder.path().join(URL), url.as_str()).unwrap();
        Self { url: url.as_str().parse().unwrap(), folder, made: Made::Database(name) }
    }

    /// In a database of a server that the test itself starts, and throws away.
    pub(crate) fn at(url: &str) -> Self {
        Self {
            url: url.parse().unwrap(),
            folder: tempfile::tempdir().unwrap(),
            made: Made::Elsewhere(url.into()),
        }
    }

    pub(crate) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// Where it is on a server, with whatever opens it.
    pub(crate) fn server(&self) -> Option<Url> {
        match &self.made {
            Made::File => None,
            Made::Database(name) => Some(database(&server()?, name)),
            Made::Elsewhere(url) => url.parse().ok(),
        }
    }

    /// A folder for a test's own files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn connect(&self) -> Database {
        match &self.url {
            DatabaseUrl::Sqlite(file) => {
                let options = SqliteConnectOptions::new().filename(file);
                Database::Sqlite(SqlitePool::connect_with(options).await.unwrap())
            }
            DatabaseUrl::Postgres(_) => {
                let url = self.server().unwrap();
                let pool = PgPoolOptions::new().max_connections(2).connect(url.as_str());
                Database::Postgres(pool.await.unwrap())
            }
        }
    }
}

/// The file, in the folder of a test, that says where its database is.
const URL: &str = "database-url";

/// The database of the test whose folder this is.
pub(crate) fn database_of(folder: &Path) -> String {
    let named = std::fs::read_to_string(folder.join(URL)).ok();
    named.unwrap_or_else(|| format!("sqlite://{}", folder.join("latchkey.db").display()))
}

/// A server keeps what nobody takes away. The test may be over, and its runtime with it.
impl Drop for Place {
    fn drop(&mut self) {
        let Made::Database(name) = std::mem::replace(&mut self.made, Made::File) else { return };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let server = server().unwrap();
            runtime.block_on(ask(&server, &format!("drop database if exists {name} with (force)")));
        });
    }
}

/// A name that no other test of this process, and no other process, takes.
fn fresh() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// A database with the schema and nothing in it, made once: to copy one is quick.
async fn template(server: &Url) -> &'static str {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let name = fresh();
            ask(server, &format!("create database {name}")).await;
            let url = database(server, &name).as_str().parse().unwrap();
            Store::open(&url).await.unwrap().close().await;
            name
        })
        .await
}

async fn ask(server: &Url, sql: &str) {
    let mut connection = PgConnection::connect(server.as_str()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A row, as texts.
pub(crate) type Line = Vec<String>;

/// Connections to it.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// The same for both.
macro_rules! on {
    ($database:expr, $pool:ident => $does:expr) => {
        match $database {
            Database::Sqlite($pool) => $does,
            Database::Postgres($pool) => $does,
        }
    };
}

impl Database {
    pub(crate) async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        on!(self, pool => {
            Ok(sqlx::query(AssertSqlSafe(sql)).execute(pool).await?.rows_affected())
        })
    }

    /// Several statements.
    pub(crate) async fn script(&self, sql: &str) {
        on!(self, pool => {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
        });
    }

    pub(crate) async fn close(&self) {
        on!(self, pool => pool.close().await);
    }

    /// Counts what there is now, as a server does by itself a while after very much was added: by that it chooses its ways.
    pub(crate) async fn analyze(&self) {
        self.execute("analyze").await.unwrap();
    }

    pub(crate) async fn drop_table(&self, table: &str) {
        let cascade = if let Self::Postgres(_) = self { " cascade" } else { "" };
        self.execute(&format!("drop table {table}{cascade}")).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        // A sum or a length is of other types on a server.
        let sql = match self {
            Self::Sqlite(_) => sql.to_owned(),
            Self::Postgres(_) => format!("select cast(({sql}) as bigint)"),
        };
        on!(self, pool => {
            sqlx::query(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap().get(0)
        })
    }

    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        on!(self, pool => {
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
            rows.iter().map(|row| row.get(0)).collect()
        })
    }

    /// An expression's text as bytes.
    pub(crate) fn bytes(&self, expression: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("cast({expression} as blob)"),
            Self::Postgres(_) => format!("convert_to(cast({expression} as text), 'UTF8')"),
        }
    }

    /// An expression that is 32 other bytes for every row.
    pub(crate) fn random(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "randomblob(32)",
            Self::Postgres(_) => "sha256(convert_to(gen_random_uuid()::text, 'UTF8'))",
        }
    }

    /// The tables of the schema, and none of the migrations' own.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(_) => "select name from sqlite_master where type = 'table' and sql like '%strict'",
            Self::Postgres(_) => {
                "select table_name::text from information_schema.tables
                 where table_schema = 'public' and table_name not like '\\_sqlx%'"
            }
        };
        self.texts(sql).await
    }

    /// The rows of a table, each value as a text.
    pub(crate) async fn lines(&self, table: &str) -> Vec<Line> {
        let sql = format!("select * from {table}");
        on!(self, pool => {
            let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
            rows.iter()
                .map(|row| {
                    let value = |column: usize| {
                        let raw = row.try_get_raw(column).unwrap();
                        if raw.is_null() {
                            return String::new();
                        }
                        match raw.type_info().name() {
                            "INTEGER" | "INT8" => row.get::<i64, _>(column).to_string(),
                            "BLOB" | "BYTEA" => row
                                .get::<Vec<u8>, _>(column)
                                .iter()
                                .map(|byte| format!("{byte:02x}"))
                                .collect(),
                            "TEXT" => row.get::<String, _>(column),
                            other => panic!("{table}.{} is {other}", row.columns()[column].name()),
                        }
                    };
                    (0..row.columns().len()).map(value).collect()
                })
                .collect()
        })
    }
}
