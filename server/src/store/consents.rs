//! What people allowed.

use latchkey_protocol::scope::Scopes;
use serde_json::{Value, json};

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        applications::scopes,
        audit_log::{self, Entry},
        statement,
    },
};

/// What a consent is for: an origin or a redirect URI added later inherits nothing.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The person who allows.
    pub user_id: &'a str,
    /// The application that is allowed.
    pub client_id: &'a str,
    /// On which site.
    pub requesting_origin: &'a str,
    /// With responses to where.
    pub redirect_uri: &'a str,
}

/// What a person allowed, with the names of whom they allowed it.
#[derive(Debug, Clone)]
pub struct Allowed {
    /// The application.
    pub client_id: String,
    /// Its name.
    pub application_name: String,
    /// The organization it belongs to.
    pub organization_id: String,
    /// Its slug.
    pub organization_slug: String,
    /// Its name.
    pub organization_name: String,
    /// On which site.
    pub requesting_origin: String,
    /// With responses to where.
    pub redirect_uri: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Since when.
    pub created_at: UnixSeconds,
    /// When the person last allowed it.
    pub updated_at: UnixSeconds,
    /// When something was last issued on it.
    pub last_used_at: Option<UnixSeconds>,
}

#[derive(sqlx::FromRow)]
struct Row {
    client_id: String,
    application_name: String,
    organization_id: String,
    organization_slug: String,
    organization_name: String,
    requesting_origin: String,
    redirect_uri: String,
    scopes: String,
    created_at: UnixSeconds,
    updated_at: UnixSeconds,
    last_used_at: Option<UnixSeconds>,
}

/// What a person allowed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// Which scopes.
    pub scopes: Scopes,
    /// Whether for as long as refresh tokens last, and not just for one access token: the page said which.
    pub with_refresh: bool,
}

pub(super) fn remembered(
    list: &str,
    refresh_allowed_at: Option<UnixSeconds>,
) -> Result<Remembered, StoreError> {
    let scopes = scopes(list, "consents.scopes")?;
    Ok(Remembered { scopes, with_refresh: refresh_allowed_at.is_some() })
}

/// Remembers what the person allowed, in place of what they allowed before. It is used at once: whoever says yes has
/// asked for what is issued in the same transaction.
pub async fn insert(
    unit: &mut Unit,
    subject: Subject<'_>,
    allowed: Remembered,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into consents
                              (user_id, client_id, requesting_origin, redirect_uri, scopes, refresh_allowed_at,
                               created_at, updated_at, last_used_at)
                          values ($1, $2, $3, $4, $5, $6, $7, $7, $7)
                          on conflict (user_id, client_id, requesting_origin, redirect_uri)
                          do update set scopes = excluded.scopes, updated_at = excluded.updated_at,
                              last_used_at = excluded.last_used_at,
                              refresh_allowed_at =
                                  coalesce(consents.refresh_allowed_at, excluded.refresh_allowed_at)";
    statement!(
        unit,
        later,
        INSERT,
        subject.user_id,
        subject.client_id,
        subject.requesting_origin,
        subject.redirect_uri,
        allowed.scopes.to_list(),
        allowed.with_refresh.then_some(now),
        now
    )?;
    let detail = json!({
        "scopes": allowed.scopes.names(),
        "requesting_origin": subject.requesting_origin,
        "with_refresh": allowed.with_refresh,
    });
    log(unit, Action::AuthorizationAllowed, subject.client_id, subject.user_id, &detail).await
}

/// Keeps when something was issued on what the person allowed there.
pub async fn touch(unit: &mut Unit, subject: Subject<'_>, now: UnixSeconds) -> Result<(), StoreError> {
    const TOUCH: &str = "update consents set last_used_at = $5
                         where user_id = $1 and client_id = $2 and requesting_origin = $3 and redirect_uri = $4";
    let Subject { user_id, client_id, requesting_origin, redirect_uri } = subject;
    statement!(unit, later, TOUCH, user_id, client_id, requesting_origin, redirect_uri, now)?;
    Ok(())
}

/// Forgets what the person allowed there.
pub async fn remove(unit: &mut Unit, subject: Subject<'_>) -> Result<(), StoreError> {
    const REMOVE: &str = "delete from consents
                          where user_id = $1 and client_id = $2 and requesting_origin = $3 and redirect_uri = $4";
    let Subject { user_id, client_id, requesting_origin, redirect_uri } = subject;
    statement!(unit, later, REMOVE, user_id, client_id, requesting_origin, redirect_uri)?;
    Ok(())
}

/// Forgets what a person allowed the applications of an organization, which they leave.
pub async fn remove_of_member(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
) -> Result<u64, StoreError> {
    const REMOVE_OF_MEMBER: &str = "delete from consents where user_id = $2 and client_id in
                                        (select client_id from applications where organization_id = $1)";
    statement!(unit, execute, REMOVE_OF_MEMBER, organization_id, user_id)
}

// The members lead: who leaves takes along what they allowed.
const LIST_TARGETS: &str = "select distinct requesting_origin, redirect_uri from consents
     where user_id in (select user_id from memberships where organization_id = $1)
       and client_id = (select client_id from applications where client_id = $2 and organization_id = $1)";

/// For which sites, with responses to where, anybody allowed an application of the organization something.
pub async fn list_targets(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    statement!(unit, fetch_all(String, String), LIST_TARGETS, organization_id, client_id)
}

const REMOVE_OF_TARGETS: &str = "delete from consents
     where user_id in (select user_id from memberships where organization_id = $1)
       and client_id = (select client_id from applications where client_id = $2 and organization_id = $1)
       and (requesting_origin, redirect_uri) in (select value ->> 0, value ->> 1 from json_each($3))";

/// Forgets what anybody allowed an application of the organization there, and says how much that was.
pub async fn remove_of_targets(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    targets: &[(String, String)],
) -> Result<u64, StoreError> {
    if targets.is_empty() {
        return Ok(0);
    }
    let targets = json!(targets).to_string();
    statement!(unit, execute, REMOVE_OF_TARGETS, organization_id, client_id, targets)
}

/// All that a person allowed: by the names of organizations and applications, then by site; the rows of one
/// organization, and of one application, stand together.
pub async fn list_of_user(unit: &mut Unit, user_id: &str) -> Result<Vec<Allowed>, StoreError> {
    const LIST_OF_USER: &str = "select c.client_id, a.name as application_name,
                                       o.id as organization_id, o.slug as organization_slug,
                                       o.name as organization_name,
                                       c.requesting_origin, c.redirect_uri, c.scopes, c.created_at, c.updated_at,
                                       c.last_used_at
                                from consents c
                                join applications a on a.client_id = c.client_id
                                join organizations o on o.id = a.organization_id
                                join memberships m on m.organization_id = o.id and m.user_id = c.user_id
                                where c.user_id = $1
                                order by o.name, o.id, a.name, a.client_id, c.requesting_origin, c.redirect_uri";
    let rows = statement!(unit, fetch_all Row, LIST_OF_USER, user_id)?;
    let read = |row: Row| {
        Ok(Allowed {
            scopes: scopes(&row.scopes, "consents.scopes")?,
            client_id: row.client_id,
            application_name: row.application_name,
            organization_id: row.organization_id,
            organization_slug: row.organization_slug,
            organization_name: row.organization_name,
            requesting_origin: row.requesting_origin,
            redirect_uri: row.redirect_uri,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Forgets what a person allowed an application, on every site, and says how much that was; the caller revokes the
/// tokens that came from it.
pub async fn remove_of_application(
    unit: &mut Unit,
    user_id: &str,
    client_id: &str,
) -> Result<u64, StoreError> {
    const REMOVE_OF_APPLICATION: &str = "delete from consents where user_id = $1 and client_id = $2";
    let removed = statement!(unit, execute, REMOVE_OF_APPLICATION, user_id, client_id)?;
    if removed > 0 {
        log(unit, Action::AuthorizationEnded, client_id, user_id, &json!({})).await?;
    }
    Ok(removed)
}

async fn log(
    unit: &mut Unit,
    action: Action,
    client_id: &str,
    user_id: &str,
    detail: &Value,
) -> Result<(), StoreError> {
    const FIND_ORGANIZATION: &str = "select organization_id from applications where client_id = $1";
    let (organization_id,) = statement!(unit, fetch_one(String,), FIND_ORGANIZATION, client_id)?;
    let entry = Entry::new(&organization_id, action).of_application(client_id).of_person(user_id);
    audit_log::insert(unit, &entry, detail).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::plan::steps;

    #[tokio::test]
    async fn what_an_organization_s_application_was_allowed_is_found_by_an_index() {
        let members = "sqlite_autoindex_memberships_1 (organization_id=?)";
        let application = "sqlite_autoindex_applications_2 (client_id=? AND organization_id=?)";
        let by_member = "sqlite_autoindex_consents_1 (user_id=? AND client_id=?)";
        assert_eq!(steps(LIST_TARGETS).await, [by_member, members, application]);
        let by_target = "sqlite_autoindex_consents_1 (user_id=? AND client_id=? AND requesting_origin=? AND redirect_uri=?)";
        assert_eq!(steps(REMOVE_OF_TARGETS).await, [by_target, members, application, "1:"]);
    }
}
