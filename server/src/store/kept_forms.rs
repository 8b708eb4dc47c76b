//! Forms that somebody typed whose session ended meanwhile.

use crate::{
    clock::UnixSeconds,
    secret::Digest256,
    store::{StoreError, Unit, statement},
};

/// How many are kept of one browser.
pub const EACH: i64 = 5;
/// How many are kept in all.
pub const MOST: i64 = 10_000;

/// Keeps a form's fields for the page at this path, in place of the oldest one where the browser left [`EACH`] already.
/// False where there are [`MOST`].
pub async fn insert(
    unit: &mut Unit,
    id: &Digest256,
    browser: &Digest256,
    path: &str,
    fields: &str,
    expires_at: UnixSeconds,
) -> Result<bool, StoreError> {
    const REMOVE: &str = "delete from kept_forms where id_hash in
                              (select id_hash from kept_forms where browser_hash = $1
                               order by expires_at desc, id_hash limit $3 offset $2)";
    const INSERT: &str = "insert into kept_forms (id_hash, browser_hash, path, fields, expires_at)
                          select $1, $2, $3, $4, $5 where (select count(*) from kept_forms) < $6";
    let (id, browser) = (id.as_bytes(), browser.as_bytes());
    statement!(unit, execute, REMOVE, browser, EACH - 1, MOST)?;
    Ok(statement!(unit, execute, INSERT, id, browser, path, fields, expires_at, MOST)? == 1)
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
