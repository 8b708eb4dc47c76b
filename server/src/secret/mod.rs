//! Secrets: how they are made, compared, and kept from who may not read them.

mod seal;

pub use latchkey_gate::token::{AccessToken, AuthorizationCode, Digest256, RefreshToken};
pub use seal::{Sealed, SealingKey};

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use latchkey_gate::token::base62;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::clock::Clock;

/// How long an id is: so much of the 43 base62 digits of a 256-bit number.
const ID_LENGTH: usize = 22;

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
        Ok(base62(&self.bytes()?)[..ID_LENGTH].to_owned())
    }

    /// An id of what there is a lot of, in the order of time, so that what is new lies together in an index and not
    /// anywhere in it (RFC 9562 §2.1): its first 48 bits are the milliseconds since the Unix epoch, as in a UUID of version
    /// 7, and 83 are such that nobody can guess them.
    pub fn id_in_order(&self, clock: &Clock) -> Result<String, NoEntropy> {
        let mut bytes = self.bytes()?;
        let millis = clock.since_epoch().as_millis().to_be_bytes();
        bytes[..6].copy_from_slice(&millis[millis.len() - 6..]);
        Ok(base62(&bytes)[..ID_LENGTH].to_owned())
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
    fn ids_in_order_are_in_the_order_of_time_and_all_different() {
        let (entropy, clock) = (Entropy::seeded(1), Clock::manual(0));
        let mut before = String::new();
        for _ in 0..4 {
            let mut ids: Vec<_> = (0..100).map(|_| entropy.id_in_order(&clock).unwrap()).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), 100);
            assert!(before < ids[0], "{before} {}", ids[0]);
            assert!(ids.iter().all(|id| id.len() == entropy.id().unwrap().len()), "{ids:?}");
            before = ids.pop().unwrap();
            // From digits to letters, and to more of them: the alphabet is in the order of its bytes.
            clock.advance(1_000_000_000);
        }
    }

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
