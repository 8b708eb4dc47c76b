//! What the core asks of the browser. The `Host` of `index.js` does it.

use alloc::string::String;

use latchkey_protocol::frame::Session;
use wasm_bindgen::prelude::*;

use crate::error::Failure;

#[wasm_bindgen]
extern "C" {
    /// The `Host` of `index.js`.
    pub type Host;

    /// Milliseconds since the Unix epoch.
    #[wasm_bindgen(js_namespace = Date)]
    pub(crate) fn now() -> f64;

    /// A `LatchkeyError`.
    #[wasm_bindgen(method)]
    fn error(this: &Host, code: &str, message: &str, hint: &str) -> JsValue;

    /// What `client.session` is.
    #[wasm_bindgen(method)]
    #[allow(clippy::too_many_arguments, reason = "an object would cost more to make than to name its parts")]
    fn session(
        this: &Host,
        id: &str,
        slug: &str,
        name: &str,
        user_id: &str,
        user_name: &str,
        scopes: &str,
        expires_at: f64,
    ) -> JsValue;

    /// The state, the session or its token changed.
    #[wasm_bindgen(method)]
    pub(crate) fn changed(this: &Host, state: &str, session: &JsValue, token: &JsValue);

    /// Says on the client what no promise says.
    #[wasm_bindgen(method)]
    pub(crate) fn report(this: &Host, error: &JsValue);

    /// Settles the promises of this kind that wait, with the error or without. False if none waited.
    #[wasm_bindgen(method)]
    pub(crate) fn settle(this: &Host, kind: &str, error: &JsValue) -> bool;

    /// Calls `tick` once, in so many milliseconds; infinity for never.
    #[wasm_bindgen(method)]
    pub(crate) fn wake(this: &Host, ms: f64);

    /// At least 128 random bits in base64url.
    #[wasm_bindgen(method)]
    pub(crate) fn random(this: &Host) -> String;

    /// Requests JSON and calls `answered` with the outcome, the token and when that expires. A form that is not empty
    /// is posted.
    #[wasm_bindgen(method)]
    pub(crate) fn send(this: &Host, kind: &str, url: &str, token: &str, expires_at: f64, form: &str);

    /// Hands the frame a port, with the hello.
    #[wasm_bindgen(method)]
    pub(crate) fn hello(this: &Host, platform: &str, version: u32, client_id: &str, scope: &str);

    /// Does what a word says, with at most one text:
    ///
    /// - `mount`: puts the frame with this address on the page, hidden until it has a size;
    /// - `listen`: listens to window messages;
    /// - `focus`, `close`: brings the sign-in window to the front, closes it;
    /// - `leave`: leaves the page for this address;
    /// - `clear`: takes everything off the page and listens to nothing any more.
    #[wasm_bindgen(method)]
    pub(crate) fn act(this: &Host, what: &str, text: &str);

    /// Says something to the frame.
    #[wasm_bindgen(method)]
    pub(crate) fn post(this: &Host, kind: &str, about: &str, value: &str, code: &str);

    /// Sizes the frame and shows it.
    #[wasm_bindgen(method)]
    pub(crate) fn resize(this: &Host, width: u32, height: u32);

    /// Tells the window that its response arrived.
    #[wasm_bindgen(method)]
    pub(crate) fn received(this: &Host, platform: &str, version: u32);

    /// Opens the sign-in window; false where the browser does not.
    #[wasm_bindgen(method)]
    pub(crate) fn open(this: &Host, url: &str) -> bool;

    /// Keeps a text for this tab; false where the browser does not.
    #[wasm_bindgen(method)]
    pub(crate) fn keep(this: &Host, key: &str, text: &str) -> bool;

    /// Takes what was kept; empty where there is nothing.
    #[wasm_bindgen(method)]
    pub(crate) fn recall(this: &Host, key: &str) -> String;

}

impl Host {
    pub(crate) fn failure(&self, failure: &Failure) -> JsValue {
        self.error(failure.code.as_str(), &failure.message, failure.code.hint())
    }

    pub(crate) fn describe(&self, session: &Session) -> JsValue {
        let (organization, user) = (&session.organization, &session.user);
        let mut scopes = String::new();
        for scope in &session.scopes {
            scopes.push_str(scope);
            scopes.push(' ');
        }
        self.session(
            &organization.id,
            &organization.slug,
            &organization.name,
            &user.id,
            &user.name,
            &scopes,
            session.expires_at,
        )
    }
}
