//! What every cell comes to.

use super::cell::{Cell, Coop, Csp, Line, Mode, Window};

/// How the response gets to the site: what the client's `delivery` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// From window to window: the window knows who opened it.
    Opener,
    /// Through the site's own redirect page, which stands in the window and tells the page by a `BroadcastChannel`.
    Channel,
    /// The page itself went, and came back.
    Redirect,
}

impl Delivery {
    /// As the SDK calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opener => "opener",
            Self::Channel => "channel",
            Self::Redirect => "redirect",
        }
    }
}

/// What a person and the site's code see in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// `login()`, or `handleRedirect()` after the way back, gives a session, and the API answers it.
    SignedIn,
    /// `init()` rejects with this code: the site's headers leave nothing to sign in with.
    InitFails(&'static str),
    /// `login()` rejects with this code, and its message names what stands here; the client is signed out.
    LoginFails(&'static str, &'static str),
    /// The person went back to the page, which is signed out and waits for nothing.
    CameBack,
    /// The page is gone: the platform's login stands in its place, for as long as the person likes.
    Left,
}

/// How a cell ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The way on which the response would come.
    pub delivery: Delivery,
    /// What comes of it.
    pub outcome: Outcome,
}

/// What a cell comes to.
///
/// | the site, the browser, the person | what happens |
/// | --- | --- |
/// | CSP without `'wasm-unsafe-eval'` | `init` rejects: `wasm_blocked` |
/// | CSP without `connect-src {platform}` | `init` rejects: `network_error` |
/// | CSP without `frame-src {platform}`, mode `iframe` | `init` rejects: `frame_blocked`; in the other modes nothing is missing: `auto` goes on with a window alone |
/// | mode `redirect` | COOP, cookies and popup blocker mean nothing to it: signed in; a person who goes back finds the page signed out; one who does nothing stays at the login |
/// | the window is blocked | `login` rejects: `popup_blocked`; `auto` with a `redirectUri` leaves the page instead, and signs in |
/// | COOP `same-origin`, a `redirectUri` | signed in, through the site's redirect page; a closed window can't be told from an open one: `timeout` |
/// | COOP `same-origin`, no `redirectUri` | `login` rejects: `popup_closed`, whose message names the header |
/// | any other COOP | signed in, from window to window; a closed window: `popup_closed`; one that is left open: `timeout`, and the SDK closes it |
/// | third-party cookies | mean nothing to signing in: a session is delivered, not kept by a cookie |
pub fn expected(cell: Cell) -> Expected {
    let delivery = delivery(cell);
    Expected { delivery, outcome: init_fails(cell).unwrap_or_else(|| outcome(cell, delivery)) }
}

fn init_fails(cell: Cell) -> Option<Outcome> {
    let code = match cell.csp {
        Csp::Missing(Line::WasmUnsafeEval) => "wasm_blocked",
        Csp::Missing(Line::ConnectSrc) => "network_error",
        Csp::Missing(Line::FrameSrc) if cell.mode == Mode::Iframe => "frame_blocked",
        Csp::Missing(Line::FrameSrc) | Csp::None | Csp::Strict => return None,
    };
    Some(Outcome::InitFails(code))
}

fn delivery(cell: Cell) -> Delivery {
    match (cell.mode, cell.window) {
        (Mode::Redirect, _) => Delivery::Redirect,
        (Mode::Auto, Window::Blocked) if cell.redirect_uri => Delivery::Redirect,
        _ if cell.coop == Coop::SameOrigin && cell.redirect_uri => Delivery::Channel,
        _ => Delivery::Opener,
    }
}

fn outcome(cell: Cell, delivery: Delivery) -> Outcome {
    let cut = delivery == Delivery::Opener && cell.coop == Coop::SameOrigin;
    match (delivery, cell.window) {
        (Delivery::Redirect, Window::Allowed | Window::Blocked) => Outcome::SignedIn,
        (Delivery::Redirect, Window::Closed) => Outcome::CameBack,
        (Delivery::Redirect, Window::LeftOpen) => Outcome::Left,
        (_, Window::Blocked) => Outcome::LoginFails("popup_blocked", ""),
        _ if cut => Outcome::LoginFails("popup_closed", "Cross-Origin-Opener-Policy"),
        (_, Window::Allowed) => Outcome::SignedIn,
        (Delivery::Opener, Window::Closed) => Outcome::LoginFails("popup_closed", ""),
        (Delivery::Channel, Window::Closed) | (_, Window::LeftOpen) => Outcome::LoginFails("timeout", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::ThirdParty, matrix::cover::product};

    const PLAIN: Cell = Cell {
        coop: Coop::None,
        csp: Csp::None,
        third_party: ThirdParty::Partitioned,
        mode: Mode::Popup,
        window: Window::Allowed,
        redirect_uri: true,
    };

    #[test]
    fn a_person_who_does_what_is_asked_is_signed_in_wherever_the_client_starts() {
        for cell in product().filter(|cell| cell.window == Window::Allowed) {
            let outcome = expected(cell).outcome;
            assert!(matches!(outcome, Outcome::SignedIn | Outcome::InitFails(_)), "{cell}: {outcome:?}");
        }
    }

    #[test]
    fn only_a_missing_line_keeps_a_client_from_starting() {
        for cell in product() {
            let failed = matches!(expected(cell).outcome, Outcome::InitFails(_));
            assert!(!failed || matches!(cell.csp, Csp::Missing(_)), "{cell}");
        }
    }

    #[test]
    fn what_a_frame_may_keep_changes_nothing_about_signing_in() {
        for cell in product() {
            let other = Cell { third_party: ThirdParty::Blocked, ..cell };
            assert_eq!(expected(cell), expected(other), "{cell}");
        }
    }

    #[test]
    fn a_site_that_is_cut_off_from_its_window_needs_a_redirect_uri() {
        let cut = Cell { coop: Coop::SameOrigin, ..PLAIN };
        let expected_of = |redirect_uri| expected(Cell { redirect_uri, ..cut });
        assert_eq!(expected_of(true), Expected { delivery: Delivery::Channel, outcome: Outcome::SignedIn });
        let failed = Outcome::LoginFails("popup_closed", "Cross-Origin-Opener-Policy");
        assert_eq!(expected_of(false).outcome, failed);
    }
}
