//! Sites that asked for an application they are not registered for: the most frequent ones of each application, no more.

use crate::{
    clock::UnixSeconds,
    store::{StoreError, Unit, statement},
};

/// How many are kept of one application.
pub const MOST: i64 = 20;

/// A site that was refused.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Refused {
    /// The site.
    pub origin: String,
    /// When it asked last.
    pub last_at: UnixSeconds,
    /// How often it asked.
    pub occurrences: i64,
}

/// Writes down that a site asked so often, and forgets those of the application that asked least, and of these who asked longest
/// ago. This one has a place all the same: how often it asks shows later.
pub async fn insert(
    unit: &mut Unit,
    client_id: &str,
    origin: &str,
    occurrences: u32,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    // The application may be gone by now.
    const INSERT: &str = "insert into refused_origins (client_id, origin, first_at, last_at, occurrences)
                          select client_id, $2, $4, $4, $3 from applications where client_id = $1
                          on conflict (client_id, origin)
                          do update set last_at = excluded.last_at,
                                        occurrences = refused_origins.occurrences + excluded.occurrences";
    const REMOVE: &str = "delete from refused_origins where client_id = $1 and origin not in
                              (select origin from refused_origins where client_id = $1
                               order by origin = $3 desc, occurrences desc, last_at desc, origin limit $2)";
    statement!(unit, execute, INSERT, client_id, origin, i64::from(occurrences), now)?;
    statement!(unit, execute, REMOVE, client_id, MOST, origin)?;
    Ok(())
}

/// Those of an application of the organization, the latest first.
pub async fn list(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
) -> Result<Vec<Refused>, StoreError> {
    const LIST: &str = "select r.origin, r.last_at, r.occurrences
                        from refused_origins r join applications a on a.client_id = r.client_id
                        where a.organization_id = $1 and r.client_id = $2
                        order by r.last_at desc, r.origin";
    statement!(unit, fetch_all Refused, LIST, organization_id, client_id)
}
