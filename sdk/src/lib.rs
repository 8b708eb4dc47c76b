//! The client that a customer's page loads. Its JavaScript face is `index.js`; this is the core behind it, and
//! the `Host` of `index.js` is its hands in the browser.
//!
//! The core decides everything and touches nothing: it is told what happens through [`Core`], and answers through
//! the `Host`. That keeps the module small, since a call into JavaScript is cheaper by far than the same steps taken
//! from here, and no function of Rust has to be handed to the browser.
//!
//! In the release build for the browser the standard library stays out, and a small allocator takes the place of the
//! usual one: together 2.6 KB less for every visitor. A panic, which nothing here asks for, stops the module.
#![cfg_attr(all(target_arch = "wasm32", not(debug_assertions)), no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
pub use latchkey_allocator as allocator;
pub mod api;
pub mod authorize;
mod client;
pub mod error;
pub mod frame;
pub mod host;
pub mod message;
pub mod options;
pub mod popup;
pub mod redirect;
pub mod response;
pub mod session;
pub mod value;

use alloc::{string::String, vec, vec::Vec};

use wasm_bindgen::prelude::*;

use crate::{
    api::Answer,
    authorize::Ask,
    client::Client,
    error::Failure,
    host::Host,
    options::{Given, Options, Page, invalid, scope, timeout},
    popup::Sender,
    session::LOGIN_MS,
    value::{present, texts},
};

#[cfg(all(target_arch = "wasm32", not(debug_assertions)))]
mod lean {
    #[global_allocator]
    static ALLOCATOR: crate::allocator::Allocator = crate::allocator::Allocator::new();

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}

/// The core behind one `Client` of `index.js`.
#[wasm_bindgen]
pub struct Core(Client);

/// What the page asks.
#[wasm_bindgen]
impl Core {
    /// Checks the options of `init`; throws where one cannot be used.
    ///
    /// `origin` and `address` are the page's own, and `platform` is the origin that the browser finds in that option.
    #[wasm_bindgen(constructor)]
    pub fn new(
        host: Host,
        given: &JsValue,
        origin: &str,
        address: &str,
        platform: &str,
    ) -> Result<Self, JsValue> {
        match read(given).check(&Page { origin, address, platform }) {
            Ok(options) => Ok(Self(Client::new(host, options))),
            Err(failure) => Err(host.failure(&failure)),
        }
    }

    /// Begins to load, in what is left of the time: so many milliseconds.
    pub fn start(&self, left: f64) {
        self.0.start(left);
    }

    /// `client.login`; throws where an option cannot be used.
    pub fn login(&self, given: &JsValue) -> Result<(), JsValue> {
        let (ask, limit) =
            read_login(given, &self.0.options).map_err(|failure| self.0.host.failure(&failure))?;
        self.0.login(ask, limit);
        Ok(())
    }

    /// Throws unless somebody is signed in and `client.fetch` may go to this address.
    pub fn allow(&self, href: &str) -> Result<(), JsValue> {
        self.0.allow(href).map_err(|failure| self.0.host.failure(&failure))
    }
}

/// What the browser says.
#[wasm_bindgen]
impl Core {
    /// What a word says, with at most one text:
    ///
    /// - `tick`: time passed; `closed` if the sign-in window is;
    /// - `loaded`: the frame's document is there;
    /// - `violation`: the page's own policy refused something: `directive disposition blocked-uri`;
    /// - `abort`: the page gives the sign-in up;
    /// - `rejected`: the platform did not accept this token;
    /// - `resume`: `client.handleRedirect`, with what `index.js` took out of the address bar;
    /// - `logout`, `destroy`: the client's methods of these names.
    pub fn hear(&self, what: &str, text: &str) {
        self.0.hear(what, text);
    }

    /// The frame said something.
    pub fn heard(&self, data: &JsValue) {
        self.0.heard(data);
    }

    /// A window said something.
    pub fn received(&self, origin: &str, is_popup: bool, data: &JsValue) {
        self.0.received(&Sender { origin, is_popup }, data);
    }

    /// A request was answered, or was not: then its status is 0. Where it asked whose a token is, that comes along.
    pub fn answered(&self, kind: &str, status: u32, body: JsValue, token: &str, expires_at: f64) {
        self.0.answered(kind, Answer { status, body }, token, expires_at);
    }
}

fn read(given: &JsValue) -> Given {
    Given {
        client_id: string(given, "clientId").or_else(|| string(given, "client_id")),
        platform: string(given, "platform"),
        scopes: scopes(given),
        mode: string(given, "mode"),
        response_type: string(given, "responseType"),
        redirect_uri: string(given, "redirectUri"),
        timeout_ms: milliseconds(given),
    }
}

fn read_login(given: &JsValue, options: &Options) -> Result<(Ask, f64), Failure> {
    let scope = match scopes(given) {
        None => options.scope.clone(),
        Some(scopes) => scope(&scopes)?,
    };
    let prompt = string(given, "prompt");
    if prompt.as_deref() == Some("") {
        return Err(invalid("prompt: give \"none\", \"login\" or \"consent\""));
    }
    Ok((Ask { scope, prompt: prompt.unwrap_or_default() }, timeout(milliseconds(given), LOGIN_MS)?))
}

/// A text, or an empty one for what is there and is not a text: no option takes an empty text.
fn string(given: &JsValue, name: &str) -> Option<String> {
    present(given, name).map(|value| value.as_string().unwrap_or_default())
}

/// An array of texts, or one that no check accepts for what is there and is not an array of texts.
fn scopes(given: &JsValue) -> Option<Vec<String>> {
    present(given, "scopes").map(|_| texts(given, "scopes").unwrap_or_else(|| vec![String::new()]))
}

fn milliseconds(given: &JsValue) -> Option<f64> {
    present(given, "timeoutMs").map(|value| value.as_f64().unwrap_or(f64::NAN))
}
