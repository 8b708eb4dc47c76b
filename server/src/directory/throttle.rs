//! How often a password may be tried: for one account from one address, for one account from wherever, and from one
//! address for whatever account. How often one address may begin an authorization request, which is kept before anybody
//! is known; and how often one grant may be refreshed, of which each leaves a row.
//!
//! It is counted in this process, and where there may be others, on other machines, by all of them together in the
//! database that they have in common.

use std::{fmt, net::IpAddr, time::Duration};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, state::keyed::DashMapStateStore,
};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    config::{Limits, Rate},
    http::address::ClientAddress,
    store::{StoreError, counters::Counters, rounds, users::email_key},
};

/// How long to wait before another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(Duration);

impl Wait {
    /// In whole seconds, and never too short.
    pub fn secs(self) -> u64 {
        self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.secs() {
            0 | 1 => f.write_str("1 second"),
            secs @ 2..=90 => write!(f, "{secs} seconds"),
            secs => write!(f, "{} minutes", secs.div_ceil(60)),
        }
    }
}

/// Why something may not be done now.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It was done too often.
    #[error("it was done too often: wait {0}")]
    TooOften(Wait),
    /// Nobody can say how often it was done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Counts, here and where all processes count together.
#[derive(Debug)]
pub struct Throttle {
    here: Here,
    limits: Limits,
    clock: Clock,
    together: Option<Counters>,
}

impl Throttle {
    /// Nobody has tried anything yet, in this process.
    pub fn new(limits: &Limits, clock: Clock, together: Option<Counters>) -> Self {
        Self { here: Here::new(limits, clock.clone()), limits: *limits, clock, together }
    }

    /// Counts an attempt at a password. An account that does not exist is counted like any other.
    ///
    /// Who is refused for their address does not use up an account, and no address has so much of one account that it
    /// keeps out somebody who signs in from elsewhere.
    pub async fn attempt(&self, address: ClientAddress, email: &str) -> Result<(), Refused> {
        if rounds::is_again() {
            return Ok(());
        }
        self.here.attempt(address, email).map_err(Refused::TooOften)?;
        let (account, holder) = (email_key(email), address.holder().to_string());
        self.count(self.limits.per_address, &["address", &holder]).await?;
        self.count(self.limits.per_account_and_address, &["account and address", &account, &holder]).await?;
        self.count(self.limits.per_account, &["account", &account]).await
    }

    /// Counts an authorization request that is to be kept.
    pub async fn begin(&self, address: ClientAddress) -> Result<(), Refused> {
        if rounds::is_again() {
            return Ok(());
        }
        self.here.begin(address).map_err(Refused::TooOften)?;
        self.count(self.limits.transactions, &["transaction", &address.holder().to_string()]).await
    }

    /// Counts a refresh of a grant.
    pub async fn refresh(&self, grant_id: &str) -> Result<(), Refused> {
        if rounds::is_again() {
            return Ok(());
        }
        self.here.refresh(grant_id).map_err(Refused::TooOften)?;
        self.count(self.limits.refreshes, &["refresh", grant_id]).await
    }

    async fn count(&self, rate: Rate, words: &[&str]) -> Result<(), Refused> {
        let Some(together) = &self.together else { return Ok(()) };
        let mut key = Sha256::new();
        for word in words {
            // No two lists of words are one text.
            key.update(word.len().to_be_bytes());
            key.update(word);
        }
        let each = Duration::from_secs(60) / rate.per_minute.get();
        let refused =
            together.count(&key.finalize().into(), rate.burst.get(), each, self.clock.now()).await?;
        refused.map_or(Ok(()), |wait| Err(Refused::TooOften(Wait(wait))))
    }

    /// How much is remembered of addresses and accounts, in this process.
    pub fn len(&self) -> usize {
        self.here.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everybody who has waited long enough, in this process.
    pub fn sweep(&self) {
        self.here.sweep();
    }
}

/// Counts what was done in the last minutes, in this process.
struct Here {
    clock: Intervals,
    per_address: Keyed<IpAddr>,
    /// By the digest of the address: it is of one size, and what somebody typed is not kept.
    per_account: Keyed<[u8; 32]>,
    per_account_and_address: Keyed<([u8; 32], IpAddr)>,
    transactions: Keyed<IpAddr>,
    refreshes: Keyed<String>,
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, Intervals, NoOpMiddleware<Duration>>;

impl Here {
    /// Nobody has tried anything yet.
    fn new(limits: &Limits, clock: Clock) -> Self {
        let clock = Intervals(clock);
        Self {
            per_address: keyed(limits.per_address, &clock),
            per_account: keyed(limits.per_account, &clock),
            per_account_and_address: keyed(limits.per_account_and_address, &clock),
            transactions: keyed(limits.transactions, &clock),
            refreshes: keyed(limits.refreshes, &clock),
            clock,
        }
    }

    /// Counts an attempt, or says how long to wait.
    fn attempt(&self, address: ClientAddress, email: &str) -> Result<(), Wait> {
        let account = Sha256::digest(email_key(email)).into();
        let holder = address.holder();
        let passed = self.per_address.check_key(&holder);
        let passed = passed.and_then(|()| self.per_account_and_address.check_key(&(account, holder)));
        let passed = passed.and_then(|()| self.per_account.check_key(&account));
        passed.map_err(|refused| Wait(refused.wait_time_from(self.clock.now())))
    }

    /// Counts an authorization request that is to be kept, or says how long to wait.
    fn begin(&self, address: ClientAddress) -> Result<(), Wait> {
        let passed = self.transactions.check_key(&address.holder());
        passed.map_err(|refused| Wait(refused.wait_time_from(self.clock.now())))
    }

    /// Counts a refresh of a grant, or says how long to wait.
    fn refresh(&self, grant_id: &str) -> Result<(), Wait> {
        let passed = self.refreshes.check_key(&grant_id.to_owned());
        passed.map_err(|refused| Wait(refused.wait_time_from(self.clock.now())))
    }

    /// Forgets everybody who has waited long enough.
    fn sweep(&self) {
        self.per_address.retain_recent();
        self.per_address.shrink_to_fit();
        self.per_account.retain_recent();
        self.per_account.shrink_to_fit();
        self.per_account_and_address.retain_recent();
        self.per_account_and_address.shrink_to_fit();
        self.transactions.retain_recent();
        self.transactions.shrink_to_fit();
        self.refreshes.retain_recent();
        self.refreshes.shrink_to_fit();
    }

    /// How much is remembered of addresses and accounts.
    fn len(&self) -> usize {
        self.per_address.len()
            + self.per_account.len()
            + self.per_account_and_address.len()
            + self.transactions.len()
            + self.refreshes.len()
    }
}

impl fmt::Debug for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Here").field("remembered", &self.len()).finish()
    }
}

fn keyed<K: Clone + Eq + std::hash::Hash>(rate: Rate, clock: &Intervals) -> Keyed<K> {
    let quota = Quota::per_minute(rate.per_minute).allow_burst(rate.burst);
    RateLimiter::dashmap_with_clock(quota, clock.clone())
}

/// Our clock, as the crate asks for one.
#[derive(Debug, Clone)]
struct Intervals(Clock);

impl governor::clock::Clock for Intervals {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn address(text: &str) -> ClientAddress {
        ClientAddress::find(text.parse().unwrap(), &HeaderMap::new(), &[])
    }

    fn throttle() -> (Here, Clock) {
        let clock = Clock::manual(1000);
        (Here::new(&Limits::default(), clock.clone()), clock)
    }

    #[test]
    fn an_account_has_ten_attempts_from_one_address_and_then_one_a_minute() {
        let (throttle, clock) = throttle();
        let attempt = |from: u8, email: &str| throttle.attempt(address(&format!("192.0.2.{from}")), email);
        for _ in 0..10 {
            assert_eq!(attempt(1, "ada@example.org"), Ok(()));
        }
        for email in ["ada@example.org", "ADA@Example.org", " ada@example.org "] {
            assert_eq!(attempt(1, email).unwrap_err().secs(), 60, "{email}");
        }
        assert_eq!(attempt(1, "eve@example.org"), Ok(()), "another account");
        clock.advance(60);
        assert_eq!(attempt(1, "ada@example.org"), Ok(()));
        assert_eq!(attempt(1, "ada@example.org").unwrap_err().secs(), 60);
        clock.advance(600);
        assert!((0..10).all(|_| attempt(1, "ada@example.org").is_ok()), "the ten are back");
    }

    /// Whoever goes on and on at somebody's account from one address keeps out nobody but themselves.
    #[test]
    fn one_address_alone_keeps_nobody_out() {
        let (throttle, clock) = throttle();
        for _ in 0..600 {
            let _ = throttle.attempt(address("203.0.113.9"), "ada@example.org");
            clock.advance(2);
        }
        assert!((0..5).all(|_| throttle.attempt(address("192.0.2.1"), "ada@example.org").is_ok()));
    }

    #[test]
    fn an_account_has_a_hundred_attempts_from_everywhere_and_then_ten_a_minute() {
        let (throttle, clock) = throttle();
        let attempt = |from: u8| throttle.attempt(address(&format!("192.0.2.{from}")), "ada@example.org");
        for from in 0..100 {
            assert_eq!(attempt(from), Ok(()));
        }
        assert_eq!(attempt(200).unwrap_err().secs(), 6);
        clock.advance(6);
        assert_eq!(attempt(200), Ok(()));
        assert!(attempt(201).is_err());
    }

    #[test]
    fn an_address_has_sixty_attempts_and_then_one_every_two_seconds() {
        let (throttle, clock) = throttle();
        let attempt = |from: &str, who: u32| throttle.attempt(address(from), &format!("a{who}@example.org"));
        for who in 0..60 {
            assert_eq!(attempt("2001:db8:0:1::1", who), Ok(()));
        }
        assert_eq!(attempt("2001:db8:0:1::ffff", 60).unwrap_err().secs(), 2, "the same network");
        assert_eq!(attempt("2001:db8:0:2::1", 60), Ok(()), "another network");
        clock.advance(2);
        assert_eq!(attempt("2001:db8:0:1::1", 61), Ok(()));
        assert!(attempt("2001:db8:0:1::1", 62).is_err());
    }

    #[test]
    fn who_is_refused_for_their_address_uses_up_no_account() {
        let (throttle, _) = throttle();
        for who in 0..60 {
            assert_eq!(throttle.attempt(address("192.0.2.1"), &format!("a{who}@example.org")), Ok(()));
        }
        for _ in 0..20 {
            assert!(throttle.attempt(address("192.0.2.1"), "ada@example.org").is_err());
        }
        assert!((0..10).all(|_| throttle.attempt(address("192.0.2.2"), "ada@example.org").is_ok()));
    }

    #[test]
    fn who_has_waited_long_enough_is_forgotten() {
        let (throttle, clock) = throttle();
        for from in 0..200 {
            let email = format!("a{from}@example.org");
            assert_eq!(throttle.attempt(address(&format!("192.0.2.{from}")), &email), Ok(()));
        }
        throttle.sweep();
        assert_eq!(throttle.len(), 600);
        clock.advance(12);
        throttle.sweep();
        assert_eq!(throttle.len(), 200, "what one address did at one account is remembered for longest");
        clock.advance(108);
        throttle.sweep();
        assert!(throttle.len() == 0);
    }

    #[test]
    fn a_wait_is_told_in_words_and_never_too_short() {
        for (millis, words) in [
            (1, "1 second"),
            (1000, "1 second"),
            (1001, "2 seconds"),
            (60_000, "60 seconds"),
            (90_001, "2 minutes"),
            (121_000, "3 minutes"),
        ] {
            assert_eq!(Wait(Duration::from_millis(millis)).to_string(), words);
        }
    }
}
