//! The sign-in window, and the response it sends where there is no frame.

use alloc::rc::Rc;

use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, Window};

use crate::{
    api,
    client::Client,
    events::Listener,
    message::{decode_response, received},
    session::Event,
};

const FEATURES: &str = "popup,width=480,height=720";

/// Opens the window. `None` where the browser does not.
pub(crate) fn open(window: &Window, url: &str) -> Option<Window> {
    window.open_with_url_and_target_and_features(url, "latchkey", FEATURES).ok().flatten()
}

/// Listens for the callback page.
pub(crate) fn listen(client: &Rc<Client>) -> Listener {
    let me = client.clone();
    Listener::new(&client.window, "message", move |event| {
        let _ = hear(&me, event.unchecked_ref());
    })
}

/// Takes a response that the platform's page, in the window that this client opened, sends for the request it was
/// opened with. Everything else on the page's message bus is none of our business and passes in silence.
fn hear(client: &Rc<Client>, event: &MessageEvent) -> Option<()> {
    let platform = &client.options.platform;
    if event.origin() != *platform {
        return None;
    }
    let popup = client.popup.take();
    client.popup.set(popup.clone());
    let popup = popup?;
    if event.source()? != *popup.as_ref() {
        return None;
    }
    let response = decode_response(&event.data())?;
    let accepted = client
        .look(|state| state.expected().and_then(|state| client.options.accept(&response, state, true)))?;
    // From here on the state is used up.
    client.dispatch(Event::Answered);
    let _ = popup.post_message(&received(), platform);
    match accepted {
        Ok(token) => api::sign_in(client, token),
        Err(failure) => client.dispatch(Event::Failed(failure)),
    }
    Some(())
}
