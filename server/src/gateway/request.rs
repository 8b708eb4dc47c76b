//! What a backend is told of a request.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header, uri::PathAndQuery};

use crate::{gate::Authorized, gateway::upstream::Upstream, http::address::ClientAddress};

/// Who passed the gate, signed: see [`super::assertion`].
pub const ASSERTION: HeaderName = HeaderName::from_static("latchkey-assertion");
/// The person's id.
pub const USER: HeaderName = HeaderName::from_static("latchkey-user");
/// The scoping organization's id.
pub const ORGANIZATION: HeaderName = HeaderName::from_static("latchkey-organization");
/// The application's client id.
pub const APPLICATION: HeaderName = HeaderName::from_static("latchkey-application");
/// What the token may do now: a space-delimited list.
pub const SCOPES: HeaderName = HeaderName::from_static("latchkey-scopes");
/// The person's role in the organization now.
pub const ROLE: HeaderName = HeaderName::from_static("latchkey-role");

/// What is between two neighbours alone (RFC 9110 §7.6.1), and must not be passed on.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What is for this server and for nobody behind it: the credentials, what the gate has judged already, what only this
/// server may say of the way the request came and of who it is, and what would make another request of it than the one
/// that was judged.
const OURS: [&str; 33] = [
    "authorization",
    "cf-connecting-ip",
    "client-ip",
    "cookie",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "host",
    "origin",
    "remote-addr",
    "remote-user",
    "true-client-ip",
    "x-authenticated-user",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-envoy-external-address",
    "x-envoy-original-path",
    "x-forward-for",
    "x-host",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-http-path-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-remote-user",
    "x-rewrite-url",
    "x-rewrite-uri",
];
/// What such names begin with.
const OUR_FAMILIES: [&str; 3] = ["latchkey-", "x-forwarded-", "x-latchkey-"];

/// Takes out what is between two neighbours alone, and what `Connection` says is.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a header is not to go on. Some backends read `_`, and a few whatever is no letter and no digit, as `-`
/// (RFC 3875 §4.1.18), so that `Latchkey_User` or `Latchkey.User` would count as `Latchkey-User`: what could be taken for
/// one of these is one, and what could be taken for the length or the end of the body, too.
fn is_reserved(name: &HeaderName) -> bool {
    let sent = name.as_str();
    let read = sent.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    let is_disguised = read != sent
        && (read == "content-length"
            || read == "content-type"
            || HOP_BY_HOP.iter().any(|hop_by_hop| hop_by_hop.as_str() == read));
    OURS.contains(&read.as_str())
        || read == "latchkey"
        || OUR_FAMILIES.iter().any(|family| read.starts_with(family))
        || is_disguised
}

/// Makes the headers of a request what the backend may see of it: what the client sent less what is not for it, and what
/// this server knows about who it is.
pub fn rewrite(
    headers: &mut HeaderMap,
    authorized: &Authorized,
    assertion: Option<HeaderValue>,
    address: ClientAddress,
    platform: &str,
) {
    remove_hop_by_hop(headers);
    let reserved: Vec<HeaderName> = headers.keys().filter(|name| is_reserved(name)).cloned().collect();
    for name in reserved {
        headers.remove(name);
    }
    identify(headers, authorized, assertion);
    let (scheme, host) = platform.split_once("://").unwrap_or_default();
    for (name, value) in [
        ("x-forwarded-for", address.to_string()),
        ("x-forwarded-proto", scheme.to_owned()),
        ("x-forwarded-host", host.to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Says who passed the gate, in words and, except in a region, signed.
pub fn identify(headers: &mut HeaderMap, authorized: &Authorized, assertion: Option<HeaderValue>) {
    let member = authorized.member();
    if let Some(assertion) = assertion {
        headers.insert(ASSERTION, assertion);
    }
    for (name, value) in [
        (USER, &*member.user_id),
        (ORGANIZATION, &*authorized.organization().id),
        (APPLICATION, &*authorized.application().client_id),
        (SCOPES, &authorized.scopes().to_list()),
        (ROLE, member.role.map(latchkey_protocol::scope::Role::as_str).unwrap_or_default()),
    ] {
        // Ids are made of letters and digits; whatever else stands in the database is not worth a header.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

/// The address of a request at its backend: the path and the query, byte for byte.
pub fn address(upstream: &Upstream, path_and_query: PathAndQuery) -> Option<Uri> {
    Uri::builder()
        .scheme(if upstream.is_https { "https" } else { "http" })
        .authority(upstream.authority.clone())
        .path_and_query(path_and_query)
        .build()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_two_neighbours_goes_no_further() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("connection", "x-other"),
            ("x-secret", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("x-kept", "1"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }

    #[test]
    fn a_name_that_a_backend_could_take_for_ours_is_ours() {
        for (name, reserved) in [
            ("latchkey-user", true),
            ("latchkey_user", true),
            ("latchkey.user", true),
            ("latchkey~user", true),
            ("latchkey-anything", true),
            ("latchkey", true),
            ("latchkeys", false),
            ("x-latchkey-user", true),
            ("x_original_url", true),
            ("x-rewrite-url", true),
            ("x-http-method-override", true),
            ("x-http-method", true),
            ("x_method.override", true),
            ("x-forwarded-user", true),
            ("x-forwarded-prefix", true),
            ("x_forwarded_for", true),
            ("true-client-ip", true),
            ("x-client-ip", true),
            ("remote_user", true),
            ("x-remote-user", true),
            ("content_length", true),
            ("transfer_encoding", true),
            ("content-length", false),
            ("content-type", false),
            ("if-none-match", false),
            ("x-request-id", false),
        ] {
            assert_eq!(is_reserved(&HeaderName::from_static(name)), reserved, "{name}");
        }
    }
}
