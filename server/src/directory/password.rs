//! Passwords: argon2id, off the async threads, a bounded number at once, and a bounded number that wait.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::{Semaphore, TryAcquireError};

use crate::secret::{Entropy, Secret};

/// The longest password, in bytes: argon2's cost grows with it.
pub const MAX_PASSWORD: usize = 1024;
/// The shortest password that is accepted for an account, in characters (NIST SP 800-63B §3.1.1.2).
pub const MIN_PASSWORD: usize = 8;

/// Why a password was not hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Fewer characters than an account's password has.
    #[error("a password has at least {MIN_PASSWORD} characters")]
    TooShort,
    /// More bytes than are read.
    #[error("a password has at most {MAX_PASSWORD} bytes")]
    TooLong,
    /// As many are worked on or wait as the server is ready to finish in reasonable time.
    #[error("too many passwords are waiting to be worked on")]
    Overloaded,
    /// The machine gave no randomness, or no thread.
    #[error("the password could not be worked on")]
    Failed,
}

/// Whether an account may have this password.
pub fn check(password: &Secret) -> Result<(), PasswordError> {
    if password.expose().chars().count() < MIN_PASSWORD {
        Err(PasswordError::TooShort)
    } else if password.expose().len() > MAX_PASSWORD {
        Err(PasswordError::TooLong)
    } else {
        Ok(())
    }
}

/// Hashes and verifies passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    /// To be worked on, or to wait for it. Who finds no place is sent away at once, so that a flood ends in refusals
    /// and not in a queue that nobody at its end has the patience for.
    places: Arc<Semaphore>,
    /// To be worked on.
    turns: Arc<Semaphore>,
    /// What an unknown person's password is verified against, so that it takes as long as a known one's.
    decoy: Arc<str>,
}

impl Passwords {
    /// At most one computation for each processor, and at most so many together with those that wait.
    pub fn new(entropy: &Entropy, places: usize) -> Result<Self, PasswordError> {
        let turns = std::thread::available_parallelism().map_or(1, usize::from);
        let salt = entropy.bytes().map_err(|_| PasswordError::Failed)?;
        let parameters = Argon2::default().params().clone();
        // The decoy's cost lies in its parameters; its hash value is never matched, so none is computed at start.
        let decoy = format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            parameters.m_cost(),
            parameters.t_cost(),
            parameters.p_cost(),
            base64(&salt[..16]),
            base64(&salt)
        );
        let (places, turns) = (Arc::new(Semaphore::new(places)), Arc::new(Semaphore::new(turns)));
        Ok(Self { places, turns, decoy: decoy.into() })
    }

    /// The PHC string of a new password.
    pub async fn hash(&self, password: Secret, entropy: &Entropy) -> Result<String, PasswordError> {
        check(&password)?;
        let salt = entropy.bytes().map_err(|_| PasswordError::Failed)?;
        self.take_turn(move || {
            let hash = Argon2::default().hash_password_with_salt(password.expose().as_bytes(), &salt[..16]);
            hash.map(|hash| hash.to_string()).map_err(|_| PasswordError::Failed)
        })
        .await?
    }

    /// Whether the password is the one behind the PHC string; `None` stands for a person who does not exist,
    /// and costs the same.
    pub async fn verify(&self, password: Secret, stored: Option<String>) -> Result<bool, PasswordError> {
        if password.expose().len() > MAX_PASSWORD {
            return Err(PasswordError::TooLong);
        }
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.decoy.to_string());
        self.take_turn(move || {
            let Ok(hash) = PasswordHash::new(&stored) else { return false };
            Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok() && exists
        })
        .await
    }

    async fn take_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = self.places.clone().try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => PasswordError::Overloaded,
            TryAcquireError::Closed => PasswordError::Failed,
        })?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| PasswordError::Failed)?;
        // Both go along: who gives up while their password is worked on makes no room before that is done.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop((turn, place));
            result
        });
        done.await.map_err(|_| PasswordError::Failed)
    }
}

/// The unpadded base64 of PHC strings.
fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
    STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_alone() {
        let entropy = Entropy::seeded(1);
        let passwords = Passwords::new(&entropy, 4).unwrap();
        let stored = passwords.hash(Secret::new("correct horse"), &entropy).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(passwords.verify(Secret::new("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!passwords.verify(Secret::new("correct hors"), Some(stored)).await.unwrap());
    }

    #[tokio::test]
    async fn a_person_who_does_not_exist_is_refused_by_a_real_computation() {
        let entropy = Entropy::seeded(1);
        let passwords = Passwords::new(&entropy, 4).unwrap();
        assert!(PasswordHash::new(&passwords.decoy).is_ok(), "the decoy is a hash that is computed with");
        assert!(!passwords.verify(Secret::new("anything"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_is_bounded_before_anything_is_computed() {
        let entropy = Entropy::seeded(1);
        let passwords = Passwords::new(&entropy, 4).unwrap();
        let long = "x".repeat(1 << 20);
        let refused = passwords.verify(Secret::new(long.clone()), None).await;
        assert!(matches!(refused, Err(PasswordError::TooLong)));
        assert!(matches!(passwords.hash(Secret::new(long), &entropy).await, Err(PasswordError::TooLong)));
        assert!(matches!(passwords.hash(Secret::new("short"), &entropy).await, Err(PasswordError::TooShort)));
    }

    #[tokio::test]
    async fn who_finds_no_place_in_the_queue_is_sent_away_at_once() {
        let passwords = Passwords::new(&Entropy::seeded(1), 2).unwrap();
        let turns = passwords.turns.available_permits();
        let busy = passwords.turns.acquire_many(u32::try_from(turns).unwrap()).await.unwrap();
        let verify = || passwords.verify(Secret::new("anything"), None);
        let (mut first, mut second) = (Box::pin(verify()), Box::pin(verify()));
        for waiting in [&mut first, &mut second] {
            assert!(begin(waiting).await.is_none(), "it waits");
        }
        assert!(matches!(verify().await, Err(PasswordError::Overloaded)));
        drop(second);
        let mut third = Box::pin(verify());
        assert!(begin(&mut third).await.is_none(), "who gave up makes room");
        drop(busy);
        assert!(!first.await.unwrap() && !third.await.unwrap());
        assert!(!verify().await.unwrap(), "the places are free again");
    }

    /// Lets the future begin, and says whether it is done.
    async fn begin<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
