//! `POST /oauth/token/` (RFC 6749 §3.2): what a client exchanges for tokens.

pub mod code;
pub mod refresh;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use latchkey_protocol::oauth::BEARER;
use serde::Serialize;

use crate::{
    applications::ResponseType,
    clock::UnixSeconds,
    gate::Refusal,
    http::{
        error::{ApiError, Error},
        form::Form,
    },
    oauth::{client, issue::TokensIssued},
    state::App,
    store::applications::Application,
};

/// The grant types (RFC 6749 §4.1.3 and §6).
pub const GRANT_TYPES: [&str; 2] = ["authorization_code", "refresh_token"];

/// A successful answer (RFC 6749 §5.1).
#[derive(Debug, Serialize)]
struct Answer {
    access_token: String,
    token_type: &'static str,
    /// In seconds.
    expires_in: UnixSeconds,
    refresh_token: String,
    scope: String,
    /// OpenID Connect Core §3.1.3.3.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// What a grant type comes to.
#[derive(Debug)]
pub struct Granted {
    /// The tokens.
    pub tokens: TokensIssued,
    /// The signed statement of who signed in.
    pub id_token: Option<String>,
}

/// Exchanges.
pub async fn post(State(app): State<App>, form: Form) -> Result<Response, ApiError> {
    let (parameters, client_id) = client::read(&form)?;
    let mut unit = app.store.look().await?;
    let application = client::identify(&mut unit, client_id).await?;
    require_own_site(&app, &application, &form.headers)?;
    let grant_type = parameters.require("grant_type")?;
    if !GRANT_TYPES.contains(&grant_type) {
        return Err(Error::UnsupportedGrantType.into());
    }
    if !application.allows(ResponseType::Code) {
        return Err(Error::UnauthorizedClient.into());
    }
    let granted = match grant_type {
        "refresh_token" => refresh::redeem(&app, unit, client_id, &form).await,
        _ => code::redeem(&app, unit, client_id, &form).await,
    };
    let Granted { tokens, id_token } = granted.map_err(invalid_grant)?;
    let answer = Json(Answer {
        access_token: tokens.access.token.expose().to_owned(),
        token_type: BEARER,
        expires_in: tokens.access.expires_in_secs,
        refresh_token: tokens.refresh.expose().to_owned(),
        scope: tokens.access.scopes.to_list(),
        id_token,
    });
    // RFC 6749 §5.1 asks for both; every answer says `no-store` by itself.
    Ok(([(header::PRAGMA, "no-cache")], answer).into_response())
}

/// A site exchanges nothing for another site's application, even where it may read the answer of its own. Who is no
/// browser sends no `Origin`.
fn require_own_site(app: &App, application: &Application, headers: &HeaderMap) -> Result<(), Error> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let runs_there = |origin: &str| application.origins.iter().any(|own| own.as_str() == origin);
    match origin.to_str() {
        Ok(origin) if origin == app.config.issuer() || runs_there(origin) => Ok(()),
        Ok(_) | Err(_) => Err(Refusal::OriginNotAllowed.into()),
    }
}

/// Whatever a grant stood on and stands on no more, to the client it is one error (RFC 6749 §5.2): it is told nothing
/// of people and organizations.
fn invalid_grant(error: Error) -> Error {
    match error {
        Error::NotAMember | Error::TransactionClosed => Error::InvalidGrant,
        Error::Parameter { name: "client_id" | "redirect_uri", .. } => Error::InvalidGrant,
        other => other,
    }
}
