//! The token that came, and whose it is.

use latchkey_protocol::{
    error::ErrorCode,
    frame::{Organization, Session, User},
};
use serde::Deserialize;
use web_sys::Window;

use crate::api;

/// What the API says of a token.
#[derive(Deserialize)]
struct Account {
    organization: Organization,
    user: User,
    scopes: Vec<String>,
}

/// Asks the platform whose a token is.
pub(crate) async fn describe(
    window: &Window,
    access_token: &str,
    expires_in: u32,
) -> Result<Session, ErrorCode> {
    let expires_at = js_sys::Date::now() + f64::from(expires_in) * 1000.0;
    let account = api::get(window, access_token, "/api/0/").await.map_err(|failure| failure.code)?;
    let Account { organization, user, scopes } = account;
    Ok(Session { organization, user, scopes, expires_at })
}
