//! Applications: what an organization may register, and the rules a registration is held to.

pub mod registration;

use std::fmt;

/// How an authorization response brings what was granted (RFC 6749 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseType {
    /// The access token itself, in the fragment (RFC 6749 §4.2).
    Token,
}

impl ResponseType {
    /// The value of the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
        }
    }

    /// Reads the parameter.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "token" => Some(Self::Token),
            _ => None,
        }
    }
}

/// The response types an application may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseTypes(Vec<ResponseType>);

impl ResponseTypes {
    /// What an application gets that does not say.
    pub fn standard() -> Self {
        Self(vec![ResponseType::Token])
    }

    /// Reads a space-delimited list.
    pub fn parse(list: &str) -> Option<Self> {
        list.split(' ').map(ResponseType::parse).collect::<Option<_>>().map(Self)
    }

    /// The space-delimited list.
    pub fn to_list(&self) -> String {
        self.0.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Whether this one may be asked for.
    pub fn contains(&self, response_type: ResponseType) -> bool {
        self.0.contains(&response_type)
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
