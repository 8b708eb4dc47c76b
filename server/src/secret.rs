//! Secrets: how they are made, recognised and compared.
//!
//! A token is a prefix, 43 base62 characters of randomness (256 bits) and 6 base62 characters of CRC-32 over
//! what stands before: a typing error, or a text that never was a token, is refused without asking the store.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;

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

/// The SHA-256 of a secret: all that the store keeps of it.
#[derive(Clone, Copy)]
pub struct Digest256([u8; 32]);

impl Digest256 {
    /// The bytes, as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether these are the bytes of the same digest, in constant time.
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
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
        Digest256(Sha256::digest(self.0.as_bytes()).into())
    }

    /// A value that only who knows the secret can make, for one purpose.
    pub fn derive(&self, purpose: &str) -> Secret {
        // HMAC takes a key of any length (RFC 2104 §2): the error cannot occur.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()) else {
            return Self(String::new());
        };
        mac.update(purpose.as_bytes());
        Self(base62(&mac.finalize().into_bytes().into()))
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

/// An access token (RFC 6749 §1.4).
#[derive(Debug, Clone)]
pub struct AccessToken(Secret);

impl AccessToken {
    const PREFIX: &'static str = "lkat_";

    /// A new access token.
    pub fn generate(entropy: &Entropy) -> Result<Self, NoEntropy> {
        let mut text = Self::PREFIX.to_owned();
        text.push_str(&base62(&entropy.bytes()?));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Ok(Self(Secret(text)))
    }

    /// Reads what was presented; `None` for a text that cannot be an access token.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(Self::PREFIX)?;
        if random.len() != RANDOM_LENGTH + CHECKSUM_LENGTH
            || !random.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return None;
        }
        let (body, given) = text.split_at(text.len() - CHECKSUM_LENGTH);
        (checksum(body) == given).then(|| Self(Secret::new(text)))
    }

    /// The token itself, for the one who is to hold it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the store keeps.
    pub fn digest(&self) -> Digest256 {
        self.0.digest()
    }

    /// The last four characters, which may be shown to people.
    pub fn last_four(&self) -> &str {
        let text = self.0.expose();
        &text[text.len() - 4..]
    }
}

/// A 256-bit number in 43 base62 digits.
fn base62(bytes: &[u8; 32]) -> String {
    let mut number = *bytes;
    let mut digits = [0u8; RANDOM_LENGTH];
    for digit in digits.iter_mut().rev() {
        let mut remainder = 0u32;
        for byte in &mut number {
            let value = remainder << 8 | u32::from(*byte);
            *byte = (value / 62) as u8;
            remainder = value % 62;
        }
        *digit = ALPHABET[remainder as usize];
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

fn checksum(body: &str) -> String {
    let mut number = crc32fast::hash(body.as_bytes());
    let mut digits = [0u8; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_reads_back_and_shows_its_last_four_only() {
        let token = AccessToken::generate(&Entropy::System).unwrap();
        assert_eq!(token.expose().len(), 5 + 43 + 6);
        assert!(AccessToken::parse(token.expose()).is_some());
        assert_eq!(format!("{token:?}"), "AccessToken(Secret(…))");
        assert!(token.expose().ends_with(token.last_four()));
    }

    #[test]
    fn base62_is_positional_and_never_runs_over() {
        assert_eq!(base62(&[0; 32]), "0".repeat(43));
        let mut one = [0; 32];
        one[31] = 61;
        assert!(base62(&one).ends_with("0z"));
        one[31] = 62;
        assert!(base62(&one).ends_with("10"));
        assert_eq!(base62(&[255; 32]).len(), 43);
    }

    #[test]
    fn what_is_not_a_token_is_refused_before_any_lookup() {
        let good = AccessToken::generate(&Entropy::seeded(1)).unwrap();
        let good = good.expose();
        for wrong in [
            "",
            "lkat_",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}0"),
            &format!(" {good}"),
            &good.replace("lkat_", "lkrt_"),
            &good.replace("lkat_", "LKAT_"),
            &good.to_uppercase(),
        ] {
            assert!(AccessToken::parse(wrong).is_none(), "{wrong:?}");
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

    proptest! {
        #[test]
        fn a_flipped_character_is_refused(seed in any::<u64>(), at in 5usize..54, to in 0usize..62) {
            let token = AccessToken::generate(&Entropy::seeded(seed)).unwrap();
            let mut bytes = token.expose().as_bytes().to_vec();
            prop_assume!(bytes[at] != ALPHABET[to]);
            bytes[at] = ALPHABET[to];
            let text = String::from_utf8(bytes).unwrap();
            prop_assert!(AccessToken::parse(&text).is_none());
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "(lkat_)?\\PC{0,60}") {
            let _ = AccessToken::parse(&text);
        }
    }
}
