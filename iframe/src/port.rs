//! The port between this page and the SDK: this end of it.

use gloo_events::EventListener;
use js_sys::Array;
use latchkey_protocol::frame::{FromFrame, ToFrame};
use serde::{Serialize, de::DeserializeOwned};
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

/// A port that is listened to. Dropping it closes the channel.
pub(crate) struct Port {
    port: MessagePort,
    _listener: EventListener,
}

impl Port {
    /// Listens. What is not a message of the protocol passes in silence.
    pub(crate) fn new(port: MessagePort, heard: impl Fn(ToFrame) + 'static) -> Self {
        let listener = EventListener::new(&port, "message", move |event| {
            if let Some(message) = decode(&event.unchecked_ref::<MessageEvent>().data()) {
                heard(message);
            }
        });
        port.start();
        Self { port, _listener: listener }
    }

    /// Says something to the SDK.
    pub(crate) fn post(&self, message: &FromFrame) {
        post(&self.port, message);
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.port.close();
    }
}

/// Says something on a port that is not listened to.
pub(crate) fn post(port: &MessagePort, message: &FromFrame) {
    if let Some(message) = encode(message) {
        let _ = port.post_message(&message);
    }
}

/// Reads a message; `None` for anything that is not one.
pub fn decode<T: DeserializeOwned>(data: &JsValue) -> Option<T> {
    // serde would take an array for an object whose names were left out.
    if !data.is_object() || Array::is_array(data) {
        return None;
    }
    serde_wasm_bindgen::from_value(data.clone()).ok()
}

/// Writes a message as plain JavaScript objects.
pub fn encode(message: &impl Serialize) -> Option<JsValue> {
    message.serialize(&Serializer::json_compatible()).ok()
}
