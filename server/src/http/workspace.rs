//! The frame around the pages for people who are signed in: whose they are, and where else to go.

use crate::{
    directory::{admin::Admin, logout},
    http::browser::Browser,
    store::sessions::Session,
};

/// What the frame shows.
#[derive(Debug)]
pub struct Workspace {
    /// Who is signed in.
    pub person: String,
    /// For the button that signs out.
    pub logout_csrf: String,
    /// The organization that the page is about.
    pub organization: Option<Managed>,
    /// The page of the menu that this one belongs to.
    pub place: Place,
}

/// The organization that a page is about.
#[derive(Debug)]
pub struct Managed {
    /// Its name in paths.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// The entries of the menus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An organization's applications.
    Applications,
    /// An organization's members.
    Members,
    /// An organization's audit log.
    Audit,
    /// A person's account.
    Account,
    /// What a person allowed.
    Allowed,
    /// A person's password.
    Password,
}

impl Workspace {
    /// Around a page about an organization.
    pub fn of_organization(admin: &Admin, browser: &Browser, place: Place) -> Self {
        let organization =
            Managed { slug: admin.organization.slug.clone(), name: admin.organization.name.clone() };
        Self { organization: Some(organization), ..Self::of_person(&admin.session, browser, place) }
    }

    /// Around a page about a person's own.
    pub fn of_person(session: &Session, browser: &Browser, place: Place) -> Self {
        let logout_csrf = browser.csrf(logout::CSRF_PURPOSE);
        Self { person: session.name.clone(), logout_csrf, organization: None, place }
    }

    /// Whether this entry of the menu is where the page is.
    pub fn is_at(&self, place: &Place) -> bool {
        self.place == *place
    }
}
