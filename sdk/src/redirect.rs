//! Signing in by leaving the page and coming back.

use alloc::{rc::Rc, string::String};

use latchkey_protocol::{error::ErrorCode, frame::Prepared};
use web_sys::{Storage, Window};

use crate::{api, client::Client, events::Listener, session::Event, value::get};

/// Where the pending request is kept, under one key for each application: `index.js` reads it too.
fn key(client_id: &str) -> String {
    let mut key = String::from("latchkey.");
    key.push_str(client_id);
    key
}

/// Storage of this tab alone, so that two tabs keep apart. A browser may refuse it.
fn storage(window: &Window) -> Option<Storage> {
    window.session_storage().ok().flatten()
}

/// Keeps the request's `state`, with the platform it is for, and goes there.
pub(crate) fn leave(client: &Rc<Client>, request: &Prepared, url: &str) {
    let mut pending = client.options.platform.clone();
    pending.push(' ');
    pending.push_str(&request.state);
    let kept = storage(&client.window)
        .is_some_and(|storage| storage.set_item(&key(&client.options.client_id), &pending).is_ok());
    if !kept {
        return client.dispatch(Event::Failed(ErrorCode::StorageUnavailable.into()));
    }
    client.dispatch(Event::Opened(true));
    let _ = client.window.location().assign(url);
}

/// Takes up the response that `index.js` found in the address bar.
pub(crate) fn resume(client: &Rc<Client>, response: &str) {
    client.dispatch(Event::Returned);
    let pending = take_pending(client);
    let state = pending
        .as_deref()
        .and_then(|pending| pending.strip_prefix(&*client.options.platform))
        .and_then(|rest| rest.strip_prefix(' '));
    match state.and_then(|state| client.options.accept(response, state, false)) {
        Some(Ok(token)) => api::sign_in(client, token),
        Some(Err(failure)) => client.dispatch(Event::Failed(failure)),
        None => client.dispatch(Event::Failed(ErrorCode::StateMismatch.into())),
    }
}

/// What the tab waits for; used up by being read.
fn take_pending(client: &Client) -> Option<String> {
    let (storage, key) = (storage(&client.window)?, key(&client.options.client_id));
    let pending = storage.get_item(&key).ok().flatten();
    let _ = storage.remove_item(&key);
    pending
}

/// A page that the person came back to by the *Back* button continues where it was: nothing is under way any more.
pub(crate) fn listen(client: &Rc<Client>) -> Listener {
    let me = client.clone();
    Listener::new(&client.window, "pageshow", move |event| {
        if get(&event, "persisted").is_truthy() {
            me.dispatch(Event::Abort);
        }
    })
}
