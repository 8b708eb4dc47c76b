//! Applications: the OAuth public clients of organizations.

use latchkey_protocol::{origin::Origin, scope::Scopes};
use serde_json::json;

use crate::{
    applications::{ResponseType, ResponseTypes},
    audit::Action,
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        statement,
    },
};

/// An application with what it may do.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its public id.
    pub client_id: String,
    /// The organization that owns it, for ever.
    pub organization_id: String,
    /// Its name for people.
    pub name: String,
    /// The most that its tokens may do.
    pub scopes: Scopes,
    /// The response types it may ask for.
    pub response_types: ResponseTypes,
    /// Set where every sign-in shows the consent page.
    pub asks_always_at: Option<UnixSeconds>,
    /// Since when it does not work.
    pub disabled_at: Option<UnixSeconds>,
    /// The sites it runs on.
    pub origins: Vec<Origin>,
    /// Where its authorization responses may go, besides the platform's callback.
    pub redirect_uris: Vec<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    client_id: String,
    organization_id: String,
    name: String,
    scopes: String,
    response_types: String,
    asks_always_at: Option<UnixSeconds>,
    disabled_at: Option<UnixSeconds>,
}

/// Reads a column that holds a space-delimited list of scopes.
pub(crate) fn scopes(list: &str, column: &'static str) -> Result<Scopes, StoreError> {
    Scopes::parse(list).map_err(|_| StoreError::Unreadable(column))
}

/// Adds an application with its origins and redirect URIs.
pub async fn insert(unit: &mut Unit, application: &Application, now: UnixSeconds) -> Result<(), StoreError> {
    const INSERT: &str = "insert into applications
                              (client_id, organization_id, name, scopes, response_types, asks_always_at, created_at)
                          values ($1, $2, $3, $4, $5, $6, $7)";
    const INSERT_ORIGIN: &str = "insert into application_origins (client_id, origin) values ($1, $2)";
    const INSERT_REDIRECT: &str =
        "insert into application_redirect_uris (client_id, redirect_uri) values ($1, $2)";
    statement!(
        unit,
        execute,
        INSERT,
        &application.client_id,
        &application.organization_id,
        &application.name,
        application.scopes.to_list(),
        application.response_types.to_list(),
        application.asks_always_at,
        now
    )?;
    for origin in &application.origins {
        statement!(unit, execute, INSERT_ORIGIN, &application.client_id, origin.as_str())?;
    }
    for redirect_uri in &application.redirect_uris {
        statement!(unit, execute, INSERT_REDIRECT, &application.client_id, redirect_uri)?;
    }
    let entry = Entry::new(&application.organization_id, Action::ApplicationAdded);
    let detail = json!({
        "name": application.name,
        "origins": application.origins.iter().map(Origin::as_str).collect::<Vec<_>>(),
        "redirect_uris": application.redirect_uris,
        "scopes": application.scopes.names(),
        "response_types": application.response_types.to_list(),
    });
    audit_log::insert(unit, &entry.of_application(&application.client_id), &detail).await
}

/// The application with this client id, active or not.
pub async fn find(unit: &mut Unit, client_id: &str) -> Result<Option<Application>, StoreError> {
    const FIND: &str =
        "select client_id, organization_id, name, scopes, response_types, asks_always_at, disabled_at
                        from applications where client_id = $1";
    const LIST_ORIGINS: &str = "select origin from application_origins where client_id = $1 order by origin";
    const LIST_REDIRECTS: &str =
        "select redirect_uri from application_redirect_uris where client_id = $1 order by redirect_uri";
    let Some(row) = statement!(unit, fetch_optional Row, FIND, client_id)? else { return Ok(None) };
    let origins = statement!(unit, fetch_all(String,), LIST_ORIGINS, client_id)?;
    let redirect_uris = statement!(unit, fetch_all(String,), LIST_REDIRECTS, client_id)?;
    Ok(Some(Application {
        scopes: scopes(&row.scopes, "applications.scopes")?,
        response_types: ResponseTypes::parse(&row.response_types)
            .ok_or(StoreError::Unreadable("applications.response_types"))?,
        origins: origins
            .into_iter()
            .map(|(origin,)| Origin::parse(&origin))
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Unreadable("application_origins.origin"))?,
        redirect_uris: redirect_uris.into_iter().map(|(uri,)| uri).collect(),
        client_id: row.client_id,
        organization_id: row.organization_id,
        name: row.name,
        asks_always_at: row.asks_always_at,
        disabled_at: row.disabled_at,
    }))
}

/// Whether any active application of an active organization runs on this origin.
pub async fn has_origin(unit: &mut Unit, origin: &str) -> Result<bool, StoreError> {
    const HAS_ORIGIN: &str = "select count(*) from application_origins ao
                              join applications a on a.client_id = ao.client_id
                              join organizations o on o.id = a.organization_id
                              where ao.origin = $1 and a.disabled_at is null and o.disabled_at is null";
    Ok(statement!(unit, fetch_one(i64,), HAS_ORIGIN, origin)?.0 > 0)
}

/// Disables an application, from now on. False when there is none with this client id.
pub async fn revoke(unit: &mut Unit, client_id: &str, now: UnixSeconds) -> Result<bool, StoreError> {
    const REVOKE: &str =
        "update applications set disabled_at = coalesce(disabled_at, $2) where client_id = $1
                          returning organization_id, name";
    let Some((organization_id, name)) =
        statement!(unit, fetch_optional(String, String), REVOKE, client_id, now)?
    else {
        return Ok(false);
    };
    let entry = Entry::new(&organization_id, Action::ApplicationDisabled).of_application(client_id);
    audit_log::insert(unit, &entry, &json!({ "name": name })).await?;
    Ok(true)
}

impl Application {
    /// Whether it may ask for this response type.
    pub fn allows(&self, response_type: ResponseType) -> bool {
        self.response_types.contains(response_type)
    }

    /// Whether it runs on this origin, exactly.
    pub fn runs_on(&self, origin: &Origin) -> bool {
        self.origins.contains(origin)
    }
}
