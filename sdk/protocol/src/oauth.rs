//! The authorization response as it travels from the server to whoever began the request.

use alloc::{string::String, vec::Vec};

/// The token type of RFC 6750 §6.1.1.
pub const BEARER: &str = "Bearer";

/// The longest `state` a request may carry, in bytes.
pub const MAX_STATE: usize = 1024;

/// The longest response that is read at all, in bytes.
pub const MAX_RESPONSE: usize = 16 * 1024;

/// An authorization response (RFC 6749 §4.2.2, RFC 9207 §2), read from a fragment or a query.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The value of the request, byte for byte.
    pub state: String,
    /// Who answers: the server's issuer (RFC 9207).
    pub iss: String,
    /// The application the response is for.
    pub client_id: String,
    /// The site the request came from; absent where the redirect URI says it.
    pub origin: Option<String>,
    /// What the frame's own session is made of, once (SECURITY 45a); the frame hands it to nobody.
    pub handle: Option<String>,
    /// What was decided.
    pub outcome: Outcome,
}

/// What the server decided.
#[derive(Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A token (RFC 6749 §4.2.2).
    Token {
        /// The access token itself.
        access_token: String,
        /// Its lifetime in seconds.
        expires_in: u32,
        /// What was granted.
        scope: String,
    },
    /// A code (RFC 6749 §4.1.2).
    Code {
        /// The code itself.
        code: String,
    },
    /// A refusal (RFC 6749 §4.2.2.1).
    Error {
        /// One of RFC 6749's error codes, or OpenID Connect's.
        error: String,
        /// What it means, for people.
        error_description: Option<String>,
    },
}

/// Why a text is not an authorization response. It never holds the text: there may be a token in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseError {
    /// The text is longer than [`MAX_RESPONSE`].
    TooLong,
    /// A name or a value is not `application/x-www-form-urlencoded`.
    Encoding,
    /// A parameter stands twice (RFC 6749 §3.1).
    Repeated,
    /// A parameter that every response has is missing, or has a value it cannot have.
    Incomplete,
}

impl Response {
    /// Reads the text after `#` or `?`.
    pub fn parse(text: &str) -> Result<Self, ResponseError> {
        if text.len() > MAX_RESPONSE {
            return Err(ResponseError::TooLong);
        }
        let mut fields = Fields::read(text)?;
        Ok(Self {
            outcome: Outcome::take(&mut fields)?,
            state: fields.require("state")?,
            iss: fields.require("iss")?,
            client_id: fields.require("client_id")?,
            origin: fields.take("origin"),
            handle: fields.take("handle"),
        })
    }
}

impl Outcome {
    fn take(fields: &mut Fields) -> Result<Self, ResponseError> {
        let (code, token) = (fields.take("code"), fields.take("access_token"));
        let Some(error) = fields.take("error") else {
            // One or the other: a response that is both is none.
            let access_token = match (code, token) {
                (Some(code), None) => return Ok(Self::Code { code }),
                (None, Some(token)) => token,
                (None, None) | (Some(_), Some(_)) => return Err(ResponseError::Incomplete),
            };
            // RFC 6749 §7.1: a client must not use a token of a type it does not understand.
            if !fields.require("token_type")?.eq_ignore_ascii_case(BEARER) {
                return Err(ResponseError::Incomplete);
            }
            return Ok(Self::Token {
                access_token,
                expires_in: seconds(&fields.require("expires_in")?).ok_or(ResponseError::Incomplete)?,
                scope: fields.take("scope").unwrap_or_default(),
            });
        };
        if code.is_some() || token.is_some() {
            return Err(ResponseError::Incomplete);
        }
        Ok(Self::Error { error, error_description: fields.take("error_description") })
    }
}

/// The parameters of a response, each at most once.
struct Fields([Option<String>; NAMES.len()]);

impl Fields {
    fn read(text: &str) -> Result<Self, ResponseError> {
        let mut fields = Self(Default::default());
        for pair in text.as_bytes().split(|byte| *byte == b'&') {
            let end_of_name = pair.iter().take_while(|byte| **byte != b'=').count();
            let (name, value) = pair.split_at_checked(end_of_name).unwrap_or_default();
            // RFC 6749 §4.2.2: unrecognised response parameters are ignored.
            let Some(field) = fields.find(&decode_bytes(name)?) else { continue };
            if field.replace(decode_bytes(value.strip_prefix(b"=").unwrap_or_default())?).is_some() {
                return Err(ResponseError::Repeated);
            }
        }
        Ok(fields)
    }

    fn find(&mut self, name: &str) -> Option<&mut Option<String>> {
        let position = NAMES.iter().position(|known| *known == name)?;
        self.0.get_mut(position)
    }

    fn take(&mut self, name: &str) -> Option<String> {
        self.find(name)?.take()
    }

    fn require(&mut self, name: &str) -> Result<String, ResponseError> {
        self.take(name).ok_or(ResponseError::Incomplete)
    }
}

/// Reads a number of seconds: digits and nothing else (RFC 6749 §A.14).
fn seconds(text: &str) -> Option<u32> {
    let digit = |number: u32, byte: u8| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
        _ => None,
    };
    text.bytes().try_fold(0, digit).filter(|_| !text.is_empty())
}

/// The parameters of a response.
const NAMES: [&str; 12] = [
    "state",
    "iss",
    "client_id",
    "origin",
    "handle",
    "code",
    "access_token",
    "token_type",
    "expires_in",
    "scope",
    "error",
    "error_description",
];

/// Reads one name or value of `application/x-www-form-urlencoded`, strictly: nothing is repaired.
pub fn decode(text: &str) -> Result<String, ResponseError> {
    decode_bytes(text.as_bytes())
}

fn decode_bytes(text: &[u8]) -> Result<String, ResponseError> {
    let mut bytes = Vec::new();
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err(ResponseError::Encoding),
            },
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| ResponseError::Encoding)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes one name or value of `application/x-www-form-urlencoded` to the end of a text.
///
/// Everything but the unreserved characters of RFC 3986 §2.3 is escaped, so that the result stands in a query,
/// in a fragment and in a form alike.
pub fn encode_into(out: &mut String, value: &str) {
    const DIGITS: [u8; 16] = *b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)] as char);
            out.push(DIGITS[usize::from(byte & 15)] as char);
        }
    }
}

/// Writes `name=value` pairs, joined by `&`.
pub fn encode_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        encode_into(&mut out, name);
        out.push('=');
        encode_into(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKEN: &str = "access_token=lkat_x&token_type=Bearer&expires_in=3600&scope=org%3Aread+project%3Aread\
                         &state=s%2B1&iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fa.com";

    #[test]
    fn a_token_response_is_read() {
        let response = Response::parse(TOKEN).ok().unwrap();
        assert_eq!(response.state, "s+1");
        assert_eq!(response.iss, "https://p.example");
        assert_eq!(response.client_id, "c1");
        assert_eq!(response.origin.as_deref(), Some("https://a.com"));
        let Outcome::Token { access_token, expires_in, scope } = response.outcome else { panic!("no token") };
        assert_eq!((&*access_token, expires_in, &*scope), ("lkat_x", 3600, "org:read project:read"));
    }

    #[test]
    fn a_code_response_is_read() {
        let text = "code=lkac_x&state=s&iss=i&client_id=c&origin=https%3A%2F%2Fa.com&handle=h%2B1";
        let response = Response::parse(text).ok().unwrap();
        assert_eq!(response.handle.as_deref(), Some("h+1"));
        let Outcome::Code { code } = response.outcome else { panic!("no code") };
        assert_eq!(code, "lkac_x");
    }

    #[test]
    fn an_error_response_is_read() {
        let text = "error=access_denied&error_description=No%20thanks&state=s&iss=i&client_id=c";
        let response = Response::parse(text).ok().unwrap();
        assert!(response.origin.is_none());
        let Outcome::Error { error, error_description } = response.outcome else { panic!("no error") };
        assert_eq!((&*error, error_description.as_deref()), ("access_denied", Some("No thanks")));
    }

    #[test]
    fn what_is_not_a_response_is_refused() {
        use ResponseError::*;
        let long = "a".repeat(MAX_RESPONSE + 1);
        for (text, error) in [
            ("", Incomplete),
            ("state=s&iss=i&client_id=c", Incomplete),
            ("error=e&iss=i&client_id=c", Incomplete),
            ("error=e&state=s&client_id=c", Incomplete),
            ("error=e&state=s&iss=i", Incomplete),
            ("error=e&access_token=t&token_type=Bearer&expires_in=1&state=s&iss=i&client_id=c", Incomplete),
            ("error=e&code=c&state=s&iss=i&client_id=c", Incomplete),
            ("code=c&access_token=t&token_type=Bearer&expires_in=1&state=s&iss=i&client_id=c", Incomplete),
            ("code=c&code=d&state=s&iss=i&client_id=c", Repeated),
            ("code=c&handle=h&handle=i&state=s&iss=i&client_id=c", Repeated),
            ("access_token=t&token_type=mac&expires_in=1&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&expires_in=1&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&token_type=Bearer&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&token_type=Bearer&expires_in=-1&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&token_type=Bearer&expires_in=%2B1&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&token_type=Bearer&expires_in=&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&token_type=Bearer&expires_in=4294967296&state=s&iss=i&client_id=c", Incomplete),
            ("access_token=t&token_type=Bearer&expires_in=1e3&state=s&iss=i&client_id=c", Incomplete),
            ("error=e&state=s&state=s&iss=i&client_id=c", Repeated),
            ("error=e&st%61te=s&state=s&iss=i&client_id=c", Repeated),
            ("error=%", Encoding),
            ("error=%2", Encoding),
            ("error=%zz", Encoding),
            ("error=%ff", Encoding),
            (&long, TooLong),
        ] {
            assert_eq!(Response::parse(text).err(), Some(error), "{text:.80?}");
        }
    }

    #[test]
    fn a_parameter_nobody_knows_is_ignored() {
        let text = "error=e&state=s&iss=i&client_id=c&x=1&x=2&__proto__=1";
        assert!(Response::parse(text).is_ok());
    }

    proptest! {
        #[test]
        fn any_state_comes_back_byte_for_byte(state in ".{0,80}") {
            let text = encode_pairs([("error", "e"), ("state", &state), ("iss", "i"), ("client_id", "c")]);
            prop_assert_eq!(Response::parse(&text).ok().map(|r| r.state), Some(state));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
            let _ = Response::parse(&text);
        }
    }
}
