//! The port between this page and the SDK: this end of it.

use gloo_events::EventListener;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

/// A port that is listened to. Dropping it closes the channel.
pub(crate) struct Port {
    port: MessagePort,
    _listener: EventListener,
}

impl Port {
    /// Listens.
    pub(crate) fn new(port: MessagePort, heard: impl Fn(JsValue) + 'static) -> Self {
        let listener = EventListener::new(&port, "message", move |event| {
            heard(event.unchecked_ref::<MessageEvent>().data());
        });
        port.start();
        Self { port, _listener: listener }
    }

    /// Says something to the SDK; what is in the list is handed over and not copied.
    pub(crate) fn post(&self, message: &JsValue, handed_over: &JsValue) {
        let _ = self.port.post_message_with_transferable(message, handed_over);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.port.close();
    }
}
