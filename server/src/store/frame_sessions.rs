//! The sessions that frames keep, each on the grant of the sign-in it came with.

use crate::{
    clock::UnixSeconds,
    oauth::issue::Grant,
    secret::Digest256,
    store::{StoreError, Unit, statement},
};

/// Adds a handle for a grant, that a session can be made of once. A [`Grant`] is made by the issuing function alone.
pub async fn insert(
    unit: &mut Unit,
    id: &str,
    handle: &Digest256,
    grant: &Grant,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into frame_sessions (id, grant_id, handle_hash, created_at, expires_at)
                          values ($1, $2, $3, $4, $5)";
    statement!(unit, later, INSERT, id, grant.id(), handle.as_bytes(), now, expires_at)?;
    Ok(())
}

/// The grant of a handle that was not used and is not too late.
pub async fn find_handle(
    unit: &mut Unit,
    handle: &Digest256,
    now: UnixSeconds,
) -> Result<Option<String>, StoreError> {
    const FIND_HANDLE: &str = "select grant_id from frame_sessions
                               where handle_hash = $1 and opened_at is null and expires_at > $2";
    let found = statement!(unit, fetch_optional(String,), FIND_HANDLE, handle.as_bytes(), now)?;
    Ok(found.map(|(grant_id,)| grant_id))
}

/// The grant of a handle, whether a session was made of it or is yet to be.
pub async fn find_grant(
    unit: &mut Unit,
    handle: &Digest256,
    now: UnixSeconds,
) -> Result<Option<String>, StoreError> {
    const FIND_GRANT: &str = "select grant_id from frame_sessions where handle_hash = $1 and expires_at > $2";
    let found = statement!(unit, fetch_optional(String,), FIND_GRANT, handle.as_bytes(), now)?;
    Ok(found.map(|(grant_id,)| grant_id))
}

/// Makes a session of a handle: true for exactly one of any number of callers.
pub async fn consume(
    unit: &mut Unit,
    handle: &Digest256,
    grant: &Grant,
    secret: &Digest256,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<bool, StoreError> {
    const CONSUME: &str = "update frame_sessions set secret_hash = $3, opened_at = $4, expires_at = $5
                           where handle_hash = $1 and grant_id = $2 and opened_at is null and expires_at > $4";
    let bytes = handle.as_bytes();
    Ok(statement!(unit, execute, CONSUME, bytes, grant.id(), secret.as_bytes(), now, expires_at)? == 1)
}

/// A session that is not over, if nobody ended its grant.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct FrameSession {
    /// The grant it stands on, revoked or not.
    pub grant_id: String,
    /// When it ends.
    pub expires_at: UnixSeconds,
}

/// The session that this secret opens.
pub async fn find(
    unit: &mut Unit,
    secret: &Digest256,
    now: UnixSeconds,
) -> Result<Option<FrameSession>, StoreError> {
    const FIND: &str =
        "select grant_id, expires_at from frame_sessions where secret_hash = $1 and expires_at > $2";
    statement!(unit, fetch_optional FrameSession, FIND, secret.as_bytes(), now)
}

/// Deletes sessions that are over and handles that nobody used, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from frame_sessions where id in
                             (select id from frame_sessions where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
