//! `POST /logout/`: ends the session, or with `everywhere` all of the person's, and everything that came from them.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    audit::By,
    directory::session,
    http::{browser, error::PageError, form::PageForm},
    state::App,
};

/// What the form's CSRF token is good for.
pub const CSRF_PURPOSE: &str = "logout";

/// Signs the person out of the platform.
pub async fn post(State(app): State<App>, form: PageForm) -> Result<Response, PageError> {
    form.require_token(CSRF_PURPOSE)?;
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    if let Some(session) = session::current(&app, &mut unit, &form.headers).await? {
        unit.act_for(By::person(&session.user_id, form.address, app.clock.now()));
        if form.parameters.get("everywhere").is_some() {
            session::close_all(&mut unit, &session.user_id, app.clock.now()).await?;
        } else {
            session::close(&app, &mut unit, &session.id).await?;
        }
        unit.commit().await?;
    }
    Ok(gone())
}

/// Leads home, without the session's cookie.
pub fn gone() -> Response {
    let mut cookie = browser::cookie(browser::SESSION, String::new());
    cookie.make_removal();
    (CookieJar::new().add(cookie), Redirect::to("/")).into_response()
}
