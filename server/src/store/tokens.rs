//! Access tokens. What the gate asks about them is in the crate `latchkey-gate`, for whoever puts it before a service.

use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    oauth::issue::Grant,
    secret::{AccessToken, Digest256},
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        statement,
    },
};

/// Adds a token for a grant. A [`Grant`] is made by the issuing function alone.
pub async fn insert(
    unit: &mut Unit,
    id: &str,
    token: &AccessToken,
    grant: &Grant,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into access_tokens
                              (id, token_hash, last_four, grant_id, scopes, created_at, expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7)";
    statement!(
        unit,
        later,
        INSERT,
        id,
        token.digest().as_bytes(),
        token.last_four(),
        grant.id(),
        grant.scopes().to_list(),
        now,
        expires_at
    )?;
    let detail = json!({
        "token_id": id,
        "grant_id": grant.id(),
        "scopes": grant.scopes().names(),
        "requesting_origin": grant.target().requesting_origin.as_str(),
        "expires_at": expires_at,
    });
    audit_log::insert(unit, &grant.entry(Action::TokenIssued), &detail).await
}

/// Revokes one token, if it is this client's. What else was issued on its grant lives on.
pub async fn revoke(
    unit: &mut Unit,
    token: &Digest256,
    client_id: &str,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE: &str = "update access_tokens set revoked_at = $3
                          where token_hash = $1 and revoked_at is null
                            and grant_id in (select id from grants where client_id = $2)
                          returning id";
    let revoked = statement!(unit, fetch_optional(String,), REVOKE, token.as_bytes(), client_id, now)?;
    log_revoked(unit, revoked).await
}

/// Revokes the one token with this id or this digest, and says whether it did.
pub async fn revoke_one(
    unit: &mut Unit,
    id: Option<&str>,
    token: Option<&Digest256>,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE_ONE: &str = "update access_tokens set revoked_at = $3
                              where (id = $1 or token_hash = $2) and revoked_at is null
                              returning id";
    let bytes = token.map(Digest256::as_bytes);
    let revoked = statement!(unit, fetch_optional(String,), REVOKE_ONE, id, bytes, now)?;
    log_revoked(unit, revoked).await
}

async fn log_revoked(unit: &mut Unit, revoked: Option<(String,)>) -> Result<bool, StoreError> {
    const FIND_GRANT: &str = "select g.organization_id, g.client_id, g.user_id
                              from grants g join access_tokens t on t.grant_id = g.id where t.id = $1";
    let Some((id,)) = revoked else { return Ok(false) };
    let (organization_id, client_id, user_id) =
        statement!(unit, fetch_one(String, String, String), FIND_GRANT, &id)?;
    let entry = Entry::new(&organization_id, Action::TokenRevoked);
    let entry = entry.of_application(&client_id).of_person(&user_id);
    audit_log::insert(unit, &entry, &json!({ "token_id": id })).await?;
    Ok(true)
}

/// Deletes tokens that are too late, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from access_tokens where id in
                             (select id from access_tokens where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
