//! Access tokens. What the gate asks about them is in the crate `latchkey-gate`, for whoever puts it before a service.

use crate::{
    clock::UnixSeconds,
    oauth::issue::Grant,
    secret::{AccessToken, Digest256},
    store::{StoreError, Unit, statement},
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
        execute,
        INSERT,
        id,
        token.digest().as_bytes(),
        token.last_four(),
        grant.id(),
        grant.scopes().to_list(),
        now,
        expires_at
    )?;
    Ok(())
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
                            and grant_id in (select id from grants where client_id = $2)";
    Ok(statement!(unit, execute, REVOKE, token.as_bytes(), client_id, now)? == 1)
}

/// Revokes the one token with this id or this digest, and says whether it did.
pub async fn revoke_one(
    unit: &mut Unit,
    id: Option<&str>,
    token: Option<&Digest256>,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE_ONE: &str =
        "update access_tokens set revoked_at = $3 where (id = $1 or token_hash = $2) and revoked_at is null";
    Ok(statement!(unit, execute, REVOKE_ONE, id, token.map(Digest256::as_bytes), now)? == 1)
}

/// Deletes tokens that are too late, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from access_tokens where id in
                             (select id from access_tokens where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
