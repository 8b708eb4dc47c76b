//! `POST /logout/`: ends the session, or with `everywhere` all of the person's, and everything that came from them.

use axum::{
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    directory::session,
    http::{
        browser::{self, Browser},
        error::PageError,
        origin_check::{read_form, require_token},
    },
    state::App,
};

/// What the form's CSRF token is good for.
pub const CSRF_PURPOSE: &str = "logout";

/// Signs the person out of the platform.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let form = read_form(&headers, &body, &app.config.public_url)?;
    require_token(&form, &browser, CSRF_PURPOSE)?;
    let mut unit = app.store.write().await?;
    if let Some(session) = session::current(&app, &mut unit, &headers).await? {
        if form.get("everywhere").is_some() {
            session::close_all(&mut unit, &session.user_id, app.clock.now()).await?;
        } else {
            session::close(&app, &mut unit, &session).await?;
        }
        unit.commit().await?;
    }
    let mut gone = browser::cookie(browser::SESSION, String::new());
    gone.make_removal();
    Ok((CookieJar::new().add(gone), Redirect::to("/")).into_response())
}
