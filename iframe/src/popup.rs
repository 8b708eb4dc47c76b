//! The sign-in window that this page opens itself.

use std::{cell::Cell, rc::Rc};

use gloo_timers::callback::Interval;
use latchkey_protocol::error::ErrorCode;
use wasm_bindgen::JsValue;
use web_sys::Window;

/// How often the window is looked at. Browsers tell nobody when a window closes.
const LOOK_MS: u32 = 250;
/// How long after its window closed a response may still be on its way.
const GRACE_MS: u32 = 1_000;
/// A window that looks closed within this time of its opening, and never said that it is there, was cut off.
const CUT_OFF_MS: u32 = 1_500;
/// How long the person may take.
const LIMIT_MS: u32 = 300_000;

/// An open window. Dropping it ends the watch over it.
pub(crate) struct Popup {
    pub(crate) window: Window,
    /// The `state` it was opened with.
    pub(crate) state: String,
    is_alive: Rc<Cell<bool>>,
    _watch: Interval,
}

impl Popup {
    /// Opens a window, in a click and before anything is awaited. `None` where the browser does not.
    ///
    /// `over` is told when no response can come any more.
    pub(crate) fn open(
        page: &Window,
        url: &str,
        state: String,
        over: impl Fn(Over) + 'static,
    ) -> Option<Self> {
        let features = "popup,width=480,height=720";
        let window = page.open_with_url_and_target_and_features(url, "_blank", features).ok()??;
        let watched = window.clone();
        let is_alive = Rc::new(Cell::new(false));
        let (said, mut watch) = (is_alive.clone(), Watch::default());
        let interval = Interval::new(LOOK_MS, move || {
            if let Some(end) = watch.look(watched.closed().unwrap_or(true), said.get()) {
                over(end);
            }
        });
        Some(Self { window, state, is_alive, _watch: interval })
    }

    /// The window said that it is there.
    pub(crate) fn hear_alive(&self) {
        self.is_alive.set(true);
    }

    /// Whether a message came from this window.
    pub(crate) fn is(&self, source: &JsValue) -> bool {
        let window: &JsValue = self.window.as_ref();
        source == window
    }
}

/// Why no response can come any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The window was closed.
    Closed,
    /// The window looked closed at once and never said that it is there: it may be open, and cannot reach this page.
    CutOff,
    /// The person took too long.
    Late,
}

impl Over {
    /// What the page is told.
    pub(crate) const fn code(self) -> ErrorCode {
        match self {
            Self::Closed | Self::CutOff => ErrorCode::PopupClosed,
            Self::Late => ErrorCode::Timeout,
        }
    }

    /// What the page is told besides.
    pub(crate) fn description(self) -> Option<String> {
        (self == Self::CutOff).then(|| {
            "The sign-in window closed at once. If it is still open, a Cross-Origin-Opener-Policy cut it off.".into()
        })
    }
}

/// What was seen of a window so far.
#[derive(Debug, Default)]
struct Watch {
    open_for: u32,
    closed_for: u32,
    closed_at: Option<u32>,
}

impl Watch {
    /// One look; says when it is over, and why.
    fn look(&mut self, closed: bool, is_alive: bool) -> Option<Over> {
        self.open_for += LOOK_MS;
        if closed {
            self.closed_for += LOOK_MS;
            self.closed_at.get_or_insert(self.open_for);
        }
        if self.closed_for > GRACE_MS {
            let is_cut_off = !is_alive && self.closed_at.is_some_and(|at| at <= CUT_OFF_MS);
            Some(if is_cut_off { Over::CutOff } else { Over::Closed })
        } else if self.open_for > LIMIT_MS {
            Some(Over::Late)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_window_is_over_after_a_grace() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(false, true), None);
        for _ in 0..GRACE_MS / LOOK_MS {
            assert_eq!(watch.look(true, true), None);
        }
        assert_eq!(watch.look(true, true), Some(Over::Closed));
    }

    #[test]
    fn a_window_that_closed_at_once_and_never_said_anything_was_cut_off() {
        for (open_for, is_alive, over) in [
            (0, false, Over::CutOff),
            (CUT_OFF_MS - LOOK_MS, false, Over::CutOff),
            (CUT_OFF_MS, false, Over::Closed),
            (0, true, Over::Closed),
        ] {
            let mut watch = Watch::default();
            for _ in 0..open_for / LOOK_MS {
                assert_eq!(watch.look(false, is_alive), None);
            }
            let end = (0..6).find_map(|_| watch.look(true, is_alive));
            assert_eq!(end, Some(over), "{open_for} {is_alive}");
        }
        assert!(Over::CutOff.description().is_some() && Over::Closed.description().is_none());
    }

    #[test]
    fn a_window_has_its_time() {
        let mut watch = Watch::default();
        for _ in 0..LIMIT_MS / LOOK_MS {
            assert_eq!(watch.look(false, true), None);
        }
        assert_eq!(watch.look(false, true), Some(Over::Late));
        assert_eq!((Over::Late.code(), Over::CutOff.code()), (ErrorCode::Timeout, ErrorCode::PopupClosed));
    }
}
