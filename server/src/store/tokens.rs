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
    /// When it was issued.
    pub created_at: UnixSeconds,
    /// When it expires.
    pub expires_at: UnixSeconds,
    /// Since when it is revoked, or the grant it was issued on.
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
    /// Their e-mail address.
    pub user_email: String,
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
    created_at: UnixSeconds,
    expires_at: UnixSeconds,
    revoked_at: Option<UnixSeconds>,
    client_id: String,
    application_disabled_at: Option<UnixSeconds>,
    origins: i64,
    user_id: String,
    user_name: String,
    user_email: String,
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
                              (id, token_hash, last_four, grant_id, scopes, created_at, expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7)";
    statement!(
        unit,
        execute,
        INSERT,
        id,
        token.digest().as_bytes(),
        token.last_four(),
        grant.id(),
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
    const FIND: &str = "select t.id as token_id, t.scopes, t.expires_at,
                               coalesce(t.revoked_at, g.revoked_at) as revoked_at, t.created_at, g.client_id,
                               a.disabled_at as application_disabled_at,
                               (select count(*) from application_origins ao
                                where ao.client_id = g.client_id and ao.origin = $2) as origins,
                               g.user_id, u.name as user_name, u.email as user_email,
                               u.disabled_at as user_disabled_at,
                               g.organization_id, o.slug as organization_slug, o.name as organization_name,
                               o.disabled_at as organization_disabled_at, m.role
                        from access_tokens t
                        join grants g on g.id = t.grant_id
                        join applications a on a.client_id = g.client_id
                        join users u on u.id = g.user_id
                        join organizations o on o.id = g.organization_id
                        left join memberships m
                            on m.organization_id = g.organization_id and m.user_id = g.user_id
                        where t.token_hash = $1";
    let Some(row) = statement!(unit, fetch_optional Row, FIND, token.as_bytes(), origin)? else {
        return Ok(None);
    };
    Ok(Some(Facts {
        scopes: scopes(&row.scopes, "access_tokens.scopes")?,
        role: row.role.as_deref().map(role).transpose()?,
        runs_on_origin: row.origins > 0,
        token_id: row.token_id,
        created_at: row.created_at,
        expires_at: row.expires_at,
        revoked_at: row.revoked_at,
        client_id: row.client_id,
        application_disabled_at: row.application_disabled_at,
        user_id: row.user_id,
        user_name: row.user_name,
        user_email: row.user_email,
        user_disabled_at: row.user_disabled_at,
        organization_id: row.organization_id,
        organization_slug: row.organization_slug,
        organization_name: row.organization_name,
        organization_disabled_at: row.organization_disabled_at,
    }))
}

/// Revokes one token, if it is this client's. What else was issued on its grant lives on.
pub async fn revoke(
    unit: &mut Unit,
    token: &Digest256,
    client_id: &str,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE: &str = "update access_tokens set revoked_at = $3
                          where token_hash = $1 and revoked_at is null
                            and grant_id in (select id from grants where client_id = $2)";
    Ok(statement!(unit, execute, REVOKE, token.as_bytes(), client_id, now)? == 1)
}

/// Revokes the one token with this id or this digest, and says whether it did.
pub async fn revoke_one(
    unit: &mut Unit,
    id: Option<&str>,
    token: Option<&Digest256>,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE_ONE: &str =
        "update access_tokens set revoked_at = $3 where (id = $1 or token_hash = $2) and revoked_at is null";
    Ok(statement!(unit, execute, REVOKE_ONE, id, token.map(Digest256::as_bytes), now)? == 1)
}

/// Deletes tokens that are too late, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from access_tokens where id in
                             (select id from access_tokens where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
