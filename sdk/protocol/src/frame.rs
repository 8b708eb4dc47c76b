//! The messages between the SDK on the customer's page, the iframe, and the callback page.
//!
//! Three of them are window messages, posted with one exact target origin: `hello` carries the port on which all
//! others travel, `response` brings the authorization response from the callback page, and `received` lets that
//! page close its window. Each names the protocol's [version](crate::VERSION).

use alloc::{boxed::Box, string::String, vec::Vec};

#[cfg(feature = "serde")]
use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;

/// The SDK's first message to the iframe: a window message that carries a `MessagePort`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(tag = "type", deny_unknown_fields))]
pub enum Hello {
    /// `{ type: "latchkey.hello", version, client_id, scope }`.
    #[cfg_attr(feature = "serde", serde(rename = "latchkey.hello"))]
    Hello {
        /// The version the SDK speaks.
        version: u32,
        /// The application the SDK was started for.
        client_id: String,
        /// What the frame's own button asks for, space-delimited; empty for the application's maximum.
        scope: String,
    },
}

/// The callback page's message to the frame, or to the page, that the authorization response is for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(tag = "type", deny_unknown_fields))]
pub enum FromCallback {
    /// `{ type: "latchkey.response", version, response }`.
    #[cfg_attr(feature = "serde", serde(rename = "latchkey.response"))]
    Response {
        /// The version the callback page speaks.
        version: u32,
        /// The fragment as it came, without `#`: see [`crate::oauth::Response::parse`].
        response: String,
    },
}

/// The answer to [`FromCallback`]: the response arrived, the window may close.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(tag = "type", deny_unknown_fields))]
pub enum ToCallback {
    /// `{ type: "latchkey.received", version }`.
    #[cfg_attr(feature = "serde", serde(rename = "latchkey.received"))]
    Received {
        /// The version the receiver speaks.
        version: u32,
    },
}

/// A message from the iframe to the SDK, over the port.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize),
    serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)
)]
pub enum FromFrame {
    /// The iframe accepted the hello.
    Welcome {
        /// The version the iframe speaks.
        version: u32,
    },
    /// A request the page may open a window with, in its next click: used once.
    Prepared(Prepared),
    /// The person clicked *Sign in* in the iframe, and the iframe opened the window itself.
    SigningIn {},
    /// The authorization response of the sign-in arrived: that its window closes now means nothing any more.
    Answered {},
    /// A sign-in succeeded.
    SignedIn {
        /// The access token, for the page that the iframe's parent is.
        access_token: String,
        /// Whose it is and what it opens.
        session: Box<Session>,
    },
    /// A sign-in ended without a session.
    Failed {
        /// Why.
        code: ErrorCode,
        /// The server's own words for it, if it had any.
        description: Option<String>,
    },
    /// The person clicked *Sign out* in the iframe: the SDK revokes the token.
    SignOut {},
    /// The size the iframe's content wants, in CSS pixels.
    Resize {
        /// The width.
        width: u32,
        /// The height.
        height: u32,
    },
}

/// A message from the SDK to the iframe, over the port.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(Serialize, Deserialize),
    serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)
)]
pub enum ToFrame {
    /// The page opened a window with this prepared request.
    Began {
        /// The prepared request's state.
        state: String,
    },
    /// That sign-in is over without a response: the window was closed, or time ran out.
    Ended {
        /// The prepared request's state.
        state: String,
        /// Why.
        code: ErrorCode,
    },
    /// The page has no session any more: signed out, or refused by the server.
    SignedOut {},
    /// Where the page stands: at the hello, and whenever it moves on without loading anew.
    Page {
        /// Its path, as in `/checkout/`; neither the query nor the fragment, which may hold a person's secrets.
        path: String,
    },
}

/// A single-use authorization request, made ready before any click.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(deny_unknown_fields))]
pub struct Prepared {
    /// The `state` of the request: at least 128 random bits in base64url.
    pub state: String,
    /// The `nonce` of the request, for an `id_token`.
    pub nonce: String,
    /// The PKCE challenge, S256 (RFC 7636 §4.2); its verifier never leaves the iframe.
    pub code_challenge: String,
}

impl core::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

/// Whose session it is and what it opens.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize), serde(deny_unknown_fields))]
pub struct Session {
    /// The one organization the token opens.
    pub organization: Organization,
    /// The person who signed in.
    pub user: User,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When the token expires: milliseconds since the Unix epoch, by this browser's clock.
    pub expires_at: f64,
}

/// An organization, as the API describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct Organization {
    /// Its id, for ever.
    pub id: String,
    /// Its name in paths.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// A person, as the API describes the one a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize))]
pub struct User {
    /// Their id, for ever.
    pub id: String,
    /// Their name for people.
    pub name: String,
}

/// The wire, literally: one JSON text per message. The SDK's own decoder is tested with the same texts.
pub mod literals {
    /// [`super::Hello`].
    pub const HELLO: &str = r#"{"type":"latchkey.hello","version":1,"client_id":"c1","scope":"org:read"}"#;
    /// [`super::FromCallback`].
    pub const RESPONSE: &str = r#"{"type":"latchkey.response","version":1,"response":"error=e&state=s"}"#;
    /// [`super::ToCallback`].
    pub const RECEIVED: &str = r#"{"type":"latchkey.received","version":1}"#;
    /// [`super::FromFrame`], one text per variant, in the order of the enum.
    pub const FROM_FRAME: [&str; 8] = [
        r#"{"type":"welcome","version":1}"#,
        r#"{"type":"prepared","state":"s1","nonce":"n1","code_challenge":"c1"}"#,
        r#"{"type":"signing_in"}"#,
        r#"{"type":"answered"}"#,
        r#"{"type":"signed_in","access_token":"lkat_1","session":{"organization":{"id":"o1","slug":"acme","name":"Acme"},"user":{"id":"u1","name":"Ada"},"scopes":["org:read","project:read"],"expires_at":1790000000000.0}}"#,
        r#"{"type":"failed","code":"access_denied","description":"No thanks"}"#,
        r#"{"type":"sign_out"}"#,
        r#"{"type":"resize","width":360,"height":48}"#,
    ];
    /// [`super::ToFrame`], one text per variant, in the order of the enum.
    pub const TO_FRAME: [&str; 4] = [
        r#"{"type":"began","state":"s1"}"#,
        r#"{"type":"ended","state":"s1","code":"popup_closed"}"#,
        r#"{"type":"signed_out"}"#,
        r#"{"type":"page","path":"/checkout/"}"#,
    ];
}

#[cfg(test)]
#[cfg(feature = "serde")]
mod tests {
    use super::*;

    fn prepared() -> Prepared {
        Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c1".into() }
    }

    fn session() -> Session {
        Session {
            organization: Organization { id: "o1".into(), slug: "acme".into(), name: "Acme".into() },
            user: User { id: "u1".into(), name: "Ada".into() },
            scopes: vec!["org:read".into(), "project:read".into()],
            expires_at: 1_790_000_000_000.0,
        }
    }

    fn holds<T>(message: T, literal: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + core::fmt::Debug,
    {
        assert_eq!(serde_json::to_string(&message).unwrap(), literal);
        assert_eq!(serde_json::from_str::<T>(literal).unwrap(), message);
    }

    #[test]
    fn every_message_is_its_literal_in_both_directions() {
        holds(Hello::Hello { version: 1, client_id: "c1".into(), scope: "org:read".into() }, literals::HELLO);
        holds(FromCallback::Response { version: 1, response: "error=e&state=s".into() }, literals::RESPONSE);
        holds(ToCallback::Received { version: 1 }, literals::RECEIVED);
        let from_frame = [
            FromFrame::Welcome { version: 1 },
            FromFrame::Prepared(prepared()),
            FromFrame::SigningIn {},
            FromFrame::Answered {},
            FromFrame::SignedIn { access_token: "lkat_1".into(), session: Box::new(session()) },
            FromFrame::Failed { code: ErrorCode::AccessDenied, description: Some("No thanks".into()) },
            FromFrame::SignOut {},
            FromFrame::Resize { width: 360, height: 48 },
        ];
        from_frame
            .into_iter()
            .zip(literals::FROM_FRAME)
            .for_each(|(message, literal)| holds(message, literal));
        let to_frame = [
            ToFrame::Began { state: "s1".into() },
            ToFrame::Ended { state: "s1".into(), code: ErrorCode::PopupClosed },
            ToFrame::SignedOut {},
            ToFrame::Page { path: "/checkout/".into() },
        ];
        to_frame.into_iter().zip(literals::TO_FRAME).for_each(|(message, literal)| holds(message, literal));
    }

    #[test]
    fn what_is_not_in_the_list_is_refused() {
        for wrong in [
            r#"{"type":"begin","state":"s1"}"#,
            r#"{"type":"began"}"#,
            r#"{"type":"began","state":1}"#,
            r#"{"type":"began","state":"s1","more":true}"#,
            r#"{"type":["began"],"state":"s1"}"#,
            r#"{"__proto__":{"type":"signed_out"}}"#,
            r#"{"type":"ended","state":"s1","code":"because"}"#,
            r#""signed_out""#,
            "null",
            "[]",
            "{}",
        ] {
            assert!(serde_json::from_str::<ToFrame>(wrong).is_err(), "{wrong}");
        }
    }
}
