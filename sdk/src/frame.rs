//! The companion frame: what its messages mean, and what may be done with its element.

use alloc::boxed::Box;

use latchkey_protocol::frame::FromFrame;

use crate::{
    error::Failure,
    session::{Event, Held},
};

/// What a message of the frame is for.
pub enum Heard {
    /// The table of [`crate::session`].
    Event(Event),
    /// The element: its new width and height in CSS pixels.
    Resize(u32, u32),
}

/// Sorts a message.
pub fn sort(message: FromFrame) -> Heard {
    Heard::Event(match message {
        FromFrame::Welcome { version } => Event::Welcome { version },
        FromFrame::Prepared(request) => Event::Prepared(Box::new(request)),
        FromFrame::SigningIn {} => Event::SigningIn,
        FromFrame::Answered {} => Event::Answered,
        FromFrame::SignedIn { access_token, session } => {
            Event::SignedIn(Held { token: access_token.unwrap_or_default(), session })
        }
        FromFrame::Failed { code, description } => {
            Event::Failed(Failure { code, message: description.unwrap_or_default() })
        }
        FromFrame::SignOut {} => Event::SignOut,
        // Whatever it asks for, it does not cover the page.
        FromFrame::Resize { width, height } => {
            return Heard::Resize(width.clamp(48, 480), height.clamp(32, 480));
        }
        _ => Event::Answered,
    })
}

/// Whether a violation of the page's own policy means that the frame is kept out. It is written as
/// `directive disposition blocked-uri`; the effective directive of a frame is `frame-src`, whichever one the policy
/// spells out (CSP 3 §6.8.1).
pub fn is_kept_out(platform: &str, violation: &str) -> bool {
    violation.strip_prefix("frame-src enforce ").is_some_and(|blocked| blocked.starts_with(platform))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_asks_for_too_much_or_too_little_gets_the_bounds() {
        for (asked, given) in [((360, 56), (360, 56)), ((0, 0), (48, 32)), ((u32::MAX, u32::MAX), (480, 480))]
        {
            let heard = sort(FromFrame::Resize { width: asked.0, height: asked.1 });
            assert!(matches!(heard, Heard::Resize(width, height) if (width, height) == given), "{asked:?}");
        }
    }

    #[test]
    fn a_policy_that_refuses_the_platforms_frame_keeps_it_out_and_no_other_does() {
        for (violation, kept_out) in [
            ("frame-src enforce https://p.example", true),
            ("frame-src enforce https://p.example/toolbar/c1/", true),
            ("frame-src enforce inline", false),
            ("frame-src report https://p.example", false),
            ("frame-src enforce https://ads.example", false),
            ("img-src enforce https://p.example", false),
        ] {
            assert_eq!(is_kept_out("https://p.example", violation), kept_out, "{violation}");
        }
    }
}
