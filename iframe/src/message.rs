//! The messages of [`latchkey_protocol::frame`] that this core obeys, as `messages.js` lets them through: each with
//! exactly the properties it is said to have. What their words mean is read here.

use latchkey_protocol::{
    error::ErrorCode,
    frame::{self, Corner, FromWindow, Hello, ResponseType, Tokens},
};
use wasm_bindgen::prelude::*;

/// A message from the SDK.
pub type ToFrame = frame::ToFrame;

#[wasm_bindgen]
extern "C" {
    type Message;

    #[wasm_bindgen(method, structural, indexing_getter)]
    fn get(this: &Message, name: &str) -> JsValue;
}

/// Reads a property that is a text.
fn text(message: &JsValue, name: &str) -> Option<String> {
    message.unchecked_ref::<Message>().get(name).as_string()
}

/// Reads a property that is a whole number.
fn whole(message: &JsValue, name: &str) -> Option<u32> {
    Some(message.unchecked_ref::<Message>().get(name).as_f64()? as u32)
}

/// Reads a property that is true or false.
fn yes_or_no(message: &JsValue, name: &str) -> Option<bool> {
    message.unchecked_ref::<Message>().get(name).as_bool()
}

/// What another window may say.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// The page around this one says hello.
    Hello(Hello),
    /// A page of the sign-in window says something.
    Window(FromWindow),
}

/// Reads a window message; `undefined` is none.
pub fn read_from_window(message: &JsValue) -> Option<Heard> {
    if message.is_undefined() {
        return None;
    }
    let version = whole(message, "version")?;
    Some(match text(message, "type")?.as_str() {
        "latchkey.hello" => Heard::Hello(Hello {
            version,
            client_id: text(message, "client_id")?,
            scope: text(message, "scope")?,
            response_type: ResponseType::parse(&text(message, "response_type")?)?,
            tokens: Tokens::parse(&text(message, "tokens")?)?,
        }),
        "latchkey.response" => {
            Heard::Window(FromWindow::Response { version, response: text(message, "response")? })
        }
        "latchkey.alive" => Heard::Window(FromWindow::Alive { version }),
        _ => return None,
    })
}

/// Reads a message of the SDK; `undefined` is none.
pub fn read_to_frame(message: &JsValue) -> Option<ToFrame> {
    if message.is_undefined() {
        return None;
    }
    Some(match text(message, "type")?.as_str() {
        "began" => ToFrame::Began { state: text(message, "state")? },
        "ended" => ToFrame::Ended {
            state: text(message, "state")?,
            code: ErrorCode::parse(&text(message, "code")?)?,
        },
        "signed_out" => ToFrame::SignedOut { expired: yes_or_no(message, "expired")? },
        "page" => ToFrame::Page { path: text(message, "path")? },
        "response" => ToFrame::Response {
            state: text(message, "state")?,
            response: text(message, "response")?,
            redirect_uri: text(message, "redirect_uri"),
        },
        "placed" => ToFrame::Placed { corner: Corner::parse(&text(message, "corner")?)? },
        "adopt" => ToFrame::Adopt {
            access_token: text(message, "access_token")?,
            expires_in: whole(message, "expires_in")?,
            replaces: yes_or_no(message, "replaces")?,
        },
        _ => return None,
    })
}
