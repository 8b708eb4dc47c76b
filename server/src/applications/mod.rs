//! Applications: what an organization may register, the rules a registration is held to, and the pages and the API by
//! which its admins manage them.

pub mod api;
pub mod body;
pub mod change;
pub mod draft;
pub mod edit;
pub mod ending;
pub mod form;
pub mod list;
pub mod new;
pub mod pages;
pub mod refused_origins;
pub mod registration;
pub mod show;
pub mod try_it;

use std::fmt;

/// How an authorization response brings what was granted (RFC 6749 §3.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseType {
    /// The access token itself, in the fragment (RFC 6749 §4.2).
    Token,
    /// A code to exchange for tokens, in the query (RFC 6749 §4.1).
    Code,
}

impl ResponseType {
    /// The value of the parameter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Code => "code",
        }
    }

    /// The `response_mode` of its responses, the only one there is for it: the part of the address they travel in.
    pub const fn mode(self) -> &'static str {
        match self {
            Self::Token => "fragment",
            Self::Code => "query",
        }
    }

    /// Reads the parameter.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "token" => Some(Self::Token),
            "code" => Some(Self::Code),
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

    /// These, each once; `None` for none at all.
    pub fn of(all: &[ResponseType]) -> Option<Self> {
        let known = [ResponseType::Token, ResponseType::Code];
        let some: Vec<_> = known.into_iter().filter(|one| all.contains(one)).collect();
        (!some.is_empty()).then_some(Self(some))
    }

    /// Reads a space-delimited list.
    pub fn parse(list: &str) -> Option<Self> {
        Self::of(&list.split(' ').map(ResponseType::parse).collect::<Option<Vec<_>>>()?)
    }

    /// Their names.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.iter().map(|one| one.as_str()).collect()
    }

    /// The space-delimited list.
    pub fn to_list(&self) -> String {
        self.names().join(" ")
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
