//! `POST /oauth/revoke/` (RFC 7009).

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    audit::By,
    http::{error::ApiError, form::Form},
    oauth::client,
    secret::{AccessToken, RefreshToken},
    state::App,
    store::{
        self, StoreError, Unit,
        grants::{self, Selection},
        refresh_tokens,
    },
};

/// Revokes a token of the client that is named: an access token alone, a refresh token with all that was issued on its
/// grant (RFC 7009 §2.1).
///
/// The answer is 200 whether there was such a token or not (RFC 7009 §2.2): there is nothing to learn here, and
/// another client's token stays as it is (§2.1). `token_type_hint` is not needed: a token says its kind.
pub async fn post(State(app): State<App>, form: Form) -> Result<Response, ApiError> {
    let (parameters, client_id) = client::read(&form)?;
    let mut unit = app.store.look().await?;
    client::identify(&mut unit, client_id).await?;
    let token = parameters.require("token")?;
    let now = app.clock.now();
    let by = By::application(client_id, form.address, now);
    if let Some(token) = AccessToken::parse(token) {
        drop(unit);
        let mut unit = app.store.write(by).await?;
        store::tokens::revoke(&mut unit, &token.digest(), client_id, now).await?;
        unit.commit().await?;
    } else if let Some(token) = RefreshToken::parse(token)
        && let Some(id) = standing(&mut unit, &token, client_id).await?
    {
        drop(unit);
        let mut unit = app.store.write(by).await?;
        grants::revoke(&mut unit, Selection::One { id: &id }, now).await?;
        unit.commit().await?;
    }
    Ok(StatusCode::OK.into_response())
}

/// The grant of this token, if it is this client's and was not revoked before: whoever holds an old token does not keep
/// others from writing.
async fn standing(
    unit: &mut Unit,
    token: &RefreshToken,
    client_id: &str,
) -> Result<Option<String>, StoreError> {
    let Some(row) = refresh_tokens::find(unit, &token.digest()).await? else { return Ok(None) };
    let given = grants::find(unit, &row.grant_id).await?;
    let given = given.filter(|given| given.client_id == client_id && given.revoked_at.is_none());
    Ok(given.map(|given| given.id))
}
