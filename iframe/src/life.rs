//! The life of a session as a table: `(state, event, now) → (state, actions)`.
//!
//! Nothing here touches the browser, and no token is here: tokens and sessions stay in JavaScript, and the table decides
//! what becomes of them, whichever of all that was asked for comes back first. `session.js` says what happened, as an
//! [`Event`], and does what the [`action`]s say. Times are in milliseconds since the Unix epoch.

use latchkey_protocol::{error::ErrorCode, events};

/// How long a page waits, at most, for a session that may come back.
const RESUME_MS: f64 = 5_000.0;
/// How long, at most, the page is not told of a sign-in while the frame's own session is being made: whoever goes on to
/// another page then finds it there.
const TELL_MS: f64 = 2_000.0;
/// Which part of a token's lifetime passes before the next one is asked for.
const RENEW_AT: f64 = 0.8;
/// How long after a renewal that failed for the moment the next one is tried. The first time it is soon: where only the
/// answer was lost, the platform repeats it for half a minute (RFC 9700 §4.14.2), and calls it theft after that.
const SOON_MS: f64 = 5_000.0;
/// How long from the second time on.
const AGAIN_MS: f64 = 30_000.0;

events! {
    /// What can happen. Some events come with a time at which a token expires, some with [`flag`]s.
    ///
    /// `table.js` repeats the numbers, and a test compares.
    pub enum Event {
        /// A page said hello: whatever was before is over for it.
        Greeted = 0,
        /// A response came, and what it opens is being asked for.
        Taking = 1,
        /// The token of a response is there, and whose it is.
        Came = 2,
        /// The platform made the frame's own session.
        Opened = 3,
        /// Another token of the same sign-in is there.
        Renewed = 4,
        /// Another tab's came while this one waited for its turn.
        Shared = 5,
        /// Asking for another token brought none, and a code says why.
        Unrenewed = 6,
        /// Another tab says that somebody signed in there, or that their sign-in goes on.
        TabRenewed = 7,
        /// Another tab says that the session is over.
        TabEnded = 8,
        /// The person clicked *Sign out* here.
        Leaving = 9,
        /// The page has no session any more.
        SignedOut = 10,
        /// The platform does not take the token any more.
        Refused = 11,
        /// Time passed, or the page came into view again.
        Tick = 12,
        /// The page hands over the session it has.
        Handed = 13,
        /// The platform says whose the token is that the page handed over.
        Adopted = 14,
        /// What a response opens was asked for in vain, and a code says why.
        Failed = 15,
        /// The page wants nothing any more of the sign-in whose response came last.
        GivenUp = 16,
        /// The platform did not make the frame's own session.
        Unopened = 17,
    }
}

/// What an event says besides.
pub mod flag {
    /// With `Greeted`: the browser may have the cookie of a session.
    pub const MARKED: u32 = 1;
    /// With `Greeted`: the frame keeps the token, and the page never sees it.
    pub const KEEPS: u32 = 2;
    /// A refresh token came along.
    pub const REFRESH: u32 = 4;
    /// The cookie brought it.
    pub const COOKIE: u32 = 8;
    /// It is of the person and the organization that are signed in.
    pub const SAME: u32 = 16;
    /// The response brought the handle of a session of the frame's own.
    pub const HANDLE: u32 = 32;
    /// With `Greeted`: the browser may have the cookie of a session whose token somebody else held, the page in the place
    /// of the frame or the frame in the place of the page.
    pub const OTHERWISE: u32 = 64;
    /// With `Handed`: the person signed in just now.
    pub const REPLACES: u32 = 128;
    /// With `SignedOut`: nobody signed out, the page's token ran out.
    pub const EXPIRED: u32 = 256;
}
use flag::{COOKIE, EXPIRED, HANDLE, KEEPS, MARKED, OTHERWISE, REFRESH, REPLACES, SAME};

/// What to do about it: one bit each. `session.js` does them first, and the core the last four, in the order of the bits.
pub mod action {
    /// Revoke what was offered: it came too late.
    pub const DISCARD: u32 = 1 << 1;
    /// What was offered is who is signed in.
    pub const TAKE: u32 = 1 << 2;
    /// Nobody is signed in: forget the token, and whatever was shown or under way with it.
    pub const FORGET: u32 = 1 << 3;
    /// Tell the page that somebody signed in.
    pub const POST_SIGNED_IN: u32 = 1 << 4;
    /// Tell the page that the sign-in goes on with another token.
    pub const POST_RENEWED: u32 = 1 << 5;
    /// Tell the other tabs of the token.
    pub const TELL_RENEWED: u32 = 1 << 6;
    /// Tell the other tabs that the session is over.
    pub const TELL_ENDED: u32 = 1 << 7;
    /// Make the frame's own session of the handle.
    pub const OPEN: u32 = 1 << 8;
    /// Note in this browser that there may be a session.
    pub const MARK: u32 = 1 << 9;
    /// Note that there is none.
    pub const UNMARK: u32 = 1 << 10;
    /// End the frame's own session at the platform.
    pub const CLOSE: u32 = 1 << 11;
    /// Revoke the refresh token, and with it whatever came of the sign-in.
    pub const REVOKE_REFRESH: u32 = 1 << 12;
    /// Revoke the access token.
    pub const REVOKE_TOKEN: u32 = 1 << 13;
    /// Ask for another token.
    pub const ASK: u32 = 1 << 14;
    /// Ask whose the token is that the page handed over.
    pub const ADOPT: u32 = 1 << 15;
    /// End the session at the platform whose token somebody else held, and note that there is none.
    pub const CLOSE_OTHERWISE: u32 = 1 << 16;
    /// Show that nobody is signed in.
    pub const SHOW_OUT: u32 = 1 << 17;
    /// Tell the page that the session is over.
    pub const POST_ENDED: u32 = 1 << 18;
    /// Tell the page that the sign-in failed.
    pub const POST_FAILED: u32 = 1 << 19;
    /// Hand out the requests that are owed.
    pub const OFFER: u32 = 1 << 20;
}
use action::{
    ADOPT, ASK, CLOSE, CLOSE_OTHERWISE, DISCARD, FORGET, MARK, OFFER, OPEN, POST_ENDED, POST_FAILED,
    POST_RENEWED, POST_SIGNED_IN, REVOKE_REFRESH, REVOKE_TOKEN, SHOW_OUT, TAKE, TELL_ENDED, TELL_RENEWED,
    UNMARK,
};

/// What is said with an event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Said {
    /// [`flag`]s.
    pub flags: u32,
    /// When the token expires.
    pub expires_at: f64,
    /// The turn in which what comes back was asked for: see [`Life::turn`], or [`Life::attempt`] for what comes of a
    /// response.
    pub turn: u32,
    /// Why.
    pub code: Option<ErrorCode>,
}

/// Who is signed in, as far as time and order go.
#[derive(Debug, Default)]
pub struct Life {
    held: Option<Held>,
    /// Counts the sessions that began and ended: whoever comes back to another number comes too late.
    turn: u32,
    /// Counts the responses, likewise.
    attempt: u32,
    /// How far the last response has come.
    taking: Taking,
    /// The frame keeps the token.
    keeps: bool,
    /// Whether the browser may have a cookie of the frame's, whoever is signed in.
    marked: bool,
    /// Until when it is waited for a session that may come back. Before that is over the page gets no request.
    resume_until: Option<f64>,
    renewing: bool,
    /// Until when the page is not told that somebody signed in. It does not know the token until then.
    untold_until: Option<f64>,
    /// The person clicked *Sign out* here.
    leaving: bool,
    /// The page handed its session over, and it is not known yet whether the frame has one of its own.
    handed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Taking {
    /// Nothing came, or nothing came of it.
    #[default]
    Nothing,
    /// What it opens is being asked for.
    Asked,
    /// The session there is came of it.
    Taken,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    expires_at: f64,
    /// When the next token is asked for; infinity where nothing brings one.
    renew_at: f64,
    /// Whether asking for it failed for the moment.
    again: bool,
    /// Whether the browser has the cookie.
    cookie: bool,
    /// Whether there is what brings the next token where no cookie does.
    refresh: bool,
    /// The session is the page's own, which looks after it.
    adopted: bool,
}

impl Held {
    fn new(said: Said, now: f64) -> Self {
        let Said { flags, expires_at, .. } = said;
        let (cookie, refresh) = (flags & COOKIE > 0, flags & REFRESH > 0);
        let renew_at = f64::INFINITY;
        Self { expires_at, renew_at, again: false, cookie, refresh, adopted: false }.planned(now)
    }

    /// With the next renewal planned, where something may bring a token.
    fn planned(self, now: f64) -> Self {
        let is_renewable = self.cookie || self.refresh;
        let renew_at = if is_renewable { now + (self.expires_at - now) * RENEW_AT } else { f64::INFINITY };
        Self { renew_at, ..self }
    }
}

impl Life {
    /// The turn that it is: whoever asks for something says it again with the answer.
    pub fn turn(&self) -> u32 {
        self.turn
    }

    /// The number of the last response, for whoever asks what it opens.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether it is still open if a session comes back.
    pub fn is_resuming(&self) -> bool {
        self.resume_until.is_some()
    }

    /// Whether the cookie may bring another token.
    pub fn tries_cookie(&self) -> bool {
        self.held.is_none_or(|held| held.cookie)
    }

    /// In how many milliseconds time matters next; infinity for never.
    pub fn wake_after(&self, now: f64) -> f64 {
        let renew_at = self.held.filter(|_| !self.renewing).map(|held| held.renew_at);
        self.untold_until.or(self.resume_until).or(renew_at).unwrap_or(f64::INFINITY) - now
    }

    /// One step.
    pub fn step(&mut self, event: Event, said: Said, now: f64) -> u32 {
        let is_late = said.turn != self.turn;
        let is_unwanted = said.turn != self.attempt || self.taking != Taking::Asked;
        match event {
            Event::Greeted => self.greet(said.flags, now),
            Event::Taking => {
                self.attempt = self.attempt.wrapping_add(1);
                self.taking = Taking::Asked;
                0
            }
            Event::Came if is_unwanted => DISCARD,
            Event::Failed if is_unwanted => 0,
            Event::Failed => {
                self.taking = Taking::Nothing;
                POST_FAILED
            }
            Event::GivenUp => self.given_up(now),
            Event::Came => {
                // Nothing of the sign-in before it comes back, whether a session is made of this one or not.
                let before = self.held.map_or(0, |held| self.revoke(held)) | self.close();
                self.next_turn();
                self.taking = Taking::Taken;
                let told = if said.flags & HANDLE > 0 {
                    self.untold_until = Some(now + TELL_MS);
                    // It may come to be there after the page is left, or with an answer that nobody hears.
                    self.marked = true;
                    OPEN
                } else {
                    POST_SIGNED_IN
                };
                before | self.take(Held::new(said, now)) | told | TELL_RENEWED | self.end_resuming()
            }
            // Signed out meanwhile.
            Event::Opened if is_late => CLOSE,
            Event::Opened => {
                self.held = self.held.map(|held| Held { cookie: true, ..held }.planned(now));
                self.marked = true;
                MARK | self.tell()
            }
            Event::Unopened if is_late => 0,
            Event::Unopened => self.tell(),
            // Nobody will have it. One that a cookie brought is revoked alone, since the session may be wanted yet.
            Event::Renewed if is_late => DISCARD,
            Event::Shared | Event::Unrenewed | Event::Adopted if is_late => 0,
            Event::Renewed => self.renewed(said, now),
            Event::Shared => {
                self.renewing = false;
                self.end_resuming()
            }
            Event::Unrenewed => self.unrenewed(said.code, now),
            Event::TabRenewed => self.tab_renewed(said, now),
            Event::TabEnded if self.held.is_some() => {
                // Who said so ended what the cookie stood on.
                self.marked = false;
                self.let_go() | self.over()
            }
            // Who is signed out here stays so until the page is loaded again.
            Event::TabEnded => 0,
            // The page does not know whom it would sign out.
            Event::Leaving if self.untold_until.is_some() => self.sign_out(false, now) | POST_FAILED,
            Event::Leaving => {
                self.leaving = true;
                0
            }
            // It is of the session before, which has made room.
            Event::SignedOut if self.untold_until.is_some() => 0,
            Event::SignedOut => self.sign_out(said.flags & EXPIRED > 0, now),
            Event::Refused if self.held.is_some() => {
                // With a cookie the next page view asks again.
                let revoke = if self.marked { 0 } else { self.let_go() & REVOKE_REFRESH };
                revoke | self.over()
            }
            Event::Refused => 0,
            Event::Tick => self.tick(now),
            Event::Handed => self.handed(said.flags),
            Event::Adopted if self.has_own() => 0,
            Event::Adopted => {
                let held = Held::new(Said { flags: 0, ..said }, now);
                self.take(Held { adopted: true, ..held })
            }
        }
    }

    fn next_turn(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        if self.taking == Taking::Taken {
            self.taking = Taking::Nothing;
        }
        self.renewing = false;
        self.handed = false;
        self.untold_until = None;
    }

    /// The page is told, if it is not yet.
    fn tell(&mut self) -> u32 {
        if self.untold_until.take().is_some() { POST_SIGNED_IN } else { 0 }
    }

    fn greet(&mut self, flags: u32, now: f64) -> u32 {
        self.next_turn();
        self.taking = Taking::Nothing;
        self.held = None;
        self.leaving = false;
        self.keeps = flags & KEEPS > 0;
        self.marked = flags & MARKED > 0;
        self.resume_until = self.marked.then_some(now + RESUME_MS);
        // Who holds the token is the session's for good: with another hello nobody gets at it.
        let close = if flags & OTHERWISE > 0 { CLOSE_OTHERWISE } else { 0 };
        FORGET | close | if self.marked { ASK } else { SHOW_OUT | OFFER }
    }

    fn take(&mut self, held: Held) -> u32 {
        self.leaving = false;
        self.marked |= held.cookie;
        self.held = Some(held);
        TAKE
    }

    /// It is known whether a session is back, or it was waited for long enough.
    fn end_resuming(&mut self) -> u32 {
        if self.resume_until.take().is_none() {
            return 0;
        }
        if self.held.is_some() {
            return OFFER;
        }
        // The page's is the next best.
        let adopts = if core::mem::take(&mut self.handed) { ADOPT } else { 0 };
        SHOW_OUT | OFFER | adopts
    }

    fn renewed(&mut self, said: Said, now: f64) -> u32 {
        let is_back = self.is_resuming();
        if !is_back && !core::mem::take(&mut self.renewing) {
            // Waited for no longer.
            return DISCARD;
        }
        // Somebody else signed in meanwhile, in another tab.
        if !is_back && said.flags & SAME == 0 {
            return DISCARD | self.let_go() | self.over();
        }
        self.take(Held::new(said, now)) | POST_RENEWED | TELL_RENEWED | self.end_resuming()
    }

    fn unrenewed(&mut self, code: Option<ErrorCode>, now: f64) -> u32 {
        let is_final = code.is_some_and(is_final);
        let is_nobody = code == Some(ErrorCode::LoginRequired);
        if self.is_resuming() {
            // A platform that did not answer is asked again by the next page view.
            let unmark = if is_final || is_nobody { self.unmark() } else { 0 };
            return unmark | self.end_resuming();
        }
        if !core::mem::take(&mut self.renewing) {
            return 0;
        }
        self.marked &= !is_nobody;
        if is_final {
            return self.unmark() | TELL_ENDED | self.over();
        }
        self.held = self.held.map(|held| {
            if is_nobody {
                // The browser keeps no such cookie: the token lasts as long as it lasts.
                Held { cookie: false, ..held }.planned(now)
            } else {
                let wait = if held.again { AGAIN_MS } else { SOON_MS };
                Held { renew_at: now + wait, again: true, ..held }
            }
        });
        0
    }

    fn unmark(&mut self) -> u32 {
        self.marked = false;
        UNMARK
    }

    fn tab_renewed(&mut self, said: Said, now: f64) -> u32 {
        match self.held {
            Some(_) if said.flags & SAME == 0 => self.let_go() | self.over(),
            None if !self.is_resuming() => 0,
            held => {
                // A refresh token is kept; a token alone is not needed any more.
                let before = held.map_or(0, |held| self.revoke(held)) & REVOKE_TOKEN;
                let kept = if held.is_some_and(|held| held.refresh) { REFRESH } else { 0 };
                let said = Said { flags: COOKIE | kept, ..said };
                // Who is not told yet that somebody signed in is told with this one.
                let post = if self.untold_until.is_some() { 0 } else { POST_RENEWED };
                before | self.take(Held::new(said, now)) | post | self.end_resuming()
            }
        }
    }

    /// Ends what lives on of the session, whose page is told that it is over: nobody else will. What a cookie brings is
    /// for the tab that has the word now.
    fn let_go(&self) -> u32 {
        match self.held {
            Some(Held { refresh: false, cookie: false, adopted: false, .. }) => REVOKE_TOKEN,
            Some(held) => self.revoke(held),
            None => 0,
        }
    }

    /// The session is over, and the page did not end it.
    fn over(&mut self) -> u32 {
        let failed = if self.untold_until.is_some() { POST_FAILED } else { 0 };
        self.next_turn();
        self.held = None;
        FORGET | SHOW_OUT | POST_ENDED | failed
    }

    fn sign_out(&mut self, expired: bool, now: f64) -> u32 {
        let was_leaving = core::mem::take(&mut self.leaving);
        if expired && !was_leaving {
            return self.run_out(now);
        }
        let shown = FORGET | SHOW_OUT | if self.resume_until.take().is_some() { OFFER } else { 0 };
        let held = self.held.take();
        let revoke = held.map_or(0, |held| self.revoke(held));
        self.next_turn();
        // What ran out before, or is only being waited for, would be back at the next page view.
        let close = self.close();
        // The page's own session is no other tab's, and none that was noted.
        if held.is_none_or(|held| held.adopted) && close == 0 {
            return shown;
        }
        shown | TELL_ENDED | UNMARK | close | revoke
    }

    /// Ends what a cookie could bring back.
    fn close(&mut self) -> u32 {
        if core::mem::take(&mut self.marked) { CLOSE | UNMARK } else { 0 }
    }

    /// Ends what would live on of a session that is let go: all of a sign-in goes with its cookie, or its refresh token.
    fn revoke(&self, held: Held) -> u32 {
        match held {
            // The page's is the page's to revoke, and so is an access token that the page knows.
            Held { adopted: true, .. } => 0,
            Held { refresh: true, .. } => REVOKE_REFRESH,
            Held { cookie: false, .. } if self.keeps || self.untold_until.is_some() => REVOKE_TOKEN,
            Held { .. } => 0,
        }
    }

    fn given_up(&mut self, now: f64) -> u32 {
        match core::mem::take(&mut self.taking) {
            Taking::Nothing | Taking::Asked => 0,
            // The page heard of it too late to want it, and there is nothing else that it could go back to.
            Taking::Taken => self.sign_out(false, now) | POST_ENDED,
        }
    }

    /// The page's token ran out while nothing could be asked for. Nobody has signed out: the next page view asks again.
    fn run_out(&mut self, now: f64) -> u32 {
        // The next one is on its way to the page, or may be.
        if self.is_resuming() || self.held.is_some_and(|held| now < held.expires_at) {
            return 0;
        }
        self.next_turn();
        // What only this page knows would be known to nobody.
        let is_lost = self.held.take().is_some_and(|held| held.refresh && !held.cookie);
        FORGET | SHOW_OUT | if is_lost { REVOKE_REFRESH } else { 0 }
    }

    fn tick(&mut self, now: f64) -> u32 {
        if self.resume_until.is_some_and(|until| now >= until) {
            return self.end_resuming();
        }
        if let Some(until) = self.untold_until {
            return if now >= until { self.tell() } else { 0 };
        }
        let is_due = self.held.is_some_and(|held| now >= held.renew_at);
        if !is_due || self.renewing {
            return 0;
        }
        self.renewing = true;
        ASK
    }

    /// Whether there is a session that is not the page's.
    fn has_own(&self) -> bool {
        self.held.is_some_and(|held| !held.adopted)
    }

    fn handed(&mut self, flags: u32) -> u32 {
        // A page that never sees a token has none to hand over.
        if self.keeps {
            return 0;
        }
        if flags & REPLACES > 0 {
            return ADOPT | self.make_room();
        }
        // A session of the frame's own is worth more than what the page had already.
        if self.has_own() {
            return 0;
        }
        self.handed = self.is_resuming();
        if self.handed { 0 } else { ADOPT }
    }

    /// Somebody signed in in the page: whatever session the frame has is not theirs, or not the one they mean.
    fn make_room(&mut self) -> u32 {
        if !self.has_own() && !self.marked {
            return 0;
        }
        let revoke = self.held.take().map_or(0, |held| self.revoke(held));
        self.next_turn();
        let offer = if self.resume_until.take().is_some() { OFFER } else { 0 };
        FORGET | SHOW_OUT | TELL_ENDED | UNMARK | self.close() | revoke | offer
    }
}

/// Whether asking again brings nothing.
fn is_final(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::SessionExpired | ErrorCode::MembershipRequired | ErrorCode::OriginNotAllowed)
}

#[cfg(test)]
mod tests {
    use latchkey_protocol::numbered::{constants, name_of};

    use super::*;

    const HOUR: f64 = 3_600_000.0;
    const LATE: f64 = HOUR * 0.8;

    /// A table, with a clock that starts at 0.
    struct Table(Life);

    impl Table {
        fn greeted(flags: u32) -> Self {
            let mut table = Self(Life::default());
            table.at(0.0, Event::Greeted, flags);
            table
        }

        /// Somebody signed in, in a response that brought these.
        fn signed_in(flags: u32) -> Self {
            let mut table = Self::greeted(0);
            table.now(Event::Taking, 0);
            table.now(Event::Came, flags);
            table
        }

        /// Somebody signed in, and the frame's own session is being made.
        fn opening(flags: u32) -> Self {
            let mut table = Self::greeted(0);
            table.now(Event::Taking, 0);
            assert_eq!(table.now(Event::Came, flags | HANDLE), TAKE | TELL_RENEWED | OPEN);
            table
        }

        /// With the frame's own session, an hour's token, and a renewal under way.
        fn renewing(flags: u32) -> Self {
            let mut table = Self::opening(flags);
            assert_eq!(table.now(Event::Opened, 0), MARK | POST_SIGNED_IN);
            assert_eq!(table.at(LATE, Event::Tick, 0), ASK);
            table
        }

        fn now(&mut self, event: Event, flags: u32) -> u32 {
            self.at(0.0, event, flags)
        }

        fn at(&mut self, now: f64, event: Event, flags: u32) -> u32 {
            let of_response = matches!(event, Event::Came | Event::Failed);
            let turn = if of_response { self.0.attempt() } else { self.0.turn() };
            self.0.step(event, Said { flags, expires_at: HOUR, turn, code: None }, now)
        }

        fn failed(&mut self, now: f64, code: ErrorCode) -> u32 {
            let said = Said { turn: self.0.turn(), code: Some(code), ..Said::default() };
            self.0.step(Event::Unrenewed, said, now)
        }

        /// What was asked for in the turn before this one.
        fn late(&mut self, event: Event) -> u32 {
            let turn = self.0.turn().wrapping_sub(1);
            self.0.step(event, Said { flags: SAME | COOKIE, expires_at: HOUR, turn, code: None }, 0.0)
        }
    }

    const OVER: u32 = FORGET | SHOW_OUT | POST_ENDED;

    #[test]
    fn a_page_without_a_session_gets_its_request_at_once() {
        let mut table = Table(Life::default());
        assert_eq!(table.now(Event::Greeted, 0), FORGET | SHOW_OUT | OFFER);
        assert!(!table.0.is_resuming() && table.0.wake_after(0.0).is_infinite());
    }

    #[test]
    fn a_session_whose_token_somebody_else_held_is_closed_and_does_not_come_back() {
        for keeps in [0, KEEPS] {
            let mut table = Table(Life::default());
            let closed = FORGET | CLOSE_OTHERWISE;
            assert_eq!(table.now(Event::Greeted, keeps | OTHERWISE), closed | SHOW_OUT | OFFER);
            assert!(!table.0.is_resuming());
            assert_eq!(table.now(Event::Greeted, keeps | OTHERWISE | MARKED), closed | ASK);
        }
    }

    #[test]
    fn a_session_that_comes_back_is_told_before_the_first_request() {
        let mut table = Table(Life::default());
        assert_eq!(table.now(Event::Greeted, MARKED), FORGET | ASK);
        assert!(table.0.is_resuming() && table.0.tries_cookie());
        let back = TAKE | POST_RENEWED | TELL_RENEWED | OFFER;
        assert_eq!(table.now(Event::Renewed, COOKIE), back);
        assert!(!table.0.is_resuming());
        assert_eq!(table.0.wake_after(0.0), LATE);
    }

    #[test]
    fn a_session_that_does_not_come_back_is_waited_for_five_seconds() {
        let mut table = Table::greeted(MARKED);
        assert_eq!(table.at(RESUME_MS - 1.0, Event::Tick, 0), 0);
        assert_eq!(table.0.wake_after(RESUME_MS - 1.0), 1.0);
        assert_eq!(table.at(RESUME_MS, Event::Tick, 0), SHOW_OUT | OFFER);
        assert_eq!(table.at(RESUME_MS, Event::Renewed, COOKIE), DISCARD, "waited for no longer");
    }

    #[test]
    fn a_mark_without_a_session_is_taken_away_and_one_that_was_not_asked_about_stays() {
        for code in ErrorCode::ALL {
            let is_gone = is_final(*code) || *code == ErrorCode::LoginRequired;
            let expected = if is_gone { UNMARK } else { 0 } | SHOW_OUT | OFFER;
            assert_eq!(Table::greeted(MARKED).failed(1.0, *code), expected, "{code:?}");
        }
    }

    #[test]
    fn a_sign_in_is_told_once_its_handle_became_a_session() {
        let told = TAKE | POST_SIGNED_IN | TELL_RENEWED;
        let mut table = Table::opening(0);
        assert_eq!(table.now(Event::Opened, 0), MARK | POST_SIGNED_IN);
        assert_eq!(table.0.wake_after(0.0), LATE);
        assert_eq!(Table::signed_in(REFRESH).0.wake_after(0.0), LATE);
        let mut table = Table::signed_in(REFRESH);
        table.now(Event::Taking, 0);
        assert_eq!(table.now(Event::Came, 0), told | REVOKE_REFRESH);
    }

    #[test]
    fn a_sign_in_whose_session_does_not_open_is_told_all_the_same_and_once() {
        let mut table = Table::opening(0);
        assert_eq!(table.now(Event::Unopened, 0), POST_SIGNED_IN);
        assert!(table.0.wake_after(0.0).is_infinite(), "nothing brings another token");
        let mut table = Table::opening(0);
        assert_eq!(table.0.wake_after(0.0), TELL_MS);
        assert_eq!(table.at(TELL_MS - 1.0, Event::Tick, 0), 0);
        assert_eq!(table.at(TELL_MS, Event::Tick, 0), POST_SIGNED_IN);
        assert_eq!(table.at(TELL_MS, Event::Tick, 0), 0);
        assert_eq!(table.at(TELL_MS, Event::Opened, 0), MARK);
        assert_eq!(Table::opening(0).late(Event::Unopened), 0);
    }

    #[test]
    fn nothing_that_is_said_of_the_session_before_ends_a_sign_in_that_is_not_told_yet() {
        for flags in [0, EXPIRED] {
            let mut table = Table::opening(0);
            assert_eq!(table.now(Event::SignedOut, flags), 0);
            assert_eq!(table.now(Event::Opened, 0), MARK | POST_SIGNED_IN);
        }
        let mut table = Table::opening(0);
        assert_eq!(table.now(Event::TabRenewed, SAME), TAKE | REVOKE_TOKEN, "it is told of this one");
        assert_eq!(table.now(Event::Opened, 0), MARK | POST_SIGNED_IN);
    }

    #[test]
    fn a_sign_in_that_ends_before_it_is_told_fails_and_does_not_live_on() {
        let ended = FORGET | SHOW_OUT | TELL_ENDED | UNMARK;
        for (event, flags, actions) in [
            (Event::Leaving, 0, ended | CLOSE | REVOKE_TOKEN | POST_FAILED),
            (Event::GivenUp, 0, ended | CLOSE | REVOKE_TOKEN | POST_ENDED),
            (Event::TabEnded, 0, OVER | REVOKE_TOKEN | POST_FAILED),
            (Event::TabRenewed, 0, OVER | REVOKE_TOKEN | POST_FAILED),
            (Event::Refused, 0, OVER | POST_FAILED),
            (Event::Handed, REPLACES, ended | CLOSE | REVOKE_TOKEN | ADOPT),
        ] {
            let mut table = Table::opening(0);
            assert_eq!(table.now(event, flags), actions, "{event:?}");
            assert_eq!(table.late(Event::Opened), CLOSE, "{event:?}");
        }
        // The page never knew its token.
        let mut table = Table::opening(0);
        table.now(Event::Taking, 0);
        let other = TAKE | POST_SIGNED_IN | TELL_RENEWED;
        assert_eq!(table.now(Event::Came, 0), other | REVOKE_TOKEN | UNMARK | CLOSE);
    }

    #[test]
    fn a_sign_in_leaves_nothing_alive_of_the_one_before_it() {
        let told = TAKE | POST_SIGNED_IN | TELL_RENEWED;
        let opens = TAKE | TELL_RENEWED | OPEN | UNMARK | CLOSE;
        let again = |mut table: Table, flags| {
            table.now(Event::Taking, 0);
            table.now(Event::Came, flags)
        };
        let keeping = |flags| {
            let mut table = Table::greeted(KEEPS);
            table.now(Event::Taking, 0);
            table.now(Event::Came, flags);
            table
        };
        assert_eq!(again(Table::signed_in(0), 0), told, "the page revokes its token");
        assert_eq!(again(keeping(0), 0), told | REVOKE_TOKEN);
        assert_eq!(again(keeping(REFRESH), 0), told | REVOKE_REFRESH);
        assert_eq!(
            again(Table::renewing(0), 0),
            told | UNMARK | CLOSE,
            "nothing takes the place of the cookie"
        );
        assert_eq!(again(Table::renewing(0), HANDLE), opens);
        let mut opened = keeping(HANDLE);
        opened.now(Event::Opened, 0);
        assert_eq!(again(opened, HANDLE), opens, "with it goes the token");
        // One that may come back, and was not waited for.
        assert_eq!(again(Table::greeted(MARKED), HANDLE), opens | OFFER);
        let mut handed = Table::greeted(0);
        handed.now(Event::Adopted, 0);
        assert_eq!(again(handed, 0), told, "the page's own is the page's");
    }

    #[test]
    fn what_comes_after_its_turn_changes_nothing_and_does_not_live_on() {
        for (event, actions) in [
            (Event::Opened, CLOSE),
            (Event::Renewed, DISCARD),
            (Event::Shared, 0),
            (Event::Unrenewed, 0),
            (Event::Adopted, 0),
        ] {
            let mut table = Table::signed_in(0);
            table.now(Event::SignedOut, 0);
            assert_eq!(table.late(event), actions, "{event:?}");
            assert!(table.0.held.is_none(), "{event:?}");
        }
        let mut table = Table::greeted(0);
        table.now(Event::Taking, 0);
        table.now(Event::Taking, 0);
        let turn = table.0.attempt().wrapping_sub(1);
        let first = Said { expires_at: HOUR, turn, ..Said::default() };
        assert_eq!(table.0.step(Event::Failed, first, 0.0), 0, "of two responses the later one counts");
        assert_eq!(table.0.step(Event::Came, first, 0.0), DISCARD);
        assert_eq!(table.now(Event::Came, 0), TAKE | POST_SIGNED_IN | TELL_RENEWED);
        assert_eq!(table.now(Event::Came, 0), DISCARD, "and comes once");
    }

    #[test]
    fn a_sign_in_that_the_page_gave_up_is_nobody_s() {
        let mut table = Table::signed_in(REFRESH);
        table.now(Event::Taking, 0);
        assert_eq!(table.now(Event::GivenUp, 0), 0);
        assert_eq!(table.now(Event::Failed, 0), 0, "who gave up is told nothing");
        assert_eq!(table.now(Event::Came, 0), DISCARD);
        assert!(table.0.held.is_some(), "the session before it stays");
        // Told of it in the moment in which it was given up.
        let mut table = Table::signed_in(REFRESH);
        let ended = FORGET | SHOW_OUT | TELL_ENDED | UNMARK | REVOKE_REFRESH | POST_ENDED;
        assert_eq!(table.now(Event::GivenUp, 0), ended);
        assert_eq!(table.now(Event::GivenUp, 0), 0);
        let mut table = Table::signed_in(REFRESH);
        table.now(Event::SignedOut, 0);
        assert_eq!(table.now(Event::GivenUp, 0), 0, "it is over already");
    }

    #[test]
    fn a_response_whose_session_does_not_open_is_told_once() {
        let mut table = Table::greeted(0);
        assert_eq!(table.now(Event::Failed, 0), 0, "nothing came");
        table.now(Event::Taking, 0);
        assert_eq!(table.now(Event::Failed, 0), POST_FAILED);
        assert_eq!(table.now(Event::Failed, 0), 0);
        assert_eq!(table.now(Event::GivenUp, 0), 0);
    }

    #[test]
    fn neither_a_renewal_nor_a_sign_out_stands_in_the_way_of_a_sign_in() {
        let told = TAKE | POST_SIGNED_IN | TELL_RENEWED;
        let mut table = Table::renewing(0);
        table.at(LATE, Event::Taking, 0);
        assert_eq!(table.at(LATE, Event::Renewed, SAME | COOKIE), TAKE | POST_RENEWED | TELL_RENEWED);
        assert_eq!(table.at(LATE, Event::Came, 0) & told, told);
        let mut table = Table::signed_in(0);
        table.now(Event::Taking, 0);
        table.now(Event::SignedOut, 0);
        assert_eq!(table.now(Event::Came, 0), told);
        let mut table = Table::signed_in(0);
        table.now(Event::Taking, 0);
        table.now(Event::Greeted, 0);
        assert_eq!(table.now(Event::Came, 0), DISCARD, "another page asked for it");
    }

    #[test]
    fn a_token_is_asked_for_once_when_four_fifths_of_its_time_are_over() {
        let mut table = Table::signed_in(REFRESH);
        assert_eq!(table.at(LATE - 1.0, Event::Tick, 0), 0);
        assert_eq!(table.at(LATE, Event::Tick, 0), ASK);
        assert_eq!(table.at(LATE, Event::Tick, 0), 0);
        assert!(table.0.wake_after(LATE).is_infinite(), "the answer is waited for");
        let said = Said { flags: COOKIE | SAME, expires_at: 2.0 * HOUR, turn: table.0.turn(), code: None };
        assert_eq!(table.0.step(Event::Renewed, said, HOUR), TAKE | POST_RENEWED | TELL_RENEWED);
        assert_eq!(table.0.wake_after(HOUR), LATE);
    }

    #[test]
    fn another_person_s_token_is_no_renewal() {
        assert_eq!(Table::renewing(0).at(LATE, Event::Renewed, COOKIE), OVER | DISCARD);
    }

    #[test]
    fn another_tab_s_token_is_enough() {
        let mut table = Table::renewing(0);
        assert_eq!(table.at(LATE, Event::TabRenewed, SAME), TAKE | POST_RENEWED);
        assert_eq!(table.at(LATE, Event::Shared, 0), 0);
        assert_eq!(table.at(HOUR, Event::Tick, 0), ASK, "the next one is asked for again");
        assert_eq!(Table::renewing(0).at(LATE, Event::TabRenewed, 0), OVER, "somebody else signed in");
        assert_eq!(Table::greeted(MARKED).now(Event::TabRenewed, 0), TAKE | POST_RENEWED | OFFER);
        assert_eq!(Table::greeted(0).now(Event::TabRenewed, 0), 0, "who is signed out here stays so");
    }

    #[test]
    fn a_renewal_that_fails_is_final_or_tried_again_or_given_up() {
        assert_eq!(
            Table::renewing(0).failed(LATE, ErrorCode::MembershipRequired),
            UNMARK | TELL_ENDED | OVER
        );
        let mut table = Table::renewing(0);
        assert_eq!(table.failed(LATE, ErrorCode::NetworkError), 0);
        assert_eq!(table.0.wake_after(LATE), SOON_MS, "in time for what the platform repeats");
        assert_eq!(table.at(LATE + SOON_MS, Event::Tick, 0), ASK);
        assert_eq!(table.failed(LATE, ErrorCode::NetworkError), 0);
        assert_eq!(table.0.wake_after(LATE), AGAIN_MS);
        assert_eq!(table.at(LATE + AGAIN_MS, Event::Tick, 0), ASK);
        assert_eq!(table.failed(LATE, ErrorCode::LoginRequired), 0);
        assert!(table.0.wake_after(LATE).is_infinite() && !table.0.tries_cookie(), "no such cookie");
    }

    #[test]
    fn signing_out_ends_whatever_could_bring_another_token() {
        let out = FORGET | SHOW_OUT;
        let ended = out | TELL_ENDED | UNMARK;
        assert_eq!(Table::greeted(0).now(Event::SignedOut, 0), out);
        assert_eq!(Table::signed_in(0).now(Event::SignedOut, 0), ended, "the page revokes its token");
        assert_eq!(Table::signed_in(REFRESH).now(Event::SignedOut, 0), ended | REVOKE_REFRESH);
        assert_eq!(Table::renewing(0).at(LATE, Event::SignedOut, 0), ended | CLOSE);
        let mut keeping = Table::greeted(KEEPS);
        keeping.now(Event::Taking, 0);
        keeping.now(Event::Came, 0);
        assert_eq!(keeping.now(Event::SignedOut, 0), ended | REVOKE_TOKEN);
        let mut keeping = Table::greeted(KEEPS | MARKED);
        keeping.failed(1.0, ErrorCode::NetworkError);
        assert_eq!(keeping.now(Event::SignedOut, 0), ended | CLOSE, "and what it may have kept");
    }

    #[test]
    fn a_token_that_ran_out_is_no_signing_out_unless_somebody_says_so() {
        let out = FORGET | SHOW_OUT;
        let signed_out = out | TELL_ENDED | UNMARK | CLOSE;
        let mut table = Table::renewing(0);
        assert_eq!(table.at(HOUR, Event::SignedOut, EXPIRED), out);
        assert_eq!(table.at(HOUR, Event::SignedOut, 0), signed_out, "it would be back at the next page view");
        assert_eq!(table.at(HOUR, Event::SignedOut, 0), out, "and that was all there was");
        assert_eq!(Table::renewing(0).at(HOUR, Event::SignedOut, 0), signed_out);
        let mut table = Table::renewing(0);
        assert_eq!(table.at(HOUR, Event::Leaving, 0), 0);
        assert_eq!(table.at(HOUR, Event::SignedOut, EXPIRED), signed_out, "somebody clicked");
        let mut table = Table::signed_in(REFRESH);
        let lost = out | REVOKE_REFRESH;
        assert_eq!(table.at(HOUR, Event::SignedOut, EXPIRED), lost, "nothing brings it back");
    }

    #[test]
    fn a_page_whose_token_ran_out_while_another_is_on_its_way_waits_for_that_one() {
        assert_eq!(Table::signed_in(0).at(HOUR - 1.0, Event::SignedOut, EXPIRED), 0);
        let mut table = Table::greeted(MARKED);
        assert_eq!(table.now(Event::SignedOut, EXPIRED), 0);
        assert_eq!(table.now(Event::Renewed, COOKIE), TAKE | POST_RENEWED | TELL_RENEWED | OFFER);
    }

    #[test]
    fn a_page_that_signs_out_while_a_session_may_come_back_ends_it_and_gets_its_request() {
        let signed_out = FORGET | SHOW_OUT | TELL_ENDED | UNMARK | CLOSE;
        let mut table = Table::greeted(MARKED);
        assert_eq!(table.now(Event::SignedOut, 0), signed_out | OFFER);
        assert!(!table.0.is_resuming());
        let mut table = Table::greeted(MARKED);
        table.failed(1.0, ErrorCode::NetworkError);
        assert_eq!(table.now(Event::SignedOut, 0), signed_out, "the platform did not answer");
        let mut table = Table::greeted(MARKED);
        table.failed(1.0, ErrorCode::LoginRequired);
        assert_eq!(table.now(Event::SignedOut, 0), FORGET | SHOW_OUT, "there is none");
        let mut table = Table::renewing(0);
        table.now(Event::Refused, 0);
        assert_eq!(table.now(Event::SignedOut, 0), signed_out, "its token alone was refused");
    }

    #[test]
    fn only_who_is_signed_in_can_be_over() {
        for event in [Event::TabEnded, Event::Refused] {
            assert_eq!(Table::renewing(0).now(event, 0), OVER, "{event:?}");
            assert_eq!(Table::greeted(0).now(event, 0), 0, "{event:?}");
        }
    }

    #[test]
    fn what_is_let_go_for_another_tab_does_not_live_on() {
        for event in [Event::TabEnded, Event::TabRenewed] {
            assert_eq!(Table::signed_in(REFRESH).now(event, 0), OVER | REVOKE_REFRESH, "{event:?}");
            assert_eq!(Table::signed_in(0).now(event, 0), OVER | REVOKE_TOKEN, "{event:?}");
            assert_eq!(Table::renewing(REFRESH).at(LATE, event, 0), OVER | REVOKE_REFRESH, "{event:?}");
            let mut handed = Table::greeted(0);
            handed.now(Event::Adopted, 0);
            assert_eq!(handed.now(event, 0), OVER, "{event:?}: the page revokes its own");
        }
        assert_eq!(
            Table::renewing(REFRESH).at(LATE, Event::Renewed, COOKIE),
            OVER | DISCARD | REVOKE_REFRESH
        );
        assert_eq!(Table::signed_in(REFRESH).now(Event::Refused, 0), OVER | REVOKE_REFRESH);
        assert_eq!(
            Table::renewing(REFRESH).at(LATE, Event::Refused, 0),
            OVER,
            "its cookie may bring it back"
        );
        // The same person: what the tab brought takes the place of a token, and a refresh token stays.
        assert_eq!(Table::signed_in(REFRESH).now(Event::TabRenewed, SAME), TAKE | POST_RENEWED);
        let mut keeping = Table::greeted(KEEPS);
        keeping.now(Event::Taking, 0);
        keeping.now(Event::Came, 0);
        assert_eq!(keeping.now(Event::TabRenewed, SAME), TAKE | POST_RENEWED | REVOKE_TOKEN);
        // The cookie is not this frame's to end any more.
        let mut table = Table::renewing(0);
        table.at(LATE, Event::TabEnded, 0);
        table.at(LATE, Event::Taking, 0);
        assert_eq!(table.at(LATE, Event::Came, 0), TAKE | POST_SIGNED_IN | TELL_RENEWED);
    }

    #[test]
    fn the_page_s_session_is_shown_and_neither_renewed_nor_told() {
        let mut table = Table::greeted(0);
        assert_eq!(table.now(Event::Handed, 0), ADOPT);
        assert_eq!(table.now(Event::Adopted, REFRESH | COOKIE), TAKE);
        assert!(table.0.wake_after(0.0).is_infinite());
        assert_eq!(table.now(Event::Handed, 0), ADOPT, "the page has another token");
        assert_eq!(
            table.now(Event::SignedOut, 0),
            FORGET | SHOW_OUT,
            "no other tab's, and none that was noted"
        );
        let mut table = Table::greeted(MARKED);
        table.now(Event::Handed, 0);
        assert_eq!(table.at(RESUME_MS, Event::Tick, 0), SHOW_OUT | OFFER | ADOPT);
        table.now(Event::Adopted, 0);
        let ended = FORGET | SHOW_OUT | TELL_ENDED | UNMARK | CLOSE;
        assert_eq!(table.now(Event::SignedOut, 0), ended, "the cookie may bring back what nobody waited for");
    }

    #[test]
    fn a_session_of_the_frame_s_own_is_worth_more_than_the_page_s() {
        let mut table = Table::signed_in(0);
        assert_eq!(table.now(Event::Handed, 0), 0);
        assert_eq!(table.now(Event::Adopted, 0), 0);
        let mut table = Table::greeted(MARKED);
        assert_eq!(table.now(Event::Handed, 0), 0, "its own may come back");
        assert_eq!(table.failed(1.0, ErrorCode::LoginRequired), UNMARK | SHOW_OUT | OFFER | ADOPT);
        let mut table = Table::greeted(MARKED);
        table.now(Event::Handed, 0);
        assert_eq!(table.now(Event::Renewed, COOKIE), TAKE | POST_RENEWED | TELL_RENEWED | OFFER);
        assert_eq!(table.now(Event::Adopted, 0), 0);
    }

    #[test]
    fn who_signs_in_in_the_page_takes_the_place_of_the_frame_s_own_session() {
        let ended = FORGET | SHOW_OUT | TELL_ENDED | UNMARK | ADOPT;
        assert_eq!(Table::greeted(0).now(Event::Handed, REPLACES), ADOPT);
        assert_eq!(Table::signed_in(0).now(Event::Handed, REPLACES), ended);
        assert_eq!(Table::signed_in(REFRESH).now(Event::Handed, REPLACES), ended | REVOKE_REFRESH);
        assert_eq!(Table::greeted(MARKED).now(Event::Handed, REPLACES), ended | CLOSE | OFFER);
        let mut table = Table::renewing(0);
        assert_eq!(table.at(LATE, Event::Handed, REPLACES), ended | CLOSE);
        assert_eq!(table.late(Event::Renewed), DISCARD, "what was under way is not taken");
        assert_eq!(table.at(LATE, Event::Adopted, 0), TAKE);
        assert_eq!(table.at(LATE, Event::Handed, REPLACES), ADOPT, "the page's own makes room by itself");
        // One that may come back, and was not waited for any longer.
        let mut table = Table::greeted(MARKED);
        table.at(RESUME_MS, Event::Tick, 0);
        assert_eq!(table.at(RESUME_MS, Event::Handed, REPLACES), ended | CLOSE);
    }

    #[test]
    fn a_page_that_never_sees_a_token_has_none_to_hand_over() {
        assert_eq!(Table::greeted(KEEPS).now(Event::Handed, REPLACES), 0);
        assert_eq!(Table::greeted(KEEPS).now(Event::Handed, 0), 0);
        assert_eq!(Table::greeted(KEEPS | MARKED).now(Event::Handed, 0), 0);
    }

    #[test]
    fn the_numbers_are_those_of_the_javascript() {
        let others = [
            ("MARKED", MARKED),
            ("KEEPS", KEEPS),
            ("REFRESH", REFRESH),
            ("COOKIE", COOKIE),
            ("SAME", SAME),
            ("HANDLE", HANDLE),
            ("OTHERWISE", OTHERWISE),
            ("REPLACES", REPLACES),
            ("EXPIRED", EXPIRED),
            ("DISCARD", DISCARD),
            ("TAKE", TAKE),
            ("FORGET", FORGET),
            ("POST_SIGNED_IN", POST_SIGNED_IN),
            ("POST_RENEWED", POST_RENEWED),
            ("TELL_RENEWED", TELL_RENEWED),
            ("TELL_ENDED", TELL_ENDED),
            ("OPEN", OPEN),
            ("MARK", MARK),
            ("UNMARK", UNMARK),
            ("CLOSE", CLOSE),
            ("REVOKE_REFRESH", REVOKE_REFRESH),
            ("REVOKE_TOKEN", REVOKE_TOKEN),
            ("ASK", ASK),
            ("ADOPT", ADOPT),
            ("CLOSE_OTHERWISE", CLOSE_OTHERWISE),
        ];
        let events = Event::ALL.iter().map(|event| (name_of(event), *event as u32));
        let expected: Vec<(String, u32)> =
            events.chain(others.map(|(name, value)| (name.to_owned(), value))).collect();
        assert_eq!(constants(include_str!("../table.js")), expected);
        for (number, event) in (0..).zip(Event::ALL) {
            assert_eq!(*event as u32, number);
        }
    }
}
