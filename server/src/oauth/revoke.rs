//! `POST /oauth/revoke/` (RFC 7009).

use axum::{
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    http::{error::ApiError, parameters::Parameters},
    secret::AccessToken,
    state::App,
    store,
};

/// Revokes a token of the client that is named.
///
/// The answer is 200 whether there was such a token or not (RFC 7009 §2.2): there is nothing to learn here, and
/// another client's token stays as it is (§2.1).
pub async fn post(State(app): State<App>, body: Bytes) -> Result<Response, ApiError> {
    let form = Parameters::parse_form(&body)?;
    let token = form.require("token")?;
    let client_id = form.require("client_id")?;
    if let Some(token) = AccessToken::parse(token) {
        let mut unit = app.store.write().await?;
        store::tokens::revoke(&mut unit, &token.digest(), client_id, app.clock.now()).await?;
        unit.commit().await?;
    }
    Ok(StatusCode::OK.into_response())
}
