//! Authorization codes.

use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    oauth::issue::Grant,
    secret::{AuthorizationCode, Digest256},
    store::{StoreError, Unit, audit_log, statement},
};

/// A code, and what it is bound to besides its grant.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// The grant it was issued on.
    pub grant_id: String,
    /// The redirect URI as the authorization request gave it, if it did (RFC 6749 §4.1.3).
    pub redirect_uri: Option<String>,
    /// RFC 7636 §4.2, by S256.
    pub code_challenge: String,
    /// For the id_token.
    pub nonce: Option<String>,
    /// When the person proved who they are.
    pub authenticated_at: UnixSeconds,
    /// When it is too late.
    pub expires_at: UnixSeconds,
}

/// Adds a code for a grant. A [`Grant`] is made by the issuing function alone.
pub async fn insert(
    unit: &mut Unit,
    code: &AuthorizationCode,
    grant: &Grant,
    row: &Row,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into authorization_codes
                              (code_hash, grant_id, redirect_uri, code_challenge, nonce, authenticated_at, created_at,
                               expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7, $8)";
    statement!(
        unit,
        later,
        INSERT,
        code.digest().as_bytes(),
        grant.id(),
        &row.redirect_uri,
        &row.code_challenge,
        &row.nonce,
        row.authenticated_at,
        now,
        row.expires_at
    )?;
    let detail = json!({
        "grant_id": grant.id(),
        "scopes": grant.scopes().names(),
        "requesting_origin": grant.target().requesting_origin.as_str(),
    });
    audit_log::insert(unit, &grant.entry(Action::CodeIssued), &detail).await
}

/// The code, used or not, late or not.
pub async fn find(unit: &mut Unit, code: &Digest256) -> Result<Option<Row>, StoreError> {
    const FIND: &str = "select grant_id, redirect_uri, code_challenge, nonce, authenticated_at, expires_at
                        from authorization_codes where code_hash = $1";
    statement!(unit, fetch_optional Row, FIND, code.as_bytes())
}

/// Uses the code: true for exactly one of any number of callers.
pub async fn consume(unit: &mut Unit, code: &Digest256, now: UnixSeconds) -> Result<bool, StoreError> {
    const CONSUME: &str = "update authorization_codes set used_at = $2
                           where code_hash = $1 and used_at is null and expires_at > $2";
    Ok(statement!(unit, execute, CONSUME, code.as_bytes(), now)? == 1)
}

/// Whether the code was used.
pub async fn is_used(unit: &mut Unit, code: &Digest256) -> Result<bool, StoreError> {
    const IS_USED: &str =
        "select count(*) from authorization_codes where code_hash = $1 and used_at is not null";
    Ok(statement!(unit, fetch_one(i64,), IS_USED, code.as_bytes())?.0 == 1)
}
