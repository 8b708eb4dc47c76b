//! The client: does in the browser what the table in [`crate::session`] decides.

use alloc::{rc::Rc, string::String, vec::Vec};
use core::cell::Cell;

use latchkey_protocol::{error::ErrorCode, frame::FromFrame};
use wasm_bindgen::JsValue;
use web_sys::{Element, EventTarget, Window};

use crate::{
    api,
    authorize::{Ask, RANDOM, prepare},
    error::Failure,
    events::{Listener, Timer},
    frame::Frame,
    host::{Host, Settler},
    options::{Mode, Options},
    popup, redirect,
    session::{Action, Event, Held, State, step},
};

/// One client. What changes lies in cells and is taken out while it is looked at: the page's own code can run in the
/// middle of anything we call, and call us again.
pub(crate) struct Client {
    pub(crate) host: Host,
    pub(crate) window: Window,
    pub(crate) options: Options,
    /// The window of the sign-in under way.
    pub(crate) popup: Cell<Option<Window>>,
    state: Cell<State>,
    /// `client.session`, as it was described last.
    session: Cell<JsValue>,
    frame: Cell<Option<Frame>>,
    listener: Cell<Option<Listener>>,
    timer: Cell<Option<Timer>>,
    ask: Cell<Ask>,
    response: Cell<Option<String>>,
    init: Cell<Option<Settler>>,
    signing_in: Cell<Vec<Settler>>,
    signals: Cell<Vec<Listener>>,
    signing_out: Cell<Vec<Settler>>,
}

impl Client {
    /// Begins to load; `init` is settled when that is over.
    pub(crate) fn start(
        (host, window): (Host, Window),
        options: Options,
        container: Option<&Element>,
        response: Option<String>,
        init: Settler,
    ) -> Rc<Self> {
        let framed = options.mode == Mode::Frame;
        let deadline = js_sys::Date::now() + options.timeout_ms;
        let client = Rc::new(Self {
            host,
            window,
            options,
            popup: Cell::default(),
            state: Cell::new(State::loading(framed, deadline)),
            session: Cell::new(JsValue::NULL),
            frame: Cell::default(),
            listener: Cell::default(),
            timer: Cell::default(),
            ask: Cell::default(),
            response: Cell::new(response),
            init: Cell::new(Some(init)),
            signing_in: Cell::default(),
            signals: Cell::default(),
            signing_out: Cell::default(),
        });
        api::status(&client);
        match client.options.mode {
            Mode::Frame => client.frame.set(Frame::mount(&client, container)),
            Mode::Popup => client.listener.set(Some(popup::listen(&client))),
            Mode::Redirect => client.listener.set(Some(redirect::listen(&client))),
        }
        client.prepare();
        client
    }

    /// Tells the table what happened and does what it answers.
    pub(crate) fn dispatch(self: &Rc<Self>, event: Event) {
        let now = js_sys::Date::now();
        let (state, actions) = step(self.state.take(), event, now);
        let wake_after = state.wake_after(now);
        self.state.set(state);
        self.timer.set(wake_after.map(|ms| {
            let me = self.clone();
            Timer::new(&self.window, ms, move |_| me.tick())
        }));
        for action in actions {
            self.perform(action);
        }
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        let state = self.state.take();
        let seen = look(&state);
        self.state.set(state);
        seen
    }

    /// Hears a message of the frame.
    pub(crate) fn heard(self: &Rc<Self>, message: FromFrame) {
        self.dispatch(match message {
            FromFrame::Welcome { version } => Event::Welcome { version },
            FromFrame::Prepared(request) => Event::Prepared(request),
            FromFrame::SigningIn {} => Event::SigningIn,
            FromFrame::Answered {} => Event::Answered,
            FromFrame::SignedIn { access_token, session } => {
                Event::SignedIn(Held { token: access_token, session })
            }
            FromFrame::Failed { code, description } => {
                Event::Failed(Failure { code, message: description.unwrap_or_default() })
            }
            FromFrame::SignOut {} => Event::SignOut,
            FromFrame::Resize { width, height } => {
                return self.with_frame(|frame| frame.resize(width, height));
            }
        });
    }

    /// `client.login`.
    pub(crate) fn login(
        self: &Rc<Self>,
        ask: Ask,
        limit: f64,
        signal: Option<&EventTarget>,
        settler: Settler,
    ) {
        push(&self.signing_in, settler);
        if let Some(signal) = signal {
            let me = self.clone();
            push(&self.signals, Listener::new(signal, "abort", move |_| me.dispatch(Event::Abort)));
        }
        self.ask.set(ask);
        self.dispatch(Event::Login { limit });
    }

    /// `client.handleRedirect`.
    pub(crate) fn resume(self: &Rc<Self>, settler: Settler) {
        match self.response.take() {
            Some(response) => {
                push(&self.signing_in, settler);
                redirect::resume(self, &response);
            }
            None => settler.resolve(&JsValue::NULL),
        }
    }

    /// `client.logout`.
    pub(crate) fn logout(self: &Rc<Self>, settler: Settler) {
        if self.look(|state| state.session().is_some()) {
            push(&self.signing_out, settler);
            self.dispatch(Event::SignOut);
        } else {
            settler.resolve(&JsValue::UNDEFINED);
        }
    }

    /// The platform answered a revocation, or did not.
    pub(crate) fn left(&self, outcome: Result<(), Failure>) {
        for settler in self.signing_out.take() {
            match &outcome {
                Ok(()) => settler.resolve(&JsValue::UNDEFINED),
                Err(failure) => settler.reject(&self.host, failure),
            }
        }
    }

    /// `client.destroy`.
    pub(crate) fn destroy(self: &Rc<Self>) {
        self.dispatch(Event::Destroy);
        self.clear();
    }

    fn clear(&self) {
        self.frame.take();
        self.listener.take();
    }

    fn tick(self: &Rc<Self>) {
        let popup = self.popup.take();
        let closed = match &popup {
            Some(popup) => popup.closed().unwrap_or(true),
            // The frame's own window is not ours to watch.
            None => false,
        };
        self.popup.set(popup);
        self.dispatch(Event::Tick { closed });
    }

    fn perform(self: &Rc<Self>, action: Action) {
        match action {
            Action::Start => {
                if let Some(init) = self.init.take() {
                    init.resolve(&JsValue::UNDEFINED);
                }
            }
            Action::Stop(failure) => {
                self.clear();
                if let Some(init) = self.init.take() {
                    init.reject(&self.host, &failure);
                }
            }
            Action::Open(request) => {
                let url = self.options.authorize_url(&request, &self.ask.take());
                if self.options.mode == Mode::Redirect {
                    redirect::leave(self, &request, &url);
                } else {
                    let popup = popup::open(&self.window, &url);
                    let opened = popup.is_some();
                    self.popup.set(popup);
                    self.dispatch(Event::Opened(opened));
                }
                self.prepare();
            }
            Action::Focus => {
                if let Some(popup) = self.popup.take() {
                    let _ = popup.focus();
                    self.popup.set(Some(popup));
                }
            }
            Action::Close => {
                if let Some(popup) = self.popup.take() {
                    let _ = popup.close();
                }
            }
            Action::Post(message) => self.with_frame(|frame| frame.post(&message)),
            Action::Settle(outcome) => self.settle(&outcome),
            Action::Report(failure) => self.host.report(&self.host.failure(&failure)),
            Action::Revoke(token) => api::revoke(self, &token),
            Action::Changed => {
                let (name, session) = self.look(|state| {
                    let session = state.session().map(|held| self.host.describe(&held.session));
                    (state.name(), session.unwrap_or(JsValue::NULL))
                });
                self.session.set(session.clone());
                self.host.changed(name, &session);
            }
        }
    }

    fn settle(&self, outcome: &Result<(), Failure>) {
        self.signals.take();
        let waiting = self.signing_in.take();
        match outcome {
            Ok(()) => {
                let session = self.session.take();
                waiting.iter().for_each(|settler| settler.resolve(&session));
                self.session.set(session);
            }
            Err(failure) if waiting.is_empty() => self.host.report(&self.host.failure(failure)),
            Err(failure) => waiting.iter().for_each(|settler| settler.reject(&self.host, failure)),
        }
    }

    /// Makes a request ready for the next click, where no frame does it.
    fn prepare(self: &Rc<Self>) {
        if self.options.mode == Mode::Frame {
            return;
        }
        let mut random = [0; 2 * RANDOM];
        let filled = self
            .window
            .crypto()
            .and_then(|crypto| crypto.get_random_values_with_u8_array(&mut random))
            .is_ok();
        self.dispatch(if filled {
            Event::Prepared(prepare(&random))
        } else {
            Event::Refused(ErrorCode::ServerError.into())
        });
    }

    fn with_frame(&self, act: impl FnOnce(&Frame)) {
        if let Some(frame) = self.frame.take() {
            act(&frame);
            self.frame.set(Some(frame));
        }
    }
}

fn push<T>(cell: &Cell<Vec<T>>, item: T) {
    let mut items = cell.take();
    items.push(item);
    cell.set(items);
}
