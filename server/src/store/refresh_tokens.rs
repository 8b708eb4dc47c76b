//! Refresh tokens: of each grant one line, in which each token replaces the one before.

use crate::{
    clock::UnixSeconds,
    oauth::issue::Grant,
    secret::{Digest256, RefreshToken, Sealed},
    store::{StoreError, Unit, statement},
};

/// A refresh token as it is kept.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// The grant it was issued on.
    pub grant_id: String,
    /// Unused until then it is dead.
    pub expires_at: UnixSeconds,
    /// Since when it is replaced.
    pub used_at: Option<UnixSeconds>,
    /// What replaced it, while that was not used.
    pub successor: Option<Sealed>,
}

/// Adds a token for a grant. A [`Grant`] is made by the issuing function alone.
pub async fn insert(
    unit: &mut Unit,
    id: &str,
    token: &RefreshToken,
    grant: &Grant,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into refresh_tokens
                              (id, token_hash, last_four, grant_id, created_at, expires_at)
                          values ($1, $2, $3, $4, $5, $6)";
    statement!(
        unit,
        execute,
        INSERT,
        id,
        token.digest().as_bytes(),
        token.last_four(),
        grant.id(),
        now,
        expires_at
    )?;
    Ok(())
}

/// The token, replaced or not, late or not.
pub async fn find(unit: &mut Unit, token: &Digest256) -> Result<Option<Row>, StoreError> {
    const FIND: &str = "select id, grant_id, expires_at, used_at, successor
                        from refresh_tokens where token_hash = $1";
    statement!(unit, fetch_optional Row, FIND, token.as_bytes())
}

/// Uses the token: true for exactly one of any number of callers. What it replaced can't be asked for again then.
pub async fn consume(
    unit: &mut Unit,
    row: &Row,
    successor: &Sealed,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const CONSUME: &str = "update refresh_tokens set used_at = $2, successor = $3
                           where id = $1 and used_at is null and expires_at > $2";
    const FORGET: &str = "update refresh_tokens set successor = null
                          where grant_id = $1 and id <> $2 and successor is not null";
    if statement!(unit, execute, CONSUME, &row.id, now, successor)? == 0 {
        return Ok(false);
    }
    statement!(unit, execute, FORGET, &row.grant_id, &row.id)?;
    Ok(true)
}

/// Deletes tokens that nobody used until it was too late, at most this many. Those that were replaced go with their grant:
/// if one is used again, two hold the line.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from refresh_tokens where id in
                             (select id from refresh_tokens where expires_at <= $1 and used_at is null
                              limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
