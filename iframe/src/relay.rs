//! The calls that this frame makes for a page which never sees the token: each by the rules of [`crate::call`], and its
//! answer in pieces, one for each time the page asks.

use std::{cell::RefCell, rc::Rc};

use js_sys::{Array, Promise, Uint8Array};
use latchkey_protocol::{error::ErrorCode, frame::Headers as Pairs};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Blob, Headers, Request, RequestCredentials, RequestInit, Response, Window};

use crate::{
    call::{PREFIX, is_header, is_method, resolve, shown},
    message::{FromFrame, pair},
    task::spawn,
    text::join,
    value::{Fields, list},
};

#[wasm_bindgen]
extern "C" {
    /// A response, as far as its body goes.
    type Answer;

    #[wasm_bindgen(method, getter)]
    fn body(this: &Answer) -> Option<Body>;

    type Body;

    #[wasm_bindgen(method, js_name = getReader)]
    fn reader(this: &Body) -> Reader;

    #[derive(Clone)]
    type Reader;

    #[wasm_bindgen(method)]
    fn read(this: &Reader) -> Promise;
}

/// How many calls may be open at a time. The one that nobody reads for longest makes room.
const MOST_CALLS: usize = 64;
/// The most headers of an answer.
const MOST_HEADERS: u32 = 256;

/// What a page asks for.
pub(crate) struct Asked {
    pub(crate) id: u32,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Pairs,
    pub(crate) body: Option<Blob>,
}

/// With what it is asked for.
pub(crate) struct Account {
    pub(crate) access_token: String,
    pub(crate) organization: String,
}

/// A call under way. Dropping it aborts it.
struct Call {
    id: u32,
    abort: AbortController,
    /// There once the head of the answer is.
    reader: Option<Reader>,
    is_reading: bool,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// The calls under way.
pub(crate) struct Relay {
    window: Window,
    post: Box<dyn Fn(FromFrame)>,
    calls: RefCell<Vec<Call>>,
}

impl Relay {
    /// Tells the page through `post`.
    pub(crate) fn new(window: &Window, post: impl Fn(FromFrame) + 'static) -> Rc<Self> {
        Rc::new(Self { window: window.clone(), post: Box::new(post), calls: RefCell::default() })
    }

    /// Says that there is no answer.
    pub(crate) fn refuse(&self, id: u32, code: ErrorCode) {
        (self.post)(FromFrame::Broken { id, code });
    }

    /// Makes a call; `expired` is told if the platform does not take the token any more.
    pub(crate) fn fetch(self: &Rc<Self>, asked: Asked, account: &Account, expired: impl FnOnce() + 'static) {
        let id = asked.id;
        // An id is used once: whatever is said of it is said of the first.
        if self.calls.borrow().iter().any(|call| call.id == id) {
            return;
        }
        let Some(request) = request(&asked, account) else {
            return self.refuse(id, ErrorCode::InvalidOptions);
        };
        let Ok(abort) = AbortController::new() else { return self.refuse(id, ErrorCode::NetworkError) };
        let init = RequestInit::new();
        init.set_signal(Some(&abort.signal()));
        if !self.make_room() {
            return self.refuse(id, ErrorCode::InvalidOptions);
        }
        self.calls.borrow_mut().push(Call { id, abort, reader: None, is_reading: false });
        let me = self.clone();
        spawn(async move {
            let response = JsFuture::from(me.window.fetch_with_request_and_init(&request, &init)).await;
            match response.map(JsCast::unchecked_into::<Response>) {
                Ok(response) if is_of_the_api(&me.window, &response) => me.answer(id, &response, expired),
                Ok(_) | Err(_) => me.fail(id, ErrorCode::NetworkError),
            }
        });
    }

    /// Makes room for one more. Calls whose answer is being waited for are not given up.
    fn make_room(&self) -> bool {
        let idle = {
            let calls = self.calls.borrow();
            if calls.len() < MOST_CALLS {
                return true;
            }
            calls.iter().find(|call| call.reader.is_some() && !call.is_reading).map(|call| call.id)
        };
        idle.is_some_and(|id| {
            self.fail(id, ErrorCode::NetworkError);
            true
        })
    }

    fn answer(self: &Rc<Self>, id: u32, response: &Response, expired: impl FnOnce()) {
        let reader = response.unchecked_ref::<Answer>().body().map(|body| body.reader());
        {
            let mut calls = self.calls.borrow_mut();
            let Some(call) = calls.iter_mut().find(|call| call.id == id) else { return };
            call.reader.clone_from(&reader);
        }
        let headers = list(&Array::from(&response.headers()), MOST_HEADERS, pair).unwrap_or_default();
        let status = response.status();
        (self.post)(FromFrame::Head { id, status: status.into(), headers: shown(headers) });
        if reader.is_none() {
            self.forget(id);
            (self.post)(FromFrame::End { id });
        }
        if status == 401 {
            expired();
        }
    }

    /// Sends the next bytes.
    pub(crate) fn pull(self: &Rc<Self>, id: u32) {
        let reader = {
            let mut calls = self.calls.borrow_mut();
            let Some(call) = calls.iter_mut().find(|call| call.id == id && !call.is_reading) else { return };
            let Some(reader) = call.reader.clone() else { return };
            call.is_reading = true;
            reader
        };
        let me = self.clone();
        spawn(async move {
            let read = JsFuture::from(reader.read()).await;
            if !me.rest(id) {
                return;
            }
            let chunk = read.ok().as_ref().and_then(|read| {
                let fields = Fields::of(read)?;
                Some(if fields.get("done").is_truthy() { None } else { fields.get("value").dyn_into().ok() })
            });
            match chunk {
                Some(Some(data)) => (me.post)(FromFrame::Chunk { id, data: whole(data) }),
                Some(None) => {
                    me.forget(id);
                    (me.post)(FromFrame::End { id });
                }
                None => me.fail(id, ErrorCode::NetworkError),
            }
        });
    }

    /// The bytes came. False if the page cancelled meanwhile.
    fn rest(&self, id: u32) -> bool {
        let mut calls = self.calls.borrow_mut();
        calls.iter_mut().find(|call| call.id == id).map(|call| call.is_reading = false).is_some()
    }

    /// The page wants no more of it.
    pub(crate) fn cancel(&self, id: u32) {
        self.forget(id);
    }

    /// Whatever is under way is over.
    pub(crate) fn end(&self, code: ErrorCode) {
        let calls = self.calls.take();
        for call in calls {
            self.refuse(call.id, code);
        }
    }

    fn fail(&self, id: u32, code: ErrorCode) {
        if self.forget(id) {
            self.refuse(id, code);
        }
    }

    fn forget(&self, id: u32) -> bool {
        let found = {
            let mut calls = self.calls.borrow_mut();
            calls.iter().position(|call| call.id == id).map(|position| calls.remove(position))
        };
        found.is_some()
    }
}

/// The request, if it is one that a page may have made.
fn request(asked: &Asked, account: &Account) -> Option<Request> {
    let path = resolve(&asked.path, &account.organization)?;
    let has_body = asked.body.is_some();
    if !is_method(&asked.method) || (has_body && matches!(&*asked.method, "GET" | "HEAD")) {
        return None;
    }
    let headers = Headers::new().ok()?;
    for (name, value) in &asked.headers {
        if !is_header(name, value) {
            return None;
        }
        headers.append(name, value).ok()?;
    }
    headers.set("Authorization", &join(&["Bearer ", &account.access_token])).ok()?;
    let init = RequestInit::new();
    init.set_method(&asked.method);
    init.set_headers(&headers);
    init.set_credentials(RequestCredentials::Omit);
    if let Some(body) = &asked.body {
        init.set_body(body);
    }
    Request::new_with_str_and_init(&path, &init).ok()
}

/// Whether an answer comes from where the call went, wherever it was sent on to.
fn is_of_the_api(window: &Window, response: &Response) -> bool {
    let origin = window.location().origin().unwrap_or_default();
    let address = response.url();
    address.strip_prefix(&*origin).is_some_and(|path| path.starts_with(PREFIX))
}

/// Bytes that can be handed over: those that lie alone in their buffer.
fn whole(data: Uint8Array) -> Uint8Array {
    if data.byte_length() == data.buffer().byte_length() { data } else { data.slice(0, data.length()) }
}
