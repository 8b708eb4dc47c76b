//! The messages of [`latchkey_protocol::frame`], read and written by hand.
//!
//! A message has exactly the properties it is said to have: anything else is none, and passes in silence.

use js_sys::Uint8Array;
use latchkey_protocol::{
    error::ErrorCode,
    frame::{
        self, Corner, FromWindow, Headers, Hello, Organization, Received, ResponseType, Session, Tokens, User,
    },
};
use wasm_bindgen::prelude::*;
use web_sys::Blob;

use crate::value::{Draft, Fields, array, list};

/// A message to the SDK.
pub type FromFrame = frame::FromFrame<Uint8Array>;
/// A message from the SDK.
pub type ToFrame = frame::ToFrame<Blob>;

/// The most headers that a call may have.
const MOST_HEADERS: u32 = 64;
/// The most scopes a session may have: there are fewer.
const MOST_SCOPES: u32 = 64;

/// Reads a hello.
pub fn read_hello(data: &JsValue) -> Option<Hello> {
    let fields = Fields::of(data)?;
    if fields.text("type")? != "latchkey.hello" {
        return None;
    }
    let hello = Hello {
        version: fields.whole("version")?,
        client_id: fields.text("client_id")?,
        scope: fields.text("scope")?,
        response_type: ResponseType::parse(&fields.text("response_type")?)?,
        tokens: Tokens::parse(&fields.text("tokens")?)?,
    };
    fields.end(hello)
}

/// Reads a message of a page of the sign-in window.
pub fn read_from_window(data: &JsValue) -> Option<FromWindow> {
    let fields = Fields::of(data)?;
    let message = match fields.text("type")?.as_str() {
        "latchkey.response" => {
            FromWindow::Response { version: fields.whole("version")?, response: fields.text("response")? }
        }
        "latchkey.alive" => FromWindow::Alive { version: fields.whole("version")? },
        _ => return None,
    };
    fields.end(message)
}

/// Writes the answer to the callback page.
pub fn write_received(received: Received) -> JsValue {
    Draft::of("latchkey.received").number("version", received.version).done()
}

/// Reads a message of the SDK.
pub fn read_to_frame(data: &JsValue) -> Option<ToFrame> {
    let fields = Fields::of(data)?;
    let message = match fields.text("type")?.as_str() {
        "began" => ToFrame::Began { state: fields.text("state")? },
        "ended" => ToFrame::Ended { state: fields.text("state")?, code: code(&fields)? },
        "signed_out" => ToFrame::SignedOut,
        "page" => ToFrame::Page { path: fields.text("path")? },
        "response" => ToFrame::Response {
            response: fields.text("response")?,
            redirect_uri: fields.optional_text("redirect_uri")?,
        },
        "fetch" => ToFrame::Fetch {
            id: fields.whole("id")?,
            method: fields.text("method")?,
            path: fields.text("path")?,
            headers: fields.list("headers", MOST_HEADERS, pair)?,
            body: match fields.get("body") {
                null if null.is_null() => None,
                body => Some(body.dyn_into().ok()?),
            },
        },
        "pull" => ToFrame::Pull { id: fields.whole("id")? },
        "cancel" => ToFrame::Cancel { id: fields.whole("id")? },
        "placed" => ToFrame::Placed { corner: Corner::parse(&fields.text("corner")?)? },
        _ => return None,
    };
    fields.end(message)
}

fn code(fields: &Fields<'_>) -> Option<ErrorCode> {
    ErrorCode::parse(&fields.text("code")?)
}

/// A header: its name and its value.
pub(crate) fn pair(value: &JsValue) -> Option<(String, String)> {
    let [name, value] = list(value, 2, JsValue::as_string)?.try_into().ok()?;
    Some((name, value))
}

/// Writes a message to the SDK.
pub fn write_from_frame(message: &FromFrame) -> JsValue {
    let of = |kind, id: &u32| Draft::of(kind).number("id", *id);
    match message {
        FromFrame::Welcome { version } => Draft::of("welcome").number("version", *version),
        FromFrame::Prepared(request) => Draft::of("prepared")
            .text("state", &request.state)
            .text("nonce", &request.nonce)
            .text("code_challenge", &request.code_challenge),
        FromFrame::SigningIn => Draft::of("signing_in"),
        FromFrame::Answered => Draft::of("answered"),
        FromFrame::SignedIn { access_token, session } => held("signed_in", access_token.as_deref(), session),
        FromFrame::Renewed { access_token, session } => held("renewed", access_token.as_deref(), session),
        FromFrame::Failed { code, description } => {
            Draft::of("failed").text("code", code.as_str()).nullable("description", description.as_deref())
        }
        FromFrame::Ended { code } => Draft::of("ended").nullable("code", code.map(ErrorCode::as_str)),
        FromFrame::SignOut => Draft::of("sign_out"),
        FromFrame::Resize { width, height } => {
            Draft::of("resize").number("width", *width).number("height", *height)
        }
        FromFrame::Head { id, status, headers } => {
            of("head", id).number("status", *status).with("headers", &write_headers(headers))
        }
        FromFrame::Chunk { id, data } => of("chunk", id).with("data", data),
        FromFrame::End { id } => of("end", id),
        FromFrame::Broken { id, code } => of("broken", id).text("code", code.as_str()),
        FromFrame::Place { corner } => Draft::of("place").text("corner", corner.as_str()),
        FromFrame::Move { dx, dy } => Draft::of("move").number("dx", *dx).number("dy", *dy),
        FromFrame::Drop => Draft::of("drop"),
    }
    .done()
}

/// Writes headers.
pub fn write_headers(headers: &Headers) -> JsValue {
    array(headers.iter().map(|(name, value)| array([JsValue::from_str(name), JsValue::from_str(value)])))
}

fn held(kind: &str, access_token: Option<&str>, session: &Session) -> Draft {
    Draft::of(kind).nullable("access_token", access_token).with("session", &write_session(session))
}

/// Writes whose a session is.
pub fn write_session(session: &Session) -> JsValue {
    let Session { organization, user, scopes, expires_at } = session;
    let organization = Draft::default()
        .text("id", &organization.id)
        .text("slug", &organization.slug)
        .text("name", &organization.name)
        .done();
    let user = Draft::default().text("id", &user.id).text("name", &user.name).done();
    Draft::default()
        .with("organization", &organization)
        .with("user", &user)
        .with("scopes", &array(scopes.iter().map(|scope| JsValue::from_str(scope))))
        .number("expires_at", *expires_at)
        .done()
}

/// Reads whose a token is, as the API says it, and as [`write_session`] does.
pub fn read_session(data: &JsValue, expires_at: Option<f64>) -> Option<Session> {
    let fields = Fields::of(data)?;
    let (organization, user) = (fields.get("organization"), fields.get("user"));
    let (organization, user) = (Fields::of(&organization)?, Fields::of(&user)?);
    Some(Session {
        organization: Organization {
            id: organization.text("id")?,
            slug: organization.text("slug")?,
            name: organization.text("name")?,
        },
        user: User { id: user.text("id")?, name: user.text("name")? },
        scopes: fields.list("scopes", MOST_SCOPES, JsValue::as_string)?,
        expires_at: expires_at.or_else(|| fields.get("expires_at").as_f64())?,
    })
}
