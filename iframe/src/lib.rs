//! The companion page on the platform's origin, framed by the customer's site.
//!
//! It offers the sign-in, takes the authorization response that the callback page brings, and hands the token to the
//! SDK over one port, or keeps it and calls the platform for the page. The rules stand in [`handshake`], [`sign_in`] and
//! [`call`]; this file joins them to the browser, and `session` says what becomes of who signed in.

mod api;
pub mod call;
pub mod handshake;
mod issues;
mod kept;
pub mod message;
mod panel;
mod popup;
mod port;
mod prepare;
mod relay;
mod session;
pub mod sign_in;
mod stand;
mod tabs;
mod task;
mod text;
mod token;
pub mod value;
mod view;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_events::EventListener;
use latchkey_protocol::{
    VERSION,
    error::ErrorCode,
    frame::{FromWindow, Hello, Received, Tokens},
    oauth::Outcome,
};
use wasm_bindgen::prelude::*;
use web_sys::{HtmlElement, MessageEvent, MessagePort, Window};

use crate::{
    handshake::{Page, Parent, Sender, Verdict},
    issues::Tracker,
    message::{FromFrame, ToFrame, read_from_window, read_hello, write_received},
    popup::{Over, Popup},
    port::Port,
    relay::{Account, Asked, Relay},
    session::Signed,
    sign_in::{Accepted, Opener, Requests, Way, authorize_url},
    stand::Stand,
    task::spawn,
    view::{Observer, Shown, View},
};

#[cfg(all(target_arch = "wasm32", not(debug_assertions)))]
#[global_allocator]
static ALLOCATOR: latchkey_allocator::Allocator = latchkey_allocator::Allocator::new();

/// Starts the page, with the messages that came before it could. Without its elements it does nothing.
#[wasm_bindgen]
pub fn start(early: Vec<MessageEvent>) {
    let Some(frame) = web_sys::window().and_then(Frame::new) else { return };
    frame.listen();
    frame.refill();
    for event in early {
        frame.hear(&event);
    }
}

/// The page at work. No cell is borrowed while the browser is called.
struct Frame {
    window: Window,
    page: Page,
    view: View,
    issues: Rc<Tracker>,
    stand: Rc<Stand>,
    parent: RefCell<Option<Parent>>,
    port: RefCell<Option<Port>>,
    requests: RefCell<Requests>,
    /// How many requests the page that frames this one is still to get.
    owed: Cell<u32>,
    refilling: Cell<bool>,
    popup: RefCell<Option<Popup>>,
    relay: RefCell<Option<Rc<Relay>>>,
    signed: Signed,
    handles: RefCell<Option<Handles>>,
}

/// What is held as long as the page lives.
struct Handles {
    _buttons: [EventListener; 2],
    _messages: EventListener,
    _size: Option<Observer>,
    _visible: Option<EventListener>,
}

/// Why a page that never sees a token cannot bring one.
const NEEDS_CODE: &str = "With tokens: \"frame\" a redirect URI of the site needs responseType: \"code\".";

/// One request for the page's next click and one for this page's own button.
const STOCK: usize = 2;

impl Frame {
    fn new(window: Window) -> Option<Rc<Self>> {
        let document = window.document()?;
        let root: HtmlElement = document.document_element()?.dyn_into().ok()?;
        let data = root.dataset();
        let page = Page {
            client_id: data.get("clientId")?,
            issuer: data.get("issuer")?,
            origins: data.get("origins")?.split(' ').map(str::to_owned).collect(),
        };
        let view = View::find(&document)?;
        let issues = Tracker::find(&window, &document)?;
        let stand = Stand::find(&window, &document)?;
        Some(Rc::new(Self {
            window,
            page,
            view,
            issues,
            stand,
            parent: RefCell::default(),
            port: RefCell::default(),
            requests: RefCell::default(),
            owed: Cell::new(0),
            refilling: Cell::new(false),
            popup: RefCell::default(),
            relay: RefCell::default(),
            signed: Signed::default(),
            handles: RefCell::default(),
        }))
    }

    fn listen(self: &Rc<Self>) {
        let (sign_in, sign_out, messages, size) = (self.clone(), self.clone(), self.clone(), self.clone());
        let handles = Handles {
            _buttons: self.view.listen(
                move || sign_in.sign_in(),
                move || {
                    sign_out.view.show(Shown::SigningOut);
                    sign_out.signed.leave();
                    sign_out.post(&FromFrame::SignOut);
                },
            ),
            _messages: EventListener::new(&self.window, "message", move |event| {
                messages.hear(event.unchecked_ref());
            }),
            _size: self.view.observe(move || size.resize()),
            _visible: self.listen_to_waking(),
        };
        *self.handles.borrow_mut() = Some(handles);
        let moves = self.clone();
        self.stand.listen(move |message| moves.post(&message));
    }

    /// Hears a window message: a hello, or a response.
    fn hear(self: &Rc<Self>, event: &MessageEvent) {
        let data = event.data();
        if let Some(hello) = read_hello(&data) {
            self.greet(event, &hello);
        } else {
            match read_from_window(&data) {
                Some(FromWindow::Response { version: VERSION, response }) => self.receive(event, &response),
                Some(FromWindow::Alive { version: VERSION }) => self.hear_alive(event),
                Some(_) | None => {}
            }
        }
    }

    /// Answers a hello. A later one of the same page takes the place of the first: pages start anew.
    fn greet(self: &Rc<Self>, event: &MessageEvent, hello: &Hello) {
        let (Some(source), Ok(Some(parent))) = (event.source(), self.window.parent()) else { return };
        let Ok(port) = event.ports().get(0).dyn_into::<MessagePort>() else { return };
        // A page that frames nothing is its own parent.
        let is_parent = source == *parent.as_ref() && parent != self.window;
        match self.page.judge(Sender { is_parent, origin: &event.origin() }, hello) {
            Verdict::Ignore => {}
            Verdict::OtherVersion => port::post(&port, &FromFrame::Welcome { version: VERSION }),
            Verdict::Accept(parent) => {
                *self.parent.borrow_mut() = Some(parent.clone());
                let me = self.clone();
                *self.port.borrow_mut() = Some(Port::new(port, move |message| me.obey(message)));
                let me = Rc::downgrade(self);
                let post = move |message| me.upgrade().into_iter().for_each(|me| me.post(&message));
                *self.relay.borrow_mut() = Some(Relay::new(&self.window, post));
                self.post(&FromFrame::Welcome { version: VERSION });
                self.issues.sign_out();
                self.post(&self.stand.greeting());
                self.resize();
                self.owed.set(1);
                self.begin_session(&parent);
                self.offer();
            }
        }
    }

    /// Does what the SDK says.
    fn obey(self: &Rc<Self>, message: ToFrame) {
        match message {
            ToFrame::Began { state } => {
                if self.requests.borrow_mut().begin(&state) {
                    self.view.show(Shown::SigningIn);
                    self.owed.set(self.owed.get() + 1);
                    self.offer();
                }
            }
            // The page's window never opened, so the request is as good as before: only the person is told.
            ToFrame::Ended { state, code: code @ ErrorCode::PopupBlocked } => {
                if self.requests.borrow().is_waiting(&state) {
                    self.view.show(Shown::SignedOut(Some(code)));
                }
            }
            ToFrame::Ended { state, code } => {
                if self.requests.borrow_mut().give_up(&state) {
                    self.view.show(Shown::SignedOut((code != ErrorCode::Aborted).then_some(code)));
                }
            }
            ToFrame::SignedOut => self.sign_out(),
            ToFrame::Page { path } => self.issues.stand(path),
            ToFrame::Response { response, redirect_uri } => self.receive_from_site(&response, redirect_uri),
            ToFrame::Fetch { id, method, path, headers, body } => {
                self.fetch(Asked { id, method, path, headers, body });
            }
            ToFrame::Pull { id } => self.with_relay(|relay| relay.pull(id)),
            ToFrame::Cancel { id } => self.with_relay(|relay| relay.cancel(id)),
            ToFrame::Placed { corner } => self.stand.placed(corner),
        }
    }

    /// The own button was clicked. Nothing is awaited before the window opens.
    fn sign_in(self: &Rc<Self>) {
        let Some(parent) = self.parent.borrow().clone() else { return };
        let Some(request) = self.requests.borrow_mut().take(Opener::Own) else { return };
        let (url, me) = (authorize_url(&self.page, &parent, &request), self.clone());
        let popup = Popup::open(&self.window, &url, request.state.clone(), move |over| me.give_up(over));
        if popup.is_some() {
            *self.popup.borrow_mut() = popup;
            self.view.show(Shown::SigningIn);
            self.post(&FromFrame::SigningIn);
        } else {
            self.requests.borrow_mut().give_up(&request.state);
            self.fail(ErrorCode::PopupBlocked, None);
        }
        self.refill();
    }

    /// The own window was closed, or took too long.
    fn give_up(&self, over: Over) {
        if let Some(popup) = self.popup.borrow_mut().take() {
            self.requests.borrow_mut().give_up(&popup.state);
            let _ = popup.window.close();
        }
        self.fail(over.code(), over.description());
    }

    /// Takes a response that the callback page brings.
    ///
    /// It comes from this page's own origin; and from the window that this page opened, if it opened one for it.
    fn receive(self: &Rc<Self>, event: &MessageEvent, response: &str) {
        let Some(source) = event.source() else { return };
        let Some(parent) = self.parent.borrow().clone() else { return };
        if event.origin() != self.page.issuer {
            return;
        }
        let is_own = self.popup.borrow().as_ref().is_some_and(|popup| popup.is(&source));
        let opener = if is_own { Opener::Own } else { Opener::Page };
        let way = Way::Callback(opener);
        let Some(accepted) = self.requests.borrow_mut().accept(response, way, &self.page, &parent) else {
            return;
        };
        if is_own {
            self.popup.borrow_mut().take();
        }
        self.post(&FromFrame::Answered);
        let received = write_received(Received { version: VERSION });
        let _ = source.unchecked_ref::<Window>().post_message(&received, &self.page.issuer);
        self.conclude(accepted, self.page.callback());
    }

    /// Takes a response that came to a redirect URI of the site's own.
    fn receive_from_site(self: &Rc<Self>, response: &str, redirect_uri: Option<String>) {
        let Some(parent) = self.parent.borrow().clone() else { return };
        let accepted = self.requests.borrow_mut().accept(response, Way::Site, &self.page, &parent);
        let Some(accepted) = accepted else { return self.fail(ErrorCode::StateMismatch, None) };
        self.post(&FromFrame::Answered);
        match accepted.outcome {
            // Where the frame keeps the token no page may have had it in its address.
            Outcome::Token { access_token, .. } if parent.tokens == Tokens::Frame => {
                self.discard(access_token);
                self.fail(ErrorCode::InvalidOptions, Some(NEEDS_CODE.into()));
            }
            _ => self.conclude(accepted, redirect_uri.unwrap_or_default()),
        }
    }

    fn conclude(self: &Rc<Self>, accepted: Accepted, redirect_uri: String) {
        let Accepted { outcome, verifier, handle } = accepted;
        match outcome {
            Outcome::Token { access_token, expires_in, .. } => {
                self.take_token(access_token, expires_in, handle);
            }
            Outcome::Code { code } => self.take_code(code, verifier, redirect_uri, handle),
            Outcome::Error { error, error_description } => {
                self.fail(ErrorCode::from_oauth(&error), error_description);
            }
        }
    }

    /// The own window says that it is there.
    fn hear_alive(&self, event: &MessageEvent) {
        let Some(source) = event.source() else { return };
        if event.origin() == self.page.issuer
            && let Some(popup) = self.popup.borrow().as_ref().filter(|popup| popup.is(&source))
        {
            popup.hear_alive();
        }
    }

    /// Calls the platform for the page.
    fn fetch(self: &Rc<Self>, asked: Asked) {
        let keeps = self.parent.borrow().as_ref().is_some_and(|parent| parent.tokens == Tokens::Frame);
        let account = self.signed.account();
        self.with_relay(|relay| match account {
            _ if !keeps => relay.refuse(asked.id, ErrorCode::InvalidOptions),
            None => relay.refuse(asked.id, ErrorCode::LoginRequired),
            Some((access_token, organization)) => {
                let (me, used) = (self.clone(), access_token.clone());
                let account = Account { access_token, organization };
                relay.fetch(asked, &account, move || me.expire(&used));
            }
        });
    }

    fn with_relay(&self, does: impl FnOnce(&Rc<Relay>)) {
        let relay = self.relay.borrow().clone();
        if let Some(relay) = relay {
            does(&relay);
        }
    }

    fn fail(&self, code: ErrorCode, description: Option<String>) {
        self.view.show(Shown::SignedOut(Some(code)));
        self.post(&FromFrame::Failed { code, description });
    }

    /// Hands out what is owed, and keeps one request for the own button.
    fn offer(self: &Rc<Self>) {
        // The page takes the first one as a sign that it is known whether a session is back.
        while !self.signed.is_resuming() && self.owed.get() > 0 && self.requests.borrow().ready() >= STOCK {
            let Some(prepared) = self.requests.borrow_mut().take(Opener::Page) else { break };
            self.owed.set(self.owed.get() - 1);
            self.post(&FromFrame::Prepared(prepared));
        }
        self.refill();
    }

    /// Fills the stock up.
    fn refill(self: &Rc<Self>) {
        if self.requests.borrow().ready() >= STOCK || self.refilling.replace(true) {
            return;
        }
        let me = self.clone();
        spawn(async move {
            let request = prepare::prepare(&me.window).await;
            me.refilling.set(false);
            match request {
                Ok(request) => {
                    me.requests.borrow_mut().add(request);
                    me.offer();
                }
                Err(_) => me.fail(ErrorCode::ServerError, None),
            }
        });
    }

    fn resize(&self) {
        let (width, height) = self.view.size();
        self.post(&FromFrame::Resize { width, height });
    }

    fn post(&self, message: &FromFrame) {
        if let Some(port) = &*self.port.borrow() {
            port.post(message);
        }
    }
}
