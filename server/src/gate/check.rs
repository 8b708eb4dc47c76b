//! `/gate/check/`: the gate's decision for a proxy of the platform's own, which then passes the request on itself.
//!
//! nginx (`auth_request`) says what it was asked in `X-Original-Method` and `X-Original-URI`; Traefik (ForwardAuth) and
//! Caddy (`forward_auth`) in `X-Forwarded-Method` and `X-Forwarded-Uri`; Envoy (`ext_authz` over HTTP) by the method and
//! the path of its own request, below `/gate/check/path`. What lets a request pass is 200 with who it is in headers, and
//! what does not is 401 or 403: the two that every one of them knows.
//!
//! What is told is judged as it stands, to the last byte: where the library that reads addresses would leave something
//! out (from a `#` on, which a proxy may resolve as a part of the path), nothing is decided.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, request::Parts},
    response::{IntoResponse, Response},
};

use crate::{
    gate::{Presented, Route},
    gateway::{assertion, guarded::Guarded, path, request::identify},
    http::error::{ApiError, Error},
    routes::SentPath,
    state::App,
};

/// Where Envoy's paths begin.
const BELOW: &str = "/gate/check/path";
/// The pairs of headers in which a proxy says what it was asked.
const TOLD: [(&str, &str); 2] =
    [("x-original-method", "x-original-uri"), ("x-forwarded-method", "x-forwarded-uri")];

/// What a proxy was asked.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    method: Method,
    address: Uri,
}

/// Decides about the request that the headers tell of.
pub async fn by_headers(State(app): State<App>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let asked = told(&parts.headers);
    answer(&app, parts, asked).await
}

/// Decides about a request with this method and with the rest of this path.
pub async fn by_path(State(app): State<App>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let sent = parts.extensions.get::<SentPath>().map_or(&parts.uri, |SentPath(sent)| sent);
    // A `#` never comes so far: Envoy refuses it (`http_reject_path_with_fragment`), and hyper ends the address there.
    let below = sent.path_and_query().and_then(|path| path.as_str().strip_prefix(BELOW)).unwrap_or_default();
    let asked = address(below).map(|address| Asked { method: parts.method.clone(), address });
    answer(&app, parts, asked).await
}

async fn answer(app: &App, parts: Parts, asked: Result<Asked, Error>) -> Response {
    let mut response =
        decide(app, parts, asked).await.unwrap_or_else(|error| ApiError(error).into_response());
    // What is wrong with a request is told in the body: a proxy takes any other status for a failure of the gate's.
    if response.status().is_client_error() && response.status() != StatusCode::UNAUTHORIZED {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

async fn decide(app: &App, mut parts: Parts, asked: Result<Asked, Error>) -> Result<Response, Error> {
    require_proxy(app, &parts)?;
    let Asked { method, address } = asked?;
    if !path::is_unambiguous(address.path()) {
        return Err(Error::AmbiguousPath);
    }
    let (guarded, audience) = find(app, address.path()).ok_or(Error::NotDeclared)?;
    let rule = guarded.rule(&method).ok_or(Error::NotDeclared)?;
    // What was asked is behind the proxy: here everything comes to one address.
    let route = Route(guarded.prefix.clone());
    let presented = Presented {
        headers: &parts.headers,
        path: address.path(),
        query: address.query(),
        route: Some(&route),
    };
    match app.gate.authorize(rule, presented).await {
        Ok(authorized) => {
            let assertion = assertion::make(app, &authorized, &audience).await?;
            let mut response = Response::new(Body::empty());
            identify(response.headers_mut(), &authorized, assertion);
            Ok(response)
        }
        Err(refused) => {
            parts.extensions.insert(route);
            Ok(app.gate.refuse(refused, &parts))
        }
    }
}

/// Whoever else asks would be told of a request that nobody made, and given an assertion for it.
fn require_proxy(app: &App, parts: &Parts) -> Result<(), Error> {
    let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
        return Err(Error::NotAProxy);
    };
    let (peer, trusted) = (peer.ip().to_canonical(), &app.config.trusted_proxies);
    let is_one = if trusted.is_empty() {
        peer.is_loopback()
    } else {
        trusted.iter().any(|network| network.contains(&peer))
    };
    if is_one { Ok(()) } else { Err(Error::NotAProxy) }
}

/// What the headers tell. A client could add the other pair to what its proxy says, so nothing counts then.
fn told(headers: &HeaderMap) -> Result<Asked, Error> {
    let mut pairs = TOLD.iter().filter(|(_, address)| headers.contains_key(*address));
    let (Some((method, address)), None) = (pairs.next(), pairs.next()) else { return Err(Error::NotTold) };
    let only = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        value.to_str().ok()
    };
    let method = only(method).and_then(|method| method.parse().ok()).ok_or(Error::NotTold)?;
    Ok(Asked { method, address: self::address(only(address).ok_or(Error::NotTold)?)? })
}

/// A path and a query, with nothing left out that stands in the text.
fn address(text: &str) -> Result<Uri, Error> {
    let address: Uri = Some(text)
        .filter(|text| text.starts_with('/'))
        .and_then(|text| text.parse().ok())
        .ok_or(Error::NotTold)?;
    let is_whole = address.path_and_query().is_some_and(|read| read.as_str() == text);
    if is_whole { Ok(address) } else { Err(Error::AmbiguousPath) }
}

/// The rules for a path, of whoever declares the most of it, and whom an assertion would be for.
fn find<'a>(app: &'a App, path: &str) -> Option<(&'a Guarded, Arc<str>)> {
    let issuer: Arc<str> = app.config.issuer().into();
    let behind_proxies = app.config.guarded.iter().map(|guarded| (guarded, issuer.clone()));
    let behind_us =
        app.config.upstreams.iter().map(|upstream| (&upstream.guarded, upstream.audience().into()));
    let covering = behind_proxies.chain(behind_us).filter(|(guarded, _)| guarded.covers(path));
    covering.max_by_key(|(guarded, _)| guarded.rank())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn with(headers: &[(&'static str, &'static str)]) -> Result<Asked, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        told(&map)
    }

    #[test]
    fn a_proxy_tells_in_one_of_two_ways_and_not_in_both() {
        for (method, address) in TOLD {
            let asked = with(&[(method, "POST"), (address, "/a/b?c=d")]).unwrap();
            assert_eq!((asked.method, asked.address.to_string()), (Method::POST, "/a/b?c=d".to_owned()));
        }
        for wrong in [
            &[][..],
            &[("x-original-uri", "/a")],
            &[("x-original-method", "GET")],
            &[("x-original-method", "GET"), ("x-forwarded-uri", "/a")],
            &[("x-original-method", "GET"), ("x-original-uri", "a")],
            &[("x-original-method", "GET"), ("x-original-uri", "http://a/b")],
            &[("x-original-method", "G T"), ("x-original-uri", "/a")],
            &[("x-original-method", "GET"), ("x-original-uri", "/a"), ("x-original-uri", "/b")],
            &[("x-original-method", "GET"), ("x-original-method", "PUT"), ("x-original-uri", "/a")],
            &[
                ("x-original-method", "GET"),
                ("x-original-uri", "/a"),
                ("x-forwarded-method", "GET"),
                ("x-forwarded-uri", "/a"),
            ],
        ] {
            assert!(matches!(with(wrong), Err(Error::NotTold)), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_that_would_be_read_in_part_is_ambiguous() {
        for (method, told) in TOLD {
            for ambiguous in ["/a/#/../../b", "/a#", "/#", "/a?b#c", "/a?b=c#/../d"] {
                let asked = with(&[(method, "GET"), (told, ambiguous)]);
                assert!(matches!(asked, Err(Error::AmbiguousPath)), "{told}: {ambiguous}");
            }
        }
    }

    proptest::proptest! {
        /// Whatever is decided about is what was told, byte for byte.
        #[test]
        fn an_address_is_read_whole_or_not_at_all(text in "/[ -~]{0,30}") {
            if let Ok(read) = address(&text) {
                proptest::prop_assert_eq!(read.to_string(), text);
            }
        }
    }
}
