//! The life of a client as a table: `(state, event, now) → (state, actions)`.
//!
//! Nothing here touches the browser. The edge turns what happens into an [`Event`], and does each [`Action`] in
//! order; `now` is in milliseconds since the Unix epoch.

use alloc::{
    boxed::Box,
    string::{String, ToString},
    vec,
    vec::Vec,
};

use latchkey_protocol::{
    VERSION,
    error::ErrorCode,
    frame::{Prepared, Session, ToFrame},
};

use crate::error::Failure;

/// How often an open window is looked at. Browsers tell nobody when a window closes.
const LOOK_MS: f64 = 250.0;
/// How long after its window closed a response may still be on its way.
const GRACE_MS: f64 = 1_000.0;
/// A window that is gone this early was cut off by the browser rather than closed by a person.
const CUT_OFF_MS: f64 = 1_500.0;
/// How long the platform has, once it answered, to say whose token it is.
const ANSWERED_MS: f64 = 30_000.0;
/// How many prepared requests are kept; a frame that sends more is not heard.
const STOCK: usize = 4;

/// Where a client is.
#[derive(Default)]
#[allow(clippy::vec_box, reason = "a request is passed on as it is kept; unboxing it on the way weighs more")]
pub struct State {
    stage: Stage,
    stock: Vec<Box<Prepared>>,
    session: Option<Held>,
    attempt: Option<Attempt>,
}

#[derive(Default)]
enum Stage {
    Loading {
        deadline: f64,
        allowed: bool,
        /// Whether the frame answered; true from the start where there is none.
        welcomed: bool,
    },
    Ready,
    /// It never started, or it was destroyed.
    #[default]
    Ended,
}

/// A session and its token.
pub struct Held {
    /// The access token.
    pub token: String,
    /// Whose it is and what it opens.
    pub session: Box<Session>,
}

/// A sign-in under way.
struct Attempt {
    /// The request's, where the page began it; `None` where the frame did.
    request: Option<Box<Prepared>>,
    deadline: f64,
    opened_at: f64,
    closed_at: Option<f64>,
    answered: bool,
}

/// What can happen.
pub enum Event {
    /// The platform says that this site may use this application.
    Allowed,
    /// The client cannot start: the platform refuses, or cannot be reached, or the page keeps the frame out.
    Refused(Failure),
    /// The frame loaded, for the first time or anew: what it knew before is gone.
    FrameLoaded,
    /// The frame answered the hello.
    Welcome {
        /// The version it speaks.
        version: u32,
    },
    /// A request for the next sign-in is ready.
    Prepared(Box<Prepared>),
    /// The page asks to sign in.
    Login {
        /// How long the person may take, in milliseconds.
        limit: f64,
    },
    /// The window opened, or did not.
    Opened(bool),
    /// The person clicked *Sign in* in the frame.
    SigningIn,
    /// The page came back from the platform with a response.
    Returned,
    /// The authorization response arrived; what follows no longer needs the window.
    Answered,
    /// A sign-in succeeded.
    SignedIn(Held),
    /// A sign-in ended without a session.
    Failed(Failure),
    /// The page gives the sign-in up.
    Abort,
    /// The page, or the person in the frame, signs out.
    SignOut,
    /// The platform does not accept this token any more.
    Rejected {
        /// The token.
        token: String,
    },
    /// Time passed.
    Tick {
        /// Whether the window is closed.
        closed: bool,
    },
    /// The page wants no more of this client.
    Destroy,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// `init` succeeded.
    Start,
    /// `init` failed.
    Stop(Failure),
    /// Open a window, or leave the page, with this request; then say [`Event::Opened`].
    Open(Box<Prepared>),
    /// Bring the open window to the front.
    Focus,
    /// Close the window.
    Close,
    /// Tell the frame.
    Post(ToFrame),
    /// The sign-in is over: settle who waits for it, and report a failure that nobody waits for.
    Settle(Result<(), Failure>),
    /// Say on the client what no promise says.
    Report(Failure),
    /// Tell the platform that this token has served.
    Revoke(String),
    /// `state` or `session` changed.
    Changed,
}

impl State {
    /// A client that has just begun to load.
    pub fn loading(framed: bool, deadline: f64) -> Self {
        Self { stage: Stage::Loading { deadline, allowed: false, welcomed: !framed }, ..Self::default() }
    }

    /// The state as the page sees it.
    pub fn name(&self) -> &'static str {
        match (&self.stage, &self.attempt, &self.session) {
            (Stage::Loading { .. }, ..) => "loading",
            (Stage::Ready | Stage::Ended, Some(_), _) => "signing-in",
            (Stage::Ready | Stage::Ended, None, Some(_)) => "signed-in",
            (Stage::Ready | Stage::Ended, None, None) => "signed-out",
        }
    }

    /// The session there is.
    pub fn session(&self) -> Option<&Held> {
        self.session.as_ref()
    }

    /// The `state` that a response must carry to belong to the sign-in under way: none once one came.
    pub fn expected(&self) -> Option<&str> {
        let attempt = self.attempt.as_ref().filter(|attempt| !attempt.answered)?;
        attempt.request.as_ref().map(|request| request.state.as_str())
    }

    /// In how many milliseconds time matters next; infinity for never.
    pub fn wake_after(&self, now: f64) -> f64 {
        if let Stage::Loading { deadline, .. } = self.stage {
            return deadline - now;
        }
        if self.attempt.is_some() {
            return LOOK_MS;
        }
        self.session.as_ref().map_or(f64::INFINITY, |held| held.session.expires_at - now)
    }
}

/// One step.
pub fn step(mut state: State, event: Event, now: f64) -> (State, Vec<Action>) {
    let actions = match state.stage {
        Stage::Loading { .. } => state.load(event, now),
        Stage::Ready => state.run(event, now),
        Stage::Ended => after_the_end(event),
    };
    (state, actions)
}

fn after_the_end(event: Event) -> Vec<Action> {
    if let Event::Login { .. } | Event::Returned = event {
        return vec![Action::Settle(Err(destroyed()))];
    }
    // A token that comes too late for anyone must not live on.
    if let Event::SignedIn(held) = event {
        return vec![Action::Revoke(held.token)];
    }
    Vec::new()
}

impl State {
    fn load(&mut self, event: Event, now: f64) -> Vec<Action> {
        let Stage::Loading { deadline, allowed, welcomed } = &mut self.stage else { return Vec::new() };
        match event {
            Event::Allowed => *allowed = true,
            Event::Refused(failure) => return self.stop(failure),
            Event::FrameLoaded => {
                *welcomed = false;
                self.stock.clear();
            }
            Event::Welcome { version: VERSION } => *welcomed = true,
            Event::Welcome { .. } => return self.stop(ErrorCode::ProtocolMismatch.into()),
            Event::Prepared(request) => keep(&mut self.stock, request),
            Event::Tick { .. } if now >= *deadline => {
                let code = if *allowed { ErrorCode::FrameBlocked } else { ErrorCode::Timeout };
                return self.stop(code.into());
            }
            Event::Destroy => return self.stop(destroyed()),
            Event::Login { .. } => {
                return vec![Action::Settle(Err(ErrorCode::InteractionInProgress.into()))];
            }
            Event::SignedIn(held) => return unwanted(held),
            Event::Tick { .. }
            | Event::Opened(_)
            | Event::SigningIn
            | Event::Returned
            | Event::Answered
            | Event::Failed(_)
            | Event::Abort
            | Event::SignOut
            | Event::Rejected { .. } => {}
        }
        if !(*allowed && *welcomed) || self.stock.is_empty() {
            return Vec::new();
        }
        self.stage = Stage::Ready;
        vec![Action::Start, Action::Changed]
    }

    fn stop(&mut self, failure: Failure) -> Vec<Action> {
        self.stage = Stage::Ended;
        vec![Action::Stop(failure)]
    }

    fn run(&mut self, event: Event, now: f64) -> Vec<Action> {
        match event {
            Event::Prepared(request) => {
                keep(&mut self.stock, request);
                Vec::new()
            }
            Event::FrameLoaded => {
                self.stock.clear();
                self.end(ErrorCode::Aborted.into())
            }
            Event::Login { limit } => self.login(limit, now),
            Event::Opened(true) => self.opened(),
            Event::Opened(false) => self.blocked(),
            Event::SigningIn if self.attempt.is_none() => {
                // The frame keeps the time itself; this limit is for a frame that is gone.
                self.attempt = Some(Attempt::new(None, now, now + 2.0 * LOGIN_MS));
                vec![Action::Changed]
            }
            Event::Returned => {
                self.attempt = Some(Attempt { answered: true, ..Attempt::new(None, now, now + ANSWERED_MS) });
                vec![Action::Changed]
            }
            Event::Answered => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.answered = true;
                    attempt.deadline = now + ANSWERED_MS;
                }
                Vec::new()
            }
            Event::SignedIn(held) => self.signed_in(held),
            Event::Failed(failure) if self.attempt.is_some() => self.end(failure),
            Event::Failed(failure) => vec![Action::Report(failure)],
            Event::Abort => self.end(ErrorCode::Aborted.into()),
            Event::SignOut => self.sign_out(),
            Event::Rejected { token } if self.session.as_ref().is_some_and(|held| held.token == token) => {
                self.expire()
            }
            Event::Tick { closed } => self.tick(closed, now),
            Event::Destroy => {
                let mut actions = self.end(destroyed());
                *self = Self::default();
                actions.push(Action::Changed);
                actions
            }
            // Two windows at once, an old token, and what only matters while loading.
            Event::SigningIn
            | Event::Rejected { .. }
            | Event::Allowed
            | Event::Refused(_)
            | Event::Welcome { .. } => Vec::new(),
        }
    }

    fn login(&mut self, limit: f64, now: f64) -> Vec<Action> {
        if self.attempt.is_some() {
            return vec![Action::Focus];
        }
        let Some(request) = self.stock.pop() else {
            return vec![Action::Settle(Err(Failure::new(
                ErrorCode::InteractionInProgress,
                "The next sign-in is still being prepared. Try again in a moment.",
            )))];
        };
        self.attempt = Some(Attempt::new(Some(request.clone()), now, now + limit));
        vec![Action::Open(request)]
    }

    fn opened(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(Attempt { request: Some(request), .. }) = &self.attempt {
            actions.push(Action::Post(ToFrame::Began { state: request.state.clone() }));
            actions.push(Action::Changed);
        }
        actions
    }

    /// Nothing left the page, so the request can serve in the next click. The frame says in words what happened.
    fn blocked(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if let Some(Attempt { request: Some(request), .. }) = self.attempt.take() {
            let state = request.state.clone();
            actions.push(Action::Post(ToFrame::Ended { state, code: ErrorCode::PopupBlocked }));
            self.stock.push(request);
        }
        actions.push(Action::Settle(Err(ErrorCode::PopupBlocked.into())));
        actions
    }

    fn signed_in(&mut self, held: Held) -> Vec<Action> {
        if self.attempt.take().is_none() {
            return unwanted(held);
        }
        let last = self.session.replace(held);
        let mut actions = vec![Action::Close, Action::Settle(Ok(())), Action::Changed];
        actions.extend(last.map(|last| Action::Revoke(last.token)));
        actions
    }

    /// Ends the sign-in under way without a session.
    fn end(&mut self, failure: Failure) -> Vec<Action> {
        let Some(attempt) = self.attempt.take() else { return Vec::new() };
        let mut actions = vec![Action::Close];
        if let Some(request) = attempt.request {
            actions.push(Action::Post(ToFrame::Ended { state: request.state, code: failure.code }));
        }
        // Who waits is settled before anyone is told: who is told may begin the next sign-in at once.
        actions.push(Action::Settle(Err(failure)));
        actions.push(Action::Changed);
        actions
    }

    fn sign_out(&mut self) -> Vec<Action> {
        let Some(held) = self.session.take() else { return Vec::new() };
        vec![Action::Post(ToFrame::SignedOut {}), Action::Changed, Action::Revoke(held.token)]
    }

    fn expire(&mut self) -> Vec<Action> {
        self.session = None;
        vec![
            Action::Post(ToFrame::SignedOut {}),
            Action::Changed,
            Action::Report(ErrorCode::SessionExpired.into()),
        ]
    }

    fn tick(&mut self, closed: bool, now: f64) -> Vec<Action> {
        if self.session.as_ref().is_some_and(|held| now >= held.session.expires_at) {
            return self.expire();
        }
        let Some(attempt) = &mut self.attempt else { return Vec::new() };
        if now >= attempt.deadline {
            return self.end(ErrorCode::Timeout.into());
        }
        if !closed || attempt.answered {
            return Vec::new();
        }
        let closed_at = *attempt.closed_at.get_or_insert(now);
        if now - closed_at < GRACE_MS {
            return Vec::new();
        }
        let message = if closed_at - attempt.opened_at < CUT_OFF_MS { CUT_OFF } else { "" };
        self.end(Failure { code: ErrorCode::PopupClosed, message: message.to_string() })
    }
}

/// How long a person may take to sign in, where the page does not say.
pub const LOGIN_MS: f64 = 300_000.0;

const CUT_OFF: &str = "The sign-in window closed at once. If it is still open, this site's \
    Cross-Origin-Opener-Policy cut it off: send same-origin-allow-popups.";

#[allow(clippy::vec_box, reason = "see State")]
fn keep(stock: &mut Vec<Box<Prepared>>, request: Box<Prepared>) {
    if stock.len() < STOCK {
        stock.push(request);
    }
}

/// Given up meanwhile: nobody waits for this token, and it must not live on.
fn unwanted(held: Held) -> Vec<Action> {
    vec![Action::Post(ToFrame::SignedOut {}), Action::Revoke(held.token)]
}

impl Attempt {
    fn new(request: Option<Box<Prepared>>, now: f64, deadline: f64) -> Self {
        Self { request, deadline, opened_at: now, closed_at: None, answered: false }
    }
}

fn destroyed() -> Failure {
    Failure::new(ErrorCode::Aborted, "The client was destroyed.")
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use alloc::{format, string::String};
    use latchkey_protocol::frame::{Organization, User};
    use proptest::prelude::*;

    const EXPIRES_AT: f64 = 3_600_000.0;

    fn request(state: &str) -> Box<Prepared> {
        Box::new(Prepared { state: state.into(), nonce: "n".into(), code_challenge: "c".into() })
    }

    fn held(token: &str) -> Held {
        Held {
            token: token.into(),
            session: Box::new(Session {
                organization: Organization { id: "o".into(), slug: "acme".into(), name: "Acme".into() },
                user: User { id: "u".into(), name: "Ada".into() },
                scopes: Vec::new(),
                expires_at: EXPIRES_AT,
            }),
        }
    }

    /// A client and the actions of its last event.
    struct Run(State, Vec<Action>);

    impl Run {
        fn loading() -> Self {
            Self(State::loading(true, 10_000.0), Vec::new())
        }

        fn ready() -> Self {
            let run = Self::loading();
            let run = run.at(1.0, Event::Allowed).at(1.0, Event::Welcome { version: VERSION });
            run.at(1.0, Event::Prepared(request("s1")))
        }

        /// A window is open since the time 1,000.
        fn open() -> Self {
            let run = Self::ready().at(1_000.0, Event::Login { limit: LOGIN_MS });
            assert_eq!(run.1, [Action::Open(request("s1"))]);
            run.at(1_000.0, Event::Opened(true))
        }

        fn signed_in() -> Self {
            Self::open().at(2_000.0, Event::Answered).at(2_000.0, Event::SignedIn(held("t1")))
        }

        fn at(self, now: f64, event: Event) -> Self {
            let (state, actions) = step(self.0, event, now);
            Self(state, actions)
        }

        fn is(&self, name: &str, actions: &[Action]) {
            assert_eq!((self.0.name(), &*self.1), (name, actions));
        }

        fn ended_with(&self, code: ErrorCode) {
            let ended = Action::Post(ToFrame::Ended { state: "s1".into(), code });
            assert!(self.1.contains(&ended) && self.1.contains(&Action::Close), "{:?}", self.1);
            self.settled_with(code);
        }

        fn settled_with(&self, code: ErrorCode) {
            let settled =
                self.1.iter().find_map(|a| if let Action::Settle(Err(f)) = a { Some(f.code) } else { None });
            assert_eq!(settled, Some(code));
        }
    }

    #[test]
    fn init_succeeds_once_the_site_is_allowed_and_the_frame_has_sent_a_request() {
        let run = Run::loading();
        run.is("loading", &[]);
        let run = run.at(1.0, Event::Welcome { version: VERSION }).at(1.0, Event::Prepared(request("s1")));
        run.is("loading", &[]);
        run.at(1.0, Event::Allowed).is("signed-out", &[Action::Start, Action::Changed]);
        let run = Run::loading().at(1.0, Event::Allowed).at(1.0, Event::Prepared(request("s1")));
        run.is("loading", &[]);
        Run::ready().is("signed-out", &[Action::Start, Action::Changed]);
    }

    #[test]
    fn a_client_without_a_frame_waits_for_none() {
        let run = Run(State::loading(false, 10_000.0), Vec::new());
        let run = run.at(1.0, Event::Prepared(request("s1"))).at(1.0, Event::Allowed);
        run.is("signed-out", &[Action::Start, Action::Changed]);
    }

    #[test]
    fn init_fails_with_what_stood_in_its_way() {
        let stop = |code: ErrorCode| Action::Stop(code.into());
        let run = Run::loading().at(1.0, Event::Welcome { version: VERSION + 1 });
        run.is("signed-out", &[stop(ErrorCode::ProtocolMismatch)]);
        let run = Run::loading().at(1.0, Event::Refused(ErrorCode::UnknownClient.into()));
        run.is("signed-out", &[stop(ErrorCode::UnknownClient)]);
        let run = Run::loading().at(9_999.0, Event::Tick { closed: false });
        run.is("loading", &[]);
        run.at(10_000.0, Event::Tick { closed: false }).is("signed-out", &[stop(ErrorCode::Timeout)]);
        let run = Run::loading().at(1.0, Event::Allowed).at(10_000.0, Event::Tick { closed: false });
        run.is("signed-out", &[stop(ErrorCode::FrameBlocked)]);
        let run = Run::loading().at(1.0, Event::Destroy);
        assert!(matches!(&*run.1, [Action::Stop(Failure { code: ErrorCode::Aborted, .. })]));
    }

    #[test]
    fn a_sign_in_opens_a_window_tells_the_frame_and_settles_with_the_session() {
        Run::open().is("signing-in", &[Action::Post(ToFrame::Began { state: "s1".into() }), Action::Changed]);
        let run = Run::signed_in();
        run.is("signed-in", &[Action::Close, Action::Settle(Ok(())), Action::Changed]);
        assert_eq!(run.0.session().unwrap().token, "t1");
    }

    #[test]
    fn a_request_serves_one_window_only() {
        let run = Run::open().at(2_000.0, Event::Failed(ErrorCode::AccessDenied.into()));
        run.settled_with(ErrorCode::AccessDenied);
        run.at(3_000.0, Event::Login { limit: LOGIN_MS }).settled_with(ErrorCode::InteractionInProgress);
    }

    #[test]
    fn a_blocked_window_leaves_its_request_for_the_next_click() {
        let run = Run::ready().at(1.0, Event::Login { limit: LOGIN_MS }).at(1.0, Event::Opened(false));
        let told = Action::Post(ToFrame::Ended { state: "s1".into(), code: ErrorCode::PopupBlocked });
        run.is("signed-out", &[told, Action::Settle(Err(ErrorCode::PopupBlocked.into()))]);
        run.at(2.0, Event::Login { limit: LOGIN_MS }).is("signing-in", &[Action::Open(request("s1"))]);
    }

    #[test]
    fn a_second_login_brings_the_window_to_the_front() {
        Run::open().at(2_000.0, Event::Login { limit: LOGIN_MS }).is("signing-in", &[Action::Focus]);
    }

    #[test]
    fn a_response_belongs_to_the_open_window_and_comes_once() {
        assert_eq!(Run::ready().0.expected(), None);
        let run = Run::open();
        assert_eq!(run.0.expected(), Some("s1"));
        assert_eq!(run.at(2_000.0, Event::Answered).0.expected(), None);
        assert_eq!(Run::signed_in().0.expected(), None);
    }

    #[test]
    fn a_closed_window_ends_the_sign_in_after_a_grace() {
        let run = Run::open().at(9_000.0, Event::Tick { closed: true });
        run.is("signing-in", &[]);
        let run = run.at(9_999.0, Event::Tick { closed: true });
        run.is("signing-in", &[]);
        run.at(10_000.0, Event::Tick { closed: true }).ended_with(ErrorCode::PopupClosed);
    }

    #[test]
    fn a_response_in_flight_wins_over_the_closed_window() {
        let run = Run::open().at(9_000.0, Event::Tick { closed: true }).at(9_500.0, Event::Answered);
        let run = run.at(20_000.0, Event::Tick { closed: true });
        run.is("signing-in", &[]);
        assert_eq!(run.at(21_000.0, Event::SignedIn(held("t1"))).0.name(), "signed-in");
    }

    #[test]
    fn a_window_that_is_gone_at_once_names_the_opener_policy() {
        let run = Run::open().at(1_250.0, Event::Tick { closed: true });
        let run = run.at(2_250.0, Event::Tick { closed: true });
        let named = |a: &Action| matches!(a, Action::Settle(Err(f)) if f.message.contains("Cross-Origin-Opener-Policy"));
        assert!(run.1.iter().any(named), "{:?}", run.1);
        let run = Run::open().at(3_000.0, Event::Tick { closed: true });
        assert!(!run.at(4_000.0, Event::Tick { closed: true }).1.iter().any(named));
    }

    #[test]
    fn a_sign_in_has_its_time() {
        let run = Run::ready().at(1_000.0, Event::Login { limit: 5_000.0 }).at(1_000.0, Event::Opened(true));
        let run = run.at(5_999.0, Event::Tick { closed: false });
        run.is("signing-in", &[]);
        run.at(6_000.0, Event::Tick { closed: false }).ended_with(ErrorCode::Timeout);
    }

    #[test]
    fn a_frame_that_answered_and_fell_silent_runs_out_of_time() {
        let run = Run::open().at(2_000.0, Event::Answered);
        run.at(32_000.0, Event::Tick { closed: true }).ended_with(ErrorCode::Timeout);
    }

    #[test]
    fn an_abort_closes_the_window() {
        Run::open().at(2_000.0, Event::Abort).ended_with(ErrorCode::Aborted);
        Run::ready().at(2_000.0, Event::Abort).is("signed-out", &[]);
    }

    #[test]
    fn a_token_that_comes_after_the_sign_in_was_given_up_is_revoked() {
        let run = Run::open().at(2_000.0, Event::Abort).at(2_001.0, Event::SignedIn(held("t1")));
        run.is("signed-out", &[Action::Post(ToFrame::SignedOut {}), Action::Revoke("t1".into())]);
        let run = Run::open().at(2_000.0, Event::Destroy).at(2_001.0, Event::SignedIn(held("t1")));
        run.is("signed-out", &[Action::Revoke("t1".into())]);
    }

    #[test]
    fn the_frames_own_button_signs_in_too() {
        let run = Run::ready().at(1.0, Event::SigningIn);
        run.is("signing-in", &[Action::Changed]);
        assert_eq!(run.0.expected(), None);
        let run = run.at(2.0, Event::SignedIn(held("t1")));
        assert_eq!(run.0.name(), "signed-in");
        let run = Run::ready().at(1.0, Event::Failed(ErrorCode::PopupBlocked.into()));
        run.is("signed-out", &[Action::Report(ErrorCode::PopupBlocked.into())]);
    }

    #[test]
    fn a_frame_that_loads_anew_has_forgotten_its_requests() {
        let run = Run::open().at(2_000.0, Event::FrameLoaded);
        run.settled_with(ErrorCode::Aborted);
        let run = Run::ready().at(2_000.0, Event::FrameLoaded).at(2_000.0, Event::Login { limit: LOGIN_MS });
        run.settled_with(ErrorCode::InteractionInProgress);
        assert_eq!(Run::signed_in().at(3_000.0, Event::FrameLoaded).0.name(), "signed-in");
    }

    #[test]
    fn a_frame_that_floods_the_stock_is_not_heard() {
        let mut run = Run::ready();
        for i in 0..100 {
            run = run.at(1.0, Event::Prepared(request(&format!("x{i}"))));
        }
        assert_eq!(run.0.stock.len(), STOCK);
    }

    #[test]
    fn signing_out_drops_the_session_at_once_and_revokes_its_token() {
        let run = Run::signed_in().at(3_000.0, Event::SignOut);
        run.is(
            "signed-out",
            &[Action::Post(ToFrame::SignedOut {}), Action::Changed, Action::Revoke("t1".into())],
        );
        run.at(3_001.0, Event::SignOut).is("signed-out", &[]);
    }

    #[test]
    fn a_new_session_revokes_the_one_it_replaces() {
        let run = Run::signed_in().at(3_000.0, Event::SigningIn).at(3_000.0, Event::SignedIn(held("t2")));
        assert!(run.1.contains(&Action::Revoke("t1".into())));
        assert_eq!(run.0.session().unwrap().token, "t2");
    }

    #[test]
    fn a_session_ends_when_its_token_expires_or_is_refused() {
        let over = [
            Action::Post(ToFrame::SignedOut {}),
            Action::Changed,
            Action::Report(ErrorCode::SessionExpired.into()),
        ];
        let run = Run::signed_in();
        assert_eq!(run.0.wake_after(2_000.0), EXPIRES_AT - 2_000.0);
        let run = run.at(EXPIRES_AT - 1.0, Event::Tick { closed: true });
        run.is("signed-in", &[]);
        run.at(EXPIRES_AT, Event::Tick { closed: true }).is("signed-out", &over);
        Run::signed_in().at(3_000.0, Event::Rejected { token: "t1".into() }).is("signed-out", &over);
    }

    #[test]
    fn a_refusal_of_an_older_token_leaves_the_session_alone() {
        Run::signed_in().at(3_000.0, Event::Rejected { token: "t0".into() }).is("signed-in", &[]);
    }

    #[test]
    fn a_failed_second_sign_in_leaves_the_first_session() {
        let run = Run::signed_in().at(3_000.0, Event::SigningIn);
        assert_eq!(run.0.name(), "signing-in");
        let run = run.at(3_500.0, Event::Failed(ErrorCode::AccessDenied.into()));
        assert_eq!(run.0.name(), "signed-in");
    }

    #[test]
    fn a_destroyed_client_rejects_what_is_pending_and_what_comes_after() {
        let run = Run::open().at(2_000.0, Event::Destroy);
        run.settled_with(ErrorCode::Aborted);
        run.at(3_000.0, Event::Login { limit: LOGIN_MS }).settled_with(ErrorCode::Aborted);
        let run = Run::signed_in().at(3_000.0, Event::Destroy);
        assert!(run.0.session().is_none());
        assert_eq!(run.0.wake_after(3_000.0), f64::INFINITY);
    }

    fn any_event() -> impl Strategy<Value = u8> {
        0u8..17
    }

    fn event(number: u8) -> Event {
        match number {
            0 => Event::Allowed,
            1 => Event::Refused(ErrorCode::UnknownClient.into()),
            2 => Event::FrameLoaded,
            3 | 4 => Event::Welcome { version: VERSION },
            5 | 6 => Event::Prepared(request("s")),
            7 => Event::Login { limit: LOGIN_MS },
            8 => Event::Opened(true),
            9 => Event::Opened(false),
            10 => Event::SigningIn,
            11 => Event::Answered,
            12 => Event::SignedIn(held("t")),
            13 => Event::Failed(ErrorCode::AccessDenied.into()),
            14 => Event::SignOut,
            15 => Event::Tick { closed: true },
            _ => Event::Abort,
        }
    }

    proptest! {
        #[test]
        fn whatever_happens_a_sign_in_that_was_begun_is_settled(events in prop::collection::vec(any_event(), 0..60)) {
            let (mut run, mut now, mut waiting) = (Run::loading(), 0.0, false);
            for number in events {
                now += 100.0;
                run = run.at(now, event(number));
                waiting |= number == 7;
                waiting &= !run.1.iter().any(|action| matches!(action, Action::Settle(_)));
            }
            for _ in 0..4 {
                now += 2.0 * LOGIN_MS;
                let last = run.at(now, Event::Tick { closed: true });
                waiting &= !last.1.iter().any(|action| matches!(action, Action::Settle(_)));
                run = last;
            }
            prop_assert!(!waiting);
            prop_assert!(run.0.attempt.is_none());
        }

        #[test]
        fn no_token_is_ever_dropped_alive(events in prop::collection::vec(any_event(), 0..60)) {
            let (mut run, mut alive) = (Run::ready(), Vec::<String>::new());
            for (i, number) in events.into_iter().enumerate() {
                let event = if number == 12 {
                    alive.push(format!("t{i}"));
                    Event::SignedIn(held(&format!("t{i}")))
                } else {
                    event(number)
                };
                run = run.at(1_000.0, event);
                for action in &run.1 {
                    if let Action::Revoke(token) = action {
                        alive.retain(|other| other != token);
                    }
                }
            }
            let kept: Vec<_> = run.0.session().map(|held| held.token.clone()).into_iter().collect();
            prop_assert_eq!(alive, kept);
        }
    }
}
