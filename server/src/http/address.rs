//! Whom a request comes from: the address of the connection, or the one that trusted proxies pass on.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, Once},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, request::Parts},
};
use ipnet::IpNet;

use crate::{
    http::error::{Error, PageError},
    state::App,
};

/// Where a proxy writes whom it was asked by, at the end of the list.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address, as far as the server's own side of the way can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Follows the way back from the connection's peer.
    ///
    /// A proxy adds at the end who asked it, so the list is believed from the right, and only while whoever added
    /// the entry is trusted: everything further left is the client's to invent.
    pub fn find(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let mut found = peer.to_canonical();
        // A list may go on in another header of the same name (RFC 9110 §5.3).
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        for entry in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            if !trusted.iter().any(|network| network.contains(&found)) {
                break;
            }
            // What cannot be read ends the way: the last address that is certain is that of a proxy.
            let Some(address) = parse(entry) else { break };
            found = address;
        }
        Self(found)
    }

    /// The address of the client of a request.
    pub fn of(extensions: &Extensions, headers: &HeaderMap, app: &App) -> Result<Self, Error> {
        if app.config.trusted_proxies.is_empty() && headers.contains_key(FORWARDED_FOR) {
            warn_once();
        }
        match extensions.get::<ConnectInfo<SocketAddr>>() {
            Some(ConnectInfo(peer)) => Ok(Self::find(peer.ip(), headers, &app.config.trusted_proxies)),
            // Nobody's attempts can be counted then, so nobody may make any.
            None => Err(Error::Internal(Arc::new(NoPeer))),
        }
    }

    /// The address itself.
    pub fn address(self) -> IpAddr {
        self.0
    }

    /// Whom this address counts for: itself, or the network that one holder of IPv6 addresses has to himself
    /// (RFC 6177 §2: nobody is given less than a /64).
    pub fn holder(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.extensions, &parts.headers, app)?)
    }
}

/// Behind a proxy that nobody named, everybody counts as one: whoever runs the server is told before people are.
fn warn_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "a request came with X-Forwarded-For, but no proxy is trusted, so attempts are counted for the address of \
             the connection: if there is a proxy before this server, name it with --trusted-proxy"
        );
    });
}

#[derive(Debug, thiserror::Error)]
#[error("the connection's peer was not handed to the router")]
struct NoPeer;

/// Reads an address as proxies write it: `192.0.2.1`, `2001:db8::1`, each with a port (`[2001:db8::1]:443`) or
/// without. An IPv4 address within IPv6 (`::ffff:192.0.2.1`) is that IPv4 address.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    fn find(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        ClientAddress::find(peer.parse().unwrap(), &headers(lines), &trusted).to_string()
    }

    #[test]
    fn a_list_is_believed_from_the_right_for_as_long_as_a_proxy_is_trusted() {
        for (peer, lines, client) in [
            // Who is no proxy says nothing about anybody.
            ("203.0.113.9", &[][..], "203.0.113.9"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("203.0.113.9", &["10.0.0.1"], "203.0.113.9"),
            ("2001:db8::9", &["198.51.100.1"], "2001:db8::9"),
            // A proxy says whom it was asked by; what stands further left is the client's invention.
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["192.0.2.66, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["10.9.9.9,198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["garbage, , 198.51.100.1"], "198.51.100.1"),
            ("fd00::1", &["2001:db8::5"], "2001:db8::5"),
            // Several proxies, one behind the other.
            ("10.0.0.1", &["192.0.2.66, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1 ,\t10.0.0.3, fd00::2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Several headers are one list, in their order.
            ("10.0.0.1", &["192.0.2.66", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1", "10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, 10.0.0.3", "10.0.0.2"], "198.51.100.1"),
            // Ports, brackets, and IPv4 within IPv6.
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::5]:4711"], "2001:db8::5"),
            ("10.0.0.1", &["[2001:db8::5]"], "2001:db8::5"),
            ("10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1, ::ffff:10.0.0.2"], "198.51.100.1"),
            // What cannot be read ends the way.
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1,"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["198.51.100.1; 192.0.2.1"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:99999"], "10.0.0.1"),
            ("10.0.0.1", &["198.051.100.1"], "10.0.0.1"),
            ("10.0.0.1", &["3325256705"], "10.0.0.1"),
            ("10.0.0.1", &["[198.51.100.1]"], "10.0.0.1"),
            ("10.0.0.1", &["fe80::1%eth0"], "10.0.0.1"),
            ("10.0.0.1", &["\"198.51.100.1\""], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1, \u{ff11}.2.3.4"], "10.0.0.1"),
        ] {
            assert_eq!(find(peer, lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_end_the_way() {
        let mut headers = headers(&["198.51.100.1"]);
        headers.append(FORWARDED_FOR, HeaderValue::from_bytes(b"192.0.2.1, \xff\xfe").unwrap());
        let peer = "10.0.0.1".parse().unwrap();
        let found = ClientAddress::find(peer, &headers, &["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(found.to_string(), "10.0.0.1");
    }

    #[test]
    fn nobody_is_trusted_who_was_not_named() {
        for peer in ["127.0.0.1", "::1", "10.0.0.1", "192.168.0.1"] {
            let found = ClientAddress::find(peer.parse().unwrap(), &headers(&["198.51.100.1"]), &[]);
            assert_eq!(found.to_string(), peer);
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_an_ipv4_address_by_itself() {
        for (address, holder) in [
            ("203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("::1", "::"),
        ] {
            let found = ClientAddress::find(address.parse().unwrap(), &HeaderMap::new(), &[]);
            assert_eq!(found.holder().to_string(), holder, "{address}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_it_is_counted_where_its_proxy_saw_it(
            invented in "[ -~]{0,80}",
            more in proptest::collection::vec("[0-9a-f:., \\[\\]]{0,40}", 0..4),
            client in any::<u32>(),
        ) {
            let client = IpAddr::V4(client.into());
            prop_assume!(!"10.0.0.0/8".parse::<IpNet>().unwrap().contains(&client));
            let mut lines = more;
            lines.push(format!("{invented}, {client}"));
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(find("10.0.0.1", &lines), client.to_string());
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&bytes);
        }
    }
}
