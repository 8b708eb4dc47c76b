//! The platform's API, asked with the token that came: of this page's own origin, and without cookies.

use latchkey_protocol::error::ErrorCode;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Headers, Request, RequestCredentials, RequestInit, Response, Window};

use crate::value::Fields;

/// Why there is no answer to read.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The status; 0 where the platform could not be reached.
    pub(crate) status: u16,
    /// What the platform calls it.
    pub(crate) code: ErrorCode,
}

/// Gets what stands at this path.
pub(crate) async fn get(window: &Window, token: &str, path: &str) -> Result<JsValue, Failure> {
    send(window, token, path, &RequestInit::new()).await
}

/// Puts this JSON there, and returns what stands there now.
pub(crate) async fn put(window: &Window, token: &str, path: &str, json: &str) -> Result<JsValue, Failure> {
    let init = RequestInit::new();
    init.set_method("PUT");
    init.set_body(&json.into());
    send(window, token, path, &init).await
}

async fn send(window: &Window, token: &str, path: &str, init: &RequestInit) -> Result<JsValue, Failure> {
    let unreachable = |_| Failure { status: 0, code: ErrorCode::NetworkError };
    let response = fetch(window, token, path, init).await.map_err(unreachable)?;
    let unreadable = |_| Failure { status: response.status(), code: ErrorCode::ServerError };
    let body = JsFuture::from(response.json().map_err(unreadable)?).await.map_err(unreadable)?;
    if response.ok() {
        return Ok(body);
    }
    let code = Fields::of(&body).and_then(|refusal| ErrorCode::parse(&refusal.text("error")?));
    Err(Failure { status: response.status(), code: code.unwrap_or(ErrorCode::ServerError) })
}

async fn fetch(window: &Window, token: &str, path: &str, init: &RequestInit) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    headers.set("Authorization", &format!("Bearer {token}"))?;
    if !init.get_body().is_undefined() {
        headers.set("Content-Type", "application/json")?;
    }
    init.set_headers(&headers);
    init.set_credentials(RequestCredentials::Omit);
    let request = Request::new_with_str_and_init(path, init)?;
    Ok(JsFuture::from(window.fetch_with_request(&request)).await?.unchecked_into())
}
