//! Who belongs to which organization, as what.

use latchkey_protocol::scope::Role;
use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        invitations::Invitation,
        statement,
    },
};

/// A member, as the organization's list shows them.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Member {
    /// The person's id.
    pub user_id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// The role's name.
    pub role: String,
    /// Since when their account may not do anything.
    pub disabled_at: Option<UnixSeconds>,
}

/// Reads a role's column.
pub(crate) fn role(name: &str) -> Result<Role, StoreError> {
    Role::parse(name).ok_or(StoreError::Unreadable("memberships.role"))
}

/// Adds a member; [`StoreError::Conflict`] when they are one.
pub async fn insert(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    role: Role,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    put(unit, organization_id, user_id, role, now).await?;
    let entry = Entry::new(organization_id, Action::MemberAdded).of_person(user_id);
    audit_log::insert(unit, &entry, &json!({ "role": role.as_str() })).await
}

/// Adds the person who accepted this invitation; [`StoreError::Conflict`] when they are a member.
pub async fn insert_invited(
    unit: &mut Unit,
    invitation: &Invitation,
    user_id: &str,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let Invitation { organization_id, role, email, .. } = invitation;
    put(unit, organization_id, user_id, *role, now).await?;
    let entry = Entry::new(organization_id, Action::MemberAdded).of_person(user_id);
    audit_log::insert(unit, &entry, &json!({ "role": role.as_str(), "invited_as": email })).await
}

async fn put(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    role: Role,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into memberships (organization_id, user_id, role, created_at)
                          values ($1, $2, $3, $4)";
    statement!(unit, execute, INSERT, organization_id, user_id, role.as_str(), now)?;
    Ok(())
}

/// The person's role in the organization, if they are a member.
pub async fn find(unit: &mut Unit, organization_id: &str, user_id: &str) -> Result<Option<Role>, StoreError> {
    const FIND: &str = "select role from memberships where organization_id = $1 and user_id = $2";
    let found = statement!(unit, fetch_optional(String,), FIND, organization_id, user_id)?;
    found.map(|(name,)| role(&name)).transpose()
}

/// The organization's members, by name.
pub async fn list(unit: &mut Unit, organization_id: &str) -> Result<Vec<Member>, StoreError> {
    const LIST: &str = "select u.id as user_id, u.name, u.email, m.role, u.disabled_at
                        from memberships m join users u on u.id = m.user_id
                        where m.organization_id = $1 and u.disabled_at is null
                        order by u.name, u.id";
    statement!(unit, fetch_all Member, LIST, organization_id)
}

/// So many of the organization's members, those whose accounts are disabled among them, by name: from the beginning, or
/// those who come after the member with this id.
pub async fn list_after(
    unit: &mut Unit,
    organization_id: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Member>, StoreError> {
    const LIST_AFTER: &str = "select u.id as user_id, u.name, u.email, m.role, u.disabled_at
         from memberships m join users u on u.id = m.user_id
         where m.organization_id = $1
           and ($2 = '' or (u.name, u.id) > (select last.name, last.id
                                             from memberships l join users last on last.id = l.user_id
                                             where l.organization_id = $1 and l.user_id = $2))
         order by u.name, u.id limit $3";
    statement!(unit, fetch_all Member, LIST_AFTER, organization_id, after, i64::from(limit))
}

/// How many active owners the organization has.
pub async fn count_owners(unit: &mut Unit, organization_id: &str) -> Result<i64, StoreError> {
    const COUNT_OWNERS: &str = "select count(*) from memberships m join users u on u.id = m.user_id
                                where m.organization_id = $1 and m.role = 'owner' and u.disabled_at is null";
    Ok(statement!(unit, fetch_one(i64,), COUNT_OWNERS, organization_id)?.0)
}

/// Gives a member another role. False when they are not a member.
pub async fn touch(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    role: Role,
) -> Result<bool, StoreError> {
    const TOUCH: &str = "update memberships set role = $3 where organization_id = $1 and user_id = $2";
    let Some(was) = find(unit, organization_id, user_id).await? else { return Ok(false) };
    if was != role {
        statement!(unit, execute, TOUCH, organization_id, user_id, role.as_str())?;
        let entry = Entry::new(organization_id, Action::MemberRoleChanged).of_person(user_id);
        let detail = json!({ "role": role.as_str(), "was": was.as_str() });
        audit_log::insert(unit, &entry, &detail).await?;
    }
    Ok(true)
}

/// Ends a membership; the caller revokes the tokens that depended on it. False when there was none.
pub async fn remove(unit: &mut Unit, organization_id: &str, user_id: &str) -> Result<bool, StoreError> {
    const REMOVE: &str = "delete from memberships where organization_id = $1 and user_id = $2 returning role";
    let Some((role,)) = statement!(unit, fetch_optional(String,), REMOVE, organization_id, user_id)? else {
        return Ok(false);
    };
    let entry = Entry::new(organization_id, Action::MemberRemoved).of_person(user_id);
    audit_log::insert(unit, &entry, &json!({ "role": role })).await?;
    Ok(true)
}
