//! `/api/0/organizations/{organization}/api-applications/`: an organization's applications, for programs on the
//! platform's own pages, in a person's own session.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    applications::{body::Body, change, draft::Draft, pages::find},
    directory::admin::{self, Admin},
    http::{
        address::ClientAddress,
        error::{ApiError, Error},
        json::JsonForm,
        origin_check::require_same_origin,
        paging,
        parameters::Parameters,
    },
    state::App,
    store::{
        self, Unit,
        applications::Application,
        grants::{self, Live},
    },
};

/// An application, as the API shows it.
#[derive(Debug, Serialize)]
pub struct Shown {
    client_id: String,
    name: String,
    homepage_url: Option<String>,
    privacy_url: Option<String>,
    terms_url: Option<String>,
    allowed_origins: Vec<String>,
    redirect_uris: Vec<String>,
    scopes: Vec<&'static str>,
    response_types: Vec<&'static str>,
    asks_always: bool,
    disabled: bool,
    /// What is live of it, where one application is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<Live>,
}

impl From<Application> for Shown {
    fn from(application: Application) -> Self {
        Self {
            allowed_origins: application.origins.iter().map(ToString::to_string).collect(),
            scopes: application.scopes.names(),
            response_types: application.response_types.names(),
            asks_always: application.asks_always_at.is_some(),
            disabled: application.disabled_at.is_some(),
            client_id: application.client_id,
            name: application.name,
            homepage_url: application.homepage_url,
            privacy_url: application.privacy_url,
            terms_url: application.terms_url,
            redirect_uris: application.redirect_uris,
            live: None,
        }
    }
}

/// A page of the list.
#[derive(Debug, Serialize)]
pub struct Page {
    applications: Vec<Shown>,
    /// What `cursor` is for the next page; `null` on the last one.
    next_cursor: Option<String>,
}

/// Lists the organization's applications; `cursor` and `limit` say which page.
pub async fn list(
    State(app): State<App>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Json<Page>, ApiError> {
    let mut unit = app.store.read().await?;
    let admin = admin::require(&app, &mut unit, &headers, &slug).await?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let limit = paging::limit(&parameters)?;
    let after = parameters.get("cursor").unwrap_or_default();
    let found = store::applications::list(&mut unit, &admin.organization.id, after, limit + 1).await?;
    let (found, next) = paging::cut(found, limit, |application| application.client_id.clone());
    Ok(Json(Page { applications: found.into_iter().map(Shown::from).collect(), next_cursor: next }))
}

/// Shows one.
pub async fn get(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut unit = app.store.read().await?;
    let admin = admin::require(&app, &mut unit, &headers, &slug).await?;
    let application = find(&mut unit, &admin, &client_id).await?;
    let now = app.clock.now();
    let live = grants::count_live(&mut unit, &admin.organization.id, &client_id, now).await?;
    Ok(respond(StatusCode::OK, application, Some(live)))
}

/// Registers one.
pub async fn post(
    State(app): State<App>,
    Path(slug): Path<String>,
    sent: JsonForm,
) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let (mut unit, admin) = sender(&app, &sent.headers, sent.address, &slug).await?;
    let body = Body::read(&sent.object)?;
    let details = body.complete(None)?.read().map_err(Error::Fields)?;
    let application = details.register(app.entropy.id()?, admin.organization.id.clone(), now);
    store::applications::insert(&mut unit, &application, now).await?;
    if body.disabled() == Some(true) {
        change::disable(&mut unit, &admin.organization.id, &application.client_id, now).await?;
    }
    let application = find(&mut unit, &admin, &application.client_id).await?;
    unit.commit().await?;
    let location = format!("/api/0/organizations/{slug}/api-applications/{}/", application.client_id);
    let mut response = respond(StatusCode::CREATED, application, None);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Changes one: fields that are left out stay as they are. `If-Match` says which state of it was looked at.
pub async fn put(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    sent: JsonForm,
) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let (mut unit, admin) = sender(&app, &sent.headers, sent.address, &slug).await?;
    let application = find(&mut unit, &admin, &client_id).await?;
    let looked_at = looked_at(&sent.headers, &application)?;
    let body = Body::read(&sent.object)?;
    let details = body.complete(Some(Draft::from(&application)))?.read().map_err(Error::Fields)?;
    let looked_at = Application { revision: looked_at, ..application };
    change::replace(&mut unit, looked_at, details, now).await?.ok_or(Error::Outdated)?;
    let organization_id = &admin.organization.id;
    match body.disabled() {
        Some(true) => {
            change::disable(&mut unit, organization_id, &client_id, now).await?;
        }
        Some(false) => {
            store::applications::touch_enabled(&mut unit, organization_id, &client_id).await?;
        }
        None => {}
    }
    let application = find(&mut unit, &admin, &client_id).await?;
    unit.commit().await?;
    Ok(respond(StatusCode::OK, application, None))
}

/// Deletes one: its tokens stop working at once. `If-Match` says which state of it was looked at, where that matters.
pub async fn delete(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    address: ClientAddress,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let (mut unit, admin) = sender(&app, &headers, address, &slug).await?;
    let application = find(&mut unit, &admin, &client_id).await?;
    if headers.contains_key(header::IF_MATCH) && looked_at(&headers, &application)? != application.revision {
        return Err(Error::Outdated.into());
    }
    let revoked = change::remove(&mut unit, &admin.organization.id, &client_id, now).await?;
    revoked.ok_or(Error::NotFound)?;
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The admin who changes something, from a page of the platform's own, and the unit that writes on their behalf.
async fn sender(
    app: &App,
    headers: &HeaderMap,
    address: ClientAddress,
    slug: &str,
) -> Result<(Unit, Admin), Error> {
    require_same_origin(headers, &app.config.public_url)?;
    admin::writer(app, headers, address, slug).await
}

/// The revision that `If-Match` names (RFC 9110 §13.1.1). Without one, a change could undo somebody else's unseen; `*`
/// says that this is meant.
fn looked_at(headers: &HeaderMap, application: &Application) -> Result<i64, Error> {
    let named = headers.get(header::IF_MATCH).ok_or(Error::StateUnnamed)?;
    let named = named.to_str().unwrap_or_default();
    if named == "*" {
        return Ok(application.revision);
    }
    let revision = named.strip_prefix('"').and_then(|named| named.strip_suffix('"'));
    revision.and_then(|revision| revision.parse().ok()).ok_or(Error::Outdated)
}

fn respond(status: StatusCode, application: Application, live: Option<Live>) -> Response {
    let tag = format!("\"{}\"", application.revision);
    let mut response = (status, Json(Shown { live, ..application.into() })).into_response();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
