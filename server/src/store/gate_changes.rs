//! The changes that the gate hears of in an embedded database. Triggers write them, and the crate `latchkey-gate` reads
//! them. Of PostgreSQL it hears them by `NOTIFY`, which leaves nothing behind.

use crate::store::{Inner, StoreError, Unit, statement};

/// How many are kept. Who has not heard of the last of them forgets everything, so that none need be kept for long.
const KEPT: i64 = 20_000;

/// Deletes changes that everybody has heard of, at most this many. The last ones stay: by them a reader knows that it
/// has missed none.
pub async fn sweep(unit: &mut Unit, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from gate_changes where id in
                             (select id from gate_changes
                              where id <= (select max(id) from gate_changes) - $1 limit $2)";
    match unit.inner {
        Inner::Sqlite(_) => statement!(unit, execute, SWEEP, KEPT, most),
        Inner::Postgres(_) => Ok(0),
    }
}
