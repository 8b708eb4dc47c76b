//! The platform, asked from a page of its own: by the token that came, by the frame's own cookie, or by nothing.

use latchkey_protocol::{error::ErrorCode, oauth::encode_pairs};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Headers, Request, RequestCredentials, RequestInit, Response, Window};

use crate::{
    text::join,
    value::{Draft, Fields},
};

/// How long the platform may take to answer.
const LIMIT_MS: u32 = 15_000;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asker<'a> {
    /// Who holds this token; no cookie comes along.
    Holder(&'a str),
    /// The frame, with its cookie; the header says that it is no form and no link.
    Frame,
    /// The application, which says who it is and proves nothing.
    Application,
}

/// Why there is no answer to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    /// The status; 0 where the platform could not be reached.
    pub(crate) status: u16,
    /// What the platform calls it.
    pub(crate) code: ErrorCode,
}

/// Gets what stands at this path.
pub(crate) async fn get(window: &Window, token: &str, path: &str) -> Result<JsValue, Failure> {
    send(window, Asker::Holder(token), "GET", path, None).await
}

/// Puts this JSON there, and returns what stands there now.
pub(crate) async fn put(window: &Window, token: &str, path: &str, json: &str) -> Result<JsValue, Failure> {
    send(window, Asker::Holder(token), "PUT", path, Some(json)).await
}

/// Posts a form.
pub(crate) async fn post<'a>(
    window: &Window,
    asker: Asker<'_>,
    path: &str,
    form: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<JsValue, Failure> {
    send(window, asker, "POST", path, Some(&encode_pairs(form))).await
}

/// Sends a request, and returns the JSON of the answer; `undefined` where it has none.
pub(crate) async fn send(
    window: &Window,
    asker: Asker<'_>,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Result<JsValue, Failure> {
    let unreachable = |_| Failure { status: 0, code: ErrorCode::NetworkError };
    let response = fetch(window, asker, method, path, body).await.map_err(unreachable)?;
    if response.status() == 204 {
        return Ok(JsValue::UNDEFINED);
    }
    let unreadable = |_| Failure { status: response.status(), code: ErrorCode::ServerError };
    let body = JsFuture::from(response.json().map_err(unreadable)?).await.map_err(unreadable)?;
    if response.ok() {
        return Ok(body);
    }
    let code = Fields::of(&body).and_then(|refusal| ErrorCode::parse(&refusal.text("error")?));
    Err(Failure { status: response.status(), code: code.unwrap_or(ErrorCode::ServerError) })
}

async fn fetch(
    window: &Window,
    asker: Asker<'_>,
    method: &str,
    path: &str,
    body: Option<&str>,
) -> Result<Response, JsValue> {
    let (headers, init) = (Headers::new()?, RequestInit::new());
    let mut credentials = RequestCredentials::Omit;
    let mut kind = "application/x-www-form-urlencoded";
    match asker {
        Asker::Holder(token) => {
            headers.set("Authorization", &join(&["Bearer ", token]))?;
            kind = "application/json";
        }
        Asker::Frame => {
            headers.set("Latchkey-Frame", "1")?;
            credentials = RequestCredentials::SameOrigin;
        }
        Asker::Application => {}
    }
    if let Some(body) = body {
        headers.set("Content-Type", kind)?;
        init.set_body(&JsValue::from_str(body));
    }
    init.set_method(method);
    init.set_headers(&headers);
    init.set_credentials(credentials);
    init.set_signal(Some(&AbortSignal::timeout_with_u32(LIMIT_MS)));
    // Whoever signs out may leave the page at once.
    let init = Draft::on(init.into()).with("keepalive", &JsValue::TRUE).done().unchecked_into();
    let request = Request::new_with_str_and_init(path, &init)?;
    Ok(JsFuture::from(window.fetch_with_request(&request)).await?.unchecked_into())
}
