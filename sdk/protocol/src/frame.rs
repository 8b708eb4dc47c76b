//! The messages between the SDK on the customer's page, the iframe, and the pages of the sign-in window.
//!
//! Four of them are window messages, posted with one exact target origin: `hello` carries the port on which most
//! others travel, `response` brings the authorization response from the callback page, `received` lets that page
//! close its window, and `alive` says that the sign-in window's page can reach its opener. Each names the protocol's
//! [version](crate::VERSION).
//!
//! Both ends write and read these by hand: reflection would cost more bytes than all that is said with it. What holds
//! the two ends together are the [`literals`].

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::error::ErrorCode;

/// Declares a closed list of words once: the variant, and the word as it is on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every one, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// Reads a word; `None` for anything that is not in the list.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words! {
    /// What a sign-in asks the authorization endpoint for (RFC 6749 §3.1.1).
    ResponseType {
        /// A token, in the fragment of the callback.
        #[default]
        Token = "token",
        /// A code, which the frame exchanges with a verifier that never leaves it.
        Code = "code",
    }
}

words! {
    /// Who holds the access token.
    Tokens {
        /// The page, which calls the platform's API itself.
        #[default]
        Page = "page",
        /// The frame, which calls it for the page: no script of the page ever sees a token.
        Frame = "frame",
    }
}

words! {
    /// A corner of the page, where the toolbar stands.
    Corner {
        /// Where it stands unless a person moved it.
        #[default]
        BottomRight = "bottom-right",
        /// Below, on the left.
        BottomLeft = "bottom-left",
        /// Above, on the left.
        TopLeft = "top-left",
        /// Above, on the right.
        TopRight = "top-right",
    }
}

/// The SDK's first message to the iframe: a window message that carries a `MessagePort`.
///
/// `{ type: "latchkey.hello", version, client_id, scope, response_type, tokens }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The version the SDK speaks.
    pub version: u32,
    /// The application the SDK was started for.
    pub client_id: String,
    /// What the frame's own button asks for, space-delimited; empty for the application's maximum.
    pub scope: String,
    /// What every sign-in of this page asks for.
    pub response_type: ResponseType,
    /// Who holds the access token.
    pub tokens: Tokens,
}

/// The message of a page of the sign-in window to the frame, or to the page, that opened the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromWindow {
    /// `{ type: "latchkey.response", version, response }`, from the callback page.
    Response {
        /// The version the callback page speaks.
        version: u32,
        /// The fragment or the query as it came, without `#` or `?`: see [`crate::oauth::Response::parse`].
        response: String,
    },
    /// `{ type: "latchkey.alive", version }`, from the pages before it: from here on a window that is closed was closed
    /// by somebody. A window that never says so may have lost its opener, and then looks closed from the beginning.
    Alive {
        /// The version the page speaks.
        version: u32,
    },
}

/// The answer to [`FromWindow::Response`]: it arrived, the window may close.
///
/// `{ type: "latchkey.received", version }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The version the receiver speaks.
    pub version: u32,
}

/// A message from the iframe to the SDK, over the port. `Data` is how bytes travel: an `Uint8Array` in a browser.
#[derive(Debug, Clone, PartialEq)]
pub enum FromFrame<Data = ()> {
    /// The iframe accepted the hello; or it speaks another version.
    Welcome {
        /// The version the iframe speaks.
        version: u32,
        /// Where it is another one, as for whoever only asks what is wrong: whether the browser keeps a cookie for the
        /// iframe on this site, as that of its session is one.
        cookies: Option<bool>,
    },
    /// A request the page may open a window with, in its next click: used once. The first one comes once it is known
    /// whether a session is back, see [`FromFrame::Renewed`].
    Prepared(Prepared),
    /// The person clicked *Sign in* in the iframe, and the iframe opened the window itself.
    SigningIn {
        /// The request's state, by which the page knows what is said of it.
        state: String,
    },
    /// The authorization response of the sign-in arrived: that its window closes now means nothing any more.
    Answered {
        /// The request's state.
        state: String,
    },
    /// A sign-in succeeded. One that the page has given up meanwhile it answers with [`ToFrame::Ended`].
    SignedIn {
        /// The request's state.
        state: String,
        /// The access token, for the page that the iframe's parent is; `None` where the frame keeps it.
        access_token: Option<String>,
        /// Whose it is and what it opens.
        session: Box<Session>,
    },
    /// The same sign-in goes on with another token: after a reload, or before the one before expired, which the page
    /// does not revoke.
    Renewed {
        /// The access token, as in [`FromFrame::SignedIn`].
        access_token: Option<String>,
        /// Whose it is and what it opens.
        session: Box<Session>,
    },
    /// A sign-in ended without a session.
    Failed {
        /// The request's state; `None` where it did not even come to a window.
        state: Option<String>,
        /// Why.
        code: ErrorCode,
        /// The server's own words for it, if it had any.
        description: Option<String>,
    },
    /// The session is over, and not by this page's doing.
    Ended {
        /// Why it was not renewed; `None` where the person signed out in another tab.
        code: Option<ErrorCode>,
    },
    /// The person clicked *Sign out* in the iframe: the SDK revokes the token.
    SignOut,
    /// The size the iframe's content wants, in CSS pixels.
    Resize {
        /// The width.
        width: u32,
        /// The height.
        height: u32,
    },
    /// The head of the answer to [`ToFrame::Fetch`].
    Head {
        /// The call.
        id: u32,
        /// The status.
        status: u32,
        /// The headers that a page may see, in order.
        headers: Headers,
    },
    /// The next bytes of an answer: one for each [`ToFrame::Pull`].
    Chunk {
        /// The call.
        id: u32,
        /// The bytes, handed over and not copied.
        data: Data,
    },
    /// The answer is complete.
    End {
        /// The call.
        id: u32,
    },
    /// There is no answer, or no more of it.
    Broken {
        /// The call.
        id: u32,
        /// Why: `network_error`, `aborted`, `invalid_options` or `login_required`.
        code: ErrorCode,
        /// The same in a sentence, where the code does not say enough.
        description: Option<String>,
    },
    /// Where a person had put the toolbar the last time.
    Place {
        /// The corner.
        corner: Corner,
    },
    /// The toolbar is being dragged.
    Move {
        /// To the right since the drag began, in CSS pixels.
        dx: i32,
        /// Downwards since the drag began, in CSS pixels.
        dy: i32,
    },
    /// The person let go: the page puts the frame into the nearest corner and answers [`ToFrame::Placed`].
    Drop,
}

/// A message from the SDK to the iframe, over the port. `Body` is what a call may send: a `Blob` in a browser.
#[derive(Debug, Clone, PartialEq)]
pub enum ToFrame<Body = ()> {
    /// The page opened a window with this prepared request.
    Began {
        /// The prepared request's state.
        state: String,
    },
    /// That sign-in is over for the page: the window was closed, time ran out, or it was given up. What comes of it yet
    /// nobody wants.
    Ended {
        /// The request's state.
        state: String,
        /// Why.
        code: ErrorCode,
    },
    /// The page has no session any more: signed out, or refused by the server.
    SignedOut {
        /// Nobody signed out: the token ran out, and nothing brought another one in time. The frame forgets it, and the
        /// next page view may have another. Otherwise the session that the frame keeps ends as well, whoever holds it.
        expired: bool,
    },
    /// Where the page stands: at the hello, and whenever it moves on without loading anew.
    Page {
        /// Its path, as in `/checkout/`; neither the query nor the fragment, which may hold a person's secrets.
        path: String,
    },
    /// The authorization response came to a redirect URI of the site's own.
    Response {
        /// The state of the request it answers.
        state: String,
        /// The fragment or the query as it came, without `#` or `?`.
        response: String,
        /// That redirect URI, which the exchange of a code names again (RFC 6749 §4.1.3); absent where none is
        /// exchanged.
        redirect_uri: Option<String>,
    },
    /// Calls the platform's API with the token that the frame keeps.
    Fetch {
        /// The call: counts from 1.
        id: u32,
        /// The method.
        method: String,
        /// The path, below the token's organization unless it begins with a slash.
        path: String,
        /// The headers, in order.
        headers: Headers,
        /// The body.
        body: Option<Body>,
    },
    /// Send the next chunk of this answer.
    Pull {
        /// The call.
        id: u32,
    },
    /// Send no more of this answer.
    Cancel {
        /// The call.
        id: u32,
    },
    /// Where the person dropped the toolbar.
    Placed {
        /// The corner.
        corner: Corner,
    },
    /// The page has a session that the frame may not know of: it came back from a redirect, or the frame alone was
    /// loaded anew. The frame asks the platform whose it is before it shows anything, and neither renews it nor tells
    /// other tabs of it; one of its own is worth more, unless somebody signed in since.
    Adopt {
        /// The access token.
        access_token: String,
        /// What is left of its lifetime, in seconds.
        expires_in: u32,
        /// Whether the person signed in just now: then it takes the place of whatever session the frame has.
        replaces: bool,
    },
}

/// The headers of a request or an answer: names and values, in order.
pub type Headers = Vec<(String, String)>;

/// A single-use authorization request, made ready before any click.
#[derive(Clone, PartialEq, Eq)]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
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
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct User {
    /// Their id, for ever.
    pub id: String,
    /// Their name for people.
    pub name: String,
}

/// The wire, literally: one JSON text per message. Both ends are tested with the same texts.
pub mod literals {
    /// [`super::Hello`].
    pub const HELLO: &str = r#"{"type":"latchkey.hello","version":1,"client_id":"c1","scope":"org:read","response_type":"token","tokens":"page"}"#;
    /// [`super::FromWindow::Response`].
    pub const RESPONSE: &str = r#"{"type":"latchkey.response","version":1,"response":"error=e&state=s"}"#;
    /// [`super::FromWindow::Alive`].
    pub const ALIVE: &str = r#"{"type":"latchkey.alive","version":1}"#;
    /// [`super::Received`].
    pub const RECEIVED: &str = r#"{"type":"latchkey.received","version":1}"#;
    /// [`super::FromFrame`], one text per variant, in the order of the enum. `data` is an `Uint8Array`, as
    /// `JSON.stringify` writes it.
    pub const FROM_FRAME: [&str; 17] = [
        r#"{"type":"welcome","version":1}"#,
        r#"{"type":"prepared","state":"s1","nonce":"n1","code_challenge":"c1"}"#,
        r#"{"type":"signing_in","state":"s1"}"#,
        r#"{"type":"answered","state":"s1"}"#,
        r#"{"type":"signed_in","state":"s1","access_token":"lkat_1","session":{"organization":{"id":"o1","slug":"acme","name":"Acme"},"user":{"id":"u1","name":"Ada"},"scopes":["org:read","project:read"],"expires_at":1790000000000}}"#,
        r#"{"type":"renewed","access_token":null,"session":{"organization":{"id":"o1","slug":"acme","name":"Acme"},"user":{"id":"u1","name":"Ada"},"scopes":["org:read","project:read"],"expires_at":1790000000000}}"#,
        r#"{"type":"failed","state":"s1","code":"access_denied","description":"No thanks"}"#,
        r#"{"type":"ended","code":null}"#,
        r#"{"type":"sign_out"}"#,
        r#"{"type":"resize","width":360,"height":48}"#,
        r#"{"type":"head","id":1,"status":200,"headers":[["content-type","application/json"]]}"#,
        r#"{"type":"chunk","id":1,"data":{"0":104,"1":105}}"#,
        r#"{"type":"end","id":1}"#,
        r#"{"type":"broken","id":1,"code":"network_error","description":"No answer"}"#,
        r#"{"type":"place","corner":"bottom-left"}"#,
        r#"{"type":"move","dx":-3,"dy":4}"#,
        r#"{"type":"drop"}"#,
    ];
    /// [`super::ToFrame`], one text per variant, in the order of the enum.
    pub const TO_FRAME: [&str; 10] = [
        r#"{"type":"began","state":"s1"}"#,
        r#"{"type":"ended","state":"s1","code":"popup_closed"}"#,
        r#"{"type":"signed_out","expired":false}"#,
        r#"{"type":"page","path":"/checkout/"}"#,
        r#"{"type":"response","state":"s","response":"error=e&state=s","redirect_uri":"https://a.com/back"}"#,
        r#"{"type":"fetch","id":1,"method":"GET","path":"projects/","headers":[["accept","application/json"]],"body":null}"#,
        r#"{"type":"pull","id":1}"#,
        r#"{"type":"cancel","id":1}"#,
        r#"{"type":"placed","corner":"top-left"}"#,
        r#"{"type":"adopt","access_token":"lkat_1","expires_in":3600,"replaces":true}"#,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_nothing_else_is_one() {
        assert!(ResponseType::ALL.iter().all(|word| ResponseType::parse(word.as_str()) == Some(*word)));
        assert!(Tokens::ALL.iter().all(|word| Tokens::parse(word.as_str()) == Some(*word)));
        assert!(Corner::ALL.iter().all(|word| Corner::parse(word.as_str()) == Some(*word)));
        for wrong in ["", "Token", "code token", "page ", "bottom", "__proto__"] {
            assert_eq!(ResponseType::parse(wrong), None);
            assert_eq!(Tokens::parse(wrong), None);
            assert_eq!(Corner::parse(wrong), None);
        }
    }
}
