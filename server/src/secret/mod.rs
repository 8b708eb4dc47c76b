//! Secrets: how they are made, compared, and kept from who may not read them.

mod seal;

pub use latchkey_gate::token::{AccessToken, AuthorizationCode, Digest256, RefreshToken};
pub use seal::{Sealed, SealingKey};

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use latchkey_gate::token::base62;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Where the server takes randomness from.
#[derive(Debug, Clone)]
pub enum Entropy {
    /// The operating system.
    System,
    /// A counter, hashed: every value is different, every run is the same.
    Seeded(std::sync::Arc<std::sync::atomic::AtomicU64>),
}

/// The operating system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness")]
pub struct NoEntropy;

impl Entropy {
    /// A source whose values are the same in every run.
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(std::sync::Arc::new(seed.into()))
    }

    /// 32 random bytes.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    pub fn bytes(&self) -> Result<[u8; 32], NoEntropy> {
        match self {
            Self::System => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
                Ok(bytes)
            }
            Self::Seeded(counter) => {
                let value = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                Ok(Sha256::digest(value.to_be_bytes()).into())
            }
        }
    }

    /// An id that nobody can guess: 22 base62 characters, 131 bits.
    pub fn id(&self) -> Result<String, NoEntropy> {
        Ok(base62(&self.bytes()?)[..22].to_owned())
    }
}

/// A secret text. It has no `==`, no `Display`, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a text that came from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new secret of 43 base62 characters.
    pub fn generate(entropy: &Entropy) -> Result<Self, NoEntropy> {
        Ok(Self(base62(&entropy.bytes()?)))
    }

    /// The secret itself, for the one who is to hold it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the store keeps.
    pub fn digest(&self) -> Digest256 {
        Digest256::of(self.0.as_bytes())
    }

    /// A value that only who knows the secret can make, for one purpose.
    pub fn derive(&self, purpose: &str) -> Secret {
        Self(base62(&self.mac(purpose)))
    }

    fn mac(&self, purpose: &str) -> [u8; 32] {
        // A key of one block or less is taken as it is and a longer one is hashed first (RFC 2104 §2).
        let mut block = [0; 64];
        let key = self.0.as_bytes();
        match block.get_mut(..key.len()) {
            Some(start) => start.copy_from_slice(key),
            None => block[..32].copy_from_slice(&Sha256::digest(key)),
        }
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A key that only who knows the secret can make, for one purpose.
    pub fn sealing_key(&self, purpose: &str) -> SealingKey {
        SealingKey::new(self.mac(purpose))
    }

    /// Whether both are the same, in constant time for texts of the same length.
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_compared_whole() {
        let secret = Secret::new("abc");
        assert!(secret.matches("abc"));
        assert!(!secret.matches("abd") && !secret.matches("ab") && !secret.matches(""));
        assert!(secret.digest().matches(Secret::new("abc").digest().as_bytes()));
        assert!(!secret.digest().matches(&[]));
        assert!(!secret.derive("a").matches(secret.derive("b").expose()));
    }
}
