//! `POST /toolbar/{client_id}/session/token/`: a new access token of the sign-in whose session the frame keeps.

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use latchkey_protocol::oauth::BEARER;
use serde::Serialize;

use super::{Frame, over, require_live};
use crate::{
    audit::By,
    clock::UnixSeconds,
    http::{
        error::{ApiError, Error},
        form::Form,
    },
    oauth::issue::{AccessIssued, Authority, Renewal, issue},
    state::App,
    store::{Unit, grants::Given},
};

/// The answer, in the words of RFC 6749 §5.1.
#[derive(Debug, Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    /// In seconds.
    expires_in: UnixSeconds,
    scope: String,
}

/// Issues a token of the same person, application, organization, site and scopes, as far as all of that still holds. A
/// browser without the cookie is told so by 204: where the cookie is on its way yet, or is gone, the frame asks all the
/// same, and neither is an error for a visitor's console.
pub async fn post(
    State(app): State<App>,
    Path(client_id): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    let frame = Frame::read(&app, &client_id, &form.headers, &form.parameters)?;
    match renew(&app, &frame, &form).await {
        Ok(None) => Ok(StatusCode::NO_CONTENT.into_response()),
        Ok(Some(AccessIssued { token, expires_in_secs, scopes })) => Ok(Json(Answer {
            access_token: token.expose().to_owned(),
            token_type: BEARER,
            expires_in: expires_in_secs,
            scope: scopes.to_list(),
        })
        .into_response()),
        Err(error) => Err(error.into()),
    }
}

async fn renew(app: &App, frame: &Frame<'_>, form: &Form) -> Result<Option<AccessIssued>, Error> {
    let now = app.clock.now();
    // What opens nothing keeps nobody from writing.
    let mut unit = app.store.look().await?;
    let Some((given, _)) = find_live(frame, &mut unit, form, now).await? else { return Ok(None) };
    drop(unit);
    app.throttle.refresh(&given.id).await?;
    let mut unit = app.store.write(By::application(frame.client_id, form.address, now)).await?;
    let Some((given, ends_at)) = find_live(frame, &mut unit, form, now).await? else { return Ok(None) };
    let issued = issue(app, &mut unit, Authority::from(&given), Renewal { ends_at }).await.map_err(over)?;
    unit.commit().await?;
    Ok(Some(issued))
}

/// The session's grant, which must stand, and when the session ends; nothing where the browser has none.
async fn find_live(
    frame: &Frame<'_>,
    unit: &mut Unit,
    form: &Form,
    now: UnixSeconds,
) -> Result<Option<(Given, UnixSeconds)>, Error> {
    let found = frame.find(unit, &form.headers, now).await?;
    if let Some((given, _)) = &found {
        require_live(unit, given).await?;
    }
    Ok(found)
}
