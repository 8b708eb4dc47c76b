//! Web origins: parsed once, compared exactly.
//!
//! The rules of this file accept an origin in the one form a browser writes it (the ASCII serialisation of
//! the HTML standard, as it stands in `location.origin`, in `event.origin` and in the `Origin` header). Bringing
//! what a person typed into that form is the server's work.

use alloc::string::String;
use core::{
    fmt::{self, Write},
    net::{Ipv4Addr, Ipv6Addr},
};

/// An `https` origin, or an `http` origin on loopback, as a browser serialises it: `scheme://host[:port]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct Origin(String);

/// Why a text is not an origin this product accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginError {
    /// Neither `https://` nor `http://`.
    Scheme,
    /// `http://` on a host that is not loopback.
    NotLoopback,
    /// Something is wrong between the scheme and the port: user info, a path, a wildcard, an upper-case letter.
    Host,
    /// The port is not a number from 1 to 65535 in its shortest form, or it is the scheme's default.
    Port,
}

/// The longest host name of the DNS (RFC 1035 §2.3.4).
const MAX_HOST: usize = 253;

impl Origin {
    /// Reads a serialised origin. Nothing is repaired: what a browser would not write is refused.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let (rest, default_port, secure) = if let Some(rest) = text.strip_prefix("https://") {
            (rest, "443", true)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (rest, "80", false)
        } else {
            return Err(OriginError::Scheme);
        };
        let (host, port) = split_port(rest)?;
        if !is_host(host) {
            return Err(OriginError::Host);
        }
        if !secure && !is_loopback(host) {
            return Err(OriginError::NotLoopback);
        }
        if let Some(port) = port
            && (port == default_port || !is_port(port))
        {
            return Err(OriginError::Port);
        }
        Ok(Self(text.into()))
    }

    /// The serialised origin.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, without port or scheme; an IPv6 address stands in its brackets.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        split_port(rest).map_or("", |(host, _)| host)
    }

    /// Whether the origin is on the machine itself.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// Whether the origin is an `https` one.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a host, as a URL writes it, is the machine itself: an address of RFC 6890's loopback blocks that
/// browsers treat as such, or a name that RFC 6761 §6.3 reserves for it.
pub fn is_loopback(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "[::1]" | "localhost") || host.ends_with(".localhost")
}

fn split_port(rest: &str) -> Result<(&str, Option<&str>), OriginError> {
    // The colons inside the brackets of an IPv6 address begin no port.
    let end_of_host = if rest.starts_with('[') { rest.find(']').ok_or(OriginError::Host)? } else { 0 };
    let colon = rest.bytes().skip(end_of_host).position(|byte| byte == b':');
    let halves = colon.and_then(|colon| rest.split_at_checked(end_of_host + colon));
    Ok(match halves {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => (rest, None),
    })
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(is_ipv6);
    }
    let is_number = |label: &str| match label.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    };
    // The URL standard reads a name that ends in a number as an IPv4 address, and writes that in one way.
    if host.rsplit('.').next().is_some_and(is_number) {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= MAX_HOST
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'z' | b'-' | b'_'))
        })
}

/// Whether this is an IPv6 address as the URL standard writes it: hexadecimal without leading zeros, the first of the
/// longest runs of zeros left out.
fn is_ipv6(text: &str) -> bool {
    let Ok(address) = text.parse::<Ipv6Addr>() else { return false };
    let groups = address.segments();
    let run = |start: usize| groups[start..].iter().take_while(|group| **group == 0).count();
    let (mut from, mut length) = (0, 1);
    for start in 0..groups.len() {
        if run(start) > length {
            (from, length) = (start, run(start));
        }
    }
    let mut written = String::new();
    let mut at = 0;
    while at < groups.len() {
        if length > 1 && at == from {
            written.push_str("::");
            at += length;
            continue;
        }
        if !written.is_empty() && !written.ends_with(':') {
            written.push(':');
        }
        // Writing into a string cannot fail.
        let _ = write!(written, "{:x}", groups[at]);
        at += 1;
    }
    written == text
}

fn is_port(port: &str) -> bool {
    !port.starts_with('0') && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn what_a_browser_writes_is_accepted_and_kept_byte_for_byte() {
        for text in [
            "https://a.com",
            "https://a.com:8443",
            "https://xn--bcher-kva.example",
            "https://sub.domain.example:1",
            "https://[2001:db8::1]:8443",
            "https://[::]",
            "https://[1::2:0:0:3]",
            "https://[1:0:2::]",
            "https://[1:0:2:3:4:5:6:7]",
            "https://[::ffff:102:304]",
            "https://192.0.2.1:8443",
            "https://1.2.3.4a",
            "https://0x7g.a1",
            "https://my_host.example",
            "http://localhost",
            "http://localhost:3000",
            "http://127.0.0.1:65535",
            "http://[::1]:5173",
            "http://customer.localhost:8001",
        ] {
            assert_eq!(Origin::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_a_browser_would_not_write_is_refused_by_what_is_wrong() {
        use OriginError::*;
        for (text, error) in [
            ("", Scheme),
            ("null", Scheme),
            ("*", Scheme),
            ("a.com", Scheme),
            ("//a.com", Scheme),
            ("HTTPS://a.com", Scheme),
            ("ftp://a.com", Scheme),
            ("javascript://a.com", Scheme),
            (" https://a.com", Scheme),
            ("https:/a.com", Scheme),
            ("http://site.example", NotLoopback),
            ("http://127.0.0.2", NotLoopback),
            ("http://10.0.0.1", NotLoopback),
            ("http://localhost.evil.example", NotLoopback),
            ("http://notlocalhost", NotLoopback),
            ("https://", Host),
            ("https://*.a.com", Host),
            ("https://*foo.com", Host),
            ("https://A.com", Host),
            ("https://a.com/", Host),
            ("https://a.com/x", Host),
            ("https://a.com?x", Host),
            ("https://a.com#x", Host),
            ("https://a.com\\x", Host),
            ("https://user@a.com", Host),
            ("https://a..com", Host),
            ("https://a.com.", Host),
            ("https://.a.com", Host),
            ("https://bücher.example", Host),
            ("https://a.com ", Host),
            ("https://a.com\n", Host),
            ("https://a%2ecom", Host),
            ("https://[::1", Host),
            ("https://[]", Host),
            ("https://[::1]x", Host),
            ("https://[::1::]", Host),
            ("https://[0:0::1]", Host),
            ("https://[::01]", Host),
            ("https://[1::2:0:0:0:3]", Host),
            ("https://[::ffff:1.2.3.4]", Host),
            ("https://[::FFFF:1]", Host),
            ("https://0x7f.1", Host),
            ("https://127.1", Host),
            ("https://127.0.0.01", Host),
            ("https://2130706433", Host),
            ("https://1.2.3.256", Host),
            ("https://a.com.0x", Host),
            ("https://a.1", Host),
            ("https://user:pass@a.com", Port),
            ("https://a.com:", Port),
            ("https://a.com:443", Port),
            ("http://localhost:80", Port),
            ("https://a.com:0", Port),
            ("https://a.com:08443", Port),
            ("https://a.com:65536", Port),
            ("https://a.com:+1", Port),
            ("https://a.com:8443/", Port),
            ("https://a.com:1:2", Port),
        ] {
            assert_eq!(Origin::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn a_host_stands_without_its_port() {
        assert_eq!(Origin::parse("https://[::1]:8443").unwrap().host(), "[::1]");
        assert_eq!(Origin::parse("https://a.com:8443").unwrap().host(), "a.com");
        assert!(Origin::parse("https://x.localhost").unwrap().is_loopback());
    }

    proptest! {
        #[test]
        fn an_origin_reads_back_with_its_host_and_takes_nothing_more(
            host in "[a-z][a-z0-9_-]{0,8}(\\.[a-z][a-z0-9]{0,8}){0,3}", port in 1u16.., extra in "[^a-z0-9._-]",
        ) {
            let plain = alloc::format!("https://{host}");
            let text = if port == 443 { plain.clone() } else { alloc::format!("{plain}:{port}") };
            let origin = Origin::parse(&text).unwrap();
            prop_assert_eq!((origin.as_str(), origin.host()), (text.as_str(), host.as_str()));
            // Without TLS on the machine itself alone.
            let insecure = alloc::format!("http://{host}");
            prop_assert_eq!(Origin::parse(&insecure).is_ok(), is_loopback(&host));
            for longer in [plain + &extra, alloc::format!("{text}{extra}"), extra + &text] {
                prop_assert!(Origin::parse(&longer).is_err());
            }
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "(https?://)?\\PC{0,40}") {
            if let Ok(origin) = Origin::parse(&text) {
                prop_assert_eq!(origin.as_str(), text.as_str());
                prop_assert!(!origin.host().is_empty());
            }
        }
    }
}
