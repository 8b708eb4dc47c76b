//! The client: has the browser do what the table in [`crate::session`] decides.

use alloc::{boxed::Box, string::String};
use core::cell::Cell;

use latchkey_protocol::{
    VERSION,
    error::ErrorCode,
    frame::{Prepared, ToFrame},
};
use wasm_bindgen::JsValue;

use crate::{
    api::Answer,
    authorize::Ask,
    error::Failure,
    frame::{Heard, is_kept_out, sort},
    host::{Host, now},
    message::{decode, decode_session, parts},
    options::{Mode, Options, invalid},
    popup::{self, Sender},
    response::Token,
    session::{Action, Event, Held, State, step},
};

/// One client. What changes lies in cells and is taken out while it is looked at: the page's own code can run in the
/// middle of anything we call, and call us again.
pub(crate) struct Client {
    pub(crate) host: Host,
    pub(crate) options: Options,
    state: Cell<State>,
    ask: Cell<Ask>,
}

/// What the page sees where nobody is signed in.
const NOBODY: (JsValue, JsValue) = (JsValue::NULL, JsValue::NULL);

/// The kinds of promises that wait.
const INIT: &str = "init";
const LOGIN: &str = "login";
const LOGOUT: &str = "logout";

/// The kinds of requests that are answered.
const STATUS: &str = "status";
const SESSION: &str = "session";
const REVOKE: &str = "revoke";

impl Client {
    pub(crate) fn new(host: Host, options: Options) -> Self {
        Self { host, options, state: Cell::default(), ask: Cell::default() }
    }

    /// Begins to load, in so many milliseconds at most.
    pub(crate) fn start(&self, left: f64) {
        self.state.set(State::loading(self.options.mode == Mode::Frame, now() + left));
        self.host.wake(left);
        self.host.send(STATUS, &self.options.toolbar("status/"), "", 0.0, "");
        match self.options.mode {
            Mode::Frame => self.host.act("mount", &self.options.toolbar("")),
            Mode::Popup | Mode::Redirect => self.host.act("listen", ""),
        }
        self.prepare();
    }

    /// Tells the table what happened and does what it answers.
    pub(crate) fn dispatch(&self, event: Event) {
        let now = now();
        let (state, actions) = step(self.state.take(), event, now);
        self.host.wake(state.wake_after(now));
        self.state.set(state);
        for action in actions {
            self.perform(action);
        }
    }

    fn perform(&self, action: Action) {
        match action {
            Action::Start => {
                self.host.settle(INIT, &JsValue::UNDEFINED);
            }
            Action::Stop(failure) => {
                self.host.act("clear", "");
                self.host.settle(INIT, &self.host.failure(&failure));
            }
            Action::Open(request) => self.open(&request),
            Action::Focus => self.host.act("focus", ""),
            Action::Close => self.host.act("close", ""),
            Action::Post(message) => {
                let (kind, about, value, code) = parts(&message);
                self.host.post(kind, about, value, code);
            }
            Action::Settle(Ok(())) => {
                self.host.settle(LOGIN, &JsValue::UNDEFINED);
            }
            Action::Settle(Err(failure)) => {
                let error = self.host.failure(&failure);
                if !self.host.settle(LOGIN, &error) {
                    self.host.report(&error);
                }
            }
            Action::Report(failure) => self.host.report(&self.host.failure(&failure)),
            Action::Revoke(token) => {
                let url = self.options.on_platform("/oauth/revoke/");
                self.host.send(REVOKE, &url, "", 0.0, &self.options.revocation(&token));
            }
            Action::Changed => {
                let (name, session, token) = self.look(|state| {
                    let (session, token) = state.session().map_or(NOBODY, |held| {
                        (self.host.describe(&held.session), JsValue::from_str(&held.token))
                    });
                    (state.name(), session, token)
                });
                self.host.changed(name, &session, &token);
            }
        }
    }

    /// Opens the window, in the page's own click and before anything is awaited; or leaves the page.
    fn open(&self, request: &Prepared) {
        let url = self.options.authorize_url(request, &self.ask.take());
        if self.options.mode == Mode::Redirect {
            let options = &self.options;
            if self.host.keep(&options.pending_key(), &options.pending(&request.state)) {
                self.dispatch(Event::Opened(true));
                self.host.act("leave", &url);
            } else {
                self.dispatch(Event::Failed(ErrorCode::StorageUnavailable.into()));
            }
        } else {
            self.dispatch(Event::Opened(self.host.open(&url)));
        }
        self.prepare();
    }

    /// Makes a request ready for the next click, where no frame does it; PKCE is the frame's, and the code flow's.
    fn prepare(&self) {
        if self.options.mode != Mode::Frame {
            self.dispatch(Event::Prepared(Box::new(Prepared {
                state: self.host.random(),
                nonce: self.host.random(),
                code_challenge: String::new(),
            })));
        }
    }

    /// Hears of something that a word, and at most one text, says all of.
    pub(crate) fn hear(&self, what: &str, text: &str) {
        match what {
            "tick" => self.dispatch(Event::Tick { closed: !text.is_empty() }),
            "loaded" => self.loaded(text),
            "moved" => self.stand(text),
            "abort" => self.dispatch(Event::Abort),
            "violation" if is_kept_out(&self.options.platform, text) => {
                self.dispatch(Event::Refused(ErrorCode::FrameBlocked.into()));
            }
            "rejected" => self.dispatch(Event::Rejected { token: text.into() }),
            "resume" => self.resume(text),
            "logout" => self.logout(),
            "destroy" => self.destroy(),
            _ => {}
        }
    }

    /// `client.login`.
    pub(crate) fn login(&self, ask: Ask, limit: f64) {
        self.ask.set(ask);
        self.dispatch(Event::Login { limit });
    }

    /// `client.handleRedirect`.
    fn resume(&self, response: &str) {
        self.dispatch(Event::Returned);
        let pending = self.host.recall(&self.options.pending_key());
        let accepted = self
            .options
            .pending_state(&pending)
            .and_then(|state| self.options.accept(response, state, false))
            .unwrap_or_else(|| Err(ErrorCode::StateMismatch.into()));
        self.conclude(accepted);
    }

    /// `client.logout`.
    fn logout(&self) {
        if self.look(|state| state.session().is_some()) {
            self.dispatch(Event::SignOut);
        } else {
            self.host.settle(LOGOUT, &JsValue::UNDEFINED);
        }
    }

    /// Whether there is a token, and it may go to this address.
    pub(crate) fn allow(&self, href: &str) -> Result<(), Failure> {
        if self.look(|state| state.session().is_none()) {
            return Err(ErrorCode::LoginRequired.into());
        }
        if !self.options.is_api(href) {
            return Err(invalid(
                "fetch: give a path below the organization, such as \"projects/\", or one that begins with \"/api/\"",
            ));
        }
        Ok(())
    }

    /// The frame says something.
    pub(crate) fn heard(&self, data: &JsValue) {
        match decode(data).map(sort) {
            Some(Heard::Event(event)) => self.dispatch(event),
            Some(Heard::Resize(width, height)) => self.host.resize(width, height),
            None => {}
        }
    }

    /// The frame's document is there, for the first time or anew.
    fn loaded(&self, path: &str) {
        self.dispatch(Event::FrameLoaded);
        self.host.hello(&self.options.platform, VERSION, &self.options.client_id, &self.options.scope);
        self.stand(path);
    }

    /// The frame is told where the page stands.
    fn stand(&self, path: &str) {
        self.perform(Action::Post(ToFrame::Page { path: path.into() }));
    }

    /// Some window says something.
    pub(crate) fn received(&self, sender: &Sender<'_>, data: &JsValue) {
        let expected = self.look(|state| state.expected().map(String::from));
        if let Some(accepted) = popup::accept(&self.options, sender, data, expected) {
            // From here on the state is used up.
            self.dispatch(Event::Answered);
            self.host.received(&self.options.platform, popup::ANSWER);
            self.conclude(accepted);
        }
    }

    /// Asks whose the token is, or ends the sign-in.
    fn conclude(&self, accepted: Result<Token, Failure>) {
        match accepted {
            Ok(Token { access_token, expires_in }) => {
                let expires_at = now() + f64::from(expires_in) * 1000.0;
                self.host.send(SESSION, &self.options.on_platform("/api/0/"), &access_token, expires_at, "");
            }
            Err(failure) => self.dispatch(Event::Failed(failure)),
        }
    }

    /// The platform answered, or did not.
    pub(crate) fn answered(&self, kind: &str, answer: Answer, token: &str, expires_at: f64) {
        match kind {
            STATUS => self.dispatch(answer.status()),
            REVOKE => {
                let error = answer.success().map_or_else(|f| self.host.failure(&f), |_| JsValue::UNDEFINED);
                self.host.settle(LOGOUT, &error);
            }
            _ => self.described(answer, token.into(), expires_at),
        }
    }

    fn described(&self, answer: Answer, token: String, expires_at: f64) {
        let session = answer
            .success()
            .and_then(|body| decode_session(&body, expires_at).ok_or(ErrorCode::ServerError.into()));
        self.dispatch(match session {
            Ok(session) => Event::SignedIn(Held { token, session }),
            Err(failure) => Event::Failed(failure),
        });
    }

    /// `client.destroy`.
    fn destroy(&self) {
        self.dispatch(Event::Destroy);
        self.host.act("clear", "");
    }

    /// Looks at the state.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        let state = self.state.take();
        let seen = look(&state);
        self.state.set(state);
        seen
    }
}
