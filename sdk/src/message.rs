//! The messages of [`latchkey_protocol::frame`] as JavaScript values, read and written by hand: serde's reflection
//! would cost the customer's page more than all of the SDK.

use alloc::string::String;

use js_sys::Object;
use latchkey_protocol::{
    VERSION,
    error::ErrorCode,
    frame::{FromFrame, Organization, Prepared, Session, ToFrame, User},
};
use wasm_bindgen::JsValue;

use crate::value::{get, number, object, present, set, text, texts, whole};

/// Reads a message from the frame; `None` for anything that is not one.
pub fn decode(data: &JsValue) -> Option<FromFrame> {
    Some(match text(data, "type")?.as_str() {
        "welcome" => FromFrame::Welcome { version: whole(data, "version")? },
        "prepared" => FromFrame::Prepared(Prepared {
            state: text(data, "state").filter(|state| !state.is_empty())?,
            nonce: text(data, "nonce")?,
            code_challenge: text(data, "code_challenge")?,
        }),
        "signing_in" => FromFrame::SigningIn {},
        "answered" => FromFrame::Answered {},
        "signed_in" => {
            let session = get(data, "session");
            FromFrame::SignedIn {
                access_token: text(data, "access_token").filter(|token| !token.is_empty())?,
                session: decode_session(&session, number(&session, "expires_at")?)?,
            }
        }
        "failed" => FromFrame::Failed {
            code: ErrorCode::parse(&text(data, "code")?)?,
            description: match present(data, "description") {
                None => None,
                Some(description) => Some(description.as_string()?),
            },
        },
        "sign_out" => FromFrame::SignOut {},
        "resize" => FromFrame::Resize { width: whole(data, "width")?, height: whole(data, "height")? },
        _ => return None,
    })
}

/// Reads whose a token is, as the frame and the API both write it. `expires_at` is by this browser's clock.
pub fn decode_session(data: &JsValue, expires_at: f64) -> Option<Session> {
    let (organization, user) = (get(data, "organization"), get(data, "user"));
    Some(Session {
        organization: Organization {
            id: text(&organization, "id")?,
            slug: text(&organization, "slug")?,
            name: text(&organization, "name")?,
        },
        user: User { id: text(&user, "id")?, name: text(&user, "name")? },
        scopes: texts(data, "scopes")?,
        expires_at,
    })
}

/// Writes a message to the frame.
pub fn encode(message: &ToFrame) -> Object {
    match message {
        ToFrame::Began { state } => object(&[("type", "began"), ("state", state)]),
        ToFrame::Ended { state, code } => {
            object(&[("type", "ended"), ("state", state), ("code", code.as_str())])
        }
        ToFrame::SignedOut {} => object(&[("type", "signed_out")]),
    }
}

/// Writes the first message to the frame.
pub fn hello(client_id: &str, scope: &str) -> Object {
    let hello = object(&[("type", "latchkey.hello"), ("client_id", client_id), ("scope", scope)]);
    set(&hello, "version", &VERSION.into());
    hello
}

/// Reads the callback page's message: the authorization response as it came. `None` for anything else.
pub fn decode_response(data: &JsValue) -> Option<String> {
    if text(data, "type")? != "latchkey.response" || whole(data, "version")? != VERSION {
        return None;
    }
    text(data, "response")
}

/// Writes the answer to the callback page.
pub fn received() -> Object {
    let received = object(&[("type", "latchkey.received")]);
    set(&received, "version", &VERSION.into());
    received
}
