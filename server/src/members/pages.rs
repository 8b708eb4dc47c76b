//! What the pages about an organization's members share.

use latchkey_protocol::scope::Role;

use crate::{
    directory::admin::{self, Admin},
    http::{error::Error, form::PageForm, parameters::Parameters},
    state::App,
    store::Unit,
};

/// What a form's CSRF token is good for: the members of the organization with this slug.
pub fn csrf_purpose(slug: &str) -> String {
    format!("members of {slug}")
}

/// The list of an organization's members.
pub fn list_path(slug: &str) -> String {
    format!("/organizations/{slug}/members/")
}

/// The admin who sent a form of such a page, and the unit that writes on their behalf: see [`admin::sender`].
pub async fn sender(app: &App, form: &PageForm, slug: &str) -> Result<(Unit, Admin), Error> {
    admin::sender(app, form, slug, &csrf_purpose(slug)).await
}

/// Reads a role that a form's select sent.
pub fn role(parameters: &Parameters, name: &'static str) -> Result<Role, Error> {
    Role::parse(parameters.require(name)?).ok_or(Error::parameter(name, "is not a role"))
}

/// A role, as a page calls it.
pub const fn words(role: Role) -> &'static str {
    match role {
        Role::Member => "Member",
        Role::Admin => "Admin",
        Role::Owner => "Owner",
    }
}

/// A role that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its name in the form.
    pub name: &'static str,
    /// Its name on the page.
    pub words: &'static str,
    /// Whether it is chosen.
    pub is_chosen: bool,
}

/// The roles that this admin gives, with one of them chosen.
pub fn choices(admin: &Admin, chosen: Role) -> Vec<Choice> {
    let roles = admin.authority().roles().into_iter();
    let choice = |role: Role| Choice { name: role.as_str(), words: words(role), is_chosen: role == chosen };
    roles.map(choice).collect()
}
