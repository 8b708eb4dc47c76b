//! Authenticated encryption of the few secrets that the store must be able to give back.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::secret::{Entropy, NoEntropy};

/// A key for AES-256-GCM (NIST SP 800-38D), derived from a secret: see [`Secret::sealing_key`](super::Secret).
pub struct SealingKey([u8; 32]);

/// An encrypted text with its nonce: worthless without the key.
#[derive(Clone, sqlx::Type)]
#[sqlx(transparent)]
pub struct Sealed(Vec<u8>);

impl SealingKey {
    pub(super) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Encrypts.
    pub fn seal(&self, entropy: &Entropy, text: &[u8]) -> Result<Sealed, NoEntropy> {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&entropy.bytes()?[..NONCE_LEN]);
        let mut body = text.to_vec();
        let key = self.cipher().ok_or(NoEntropy)?;
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body)
            .map_err(|_| NoEntropy)?;
        Ok(Sealed([nonce.as_slice(), &body].concat()))
    }

    /// Decrypts; `None` for what this key did not encrypt, or what was changed since.
    pub fn open(&self, sealed: &Sealed) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.0.split_at_checked(NONCE_LEN)?;
        let mut body = body.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.cipher()?.open_in_place(nonce, Aad::empty(), &mut body).ok()?;
        Some(text.to_vec())
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM, &self.0).ok().map(LessSafeKey::new)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn only_the_same_secret_and_purpose_read_what_was_sealed() {
        let entropy = Entropy::seeded(1);
        let key = Secret::new("parent").sealing_key("successor");
        let sealed = key.seal(&entropy, b"text").unwrap();
        assert_eq!(key.open(&sealed).as_deref(), Some(b"text".as_slice()));
        assert!(Secret::new("other").sealing_key("successor").open(&sealed).is_none());
        assert!(Secret::new("parent").sealing_key("another").open(&sealed).is_none());
        assert!(!sealed.0.windows(4).any(|window| window == b"text"));
    }

    #[test]
    fn what_was_changed_or_cut_is_not_read() {
        let key = Secret::new("parent").sealing_key("successor");
        let sealed = key.seal(&Entropy::seeded(1), b"text").unwrap();
        for at in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[at] ^= 1;
            assert!(key.open(&changed).is_none(), "{at}");
            assert!(key.open(&Sealed(sealed.0[..at].to_vec())).is_none(), "{at}");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same_way() {
        let (entropy, key) = (Entropy::seeded(1), Secret::new("s").sealing_key("p"));
        assert_ne!(key.seal(&entropy, b"text").unwrap().0, key.seal(&entropy, b"text").unwrap().0);
    }
}
