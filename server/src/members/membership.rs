//! What is done to a membership, whichever way it is asked for: by a page or by the command line.
//!
//! Only an owner makes, demotes and removes owners, and the last one who is active cannot go. Who is removed loses at
//! once all that stood on the membership, and so do the links that they made: nobody keeps a way back by an invitation to
//! another account of theirs.

use latchkey_protocol::scope::Role;

use crate::{
    clock::UnixSeconds,
    http::error::Error,
    store::{
        self, StoreError, Unit,
        grants::{Revoked, Selection},
        users::User,
    },
};

/// On whose word a membership is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// A member with this role.
    Of(Role),
    /// Whoever runs the command line, which is above the organization.
    Command,
}

impl Authority {
    /// The roles that this word gives and takes, from the least to the most.
    pub fn roles(self) -> Vec<Role> {
        Role::ALL.iter().copied().filter(|role| self.require_over(*role).is_ok()).collect()
    }

    /// Refuses to make somebody this, or to take it from them.
    pub const fn require_over(self, role: Role) -> Result<(), Error> {
        match (self, role) {
            (Self::Command | Self::Of(Role::Owner), _)
            | (Self::Of(Role::Admin), Role::Member | Role::Admin) => Ok(()),
            (Self::Of(Role::Admin), Role::Owner) => Err(Error::OwnerRequired),
            (Self::Of(Role::Member), _) => Err(Error::AdminRequired),
        }
    }
}

/// Another role for a member.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// What they were when it was decided, where whoever decides has looked.
    pub from: Option<Role>,
    /// What they become.
    pub to: Role,
}

/// Whether the organization has no active owner besides this member.
pub const fn is_last_owner(role: Role, is_active: bool, active_owners: i64) -> bool {
    matches!(role, Role::Owner) && active_owners - is_active as i64 <= 0
}

/// Makes a person a member; [`StoreError::Conflict`] where they are one. An invitation that is open for them has nothing
/// left to do.
pub async fn add(
    unit: &mut Unit,
    organization_id: &str,
    user: &User,
    role: Role,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    store::memberships::insert(unit, organization_id, &user.id, role, now).await?;
    store::invitations::revoke_of_email(unit, organization_id, &user.email).await?;
    Ok(())
}

/// Gives a member another role. [`Error::Outdated`] where somebody else did so since it was decided.
pub async fn change_role(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    change: Change,
    authority: Authority,
) -> Result<(), Error> {
    let (user, role) = find(unit, organization_id, user_id).await?;
    authority.require_over(role)?;
    authority.require_over(change.to)?;
    if change.from.is_some_and(|from| from != role) {
        return Err(Error::Outdated);
    }
    if change.to == role {
        return Ok(());
    }
    keep_an_owner(unit, organization_id, &user, role).await?;
    store::memberships::touch(unit, organization_id, user_id, change.to).await?;
    withdraw_invitations(unit, organization_id, user_id, Some(change.to)).await?;
    Ok(())
}

/// The member, where they may be removed on this word.
pub async fn require_removable(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    authority: Authority,
) -> Result<User, Error> {
    let (user, role) = find(unit, organization_id, user_id).await?;
    authority.require_over(role)?;
    keep_an_owner(unit, organization_id, &user, role).await?;
    Ok(user)
}

/// Ends a membership, with all that stood on it: says what that was.
pub async fn remove(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    authority: Authority,
    now: UnixSeconds,
) -> Result<Revoked, Error> {
    let user = require_removable(unit, organization_id, user_id, authority).await?;
    store::memberships::remove(unit, organization_id, user_id).await?;
    let theirs = Selection::Member { organization_id, user_id };
    let revoked = store::grants::revoke(unit, theirs, now).await?;
    // Who comes back is asked again.
    store::consents::remove_of_member(unit, organization_id, user_id).await?;
    // And does not come back by a link that somebody sent them before.
    store::invitations::revoke_of_email(unit, organization_id, &user.email).await?;
    withdraw_invitations(unit, organization_id, user_id, None).await?;
    Ok(revoked)
}

/// Withdraws the invitations that a person made and, being this from now on, could no longer make.
async fn withdraw_invitations(
    unit: &mut Unit,
    organization_id: &str,
    user_id: &str,
    is: Option<Role>,
) -> Result<(), StoreError> {
    for role in Role::ALL {
        if is.is_none_or(|is| Authority::Of(is).require_over(*role).is_err()) {
            store::invitations::revoke_of_inviter(unit, organization_id, user_id, *role).await?;
        }
    }
    Ok(())
}

/// The member; a person of no organization, and one of another, are like one that there is not.
async fn find(unit: &mut Unit, organization_id: &str, user_id: &str) -> Result<(User, Role), Error> {
    let role = store::memberships::find(unit, organization_id, user_id).await?;
    let user = store::users::find(unit, user_id).await?;
    user.zip(role).ok_or(Error::NotFound)
}

async fn keep_an_owner(unit: &mut Unit, organization_id: &str, user: &User, role: Role) -> Result<(), Error> {
    let owners = store::memberships::count_owners(unit, organization_id).await?;
    if is_last_owner(role, user.disabled_at.is_none(), owners) { Err(Error::LastOwner) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_owner_is_above_owners() {
        for (authority, roles) in [
            (Authority::Of(Role::Member), &[][..]),
            (Authority::Of(Role::Admin), &[Role::Member, Role::Admin]),
            (Authority::Of(Role::Owner), Role::ALL),
            (Authority::Command, Role::ALL),
        ] {
            assert_eq!(authority.roles(), roles, "{authority:?}");
        }
    }

    #[test]
    fn an_owner_is_the_last_one_where_nobody_else_is_active() {
        for (role, is_active, owners, is_last) in [
            (Role::Owner, true, 1, true),
            (Role::Owner, true, 2, false),
            (Role::Owner, false, 0, true),
            (Role::Owner, false, 1, false),
            (Role::Admin, true, 1, false),
            (Role::Member, true, 0, false),
        ] {
            assert_eq!(is_last_owner(role, is_active, owners), is_last, "{role:?} {is_active} {owners}");
        }
    }
}
