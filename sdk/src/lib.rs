//! The client that a customer's page loads: its JavaScript face is `index.js`, and this is the core behind it.
//!
//! The rules stand in files that know no browser ([`session`], [`options`], [`response`], [`authorize`]); the others
//! are the edge.
//!
//! In the release build for the browser the standard library stays out, and a small allocator takes the place of the
//! usual one: together 2.6 KB less for every visitor. A panic, which nothing here asks for, stops the module.
#![cfg_attr(all(target_arch = "wasm32", not(debug_assertions)), no_std)]

extern crate alloc;

mod api;
pub mod authorize;
mod client;
pub mod error;
mod events;
mod frame;
mod host;
pub mod message;
pub mod options;
mod popup;
mod redirect;
pub mod response;
pub mod session;
pub mod value;

use alloc::{rc::Rc, string::String, vec, vec::Vec};

use js_sys::Function;
use latchkey_protocol::error::ErrorCode;
use wasm_bindgen::prelude::*;
use web_sys::{Element, EventTarget, Window};

use crate::{
    authorize::Ask,
    client::Client,
    error::Failure,
    host::{Host, Settler},
    options::{Given, invalid, scope, timeout},
    session::LOGIN_MS,
    value::{get, present, text, texts},
};

#[cfg(all(target_arch = "wasm32", not(debug_assertions)))]
mod lean {
    #[global_allocator]
    static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}

/// The core behind one `Client` of `index.js`, which makes the promises: each method takes the two ends of one.
#[wasm_bindgen]
pub struct Core(Rc<Client>);

#[wasm_bindgen]
impl Core {
    /// Begins to load. Throws where an option cannot be used.
    ///
    /// `response` is what `index.js` took out of the address bar.
    #[wasm_bindgen(constructor)]
    pub fn new(
        host: Host,
        window: Window,
        options: &JsValue,
        response: Option<String>,
        resolve: Function,
        reject: Function,
    ) -> Result<Self, JsValue> {
        match check(&window, options) {
            Ok((options, container)) => {
                let init = Settler { resolve, reject };
                Ok(Self(Client::start((host, window), options, container.as_ref(), response, init)))
            }
            Err(failure) => Err(host.failure(&failure)),
        }
    }

    /// `client.login`.
    pub fn login(&self, options: &JsValue, resolve: Function, reject: Function) {
        let settler = Settler { resolve, reject };
        match Login::read(options, &self.0.options.scope) {
            Ok(login) => self.0.login(login.ask, login.limit, login.signal.as_ref(), settler),
            Err(failure) => settler.reject(&self.0.host, &failure),
        }
    }

    /// `client.handleRedirect`.
    pub fn resume(&self, resolve: Function, reject: Function) {
        self.0.resume(Settler { resolve, reject });
    }

    /// `client.logout`.
    pub fn logout(&self, resolve: Function, reject: Function) {
        self.0.logout(Settler { resolve, reject });
    }

    /// `client.fetch`.
    pub fn fetch(&self, path: &str, init: &JsValue, resolve: Function, reject: Function) {
        api::fetch(&self.0, path, init, Settler { resolve, reject });
    }

    /// `client.getToken`.
    pub fn token(&self) -> Option<String> {
        self.0.look(|state| state.session().map(|held| held.token.clone()))
    }

    /// `client.destroy`.
    pub fn destroy(&self) {
        self.0.destroy();
    }
}

fn check(window: &Window, given: &JsValue) -> Result<(options::Options, Option<Element>), Failure> {
    let location = window.location();
    let (Ok(origin), Ok(path)) = (location.origin(), location.pathname()) else {
        return Err(invalid("init: this page has no address"));
    };
    let container = match present(given, "container") {
        None => None,
        Some(container) => {
            Some(container.dyn_into().map_err(|_| invalid("container: give an element of the page"))?)
        }
    };
    let options = Given {
        client_id: string(given, "clientId").or_else(|| string(given, "client_id")),
        platform: string(given, "platform"),
        scopes: scopes(given),
        mode: string(given, "mode"),
        response_type: string(given, "responseType"),
        redirect_uri: string(given, "redirectUri"),
        timeout_ms: milliseconds(given),
    };
    Ok((options.check(&origin, &path)?, container))
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

/// What `login` was given, checked.
struct Login {
    ask: Ask,
    limit: f64,
    signal: Option<EventTarget>,
}

impl Login {
    fn read(given: &JsValue, default_scope: &str) -> Result<Self, Failure> {
        let signal = match present(given, "signal") {
            None => None,
            Some(signal) if get(&signal, "aborted").is_truthy() => return Err(ErrorCode::Aborted.into()),
            Some(signal) => Some(
                signal.dyn_into().map_err(|_| invalid("signal: give the signal of an AbortController"))?,
            ),
        };
        let scope = match scopes(given) {
            None => default_scope.into(),
            Some(scopes) => scope(scopes)?,
        };
        let prompt = match present(given, "prompt") {
            None => String::new(),
            Some(_) => text(given, "prompt")
                .filter(|prompt| !prompt.is_empty())
                .ok_or_else(|| invalid("prompt: give \"none\", \"login\" or \"consent\""))?,
        };
        let limit = timeout(milliseconds(given), LOGIN_MS)?;
        Ok(Self { ask: Ask { scope, prompt }, limit, signal })
    }
}
