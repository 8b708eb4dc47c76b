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
        later,
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

/// The successor of every other token of the line. There is one at most, however many the line has: an index leads to it.
const FORGET: &str = "update refresh_tokens set successor = null
                      where grant_id = $1 and id <> $2 and successor is not null";

/// Uses the token: true for exactly one of any number of callers. What it replaced can't be asked for again then.
pub async fn consume(
    unit: &mut Unit,
    row: &Row,
    successor: &Sealed,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const CONSUME: &str = "update refresh_tokens set used_at = $2, successor = $3
                           where id = $1 and used_at is null and expires_at > $2";
    if statement!(unit, execute, CONSUME, &row.id, now, successor)? == 0 {
        return Ok(false);
    }
    statement!(unit, execute, FORGET, &row.grant_id, &row.id)?;
    Ok(true)
}

const SWEEP: &str = "delete from refresh_tokens where id in
                         (select id from refresh_tokens where expires_at <= $1 and used_at is null limit $2)";

/// Deletes tokens that nobody used until it was too late, at most this many. Those that were replaced go with their grant:
/// if one is used again, two hold the line.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    statement!(unit, execute, SWEEP, now, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::steps;

    #[tokio::test]
    async fn a_refresh_looks_at_no_more_of_its_line_than_it_changes() {
        assert_eq!(steps(FORGET).await, ["refresh_tokens_with_successor (grant_id=?)"]);
    }

    #[tokio::test]
    async fn the_sweep_does_not_come_back_to_what_was_replaced() {
        let by_id = "sqlite_autoindex_refresh_tokens_1 (id=?)";
        assert_eq!(steps(SWEEP).await, [by_id, "refresh_tokens_unused_by_expiry (expires_at<?)"]);
    }
}
