//! What the gate is compared with: a bare axum route, and the same with one lookup in the database. It is a process of
//! its own, and the backend behind the gateway as well. Beside the bare route stands the same one behind the gate's layer:
//! what the gate by itself costs, in a service of somebody else's.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use latchkey_gate::{Clock, Gate, Rule, Settings, database::Database};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::net::TcpListener;

/// The route behind the gate's layer.
pub(crate) const GUARDED: &str = "/guarded/";
/// How many tokens the layer remembers: the server's own default.
const REMEMBERED: usize = 100_000;

/// What it answers, and where.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
    /// The body of every answer
    #[arg(long)]
    body: String,
    #[arg(long)]
    database: PathBuf,
}

#[derive(Debug, Clone)]
struct Backend {
    body: &'static str,
    readers: SqlitePool,
}

/// Answers until it is ended.
pub(crate) async fn run(options: Options) -> Result<()> {
    let backend = Backend { body: options.body.leak(), readers: readers(options.database) };
    let tokens = Arc::new(Database::of_sqlite(backend.readers.clone(), Clock::System, REMEMBERED));
    let watched = tokens.clone();
    tokio::spawn(async move { watched.watch().await });
    let gate = Gate::new(
        tokens,
        Settings {
            platform: "http://platform.example".into(),
            described_at: "http://platform.example/.well-known/oauth-protected-resource".into(),
            clock: Clock::System,
            observer: None,
        },
    );
    let router = Router::new()
        .route("/api/0/", get(answer))
        .route(GUARDED, get(answer).layer(gate.layer(Rule::of(GUARDED, None))))
        .route("/lookup/{id}", get(lookup))
        .route("/healthz", get(async || StatusCode::NO_CONTENT))
        // What comes through the gateway.
        .fallback(answer)
        .with_state(backend);
    let listener = TcpListener::bind(options.listen).await?;
    Ok(axum::serve(listener, router).await?)
}

async fn answer(State(backend): State<Backend>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], backend.body)
}

/// The unit of what a request may cost that the gate has to ask about: one row by its primary key.
async fn lookup(
    State(backend): State<Backend>,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, StatusCode> {
    const FIND: &str = "select id, scopes, created_at, expires_at from access_tokens where id = $1";
    let found: Result<Option<(String, String, i64, i64)>, _> =
        sqlx::query_as(FIND).bind(id).fetch_optional(&backend.readers).await;
    match found {
        Ok(Some(_)) => Ok(answer(State(backend)).await),
        Ok(None) | Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// As the server's own, in `server/src/store`.
fn readers(path: PathBuf) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .read_only(true);
    SqlitePoolOptions::new()
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
        .max_connections(8)
        .connect_lazy_with(options)
}

/// The arguments that start it.
pub(crate) fn arguments(listen: SocketAddr, body: &[u8], database: &std::path::Path) -> Result<Vec<String>> {
    let body = std::str::from_utf8(body).context("the answer is no text")?;
    let database = database.to_str().context("the path is no text")?;
    let words = ["backend", "--listen", &listen.to_string(), "--body", body, "--database", database];
    Ok(words.map(str::to_owned).to_vec())
}
