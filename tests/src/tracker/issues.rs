//! `/api/0/organizations/{organization}/issues/`: list, search, look at one, resolve it.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json,
    extract::{Path, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use latchkey_protocol::scope::Scope;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::tracker::{
    App,
    assertion::Caller,
    store::{Issue, Wanted},
};

/// How many issues a page has where nobody says.
const LIMIT: u32 = 50;
/// How many it has at most.
const MAX_LIMIT: u32 = 100;

/// One page of issues, the latest first.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    issues: Vec<Issue>,
    /// What `cursor` is for the next page; `null` on the last one.
    next_cursor: Option<String>,
}

/// Whether an issue is still one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    Unresolved,
    Resolved,
}

/// What may be changed of an issue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    status: Status,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    NoAssertion,
    BadAssertion,
    Scope(Scope),
    NotFound,
    /// What is wrong with the request.
    Bad(String),
    Unavailable,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, words) = match self {
            Self::NoAssertion => {
                (401, "invalid_request", "Latchkey-Assertion is missing: ask through the gateway".to_owned())
            }
            Self::BadAssertion => {
                (401, "invalid_token", "Latchkey-Assertion is not for this backend, or not valid".to_owned())
            }
            Self::Scope(scope) => {
                (403, "insufficient_scope", format!("the scope {} is needed", scope.as_str()))
            }
            Self::NotFound => (404, "not_found", "there is no such issue".to_owned()),
            Self::Bad(words) => (400, "invalid_request", words),
            Self::Unavailable => (503, "temporarily_unavailable", "try again in a moment".to_owned()),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({ "error": code, "error_description": words }))).into_response()
    }
}

impl From<sqlx::Error> for Refused {
    fn from(_: sqlx::Error) -> Self {
        Self::Unavailable
    }
}

type Parameters = Query<HashMap<String, String>>;

/// Lists issues: `project`, `page` (a path of the site), `status` and `query` (a part of the title) say which,
/// `cursor` and `limit` how many.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(organization): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Result<Json<Page>, Refused> {
    let caller = admit(&app, &headers, &organization, Scope::EventRead).await?;
    let wanted = wanted(&parameters)?;
    let mut issues = app.store.list(&caller.organization_slug, &wanted).await?;
    let most = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    let are_more = issues.len() > most;
    issues.truncate(most);
    let next_cursor = issues.last().filter(|_| are_more).map(|issue| issue.id.clone());
    Ok(Json(Page { issues, next_cursor }))
}

/// Shows an issue.
pub(super) async fn find(
    State(app): State<Arc<App>>,
    Path((organization, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Issue>, Refused> {
    let caller = admit(&app, &headers, &organization, Scope::EventRead).await?;
    let id = id.parse().map_err(|_| Refused::NotFound)?;
    app.store.find(&caller.organization_slug, id).await?.map(Json).ok_or(Refused::NotFound)
}

/// Resolves an issue, or opens it again.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Path((organization, id)): Path<(String, String)>,
    headers: HeaderMap,
    change: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Issue>, Refused> {
    let caller = admit(&app, &headers, &organization, Scope::EventWrite).await?;
    let id = id.parse().map_err(|_| Refused::NotFound)?;
    let Json(Change { status }) = change.map_err(|error| Refused::Bad(error.body_text()))?;
    let resolved = (status == Status::Resolved).then(|| (caller.user_id.as_str(), now()));
    app.store.resolve(&caller.organization_slug, id, resolved).await?.map(Json).ok_or(Refused::NotFound)
}

/// Who asks, where the path names their own organization and they may do that there. The gateway has seen to both
/// already; whoever comes another way has not.
async fn admit(app: &App, headers: &HeaderMap, organization: &str, scope: Scope) -> Result<Caller, Refused> {
    let caller = app.assertions.verify(headers).await?;
    if organization != caller.organization_slug && organization != caller.organization_id {
        return Err(Refused::NotFound);
    }
    if !caller.scopes.grants(scope) {
        return Err(Refused::Scope(scope));
    }
    Ok(caller)
}

fn wanted(parameters: &HashMap<String, String>) -> Result<Wanted<'_>, Refused> {
    let mut wanted = Wanted { limit: LIMIT, ..Wanted::default() };
    for (name, value) in parameters {
        let bad = |words: &str| Refused::Bad(format!("{name} {words}"));
        match name.as_str() {
            "project" => wanted.project = Some(value),
            "page" => wanted.page = Some(value),
            "query" => wanted.query = Some(value),
            "status" => {
                wanted.is_resolved = Some(match value.as_str() {
                    "resolved" => true,
                    "unresolved" => false,
                    _ => return Err(bad("is resolved or unresolved")),
                });
            }
            "cursor" => {
                wanted.before = Some(value.parse().map_err(|_| bad("is not the next_cursor of a page"))?);
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                wanted.limit = limit.ok_or_else(|| bad(&format!("is a number from 1 to {MAX_LIMIT}")))?;
            }
            _ => {
                return Err(bad("is not a parameter; there are project, page, query, status, cursor, limit"));
            }
        }
    }
    Ok(wanted)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
