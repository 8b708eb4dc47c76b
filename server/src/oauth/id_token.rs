//! The id_token (OpenID Connect Core §2): who signed in, signed.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use latchkey_protocol::{
    base64url,
    scope::{Scope, Scopes},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    clock::UnixSeconds,
    config::Config,
    oauth::{
        issue::AccessIssued,
        signing_keys::{KeyError, Signer, verifies},
    },
    state::App,
    store::{authorization_codes::Row, grants::Given, signing_keys, users::User},
};

/// What a person is told apart by, and what the scopes let a client know of them. The same in the id_token and at
/// userinfo (OpenID Connect Core §5.1).
#[derive(Debug, Serialize)]
pub struct Person<'a> {
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

impl<'a> Person<'a> {
    /// The names of its claims.
    pub const CLAIMS: [&'static str; 3] = ["sub", "name", "email"];

    /// What these scopes show of a person (OpenID Connect Core §5.4).
    pub fn shown(scopes: Scopes, id: &'a str, name: &'a str, email: Option<&'a str>) -> Self {
        Self {
            sub: id,
            name: scopes.grants(Scope::Profile).then_some(name),
            email: email.filter(|_| scopes.grants(Scope::Email)),
        }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: UnixSeconds,
    exp: UnixSeconds,
    auth_time: UnixSeconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: String,
    #[serde(flatten)]
    person: Person<'a>,
}

/// Signs who the code was issued to. It lives as long as the access token beside it.
pub fn sign(
    app: &App,
    signer: &Signer,
    given: &Given,
    code: &Row,
    user: &User,
    access: &AccessIssued,
) -> Result<String, KeyError> {
    let now = app.clock.now();
    signer.sign(
        "JWT",
        &Claims {
            iss: app.config.issuer(),
            aud: &given.client_id,
            iat: now,
            exp: now + access.expires_in_secs,
            auth_time: code.authenticated_at,
            nonce: code.nonce.as_deref(),
            at_hash: at_hash(access.token.expose()),
            person: Person::shown(access.scopes, &user.id, &user.name, Some(&user.email)),
        },
    )
}

/// What is read of an id_token that comes back.
#[derive(Deserialize)]
struct Hint {
    iss: String,
    aud: String,
    sub: String,
}

/// The person whose id_token a client sends along (OpenID Connect Core §3.1.2.1 `id_token_hint`), if the server signed
/// it for this client. That it expired does not count (§3.1.2.2). Only who holds one may ask whether it is still the
/// same person: an unsigned one would let any site find out who is signed in.
pub fn read_hint(config: &Config, keys: &[signing_keys::Row], client_id: &str, hint: &str) -> Option<String> {
    let (signed, signature) = hint.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    if !verifies(keys, header, signed, &decode(signature)?) {
        return None;
    }
    let hint: Hint = serde_json::from_slice(&decode(claims)?).ok()?;
    (hint.iss == config.issuer() && hint.aud == client_id).then_some(hint.sub)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The left half of the access token's digest (OpenID Connect Core §3.1.3.6): this statement came with that token.
fn at_hash(token: &str) -> String {
    base64url::encode(&Sha256::digest(token.as_bytes())[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_token_is_the_left_half_of_its_digest() {
        // SHA-256 of "abc" is ba7816bf 8f01cfea 414140de 5dae2223 b00361a3 96177a9c b410ff61 f20015ad.
        let left =
            [0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23];
        assert_eq!(at_hash("abc"), base64url::encode(&left));
    }

    #[test]
    fn a_person_is_shown_as_far_as_the_scopes_go() {
        for (scopes, expected) in [
            ("openid", r#"{"sub":"u1"}"#),
            ("openid profile", r#"{"sub":"u1","name":"Ada"}"#),
            ("openid email", r#"{"sub":"u1","email":"a@b.c"}"#),
            ("openid profile email", r#"{"sub":"u1","name":"Ada","email":"a@b.c"}"#),
        ] {
            let person = Person::shown(Scopes::parse(scopes).unwrap(), "u1", "Ada", Some("a@b.c"));
            assert_eq!(serde_json::to_string(&person).unwrap(), expected, "{scopes}");
        }
    }
}
