//! Who may manage an organization: its admins and owners, in a session of their own, as of now.

use axum::http::HeaderMap;
use latchkey_protocol::scope::Role;

use crate::{
    audit::By,
    directory::session,
    http::{
        address::ClientAddress,
        error::{Error, PageError},
        form::PageForm,
        visit::Visit,
    },
    members::membership::Authority,
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

/// The admin who opens a page about the organization with this slug; who is signed out comes back to it.
pub async fn visitor(app: &App, unit: &mut Unit, visit: &Visit, slug: &str) -> Result<Admin, PageError> {
    require(app, unit, &visit.headers, slug).await.map_err(|error| visit.refuse(error))
}

/// The admin who sent a form of such a page, and the unit that writes on their behalf. It counts where it brings the token
/// of this purpose.
pub async fn sender(app: &App, form: &PageForm, slug: &str, purpose: &str) -> Result<(Unit, Admin), Error> {
    form.require_token(purpose)?;
    writer(app, &form.headers, form.address, slug).await
}

/// The admin who changes something, and the unit that writes on their behalf.
///
/// There is one writer, and nobody has it from those who may: whoever may not is turned away by what a snapshot says. It
/// is asked again of the unit itself, since it may be otherwise by then.
pub async fn writer(
    app: &App,
    headers: &HeaderMap,
    address: ClientAddress,
    slug: &str,
) -> Result<(Unit, Admin), Error> {
    require(app, &mut app.store.read().await?, headers, slug).await?;
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    let admin = require(app, &mut unit, headers, slug).await?;
    unit.act_for(By::person(&admin.session.user_id, address, app.clock.now()));
    Ok((unit, admin))
}

impl Admin {
    /// What they may do to memberships.
    pub const fn authority(&self) -> Authority {
        Authority::Of(self.role)
    }
}
