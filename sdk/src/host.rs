//! What `index.js` gives the core: the part of the JavaScript face that JavaScript writes best.

use alloc::vec::Vec;

use js_sys::Function;
use latchkey_protocol::frame::Session;
use wasm_bindgen::prelude::*;

use crate::error::Failure;

#[wasm_bindgen]
extern "C" {
    /// An object of `index.js`.
    pub type Host;

    #[wasm_bindgen(method)]
    fn error(this: &Host, code: &str, message: &str, hint: &str) -> JsValue;

    #[wasm_bindgen(method)]
    fn session(
        this: &Host,
        organization: Vec<JsValue>,
        user: Vec<JsValue>,
        scopes: Vec<JsValue>,
        expires_at: f64,
    ) -> JsValue;

    #[wasm_bindgen(method)]
    pub(crate) fn changed(this: &Host, state: &str, session: &JsValue);

    #[wasm_bindgen(method)]
    pub(crate) fn report(this: &Host, error: &JsValue);
}

impl Host {
    /// A `LatchkeyError`.
    pub(crate) fn failure(&self, failure: &Failure) -> JsValue {
        self.error(failure.code.as_str(), &failure.message, failure.code.hint())
    }

    /// What `client.session` is.
    pub(crate) fn describe(&self, session: &Session) -> JsValue {
        let (organization, user) = (&session.organization, &session.user);
        self.session(
            [&organization.id, &organization.slug, &organization.name].map(|text| text.into()).into(),
            [&user.id, &user.name].map(|text| text.into()).into(),
            session.scopes.iter().map(|scope| scope.into()).collect(),
            session.expires_at,
        )
    }
}

/// The two ends of a promise that `index.js` made.
#[derive(Clone)]
pub(crate) struct Settler {
    pub(crate) resolve: Function,
    pub(crate) reject: Function,
}

impl Settler {
    pub(crate) fn resolve(&self, value: &JsValue) {
        let _ = self.resolve.call1(&JsValue::UNDEFINED, value);
    }

    pub(crate) fn reject(&self, host: &Host, failure: &Failure) {
        let _ = self.reject.call1(&JsValue::UNDEFINED, &host.failure(failure));
    }
}
