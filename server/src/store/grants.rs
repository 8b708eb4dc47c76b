//! Authorization grants (RFC 6749 §1.3): what a person allowed, once, to an application, and what every code and
//! token of it stands on.

use std::collections::{BTreeMap, BTreeSet};

use latchkey_protocol::{origin::Origin, scope::Scopes};
use serde_json::{Value, json};

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
        later,
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

/// What grants of an application are alike in, and with it stand or fall together.
#[derive(Debug, Clone)]
pub struct Kind {
    /// Where the first response went, and for which site.
    pub target: Target,
    /// What was granted.
    pub scopes: Scopes,
    /// The scopes as they are stored.
    list: String,
}

/// The kinds of those grants of an application of the organization that can still be of use.
pub async fn list_kinds(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<Vec<Kind>, StoreError> {
    const LIST_KINDS: &str =
        "select distinct redirect_uri, callback_at is not null, requesting_origin, scopes
         from grants
         where organization_id = $1 and client_id = $2 and revoked_at is null and expires_at > $3";
    type Of = (String, bool, String, String);
    let rows = statement!(unit, fetch_all Of, LIST_KINDS, organization_id, client_id, now)?;
    let read = |(redirect_uri, is_callback, requesting_origin, list): Of| {
        let requesting_origin = Origin::parse(&requesting_origin)
            .map_err(|_| StoreError::Unreadable("grants.requesting_origin"))?;
        let target = Target { redirect_uri, is_callback, requesting_origin };
        Ok(Kind { target, scopes: scopes(&list, "grants.scopes")?, list })
    };
    rows.into_iter().map(read).collect()
}

/// Which grants are revoked. None of these is everybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection<'a> {
    /// One grant.
    One {
        /// Its id.
        id: &'a str,
    },
    /// Those that came from a platform session.
    Session {
        /// The session.
        session_id: &'a str,
    },
    /// Those of a person.
    Person {
        /// The person.
        user_id: &'a str,
    },
    /// Those of a person in an organization.
    Member {
        /// The organization.
        organization_id: &'a str,
        /// The person.
        user_id: &'a str,
    },
    /// Those that a person gave to an application.
    Allowed {
        /// The person.
        user_id: &'a str,
        /// The application.
        client_id: &'a str,
    },
    /// Those of an organization's application.
    Application {
        /// The organization.
        organization_id: &'a str,
        /// The application.
        client_id: &'a str,
    },
    /// Those of every application of an organization.
    Organization {
        /// The organization.
        organization_id: &'a str,
    },
}

/// The statements for one kind of selection: one that took every kind could be led by no index. `$1` is the time.
struct Revoke {
    access_tokens: &'static str,
    grants: &'static str,
}

macro_rules! revoke {
    ($which:literal) => {
        Revoke {
            access_tokens: concat!(
                "update access_tokens set revoked_at = $1
                 where revoked_at is null and expires_at > $1 and grant_id in (select id from grants where ",
                $which,
                ")"
            ),
            grants: concat!(
                "update grants set revoked_at = $1 where revoked_at is null and expires_at > $1 and ",
                $which,
                " returning id, client_id, organization_id, user_id"
            ),
        }
    };
}

const REVOKE_ONE: Revoke = revoke!("id = $2");
const REVOKE_OF_SESSION: Revoke = revoke!("session_id = $2");
const REVOKE_OF_PERSON: Revoke = revoke!("user_id = $2");
const REVOKE_OF_MEMBER: Revoke = revoke!("user_id = $2 and organization_id = $3");
// The organization is its application's, and leads to what the person allowed there alone.
const REVOKE_ALLOWED: Revoke = revoke!(
    "user_id = $2 and client_id = $3
     and organization_id = (select organization_id from applications where client_id = $3)"
);
const REVOKE_OF_APPLICATION: Revoke = revoke!("client_id = $2 and organization_id = $3");
const REVOKE_OF_ORGANIZATION: Revoke =
    revoke!("client_id in (select client_id from applications where organization_id = $2)");
// All kinds in one statement: on a loopback address every sign-in may come from a port of its own. What "is true" no
// engine takes for a join, which one of them would go through for each grant and each kind: it looks the kinds up.
const REVOKE_KINDS: Revoke = revoke!(
    "client_id = $2 and organization_id = $3
     and ((redirect_uri, case when callback_at is null then '' else 'callback' end, requesting_origin, scopes) in
          (select value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each($4))) is true"
);

impl<'a> Selection<'a> {
    /// The statements, and what they are given after the time.
    const fn statements(self) -> (Revoke, &'a str, Option<&'a str>) {
        match self {
            Self::One { id } => (REVOKE_ONE, id, None),
            Self::Session { session_id } => (REVOKE_OF_SESSION, session_id, None),
            Self::Person { user_id } => (REVOKE_OF_PERSON, user_id, None),
            Self::Member { organization_id, user_id } => (REVOKE_OF_MEMBER, user_id, Some(organization_id)),
            Self::Allowed { user_id, client_id } => (REVOKE_ALLOWED, user_id, Some(client_id)),
            Self::Application { organization_id, client_id } => {
                (REVOKE_OF_APPLICATION, client_id, Some(organization_id))
            }
            Self::Organization { organization_id } => (REVOKE_OF_ORGANIZATION, organization_id, None),
        }
    }
}

/// The statements that are put together, for the test that every engine knows them.
#[cfg(test)]
pub(super) fn composed() -> Vec<&'static str> {
    [
        REVOKE_ONE,
        REVOKE_OF_SESSION,
        REVOKE_OF_PERSON,
        REVOKE_OF_MEMBER,
        REVOKE_ALLOWED,
        REVOKE_OF_APPLICATION,
        REVOKE_OF_ORGANIZATION,
        REVOKE_KINDS,
    ]
    .into_iter()
    .flat_map(|Revoke { access_tokens, grants }| [access_tokens, grants])
    .collect()
}

/// What ended with grants that were revoked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Revoked {
    /// How many grants could still have been of use.
    pub grants: u64,
    /// How many access tokens were live.
    pub access_tokens: u64,
}

/// A grant that was revoked: its id, its application, its organization and its person.
type Ended = (String, String, String, String);

/// Revokes grants, and with them every code and token that was issued on them.
pub async fn revoke(
    unit: &mut Unit,
    selection: Selection<'_>,
    now: UnixSeconds,
) -> Result<Revoked, StoreError> {
    let (sql, one, other) = selection.statements();
    let (access_tokens, revoked) = match other {
        None => (
            statement!(unit, execute, sql.access_tokens, now, one)?,
            statement!(unit, fetch_all Ended, sql.grants, now, one)?,
        ),
        Some(other) => (
            statement!(unit, execute, sql.access_tokens, now, one, other)?,
            statement!(unit, fetch_all Ended, sql.grants, now, one, other)?,
        ),
    };
    log(unit, &revoked).await?;
    Ok(Revoked { grants: revoked.len() as u64, access_tokens })
}

/// Revokes the grants of these kinds that were given to an application of the organization.
pub async fn revoke_kinds(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    kinds: &[Kind],
    now: UnixSeconds,
) -> Result<Revoked, StoreError> {
    if kinds.is_empty() {
        return Ok(Revoked::default());
    }
    let row = |Kind { target, list, .. }: &Kind| {
        let kind = if target.is_callback { "callback" } else { "" };
        json!([target.redirect_uri, kind, target.requesting_origin, list])
    };
    let kinds = kinds.iter().map(row).collect::<Value>().to_string();
    let Revoke { access_tokens, grants } = REVOKE_KINDS;
    let access_tokens = statement!(unit, execute, access_tokens, now, client_id, organization_id, &kinds)?;
    let revoked = statement!(unit, fetch_all Ended, grants, now, client_id, organization_id, &kinds)?;
    log(unit, &revoked).await?;
    Ok(Revoked { grants: revoked.len() as u64, access_tokens })
}

/// As many sign-ins of an organization that end at once are written down one by one.
const MOST_NAMED: usize = 100;

/// Writes down what ended. Of more sign-ins than anybody reads there is one entry for each application, which says how
/// many they were: a change by one admin must not hold the writer, or fill the log, by as much as people use it.
async fn log(unit: &mut Unit, revoked: &[Ended]) -> Result<(), StoreError> {
    let mut by_organization: BTreeMap<&str, Vec<&Ended>> = BTreeMap::new();
    for ended @ (_, _, organization_id, _) in revoked {
        by_organization.entry(organization_id).or_default().push(ended);
    }
    for (organization_id, all) in by_organization {
        let entry = Entry::new(organization_id, Action::GrantRevoked);
        if all.len() <= MOST_NAMED {
            for (id, client_id, _, user_id) in all {
                let entry = entry.of_application(client_id).of_person(user_id);
                audit_log::insert(unit, &entry, &json!({ "grant_id": id })).await?;
            }
            continue;
        }
        let mut by_application: BTreeMap<&str, (u32, BTreeSet<&str>)> = BTreeMap::new();
        for (_, client_id, _, user_id) in all {
            let (occurrences, people) = by_application.entry(client_id).or_default();
            *occurrences = occurrences.saturating_add(1);
            people.insert(user_id);
        }
        for (client_id, (occurrences, people)) in by_application {
            let entry = Entry { occurrences, ..entry.of_application(client_id) };
            let entry = match people.first() {
                Some(only) if people.len() == 1 => entry.of_person(only),
                Some(_) | None => entry,
            };
            audit_log::insert(unit, &entry, &json!({ "people": people.len() })).await?;
        }
    }
    Ok(())
}

/// What was issued on the grants that go next, in the order in which it goes. It is deleted by itself, as what goes along
/// with a grant is not counted: a line of refresh tokens has no bound.
const SWEEP_ISSUED: [&str; 3] = [
    "delete from refresh_tokens where id in
         (select id from refresh_tokens where grant_id in
              (select id from grants where expires_at <= $1 order by expires_at limit $2)
          limit $3)",
    "delete from access_tokens where id in
         (select id from access_tokens where grant_id in
              (select id from grants where expires_at <= $1 order by expires_at limit $2)
          limit $3)",
    "delete from authorization_codes where code_hash in
         (select code_hash from authorization_codes where grant_id in
              (select id from grants where expires_at <= $1 order by expires_at limit $2)
          limit $3)",
];
const SWEEP: &str = "delete from grants where id in
                         (select id from grants where expires_at <= $1 order by expires_at limit $2)";

/// Deletes grants of which nothing can be of use any more, and before them what was issued on them: at most this many
/// rows of all kinds together.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    let most = most.unsigned_abs();
    let mut swept = 0;
    for issued in SWEEP_ISSUED {
        let left = most.saturating_sub(swept);
        swept += statement!(unit, execute, issued, now, most.cast_signed(), left.cast_signed())?;
    }
    // As many as are left to delete are among those on which nothing was.
    let left = most.saturating_sub(swept);
    swept += statement!(unit, execute, SWEEP, now, left.cast_signed())?;
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::steps;

    const BY_ID: &str = "sqlite_autoindex_grants_1 (id=?)";
    const BY_SESSION: &str = "grants_by_session (session_id=?)";
    const BY_PERSON: &str = "grants_by_member (user_id=?)";
    const BY_MEMBER: &str = "grants_by_member (user_id=? AND organization_id=?)";
    const BY_APPLICATION: &str = "grants_by_application (client_id=?)";
    const BY_EXPIRY: &str = "grants_by_expiry (expires_at<?)";

    #[tokio::test]
    async fn whatever_is_revoked_is_found_by_an_index() {
        let (id, user_id, session_id) = ("i", "u", "s");
        let (client_id, organization_id) = ("c", "o");
        let application = "sqlite_autoindex_applications_1 (client_id=?)";
        let applications = "applications_by_organization (organization_id=?)";
        for (selection, led_by) in [
            (Selection::One { id }, vec![BY_ID]),
            (Selection::Session { session_id }, vec![BY_SESSION]),
            (Selection::Person { user_id }, vec![BY_PERSON]),
            (Selection::Member { organization_id, user_id }, vec![BY_MEMBER]),
            (Selection::Allowed { user_id, client_id }, vec![BY_MEMBER, application]),
            (Selection::Application { organization_id, client_id }, vec![BY_APPLICATION]),
            (Selection::Organization { organization_id }, vec![BY_APPLICATION, applications]),
        ] {
            let (sql, ..) = selection.statements();
            assert_eq!(steps(sql.grants).await, led_by, "{selection:?}");
            let of_tokens = [vec!["access_tokens_by_grant (grant_id=?)"], led_by].concat();
            assert_eq!(steps(sql.access_tokens).await, of_tokens, "{selection:?}");
        }
    }

    #[tokio::test]
    async fn however_many_kinds_are_revoked_the_application_leads() {
        let kinds = "1:";
        let Revoke { access_tokens, grants } = REVOKE_KINDS;
        assert_eq!(steps(grants).await, [BY_APPLICATION, kinds]);
        assert_eq!(
            steps(access_tokens).await,
            ["access_tokens_by_grant (grant_id=?)", BY_APPLICATION, kinds]
        );
    }

    #[tokio::test]
    async fn what_is_swept_is_found_by_an_index() {
        let issued = ["refresh_tokens_by_grant", "authorization_codes_by_grant", "access_tokens_by_grant"];
        let issued = issued.map(|index| format!("{index} (grant_id=?)"));
        let [refresh, codes, access] = issued.each_ref().map(String::as_str);
        let kept = "frame_sessions_by_grant (grant_id=?)";
        let all = [BY_ID, BY_EXPIRY, kept, refresh, codes, access];
        assert_eq!(steps(SWEEP).await, all, "and what would go along");
        for (sql, itself, by_grant) in [
            (SWEEP_ISSUED[0], "sqlite_autoindex_refresh_tokens_1 (id=?)", refresh),
            (SWEEP_ISSUED[1], "sqlite_autoindex_access_tokens_1 (id=?)", access),
            (SWEEP_ISSUED[2], "sqlite_autoindex_authorization_codes_1 (code_hash=?)", codes),
        ] {
            assert_eq!(steps(sql).await, [itself, by_grant, BY_EXPIRY]);
        }
    }
}
