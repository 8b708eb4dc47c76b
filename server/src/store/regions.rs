//! Regions, at the centre: each is given its own part of what the gate knows, by PostgreSQL's own replication. The schema
//! `regional` holds what they are given, and triggers keep it: see migration 10 of PostgreSQL. What a region does with it is
//! in [`super::subscriptions`].

use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{
        Engine, Store, StoreError, Unit,
        audit_log::{self, Entry},
        postgres, statement,
    },
};

/// A region, as the centre knows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// How many organizations are in it.
    pub organizations: i64,
    /// Whether the centre keeps its log for it: for ever, if nobody fetches that.
    pub is_subscribed: bool,
    /// Whether it is connected at this moment.
    pub is_connected: bool,
    /// Bytes of the log that are kept for it.
    pub behind_bytes: Option<i64>,
    /// Whether it was away for longer than the log is kept, so that it is to be subscribed again.
    pub is_log_lost: bool,
}

/// Publishes a region; [`StoreError::Conflict`] when there is one of this name.
pub async fn insert(unit: &mut Unit, name: &str, now: UnixSeconds) -> Result<(), StoreError> {
    const PUBLISH: &str = "select regional.publish($1, $2)";
    statement!(unit, execute, PUBLISH, name, now)?;
    Ok(())
}

/// How much the engine writes into its log: `logical`, where that can be replicated in parts.
pub async fn find_log_level(unit: &mut Unit) -> Result<String, StoreError> {
    const LEVEL: &str = "select current_setting('wal_level')";
    Ok(statement!(unit, fetch_one(String,), LEVEL)?.0)
}

/// Every region, by name.
pub async fn list(unit: &mut Unit) -> Result<Vec<Region>, StoreError> {
    const LIST: &str =
        "select r.name, (select count(*) from regional.organizations o where o.region = r.name) as organizations,
                s.slot_name is not null as is_subscribed, coalesce(s.active, false) as is_connected,
                cast(pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn) as bigint) as behind_bytes,
                coalesce(s.wal_status = 'lost', false) as is_log_lost
         from regional.regions r
         left join pg_replication_slots s
             on s.slot_name = regional.outlet(r.name) and s.database = current_database()
         order by r.name";
    statement!(unit, fetch_all Region, LIST)
}

/// The region with this name.
pub async fn find(unit: &mut Unit, name: &str) -> Result<Option<Region>, StoreError> {
    Ok(list(unit).await?.into_iter().find(|region| region.name == name))
}

/// Puts an organization into a region, or into none. Where it was before, nothing is known of it any more. False where it
/// is there already.
pub async fn touch(unit: &mut Unit, organization_id: &str, name: Option<&str>) -> Result<bool, StoreError> {
    const FIND: &str = "select region from regional.organizations where id = $1";
    const LET_GO: &str = "select regional.let_go($1)";
    const TAKE: &str = "select regional.take($1, $2)";
    // A second for a hundred thousand tokens. Nobody else writes meanwhile.
    const PATIENTLY: &str = "set local statement_timeout = '2min'";
    let was = statement!(unit, fetch_optional(String,), FIND, organization_id)?.map(|(name,)| name);
    if was.as_deref() == name {
        return Ok(false);
    }
    statement!(unit, execute, PATIENTLY)?;
    statement!(unit, execute, LET_GO, organization_id)?;
    if let Some(name) = name {
        statement!(unit, execute, TAKE, organization_id, name)?;
    }
    let entry = Entry::new(organization_id, Action::OrganizationMoved);
    audit_log::insert(unit, &entry, &json!({ "region": name, "was": was })).await?;
    Ok(true)
}

/// Takes a region away in which there is no organization any more, in a unit that has read nothing yet.
pub async fn remove(unit: &mut Unit, name: &str) -> Result<(), StoreError> {
    // Before anything is read: a beat in between would be in its way, though it is alone among the writers.
    const BETWEEN_BEATS: &str = "lock table regional.heartbeat in exclusive mode";
    const REMOVE: &str = "select regional.remove($1)";
    statement!(unit, execute, BETWEEN_BEATS)?;
    statement!(unit, execute, REMOVE, name)?;
    Ok(())
}

/// Drops the log that is kept for a region which does not fetch it any more.
pub async fn remove_slot(unit: &mut Unit, name: &str) -> Result<(), StoreError> {
    const REMOVE: &str = "select pg_drop_replication_slot(s.slot_name) from pg_replication_slots s
                          where s.slot_name = regional.outlet($1) and s.database = current_database()";
    statement!(unit, execute, REMOVE, name)?;
    Ok(())
}

/// Makes the next beat of every region's, unless another process has just done it. False where there can be no regions.
///
/// It tells each region which of its beats it is known to have (its slot's `confirmed_flush_lsn` lies behind it): by that a
/// region measures how old what it holds may be.
pub async fn beat(store: &Store) -> Result<bool, StoreError> {
    // By the clock of the database, whichever way that was set.
    const BEAT: &str = "
        update regional.heartbeat h
        set number = h.number + 1,
            mark = gen_random_uuid(),
            previous = h.mark,
            beaten_at = clock_timestamp(),
            echoed = case when c.confirmed_flush_lsn >= h.asked_lsn then h.asked else h.echoed end
        from (select r.name, s.confirmed_flush_lsn from regional.regions r
              left join pg_replication_slots s
                  on s.slot_name = regional.outlet(r.name) and s.database = current_database()) c
        where c.name = h.region and abs(extract(epoch from clock_timestamp() - h.beaten_at)) > 0.9";
    // Once it is committed: what the log is at then lies behind it. A place that the log has not come to is of another
    // server's, from which the database was moved here.
    const ASK: &str = "update regional.heartbeat set asked = number, asked_lsn = pg_current_wal_insert_lsn()
                       where number > asked and (asked = echoed or asked_lsn > pg_current_wal_insert_lsn())";
    let Engine::Postgres(server) = &store.engine else { return Ok(false) };
    for statement in [BEAT, ASK] {
        match sqlx::query(statement).execute(&server.counters).await {
            Ok(_) => {}
            Err(error) if postgres::is_absent(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
