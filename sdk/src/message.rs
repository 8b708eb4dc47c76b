//! The messages of [`latchkey_protocol::frame`], read by hand: serde's reflection would cost the customer's page more
//! than all of the SDK.

use alloc::{boxed::Box, string::String};

use latchkey_protocol::{
    VERSION,
    error::ErrorCode,
    frame::{FromFrame, Organization, Prepared, Session, ToFrame, User},
};
use wasm_bindgen::JsValue;

use crate::value::{get, number, present, text, texts, whole};

/// Reads a message from the frame; `None` for anything that is not one.
pub fn decode(data: &JsValue) -> Option<FromFrame> {
    Some(match text(data, "type")?.as_str() {
        "welcome" => FromFrame::Welcome { version: whole(data, "version")? },
        "prepared" => FromFrame::Prepared(Prepared {
            state: filled(data, "state")?,
            nonce: text(data, "nonce")?,
            code_challenge: text(data, "code_challenge")?,
        }),
        "signing_in" => FromFrame::SigningIn {},
        "answered" => FromFrame::Answered {},
        "signed_in" => {
            let session = get(data, "session");
            FromFrame::SignedIn {
                access_token: Some(filled(data, "access_token")?),
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

/// A property that is a text and not an empty one.
fn filled(data: &JsValue, name: &str) -> Option<String> {
    text(data, name).filter(|text| !text.is_empty())
}

/// Reads whose a token is, as the frame and the API both write it. `expires_at` is by this browser's clock.
pub fn decode_session(data: &JsValue, expires_at: f64) -> Option<Box<Session>> {
    let (organization, user) = (get(data, "organization"), get(data, "user"));
    Some(Box::new(Session {
        organization: Organization {
            id: text(&organization, "id")?,
            slug: text(&organization, "slug")?,
            name: text(&organization, "name")?,
        },
        user: User { id: text(&user, "id")?, name: text(&user, "name")? },
        scopes: texts(data, "scopes")?,
        expires_at,
    }))
}

/// The parts of a message to the frame: its type, the name and the value of what it is about, and its code, empty where
/// it has none. `index.js` writes those that are there.
pub fn parts(message: &ToFrame) -> (&'static str, &'static str, &str, &'static str) {
    match message {
        ToFrame::Began { state } => ("began", "state", state, ""),
        ToFrame::Ended { state, code } => ("ended", "state", state, code.as_str()),
        ToFrame::SignedOut {} => ("signed_out", "", "", ""),
        ToFrame::Page { path } => ("page", "path", path, ""),
        _ => ("", "", "", ""),
    }
}

/// Reads the callback page's message: the authorization response as it came. `None` for anything else.
pub fn decode_response(data: &JsValue) -> Option<String> {
    if text(data, "type")? != "latchkey.response" || whole(data, "version")? != VERSION {
        return None;
    }
    text(data, "response")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};
    use latchkey_protocol::frame::literals;

    #[test]
    fn every_message_to_the_frame_has_the_parts_of_its_literal() {
        let messages = [
            ToFrame::Began { state: "s1".into() },
            ToFrame::Ended { state: "s1".into(), code: ErrorCode::PopupClosed },
            ToFrame::SignedOut {},
            ToFrame::Page { path: "/checkout/".into() },
        ];
        for (message, literal) in messages.iter().zip(literals::TO_FRAME) {
            let (kind, about, value, code) = parts(message);
            let part = |name: &str, value: &str| {
                if value.is_empty() { String::new() } else { format!(",\"{name}\":\"{value}\"") }
            };
            let text = format!("{{\"type\":\"{kind}\"{}{}}}", part(about, value), part("code", code));
            assert_eq!(text, literal.to_string());
        }
    }
}
