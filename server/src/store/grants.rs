//! Authorization grants (RFC 6749 §1.3): what a person allowed, once, to an application, and what every code and
//! token of it stands on.

use latchkey_protocol::{origin::Origin, scope::Scopes};
use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    oauth::{issue::Grant, request::Target},
    store::{
        StoreError, Unit,
        applications::scopes,
        audit_log::{self, Entry},
        statement,
    },
};

/// A grant as it was given. Whether it still holds is for the issuing function to say.
#[derive(Debug, Clone)]
pub struct Given {
    /// Its id.
    pub id: String,
    /// The application.
    pub client_id: String,
    /// The person.
    pub user_id: String,
    /// The platform session it came from.
    pub session_id: String,
    /// Where its first response went, and for which site.
    pub target: Target,
    /// What was granted.
    pub scopes: Scopes,
    /// When nothing of it can be of use any more.
    pub expires_at: UnixSeconds,
    /// Since when it is revoked.
    pub revoked_at: Option<UnixSeconds>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    client_id: String,
    user_id: String,
    session_id: String,
    redirect_uri: String,
    callback_at: Option<UnixSeconds>,
    requesting_origin: String,
    scopes: String,
    expires_at: UnixSeconds,
    revoked_at: Option<UnixSeconds>,
}

impl TryFrom<Row> for Given {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            scopes: scopes(&row.scopes, "grants.scopes")?,
            target: Target {
                requesting_origin: Origin::parse(&row.requesting_origin)
                    .map_err(|_| StoreError::Unreadable("grants.requesting_origin"))?,
                is_callback: row.callback_at.is_some(),
                redirect_uri: row.redirect_uri,
            },
            id: row.id,
            client_id: row.client_id,
            user_id: row.user_id,
            session_id: row.session_id,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// Adds a grant. A [`Grant`] is made by the issuing function alone.
pub async fn insert(
    unit: &mut Unit,
    grant: &Grant,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into grants
                              (id, client_id, organization_id, user_id, session_id, redirect_uri, callback_at,
                               requesting_origin, scopes, created_at, expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let target = grant.target();
    statement!(
        unit,
        execute,
        INSERT,
        grant.id(),
        grant.client_id(),
        grant.organization_id(),
        grant.user_id(),
        grant.session_id(),
        &target.redirect_uri,
        target.is_callback.then_some(now),
        target.requesting_origin.as_str(),
        grant.scopes().to_list(),
        now,
        expires_at
    )?;
    Ok(())
}

/// The grant with this id.
pub async fn find(unit: &mut Unit, id: &str) -> Result<Option<Given>, StoreError> {
    const FIND: &str =
        "select id, client_id, user_id, session_id, redirect_uri, callback_at, requesting_origin,
                               scopes, expires_at, revoked_at
                        from grants where id = $1";
    statement!(unit, fetch_optional Row, FIND, id)?.map(Given::try_from).transpose()
}

/// Lets a grant last longer: it came with a code, and now has a line of refresh tokens.
pub async fn touch(unit: &mut Unit, id: &str, expires_at: UnixSeconds) -> Result<(), StoreError> {
    const TOUCH: &str = "update grants set expires_at = $2 where id = $1";
    statement!(unit, execute, TOUCH, id, expires_at)?;
    Ok(())
}

/// What of an application is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, sqlx::FromRow)]
pub struct Live {
    /// How many people are signed in with it somewhere.
    pub people: i64,
    /// How many of its access tokens open something.
    pub access_tokens: i64,
}

/// Counts what is live of an application of the organization.
pub async fn count_live(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<Live, StoreError> {
    const COUNT_LIVE: &str = "select count(distinct g.user_id) as people, count(t.id) as access_tokens
                              from grants g
                              left join access_tokens t
                                  on t.grant_id = g.id and t.revoked_at is null and t.expires_at > $3
                              where g.organization_id = $1 and g.client_id = $2
                                and g.revoked_at is null and g.expires_at > $3";
    statement!(unit, fetch_one Live, COUNT_LIVE, organization_id, client_id, now)
}

/// What a member holds of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Held {
    /// How many of its applications they are signed in with somewhere.
    pub applications: i64,
    /// How many access tokens of theirs open something of it.
    pub access_tokens: i64,
}

/// Counts what is live of a member of the organization.
pub async fn count_of_member(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    now: UnixSeconds,
) -> Result<Held, StoreError> {
    const COUNT_OF_MEMBER: &str =
        "select count(distinct g.client_id) as applications, count(t.id) as access_tokens
         from grants g
         left join access_tokens t on t.grant_id = g.id and t.revoked_at is null and t.expires_at > $3
         where g.organization_id = $1 and g.user_id = $2 and g.revoked_at is null and g.expires_at > $3";
    statement!(unit, fetch_one Held, COUNT_OF_MEMBER, organization_id, user_id, now)
}

/// The grants of an application of the organization that can still be of use.
pub async fn list_live(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<Vec<Given>, StoreError> {
    const LIST_LIVE: &str =
        "select id, client_id, user_id, session_id, redirect_uri, callback_at, requesting_origin,
                                    scopes, expires_at, revoked_at
                             from grants
                             where organization_id = $1 and client_id = $2 and revoked_at is null and expires_at > $3";
    let rows = statement!(unit, fetch_all Row, LIST_LIVE, organization_id, client_id, now)?;
    rows.into_iter().map(Given::try_from).collect()
}

/// Which grants are revoked: those that match everything that is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// The grant itself.
    pub id: Option<&'a str>,
    /// The application.
    pub client_id: Option<&'a str>,
    /// The organization.
    pub organization_id: Option<&'a str>,
    /// The person.
    pub user_id: Option<&'a str>,
    /// The platform session.
    pub session_id: Option<&'a str>,
}

/// What ended with grants that were revoked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revoked {
    /// How many grants could still have been of use.
    pub grants: u64,
    /// How many access tokens were live.
    pub access_tokens: u64,
}

/// Revokes grants, and with them every code and token that was issued on them.
pub async fn revoke(
    unit: &mut Unit,
    selection: Selection<'_>,
    now: UnixSeconds,
) -> Result<Revoked, StoreError> {
    const REVOKE_TOKENS: &str = "update access_tokens set revoked_at = $6
                                 where revoked_at is null and expires_at > $6 and grant_id in
                                     (select id from grants
                                      where ($1 is null or id = $1) and ($2 is null or client_id = $2)
                                        and ($3 is null or organization_id = $3) and ($4 is null or user_id = $4)
                                        and ($5 is null or session_id = $5))";
    const REVOKE: &str = "update grants set revoked_at = $6
                          where revoked_at is null and expires_at > $6
                            and ($1 is null or id = $1) and ($2 is null or client_id = $2)
                            and ($3 is null or organization_id = $3) and ($4 is null or user_id = $4)
                            and ($5 is null or session_id = $5)
                          returning id, client_id, organization_id, user_id";
    let Selection { id, client_id, organization_id, user_id, session_id } = selection;
    // A selection that names nothing would be everybody's.
    if [id, client_id, organization_id, user_id, session_id].iter().all(Option::is_none) {
        return Ok(Revoked::default());
    }
    let access_tokens =
        statement!(unit, execute, REVOKE_TOKENS, id, client_id, organization_id, user_id, session_id, now)?;
    let revoked = statement!(
        unit,
        fetch_all(String, String, String, String),
        REVOKE,
        id,
        client_id,
        organization_id,
        user_id,
        session_id,
        now
    )?;
    for (id, client_id, organization_id, user_id) in &revoked {
        let entry = Entry::new(organization_id, Action::GrantRevoked);
        let entry = entry.of_application(client_id).of_person(user_id);
        audit_log::insert(unit, &entry, &json!({ "grant_id": id })).await?;
    }
    Ok(Revoked { grants: revoked.len() as u64, access_tokens })
}

/// Deletes grants of which nothing can be of use any more, with what was issued on them, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from grants where id in
                             (select id from grants where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
