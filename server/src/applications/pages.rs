//! What the pages about an organization's applications share.

pub use crate::{directory::admin::visitor, http::kept_form::refuse};

use crate::{
    directory::admin::{self, Admin},
    http::{error::Error, form::PageForm},
    state::App,
    store::{self, Unit, applications::Application},
};

/// What a form's CSRF token is good for: the applications of the organization with this slug.
pub fn csrf_purpose(slug: &str) -> String {
    format!("applications of {slug}")
}

/// The list of an organization's applications.
pub fn list_path(slug: &str) -> String {
    format!("/organizations/{slug}/applications/")
}

/// The page of one of them, or below it.
pub fn path(slug: &str, client_id: &str, below: &str) -> String {
    format!("/organizations/{slug}/applications/{client_id}/{below}")
}

/// The admin who sent a form of such a page, and the unit that writes on their behalf: see [`admin::sender`].
pub async fn sender(app: &App, form: &PageForm, slug: &str) -> Result<(Unit, Admin), Error> {
    admin::sender(app, form, slug, &csrf_purpose(slug)).await
}

/// The admin's organization's application; another organization's answers like one that there is not.
pub async fn find(unit: &mut Unit, admin: &Admin, client_id: &str) -> Result<Application, Error> {
    let found = store::applications::find_of_organization(unit, &admin.organization.id, client_id).await?;
    found.ok_or(Error::NotFound)
}
