//! What every request has at hand.

use std::{ops::Deref, sync::Arc};

use tokio::sync::Semaphore;

use crate::{
    applications::refused_origins::RefusedOrigins,
    audit::refusals::Refusals,
    clock::Clock,
    config::Config,
    directory::{
        password::{PasswordError, Passwords},
        throttle::Throttle,
    },
    gate::{self, Gate},
    gateway::{Gateway, assertion::Assertions},
    http::cors::KnownOrigins,
    oauth::signing_keys::SigningKeys,
    secret::{Entropy, NoEntropy, Secret},
    store::Store,
};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Passwords cannot be hashed.
    #[error(transparent)]
    Passwords(#[from] PasswordError),
    /// The machine's certificates, which a backend's is held to, cannot be read.
    #[error(
        "the certificates of this machine cannot be read: {0}. Install ca-certificates, or set SSL_CERT_FILE"
    )]
    Certificates(#[from] std::io::Error),
}

/// The running application: shared, cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
    /// The hashing of passwords.
    pub passwords: Passwords,
    /// The keys that sign id_tokens.
    pub signing_keys: SigningKeys,
    /// How often passwords are tried.
    pub throttle: Throttle,
    /// The origins that were found to be registered.
    pub origins: KnownOrigins,
    /// The gate before the API.
    pub gate: Gate,
    /// Sites that are not registered and asked, until they are written down.
    pub refused_origins: RefusedOrigins,
    /// What the gate refused, until it is written down.
    pub refusals: Refusals,
    /// A permit for each request that may be answered at once.
    pub requests: Arc<Semaphore>,
    /// The platform's own backends, and the way to each.
    pub gateway: Gateway,
    /// What was signed for them lately.
    pub assertions: Assertions,
}

impl App {
    /// Puts the parts together. The secret is what the database's own secrets lie encrypted under.
    pub fn new(
        config: Config,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        secret: &Secret,
    ) -> Result<Self, StartError> {
        let passwords = Passwords::new(&entropy, config.limits.passwords)?;
        let signing_keys = SigningKeys::new(secret);
        let throttle = Throttle::new(&config.limits, clock.clone(), store.counters());
        let requests = Arc::new(Semaphore::new(config.limits.requests));
        let gateway = Gateway::new(&config.upstreams, config.limits.requests)?;
        let refusals = Refusals::new(&config.trusted_proxies);
        let remembered = store.remembered(&clock, &config.limits);
        // A region writes nothing down: its log is all there is.
        let observer = (!store.is_region()).then_some(&refusals);
        let gate = gate::new(&config, remembered, &clock, observer);
        Ok(Self(Arc::new(Parts {
            config,
            store,
            clock,
            entropy,
            passwords,
            signing_keys,
            throttle,
            requests,
            gateway,
            assertions: Assertions::default(),
            gate,
            refusals,
            refused_origins: RefusedOrigins::default(),
            origins: KnownOrigins::default(),
        })))
    }

    /// An id of what there is a lot of. Where one writes after the other it is in the order of time, so that a page of an
    /// index is written once for many. Where there are many writers it is not: they are in each other's way when they
    /// write to the same page.
    pub fn id_of_many(&self) -> Result<String, NoEntropy> {
        match self.store.has_many_writers() {
            true => self.entropy.id(),
            false => self.entropy.id_in_order(&self.clock),
        }
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
