//! Invitations: a link that makes the person it is for a member, once.
//!
//! It is for an address, and whoever holds it has to be signed in with that address: an account is never made from a
//! link, since who sent it would know the way into it.

use latchkey_protocol::scope::Role;

use crate::{
    applications::registration::{self, FieldError},
    clock::UnixSeconds,
    http::error::Error,
    members::membership::Authority,
    secret::{Entropy, NoEntropy, Secret},
    store::{
        self, StoreError, Unit, invitations::Invitation, organizations::Organization, sessions::Session,
        users::email_key,
    },
};

/// The most that an organization has open.
pub const MAX_OPEN: usize = 200;

/// Whom somebody wants to invite.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// To which organization.
    pub organization_id: &'a str,
    /// The address, as it was typed.
    pub email: &'a str,
    /// What they are to become.
    pub role: Role,
    /// On whose word.
    pub authority: Authority,
    /// Who that is; nobody where it is the command line.
    pub invited_by: Option<&'a str>,
}

/// An invitation that was made, with its secret, which nobody can be told again.
#[derive(Debug)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// What its link ends in.
    pub token: Secret,
}

/// Why nobody was invited.
#[derive(Debug, thiserror::Error)]
pub enum InviteError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] FieldError),
    /// There is nothing to invite them to.
    #[error("they are a member already")]
    Member,
    /// There are too many.
    #[error("there are {MAX_OPEN} open invitations already; withdraw some of them first")]
    TooMany,
    /// Everything else.
    #[error(transparent)]
    Other(#[from] Error),
}

impl From<StoreError> for InviteError {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

impl From<NoEntropy> for InviteError {
    fn from(error: NoEntropy) -> Self {
        Self::Other(error.into())
    }
}

/// Where the link with this token leads.
pub fn path(token: &str) -> String {
    format!("/invitations/{token}/")
}

/// Invites somebody for so many seconds, in place of the invitation that is open for the same address.
pub async fn invite(
    unit: &mut Unit,
    entropy: &Entropy,
    wish: Wish<'_>,
    now: UnixSeconds,
    lasts_secs: UnixSeconds,
) -> Result<Invited, InviteError> {
    let Wish { organization_id, role, authority, invited_by, .. } = wish;
    authority.require_over(role)?;
    let email = registration::email(wish.email)?;
    if let Some(user) = store::users::find_by_email(unit, &email).await?
        && store::memberships::find(unit, organization_id, &user.id).await?.is_some()
    {
        return Err(InviteError::Member);
    }
    let open = store::invitations::list(unit, organization_id, now).await?;
    let is_new = open.iter().all(|one| email_key(&one.email) != email_key(&email));
    if is_new && open.len() >= MAX_OPEN {
        return Err(InviteError::TooMany);
    }
    let token = Secret::generate(entropy)?;
    let invitation = Invitation {
        id: entropy.id()?,
        organization_id: organization_id.to_owned(),
        email,
        role,
        invited_by: invited_by.map(str::to_owned),
        created_at: now,
        expires_at: now + lasts_secs,
    };
    store::invitations::insert(unit, &token.digest(), &invitation).await?;
    Ok(Invited { invitation, token })
}

/// An invitation that can be accepted, with what it is to.
#[derive(Debug)]
pub struct Open {
    /// The invitation.
    pub invitation: Invitation,
    /// Its organization, which is active.
    pub organization: Organization,
    /// What its link ends in.
    token: Secret,
}

/// What an open invitation is to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is for them.
    Theirs,
    /// It is for them, and they are a member already: there is nothing to accept, and a role is not changed by a link.
    AlreadyMember,
    /// It is for another account.
    ForAnother,
}

impl Open {
    /// The invitation that a link with this token opens; none where it is unknown, used, withdrawn, too old, or no token
    /// at all.
    pub async fn find(unit: &mut Unit, token: &str, now: UnixSeconds) -> Result<Option<Self>, StoreError> {
        let token = Secret::new(token);
        let Some(invitation) = store::invitations::find(unit, &token.digest(), now).await? else {
            return Ok(None);
        };
        let organization = store::organizations::find(unit, &invitation.organization_id).await?;
        let organization = organization.filter(|organization| organization.disabled_at.is_none());
        Ok(organization.map(|organization| Self { invitation, organization, token }))
    }

    /// What it is to this person.
    pub async fn standing(&self, unit: &mut Unit, person: &Session) -> Result<Standing, StoreError> {
        if email_key(&person.email) != email_key(&self.invitation.email) {
            return Ok(Standing::ForAnother);
        }
        let role = store::memberships::find(unit, &self.organization.id, &person.user_id).await?;
        Ok(if role.is_some() { Standing::AlreadyMember } else { Standing::Theirs })
    }

    /// Makes the person whose it is a member, and the link useless. Both happen, or neither.
    pub async fn accept(&self, unit: &mut Unit, person: &Session, now: UnixSeconds) -> Result<(), Error> {
        let taken = store::invitations::consume(unit, &self.token.digest(), now).await?;
        let invitation = taken.ok_or(Error::NotFound)?;
        store::memberships::insert_invited(unit, &invitation, &person.user_id, now).await?;
        Ok(())
    }
}
