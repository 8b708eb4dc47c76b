//! The RSA keys that sign id_tokens, and `GET /oauth/jwks/` (RFC 7517), which publishes their public halves.
//!
//! RS256, because that is the one algorithm every OpenID client can be counted on to verify (OpenID Connect
//! Discovery §3). The private half lies in the database encrypted under a secret that is not there.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use axum::{Json, extract::State, http::header, response::IntoResponse};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use latchkey_protocol::base64url;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    audit::By,
    clock::{Clock, UnixSeconds},
    config::Lifetimes,
    http::error::{ApiError, Error},
    secret::{Entropy, NoEntropy, SealingKey, Secret},
    state::App,
    store::{Store, StoreError, Unit, rounds, signing_keys},
};

/// The algorithm (RFC 7518 §3.3).
pub const ALGORITHM: &str = "RS256";
/// How long the public half of a retired key stays published at least; no id_token outlives it.
const RETIRED_SECS: UnixSeconds = 24 * 3600;
/// A client that meets a key id it does not know asks again, and must not be given what its browser kept: a new key
/// signs at once.
const CACHE: &str = "no-cache";

/// Why a key cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The private half was sealed under another secret, or is damaged.
    #[error(
        "the signing key {0} cannot be read with this secret: restore the secret that the server was started with, or \
         run `latchkey key rotate --forget` and start the server again"
    )]
    Sealed(String),
    /// There is none.
    #[error("there is no signing key: run `latchkey key rotate`")]
    Missing,
    /// The machine did not make one.
    #[error("an RSA key could not be made")]
    Failed,
    /// The machine has no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The database did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The keys of a running server: the secret they lie under, and the one that was used last.
pub struct SigningKeys {
    sealing_key: SealingKey,
    last: Mutex<Option<Arc<Signer>>>,
}

/// A key that signs.
pub struct Signer {
    id: String,
    pair: RsaKeyPair,
}

impl SigningKeys {
    /// The keys under this secret.
    pub fn new(secret: &Secret) -> Self {
        Self { sealing_key: secret.sealing_key("signing keys"), last: Mutex::new(None) }
    }

    /// Makes a key where there is none that signs.
    pub async fn ensure(&self, store: &Store, clock: &Clock, entropy: &Entropy) -> Result<(), KeyError> {
        let found = signing_keys::find(&mut store.read().await?).await?;
        if let Some(row) = found {
            return self.unseal(row).map(drop);
        }
        let row = self.generate(entropy).await?;
        let put = || put_first(store, clock, &row);
        Ok(rounds::until_done(entropy, put, rounds::is_contended).await?)
    }

    /// Retires the key that signs and puts a new one in its place. Returns the new one's id.
    ///
    /// A new key under another secret is one that a running server cannot use, so the old one must be readable, unless
    /// it is to be forgotten.
    pub async fn rotate(
        &self,
        store: &Store,
        clock: &Clock,
        entropy: &Entropy,
        forget: bool,
    ) -> Result<String, KeyError> {
        let old = signing_keys::find(&mut store.read().await?).await?;
        if let Some(old) = old.filter(|_| !forget) {
            self.unseal(old)?;
        }
        let row = self.generate(entropy).await?;
        let mut unit = store.write(By::server(clock.now())).await?;
        signing_keys::revoke(&mut unit, clock.now()).await?;
        signing_keys::insert(&mut unit, &row, clock.now()).await?;
        unit.commit().await?;
        Ok(row.id)
    }

    /// The key that signs now, whichever process put it there.
    pub async fn current(&self, unit: &mut Unit) -> Result<Arc<Signer>, KeyError> {
        let row = signing_keys::find(unit).await?.ok_or(KeyError::Missing)?;
        let last = self.last.lock().ok().and_then(|last| last.clone());
        if let Some(last) = last.filter(|last| last.id == row.id) {
            return Ok(last);
        }
        let signer = Arc::new(self.unseal(row)?);
        if let Ok(mut last) = self.last.lock() {
            *last = Some(signer.clone());
        }
        Ok(signer)
    }

    fn unseal(&self, row: signing_keys::Row) -> Result<Signer, KeyError> {
        let pair = self.sealing_key.open(&row.sealed_key).and_then(|der| RsaKeyPair::from_pkcs8(&der).ok());
        match pair {
            Some(pair) => Ok(Signer { id: row.id, pair }),
            None => Err(KeyError::Sealed(row.id)),
        }
    }

    /// It takes a while: off the async threads.
    async fn generate(&self, entropy: &Entropy) -> Result<signing_keys::Row, KeyError> {
        let made = tokio::task::spawn_blocking(|| {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
            let private = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).ok()?;
            let public = pair.public_key();
            let number = |bytes: &[u8]| base64url::encode(bytes);
            let modulus = number(public.modulus().big_endian_without_leading_zero());
            let exponent = number(public.exponent().big_endian_without_leading_zero());
            Some((private.as_ref().to_vec(), modulus, exponent))
        });
        let (private, modulus, exponent) = made.await.ok().flatten().ok_or(KeyError::Failed)?;
        let sealed_key = self.sealing_key.seal(entropy, &private)?;
        Ok(signing_keys::Row { id: entropy.id()?, modulus, exponent, sealed_key })
    }
}

/// Puts a key where there is none that signs: another process may have been faster.
async fn put_first(store: &Store, clock: &Clock, row: &signing_keys::Row) -> Result<(), StoreError> {
    let mut unit = store.write(By::server(clock.now())).await?;
    if signing_keys::find(&mut unit).await?.is_none() {
        signing_keys::insert(&mut unit, row, clock.now()).await?;
    }
    unit.commit().await
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKeys(…)")
    }
}

impl Signer {
    /// Signs claims as a JSON Web Token (RFC 7519 §7.1, in the compact serialization of RFC 7515 §3.1).
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = json!({ "alg": ALGORITHM, "typ": typ, "kid": self.id });
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Failed)?;
        let mut token = base64url::encode(header.to_string().as_bytes());
        token.push('.');
        token.push_str(&base64url::encode(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Failed)?;
        token.push('.');
        token.push_str(&base64url::encode(&signature));
        Ok(token)
    }
}

/// Whether one of these keys, the one that the header names, signed this (RFC 7515 §5.2).
pub fn verifies(keys: &[signing_keys::Row], header: &str, signed: &str, signature: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Header {
        alg: String,
        kid: String,
    }
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
    let named = decode(header).and_then(|header| serde_json::from_slice::<Header>(&header).ok());
    let Some(named) = named.filter(|named| named.alg == ALGORITHM) else { return false };
    let Some(key) = keys.iter().find(|key| key.id == named.kid) else { return false };
    let (Some(n), Some(e)) = (decode(&key.modulus), decode(&key.exponent)) else { return false };
    let public = RsaPublicKeyComponents { n, e };
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), signature).is_ok()
}

/// Until when keys that were retired are of no use to anybody, for the sweep.
pub fn retired_until(now: UnixSeconds, lifetimes: &Lifetimes) -> UnixSeconds {
    now - RETIRED_SECS.max(lifetimes.access_token_secs)
}

/// The keys whose signatures count.
pub async fn list(app: &App, unit: &mut Unit) -> Result<Vec<signing_keys::Row>, StoreError> {
    signing_keys::list(unit, retired_until(app.clock.now(), &app.config.lifetimes)).await
}

/// `GET /oauth/jwks/`: the keys that id_tokens are verified with.
pub async fn get(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let keys = list(&app, &mut app.store.read().await?).await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|key| {
            json!({
                "kty": "RSA", "use": "sig", "alg": ALGORITHM,
                "kid": key.id, "n": key.modulus, "e": key.exponent,
            })
        })
        .collect();
    Ok(([(header::CACHE_CONTROL, CACHE)], Json(json!({ "keys": keys }))))
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => error.into(),
            KeyError::Entropy(error) => error.into(),
            KeyError::Sealed(_) | KeyError::Missing | KeyError::Failed => Self::Internal(Arc::new(error)),
        }
    }
}
