//! Invitations: single-use links by which a person becomes a member.

use latchkey_protocol::scope::Role;
use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    secret::Digest256,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        memberships, statement,
        users::email_key,
    },
};

/// An invitation that is open.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id.
    pub id: String,
    /// The organization.
    pub organization_id: String,
    /// Whom it is for: an account with this address, and nobody else.
    pub email: String,
    /// What they become.
    pub role: Role,
    /// The person who made it; nobody where that was the command line.
    pub invited_by: Option<String>,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Until when it can be accepted.
    pub expires_at: UnixSeconds,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    organization_id: String,
    email: String,
    role: String,
    invited_by: Option<String>,
    created_at: UnixSeconds,
    expires_at: UnixSeconds,
}

impl TryFrom<Row> for Invitation {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            role: memberships::role(&row.role)?,
            id: row.id,
            organization_id: row.organization_id,
            email: row.email,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })
    }
}

/// Adds an invitation, in place of the one that the organization has open for the same address.
pub async fn insert(unit: &mut Unit, token: &Digest256, invitation: &Invitation) -> Result<(), StoreError> {
    const INSERT: &str = "insert into invitations
                              (id, token_hash, organization_id, email, email_key, role, invited_by, created_at,
                               expires_at)
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                          on conflict (organization_id, email_key)
                          do update set id = excluded.id, token_hash = excluded.token_hash, email = excluded.email,
                                        role = excluded.role, invited_by = excluded.invited_by,
                                        created_at = excluded.created_at, expires_at = excluded.expires_at";
    statement!(
        unit,
        execute,
        INSERT,
        &invitation.id,
        token.as_bytes(),
        &invitation.organization_id,
        &invitation.email,
        email_key(&invitation.email),
        invitation.role.as_str(),
        invitation.invited_by.as_deref(),
        invitation.created_at,
        invitation.expires_at
    )?;
    let entry = Entry::new(&invitation.organization_id, Action::InvitationAdded);
    let detail = json!({ "email": invitation.email, "role": invitation.role.as_str() });
    audit_log::insert(unit, &entry, &detail).await
}

/// The invitation that this token accepts.
pub async fn find(
    unit: &mut Unit,
    token: &Digest256,
    now: UnixSeconds,
) -> Result<Option<Invitation>, StoreError> {
    const FIND: &str =
        "select id, organization_id, email, role, invited_by, created_at, expires_at from invitations
                        where token_hash = $1 and expires_at > $2";
    statement!(unit, fetch_optional Row, FIND, token.as_bytes(), now)?.map(Invitation::try_from).transpose()
}

/// The organization's open invitations, by address.
pub async fn list(
    unit: &mut Unit,
    organization_id: &str,
    now: UnixSeconds,
) -> Result<Vec<Invitation>, StoreError> {
    const LIST: &str =
        "select id, organization_id, email, role, invited_by, created_at, expires_at from invitations
                        where organization_id = $1 and expires_at > $2 order by email_key";
    let rows = statement!(unit, fetch_all Row, LIST, organization_id, now)?;
    rows.into_iter().map(Invitation::try_from).collect()
}

/// Takes the invitation that this token accepts: nobody can accept it again.
pub async fn consume(
    unit: &mut Unit,
    token: &Digest256,
    now: UnixSeconds,
) -> Result<Option<Invitation>, StoreError> {
    const CONSUME: &str = "delete from invitations where token_hash = $1 and expires_at > $2
                           returning id, organization_id, email, role, invited_by, created_at, expires_at";
    statement!(unit, fetch_optional Row, CONSUME, token.as_bytes(), now)?
        .map(Invitation::try_from)
        .transpose()
}

/// Withdraws an invitation of the organization. False where it has none with this id.
pub async fn revoke(unit: &mut Unit, organization_id: &str, id: &str) -> Result<bool, StoreError> {
    const REVOKE: &str = "delete from invitations where organization_id = $1 and id = $2 returning email";
    let revoked = statement!(unit, fetch_optional(String,), REVOKE, organization_id, id)?;
    log_revoked(unit, organization_id, revoked).await
}

/// Withdraws the invitation that the organization has open for this address. False where there is none.
pub async fn revoke_of_email(
    unit: &mut Unit,
    organization_id: &str,
    email: &str,
) -> Result<bool, StoreError> {
    const REVOKE_OF_EMAIL: &str =
        "delete from invitations where organization_id = $1 and email_key = $2 returning email";
    let key = email_key(email);
    let revoked = statement!(unit, fetch_optional(String,), REVOKE_OF_EMAIL, organization_id, key)?;
    log_revoked(unit, organization_id, revoked).await
}

/// Withdraws the invitations to become this that a person made in the organization. False where there are none.
pub async fn revoke_of_inviter(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    role: Role,
) -> Result<bool, StoreError> {
    const REVOKE_OF_INVITER: &str = "delete from invitations
                                     where organization_id = $1 and invited_by = $2 and role = $3 returning email";
    let role = role.as_str();
    let revoked = statement!(unit, fetch_all(String,), REVOKE_OF_INVITER, organization_id, user_id, role)?;
    log_revoked(unit, organization_id, revoked).await
}

async fn log_revoked(
    unit: &mut Unit,
    organization_id: &str,
    revoked: impl IntoIterator<Item = (String,)> + Send,
) -> Result<bool, StoreError> {
    let revoked: Vec<_> = revoked.into_iter().collect();
    for (email,) in &revoked {
        let entry = Entry::new(organization_id, Action::InvitationRevoked);
        audit_log::insert(unit, &entry, &json!({ "email": email })).await?;
    }
    Ok(!revoked.is_empty())
}

/// Deletes invitations that nobody accepted in time, at most this many.
pub async fn sweep(unit: &mut Unit, now: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from invitations where id in
                             (select id from invitations where expires_at <= $1 limit $2)";
    statement!(unit, execute, SWEEP, now, most)
}
