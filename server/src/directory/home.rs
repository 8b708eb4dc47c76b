//! `/`: who is signed in at the platform, and the way out.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    directory::{logout, session},
    http::{browser::Browser, error::PageError, page},
    state::App,
    store::{self, organizations::Organization, sessions::Session},
};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    session: Option<Session>,
    organizations: Vec<Organization>,
    csrf: String,
}

/// Shows the page.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let session = session::current(&app, &mut unit, &headers).await?;
    let organizations = match &session {
        Some(session) => store::organizations::list_of_member(&mut unit, &session.user_id).await?,
        None => vec![],
    };
    let page = HomePage { session, organizations, csrf: browser.csrf(logout::CSRF_PURPOSE) };
    Ok((browser.remember(CookieJar::new()), page::respond(StatusCode::OK, &page, &[])).into_response())
}
