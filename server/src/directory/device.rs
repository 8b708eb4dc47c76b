//! From where and with what somebody signed in: what tells a person one session of theirs from another.

use std::net::IpAddr;

use axum::http::{HeaderMap, header};

use crate::http::address::ClientAddress;

/// As much of the `User-Agent` is kept, in bytes: nobody fills the store with it.
const MAX_USER_AGENT: usize = 256;

/// Where a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The address it was signed in from.
    pub address: IpAddr,
    /// What the browser calls itself, where it does: visible ASCII, bounded.
    pub user_agent: Option<String>,
}

impl Device {
    /// The one that a request comes from.
    pub fn of(address: ClientAddress, headers: &HeaderMap) -> Self {
        let user_agent = headers.get(header::USER_AGENT).map(|text| kept(text.as_bytes()));
        Self { address: address.address(), user_agent: user_agent.filter(|text| !text.is_empty()) }
    }
}

fn kept(user_agent: &[u8]) -> String {
    let visible = user_agent.iter().filter(|byte| matches!(byte, b' '..=b'~'));
    visible.take(MAX_USER_AGENT).map(|byte| char::from(*byte)).collect()
}

/// What the names of browsers are known by. Most call themselves by others' names as well, so the first that is found
/// counts.
const BROWSERS: [(&str, &str); 14] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Epiphany/", "GNOME Web"),
    ("Safari/", "Safari"),
];

/// What the names of systems are known by; the first that is found counts.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// A `User-Agent` in a person's words. Whoever signs in may send any text: nothing of the text itself is shown.
pub fn words(user_agent: Option<&str>) -> String {
    let text = user_agent.unwrap_or_default();
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(sign, _)| text.contains(sign)).map(|(_, name)| *name)
    };
    let browser = find(&BROWSERS).unwrap_or("An unknown browser");
    match find(&SYSTEMS) {
        Some(system) => format!("{browser} on {system}"),
        None => browser.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_browser_is_told_in_a_person_s_words() {
        for (user_agent, told) in [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.3 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.3 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 CriOS/133.0.6943.84 Mobile/15E148 Safari/604.1",
                "Chrome on iPad",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                 SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
                "Samsung Internet on Android",
            ),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36",
                "Chrome on ChromeOS",
            ),
            ("curl/8.5.0", "An unknown browser"),
            ("something (Linux)", "An unknown browser on Linux"),
            ("Firefox/1", "Firefox"),
            ("", "An unknown browser"),
        ] {
            assert_eq!(words(Some(user_agent)), told, "{user_agent}");
        }
        assert_eq!(words(None), "An unknown browser");
    }

    #[test]
    fn no_text_of_the_sender_s_is_shown() {
        for (_, browser) in BROWSERS {
            for (_, system) in SYSTEMS {
                assert!(format!("{browser} on {system}").len() <= 60);
            }
        }
        let hostile = format!("<script>{}</script> Firefox/", "x".repeat(1000));
        assert_eq!(words(Some(&hostile)), "Firefox");
    }

    #[test]
    fn what_is_kept_is_visible_ascii_and_bounded() {
        assert_eq!(kept(b"a\tb\xff\xfec d"), "abc d");
        assert_eq!(kept(&[b'x'; 1000]), "x".repeat(MAX_USER_AGENT));
        let address = ClientAddress::find(IpAddr::from([192, 0, 2, 1]), &HeaderMap::new(), &[]);
        let mut headers = HeaderMap::new();
        assert_eq!(Device::of(address, &headers).user_agent, None);
        headers.insert(header::USER_AGENT, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(Device::of(address, &headers).user_agent, None);
    }
}
