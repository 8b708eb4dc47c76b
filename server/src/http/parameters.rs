//! Request parameters: one strict reader for the query and for forms.

use latchkey_protocol::oauth::decode;

use crate::http::error::Error;

/// The longest query, in bytes.
const MAX_QUERY: usize = 16 * 1024;
/// The longest body of a form or of a JSON object, in bytes: room for whatever an application may be registered with.
pub const MAX_BODY: usize = 96 * 1024;
/// The most parameters of one request.
const MAX_COUNT: usize = 64;

/// The parameters of a request, each at most once.
#[derive(Debug, Default)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads `application/x-www-form-urlencoded`. A parameter that stands twice is refused, known or not
    /// (RFC 6749 §3.1: parameters must not be included more than once), and so is what is not UTF-8: repaired
    /// text would not be what the client sent.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_QUERY { Err(Error::Malformed) } else { Self::read(text) }
    }

    fn read(text: &str) -> Result<Self, Error> {
        let mut found: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).map_err(|_| Error::Malformed)?;
            let value = decode(value).map_err(|_| Error::Malformed)?;
            if found.iter().any(|(known, _)| *known == name) {
                return Err(Error::Repeated);
            }
            if found.len() == MAX_COUNT {
                return Err(Error::Malformed);
            }
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// Reads a form's body.
    pub fn parse_form(body: &[u8]) -> Result<Self, Error> {
        if body.len() > MAX_BODY {
            return Err(Error::TooLarge);
        }
        Self::read(std::str::from_utf8(body).map_err(|_| Error::Malformed)?)
    }

    /// The parameter, where it has a value: one without a value is treated as omitted (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every parameter with its value, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The parameter, or the error that names it.
    pub fn require(&self, name: &'static str) -> Result<&str, Error> {
        self.get(name).ok_or(Error::parameter(name, "is missing"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_parameter_is_read_once_and_an_empty_one_is_omitted() {
        let parameters = Parameters::parse("a=1&b=&c=x+y%26&d").unwrap();
        assert_eq!(parameters.get("a"), Some("1"));
        assert_eq!(parameters.get("b"), None);
        assert_eq!(parameters.get("c"), Some("x y&"));
        assert!(parameters.require("d").is_err());
    }

    #[test]
    fn what_is_repeated_or_cannot_be_read_is_refused() {
        for repeated in ["a=1&a=1", "a=1&a=2", "a=1&%61=1", "a&a", "a=&a=1"] {
            assert!(matches!(Parameters::parse(repeated), Err(Error::Repeated)), "{repeated}");
        }
        let many: String = (0..65).map(|i| format!("p{i}=&")).collect();
        for malformed in ["a=%", "a=%f", "a=%zz", "a=%ff", "%c3=1", &"a".repeat(MAX_QUERY + 1), &many] {
            assert!(matches!(Parameters::parse(malformed), Err(Error::Malformed)), "{malformed:.40}");
        }
        assert!(matches!(Parameters::parse_form(b"a=\xff"), Err(Error::Malformed)));
        assert!(Parameters::parse_form("a".repeat(MAX_BODY).as_bytes()).is_ok());
        assert!(matches!(Parameters::parse_form("a".repeat(MAX_BODY + 1).as_bytes()), Err(Error::TooLarge)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,200}") {
            let _ = Parameters::parse(&text);
        }
    }
}
