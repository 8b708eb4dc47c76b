//! What the pages about an organization's applications share.

use crate::{
    directory::admin::{self, Admin},
    http::{error::Error, error::PageError, form::PageForm, kept_form, visit::Visit},
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

/// The admin who visits a page about the organization with this slug.
pub async fn visitor(app: &App, unit: &mut Unit, visit: &Visit, slug: &str) -> Result<Admin, PageError> {
    admin::require(app, unit, &visit.headers, slug).await.map_err(|error| visit.refuse(error))
}

/// The admin who sent a form of such a page, on whose behalf the unit writes from now on. What they typed is kept where
/// they have to sign in again.
pub async fn sender(app: &App, unit: &mut Unit, form: &PageForm, slug: &str) -> Result<Admin, Error> {
    form.require_token(&csrf_purpose(slug))?;
    let admin = admin::require(app, unit, &form.headers, slug).await?;
    admin.act(app, unit, form.address);
    Ok(admin)
}

/// Turns the sender of a form away: see [`kept_form::refuse`].
pub async fn refuse(app: &App, unit: Unit, form: &PageForm, error: Error) -> PageError {
    // There is one writer, and what was typed is to be written.
    drop(unit);
    kept_form::refuse(app, form, error).await
}

/// The admin's organization's application; another organization's answers like one that there is not.
pub async fn find(unit: &mut Unit, admin: &Admin, client_id: &str) -> Result<Application, Error> {
    let found = store::applications::find_of_organization(unit, &admin.organization.id, client_id).await?;
    found.ok_or(Error::NotFound)
}
