//! `/account/`, which is also home for who is signed in: who a person is, where they belong, and where they are signed
//! in.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use latchkey_protocol::scope::Role;

use crate::{
    account::sessions,
    directory::{device, session},
    http::{
        browser::Browser,
        error::{Error, PageError},
        moment::Minute,
        page, paging,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::{
        self, Unit,
        organizations::Belonging,
        sessions::{Listed, Session},
    },
};

/// The page.
pub const PATH: &str = "/account/";
/// How many sessions it shows.
const MOST: u32 = 50;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    workspace: Workspace,
    name: &'a str,
    email: &'a str,
    organizations: Vec<Organization>,
    sessions: Vec<SignedIn>,
    /// Whether there are older sessions that are not shown.
    has_more: bool,
    csrf: String,
}

/// An organization of theirs.
struct Organization {
    name: String,
    slug: String,
    role: &'static str,
    is_theirs_to_manage: bool,
}

/// Where they are signed in.
struct SignedIn {
    id: String,
    device: String,
    address: Option<String>,
    since: Minute,
    is_this_one: bool,
}

/// Shows the page.
pub async fn get(State(app): State<App>, visit: Visit) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let session = session::require(&app, &mut unit, &visit.headers).await;
    let session = session.map_err(|error| visit.refuse(error))?;
    Ok(show(&app, &mut unit, &visit.browser, &session).await?)
}

/// The page of who is signed in here.
pub async fn show(
    app: &App,
    unit: &mut Unit,
    browser: &Browser,
    session: &Session,
) -> Result<Response, Error> {
    let organizations = store::organizations::list_of_member(unit, &session.user_id).await?;
    let now = app.clock.now();
    let sessions = store::sessions::list_of_user(unit, &session.user_id, now, MOST + 1).await?;
    let (sessions, older) = paging::cut(sessions, MOST, |listed| listed.id.clone());
    let page = AccountPage {
        workspace: Workspace::of_person(session, browser, Place::Account),
        name: &session.name,
        email: &session.email,
        organizations: organizations.into_iter().map(Organization::from).collect(),
        sessions: sessions.into_iter().map(|listed| SignedIn::of(listed, session)).collect(),
        has_more: older.is_some(),
        csrf: browser.csrf(sessions::CSRF_PURPOSE),
    };
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((browser.remember(CookieJar::new()), page).into_response())
}

impl From<Belonging> for Organization {
    fn from(Belonging { organization, role }: Belonging) -> Self {
        let (role, is_theirs_to_manage) = match role {
            Role::Member => ("Member", false),
            Role::Admin => ("Admin", true),
            Role::Owner => ("Owner", true),
        };
        Self { name: organization.name, slug: organization.slug, role, is_theirs_to_manage }
    }
}

impl SignedIn {
    fn of(listed: Listed, current: &Session) -> Self {
        Self {
            device: device::words(listed.user_agent.as_deref()),
            address: listed.address,
            since: Minute::of(listed.authenticated_at),
            is_this_one: listed.id == current.id,
            id: listed.id,
        }
    }
}
