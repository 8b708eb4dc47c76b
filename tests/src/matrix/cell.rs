//! One cell: a value of each dimension.

use std::fmt;

use crate::engine::{Engine, ThirdParty};

/// The site's `Cross-Origin-Opener-Policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coop {
    /// It sends none.
    None,
    /// A window of another origin and this page do not know each other.
    SameOrigin,
    /// A window that this page opens still knows it.
    AllowPopups,
}

/// A line of the site's `Content-Security-Policy` that the SDK needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// `frame-src {platform}`.
    FrameSrc,
    /// `connect-src {platform}`.
    ConnectSrc,
    /// `'wasm-unsafe-eval'` in `script-src`.
    WasmUnsafeEval,
}

/// The site's `Content-Security-Policy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Csp {
    /// It sends none.
    None,
    /// Everything that the SDK needs, and nothing else.
    Strict,
    /// The same, less one line.
    Missing(Line),
}

/// How the site has its people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The toolbar's frame, and a window.
    Iframe,
    /// A window alone.
    Popup,
    /// The page goes to the platform and comes back.
    Redirect,
    /// Whatever suits the page.
    Auto,
}

/// What becomes of the window; in mode `redirect`, of the page at the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The person logs in and allows.
    Allowed,
    /// The browser does not open it: no click asked for it. (A redirect needs none; the person logs in and allows.)
    Blocked,
    /// The person closes it at the login. (A redirect: goes back.)
    Closed,
    /// The person does nothing.
    LeftOpen,
}

/// A site, a browser and a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The site's opener policy.
    pub coop: Coop,
    /// The site's content policy.
    pub csp: Csp,
    /// What the browser lets a frame of another site keep.
    pub third_party: ThirdParty,
    /// How the site has its people sign in.
    pub mode: Mode,
    /// What becomes of the window.
    pub window: Window,
    /// Whether the site gives `redirectUri`: without it no response comes to a page that is cut off from its window.
    pub redirect_uri: bool,
}

impl Cell {
    /// Whether the engine's driver can play it. WebKitGTK's answers nothing any more once a page that was kept apart from
    /// others by its opener policy is gone back to: there, nobody does.
    pub fn can_be_shown(&self, engine: Engine) -> bool {
        let goes_back = self.mode == Mode::Redirect && self.window == Window::Closed;
        engine != Engine::WebKit || !goes_back || self.coop == Coop::None
    }
}

impl Coop {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::SameOrigin, Self::AllowPopups];

    /// As it stands in the header, and in the address of the site's page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SameOrigin => "same-origin",
            Self::AllowPopups => "same-origin-allow-popups",
        }
    }
}

impl Csp {
    pub(crate) const ALL: [Self; 5] = [
        Self::None,
        Self::Strict,
        Self::Missing(Line::FrameSrc),
        Self::Missing(Line::ConnectSrc),
        Self::Missing(Line::WasmUnsafeEval),
    ];

    /// As it stands in the address of the site's page.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Strict => "strict",
            Self::Missing(Line::FrameSrc) => "no-frame-src",
            Self::Missing(Line::ConnectSrc) => "no-connect-src",
            Self::Missing(Line::WasmUnsafeEval) => "no-wasm-unsafe-eval",
        }
    }
}

impl Mode {
    /// Those of the product. `auto` comes to one of them.
    pub(crate) const ALL: [Self; 3] = [Self::Iframe, Self::Popup, Self::Redirect];

    /// As the SDK calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Iframe => "iframe",
            Self::Popup => "popup",
            Self::Redirect => "redirect",
            Self::Auto => "auto",
        }
    }
}

impl Window {
    pub(crate) const ALL: [Self; 4] = [Self::Allowed, Self::Blocked, Self::Closed, Self::LeftOpen];

    fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::Closed => "closed",
            Self::LeftOpen => "left-open",
        }
    }
}

pub(crate) const THIRD_PARTY: [ThirdParty; 2] = [ThirdParty::Blocked, ThirdParty::Partitioned];

fn third_party_name(third_party: ThirdParty) -> &'static str {
    match third_party {
        ThirdParty::Blocked => "blocked",
        ThirdParty::Partitioned => "partitioned",
    }
}

/// How a person reads it, and finds it with a filter.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "coop={} csp={} cookies={} mode={} window={}",
            self.coop.name(),
            self.csp.name(),
            third_party_name(self.third_party),
            self.mode.name(),
            self.window.name()
        )?;
        f.write_str(if self.redirect_uri { "" } else { " no-redirect-uri" })
    }
}
