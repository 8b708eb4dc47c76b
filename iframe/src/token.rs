//! Tokens: how they come, whose they are, and how they end.

use latchkey_protocol::{error::ErrorCode, frame::Session};
use wasm_bindgen::JsValue;
use web_sys::Window;

use crate::{
    api::{self, Asker, Failure},
    handshake::Page,
    message::read_session,
    value::Fields,
};

/// What the platform issued.
pub(crate) struct Issued {
    /// The access token.
    pub(crate) access_token: String,
    /// Its lifetime in seconds.
    pub(crate) expires_in: u32,
    /// What brings the next one, in the code flow.
    pub(crate) refresh_token: Option<String>,
}

impl Issued {
    /// Reads an answer (RFC 6749 §5.1).
    pub(crate) fn read(answer: &JsValue) -> Result<Self, Failure> {
        let read = || {
            let fields = Fields::of(answer)?;
            let is_bearer = fields.text("token_type")?.eq_ignore_ascii_case("bearer");
            is_bearer.then_some(Self {
                access_token: fields.text("access_token")?,
                expires_in: fields.whole("expires_in")?,
                refresh_token: fields.optional_text("refresh_token")?,
            })
        };
        read().ok_or(Failure { status: 200, code: ErrorCode::ServerError })
    }

    /// When it expires, by this browser's clock.
    pub(crate) fn expires_at(&self) -> f64 {
        js_sys::Date::now() + f64::from(self.expires_in) * 1000.0
    }
}

/// Asks the platform whose a token is.
pub(crate) async fn describe(
    window: &Window,
    access_token: &str,
    expires_at: f64,
) -> Result<Session, Failure> {
    let account = api::get(window, access_token, "/api/0/").await?;
    read_session(&account, Some(expires_at)).ok_or(Failure { status: 200, code: ErrorCode::ServerError })
}

/// Exchanges a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
pub(crate) async fn exchange(
    window: &Window,
    page: &Page,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
) -> Result<Issued, Failure> {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", &page.client_id),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    Issued::read(&api::post(window, Asker::Application, "/oauth/token/", form).await?)
}

/// Exchanges a refresh token (RFC 6749 §6).
pub(crate) async fn refresh(window: &Window, page: &Page, refresh_token: &str) -> Result<Issued, Failure> {
    let form =
        [("grant_type", "refresh_token"), ("client_id", &*page.client_id), ("refresh_token", refresh_token)];
    Issued::read(&api::post(window, Asker::Application, "/oauth/token/", form).await?)
}

/// Ends a token, a refresh token with all that stands on its grant (RFC 7009).
pub(crate) async fn revoke(window: &Window, page: &Page, token: &str) {
    let form = [("client_id", &*page.client_id), ("token", token)];
    let _ = api::post(window, Asker::Application, "/oauth/revoke/", form).await;
}
