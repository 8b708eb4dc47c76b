//! Who may manage an organization: its admins and owners, in a session of their own, as of now.

use axum::http::HeaderMap;
use latchkey_protocol::scope::Role;

use crate::{
    audit::By,
    directory::session,
    http::{address::ClientAddress, error::Error},
    state::App,
    store::{self, Unit, organizations::Organization, sessions::Session},
};

/// An admin or owner of an organization.
#[derive(Debug)]
pub struct Admin {
    /// Their session.
    pub session: Session,
    /// The organization.
    pub organization: Organization,
    /// What they are in it.
    pub role: Role,
}

/// The admin who asks about the organization with this slug.
///
/// One that they are no member of answers like one that there is not: nobody learns which there are.
pub async fn require(app: &App, unit: &mut Unit, headers: &HeaderMap, slug: &str) -> Result<Admin, Error> {
    let session = session::require(app, unit, headers).await?;
    let organization = store::organizations::find_by_slug(unit, slug).await?;
    let organization = organization.filter(|found| found.disabled_at.is_none()).ok_or(Error::NotFound)?;
    let role = store::memberships::find(unit, &organization.id, &session.user_id).await?;
    match role.ok_or(Error::NotFound)? {
        Role::Member => Err(Error::AdminRequired),
        role @ (Role::Admin | Role::Owner) => Ok(Admin { session, organization, role }),
    }
}

impl Admin {
    /// What is written from now on is written on their behalf.
    pub fn act(&self, app: &App, unit: &mut Unit, address: ClientAddress) {
        unit.act_for(By::person(&self.session.user_id, address, app.clock.now()));
    }

    /// Refuses an admin where only an owner will do.
    pub fn require_owner(&self) -> Result<(), Error> {
        match self.role {
            Role::Owner => Ok(()),
            Role::Admin | Role::Member => Err(Error::OwnerRequired),
        }
    }
}
