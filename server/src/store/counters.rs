//! What several processes count together: how often something was done lately, each by a key.
//!
//! It is no part of a unit of work: what was refused or failed counts all the same. There is none in an embedded database,
//! whose one process counts in its memory.

use std::time::Duration;

use sqlx::PgPool;

use crate::{
    clock::UnixSeconds,
    store::{StoreError, Unit, statement},
};

/// The counters, over connections that no unit of work takes: who has one asks here.
#[derive(Debug, Clone)]
pub struct Counters(pub(super) PgPool);

impl Counters {
    /// Counts once more, or says how long to wait: so many at once, and another one each time so long has passed.
    ///
    /// A failure is never [`StoreError::Contended`]: what is begun again for that is not counted again, and would go
    /// uncounted.
    ///
    /// A key is kept as the moment at which all that was done under it is used up again (the generic cell rate algorithm,
    /// ITU-T I.371 appendix I, by its theoretical arrival time).
    pub async fn count(
        &self,
        key: &[u8; 32],
        burst: u32,
        each: Duration,
        now: UnixSeconds,
    ) -> Result<Option<Duration>, StoreError> {
        const COUNT: &str = "insert into counters (key_hash, free_at_ms) values ($1, $2 + $3)
                             on conflict (key_hash) do update
                             set free_at_ms = least(greatest(counters.free_at_ms, $2), $2 + $4) + $3
                             where least(greatest(counters.free_at_ms, $2), $2 + $4) + $3 <= $2 + $4
                             returning free_at_ms";
        const FIND: &str = "select free_at_ms from counters where key_hash = $1";
        let (now, each) = (now.saturating_mul(1000), millis(each));
        let most = each.saturating_mul(i64::from(burst));
        let counted: Option<(i64,)> = sqlx::query_as(COUNT)
            .bind(key.as_slice())
            .bind(now)
            .bind(each)
            .bind(most)
            .fetch_optional(&self.0)
            .await
            .map_err(StoreError::Engine)?;
        if counted.is_some() {
            return Ok(None);
        }
        let found: Option<(i64,)> = sqlx::query_as(FIND)
            .bind(key.as_slice())
            .fetch_optional(&self.0)
            .await
            .map_err(StoreError::Engine)?;
        // Where it was swept in between, it is free. No clock that is ahead keeps anybody out for longer than all of it
        // takes.
        let free_at = found.map_or(now, |(free_at,)| free_at.min(now.saturating_add(most)));
        let wait = free_at.saturating_add(each).saturating_sub(now.saturating_add(most)).max(1);
        Ok(Some(Duration::from_millis(wait.unsigned_abs())))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Deletes counters that nobody need be told of any more, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from counters where key_hash in
                             (select key_hash from counters where free_at_ms <= $1 limit $2)";
    if !unit.has_counters() {
        return Ok(0);
    }
    statement!(unit, execute, SWEEP, now.saturating_mul(1000), most)
}
