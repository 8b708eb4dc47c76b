//! What a person allowed: the list, the end of one of them, and `/api/0/api-authorizations/`, which is both for
//! programs on the platform's own pages.

use std::net::SocketAddr;

use axum::{
    Extension, Json,
    extract::{ConnectInfo, RawQuery, State},
    http::{HeaderMap, StatusCode},
};
use latchkey_protocol::{frame::Organization, scope::Scopes};
use serde::{Serialize, Serializer};

use crate::{
    audit::By,
    clock::UnixSeconds,
    directory::session,
    http::{
        address::ClientAddress,
        error::{ApiError, Error},
        origin_check::require_same_origin,
        parameters::Parameters,
    },
    state::App,
    store::{self, StoreError, Unit, consents::Allowed, grants::Selection},
};

/// What a person allowed one application.
#[derive(Debug, Serialize)]
pub struct Authorization {
    /// The application.
    pub application: Application,
    /// The organization that it belongs to, and that its tokens open.
    pub organization: Organization,
    /// Where it was allowed: never empty.
    pub sites: Vec<Site>,
}

/// An application, for who allowed it.
#[derive(Debug, Serialize)]
pub struct Application {
    /// Its public id.
    pub client_id: String,
    /// Its name.
    pub name: String,
}

/// Where an application was allowed, and what it may do there.
#[derive(Debug, Serialize)]
pub struct Site {
    /// The site.
    pub requesting_origin: String,
    /// Where responses go.
    pub redirect_uri: String,
    /// What was allowed.
    #[serde(serialize_with = "names")]
    pub scopes: Scopes,
    /// Since when, in seconds since the Unix epoch.
    pub allowed_at: UnixSeconds,
    /// When the person last allowed it.
    pub updated_at: UnixSeconds,
    /// When something was last issued on it; `null` where nothing ever was.
    pub last_used_at: Option<UnixSeconds>,
}

fn names<S: Serializer>(scopes: &Scopes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(scopes.names())
}

/// What this person allowed: by the names of the organizations, and of the applications in each.
pub async fn list(unit: &mut Unit, user_id: &str) -> Result<Vec<Authorization>, StoreError> {
    let mut found: Vec<Authorization> = Vec::new();
    for allowed in store::consents::list_of_user(unit, user_id).await? {
        let Allowed { client_id, requesting_origin, redirect_uri, scopes, .. } = allowed;
        let (allowed_at, updated_at, last_used_at) =
            (allowed.created_at, allowed.updated_at, allowed.last_used_at);
        let site = Site { requesting_origin, redirect_uri, scopes, allowed_at, updated_at, last_used_at };
        match found.last_mut() {
            Some(last) if last.application.client_id == client_id => last.sites.push(site),
            Some(_) | None => found.push(Authorization {
                application: Application { client_id, name: allowed.application_name },
                organization: Organization {
                    id: allowed.organization_id,
                    slug: allowed.organization_slug,
                    name: allowed.organization_name,
                },
                sites: vec![site],
            }),
        }
    }
    Ok(found)
}

/// Ends what this person allowed the application, on every site, and revokes all it holds for them. `false` where
/// there was nothing to end.
pub async fn end(
    unit: &mut Unit,
    user_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    let consents = store::consents::remove_of_application(unit, user_id, client_id).await?;
    let theirs = Selection::Allowed { user_id, client_id };
    let revoked = store::grants::revoke(unit, theirs, now).await?;
    Ok(consents + revoked.grants > 0)
}

/// Lists what the person allowed.
pub async fn get(State(app): State<App>, headers: HeaderMap) -> Result<Json<Vec<Authorization>>, ApiError> {
    let mut unit = app.store.read().await?;
    let session = session::require(&app, &mut unit, &headers).await?;
    Ok(Json(list(&mut unit, &session.user_id).await?))
}

/// Ends one of them: the one of the `client_id` in the query, as the content of a DELETE has no meaning
/// (RFC 9110 §9.3.5).
pub async fn delete(
    State(app): State<App>,
    Extension(ConnectInfo(peer)): Extension<ConnectInfo<SocketAddr>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, ApiError> {
    require_same_origin(&headers, &app.config.public_url)?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    let session = session::require(&app, &mut unit, &headers).await?;
    let address = ClientAddress::find(peer.ip(), &headers, &app.config.trusted_proxies);
    unit.act_for(By::person(&session.user_id, address, app.clock.now()));
    let client_id = parameters.require("client_id")?;
    if !end(&mut unit, &session.user_id, client_id, app.clock.now()).await? {
        return Err(Error::NotFound.into());
    }
    unit.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
