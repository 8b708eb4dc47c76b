//! Access tokens.

use latchkey_protocol::scope::{Role, Scopes};

use crate::{
    clock::UnixSeconds,
    oauth::issue::Grant,
    secret::{AccessToken, Digest256},
    store::{StoreError, Unit, applications::scopes, memberships::role, statement},
};

/// All that the gate asks about a token, as it is now: one row of one query.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The token's id, for logs; never the token.
    pub token_id: String,
    /// What was granted.
    pub scopes: Scopes,
    /// When it expires.
    pub expires_at: UnixSeconds,
    /// Since when it is revoked.
    pub revoked_at: Option<UnixSeconds>,
    /// The application it was issued to.
    pub client_id: String,
    /// Since when that is disabled.
    pub application_disabled_at: Option<UnixSeconds>,
    /// Whether the application runs on the origin of the request.
    pub runs_on_origin: bool,
    /// The person.
    pub user_id: String,
    /// Their name.
    pub user_name: String,
    /// Since when they are disabled.
    pub user_disabled_at: Option<UnixSeconds>,
    /// The scoping organization.
    pub organization_id: String,
    /// Its slug.
    pub organization_slug: String,
    /// Its name.
    pub organization_name: String,
    /// Since when it is disabled.
    pub organization_disabled_at: Option<UnixSeconds>,
    /// The person's role there now; `None` when they are not a member any more.
    pub role: Option<Role>,
}

#[derive(sqlx::FromRow)]
struct Row {
    token_id: String,
    scopes: String,
    expires_at: UnixSeconds,
    revoked_at: Option<UnixSeconds>,
    client_id: String,
    application_disabled_at: Option<UnixSeconds>,
    origins: i64,
    user_id: String,
    user_name: String,
    user_disabled_at: Option<UnixSeconds>,
    organization_id: String,
    organization_slug: String,
    organization_name: String,
    organization_disabled_at: Option<UnixSeconds>,
    role: Option<String>,
}

/// Adds a token for a grant. A [`Grant`] is made by the issuing function alone.
pub async fn insert(
    unit: &mut Unit,
    id: &str,
    token: &AccessToken,
    grant: &Grant,
    now: UnixSeconds,
    expires_at: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into access_tokens
                              (id, token_hash, last_four, client_id, organization_id, user_id, session_id,
                               requesting_origin, scopes, created_at, expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    statement!(
        unit,
        execute,
        INSERT,
        id,
        token.digest().as_bytes(),
        token.last_four(),
        grant.client_id(),
        grant.organization_id(),
        grant.user_id(),
        grant.session_id(),
        grant.requesting_origin().as_str(),
        grant.scopes().to_list(),
        now,
        expires_at
    )?;
    Ok(())
}

/// What the gate asks about a token and the origin of a request.
pub async fn find(
    unit: &mut Unit,
    token: &Digest256,
    origin: Option<&str>,
) -> Result<Option<Facts>, StoreError> {
    const FIND: &str = "select t.id as token_id, t.scopes, t.expires_at, t.revoked_at, t.client_id,
                               a.disabled_at as application_disabled_at,
                               (select count(*) from application_origins ao
                                where ao.client_id = t.client_id and ao.origin = $2) as origins,
                               t.user_id, u.name as user_name, u.disabled_at as user_disabled_at,
                               t.organization_id, o.slug as organization_slug, o.name as organization_name,
                               o.disabled_at as organization_disabled_at, m.role
                        from access_tokens t
                        join applications a on a.client_id = t.client_id
                        join users u on u.id = t.user_id
                        join organizations o on o.id = t.organization_id
                        left join memberships m
                            on m.organization_id = t.organization_id and m.user_id = t.user_id
                        where t.token_hash = $1";
    let Some(row) = statement!(unit, fetch_optional Row, FIND, token.as_bytes(), origin)? else {
        return Ok(None);
    };
    Ok(Some(Facts {
        scopes: scopes(&row.scopes, "access_tokens.scopes")?,
        role: row.role.as_deref().map(role).transpose()?,
        runs_on_origin: row.origins > 0,
        token_id: row.token_id,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        client_id: row.client_id,
        application_disabled_at: row.application_disabled_at,
        user_id: row.user_id,
        user_name: row.user_name,
        user_disabled_at: row.user_disabled_at,
        organization_id: row.organization_id,
        organization_slug: row.organization_slug,
        organization_name: row.organization_name,
        organization_disabled_at: row.organization_disabled_at,
    }))
}

/// Revokes one token, if it is this client's.
pub async fn revoke(
    unit: &mut Unit,
    token: &Digest256,
    client_id: &str,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE: &str = "update access_tokens set revoked_at = $3
                          where token_hash = $1 and client_id = $2 and revoked_at is null";
    Ok(statement!(unit, execute, REVOKE, token.as_bytes(), client_id, now)? == 1)
}

/// Revokes what came from a session.
pub async fn revoke_of_session(
    unit: &mut Unit,
    session_id: &str,
    now: UnixSeconds,
) -> Result<u64, StoreError> {
    const REVOKE_OF_SESSION: &str =
        "update access_tokens set revoked_at = $2 where session_id = $1 and revoked_at is null";
    statement!(unit, execute, REVOKE_OF_SESSION, session_id, now)
}

/// Revokes what came from any session of a person.
pub async fn revoke_of_user(unit: &mut Unit, user_id: &str, now: UnixSeconds) -> Result<u64, StoreError> {
    const REVOKE_OF_USER: &str =
        "update access_tokens set revoked_at = $2 where user_id = $1 and revoked_at is null";
    statement!(unit, execute, REVOKE_OF_USER, user_id, now)
}

/// Revokes what an application holds for a person.
pub async fn revoke_of_authorization(
    unit: &mut Unit,
    user_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<u64, StoreError> {
    const REVOKE_OF_AUTHORIZATION: &str = "update access_tokens set revoked_at = $3
                                           where user_id = $1 and client_id = $2 and revoked_at is null";
    statement!(unit, execute, REVOKE_OF_AUTHORIZATION, user_id, client_id, now)
}

/// Revokes what a person holds for an organization.
pub async fn revoke_of_member(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    now: UnixSeconds,
) -> Result<u64, StoreError> {
    const REVOKE_OF_MEMBER: &str = "update access_tokens set revoked_at = $3
                                    where organization_id = $1 and user_id = $2 and revoked_at is null";
    statement!(unit, execute, REVOKE_OF_MEMBER, organization_id, user_id, now)
}

/// Which tokens an operator revokes: those that match everything that is given.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The token itself, by its digest.
    pub token_hash: Option<Vec<u8>>,
    /// The token's id.
    pub id: Option<String>,
    /// The application.
    pub client_id: Option<String>,
    /// The organization.
    pub organization_id: Option<String>,
    /// The person.
    pub user_id: Option<String>,
}

/// Revokes the tokens that match everything that is given, and says how many those were.
pub async fn revoke_selected(
    unit: &mut Unit,
    selection: &Selection,
    now: UnixSeconds,
) -> Result<u64, StoreError> {
    const REVOKE_SELECTED: &str = "update access_tokens set revoked_at = $6
                                   where revoked_at is null
                                     and ($1 is null or token_hash = $1) and ($2 is null or id = $2)
                                     and ($3 is null or client_id = $3) and ($4 is null or organization_id = $4)
                                     and ($5 is null or user_id = $5)";
    statement!(
        unit,
        execute,
        REVOKE_SELECTED,
        &selection.token_hash,
        &selection.id,
        &selection.client_id,
        &selection.organization_id,
        &selection.user_id,
        now
    )
}
