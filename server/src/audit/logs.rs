//! `GET /api/0/organizations/{organization}/audit-logs/`: the audit log, the latest first, a page at a time.

use axum::{
    Extension, Json,
    extract::{RawQuery, State},
};
use serde::Serialize;
use serde_json::Value;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    gate::Authorized,
    http::{
        error::{ApiError, Error},
        paging,
        parameters::Parameters,
    },
    state::App,
    store::{
        StoreError,
        audit_log::{self, Filter, Row},
    },
};

/// A page of the log.
#[derive(Debug, Serialize)]
pub struct Page {
    /// The entries, the latest first.
    pub entries: Vec<Logged>,
    /// What `cursor` is for the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// An entry.
#[derive(Debug, Serialize)]
pub struct Logged {
    /// Its id: of two entries the later one has the greater.
    pub id: String,
    /// When, in seconds since the Unix epoch.
    pub at: UnixSeconds,
    /// What: see [`Action`].
    pub action: String,
    /// Who.
    pub actor: Who,
    /// From which address, if it came over the network.
    pub address: Option<String>,
    /// The application it is about.
    pub client_id: Option<String>,
    /// The person it is about.
    pub user_id: Option<String>,
    /// How often, where it is written down once for many times.
    pub occurrences: i64,
    /// Whatever else there is to say.
    pub detail: Value,
}

/// Who did it.
#[derive(Debug, Serialize)]
pub struct Who {
    /// `person`, `application`, `command` or `server`.
    pub kind: String,
    /// The person's id, or the client id.
    pub id: Option<String>,
}

impl TryFrom<Row> for Logged {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.to_string(),
            at: row.created_at,
            action: row.action,
            actor: Who { kind: row.actor_kind, id: row.actor_id },
            address: row.address,
            client_id: row.client_id,
            user_id: row.user_id,
            occurrences: row.occurrences,
            detail: serde_json::from_str(&row.detail)
                .map_err(|_| StoreError::Unreadable("audit_log.detail"))?,
        })
    }
}

/// Lists the log of the token's organization: `cursor` and `limit` say which page, `action`, `client_id` and `user_id`
/// which entries.
pub async fn list(
    State(app): State<App>,
    Extension(authorized): Extension<Authorized>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let limit = paging::limit(&parameters)?;
    let filter = Filter {
        before: cursor(&parameters)?,
        action: action(&parameters)?,
        client_id: parameters.get("client_id"),
        user_id: parameters.get("user_id"),
        // One more tells whether there is another page.
        limit: limit + 1,
        ..Filter::default()
    };
    let mut unit = app.store.read().await?;
    let rows = audit_log::list(&mut unit, &authorized.organization().id, &filter).await?;
    let (rows, next_cursor) = paging::cut(rows, limit, |row| row.id.to_string());
    let entries = rows.into_iter().map(Logged::try_from).collect::<Result<_, _>>()?;
    Ok(Json(Page { entries, next_cursor }))
}

fn cursor(parameters: &Parameters) -> Result<Option<i64>, Error> {
    let Some(cursor) = parameters.get("cursor") else { return Ok(None) };
    let cursor = cursor.parse().ok().filter(|cursor| *cursor > 0);
    cursor.map(Some).ok_or(Error::parameter("cursor", "is not the next_cursor of a page"))
}

fn action(parameters: &Parameters) -> Result<Option<Action>, Error> {
    let Some(name) = parameters.get("action") else { return Ok(None) };
    Action::parse(name).map(Some).ok_or(Error::parameter("action", "is not one that is written down"))
}
