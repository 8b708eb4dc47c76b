//! The token that came, and whose it is. It is kept in memory alone, and goes nowhere but over the port.

use latchkey_protocol::{
    error::ErrorCode,
    frame::{Organization, Session, User},
};
use serde::Deserialize;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, RequestCredentials, RequestInit, Response, Window};

use crate::port::decode;

/// What the API says of a token.
#[derive(Deserialize)]
struct Account {
    organization: Organization,
    user: User,
    scopes: Vec<String>,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Asks the platform whose a token is.
pub(crate) async fn describe(
    window: &Window,
    access_token: &str,
    expires_in: u32,
) -> Result<Session, ErrorCode> {
    let expires_at = js_sys::Date::now() + f64::from(expires_in) * 1000.0;
    let response = ask(window, access_token).await.map_err(|_| ErrorCode::NetworkError)?;
    let body = response.json().map_err(|_| ErrorCode::ServerError)?;
    let body = JsFuture::from(body).await.map_err(|_| ErrorCode::ServerError)?;
    if !response.ok() {
        let refusal: Option<Refusal> = decode(&body);
        let code = refusal.and_then(|refusal| ErrorCode::parse(&refusal.error));
        return Err(code.unwrap_or(ErrorCode::ServerError));
    }
    let Account { organization, user, scopes } = decode(&body).ok_or(ErrorCode::ServerError)?;
    Ok(Session { organization, user, scopes, expires_at })
}

async fn ask(window: &Window, access_token: &str) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("Authorization", &format!("Bearer {access_token}"))?;
    let init = RequestInit::new();
    init.set_headers(&headers);
    init.set_credentials(RequestCredentials::Omit);
    let request = Request::new_with_str_and_init("/api/0/", &init)?;
    Ok(JsFuture::from(window.fetch_with_request(&request)).await?.unchecked_into())
}
