//! Owned handles around what the browser calls back: dropping one cancels it.
//!
//! The ideas are gloo's. Its crates would bring the standard library into the page, which costs more than these lines.

use alloc::boxed::Box;

use wasm_bindgen::prelude::*;
use web_sys::{EventTarget, Window};

/// The one shape of function that the browser is given: it takes what comes, and may be called while it runs.
pub(crate) type Callback = Closure<dyn Fn(JsValue)>;

/// A function for the browser to call.
pub(crate) fn callback(call: impl Fn(JsValue) + 'static) -> Callback {
    Closure::wrap(Box::new(call) as Box<dyn Fn(JsValue)>)
}

/// An event listener.
pub(crate) struct Listener {
    target: EventTarget,
    name: &'static str,
    call: Callback,
}

impl Listener {
    pub(crate) fn new(target: &EventTarget, name: &'static str, call: impl Fn(JsValue) + 'static) -> Self {
        let listener = Self { target: target.clone(), name, call: callback(call) };
        let _ = target.add_event_listener_with_callback(name, listener.call.as_ref().unchecked_ref());
        listener
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ =
            self.target.remove_event_listener_with_callback(self.name, self.call.as_ref().unchecked_ref());
    }
}

/// A timer that goes off once.
pub(crate) struct Timer {
    window: Window,
    id: i32,
    _call: Callback,
}

impl Timer {
    pub(crate) fn new(window: &Window, ms: f64, call: impl Fn(JsValue) + 'static) -> Self {
        let call = callback(call);
        // A longer wait than the browser can count is cut: whoever is woken looks at the time again.
        let ms = ms.clamp(0.0, crate::options::MAX_TIMEOUT_MS) as i32;
        let id = window
            .set_timeout_with_callback_and_timeout_and_arguments_0(call.as_ref().unchecked_ref(), ms)
            .unwrap_or_default();
        Self { window: window.clone(), id, _call: call }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.window.clear_timeout_with_handle(self.id);
    }
}
