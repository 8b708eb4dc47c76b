//! How often a password may be tried: for one account, from wherever; and from one address, for whatever account. And
//! how often one address may begin an authorization request, which is kept before anybody is known.

use std::{fmt, net::IpAddr, time::Duration};

use governor::{
    Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, state::keyed::DashMapStateStore,
};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    config::{Limits, Rate},
    http::address::ClientAddress,
    store::users::email_key,
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

/// Counts the attempts of the last minutes, in this process.
pub struct Throttle {
    clock: Intervals,
    per_address: Keyed<IpAddr>,
    /// By the digest of the address: it is of one size, and what somebody typed is not kept.
    per_account: Keyed<[u8; 32]>,
    transactions: Keyed<IpAddr>,
}

type Keyed<K> = RateLimiter<K, DashMapStateStore<K>, Intervals, NoOpMiddleware<Duration>>;

impl Throttle {
    /// Nobody has tried anything yet.
    pub fn new(limits: &Limits, clock: Clock) -> Self {
        let clock = Intervals(clock);
        Self {
            per_address: keyed(limits.per_address, &clock),
            per_account: keyed(limits.per_account, &clock),
            transactions: keyed(limits.transactions, &clock),
            clock,
        }
    }

    /// Counts an attempt, or says how long to wait. An account that does not exist is counted like any other.
    ///
    /// Who is refused for their address does not use up an account: one address alone keeps nobody out for long.
    pub fn attempt(&self, address: ClientAddress, email: &str) -> Result<(), Wait> {
        let account = Sha256::digest(email_key(email)).into();
        let passed = self.per_address.check_key(&address.holder());
        let passed = passed.and_then(|()| self.per_account.check_key(&account));
        passed.map_err(|refused| Wait(refused.wait_time_from(self.clock.now())))
    }

    /// Counts an authorization request that is to be kept, or says how long to wait.
    pub fn begin(&self, address: ClientAddress) -> Result<(), Wait> {
        let passed = self.transactions.check_key(&address.holder());
        passed.map_err(|refused| Wait(refused.wait_time_from(self.clock.now())))
    }

    /// Forgets everybody who has waited long enough.
    pub fn sweep(&self) {
        self.per_address.retain_recent();
        self.per_address.shrink_to_fit();
        self.per_account.retain_recent();
        self.per_account.shrink_to_fit();
        self.transactions.retain_recent();
        self.transactions.shrink_to_fit();
    }

    /// How much is remembered of addresses and accounts.
    pub fn len(&self) -> usize {
        self.per_address.len() + self.per_account.len() + self.transactions.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("remembered", &self.len()).finish()
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

    fn throttle() -> (Throttle, Clock) {
        let clock = Clock::manual(1000);
        (Throttle::new(&Limits::default(), clock.clone()), clock)
    }

    #[test]
    fn an_account_has_ten_attempts_and_then_one_a_minute_from_wherever() {
        let (throttle, clock) = throttle();
        let attempt = |from: u8, email: &str| throttle.attempt(address(&format!("192.0.2.{from}")), email);
        for from in 0..10 {
            assert_eq!(attempt(from, "ada@example.org"), Ok(()));
        }
        for email in ["ada@example.org", "ADA@Example.org", " ada@example.org "] {
            assert_eq!(attempt(99, email).unwrap_err().secs(), 60, "{email}");
        }
        assert_eq!(attempt(99, "eve@example.org"), Ok(()), "another account");
        clock.advance(59);
        assert_eq!(attempt(99, "ada@example.org").unwrap_err().secs(), 1);
        clock.advance(1);
        assert_eq!(attempt(99, "ada@example.org"), Ok(()));
        assert_eq!(attempt(99, "ada@example.org").unwrap_err().secs(), 60);
        clock.advance(600);
        assert!((0..10).all(|from| attempt(from, "ada@example.org").is_ok()), "the ten are back");
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
        assert_eq!(throttle.len(), 400);
        clock.advance(4);
        throttle.sweep();
        assert_eq!(throttle.len(), 200, "the addresses have waited long enough");
        clock.advance(116);
        throttle.sweep();
        assert!(throttle.is_empty());
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
