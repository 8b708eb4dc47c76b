//! The unit of work that issues a token, by itself: all that the token stands on is asked again, its rows are written, and
//! it is on the disk. There is no HTTP in it, and no look at who asks.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use latchkey_gate::token::Digest256;
use latchkey_protocol::{origin::Origin, scope::Scopes};
use latchkey_server::{
    audit::By,
    clock::Clock,
    config::Config,
    http::error::Error,
    oauth::{
        issue::{Authority, Fragment, issue},
        request::Target,
    },
    secret::{Entropy, Secret},
    state::App,
    store::{DatabaseUrl, Store, authorities, rounds},
};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
    task::JoinSet,
};

use crate::{
    database::{Person, SCOPES},
    statistics::percentile,
};

/// Where the platform would be.
const PLATFORM: &str = "https://platform.example";

/// The threads on which units of work run, as many as the server has. They end with this value.
#[derive(Debug)]
struct Threads {
    handle: Handle,
    _ends: oneshot::Sender<()>,
}

impl Threads {
    fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (ends, ended) = oneshot::channel();
        thread::spawn(move || runtime.block_on(ended));
        Ok(Self { handle, _ends: ends })
    }
}

/// What a token is issued on.
struct Known {
    client_id: String,
    user_id: String,
    session_id: String,
    target: Target,
    scopes: Scopes,
}

/// Everybody whom a token is issued for, in turn.
struct People {
    app: App,
    known: Vec<Known>,
    next: AtomicUsize,
}

impl People {
    async fn find(url: DatabaseUrl, secret: String, people: Vec<Person>) -> Result<Self> {
        let config = Config::new(Origin::parse(PLATFORM).ok().context("no origin")?);
        let store = Store::open(&url).await?;
        let app = App::new(config, store, Clock::System, Entropy::System, &Secret::new(&secret))?;
        let mut unit = app.store.read().await?;
        let mut known = vec![];
        for Person { session, client_id, redirect_uri } in people {
            let digest = Digest256::of(session.as_bytes());
            let asked = authorities::ask(&mut unit, &client_id, Some(&digest), app.clock.now()).await?;
            let person = asked.and_then(|asked| asked.person).context("nobody is signed in")?;
            let site = redirect_uri.trim_end_matches("/callback");
            let requesting_origin = Origin::parse(site).ok().context("the redirect URI has no origin")?;
            known.push(Known {
                user_id: person.session.user_id,
                session_id: person.session.id,
                target: Target { redirect_uri, is_callback: false, requesting_origin },
                scopes: Scopes::parse(SCOPES).ok().context("a scope is not known")?,
                client_id,
            });
        }
        drop(unit);
        Ok(Self { app, known, next: AtomicUsize::new(0) })
    }

    async fn issue(&self, authority: Authority<'_>) -> Result<(), Error> {
        let mut unit = self.app.store.write(By::server(self.app.clock.now())).await?;
        issue(&self.app, &mut unit, authority, Fragment).await?;
        Ok(unit.commit().await?)
    }

    /// Issues to one after the other, and says how long each took, in nanoseconds.
    async fn issue_until(self: Arc<Self>, until: Instant) -> Result<Vec<u64>> {
        let mut latencies = vec![];
        while Instant::now() < until {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let known = self.known.get(number % self.known.len()).context("there is nobody")?;
            let authority = Authority {
                grant_id: None,
                client_id: &known.client_id,
                user_id: &known.user_id,
                session_id: &known.session_id,
                target: &known.target,
                scopes: known.scopes,
            };
            let began = Instant::now();
            // As the server does with whoever was in another's way.
            let attempt = || self.issue(authority);
            let is_contended = |done: &Result<(), Error>| matches!(done, Err(Error::Contended(_)));
            rounds::until_done(&self.app.entropy, attempt, is_contended).await?;
            latencies.push(u64::try_from(began.elapsed().as_nanos())?);
        }
        Ok(latencies)
    }
}

/// Tokens that are issued, so many at once.
pub(crate) struct Issuance {
    pub(crate) name: String,
    at_once: usize,
    pub(crate) rates: Vec<f64>,
    pub(crate) p99: Vec<f64>,
}

impl Issuance {
    pub(crate) fn new(name: String, at_once: usize) -> Self {
        Self { name, at_once, rates: vec![], p99: vec![] }
    }
}

/// A database, and how fast tokens are issued there.
pub(crate) struct Place {
    threads: Threads,
    people: Arc<People>,
}

impl Place {
    pub(crate) async fn open(url: &str, secret: &str, people: Vec<Person>) -> Result<Self> {
        let threads = Threads::start()?;
        let (url, secret) = (url.parse()?, secret.to_owned());
        let people = threads.handle.spawn(People::find(url, secret, people)).await??;
        Ok(Self { threads, people: Arc::new(people) })
    }

    pub(crate) async fn measure(&self, issuance: &mut Issuance, time: Duration) -> Result<()> {
        let started = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..issuance.at_once {
            running.spawn_on(self.people.clone().issue_until(started + time), &self.threads.handle);
        }
        let mut latencies = vec![];
        while let Some(ended) = running.join_next().await {
            latencies.extend(ended??);
        }
        issuance.rates.push(latencies.len() as f64 / started.elapsed().as_secs_f64());
        issuance.p99.push(percentile(&mut latencies, 0.99) as f64 / 1e6);
        Ok(())
    }
}
