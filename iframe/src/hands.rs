//! What the page does in the browser: elements, requests, storage, other tabs. It is `main.js`, and what that imports.

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// The hands of this page.
    pub type Hands;

    /// A message of another window, if it has the shape of one: see `messages.js`.
    #[wasm_bindgen(method, js_name = readFromWindow)]
    pub(crate) fn read_from_window(this: &Hands, data: &JsValue) -> JsValue;

    /// A message of the port; none if it is not one that this core obeys.
    #[wasm_bindgen(method, js_name = readToFrame)]
    pub(crate) fn read_to_frame(this: &Hands, data: &JsValue) -> JsValue;

    /// A message, of its type and up to three values.
    #[wasm_bindgen(method)]
    pub(crate) fn write(
        this: &Hands,
        kind: &str,
        first: &JsValue,
        second: &JsValue,
        third: &JsValue,
    ) -> JsValue;

    /// What the port brought besides: calls for the platform, where the frame makes them.
    #[wasm_bindgen(method)]
    pub(crate) fn call(this: &Hands, data: &JsValue);

    /// Whether the browser keeps a cookie for this page, on the site around it.
    #[wasm_bindgen(method, js_name = keepsCookies)]
    pub(crate) fn keeps_cookies(this: &Hands) -> bool;

    /// Begins with a page of this origin. Returns what sessions the browser may have: [`crate::life::flag`]s.
    #[wasm_bindgen(method)]
    pub(crate) fn greet(this: &Hands, origin: &str, keeps: bool) -> u32;

    /// Shows that somebody is about to sign in; or that nobody is any more, and why the last attempt failed, if it did.
    /// Who was signed in before still is.
    #[wasm_bindgen(method)]
    pub(crate) fn show(this: &Hands, is_signing_in: bool, code: &str);

    /// Makes an authorization request ready, and hands it to the core.
    #[wasm_bindgen(method)]
    pub(crate) fn prepare(this: &Hands);

    /// Does what the table says: the bits of [`crate::life::action`].
    #[wasm_bindgen(method)]
    pub(crate) fn act(this: &Hands, actions: u32, code: &str);

    /// Takes a token that came in the fragment.
    #[wasm_bindgen(method, js_name = takeToken)]
    pub(crate) fn take_token(this: &Hands, state: &str, token: &str, expires_in: u32, handle: Option<&str>);

    /// Exchanges a code that came, with the verifier that never leaves this page.
    #[wasm_bindgen(method, js_name = takeCode)]
    pub(crate) fn take_code(
        this: &Hands,
        state: &str,
        code: &str,
        verifier: &str,
        redirect_uri: &str,
        handle: Option<&str>,
    );

    /// Takes the session that the page hands over, in the place of another one or where there is none.
    #[wasm_bindgen(method)]
    pub(crate) fn hand(this: &Hands, token: &str, expires_in: u32, replaces: bool);

    /// Revokes a token that came in a way it should not.
    #[wasm_bindgen(method)]
    pub(crate) fn discard(this: &Hands, token: &str);

    /// The page stands on this path.
    #[wasm_bindgen(method)]
    pub(crate) fn stand(this: &Hands, path: &str);

    /// The toolbar stands in this corner of the page.
    #[wasm_bindgen(method)]
    pub(crate) fn placed(this: &Hands, corner: &str);
}
