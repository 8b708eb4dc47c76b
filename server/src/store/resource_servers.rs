//! Resource servers: who may ask what a token is.

use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    secret::Digest256,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        statement,
    },
};

/// A resource server.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ResourceServer {
    /// Its id, the name it authenticates under.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// SHA-256 of its secret.
    pub secret_hash: Vec<u8>,
    /// The organization whose tokens it is told of; `None` for the platform's own, which is told of all.
    pub organization_id: Option<String>,
    /// Since when it is told nothing.
    pub disabled_at: Option<UnixSeconds>,
}

/// Adds a resource server.
pub async fn insert(
    unit: &mut Unit,
    id: &str,
    name: &str,
    secret: &Digest256,
    organization_id: Option<&str>,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into resource_servers (id, name, secret_hash, organization_id, created_at)
                          values ($1, $2, $3, $4, $5)";
    statement!(unit, execute, INSERT, id, name, secret.as_bytes(), organization_id, now)?;
    // One of the platform itself is in no organization's log.
    let Some(organization_id) = organization_id else { return Ok(()) };
    let entry = Entry::new(organization_id, Action::ResourceServerAdded);
    audit_log::insert(unit, &entry, &json!({ "id": id, "name": name })).await
}

/// The resource server with this id, active or not.
pub async fn find(unit: &mut Unit, id: &str) -> Result<Option<ResourceServer>, StoreError> {
    const FIND: &str =
        "select id, name, secret_hash, organization_id, disabled_at from resource_servers where id = $1";
    statement!(unit, fetch_optional ResourceServer, FIND, id)
}

/// Disables a resource server, from now on. False when there is none with this id.
pub async fn revoke(unit: &mut Unit, id: &str, now: UnixSeconds) -> Result<bool, StoreError> {
    const REVOKE: &str = "update resource_servers set disabled_at = coalesce(disabled_at, $2) where id = $1
                          returning organization_id, name";
    let Some((organization_id, name)) =
        statement!(unit, fetch_optional(Option<String>, String), REVOKE, id, now)?
    else {
        return Ok(false);
    };
    if let Some(organization_id) = organization_id {
        let entry = Entry::new(&organization_id, Action::ResourceServerDisabled);
        audit_log::insert(unit, &entry, &json!({ "id": id, "name": name })).await?;
    }
    Ok(true)
}
