//! The frames of one application on one site, in all tabs of a browser: they share one session, so that one of them
//! renews its token and the others take it over.

use std::rc::Rc;

use gloo_events::EventListener;
use js_sys::{Array, Function, Promise};
use latchkey_protocol::{error::ErrorCode, frame::Session};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{BroadcastChannel, MessageEvent};

use crate::{
    handshake::{Page, Parent},
    message::{read_session, write_session},
    text::join,
    value::{Draft, Fields},
};

#[wasm_bindgen]
extern "C" {
    /// `navigator.locks`, where the browser has it.
    type Locks;

    #[wasm_bindgen(thread_local_v2, js_namespace = navigator, js_name = locks)]
    static LOCKS: JsValue;

    #[wasm_bindgen(method, catch)]
    fn request(this: &Locks, name: &str, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// What one frame tells the others.
pub(crate) enum Told {
    /// Somebody signed in, or the sign-in goes on with another token.
    Renewed {
        /// The token.
        access_token: String,
        /// Whose it is.
        session: Box<Session>,
    },
    /// The session is over, and why, where nobody signed out.
    Ended(Option<ErrorCode>),
}

impl Told {
    fn read(data: &JsValue) -> Option<Self> {
        let fields = Fields::of(data)?;
        match fields.text("type")?.as_str() {
            "renewed" => Some(Self::Renewed {
                access_token: fields.text("access_token")?,
                session: Box::new(read_session(&fields.get("session"), None)?),
            }),
            "ended" => Some(Self::Ended(fields.text("code").and_then(|code| ErrorCode::parse(&code)))),
            _ => None,
        }
    }

    fn write(&self) -> JsValue {
        match self {
            Self::Renewed { access_token, session } => Draft::of("renewed")
                .text("access_token", access_token)
                .with("session", &write_session(session)),
            Self::Ended(code) => Draft::of("ended").nullable("code", code.map(ErrorCode::as_str)),
        }
        .done()
    }
}

/// The way to the others. Dropping it closes it.
pub(crate) struct Tabs {
    name: String,
    /// `None` where the browser has none for this frame.
    channel: Option<BroadcastChannel>,
    _listener: Option<EventListener>,
}

impl Tabs {
    /// Listens to the others. Only pages of the platform's own origin can say anything there.
    pub(crate) fn open(page: &Page, parent: &Parent, heard: impl Fn(Told) + 'static) -> Rc<Self> {
        let name = join(&["latchkey ", &page.client_id, " ", &parent.origin]);
        let channel = BroadcastChannel::new(&name).ok();
        let listener = channel.as_ref().map(|channel| {
            EventListener::new(channel, "message", move |event| {
                if let Some(told) = Told::read(&event.unchecked_ref::<MessageEvent>().data()) {
                    heard(told);
                }
            })
        });
        Rc::new(Self { name, channel, _listener: listener })
    }

    /// Tells the others.
    pub(crate) fn tell(&self, told: &Told) {
        if let Some(channel) = &self.channel {
            let _ = channel.post_message(&told.write());
        }
    }

    /// Waits until no other frame is asking, for as long as what is returned lives. Without locks each asks for itself.
    pub(crate) async fn alone(&self) -> Option<Alone> {
        let locks = LOCKS.with(JsValue::clone);
        if !locks.is_object() {
            return None;
        }
        let ((granted, grant), (released, release)) = (deferred(), deferred());
        let hold = Closure::once_into_js(move || {
            call(&grant);
            released
        });
        let requested = locks.unchecked_ref::<Locks>().request(&self.name, &hold).ok()?;
        // The request ends with the lock, or at once where the browser refuses it.
        JsFuture::from(Promise::race(&Array::of2(&granted, &requested))).await.ok()?;
        Some(Alone(release))
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        if let Some(channel) = &self.channel {
            channel.close();
        }
    }
}

/// No other frame asks. Dropping it lets the next one.
pub(crate) struct Alone(Function);

impl Drop for Alone {
    fn drop(&mut self) {
        call(&self.0);
    }
}

fn call(function: &Function) {
    let _ = function.call0(&JsValue::UNDEFINED);
}

/// A promise, and what fulfils it.
fn deferred() -> (Promise, Function) {
    let mut fulfil = Function::from(JsValue::UNDEFINED);
    let promise = Promise::new(&mut |yes, _| fulfil = yes);
    (promise, fulfil)
}
