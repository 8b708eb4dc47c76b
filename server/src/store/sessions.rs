//! Sessions of people at the platform.

use crate::{
    clock::UnixSeconds,
    directory::device::Device,
    secret::Digest256,
    store::{StoreError, Unit, statement},
};

/// A live session, with the person it belongs to.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Session {
    /// Its id, which survives the rotation of its secret.
    pub id: String,
    /// The person.
    pub user_id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// When they last proved who they are.
    pub authenticated_at: UnixSeconds,
}

/// A live session, as its person's list shows it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// When the person last proved there who they are.
    pub authenticated_at: UnixSeconds,
    /// From which address they did.
    pub address: Option<String>,
    /// With which browser, in the browser's own words.
    pub user_agent: Option<String>,
}

/// Adds a session.
pub async fn insert(
    unit: &mut Unit,
    id: &str,
    secret: &Digest256,
    user_id: &str,
    device: &Device,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into sessions
                              (id, secret_hash, user_id, authenticated_at, created_at, expires_at, address, user_agent)
                          values ($1, $2, $3, $4, $4, $5, $6, $7)";
    let Device { address, user_agent } = device;
    statement!(
        unit,
        execute,
        INSERT,
        id,
        secret.as_bytes(),
        user_id,
        now,
        expires_at,
        address.to_string(),
        user_agent.as_deref()
    )?;
    Ok(())
}

/// That `s` is the session which a secret opens at a time.
macro_rules! is_live {
    ($secret:literal, $now:literal) => {
        concat!("s.secret_hash = ", $secret, " and s.ended_at is null and s.expires_at > ", $now)
    };
}
pub(super) use is_live;

/// That `u` is whose session `s` is, and active.
macro_rules! is_active_owner {
    () => {
        "u.id = s.user_id and u.disabled_at is null"
    };
}
pub(super) use is_active_owner;

const FIND: &str = concat!(
    "select s.id, s.user_id, u.name, u.email, s.authenticated_at from sessions s join users u on ",
    is_active_owner!(),
    " where ",
    is_live!("$1", "$2")
);

/// The statements that are put together, for the test that every engine knows them.
#[cfg(test)]
pub(super) fn composed() -> [&'static str; 1] {
    [FIND]
}

/// The live session that this secret opens, if its person is active.
pub async fn find(
    unit: &mut Unit,
    secret: &Digest256,
    now: UnixSeconds,
) -> Result<Option<Session>, StoreError> {
    statement!(unit, fetch_optional Session, FIND, secret.as_bytes(), now)
}

/// Whether the session with this id belongs to this person and was not ended. One that merely expired counts: what
/// was allowed in it may outlive it.
pub async fn is_unended(unit: &mut Unit, id: &str, user_id: &str) -> Result<bool, StoreError> {
    const IS_UNENDED: &str =
        "select count(*) from sessions where id = $1 and user_id = $2 and ended_at is null";
    Ok(statement!(unit, fetch_one(i64,), IS_UNENDED, id, user_id)?.0 == 1)
}

/// When the session with this id ends by itself.
pub async fn find_end(unit: &mut Unit, id: &str) -> Result<Option<UnixSeconds>, StoreError> {
    const FIND_END: &str = "select expires_at from sessions where id = $1";
    Ok(statement!(unit, fetch_optional(i64,), FIND_END, id)?.map(|(expires_at,)| expires_at))
}

/// The live sessions of a person, the latest first, at most so many.
pub async fn list_of_user(
    unit: &mut Unit,
    user_id: &str,
    now: UnixSeconds,
    most: u32,
) -> Result<Vec<Listed>, StoreError> {
    const LIST_OF_USER: &str = "select id, authenticated_at, address, user_agent from sessions
                                where user_id = $1 and ended_at is null and expires_at > $2
                                order by authenticated_at desc, id limit $3";
    statement!(unit, fetch_all Listed, LIST_OF_USER, user_id, now, i64::from(most))
}

/// Gives a session a new secret because its person proved again who they are.
pub async fn touch(
    unit: &mut Unit,
    id: &str,
    secret: &Digest256,
    device: &Device,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const TOUCH: &str = "update sessions set secret_hash = $2, authenticated_at = $3, expires_at = $4,
                             address = $5, user_agent = $6
                         where id = $1";
    let Device { address, user_agent } = device;
    statement!(
        unit,
        execute,
        TOUCH,
        id,
        secret.as_bytes(),
        now,
        expires_at,
        address.to_string(),
        user_agent.as_deref()
    )?;
    Ok(())
}

/// Ends every session of a person, and says how many those were; expired ones too, as what was allowed in one may
/// outlive it. The caller revokes the grants that came from them.
pub async fn revoke_of_user(unit: &mut Unit, user_id: &str, now: UnixSeconds) -> Result<u64, StoreError> {
    const REVOKE_OF_USER: &str = "update sessions set ended_at = $2 where user_id = $1 and ended_at is null";
    statement!(unit, execute, REVOKE_OF_USER, user_id, now)
}

/// Ends a session; the caller revokes the grants that came from it.
pub async fn revoke(unit: &mut Unit, id: &str, now: UnixSeconds) -> Result<(), StoreError> {
    const REVOKE: &str = "update sessions set ended_at = coalesce(ended_at, $2) where id = $1";
    statement!(unit, execute, REVOKE, id, now)?;
    Ok(())
}

/// Deletes sessions that are over and on which no grant stands any more, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from sessions where id in
                             (select s.id from sessions s
                              where s.expires_at <= $1
                                and not exists (select 1 from grants g
                                                where g.session_id = s.id and g.expires_at > $1)
                              limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
