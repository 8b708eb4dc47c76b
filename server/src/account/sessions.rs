//! `POST /account/sessions/`: ends one session of a person's, wherever that is, and everything that came from it.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};

use crate::{
    account::overview::PATH,
    audit::By,
    directory::{logout, session},
    http::{error::PageError, form::PageForm},
    state::App,
    store,
};

/// What the forms' CSRF token is good for.
pub const CSRF_PURPOSE: &str = "sessions";

/// Ends the session that `id` names. One that is over is no error: who pressed the button twice has what they wanted.
/// Another person's answers like one that there is not, and is left alone.
pub async fn post(State(app): State<App>, form: PageForm) -> Result<Response, PageError> {
    form.require_token(CSRF_PURPOSE)?;
    let id = form.parameters.require("id")?;
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    let current = session::require(&app, &mut unit, &form.headers).await;
    let current = current.map_err(|error| PageError::to_sign_in(error, PATH))?;
    unit.act_for(By::person(&current.user_id, form.address, app.clock.now()));
    if store::sessions::is_unended(&mut unit, id, &current.user_id).await? {
        session::close(&app, &mut unit, id).await?;
        unit.commit().await?;
    }
    Ok(if id == current.id { logout::gone() } else { Redirect::to(PATH).into_response() })
}
