//! `/`: the way in, and for who is signed in their account.

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    account::overview,
    directory::session,
    http::{browser::Browser, error::PageError, page},
    state::App,
};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage;

/// Shows the page.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    if let Some(session) = session::current(&app, &mut unit, &headers).await? {
        return Ok(overview::show(&app, &mut unit, &browser, &session).await?);
    }
    Ok((browser.remember(CookieJar::new()), page::respond(StatusCode::OK, &HomePage, &[])).into_response())
}
