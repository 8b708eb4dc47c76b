//! `/readyz` and `/metrics` of a region: whether it lets anybody through, and how it is connected with its centre.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use latchkey_gate::database::{Error as DatabaseError, Link};
use serde::Serialize;

use crate::{
    gate::Refusal,
    http::error::{ApiError, Error},
    state::App,
};

/// How a region is.
#[derive(Debug, Serialize)]
struct Condition {
    region: Option<String>,
    is_fresh: bool,
    /// For how long a change at the centre may have gone unnoticed here; null where nobody can tell.
    staleness_secs: Option<f64>,
    max_staleness_secs: u64,
    /// Whether the database receives from the centre at this moment.
    is_receiving: bool,
    /// Since when it has heard nothing.
    silent_secs: Option<f64>,
    /// What of the centre's log has come and is not told to be kept.
    behind_bytes: Option<i64>,
    /// Whether something never came, as one of the two databases was put back to what it had been: unsubscribe, and
    /// subscribe again.
    has_gap: bool,
}

async fn find(app: &App) -> Result<Condition, Error> {
    let source = app.gate.source();
    let link = source.link().await.map_err(|error: DatabaseError| Error::from(Refusal::from(error)))?;
    let Link { region, is_receiving, heard_ms, behind_bytes, has_gap } = link.ok_or(Error::NotFound)?;
    Ok(Condition {
        region,
        is_fresh: source.is_fresh(),
        staleness_secs: source.staleness().map(|staleness| staleness.as_secs_f64()),
        max_staleness_secs: app.config.limits.staleness.as_secs(),
        is_receiving,
        silent_secs: heard_ms.map(|millis| millis as f64 / 1000.0),
        behind_bytes,
        has_gap,
    })
}

/// 200 where it lets people through, and 503 where it does not; both say how it is.
pub async fn ready(State(app): State<App>) -> Result<Response, ApiError> {
    let state = find(&app).await?;
    let status = if state.is_fresh { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(state)).into_response())
}

/// The same as numbers (Prometheus' text format, 0.0.4). What is not known is left out.
pub async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let state = find(&app).await?;
    let numbers = [
        ("fresh", "Whether anybody is let through.", Some(f64::from(u8::from(state.is_fresh)))),
        (
            "receiving",
            "Whether the database receives from the centre.",
            Some(f64::from(u8::from(state.is_receiving))),
        ),
        (
            "gap",
            "Whether something never came, so that it is to be subscribed again.",
            Some(f64::from(u8::from(state.has_gap))),
        ),
        (
            "staleness_seconds",
            "For how long a change at the centre may have gone unnoticed.",
            state.staleness_secs,
        ),
        ("max_staleness_seconds", "How long that may be.", Some(state.max_staleness_secs as f64)),
        ("silent_seconds", "Since when nothing came from the centre.", state.silent_secs),
        (
            "behind_bytes",
            "What has come and is not told to be kept.",
            state.behind_bytes.map(|bytes| bytes as f64),
        ),
    ];
    let mut text = String::new();
    for (name, help, number) in numbers {
        let Some(number) = number else { continue };
        text += &format!(
            "# HELP latchkey_region_{name} {help}\n# TYPE latchkey_region_{name} gauge\nlatchkey_region_{name} {number}\n"
        );
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
