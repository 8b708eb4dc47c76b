//! Reading the bearer token of a request (RFC 6750 §2).

use http::{HeaderMap, header};
use latchkey_protocol::oauth::{BEARER, decode};

use crate::{Refusal, token::AccessToken};

/// Reads the `Authorization` header, the one place a token may come in.
pub fn read(headers: &HeaderMap, query: Option<&str>) -> Result<AccessToken, Refusal> {
    // RFC 6750 §2.3 allows the query only where nothing else is possible; here it is always refused.
    if query.is_some_and(has_token) {
        return Err(Refusal::TokenInQuery);
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(if headers.contains_key(header::AUTHORIZATION) {
            Refusal::InvalidToken
        } else {
            Refusal::TokenMissing
        });
    };
    let value = value.to_str().map_err(|_| Refusal::InvalidToken)?;
    let (scheme, token) = value.split_once(' ').ok_or(Refusal::InvalidToken)?;
    if !scheme.eq_ignore_ascii_case(BEARER) {
        return Err(Refusal::TokenMissing);
    }
    // The checksum is refused here, before anything is looked up.
    AccessToken::parse(token.trim()).ok_or(Refusal::InvalidToken)
}

fn has_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        decode(name).is_ok_and(|name| name == "access_token")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_token_comes_in_one_header_and_nowhere_else() {
        let token = AccessToken::from_random(&[1; 32]);
        let token = token.expose();
        let bearer = format!("Bearer {token}");
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert!(read(&with(&[&format!("{scheme} {token}")]), None).is_ok());
        }
        assert!(read(&with(&[&bearer]), Some("a=1&b")).is_ok());
        for query in ["access_token=x", "a=1&access_token", "access%5Ftoken=x"] {
            assert!(matches!(read(&with(&[&bearer]), Some(query)), Err(Refusal::TokenInQuery)), "{query}");
        }
        assert!(matches!(read(&with(&[]), None), Err(Refusal::TokenMissing)));
        assert!(matches!(read(&with(&["Basic YTpi"]), None), Err(Refusal::TokenMissing)));
        for wrong in [
            "Bearer",
            "Bearer ",
            "Bearer x",
            token,
            &format!("Bearer {token}x"),
            &format!("Bearer {token} x"),
        ] {
            assert!(matches!(read(&with(&[wrong]), None), Err(Refusal::InvalidToken)), "{wrong}");
        }
        assert!(matches!(read(&with(&[&bearer, &bearer]), None), Err(Refusal::InvalidToken)));
    }
}
