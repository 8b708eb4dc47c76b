//! The port between this page and the SDK: this end of it.

use gloo_events::EventListener;
use js_sys::Array;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

use crate::message::{FromFrame, ToFrame, read_to_frame, write_from_frame};

/// A port that is listened to. Dropping it closes the channel.
pub(crate) struct Port {
    port: MessagePort,
    _listener: EventListener,
}

impl Port {
    /// Listens. What is not a message of the protocol passes in silence.
    pub(crate) fn new(port: MessagePort, heard: impl Fn(ToFrame) + 'static) -> Self {
        let listener = EventListener::new(&port, "message", move |event| {
            if let Some(message) = read_to_frame(&event.unchecked_ref::<MessageEvent>().data()) {
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
    let written = write_from_frame(message);
    // Bytes are handed over and not copied.
    let _ = match message {
        FromFrame::Chunk { data, .. } => {
            port.post_message_with_transferable(&written, &Array::of1(&data.buffer()))
        }
        _ => port.post_message(&written),
    };
}
