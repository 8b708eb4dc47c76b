//! The sign-in window that this page opens itself.

use gloo_timers::callback::Interval;
use latchkey_protocol::error::ErrorCode;
use wasm_bindgen::JsValue;
use web_sys::Window;

/// How often the window is looked at. Browsers tell nobody when a window closes.
const LOOK_MS: u32 = 250;
/// How long after its window closed a response may still be on its way.
const GRACE_MS: u32 = 1_000;
/// How long the person may take.
const LIMIT_MS: u32 = 300_000;

/// An open window. Dropping it ends the watch over it.
pub(crate) struct Popup {
    pub(crate) window: Window,
    /// The `state` it was opened with.
    pub(crate) state: String,
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
        over: impl Fn(ErrorCode) + 'static,
    ) -> Option<Self> {
        let features = "popup,width=480,height=720";
        let window = page.open_with_url_and_target_and_features(url, "_blank", features).ok()??;
        let watched = window.clone();
        let mut watch = Watch::default();
        let interval = Interval::new(LOOK_MS, move || {
            if let Some(code) = watch.look(watched.closed().unwrap_or(true)) {
                over(code);
            }
        });
        Some(Self { window, state, _watch: interval })
    }

    /// Whether a message came from this window.
    pub(crate) fn is(&self, source: &JsValue) -> bool {
        let window: &JsValue = self.window.as_ref();
        source == window
    }
}

/// What was seen of a window so far.
#[derive(Debug, Default)]
struct Watch {
    open_for: u32,
    closed_for: u32,
}

impl Watch {
    /// One look; says when it is over, and why.
    fn look(&mut self, closed: bool) -> Option<ErrorCode> {
        self.open_for += LOOK_MS;
        if closed {
            self.closed_for += LOOK_MS;
        }
        if self.closed_for > GRACE_MS {
            Some(ErrorCode::PopupClosed)
        } else if self.open_for > LIMIT_MS {
            Some(ErrorCode::Timeout)
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
        assert_eq!(watch.look(false), None);
        for _ in 0..GRACE_MS / LOOK_MS {
            assert_eq!(watch.look(true), None);
        }
        assert_eq!(watch.look(true), Some(ErrorCode::PopupClosed));
    }

    #[test]
    fn a_window_has_its_time() {
        let mut watch = Watch::default();
        for _ in 0..LIMIT_MS / LOOK_MS {
            assert_eq!(watch.look(false), None);
        }
        assert_eq!(watch.look(false), Some(ErrorCode::Timeout));
    }
}
