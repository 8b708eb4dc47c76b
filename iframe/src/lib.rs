//! The companion page on the platform's origin, framed by the customer's site.
//!
//! It offers the sign-in, takes the authorization response that the callback page brings, and hands the token to the
//! SDK over one port, or keeps it and calls the platform for the page. What it decides is here: who is heard in
//! [`handshake`], which responses count in [`sign_in`], what becomes of a session in [`life`]. What it does in the
//! browser besides is JavaScript, `main.js` and what that imports, since waiting and elements weigh a multiple in wasm.

mod hands;
pub mod handshake;
pub mod life;
pub mod message;
mod popup;
mod port;
pub mod sign_in;
mod text;

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use latchkey_protocol::{
    VERSION,
    error::ErrorCode,
    frame::{FromWindow, Hello, Prepared, Tokens},
    oauth::Outcome,
};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort, Window};

use crate::{
    hands::Hands,
    handshake::{Page, Parent, Sender, Verdict},
    life::{Event, Life, Said, action, flag},
    message::{Heard, ToFrame, read_from_window, read_to_frame},
    popup::{Over, Popup},
    port::Port,
    sign_in::{Accepted, Opener, Request, Requests, Way, authorize_url},
};

#[cfg(all(target_arch = "wasm32", not(debug_assertions)))]
#[global_allocator]
static ALLOCATOR: latchkey_allocator::Allocator = latchkey_allocator::Allocator::new();

/// The core behind the page, as `main.js` holds it.
#[wasm_bindgen]
pub struct Core(Rc<Frame>);

#[wasm_bindgen]
impl Core {
    /// What the server wrote into the document: see [`Page`]. The origins stand apart by spaces.
    #[wasm_bindgen(constructor)]
    pub fn new(hands: Hands, window: Window, client_id: String, issuer: String, origins: &str) -> Self {
        let page = Page { client_id, issuer, origins: origins.split(' ').map(str::to_owned).collect() };
        Self(Rc::new(Frame {
            hands,
            window,
            page,
            parent: RefCell::default(),
            port: RefCell::default(),
            requests: RefCell::default(),
            life: RefCell::default(),
            timer: RefCell::default(),
            owed: Cell::new(0),
            preparing: Cell::new(false),
            popup: RefCell::default(),
            answered: RefCell::default(),
            messages: RefCell::default(),
        }))
    }

    /// Begins, with the messages that came before it could.
    pub fn start(&self, early: Vec<MessageEvent>) {
        let me = self.0.clone();
        let messages = EventListener::new(&self.0.window, "message", move |event| {
            me.hear(event.unchecked_ref());
        });
        *self.0.messages.borrow_mut() = Some(messages);
        self.0.refill();
        for event in early {
            self.0.hear(&event);
        }
    }

    /// The own button was clicked. Nothing is awaited before the window opens.
    pub fn sign_in(&self) {
        self.0.sign_in();
    }

    /// Says something to the page; what is in the list is handed over and not copied.
    pub fn post(&self, message: &JsValue, handed_over: &JsValue) {
        self.0.post(message, handed_over);
    }

    /// A request is ready: `state`, `nonce`, the PKCE challenge, and its verifier.
    pub fn prepared(&self, state: String, nonce: String, code_challenge: String, verifier: String) {
        let prepared = Prepared { state, nonce, code_challenge };
        self.0.preparing.set(false);
        self.0.requests.borrow_mut().add(Request { prepared, verifier });
        self.0.offer();
    }

    /// No request could be made ready.
    pub fn unprepared(&self) {
        self.0.preparing.set(false);
        self.0.fail(None, ErrorCode::ServerError, None);
    }

    /// Something happened to the session, by the number of its [`Event`], with what is [`Said`] besides.
    pub fn step(&self, event: u32, flags: u32, expires_at: f64, turn: u32, code: &str) {
        if let Some(event) = Event::ALL.get(event as usize) {
            self.0.step(*event, Said { flags, expires_at, turn, code: parse(code) });
        }
    }

    /// The turn that it is: see [`Life::turn`].
    pub fn turn(&self) -> u32 {
        self.0.life.borrow().turn()
    }

    /// The attempt to sign in that it is: see [`Life::attempt`].
    pub fn attempt(&self) -> u32 {
        self.0.life.borrow().attempt()
    }

    /// Whether the cookie may bring another token.
    pub fn tries_cookie(&self) -> bool {
        self.0.life.borrow().tries_cookie()
    }
}

/// A code, where one is said. One that nobody knows is the platform's own failure.
fn parse(code: &str) -> Option<ErrorCode> {
    (!code.is_empty()).then(|| ErrorCode::parse(code).unwrap_or(ErrorCode::ServerError))
}

/// The page at work. No cell is borrowed while the browser is called.
struct Frame {
    hands: Hands,
    window: Window,
    page: Page,
    parent: RefCell<Option<Parent>>,
    port: RefCell<Option<Port>>,
    requests: RefCell<Requests>,
    life: RefCell<Life>,
    timer: RefCell<Option<Timeout>>,
    /// How many requests the page that frames this one is still to get.
    owed: Cell<u32>,
    preparing: Cell<bool>,
    popup: RefCell<Option<Popup>>,
    /// The `state` of the request whose response came last.
    answered: RefCell<String>,
    messages: RefCell<Option<EventListener>>,
}

/// Why a page that never sees a token cannot bring one.
const NEEDS_CODE: &str = "With tokens: \"frame\" a redirect URI of the site needs responseType: \"code\".";

/// One request for the page's next click and one for this page's own button.
const STOCK: usize = 2;

impl Frame {
    /// Hears a window message: a hello, or a response.
    fn hear(self: &Rc<Self>, event: &MessageEvent) {
        match read_from_window(&self.hands.read_from_window(&event.data())) {
            Some(Heard::Hello(hello)) => self.greet(event, &hello),
            Some(Heard::Window(FromWindow::Response { version: VERSION, response })) => {
                self.receive(event, &response);
            }
            Some(Heard::Window(FromWindow::Alive { version: VERSION })) => self.hear_alive(event),
            Some(Heard::Window(_)) | None => {}
        }
    }

    /// Answers a hello. A later one of the same page takes the place of the first: pages start anew.
    fn greet(self: &Rc<Self>, event: &MessageEvent, hello: &Hello) {
        let (Some(source), Ok(Some(parent))) = (event.source(), self.window.parent()) else { return };
        let Ok(port) = event.ports().get(0).dyn_into::<MessagePort>() else { return };
        // A page that frames nothing is its own parent.
        let is_parent = source == *parent.as_ref() && parent != self.window;
        let sender = Sender { is_parent, origin: &event.origin() };
        let verdict = self.page.judge(sender, hello, self.parent.borrow().as_ref());
        match verdict {
            Verdict::Ignore => {}
            Verdict::OtherVersion => {
                let _ = port.post_message(&self.welcome(&self.hands.keeps_cookies().into()));
            }
            Verdict::Accept(parent) => {
                let keeps = parent.tokens == Tokens::Frame;
                let origin = parent.origin.clone();
                *self.parent.borrow_mut() = Some(parent);
                let me = self.clone();
                *self.port.borrow_mut() = Some(Port::new(port, move |data| me.obey(&data)));
                self.post(&self.welcome(&JsValue::UNDEFINED), &JsValue::UNDEFINED);
                self.owed.set(1);
                let flags = self.hands.greet(&origin, keeps) | if keeps { flag::KEEPS } else { 0 };
                self.step(Event::Greeted, Said { flags, ..Said::default() });
            }
        }
    }

    fn welcome(&self, cookies: &JsValue) -> JsValue {
        self.write("welcome", &VERSION.into(), cookies, &JsValue::UNDEFINED)
    }

    /// Does what the SDK says. What is not a message of the protocol passes in silence.
    fn obey(self: &Rc<Self>, data: &JsValue) {
        let Some(message) = read_to_frame(&self.hands.read_to_frame(data)) else {
            return self.hands.call(data);
        };
        match message {
            ToFrame::Began { state } => {
                if self.requests.borrow_mut().begin(&state) {
                    self.hands.show(true, "");
                    self.owed.set(self.owed.get() + 1);
                    self.offer();
                }
            }
            // The page's window never opened, so the request is as good as before: only the person is told.
            ToFrame::Ended { state, code: code @ ErrorCode::PopupBlocked } => {
                if self.requests.borrow().is_waiting(&state) {
                    self.hands.show(false, code.as_str());
                }
            }
            ToFrame::Ended { state, code } => self.end(&state, code),
            ToFrame::SignedOut { expired } => {
                let flags = if expired { flag::EXPIRED } else { 0 };
                self.step(Event::SignedOut, Said { flags, ..Said::default() });
            }
            ToFrame::Page { path } => self.hands.stand(&path),
            ToFrame::Response { state, response, redirect_uri } => {
                self.receive_from_site(&state, &response, redirect_uri);
            }
            ToFrame::Placed { corner } => self.hands.placed(corner.as_str()),
            ToFrame::Adopt { access_token, expires_in, replaces } => {
                self.hands.hand(&access_token, expires_in, replaces);
            }
            ToFrame::Fetch { .. } | ToFrame::Pull { .. } | ToFrame::Cancel { .. } => {}
        }
    }

    fn sign_in(self: &Rc<Self>) {
        let Some(parent) = self.parent.borrow().clone() else { return };
        let Some(request) = self.requests.borrow_mut().take(Opener::Own) else { return };
        let (url, me) = (authorize_url(&self.page, &parent, &request), self.clone());
        let popup = Popup::open(&self.window, &url, request.state.clone(), move |over| me.give_up(over));
        if popup.is_some() {
            *self.popup.borrow_mut() = popup;
            self.hands.show(true, "");
            self.say("signing_in", &request.state);
        } else {
            self.requests.borrow_mut().give_up(&request.state);
            self.fail(None, ErrorCode::PopupBlocked, None);
        }
        self.refill();
    }

    /// The own window was closed, or took too long.
    fn give_up(&self, over: Over) {
        let Some(popup) = self.popup.borrow_mut().take() else { return };
        self.requests.borrow_mut().give_up(&popup.state);
        let _ = popup.window.close();
        self.fail(Some(&popup.state), over.code(), over.description());
    }

    /// The page wants nothing of a sign-in any more, however far it has come.
    fn end(self: &Rc<Self>, state: &str, code: ErrorCode) {
        let own = self.popup.borrow_mut().take_if(|popup| popup.state == state);
        if let Some(popup) = own {
            let _ = popup.window.close();
        }
        let was_out = self.requests.borrow_mut().give_up(state);
        let was_answered = *self.answered.borrow() == state;
        if was_out || was_answered {
            self.hands.show(false, if code == ErrorCode::Aborted { "" } else { code.as_str() });
        }
        if was_answered {
            self.step(Event::GivenUp, Said::default());
        }
    }

    /// Takes a response that the callback page brings.
    ///
    /// It comes from this page's own origin; from the callback page for whoever holds the token here, since another one's
    /// response was allowed to somebody else; and from the window that this page opened, if it opened one for it.
    fn receive(self: &Rc<Self>, event: &MessageEvent, response: &str) {
        let Some(source) = event.source() else { return };
        let Some(parent) = self.parent.borrow().clone() else { return };
        let callback = self.page.callback(parent.tokens);
        let window: &Window = source.unchecked_ref();
        if event.origin() != self.page.issuer || window.location().href().ok().as_ref() != Some(&callback) {
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
        self.say("answered", &accepted.state);
        let received =
            self.write("latchkey.received", &VERSION.into(), &JsValue::UNDEFINED, &JsValue::UNDEFINED);
        let _ = window.post_message(&received, &self.page.issuer);
        self.conclude(accepted, &callback);
    }

    /// Takes a response that came to a redirect URI of the site's own.
    fn receive_from_site(self: &Rc<Self>, state: &str, response: &str, redirect_uri: Option<String>) {
        let Some(parent) = self.parent.borrow().clone() else { return };
        let accepted = self.requests.borrow_mut().accept(response, Way::Site, &self.page, &parent);
        let Some(accepted) = accepted else { return self.fail(Some(state), ErrorCode::StateMismatch, None) };
        self.say("answered", &accepted.state);
        match accepted.outcome {
            // Where the frame keeps the token no page may have had it in its address.
            Outcome::Token { access_token, .. } if parent.tokens == Tokens::Frame => {
                self.hands.discard(&access_token);
                self.fail(Some(&accepted.state), ErrorCode::InvalidOptions, Some(NEEDS_CODE.into()));
            }
            _ => self.conclude(accepted, &redirect_uri.unwrap_or_default()),
        }
    }

    fn conclude(self: &Rc<Self>, accepted: Accepted, redirect_uri: &str) {
        let Accepted { state, outcome, verifier, handle } = accepted;
        if let Outcome::Error { error, error_description } = outcome {
            return self.fail(Some(&state), ErrorCode::from_oauth(&error), error_description);
        }
        self.answered.borrow_mut().clone_from(&state);
        self.step(Event::Taking, Said::default());
        match outcome {
            Outcome::Token { access_token, expires_in, .. } => {
                self.hands.take_token(&state, &access_token, expires_in, handle.as_deref());
            }
            Outcome::Code { code } => {
                self.hands.take_code(&state, &code, &verifier, redirect_uri, handle.as_deref());
            }
            Outcome::Error { .. } => {}
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

    /// A sign-in failed: the one with this `state`, or one that had no window yet.
    fn fail(&self, state: Option<&str>, code: ErrorCode, description: Option<String>) {
        self.hands.show(false, if code == ErrorCode::Aborted { "" } else { code.as_str() });
        let state = state.map_or(JsValue::NULL, JsValue::from_str);
        let description = description.as_deref().map_or(JsValue::NULL, JsValue::from_str);
        let failed = self.write("failed", &state, &code.as_str().into(), &description);
        self.post(&failed, &JsValue::UNDEFINED);
    }

    /// One step of the session's life.
    fn step(self: &Rc<Self>, event: Event, said: Said) {
        let now = js_sys::Date::now();
        let actions = self.life.borrow_mut().step(event, said, now);
        let does = |action| actions & action > 0;
        let code = said.code.map_or("", ErrorCode::as_str);
        if actions > 0 {
            self.hands.act(actions, code);
        }
        if does(action::SHOW_OUT) {
            self.hands.show(false, code);
        }
        if does(action::POST_ENDED) {
            let code = said.code.map_or(JsValue::NULL, |code| code.as_str().into());
            let ended = self.write("ended", &code, &JsValue::UNDEFINED, &JsValue::UNDEFINED);
            self.post(&ended, &JsValue::UNDEFINED);
        }
        if does(action::POST_FAILED) {
            let state = self.answered.take();
            // Nobody says why where the person, or another tab, signed out meanwhile.
            self.fail(Some(&state), said.code.unwrap_or(ErrorCode::Aborted), None);
        }
        self.wake(now);
        // The page takes the first one as a sign that it is known whether a session is back.
        if does(action::OFFER) {
            self.offer();
        }
    }

    fn wake(self: &Rc<Self>, now: f64) {
        let (wait, me) = (self.life.borrow().wake_after(now), self.clone());
        // A longer wait than a timer can count is cut: whoever is woken looks at the time again.
        let wait = wait.is_finite().then(|| wait.clamp(0.0, f64::from(i32::MAX)) as u32);
        let timer = wait.map(|wait| Timeout::new(wait, move || me.step(Event::Tick, Said::default())));
        *self.timer.borrow_mut() = timer;
    }

    /// Hands out what is owed, and keeps one request for the own button.
    fn offer(&self) {
        while !self.life.borrow().is_resuming()
            && self.owed.get() > 0
            && self.requests.borrow().ready() >= STOCK
        {
            let Some(request) = self.requests.borrow_mut().take(Opener::Page) else { break };
            self.owed.set(self.owed.get() - 1);
            let Prepared { state, nonce, code_challenge } = request;
            let prepared = self.write("prepared", &state.into(), &nonce.into(), &code_challenge.into());
            self.post(&prepared, &JsValue::UNDEFINED);
        }
        self.refill();
    }

    /// Fills the stock up.
    fn refill(&self) {
        if self.requests.borrow().ready() < STOCK && !self.preparing.replace(true) {
            self.hands.prepare();
        }
    }

    fn write(&self, kind: &str, first: &JsValue, second: &JsValue, third: &JsValue) -> JsValue {
        self.hands.write(kind, first, second, third)
    }

    fn say(&self, kind: &str, state: &str) {
        let message = self.write(kind, &state.into(), &JsValue::UNDEFINED, &JsValue::UNDEFINED);
        self.post(&message, &JsValue::UNDEFINED);
    }

    fn post(&self, message: &JsValue, handed_over: &JsValue) {
        if let Some(port) = &*self.port.borrow() {
            port.post(message, handed_over);
        }
    }
}
