//! The sign-in window's response, where there is no frame.

use alloc::string::String;

use latchkey_protocol::VERSION;
use wasm_bindgen::JsValue;

use crate::{error::Failure, message::decode_response, options::Options, response::Token};

/// The outside of a window message: what the browser vouches for.
pub struct Sender<'a> {
    /// The origin it comes from.
    pub origin: &'a str,
    /// Whether it comes from the window that this client opened.
    pub is_popup: bool,
}

/// The version the callback page is answered in.
pub const ANSWER: u32 = VERSION;

/// Takes a response that the platform's page, in the window that this client opened, sends for the request it was
/// opened with. Everything else on the page's message bus is none of our business: `None`.
pub fn accept(
    options: &Options,
    sender: &Sender<'_>,
    data: &JsValue,
    expected: Option<String>,
) -> Option<Result<Token, Failure>> {
    if sender.origin != options.platform || !sender.is_popup {
        return None;
    }
    options.accept(&decode_response(data)?, &expected?, true)
}
