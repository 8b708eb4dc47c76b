//! Tokens: what a client holds.
//!
//! A token is a prefix that says its kind, 43 base62 characters of randomness (256 bits) and 6 base62 characters of
//! CRC-32 over what stands before: a typing error, or a text that never was a token, is refused without asking the
//! store.

use std::{fmt, marker::PhantomData};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 43;
const CHECKSUM_LENGTH: usize = 6;

/// An access token (RFC 6749 §1.4).
pub type AccessToken = Token<Access>;
/// A refresh token (RFC 6749 §1.5).
pub type RefreshToken = Token<Refresh>;
/// An authorization code (RFC 6749 §1.3.1).
pub type AuthorizationCode = Token<Code>;

/// A kind of token.
pub trait Kind {
    /// What its tokens begin with.
    const PREFIX: &'static str;
}

/// Opens the API.
#[derive(Clone)]
pub enum Access {}
/// Is exchanged for the next access token, and the next of its own kind.
#[derive(Clone)]
pub enum Refresh {}
/// Is exchanged once for tokens.
#[derive(Clone)]
pub enum Code {}

impl Kind for Access {
    const PREFIX: &'static str = "lkat_";
}

impl Kind for Refresh {
    const PREFIX: &'static str = "lkrt_";
}

impl Kind for Code {
    const PREFIX: &'static str = "lkac_";
}

/// A token of one kind. One kind is never taken for another. It has no `==`, no `Display`, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct Token<K>(Box<str>, PhantomData<K>);

impl<K: Kind> Token<K> {
    /// The token that these random bytes make.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        let mut text = K::PREFIX.to_owned() + &base62(bytes);
        let checksum = checksum(&text);
        text.extend(checksum.map(char::from));
        Self(text.into(), PhantomData)
    }

    /// Reads what was presented; `None` for a text that cannot be a token of this kind.
    pub fn parse(text: &str) -> Option<Self> {
        let random = text.strip_prefix(K::PREFIX)?;
        if random.len() != RANDOM_LENGTH + CHECKSUM_LENGTH
            || !random.bytes().all(|b| b.is_ascii_alphanumeric())
        {
            return None;
        }
        let (body, given) = text.split_at(text.len() - CHECKSUM_LENGTH);
        (checksum(body) == given.as_bytes()).then(|| Self(text.into(), PhantomData))
    }
}

impl<K> Token<K> {
    /// The token itself, for the one who is to hold it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the store keeps.
    pub fn digest(&self) -> Digest256 {
        Digest256::of(self.0.as_bytes())
    }

    /// The last four characters, which may be shown to people.
    pub fn last_four(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

impl<K: Kind> fmt::Debug for Token<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", K::PREFIX)
    }
}

/// The SHA-256 of a secret: all that the store keeps of it.
#[derive(Clone, Copy)]
pub struct Digest256([u8; 32]);

impl Digest256 {
    /// The digest of a secret.
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// The bytes, as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_array(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether these are the bytes of the same digest, in constant time.
    pub fn matches(&self, stored: &[u8]) -> bool {
        self.0.ct_eq(stored).into()
    }
}

impl fmt::Debug for Digest256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest256(…)")
    }
}

fn checksum(body: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut digits = [0; CHECKSUM_LENGTH];
    write(&mut digits, crc32fast::hash(body.as_bytes()).into());
    digits
}

/// Writes the last base62 digits of a number, as many as there is room for.
fn write(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(number % 62) as usize];
        number /= 62;
    }
}

/// A 256-bit number in 43 base62 digits.
pub fn base62(bytes: &[u8; 32]) -> String {
    // Several digits at once: what takes its time is to divide all of the number.
    const AT_ONCE: usize = 5;
    const DIVISOR: u64 = 62u64.pow(5);
    let mut number = [0; 8];
    for (limb, bytes) in number.iter_mut().zip(bytes.as_chunks().0) {
        *limb = u32::from_be_bytes(*bytes);
    }
    let mut digits = [0; RANDOM_LENGTH];
    for digits in digits.rchunks_mut(AT_ONCE) {
        let mut remainder = 0;
        for limb in &mut number {
            let value = remainder << 32 | u64::from(*limb);
            *limb = (value / DIVISOR) as u32;
            remainder = value % DIVISOR;
        }
        write(digits, remainder);
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_reads_back_and_shows_its_last_four_only() {
        let token = AccessToken::from_random(&[7; 32]);
        assert_eq!(token.expose().len(), 5 + 43 + 6);
        assert!(AccessToken::parse(token.expose()).is_some());
        assert_eq!(format!("{token:?}"), "lkat_…");
        assert!(token.expose().ends_with(token.last_four()));
    }

    #[test]
    fn what_is_not_a_token_is_refused_before_any_lookup() {
        let good = AccessToken::from_random(&[1; 32]);
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
    fn one_kind_is_not_taken_for_another() {
        let (access, refresh) = (AccessToken::from_random(&[1; 32]), RefreshToken::from_random(&[1; 32]));
        assert!(RefreshToken::parse(access.expose()).is_none());
        assert!(AuthorizationCode::parse(access.expose()).is_none());
        assert!(AccessToken::parse(refresh.expose()).is_none());
        // Not even with the other's prefix: the checksum covers it.
        assert!(AccessToken::parse(&refresh.expose().replace("lkrt_", "lkat_")).is_none());
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

    proptest! {
        #[test]
        fn base62_is_the_number_whatever_it_is(bytes in any::<[u8; 32]>()) {
            let mut number = [0u8; 32];
            for letter in base62(&bytes).bytes() {
                let mut carry = ALPHABET.iter().position(|digit| *digit == letter).unwrap();
                for byte in number.iter_mut().rev() {
                    let value = usize::from(*byte) * 62 + carry;
                    (*byte, carry) = (value as u8, value >> 8);
                }
                assert_eq!(carry, 0);
            }
            assert_eq!(number, bytes);
        }

        #[test]
        fn a_token_reads_back_as_its_own_kind_alone(seed in any::<[u8; 32]>()) {
            let token = RefreshToken::from_random(&seed);
            let read = RefreshToken::parse(token.expose());
            prop_assert_eq!(read.as_ref().map(Token::expose), Some(token.expose()));
            prop_assert!(AccessToken::parse(token.expose()).is_none());
            prop_assert!(AuthorizationCode::parse(token.expose()).is_none());
        }

        #[test]
        fn a_flipped_bit_or_two_exchanged_characters_are_refused(seed in any::<[u8; 32]>(), at in 0usize..53, bit in 0u8..7) {
            let token = AccessToken::from_random(&seed);
            let (mut flipped, mut swapped) = (token.expose().as_bytes().to_vec(), token.expose().as_bytes().to_vec());
            flipped[at] ^= 1 << bit;
            swapped.swap(at, at + 1);
            prop_assert!(AccessToken::parse(&String::from_utf8(flipped).unwrap()).is_none());
            let swapped = String::from_utf8(swapped).unwrap();
            prop_assert_eq!(AccessToken::parse(&swapped).is_some(), swapped == token.expose());
        }

        #[test]
        fn a_flipped_character_is_refused(seed in any::<[u8; 32]>(), at in 5usize..54, to in 0usize..62) {
            let token = AccessToken::from_random(&seed);
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
