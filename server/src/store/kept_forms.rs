//! Forms that somebody typed whose session ended meanwhile.

use crate::{
    clock::UnixSeconds,
    secret::Digest256,
    store::{StoreError, Unit, statement},
};

/// Keeps a form's fields for the page at this path.
pub async fn insert(
    unit: &mut Unit,
    id: &Digest256,
    browser: &Digest256,
    path: &str,
    fields: &str,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into kept_forms (id_hash, browser_hash, path, fields, expires_at)
                          values ($1, $2, $3, $4, $5)";
    statement!(unit, execute, INSERT, id.as_bytes(), browser.as_bytes(), path, fields, expires_at)?;
    Ok(())
}

/// The fields of a form that this browser sent to this path.
pub async fn find(
    unit: &mut Unit,
    id: &Digest256,
    browser: &Digest256,
    path: &str,
    now: UnixSeconds,
) -> Result<Option<String>, StoreError> {
    const FIND: &str = "select fields from kept_forms
                        where id_hash = $1 and browser_hash = $2 and path = $3 and expires_at > $4";
    let found =
        statement!(unit, fetch_optional(String,), FIND, id.as_bytes(), browser.as_bytes(), path, now)?;
    Ok(found.map(|(fields,)| fields))
}

/// Deletes forms that nobody came back for, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from kept_forms where id_hash in
                             (select id_hash from kept_forms where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
