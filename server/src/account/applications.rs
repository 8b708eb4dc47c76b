//! `/account/applications/`: what a person allowed, and the button that ends it.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;
use latchkey_protocol::scope::Scopes;

use crate::{
    account::authorizations::{self, Authorization},
    audit::By,
    directory::{login, session},
    http::{
        browser::Browser,
        error::PageError,
        form::PageForm,
        moment::Day,
        page,
        workspace::{Place, Workspace},
    },
    state::App,
};

/// What the forms' CSRF token is good for.
const CSRF_PURPOSE: &str = "applications";
/// The page, and where its forms lead.
const PATH: &str = "/account/applications/";

#[derive(Template)]
#[template(path = "allowed.html")]
struct ApplicationsPage {
    workspace: Workspace,
    organizations: Vec<Organization>,
    csrf: String,
}

/// An organization with the applications of it that the person allowed.
struct Organization {
    id: String,
    name: String,
    applications: Vec<Application>,
}

struct Application {
    client_id: String,
    name: String,
    sites: Vec<String>,
    scopes: Vec<&'static str>,
    since: Day,
    last_used: Option<Day>,
}

/// Shows the page.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let Some(session) = session::current(&app, &mut unit, &headers).await? else {
        return Ok(login::before(PATH).into_response());
    };
    let allowed = authorizations::list(&mut unit, &session.user_id).await?;
    let page = ApplicationsPage {
        workspace: Workspace::of_person(&session, &browser, Place::Allowed),
        organizations: grouped(allowed),
        csrf: browser.csrf(CSRF_PURPOSE),
    };
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((browser.remember(CookieJar::new()), page).into_response())
}

/// Ends the access of the application that `client_id` names. One that has none any more is no error: who pressed the
/// button twice has what they wanted.
pub async fn post(State(app): State<App>, form: PageForm) -> Result<Response, PageError> {
    form.require_token(CSRF_PURPOSE)?;
    let client_id = form.parameters.require("client_id")?;
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    let Some(session) = session::current(&app, &mut unit, &form.headers).await? else {
        return Ok(login::before(PATH).into_response());
    };
    unit.act_for(By::person(&session.user_id, form.address, app.clock.now()));
    authorizations::end(&mut unit, &session.user_id, client_id, app.clock.now()).await?;
    unit.commit().await?;
    Ok(Redirect::to(PATH).into_response())
}

fn grouped(allowed: Vec<Authorization>) -> Vec<Organization> {
    let mut organizations: Vec<Organization> = Vec::new();
    for authorization in allowed {
        let Authorization { application, organization, sites } = authorization;
        let since = sites.iter().map(|site| site.allowed_at).min().unwrap_or_default();
        let last_used = sites.iter().filter_map(|site| site.last_used_at).max();
        let scopes = sites.iter().fold(Scopes::default(), |all, site| all.union(site.scopes));
        let mut origins: Vec<_> = sites.into_iter().map(|site| site.requesting_origin).collect();
        // They come in the order of the alphabet; one may have several redirect URIs.
        origins.dedup();
        let application = Application {
            client_id: application.client_id,
            name: application.name,
            sites: origins,
            scopes: scopes.words(),
            since: Day::of(since),
            last_used: last_used.map(Day::of),
        };
        match organizations.last_mut() {
            Some(last) if last.id == organization.id => last.applications.push(application),
            Some(_) | None => organizations.push(Organization {
                id: organization.id,
                name: organization.name,
                applications: vec![application],
            }),
        }
    }
    organizations
}
