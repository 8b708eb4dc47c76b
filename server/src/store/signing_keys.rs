//! The keys that sign id_tokens.

use crate::{
    clock::UnixSeconds,
    secret::Sealed,
    store::{StoreError, Unit, statement},
};

/// A key: its public half, and its private half under a secret that is not in the database.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// The key's id (RFC 7515 §4.1.4 `kid`).
    pub id: String,
    /// RFC 7518 §6.3.1.1 `n`.
    pub modulus: String,
    /// RFC 7518 §6.3.1.2 `e`.
    pub exponent: String,
    /// The private half, PKCS #8.
    pub sealed_key: Sealed,
}

/// Adds a key.
pub async fn insert(unit: &mut Unit, row: &Row, now: UnixSeconds) -> Result<(), StoreError> {
    const INSERT: &str = "insert into signing_keys (id, modulus, exponent, sealed_key, created_at)
                          values ($1, $2, $3, $4, $5)";
    statement!(unit, execute, INSERT, &row.id, &row.modulus, &row.exponent, &row.sealed_key, now)?;
    Ok(())
}

/// The key that signs now.
pub async fn find(unit: &mut Unit) -> Result<Option<Row>, StoreError> {
    const FIND: &str = "select id, modulus, exponent, sealed_key from signing_keys
                        where retired_at is null order by created_at desc, id limit 1";
    statement!(unit, fetch_optional Row, FIND)
}

/// The keys whose signatures still count: the one that signs, and those retired after a moment.
pub async fn list(unit: &mut Unit, retired_after: UnixSeconds) -> Result<Vec<Row>, StoreError> {
    const LIST: &str = "select id, modulus, exponent, sealed_key from signing_keys
                        where retired_at is null or retired_at > $1 order by created_at desc, id";
    statement!(unit, fetch_all Row, LIST, retired_after)
}

/// Retires every key that signs.
pub async fn revoke(unit: &mut Unit, now: UnixSeconds) -> Result<u64, StoreError> {
    const REVOKE: &str = "update signing_keys set retired_at = $1 where retired_at is null";
    statement!(unit, execute, REVOKE, now)
}

/// Deletes keys that were retired until a moment, at most this many.
pub async fn sweep(unit: &mut Unit, retired_until: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from signing_keys where id in
                             (select id from signing_keys where retired_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, retired_until, most)
}
