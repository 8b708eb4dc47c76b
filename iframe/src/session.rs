//! Who is signed in, from the response to the end: whose token it is, what keeps it alive, and what the page and the other
//! tabs are told of it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use latchkey_protocol::{
    error::ErrorCode,
    frame::{Session, Tokens},
};
use web_sys::VisibilityState;

use crate::{
    Frame,
    api::Failure,
    handshake::Parent,
    kept::Kept,
    message::FromFrame,
    tabs::{Tabs, Told},
    task::spawn,
    token::{self, Issued},
    view::Shown,
};

/// How long a page waits, at most, for a session that may come back.
const RESUME_MS: u32 = 5_000;
/// Which part of a token's lifetime passes before the next one is asked for.
const RENEW_AT: f64 = 0.8;
/// How long after a renewal that failed for the moment the next one is tried.
const AGAIN_MS: u32 = 30_000;

/// Who is signed in.
#[derive(Default)]
pub(crate) struct Signed {
    held: RefCell<Option<Held>>,
    kept: RefCell<Option<Kept>>,
    tabs: RefCell<Option<Rc<Tabs>>>,
    /// Counts what began and what ended: whoever comes back to another number comes too late.
    turn: Cell<u32>,
    /// Until it is over the page has got no request.
    is_resuming: Cell<bool>,
    is_renewing: Cell<bool>,
    /// The person clicked *Sign out* here.
    is_leaving: Cell<bool>,
    timer: RefCell<Option<Timeout>>,
}

/// What is held of them.
struct Held {
    access_token: String,
    session: Session,
    /// What brings the next token where no cookie does; it never leaves this page.
    refresh_token: Option<String>,
    /// Whether the browser has the cookie.
    has_cookie: bool,
    /// When the next token is asked for; infinity where nothing brings one.
    renew_at: f64,
}

/// What became of asking for another token.
enum Renewal {
    /// It came.
    Came(Box<Held>),
    /// Another tab's came meanwhile.
    Shared,
    /// It did not.
    Failed(Failure),
}

impl Signed {
    /// Whether it is still open if a session comes back.
    pub(crate) fn is_resuming(&self) -> bool {
        self.is_resuming.get()
    }

    /// The person means to sign out.
    pub(crate) fn leave(&self) {
        self.is_leaving.set(true);
    }

    /// The token, and the organization that it opens.
    pub(crate) fn account(&self) -> Option<(String, String)> {
        let held = self.held.borrow();
        held.as_ref().map(|held| (held.access_token.clone(), held.session.organization.slug.clone()))
    }

    fn token(&self) -> Option<String> {
        self.held.borrow().as_ref().map(|held| held.access_token.clone())
    }

    fn is_of(&self, person: &Session) -> bool {
        let of = |session: &Session| (session.user.id.clone(), session.organization.id.clone());
        self.held.borrow().as_ref().is_some_and(|held| of(&held.session) == of(person))
    }

    fn next_turn(&self) -> u32 {
        self.turn.set(self.turn.get().wrapping_add(1));
        self.turn.get()
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.borrow().clone()
    }

    fn tell(&self, told: &Told) {
        let tabs = self.tabs.borrow().clone();
        if let Some(tabs) = tabs {
            tabs.tell(told);
        }
    }
}

impl Held {
    fn new(issued: Issued, session: Session) -> Self {
        let Issued { access_token, refresh_token, .. } = issued;
        Self { access_token, session, refresh_token, has_cookie: false, renew_at: f64::INFINITY }
    }

    fn told(&self) -> Told {
        Told::Renewed { access_token: self.access_token.clone(), session: Box::new(self.session.clone()) }
    }
}

impl Frame {
    /// A page said hello: whatever was before is over for it, and a session may come back.
    pub(crate) fn begin_session(self: &Rc<Self>, parent: &Parent) {
        let signed = &self.signed;
        let turn = signed.next_turn();
        signed.held.take();
        signed.timer.take();
        let kept = Kept::of(&self.window, &self.page, parent);
        let (is_marked, me) = (kept.is_marked(), self.clone());
        *signed.kept.borrow_mut() = Some(kept);
        *signed.tabs.borrow_mut() = Some(Tabs::open(&self.page, parent, move |told| me.hear_tab(told)));
        signed.is_resuming.set(is_marked);
        if !is_marked {
            return self.view.show(Shown::SignedOut(None));
        }
        let me = self.clone();
        *signed.timer.borrow_mut() = Some(Timeout::new(RESUME_MS, move || me.end_resuming(turn)));
        let me = self.clone();
        spawn(async move {
            let renewal = me.ask_for_another().await;
            if me.signed.turn.get() != turn || !me.signed.is_resuming() {
                return;
            }
            match renewal {
                Renewal::Came(held) => me.go_on(*held),
                Renewal::Shared => {}
                Renewal::Failed(Failure { code, .. })
                    if is_final(code) || code == ErrorCode::LoginRequired =>
                {
                    me.signed.kept().into_iter().for_each(|kept| kept.mark(false));
                }
                // The platform did not answer: the next page view asks again.
                Renewal::Failed(_) => {}
            }
            me.end_resuming(turn);
        });
    }

    /// It is known whether a session is back, or it was waited for long enough.
    fn end_resuming(self: &Rc<Self>, turn: u32) {
        if self.signed.turn.get() != turn || !self.signed.is_resuming.replace(false) {
            return;
        }
        if self.signed.held.borrow().is_none() {
            self.view.show(Shown::SignedOut(None));
        }
        self.offer();
    }

    /// Takes a token that came in the fragment.
    pub(crate) fn take_token(self: &Rc<Self>, access_token: String, expires_in: u32, handle: Option<String>) {
        let issued = Issued { access_token, expires_in, refresh_token: None };
        let (me, turn) = (self.clone(), self.signed.next_turn());
        spawn(async move { me.sign_in_with(Ok(issued), handle, turn).await });
    }

    /// Exchanges a code that came, with the verifier that never left this page.
    pub(crate) fn take_code(
        self: &Rc<Self>,
        code: String,
        verifier: String,
        redirect_uri: String,
        handle: Option<String>,
    ) {
        let (me, turn) = (self.clone(), self.signed.next_turn());
        spawn(async move {
            let issued = token::exchange(&me.window, &me.page, &code, &verifier, &redirect_uri).await;
            me.sign_in_with(issued, handle, turn).await;
        });
    }

    async fn sign_in_with(
        self: &Rc<Self>,
        issued: Result<Issued, Failure>,
        handle: Option<String>,
        turn: u32,
    ) {
        let held = match issued {
            Ok(issued) => self.describe(issued).await,
            Err(failure) => Err(failure),
        };
        let held = match held {
            Ok(held) => held,
            Err(Failure { code, .. }) => return self.fail(code, None),
        };
        if self.signed.turn.get() != turn {
            return self.discard(held.access_token);
        }
        let (access_token, session) = (self.shown(&held.access_token), Box::new(held.session.clone()));
        let told = held.told();
        // Of the sign-in before this one the page revokes the access token; what it does not know is revoked here.
        let before = self.signed.held.take().and_then(|before| before.refresh_token);
        before.into_iter().for_each(|refresh_token| self.discard(refresh_token));
        self.hold(held);
        self.post(&FromFrame::SignedIn { access_token, session });
        self.signed.tell(&told);
        let (Some(handle), Some(kept)) = (handle, self.signed.kept()) else { return };
        if !kept.open(&handle).await {
            return;
        }
        if self.signed.turn.get() != turn {
            // Signed out meanwhile.
            return kept.end().await;
        }
        kept.mark(true);
        if let Some(held) = &mut *self.signed.held.borrow_mut() {
            held.has_cookie = true;
        }
        self.plan();
    }

    async fn describe(&self, issued: Issued) -> Result<Held, Failure> {
        let session = token::describe(&self.window, &issued.access_token, issued.expires_at()).await?;
        Ok(Held::new(issued, session))
    }

    /// The token as the page gets it.
    fn shown(&self, access_token: &str) -> Option<String> {
        let is_shown = self.parent.borrow().as_ref().is_some_and(|parent| parent.tokens == Tokens::Page);
        is_shown.then(|| access_token.to_owned())
    }

    /// From now on this is who is signed in.
    fn hold(self: &Rc<Self>, held: Held) {
        self.signed.is_leaving.set(false);
        self.view.show(Shown::SignedIn(&held.session));
        self.issues.sign_in(&held.access_token, &held.session);
        *self.signed.held.borrow_mut() = Some(held);
        self.plan();
    }

    /// The sign-in goes on with another token.
    fn go_on(self: &Rc<Self>, held: Held) {
        let (access_token, session) = (self.shown(&held.access_token), Box::new(held.session.clone()));
        self.hold(held);
        self.post(&FromFrame::Renewed { access_token, session });
    }

    /// Plans the next renewal, where something may bring a token.
    fn plan(self: &Rc<Self>) {
        let wait = {
            let mut held = self.signed.held.borrow_mut();
            let Some(held) = &mut *held else { return };
            if !held.has_cookie && held.refresh_token.is_none() {
                held.renew_at = f64::INFINITY;
                None
            } else {
                let wait = (held.session.expires_at - js_sys::Date::now()) * RENEW_AT;
                held.renew_at = js_sys::Date::now() + wait;
                Some(wait)
            }
        };
        self.wake_in(wait);
    }

    fn wake_in(self: &Rc<Self>, wait: Option<f64>) {
        let me = self.clone();
        // A longer wait than a timer can count is cut: whoever is woken looks at the time again.
        let timer = wait
            .map(|wait| Timeout::new(wait.clamp(0.0, f64::from(i32::MAX)) as u32, move || me.renew_if_due()));
        *self.signed.timer.borrow_mut() = timer;
    }

    /// A machine that slept, or a tab that was put aside, missed its time.
    pub(crate) fn listen_to_waking(self: &Rc<Self>) -> Option<EventListener> {
        let (document, me) = (self.window.document()?, self.clone());
        let seen = document.clone();
        Some(EventListener::new(&document, "visibilitychange", move |_| {
            if seen.visibility_state() == VisibilityState::Visible {
                me.renew_if_due();
            }
        }))
    }

    fn renew_if_due(self: &Rc<Self>) {
        let due = self.signed.held.borrow().as_ref().map(|held| held.renew_at - js_sys::Date::now());
        match due {
            Some(due) if due <= 0.0 => self.renew(),
            Some(due) if due.is_finite() => self.wake_in(Some(due)),
            Some(_) | None => {}
        }
    }

    fn renew(self: &Rc<Self>) {
        if self.signed.is_renewing.replace(true) {
            return;
        }
        let (me, turn) = (self.clone(), self.signed.turn.get());
        spawn(async move {
            let renewal = me.ask_for_another().await;
            me.signed.is_renewing.set(false);
            if me.signed.turn.get() != turn {
                return;
            }
            match renewal {
                Renewal::Came(held) if me.signed.is_of(&held.session) => me.go_on(*held),
                // Somebody else signed in meanwhile, in another tab.
                Renewal::Came(_) => me.over(None),
                Renewal::Shared => {}
                Renewal::Failed(Failure { code, .. }) if is_final(code) => {
                    me.signed.kept().into_iter().for_each(|kept| kept.mark(false));
                    me.signed.tell(&Told::Ended(Some(code)));
                    me.over(Some(code));
                }
                Renewal::Failed(Failure { code: ErrorCode::LoginRequired, .. }) => {
                    // The browser keeps no such cookie: the token lasts as long as it lasts.
                    me.signed.held.borrow_mut().iter_mut().for_each(|held| held.has_cookie = false);
                    me.plan();
                }
                Renewal::Failed(_) => me.wake_in(Some(f64::from(AGAIN_MS))),
            }
        });
    }

    /// Asks for another token, by the cookie or by the refresh token; one tab at a time.
    async fn ask_for_another(self: &Rc<Self>) -> Renewal {
        let before = self.signed.token();
        let (tabs, kept) = (self.signed.tabs.borrow().clone(), self.signed.kept());
        let _alone = match &tabs {
            Some(tabs) => tabs.alone().await,
            None => None,
        };
        if self.signed.token() != before {
            return Renewal::Shared;
        }
        let (refresh_token, has_cookie) = {
            let held = self.signed.held.borrow();
            held.as_ref().map_or((None, true), |held| (held.refresh_token.clone(), held.has_cookie))
        };
        let mut issued = Err(Failure { status: 0, code: ErrorCode::LoginRequired });
        if let Some(kept) = kept.filter(|_| has_cookie) {
            issued = kept.renew().await;
        }
        let is_by_cookie = issued.is_ok();
        if let (Err(Failure { code: ErrorCode::LoginRequired, .. }), Some(refresh_token)) =
            (&issued, &refresh_token)
        {
            issued = token::refresh(&self.window, &self.page, refresh_token).await.map_err(as_end);
        }
        let held = match issued {
            Ok(issued) => self.describe(issued).await,
            Err(failure) => Err(failure),
        };
        match held {
            Ok(mut held) => {
                held.has_cookie = is_by_cookie;
                held.refresh_token = held.refresh_token.or(refresh_token);
                self.signed.tell(&held.told());
                Renewal::Came(Box::new(held))
            }
            Err(failure) => Renewal::Failed(failure),
        }
    }

    /// Another tab says something.
    fn hear_tab(self: &Rc<Self>, told: Told) {
        let is_held = self.signed.held.borrow().is_some();
        match told {
            // Who is signed out here stays so until the page is loaded again.
            Told::Renewed { access_token, session } if is_held || self.signed.is_resuming() => {
                if is_held && !self.signed.is_of(&session) {
                    return self.over(None);
                }
                let refresh_token = self.signed.held.take().and_then(|held| held.refresh_token);
                let held = Held {
                    access_token,
                    session: *session,
                    refresh_token,
                    has_cookie: true,
                    renew_at: f64::INFINITY,
                };
                self.go_on(held);
                self.end_resuming(self.signed.turn.get());
            }
            Told::Ended(code) if is_held => self.over(code),
            Told::Renewed { .. } | Told::Ended(_) => {}
        }
    }

    /// The session is over, and the page did not end it.
    fn over(&self, code: Option<ErrorCode>) {
        self.forget(code);
        self.post(&FromFrame::Ended { code });
    }

    fn forget(&self, code: Option<ErrorCode>) -> Option<Held> {
        self.signed.next_turn();
        self.signed.timer.take();
        let held = self.signed.held.take();
        self.with_relay(|relay| relay.end(ErrorCode::Aborted));
        self.issues.sign_out();
        self.view.show(Shown::SignedOut(code));
        held
    }

    /// The platform does not take this token any more.
    pub(crate) fn expire(&self, access_token: &str) {
        if self.signed.token().as_deref() == Some(access_token) {
            self.over(Some(ErrorCode::SessionExpired));
        }
    }

    /// The page has no session any more.
    pub(crate) fn sign_out(self: &Rc<Self>) {
        let is_leaving = self.signed.is_leaving.replace(false);
        let Some(held) = self.forget(None) else { return };
        // A page whose token ran out while nothing could be asked for has not signed out: the next page view asks again.
        if !is_leaving && js_sys::Date::now() >= held.session.expires_at {
            return;
        }
        self.signed.tell(&Told::Ended(None));
        let Some(kept) = self.signed.kept() else { return };
        kept.mark(false);
        let me = self.clone();
        spawn(async move {
            if held.has_cookie {
                kept.end().await;
            }
            // A refresh token takes with it whatever came of the sign-in.
            if let Some(refresh_token) = &held.refresh_token {
                token::revoke(&me.window, &me.page, refresh_token).await;
            } else if !held.has_cookie && me.shown("").is_none() {
                token::revoke(&me.window, &me.page, &held.access_token).await;
            }
        });
    }

    /// A token that came too late, or in a way it should not, must not live on.
    pub(crate) fn discard(self: &Rc<Self>, access_token: String) {
        let me = self.clone();
        spawn(async move { token::revoke(&me.window, &me.page, &access_token).await });
    }
}

/// Whether asking again brings nothing.
fn is_final(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::SessionExpired | ErrorCode::MembershipRequired | ErrorCode::OriginNotAllowed)
}

/// What the token endpoint says of a refresh token that is of no use any more: `invalid_grant`, with status 400.
fn as_end(failure: Failure) -> Failure {
    match failure.status {
        400..=403 => Failure { code: ErrorCode::SessionExpired, ..failure },
        _ => failure,
    }
}
