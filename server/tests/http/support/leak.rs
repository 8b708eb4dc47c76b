//! Where a secret may stand in an answer. Every answer of every test is looked at.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::{PASSWORD, SERVER_SECRET, VERIFIER, person::Cookie};

/// What the platform's tokens begin with: access tokens, refresh tokens and authorization codes.
const PREFIXES: [&str; 3] = ["lkat_", "lkrt_", "lkac_"];
/// As many letters and digits after it make a token of it, even a broken one.
const LENGTH: usize = 12;
/// What is sent to the platform and never comes back: what a person types, what a client proves that a code is its own
/// with (RFC 7636 §4.1), and what a resource server says who it is with.
const MARKED: [&str; 3] = [PASSWORD, VERIFIER, SERVER_SECRET];

/// Where a token, a code or what is marked stands that may not: in any header but the `Location` of an authorization
/// response, and in any body but the token endpoint's answer, which is JSON and has a field for each, and the frame's session's, which has
/// one for an access token alone.
pub(crate) fn in_answer(status: u16, headers: &HeaderMap, body: &str) -> Option<String> {
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let is_response = *name == header::LOCATION && status == 303;
        if holds_marked(&value) || (holds_token(&value) && !is_response) {
            return Some(format!("the header {name} tells a secret: {value}"));
        }
    }
    let told = without_tokens_of_their_own(status, headers, body);
    let tells = holds_marked(&told) || holds_token(&told);
    tells.then(|| format!("the body tells a secret: {body}"))
}

/// Where the value of a cookie stands in an answer to who holds it, or is given it: only `Set-Cookie` may tell it.
pub(crate) fn of_cookies(
    cookies: &BTreeMap<String, Cookie>,
    headers: &HeaderMap,
    body: &str,
) -> Option<String> {
    let others = headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
    let texts = others.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let texts: Vec<String> = texts.chain([body.to_owned()]).collect();
    let told = |cookie: &&Cookie| texts.iter().any(|text| text.contains(&cookie.value));
    cookies.values().find(told).map(|cookie| format!("a cookie is told: {}", cookie.value))
}

fn without_tokens_of_their_own(status: u16, headers: &HeaderMap, body: &str) -> String {
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|value| value == "application/json");
    match serde_json::from_str(body) {
        Ok(Value::Object(mut fields)) if is_json && status == 200 => {
            let is_token = |name, prefix| {
                fields.get(name).and_then(Value::as_str).is_some_and(|text: &str| text.starts_with(prefix))
            };
            let names: Vec<_> = fields.keys().map(String::as_str).collect();
            let is_renewal = names == ["access_token", "expires_in", "scope", "token_type"];
            if is_token("access_token", "lkat_") && (is_renewal || is_token("refresh_token", "lkrt_")) {
                fields.remove("access_token");
                fields.remove("refresh_token");
            }
            Value::Object(fields).to_string()
        }
        _ => body.to_owned(),
    }
}

fn holds_marked(text: &str) -> bool {
    MARKED.iter().any(|secret| text.contains(secret))
}

fn holds_token(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| {
        text.match_indices(prefix).any(|(at, _)| {
            let rest = text.as_bytes()[at + prefix.len()..].iter();
            rest.take_while(|byte| byte.is_ascii_alphanumeric()).count() >= LENGTH
        })
    })
}
