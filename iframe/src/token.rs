//! The token that came, and whose it is.

use latchkey_protocol::{error::ErrorCode, frame::Session};
use web_sys::Window;

use crate::{api, message::read_session};

/// Asks the platform whose a token is.
pub(crate) async fn describe(
    window: &Window,
    access_token: &str,
    expires_in: u32,
) -> Result<Session, ErrorCode> {
    let expires_at = js_sys::Date::now() + f64::from(expires_in) * 1000.0;
    let account = api::get(window, access_token, "/api/0/").await.map_err(|failure| failure.code)?;
    read_session(&account, Some(expires_at)).ok_or(ErrorCode::ServerError)
}
