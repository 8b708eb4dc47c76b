//! The life of a client as a table: `(state, event, value, now) → (state, actions)`.
//!
//! Nothing here touches the browser, and nothing here is a text: requests, tokens and sessions stay in JavaScript,
//! and the table decides what becomes of them. `client.js` turns what happens into an [`Event`] and does what the
//! [`action`]s say, in the order of their bits. Times are in milliseconds since the Unix epoch.

use latchkey_protocol::{error::ErrorCode, events};

/// How often an open window is looked at. Browsers tell nobody when a window closes.
const LOOK_MS: f64 = 250.0;
/// How long after its window closed a response may still be on its way.
const GRACE_MS: f64 = 1_000.0;
/// A window that is gone this early, and never said that it is alive, was cut off by the browser.
const CUT_OFF_MS: f64 = 3_000.0;
/// How long the platform has, once it answered, to say whose token it is.
const ANSWERED_MS: f64 = 30_000.0;
/// How long the frame's own window may take; the frame counts for itself, and this is for a frame that is gone.
const FRAMES_OWN_MS: f64 = 600_000.0;
/// How long after a renewal was asked for the next one is tried.
const RENEW_AGAIN_MS: f64 = 30_000.0;
/// How long after the first one failed: where only the answer was lost, the platform repeats it for half a minute
/// (RFC 9700 §4.14.2), and calls it theft after that.
const RENEW_SOON_MS: f64 = 5_000.0;
/// How long a session outlives its token while a new one is asked for: after a sleep both ends of its time are over.
const RENEW_MS: f64 = 10_000.0;
/// How long a frame may say nothing once it has loaded.
const SILENT_MS: f64 = 3_000.0;
/// How long it may take to load, once the platform has answered: a line may be slow, and `init` has its time.
const LOADS_MS: f64 = 6_000.0;
/// How many prepared requests are kept; a frame that sends more is not heard.
const STOCK: u8 = 4;

events! {
    /// What can happen. Some events come with a value.
    ///
    /// `table.js` repeats the numbers, and a test compares.
    pub enum Event {
        /// The platform says that this site may use this application.
        Allowed = 0,
        /// The client cannot start: the platform refuses, or cannot be reached, or the page keeps the frame out.
        Refused = 1,
        /// The frame loaded, for the first time or anew: what it knew before is gone.
        FrameLoaded = 2,
        /// The frame answered the hello. 1 if it speaks this version.
        Welcome = 3,
        /// A request for the next sign-in is ready.
        Prepared = 4,
        /// The page asks to sign in; the person may take this many milliseconds.
        Login = 5,
        /// The window opened. 1 where it answers through a channel of the site's own: then it may look closed while it
        /// is open, since the browser cut it off.
        Opened = 6,
        /// The window did not open.
        Blocked = 7,
        /// The person clicked *Sign in* in the frame.
        SigningIn = 8,
        /// The page came back from the platform with a response.
        Returned = 9,
        /// The authorization response arrived; what follows no longer needs the window.
        Answered = 10,
        /// A sign-in succeeded: the session ends at this time.
        SignedIn = 11,
        /// The session goes on, with a new token: until this time.
        Renewed = 12,
        /// A sign-in ended without a session.
        Failed = 13,
        /// The page gives the sign-in up.
        Abort = 14,
        /// The page, or the person in the frame, signs out.
        SignOut = 15,
        /// The session is over, and not by this page's doing. 1 if there is a reason to report.
        Over = 16,
        /// The window said that it is there: from now on its being closed means something.
        Alive = 17,
        /// Time passed. 1 if the window looks closed.
        Tick = 18,
        /// The page wants no more of this client.
        Destroy = 19,
        /// Something keeps the frame out, and the client does without.
        FrameKeptOut = 20,
        /// The frame goes on with the session of somebody else than the page's.
        Swapped = 21,
        /// Asking for a new token brought none for the moment.
        Unrenewed = 22,
    }
}

/// What to do about it: one bit each, done from the lowest to the highest.
pub mod action {
    /// Keep the request that was offered.
    pub const KEEP: u32 = 1;
    /// `init` succeeded.
    pub const START: u32 = 1 << 1;
    /// `init` failed: take everything off the page.
    pub const STOP: u32 = 1 << 2;
    /// Open a window, or leave the page, with the last request kept; then say `Opened` or `Blocked`.
    pub const OPEN: u32 = 1 << 3;
    /// Open a window once more with the request that is out.
    pub const REOPEN: u32 = 1 << 4;
    /// Bring the open window to the front.
    pub const FOCUS: u32 = 1 << 5;
    /// Tell the frame that the window opened.
    pub const POST_BEGAN: u32 = 1 << 6;
    /// Tell the frame that the request is given up, and why.
    pub const POST_ENDED: u32 = 1 << 7;
    /// Tell the frame that there is no session.
    pub const POST_SIGNED_OUT: u32 = 1 << 8;
    /// Nothing left the page: the request serves in the next click.
    pub const RESTOCK: u32 = 1 << 9;
    /// Close the window, and forget its request.
    pub const CLOSE: u32 = 1 << 10;
    /// The session and the token that were offered are the client's.
    pub const TAKE: u32 = 1 << 11;
    /// The client has no session any more.
    pub const DROP: u32 = 1 << 12;
    /// The sign-in succeeded: settle who waits for it.
    pub const SETTLE: u32 = 1 << 13;
    /// The sign-in failed: reject who waits for it, or report where nobody does.
    pub const REJECT: u32 = 1 << 14;
    /// `state` or `session` changed.
    pub const CHANGED: u32 = 1 << 15;
    /// Tell the platform that the token the client had has served.
    pub const REVOKE_LAST: u32 = 1 << 16;
    /// Tell the platform that the token offered has served: nobody waits for it.
    pub const REVOKE_OFFER: u32 = 1 << 17;
    /// Say on the client what no promise says.
    pub const REPORT: u32 = 1 << 18;
    /// Ask for a new token.
    pub const RENEW: u32 = 1 << 19;
    /// With [`REJECT`]: it was the browser that cut the window off.
    pub const CUT_OFF: u32 = 1 << 20;
    /// With [`POST_SIGNED_OUT`]: nobody signed out, the session ran out.
    pub const RAN_OUT: u32 = 1 << 21;
    /// The request that is out is the frame's own, of which it told.
    pub const FOLLOW: u32 = 1 << 22;
    /// The frame says nothing: do without it where that is possible, and reject who waits for it where it is not.
    pub const UNHEARD: u32 = 1 << 23;

    /// Where the code of the failure stands, plus one; nothing there means the failure that came with the event.
    pub const CODE_SHIFT: u32 = 24;
}
use action::{
    CHANGED, CLOSE, CUT_OFF, DROP, FOCUS, FOLLOW, KEEP, OPEN, POST_BEGAN, POST_ENDED, POST_SIGNED_OUT,
    RAN_OUT, REJECT, RENEW, REOPEN, REPORT, RESTOCK, REVOKE_LAST, REVOKE_OFFER, SETTLE, START, STOP, TAKE,
    UNHEARD,
};

/// Where a client is.
#[derive(Debug, Default)]
pub struct State {
    stage: Stage,
    stock: u8,
    session: Option<Session>,
    /// The session ran out, and the frame may still bring it back.
    ran_out: bool,
    attempt: Option<Attempt>,
    /// The frame loaded anew, and may come back to a session that the browser has: this page's, or another tab's.
    resuming: bool,
    /// Until when the frame must have said something, where that is waited for.
    silent_at: Option<f64>,
}

#[derive(Debug, Default)]
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

#[derive(Debug, Clone, Copy)]
struct Session {
    expires_at: f64,
    renew_at: f64,
    /// Whether it outlives its token already, for a new one that was asked for.
    extended: bool,
    /// Whether asking failed.
    failed: bool,
}

/// A sign-in under way.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    /// Whether the page opened the window; else the frame did.
    is_own: bool,
    deadline: f64,
    opened_at: f64,
    closed_at: Option<f64>,
    answered: bool,
    alive: bool,
    by_channel: bool,
}

impl State {
    /// A client that has just begun to load.
    pub fn loading(framed: bool, deadline: f64) -> Self {
        Self { stage: Stage::Loading { deadline, allowed: false, welcomed: !framed }, ..Self::default() }
    }

    /// The state as the page sees it: `loading`, `signed-out`, `signing-in`, `signed-in`.
    pub fn name(&self) -> u8 {
        match (&self.stage, &self.attempt, &self.session) {
            (Stage::Loading { .. }, ..) => 0,
            (Stage::Ready | Stage::Ended, Some(_), _) => 2,
            (Stage::Ready | Stage::Ended, None, Some(_)) => 3,
            (Stage::Ready | Stage::Ended, None, None) => 1,
        }
    }

    /// Whether a response may still come for the window that this page opened.
    pub fn awaits(&self) -> bool {
        self.attempt.is_some_and(|attempt| attempt.is_own && !attempt.answered)
    }

    /// In how many milliseconds time matters next; infinity for never.
    pub fn wake_after(&self, now: f64) -> f64 {
        let silent_at = self.silent_at.unwrap_or(f64::INFINITY);
        match self.stage {
            Stage::Loading { deadline, allowed: true, .. } => return earlier(deadline, silent_at) - now,
            Stage::Loading { deadline, .. } => return deadline - now,
            Stage::Ended => return f64::INFINITY,
            Stage::Ready => {}
        }
        if self.attempt.is_some() {
            return LOOK_MS;
        }
        let ends_at = |session: Session| earlier(session.renew_at, session.expires_at);
        earlier(self.session.map_or(f64::INFINITY, ends_at), silent_at) - now
    }

    /// One step.
    pub fn step(&mut self, event: Event, value: f64, now: f64) -> u32 {
        match self.stage {
            Stage::Loading { .. } => self.load(event, value, now),
            Stage::Ready => self.run(event, value, now),
            Stage::Ended => match event {
                Event::Login | Event::Returned => reject(ErrorCode::Aborted),
                // A token that comes too late for anyone must not live on.
                Event::SignedIn | Event::Renewed | Event::Swapped => REVOKE_OFFER,
                _ => 0,
            },
        }
    }

    fn load(&mut self, event: Event, value: f64, now: f64) -> u32 {
        let Stage::Loading { deadline, allowed, welcomed } = &mut self.stage else { return 0 };
        let mut actions = 0;
        match event {
            Event::Allowed => {
                *allowed = true;
                if !*welcomed {
                    self.silent_at.get_or_insert(now + LOADS_MS);
                }
            }
            Event::Refused => return self.stop(0),
            Event::FrameLoaded | Event::FrameKeptOut => {
                *welcomed = event == Event::FrameKeptOut;
                self.stock = 0;
                self.silent_at = (!*welcomed).then_some(now + SILENT_MS);
                actions = if self.attempt.take().is_some() { CLOSE } else { 0 };
            }
            Event::Welcome if value > 0.0 => {
                *welcomed = true;
                self.silent_at = None;
            }
            Event::Welcome => return self.stop(failure(ErrorCode::ProtocolMismatch)),
            Event::Prepared => actions = self.keep(),
            // The frame comes back to the session it kept.
            Event::Renewed => actions = self.take(value, now),
            Event::Over => actions = self.over(0.0),
            Event::Swapped => actions = self.swapped(),
            Event::SignOut => actions = self.sign_out(),
            Event::Tick if now >= *deadline => {
                let code = if *allowed { ErrorCode::FrameBlocked } else { ErrorCode::Timeout };
                return self.stop(failure(code));
            }
            Event::Tick if *allowed => actions = self.listen(now),
            Event::Destroy => return self.stop(failure(ErrorCode::Aborted)),
            Event::Login => return reject(ErrorCode::InteractionInProgress),
            // The frame's own button needs no page that is ready.
            Event::SigningIn | Event::Answered | Event::SignedIn | Event::Failed => {
                actions = self.run(event, value, now);
            }
            Event::Tick
            | Event::Opened
            | Event::Blocked
            | Event::Returned
            | Event::Abort
            | Event::Alive
            | Event::Unrenewed => {}
        }
        if let Stage::Loading { allowed: true, welcomed: true, .. } = self.stage
            && self.stock > 0
        {
            self.stage = Stage::Ready;
            actions |= START | CHANGED;
        }
        actions
    }

    /// A session that came back meanwhile is the frame's to keep, for the next page view.
    fn stop(&mut self, failure: u32) -> u32 {
        *self = Self::default();
        STOP | DROP | failure
    }

    fn run(&mut self, event: Event, value: f64, now: f64) -> u32 {
        match event {
            Event::Prepared => {
                self.resuming = false;
                self.silent_at = None;
                self.keep()
            }
            Event::FrameLoaded => {
                self.stock = 0;
                self.resuming = true;
                self.silent_at = Some(now + SILENT_MS);
                self.end(failure(ErrorCode::Aborted))
            }
            Event::Login => self.login(value, now),
            Event::Opened => match &mut self.attempt {
                Some(attempt) => {
                    attempt.by_channel = value > 0.0;
                    attempt.opened_at = now;
                    attempt.closed_at = None;
                    POST_BEGAN | CHANGED
                }
                None => 0,
            },
            Event::Blocked => self.blocked(),
            Event::SigningIn if self.attempt.is_none() => {
                self.attempt = Some(Attempt::new(false, now, now + FRAMES_OWN_MS));
                FOLLOW | CHANGED
            }
            Event::Returned => {
                let attempt = Attempt::new(false, now, now + ANSWERED_MS);
                self.attempt = Some(Attempt { answered: true, ..attempt });
                CHANGED
            }
            Event::Answered => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.answered = true;
                    attempt.deadline = now + ANSWERED_MS;
                }
                0
            }
            Event::Alive => {
                if let Some(attempt) = &mut self.attempt {
                    attempt.alive = true;
                }
                0
            }
            Event::SignedIn if self.attempt.is_some() => {
                self.attempt = None;
                let last = if self.session.is_some() { REVOKE_LAST } else { 0 };
                CLOSE | self.take(value, now) | SETTLE | CHANGED | last
            }
            // After it loaded anew, as after a reload of the page: to refuse it would end it for every tab.
            Event::Renewed if self.session.is_some() || self.ran_out || self.resuming => {
                self.take(value, now) | CHANGED
            }
            // Given up or signed out meanwhile: nobody waits for this token, and it must not live on.
            Event::SignedIn | Event::Renewed => POST_SIGNED_OUT | REVOKE_OFFER,
            Event::Failed if self.attempt.is_some() => self.end(0),
            Event::Failed => REPORT,
            Event::Abort => self.end(failure(ErrorCode::Aborted)),
            Event::SignOut => self.sign_out(),
            Event::Over => self.over(value),
            Event::Swapped => self.swapped(),
            Event::Unrenewed => {
                self.unrenewed(now);
                0
            }
            Event::Tick => self.tick(value > 0.0, now),
            Event::Destroy => {
                let actions = self.end(failure(ErrorCode::Aborted));
                *self = Self::default();
                actions | DROP | CHANGED
            }
            // What it had prepared, it alone could have used.
            Event::FrameKeptOut => {
                self.stock = 0;
                self.silent_at = None;
                self.end(failure(ErrorCode::Aborted))
            }
            // It may still have to ask for its session before it prepares anything.
            Event::Welcome => {
                self.silent_at = None;
                0
            }
            // Two windows at once, and what only matters while loading.
            Event::SigningIn | Event::Allowed | Event::Refused => 0,
        }
    }

    /// Listens for the frame; tells once that it says nothing.
    fn listen(&mut self, now: f64) -> u32 {
        match self.silent_at.take_if(|silent_at| now >= *silent_at) {
            Some(_) => UNHEARD,
            None => 0,
        }
    }

    fn keep(&mut self) -> u32 {
        if self.stock >= STOCK {
            return 0;
        }
        self.stock += 1;
        KEEP
    }

    fn login(&mut self, limit: f64, now: f64) -> u32 {
        if let Some(attempt) = &self.attempt {
            // Cut off, the window cannot be brought to the front: who clicks again gets another one.
            let is_lost = attempt.by_channel && attempt.closed_at.is_some() && !attempt.answered;
            return if is_lost { REOPEN } else { FOCUS };
        }
        if self.stock == 0 {
            return reject(ErrorCode::InteractionInProgress);
        }
        self.stock -= 1;
        self.attempt = Some(Attempt::new(true, now, now + limit));
        OPEN
    }

    /// The frame says in words what happened.
    fn blocked(&mut self) -> u32 {
        // The window that is lost may still answer, whatever became of the one in its place.
        if self.attempt.is_some_and(|attempt| attempt.closed_at.is_some()) {
            return REPORT | failure(ErrorCode::PopupBlocked);
        }
        if self.attempt.take().is_none() {
            return 0;
        }
        self.stock += 1;
        POST_ENDED | RESTOCK | reject(ErrorCode::PopupBlocked)
    }

    fn take(&mut self, expires_at: f64, now: f64) -> u32 {
        let renew_at = now + (expires_at - now) * 0.8;
        self.session = Some(Session { expires_at, renew_at, extended: false, failed: false });
        self.ran_out = false;
        TAKE
    }

    /// The frame ends what it keeps, whether or not the page has a session: one that ran out could be back at the next
    /// page view.
    fn sign_out(&mut self) -> u32 {
        self.ran_out = false;
        self.resuming = false;
        // Who signs out wants nothing of a sign-in under way either.
        let ended = self.end(failure(ErrorCode::Aborted));
        let held = if self.session.take().is_some() { DROP | CHANGED | REVOKE_LAST } else { 0 };
        ended | POST_SIGNED_OUT | held
    }

    /// Ends the sign-in under way without a session. Who waits is settled before anyone is told: who is told may
    /// begin the next sign-in at once.
    fn end(&mut self, failure: u32) -> u32 {
        match self.attempt.take() {
            None => 0,
            // The frame closes the window that it opened itself, and wants nothing of it any more either.
            Some(_) => CLOSE | POST_ENDED | REJECT | CHANGED | failure,
        }
    }

    fn over(&mut self, reported: f64) -> u32 {
        self.ran_out = false;
        if self.session.take().is_none() {
            return 0;
        }
        // It may have ended at the platform, or only for this page.
        DROP | CHANGED | REVOKE_LAST | if reported > 0.0 { REPORT } else { 0 }
    }

    fn unrenewed(&mut self, now: f64) {
        if let Some(session) = &mut self.session
            && !core::mem::replace(&mut session.failed, true)
        {
            session.renew_at = now + RENEW_SOON_MS;
        }
    }

    /// Two people at once, on one page: neither session is what the page believes it to be.
    fn swapped(&mut self) -> u32 {
        let last = match self.session.take() {
            Some(_) => DROP | CHANGED | REVOKE_LAST | REPORT | failure(ErrorCode::SessionExpired),
            None => 0,
        };
        POST_SIGNED_OUT | REVOKE_OFFER | last
    }

    fn tick(&mut self, closed: bool, now: f64) -> u32 {
        let mut renew = 0;
        if let Some(session) = &mut self.session {
            if now >= session.renew_at {
                session.renew_at = now + RENEW_AGAIN_MS;
                // Once: who cannot ask at all is signed out in the end.
                if now + RENEW_MS > session.expires_at && !core::mem::replace(&mut session.extended, true) {
                    session.expires_at = now + RENEW_MS;
                }
                renew = RENEW;
            } else if now >= session.expires_at {
                self.session = None;
                self.ran_out = true;
                self.resuming = false;
                let ended = DROP | CHANGED | REPORT | failure(ErrorCode::SessionExpired);
                return POST_SIGNED_OUT | RAN_OUT | ended;
            }
        }
        renew | self.listen(now) | self.look(closed, now)
    }

    /// Looks at the sign-in under way.
    fn look(&mut self, closed: bool, now: f64) -> u32 {
        let Some(attempt) = &mut self.attempt else { return 0 };
        if now >= attempt.deadline {
            return self.end(failure(ErrorCode::Timeout));
        }
        if !closed || attempt.answered {
            return 0;
        }
        let closed_at = *attempt.closed_at.get_or_insert(now);
        // A window that answers through the site's own channel looks closed as soon as the browser cut it off, and
        // may be cut off late: by a page of the platform's own login.
        if attempt.by_channel || now - closed_at < GRACE_MS {
            return 0;
        }
        // Closed at once by the person, or cut off by the browser before it could say that it is alive: the two look the
        // same. Either way nothing comes any more, since what is cut off reaches no opener, so that waiting for its word
        // would only keep the person waiting. What it never said decides how the failure is told.
        let cut_off = !attempt.alive && closed_at - attempt.opened_at < CUT_OFF_MS;
        self.end(failure(ErrorCode::PopupClosed)) | if cut_off { CUT_OFF } else { 0 }
    }
}

impl Attempt {
    fn new(is_own: bool, now: f64, deadline: f64) -> Self {
        Self {
            is_own,
            deadline,
            opened_at: now,
            closed_at: None,
            answered: false,
            alive: false,
            by_channel: false,
        }
    }
}

const fn failure(code: ErrorCode) -> u32 {
    (code as u32 + 1) << action::CODE_SHIFT
}

const fn reject(code: ErrorCode) -> u32 {
    REJECT | failure(code)
}

/// Without the care that `f64::min` takes of what is not a number.
fn earlier(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use latchkey_protocol::numbered::{constants, name_of};
    use proptest::prelude::*;

    const LIMIT: f64 = 300_000.0;
    const EXPIRES_AT: f64 = 3_600_000.0;

    /// A client and the actions of its last event.
    struct Run(State, u32);

    impl Run {
        fn loading() -> Self {
            Self(State::loading(true, 10_000.0), 0)
        }

        fn ready() -> Self {
            Self::loading().at(1.0, Event::Allowed, 0.0).at(1.0, Event::Welcome, 1.0).at(
                1.0,
                Event::Prepared,
                0.0,
            )
        }

        /// A window is open since the time 1,000.
        fn open() -> Self {
            let run = Self::ready().at(1_000.0, Event::Login, LIMIT);
            run.is("signing-in", OPEN);
            run.at(1_000.0, Event::Opened, 0.0)
        }

        fn signed_in() -> Self {
            Self::open().at(2_000.0, Event::Answered, 0.0).at(2_000.0, Event::SignedIn, EXPIRES_AT)
        }

        /// Twice an hour's token later, and nothing brought another one.
        fn ran_out() -> Self {
            let run = Self::signed_in().at(2.0 * EXPIRES_AT, Event::Tick, 0.0);
            run.at(2.0 * EXPIRES_AT + RENEW_MS, Event::Tick, 0.0)
        }

        fn at(mut self, now: f64, event: Event, value: f64) -> Self {
            self.1 = self.0.step(event, value, now);
            self
        }

        fn name(&self) -> &'static str {
            ["loading", "signed-out", "signing-in", "signed-in"][usize::from(self.0.name())]
        }

        #[track_caller]
        fn is(&self, name: &str, actions: u32) {
            assert_eq!((self.name(), format!("{:b}", self.1)), (name, format!("{actions:b}")));
        }

        #[track_caller]
        fn ended_with(&self, code: ErrorCode) {
            self.is("signed-out", CLOSE | POST_ENDED | CHANGED | reject(code));
        }
    }

    #[test]
    fn init_succeeds_once_the_site_is_allowed_and_the_frame_has_sent_a_request() {
        let run = Run::loading().at(1.0, Event::Welcome, 1.0).at(1.0, Event::Prepared, 0.0);
        run.is("loading", KEEP);
        run.at(1.0, Event::Allowed, 0.0).is("signed-out", START | CHANGED);
        Run::loading().at(1.0, Event::Allowed, 0.0).at(1.0, Event::Prepared, 0.0).is("loading", KEEP);
        Run::ready().is("signed-out", KEEP | START | CHANGED);
    }

    #[test]
    fn a_client_without_a_frame_waits_for_none() {
        let run = Run(State::loading(false, 10_000.0), 0).at(1.0, Event::Prepared, 0.0);
        run.at(1.0, Event::Allowed, 0.0).is("signed-out", START | CHANGED);
    }

    #[test]
    fn a_frame_that_the_page_keeps_out_is_done_without() {
        let run = Run::loading().at(1.0, Event::Allowed, 0.0).at(2.0, Event::FrameKeptOut, 0.0);
        run.is("loading", 0);
        run.at(3.0, Event::Prepared, 0.0).is("signed-out", KEEP | START | CHANGED);
        let run = Run::ready().at(3.0, Event::FrameKeptOut, 0.0);
        run.is("signed-out", 0);
        // What it prepared is no request that the page could answer for.
        run.at(4.0, Event::Login, LIMIT).is("signed-out", reject(ErrorCode::InteractionInProgress));
        Run::open().at(2_000.0, Event::FrameKeptOut, 0.0).ended_with(ErrorCode::Aborted);
    }

    #[test]
    fn a_frame_that_says_nothing_is_told_once_and_only_when_the_platform_has_answered() {
        let run = Run::loading().at(100.0, Event::FrameLoaded, 0.0).at(5_000.0, Event::Tick, 0.0);
        run.is("loading", 0);
        assert_eq!(run.0.wake_after(5_000.0), 5_000.0, "it is the platform that is waited for");
        let run = run.at(5_000.0, Event::Allowed, 0.0);
        assert!(run.0.wake_after(5_000.0) <= 0.0);
        run.at(5_000.0, Event::Tick, 0.0).is("loading", UNHEARD);
        let run = Run::loading().at(100.0, Event::Allowed, 0.0).at(200.0, Event::FrameLoaded, 0.0);
        assert_eq!(run.0.wake_after(200.0), SILENT_MS);
        let run = run.at(3_199.0, Event::Tick, 0.0);
        run.is("loading", 0);
        let run = run.at(3_200.0, Event::Tick, 0.0);
        run.is("loading", UNHEARD);
        let run = run.at(9_001.0, Event::Tick, 0.0);
        run.is("loading", 0);
        // Who goes on without it is ready in time.
        let run = run.at(9_002.0, Event::FrameKeptOut, 0.0).at(9_003.0, Event::Prepared, 0.0);
        run.is("signed-out", KEEP | START | CHANGED);
        // One that does not even load has longer.
        let run = Run::loading().at(100.0, Event::Allowed, 0.0);
        assert_eq!(run.0.wake_after(100.0), LOADS_MS);
        let run = run.at(2.0, Event::Welcome, 1.0);
        run.at(9_000.0, Event::Tick, 0.0).is("loading", 0);
        let run = Run::ready().at(20_000.0, Event::FrameLoaded, 0.0);
        assert_eq!(run.0.wake_after(20_000.0), SILENT_MS);
        run.at(23_000.0, Event::Tick, 0.0).is("signed-out", UNHEARD);
        for (event, value) in [(Event::Prepared, 0.0), (Event::Welcome, 1.0), (Event::FrameKeptOut, 0.0)] {
            let run = Run::ready().at(20_000.0, Event::FrameLoaded, 0.0).at(20_001.0, event, value);
            assert_eq!(run.0.wake_after(20_001.0), f64::INFINITY);
        }
    }

    #[test]
    fn init_fails_with_what_stood_in_its_way() {
        let stop = |code| STOP | DROP | failure(code);
        Run::loading().at(1.0, Event::Welcome, 0.0).is("signed-out", stop(ErrorCode::ProtocolMismatch));
        Run::loading().at(1.0, Event::Refused, 0.0).is("signed-out", STOP | DROP);
        let run = Run::loading().at(9_999.0, Event::Tick, 0.0);
        run.is("loading", 0);
        run.at(10_000.0, Event::Tick, 0.0).is("signed-out", stop(ErrorCode::Timeout));
        let run = Run::loading().at(1.0, Event::Allowed, 0.0);
        run.at(10_000.0, Event::Tick, 0.0).is("signed-out", stop(ErrorCode::FrameBlocked));
        Run::loading().at(1.0, Event::Destroy, 0.0).is("signed-out", stop(ErrorCode::Aborted));
    }

    #[test]
    fn a_client_that_never_started_sleeps_for_ever_whatever_came_back_meanwhile() {
        let run = Run::loading().at(1.0, Event::Renewed, 2.0).at(3.0, Event::Refused, 0.0);
        run.is("signed-out", STOP | DROP);
        assert_eq!(run.0.wake_after(4.0), f64::INFINITY);
    }

    #[test]
    fn a_session_that_the_frame_kept_is_there_when_init_succeeds() {
        let run = Run::loading().at(1.0, Event::Allowed, 0.0).at(1.0, Event::Welcome, 1.0);
        let run = run.at(2.0, Event::Renewed, EXPIRES_AT);
        run.is("loading", TAKE);
        run.at(3.0, Event::Prepared, 0.0).is("signed-in", KEEP | START | CHANGED);
    }

    #[test]
    fn a_sign_in_opens_a_window_tells_the_frame_and_settles_with_the_session() {
        Run::open().is("signing-in", POST_BEGAN | CHANGED);
        Run::signed_in().is("signed-in", CLOSE | TAKE | SETTLE | CHANGED);
    }

    #[test]
    fn a_request_serves_one_window_only() {
        let run = Run::open().at(2_000.0, Event::Failed, 0.0);
        run.is("signed-out", CLOSE | POST_ENDED | REJECT | CHANGED);
        run.at(3_000.0, Event::Login, LIMIT).is("signed-out", reject(ErrorCode::InteractionInProgress));
    }

    #[test]
    fn a_blocked_window_leaves_its_request_for_the_next_click() {
        let run = Run::ready().at(1.0, Event::Login, LIMIT).at(1.0, Event::Blocked, 0.0);
        run.is("signed-out", POST_ENDED | RESTOCK | reject(ErrorCode::PopupBlocked));
        run.at(2.0, Event::Login, LIMIT).is("signing-in", OPEN);
    }

    #[test]
    fn a_second_login_brings_the_window_to_the_front() {
        Run::open().at(2_000.0, Event::Login, LIMIT).is("signing-in", FOCUS);
    }

    #[test]
    fn a_response_belongs_to_the_open_window_and_comes_once() {
        assert!(!Run::ready().0.awaits());
        let run = Run::open();
        assert!(run.0.awaits());
        assert!(!run.at(2_000.0, Event::Answered, 0.0).0.awaits());
        assert!(!Run::signed_in().0.awaits());
        assert!(!Run::ready().at(1.0, Event::SigningIn, 0.0).0.awaits());
    }

    #[test]
    fn a_closed_window_ends_the_sign_in_after_a_grace() {
        let run = Run::open().at(1_200.0, Event::Alive, 0.0).at(1_250.0, Event::Tick, 1.0);
        run.is("signing-in", 0);
        let run = run.at(2_249.0, Event::Tick, 1.0);
        run.is("signing-in", 0);
        run.at(2_250.0, Event::Tick, 1.0).ended_with(ErrorCode::PopupClosed);
    }

    #[test]
    fn a_response_in_flight_wins_over_the_closed_window() {
        let run = Run::open().at(9_000.0, Event::Tick, 1.0).at(9_500.0, Event::Answered, 0.0);
        let run = run.at(20_000.0, Event::Tick, 1.0);
        run.is("signing-in", 0);
        assert_eq!(run.at(21_000.0, Event::SignedIn, EXPIRES_AT).name(), "signed-in");
    }

    #[test]
    fn a_window_that_is_gone_at_once_and_never_lived_was_cut_off() {
        let cut_off = CLOSE | POST_ENDED | CHANGED | CUT_OFF | reject(ErrorCode::PopupClosed);
        let run = Run::open().at(1_250.0, Event::Tick, 1.0);
        run.at(2_250.0, Event::Tick, 1.0).is("signed-out", cut_off);
        let run = Run::open().at(4_000.0, Event::Tick, 1.0);
        run.at(5_000.0, Event::Tick, 1.0).ended_with(ErrorCode::PopupClosed);
    }

    #[test]
    fn a_window_that_answers_by_channel_may_look_closed_until_its_time_is_over() {
        let open = || Run::ready().at(1_000.0, Event::Login, LIMIT).at(1_000.0, Event::Opened, 1.0);
        let run = open().at(1_250.0, Event::Alive, 0.0).at(1_250.0, Event::Tick, 1.0).at(
            90_000.0,
            Event::Tick,
            1.0,
        );
        run.is("signing-in", 0);
        run.at(301_000.0, Event::Tick, 1.0).ended_with(ErrorCode::Timeout);
        open().at(2_000.0, Event::Login, LIMIT).is("signing-in", FOCUS);
        let run = open().at(2_000.0, Event::Tick, 1.0).at(3_000.0, Event::Login, LIMIT);
        run.is("signing-in", REOPEN);
        let run = run.at(3_000.0, Event::Opened, 1.0);
        run.is("signing-in", POST_BEGAN | CHANGED);
        run.at(3_100.0, Event::Login, LIMIT).is("signing-in", FOCUS);
        let lost = || open().at(2_000.0, Event::Tick, 1.0);
        let run = lost().at(3_000.0, Event::Login, LIMIT).at(3_000.0, Event::Blocked, 0.0);
        run.is("signing-in", REPORT | failure(ErrorCode::PopupBlocked));
        assert!(run.0.awaits(), "the first window may still answer");
        let run = run.at(4_000.0, Event::Login, LIMIT);
        run.is("signing-in", REOPEN);
        let run = run.at(4_000.0, Event::Blocked, 0.0).at(5_000.0, Event::Answered, 0.0);
        assert_eq!(run.at(5_000.0, Event::SignedIn, EXPIRES_AT).name(), "signed-in");
        let answered = lost().at(2_500.0, Event::Answered, 0.0);
        answered.at(3_000.0, Event::Login, LIMIT).is("signing-in", FOCUS);
    }

    #[test]
    fn a_sign_in_has_its_time() {
        let run = Run::ready().at(1_000.0, Event::Login, 5_000.0).at(1_000.0, Event::Opened, 0.0);
        let run = run.at(5_999.0, Event::Tick, 0.0);
        run.is("signing-in", 0);
        run.at(6_000.0, Event::Tick, 0.0).ended_with(ErrorCode::Timeout);
    }

    #[test]
    fn a_frame_that_answered_and_fell_silent_runs_out_of_time() {
        let run = Run::open().at(2_000.0, Event::Answered, 0.0);
        run.at(32_000.0, Event::Tick, 1.0).ended_with(ErrorCode::Timeout);
    }

    #[test]
    fn an_abort_closes_the_window() {
        Run::open().at(2_000.0, Event::Abort, 0.0).ended_with(ErrorCode::Aborted);
        Run::ready().at(2_000.0, Event::Abort, 0.0).is("signed-out", 0);
    }

    #[test]
    fn a_token_that_comes_after_the_sign_in_was_given_up_is_revoked() {
        let unwanted = POST_SIGNED_OUT | REVOKE_OFFER;
        let run = Run::open().at(2_000.0, Event::Abort, 0.0);
        run.at(2_001.0, Event::SignedIn, EXPIRES_AT).is("signed-out", unwanted);
        let run = Run::open().at(2_000.0, Event::Destroy, 0.0);
        run.at(2_001.0, Event::SignedIn, EXPIRES_AT).is("signed-out", REVOKE_OFFER);
        Run::loading().at(2.0, Event::SignedIn, EXPIRES_AT).is("loading", unwanted);
    }

    #[test]
    fn a_new_token_that_comes_after_the_sign_out_is_revoked() {
        let run = Run::signed_in().at(3_000.0, Event::SignOut, 0.0);
        run.at(3_001.0, Event::Renewed, EXPIRES_AT).is("signed-out", POST_SIGNED_OUT | REVOKE_OFFER);
    }

    #[test]
    fn the_frames_own_button_signs_in_too() {
        let run = Run::ready().at(1.0, Event::SigningIn, 0.0);
        run.is("signing-in", FOLLOW | CHANGED);
        assert_eq!(run.at(2.0, Event::SignedIn, EXPIRES_AT).name(), "signed-in");
        Run::ready().at(1.0, Event::Failed, 0.0).is("signed-out", REPORT);
        Run::open().at(1_100.0, Event::SigningIn, 0.0).is("signing-in", 0);
        let run = Run::ready().at(1.0, Event::SigningIn, 0.0).at(2.0, Event::Abort, 0.0);
        run.ended_with(ErrorCode::Aborted);
    }

    #[test]
    fn a_click_on_the_frames_own_button_counts_before_init_has_succeeded() {
        let run = Run::loading().at(1.0, Event::Welcome, 1.0).at(1.0, Event::Prepared, 0.0);
        let run = run.at(2.0, Event::SigningIn, 0.0);
        run.is("loading", FOLLOW | CHANGED);
        let ready = run.at(3.0, Event::Allowed, 0.0);
        ready.is("signing-in", START | CHANGED);
        assert_eq!(ready.at(4.0, Event::SignedIn, EXPIRES_AT).name(), "signed-in");
        let clicked = || {
            let run = Run::loading().at(1.0, Event::Welcome, 1.0).at(1.0, Event::Prepared, 0.0);
            run.at(2.0, Event::SigningIn, 0.0)
        };
        let run = clicked().at(3.0, Event::Answered, 0.0).at(4.0, Event::SignedIn, EXPIRES_AT);
        run.is("loading", CLOSE | TAKE | SETTLE | CHANGED);
        run.at(5.0, Event::Allowed, 0.0).is("signed-in", START | CHANGED);
        let run = clicked().at(3.0, Event::Failed, 0.0);
        run.is("loading", CLOSE | POST_ENDED | REJECT | CHANGED);
        run.at(5.0, Event::Allowed, 0.0).is("signed-out", START | CHANGED);
        let run = clicked().at(3.0, Event::FrameLoaded, 0.0);
        run.is("loading", CLOSE);
        let run = run.at(4.0, Event::Allowed, 0.0);
        run.at(4.0, Event::Welcome, 1.0)
            .at(4.0, Event::Prepared, 0.0)
            .is("signed-out", KEEP | START | CHANGED);
        clicked().at(9.0, Event::Refused, 0.0).is("signed-out", STOP | DROP);
    }

    #[test]
    fn a_frame_that_loads_anew_has_forgotten_its_requests() {
        Run::open().at(2_000.0, Event::FrameLoaded, 0.0).ended_with(ErrorCode::Aborted);
        let run = Run::ready().at(2_000.0, Event::FrameLoaded, 0.0).at(2_000.0, Event::Login, LIMIT);
        run.is("signed-out", reject(ErrorCode::InteractionInProgress));
        assert_eq!(Run::signed_in().at(3_000.0, Event::FrameLoaded, 0.0).name(), "signed-in");
    }

    #[test]
    fn a_frame_that_loads_anew_may_come_back_to_a_session() {
        let loaded = || Run::ready().at(2_000.0, Event::FrameLoaded, 0.0);
        let run = loaded().at(2_001.0, Event::Renewed, EXPIRES_AT);
        run.is("signed-in", TAKE | CHANGED);
        run.at(2_002.0, Event::Prepared, 0.0).is("signed-in", KEEP);
        // From its first request on it is known that there was none.
        let run = loaded().at(2_001.0, Event::Prepared, 0.0);
        run.at(2_002.0, Event::Renewed, EXPIRES_AT).is("signed-out", POST_SIGNED_OUT | REVOKE_OFFER);
        let run = Run::signed_in().at(3_000.0, Event::FrameLoaded, 0.0).at(3_001.0, Event::SignOut, 0.0);
        run.at(3_002.0, Event::Renewed, EXPIRES_AT).is("signed-out", POST_SIGNED_OUT | REVOKE_OFFER);
    }

    #[test]
    fn a_frame_that_floods_the_stock_is_not_heard() {
        let mut run = Run::ready();
        for _ in 1..STOCK {
            run = run.at(1.0, Event::Prepared, 0.0);
            run.is("signed-out", KEEP);
        }
        run.at(1.0, Event::Prepared, 0.0).is("signed-out", 0);
    }

    #[test]
    fn signing_out_drops_the_session_at_once_and_revokes_its_token() {
        let run = Run::signed_in().at(3_000.0, Event::SignOut, 0.0);
        run.is("signed-out", POST_SIGNED_OUT | DROP | CHANGED | REVOKE_LAST);
        run.at(3_001.0, Event::SignOut, 0.0).is("signed-out", POST_SIGNED_OUT);
        // Nor is anybody to be signed in a moment later.
        let ended = CLOSE | POST_ENDED | REJECT | CHANGED | failure(ErrorCode::Aborted);
        Run::open().at(3_000.0, Event::SignOut, 0.0).is("signed-out", ended | POST_SIGNED_OUT);
    }

    #[test]
    fn who_signs_out_after_the_session_ran_out_or_before_init_succeeded_is_signed_out_all_the_same() {
        let run = Run::signed_in().at(EXPIRES_AT + 1.0, Event::Tick, 0.0);
        let run = run.at(EXPIRES_AT + 2.0, Event::SignOut, 0.0);
        run.is("signed-out", POST_SIGNED_OUT | DROP | CHANGED | REVOKE_LAST);
        let run = Run::ran_out().at(3.0 * EXPIRES_AT, Event::SignOut, 0.0);
        run.is("signed-out", POST_SIGNED_OUT);
        run.at(3.0 * EXPIRES_AT, Event::Renewed, 4.0 * EXPIRES_AT)
            .is("signed-out", POST_SIGNED_OUT | REVOKE_OFFER);
        let run = Run::loading().at(1.0, Event::Renewed, EXPIRES_AT).at(2.0, Event::SignOut, 0.0);
        run.is("loading", POST_SIGNED_OUT | DROP | CHANGED | REVOKE_LAST);
    }

    #[test]
    fn a_session_that_ran_out_may_come_back_while_nobody_has_signed_out() {
        let run = Run::ran_out().at(3.0 * EXPIRES_AT, Event::Renewed, 4.0 * EXPIRES_AT);
        run.is("signed-in", TAKE | CHANGED);
        let run = Run::ran_out().at(3.0 * EXPIRES_AT, Event::Over, 1.0);
        run.is("signed-out", 0);
        run.at(3.0 * EXPIRES_AT, Event::Renewed, 4.0 * EXPIRES_AT)
            .is("signed-out", POST_SIGNED_OUT | REVOKE_OFFER);
    }

    #[test]
    fn a_session_that_ends_elsewhere_is_dropped_and_its_reason_told() {
        let dropped = DROP | CHANGED | REVOKE_LAST;
        Run::signed_in().at(3_000.0, Event::Over, 0.0).is("signed-out", dropped);
        Run::signed_in().at(3_000.0, Event::Over, 1.0).is("signed-out", dropped | REPORT);
        Run::ready().at(3_000.0, Event::Over, 1.0).is("signed-out", 0);
    }

    #[test]
    fn a_new_session_revokes_the_one_it_replaces_and_a_renewed_one_does_not() {
        let run =
            Run::signed_in().at(3_000.0, Event::SigningIn, 0.0).at(3_000.0, Event::SignedIn, EXPIRES_AT);
        run.is("signed-in", CLOSE | TAKE | SETTLE | CHANGED | REVOKE_LAST);
        run.at(4_000.0, Event::Renewed, 2.0 * EXPIRES_AT).is("signed-in", TAKE | CHANGED);
    }

    #[test]
    fn somebody_else_s_session_is_no_renewal() {
        let both = POST_SIGNED_OUT | REVOKE_OFFER;
        let over = both | DROP | CHANGED | REVOKE_LAST | REPORT | failure(ErrorCode::SessionExpired);
        Run::signed_in().at(3_000.0, Event::Swapped, EXPIRES_AT).is("signed-out", over);
        Run::ready().at(3_000.0, Event::Swapped, EXPIRES_AT).is("signed-out", both);
        let run = Run::loading().at(2.0, Event::Renewed, EXPIRES_AT).at(3.0, Event::Swapped, EXPIRES_AT);
        run.is("loading", over);
    }

    #[test]
    fn a_session_is_renewed_before_it_ends_and_again_where_that_failed() {
        let run = Run::signed_in();
        let renew_at = 2_000.0 + (EXPIRES_AT - 2_000.0) * 0.8;
        assert_eq!(run.0.wake_after(2_000.0), renew_at - 2_000.0);
        let run = run.at(renew_at - 1.0, Event::Tick, 0.0);
        run.is("signed-in", 0);
        let run = run.at(renew_at, Event::Tick, 0.0);
        run.is("signed-in", RENEW);
        let run = run.at(renew_at + 1.0, Event::Tick, 0.0);
        run.is("signed-in", 0);
        run.at(renew_at + RENEW_AGAIN_MS, Event::Tick, 0.0).is("signed-in", RENEW);
    }

    #[test]
    fn a_renewal_that_fails_is_tried_again_while_the_platform_repeats_its_answer() {
        let renew_at = 2_000.0 + (EXPIRES_AT - 2_000.0) * 0.8;
        let run = Run::signed_in().at(renew_at, Event::Tick, 0.0).at(renew_at, Event::Unrenewed, 0.0);
        run.is("signed-in", 0);
        assert_eq!(run.0.wake_after(renew_at), RENEW_SOON_MS);
        let again = renew_at + RENEW_SOON_MS;
        let run = run.at(again, Event::Tick, 0.0);
        run.is("signed-in", RENEW);
        let run = run.at(again, Event::Unrenewed, 0.0);
        assert_eq!(run.0.wake_after(again), RENEW_AGAIN_MS, "from then on with patience");
        // Once there is a token all is as before.
        let run = run.at(again, Event::Renewed, 2.0 * EXPIRES_AT).at(2.0 * EXPIRES_AT, Event::Tick, 0.0);
        let run = run.at(2.0 * EXPIRES_AT, Event::Unrenewed, 0.0);
        assert_eq!(run.0.wake_after(2.0 * EXPIRES_AT), RENEW_SOON_MS);
        Run::ready().at(1.0, Event::Unrenewed, 0.0).is("signed-out", 0);
    }

    #[test]
    fn a_session_that_cannot_be_renewed_ends_however_often_it_is_tried() {
        let mut run = Run::signed_in().at(5.0 * EXPIRES_AT, Event::Tick, 0.0);
        run = run.at(5.0 * EXPIRES_AT + 1_000.0, Event::Unrenewed, 0.0);
        run = run.at(5.0 * EXPIRES_AT + 6_000.0, Event::Tick, 0.0).at(
            5.0 * EXPIRES_AT + 7_000.0,
            Event::Unrenewed,
            0.0,
        );
        run.is("signed-in", 0);
        let run = run.at(5.0 * EXPIRES_AT + RENEW_MS, Event::Tick, 0.0);
        assert_eq!(run.name(), "signed-out");
    }

    #[test]
    fn a_session_ends_when_its_token_expires() {
        let over = POST_SIGNED_OUT | RAN_OUT | DROP | CHANGED | REPORT | failure(ErrorCode::SessionExpired);
        let run = Run::signed_in().at(EXPIRES_AT - 20_000.0, Event::Tick, 1.0);
        run.is("signed-in", RENEW);
        assert_eq!(run.0.wake_after(EXPIRES_AT - 1.0), 1.0);
        let run = run.at(EXPIRES_AT - 1.0, Event::Tick, 1.0);
        run.is("signed-in", 0);
        run.at(EXPIRES_AT, Event::Tick, 1.0).is("signed-out", over);
    }

    #[test]
    fn a_session_that_ran_out_while_the_machine_slept_is_renewed_first() {
        let woken = 5.0 * EXPIRES_AT;
        let run = Run::signed_in().at(woken, Event::Tick, 1.0);
        run.is("signed-in", RENEW);
        assert_eq!(run.0.wake_after(woken), RENEW_MS);
        let run = run.at(woken + RENEW_MS, Event::Tick, 1.0);
        assert_eq!(run.name(), "signed-out");
        let run =
            Run::signed_in().at(woken, Event::Tick, 1.0).at(woken + 1.0, Event::Renewed, woken + EXPIRES_AT);
        run.is("signed-in", TAKE | CHANGED);
    }

    #[test]
    fn a_failed_second_sign_in_leaves_the_first_session() {
        let run = Run::signed_in().at(3_000.0, Event::SigningIn, 0.0);
        assert_eq!(run.name(), "signing-in");
        assert_eq!(run.at(3_500.0, Event::Failed, 0.0).name(), "signed-in");
    }

    #[test]
    fn a_destroyed_client_rejects_what_is_pending_and_what_comes_after() {
        let run = Run::open().at(2_000.0, Event::Destroy, 0.0);
        run.is("signed-out", CLOSE | POST_ENDED | CHANGED | DROP | reject(ErrorCode::Aborted));
        run.at(3_000.0, Event::Login, LIMIT).is("signed-out", reject(ErrorCode::Aborted));
        let run = Run::signed_in().at(3_000.0, Event::Destroy, 0.0);
        run.is("signed-out", DROP | CHANGED);
        assert_eq!(run.0.wake_after(3_000.0), f64::INFINITY);
    }

    #[test]
    fn the_numbers_are_those_of_the_javascript() {
        let actions = [
            ("KEEP", KEEP),
            ("START", START),
            ("STOP", STOP),
            ("OPEN", OPEN),
            ("REOPEN", REOPEN),
            ("FOCUS", FOCUS),
            ("POST_BEGAN", POST_BEGAN),
            ("POST_ENDED", POST_ENDED),
            ("POST_SIGNED_OUT", POST_SIGNED_OUT),
            ("RESTOCK", RESTOCK),
            ("CLOSE", CLOSE),
            ("TAKE", TAKE),
            ("DROP", DROP),
            ("SETTLE", SETTLE),
            ("REJECT", REJECT),
            ("CHANGED", CHANGED),
            ("REVOKE_LAST", REVOKE_LAST),
            ("REVOKE_OFFER", REVOKE_OFFER),
            ("REPORT", REPORT),
            ("RENEW", RENEW),
            ("CUT_OFF", CUT_OFF),
            ("RAN_OUT", RAN_OUT),
            ("FOLLOW", FOLLOW),
            ("UNHEARD", UNHEARD),
        ];
        let events = Event::ALL.iter().map(|event| (name_of(event), *event as u32));
        let expected: Vec<_> = events.chain(actions.map(|(name, bit)| (name.to_owned(), bit))).collect();
        assert_eq!(constants(include_str!("../table.js")), expected);
    }

    #[test]
    fn the_codes_and_their_hints_are_those_of_the_javascript() {
        // A hint that is too long for the line stands on the next one.
        let script = include_str!("../errors.js").replace(":\n    ", ": ");
        let written: Vec<(&str, String)> = script
            .lines()
            .skip_while(|line| !line.starts_with("const HINTS"))
            .take_while(|line| *line != "};")
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix("\",")?.split_once(": \""))
            .map(|(code, hint)| (code, hint.replace("\\\"", "\"")))
            .collect();
        let expected: Vec<_> =
            ErrorCode::ALL.iter().map(|code| (code.as_str(), code.hint().to_owned())).collect();
        assert_eq!(written, expected);
    }

    fn any_event() -> impl Strategy<Value = (Event, f64)> {
        let events = prop::sample::select(Event::ALL.to_vec());
        (events, prop::bool::ANY).prop_map(|(event, yes)| {
            let value = match event {
                Event::Login => LIMIT,
                Event::SignedIn | Event::Renewed | Event::Swapped => EXPIRES_AT,
                _ => f64::from(u8::from(yes)),
            };
            (event, value)
        })
    }

    proptest! {
        #[test]
        fn whatever_happens_a_sign_in_that_was_begun_is_settled(events in prop::collection::vec(any_event(), 0..60)) {
            let (mut run, mut now, mut waiting) = (Run::loading(), 0.0, false);
            for (event, value) in events {
                now += 100.0;
                run = run.at(now, event, value);
                waiting |= event == Event::Login || event == Event::Returned && run.name() == "signing-in";
                waiting &= run.1 & (SETTLE | REJECT) == 0;
            }
            for _ in 0..4 {
                now += 2.0 * FRAMES_OWN_MS;
                run = run.at(now, Event::Tick, 1.0);
                waiting &= run.1 & (SETTLE | REJECT) == 0;
            }
            prop_assert!(!waiting);
            prop_assert!(run.0.attempt.is_none());
        }

        #[test]
        fn whatever_happens_init_is_settled_once(events in prop::collection::vec(any_event(), 0..60)) {
            let (mut run, mut settled) = (Run::loading(), 0);
            for (event, value) in events {
                run = run.at(1.0, event, value);
                settled += (run.1 & (START | STOP)).count_ones();
            }
            settled += (run.at(1e9, Event::Tick, 0.0).1 & (START | STOP)).count_ones();
            prop_assert_eq!(settled, 1);
        }

        #[test]
        fn whatever_happens_time_that_matters_changes_something(events in prop::collection::vec(any_event(), 0..60)) {
            let (mut run, mut now) = (Run::loading(), 0.0);
            for (event, value) in events {
                now += 100.0;
                run = run.at(now, event, value);
            }
            // Who is woken and finds nothing to do sleeps again: or it would be woken at once, again and again.
            for _ in 0..20 {
                let wait = run.0.wake_after(now);
                if wait.is_infinite() {
                    break;
                }
                now += wait.max(0.0);
                let before = format!("{:?}", run.0);
                run = run.at(now, Event::Tick, 1.0);
                prop_assert!(run.0.wake_after(now) > 0.0 || before != format!("{:?}", run.0), "{before}");
            }
        }

        #[test]
        fn no_token_of_a_sign_in_is_ever_dropped_alive(events in prop::collection::vec(any_event(), 0..60)) {
            // What the page holds, and what lives: the numbers stand for tokens.
            let (mut run, mut held, mut alive) = (Run::ready(), None, Vec::new());
            for (offer, (event, value)) in events.into_iter().enumerate() {
                // Who destroys a client keeps its session at the platform; a renewed token follows the one before.
                if matches!(event, Event::Destroy | Event::Renewed | Event::Tick) {
                    continue;
                }
                run = run.at(1_000.0, event, value);
                if matches!(event, Event::SignedIn | Event::Swapped) {
                    alive.push(offer);
                }
                let last = held;
                if run.1 & TAKE != 0 {
                    held = Some(offer);
                }
                if run.1 & DROP != 0 {
                    held = None;
                }
                if run.1 & REVOKE_LAST != 0 {
                    alive.retain(|token| Some(*token) != last);
                }
                if run.1 & REVOKE_OFFER != 0 {
                    alive.retain(|token| *token != offer);
                }
            }
            prop_assert_eq!(alive, held.into_iter().collect::<Vec<_>>());
        }
    }
}
