//! What the toolbar shows.

use std::cell::Cell;

use gloo_events::EventListener;
use latchkey_protocol::{error::ErrorCode, frame::Session};
use wasm_bindgen::prelude::*;
use web_sys::{Document, Element, HtmlButtonElement, HtmlElement, ResizeObserver};

use crate::stand::COLLAPSED;

/// The states of the toolbar.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// Nobody is signed in; and why the last attempt failed, if it did.
    SignedOut(Option<ErrorCode>),
    /// A window is open, or its response is being looked at.
    SigningIn,
    /// Somebody is signed in.
    SignedIn(&'a Session),
    /// The page was asked to sign out.
    SigningOut,
}

/// The elements of the page.
pub(crate) struct View {
    toolbar: HtmlElement,
    idle: Element,
    status: Element,
    person: HtmlElement,
    avatar: Element,
    name: Element,
    organization: Element,
    sign_in: HtmlButtonElement,
    sign_out: HtmlButtonElement,
    face: Element,
    /// The height of the whole toolbar.
    height: Cell<u32>,
}

/// The width the toolbar asks for; its height follows from its content.
const WIDTH: u32 = 416;
/// Its height before there was room to measure it.
const HEIGHT: u32 = 60;
/// The size of the pill that it collapses to.
const PILL: u32 = 52;

impl View {
    /// Finds the elements; `None` if the page is not the one this was made for.
    pub(crate) fn find(document: &Document) -> Option<Self> {
        let find = |id: &str| document.get_element_by_id(id);
        Some(Self {
            toolbar: find("toolbar")?.dyn_into().ok()?,
            idle: find("idle")?,
            status: find("status")?,
            person: find("person")?.dyn_into().ok()?,
            avatar: find("avatar")?,
            name: find("name")?,
            organization: find("organization")?,
            sign_in: find("sign-in")?.dyn_into().ok()?,
            sign_out: find("sign-out")?.dyn_into().ok()?,
            face: find("face")?,
            height: Cell::new(HEIGHT),
        })
    }

    /// Calls back when a button is clicked.
    pub(crate) fn listen(
        &self,
        sign_in: impl Fn() + 'static,
        sign_out: impl Fn() + 'static,
    ) -> [EventListener; 2] {
        [
            EventListener::new(&self.sign_in, "click", move |_| sign_in()),
            EventListener::new(&self.sign_out, "click", move |_| sign_out()),
        ]
    }

    /// Shows a state.
    pub(crate) fn show(&self, shown: Shown<'_>) {
        let focused = self.toolbar.focused();
        let (status, is_failure) = match shown {
            Shown::SignedOut(None) => ("You are signed out.", false),
            Shown::SignedOut(Some(code)) => (words(code), true),
            Shown::SigningIn => ("Continue in the window that opened.", false),
            Shown::SignedIn(_) => ("You are signed in.", false),
            Shown::SigningOut => ("Signing out…", false),
        };
        self.status.set_text_content(Some(status));
        let _ = self.toolbar.class_list().toggle_with_force("failure", is_failure);
        let is_signed_in = matches!(shown, Shown::SignedIn(_) | Shown::SigningOut);
        if let Shown::SignedIn(session) = shown {
            let initials = initials(&session.user.name);
            self.avatar.set_text_content(Some(&initials));
            self.face.set_text_content(Some(&initials));
            self.name.set_text_content(Some(&session.user.name));
            self.organization.set_text_content(Some(&session.organization.name));
        }
        let _ = self.toolbar.class_list().toggle_with_force("signed-in", is_signed_in);
        self.person.set_hidden(!is_signed_in);
        self.sign_out.set_hidden(!is_signed_in);
        self.sign_out.set_disabled(matches!(shown, Shown::SigningOut));
        self.sign_in.set_hidden(is_signed_in);
        self.sign_in.set_disabled(matches!(shown, Shown::SigningIn));
        let _ = self.idle.class_list().toggle_with_force("visually-hidden", is_signed_in);
        // The button that had the focus may be gone: who works by keyboard goes on with the other one.
        if focused.is_some_and(|element| element.offset_width() == 0) {
            let next = if is_signed_in { &self.sign_out } else { &self.sign_in };
            let _ = next.focus();
        }
    }

    /// The size the content wants, in CSS pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        if self.toolbar.class_list().contains(COLLAPSED) {
            return (PILL, PILL);
        }
        let shape = self.toolbar.get_bounding_client_rect();
        // In the room of the pill, nothing has its height.
        if shape.width() > f64::from(PILL) {
            self.height.set(shape.height().ceil() as u32);
        }
        (WIDTH, self.height.get())
    }

    /// Calls back when the content's size changes, as long as what is returned lives.
    pub(crate) fn observe(&self, changed: impl Fn() + 'static) -> Option<Observer> {
        let call = Closure::<dyn Fn()>::new(changed);
        let observer = ResizeObserver::new(call.as_ref().unchecked_ref()).ok()?;
        observer.observe(&self.toolbar);
        Some(Observer { observer, _call: call })
    }
}

/// A watch over the content's size. Dropping it ends the watch.
pub(crate) struct Observer {
    observer: ResizeObserver,
    _call: Closure<dyn Fn()>,
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// The element inside that holds the focus.
trait Focused {
    fn focused(&self) -> Option<HtmlElement>;
}

impl Focused for HtmlElement {
    fn focused(&self) -> Option<HtmlElement> {
        let active = self.owner_document()?.active_element()?;
        self.contains(Some(&active)).then_some(active)?.dyn_into().ok()
    }
}

/// What to tell the person, with what to do next.
fn words(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::PopupBlocked => {
            "Your browser blocked the sign-in window. Allow pop-ups for this site, then try again."
        }
        ErrorCode::PopupClosed => "The sign-in window was closed before the end. Try again when you like.",
        ErrorCode::Timeout => "That took too long. Try again.",
        ErrorCode::AccessDenied | ErrorCode::ConsentRequired => {
            "Access was not allowed. Sign in again to change your mind."
        }
        ErrorCode::MembershipRequired => {
            "You are not a member of this organization. Ask one of its admins to add you, or use another account."
        }
        ErrorCode::LoginRequired | ErrorCode::SessionExpired => "Your session has ended. Sign in again.",
        ErrorCode::NetworkError => {
            "The platform could not be reached. Check your connection, then try again."
        }
        ErrorCode::InteractionInProgress
        | ErrorCode::Aborted
        | ErrorCode::WrongOrganization
        | ErrorCode::InsufficientScope
        | ErrorCode::OriginNotAllowed
        | ErrorCode::UnknownClient
        | ErrorCode::InvalidOptions
        | ErrorCode::FrameBlocked
        | ErrorCode::WasmBlocked
        | ErrorCode::StorageUnavailable
        | ErrorCode::StateMismatch
        | ErrorCode::ProtocolMismatch
        | ErrorCode::ServerError => "Signing in did not work. Try again in a moment.",
    }
}

/// The first letters of a name's first and last word. The style makes capitals of them: tables of all letters are large.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().and_then(|word| word.chars().next());
    let last = words.next_back().and_then(|word| word.chars().next());
    first.into_iter().chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        for (name, letters) in [
            ("Ada Lovelace", "AL"),
            ("ada", "a"),
            ("Juan Carlos de Borbón", "JB"),
            ("  Grace   Hopper  ", "GH"),
            ("李 小龙", "李小"),
            ("", ""),
        ] {
            assert_eq!(initials(name), letters);
        }
    }

    #[test]
    fn every_failure_has_words_that_end_as_sentences_do() {
        for code in ErrorCode::ALL {
            assert!(words(*code).ends_with('.'), "{code:?}");
        }
    }
}
