//! Tokens out of the authorization server's own database, with what is remembered of them between two changes.
//!
//! The database tells, in the transaction that does it, whatever changes what a token stands on. Who shares a process
//! with the writer is told before the change is acknowledged ([`Database::apply`]); of whatever another process did it is
//! heard a moment later ([`Database::watch`]): the embedded engine writes changes down, and they are read ten times a
//! second; PostgreSQL notifies who listens. Where nothing can be heard, nothing that is remembered counts after a part of
//! a second, and the database is asked for every request.

mod change;
mod postgres;
mod region;
mod sqlite;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use latchkey_protocol::scope::{Role, Scopes};
use sqlx::{PgConnection, PgPool, SqliteConnection, SqlitePool};

use crate::{
    Clock, Refusal, Source, Standing,
    cache::{Cache, Epoch},
    clock::UnixSeconds,
    standing::{Application, Member, Organization, Shared},
    token::{AccessToken, Digest256},
};

pub use postgres::{answered_in_time, past_cuts};
pub use region::Link;
pub use sqlite::Changes;

/// Tokens as the database knows them.
#[derive(Debug)]
pub struct Database {
    engine: Engine,
    cache: Cache,
    clock: Clock,
    /// When it was last known that every change was heard of, in milliseconds of the clock's; 0 where that failed.
    heard_at: AtomicU64,
    /// What it is told of the centre, where this is a region's.
    region: Option<region::Region>,
}

/// Where they are read from, and how changes are heard.
#[derive(Debug)]
enum Engine {
    Sqlite(sqlite::Reader),
    Postgres(postgres::Listener),
}

/// Why the database does not say what a token is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It did not answer, or answered with an error.
    #[error(transparent)]
    Engine(#[from] sqlx::Error),
    /// A row holds a value that this version does not know.
    #[error("the column {0} holds a value that this version does not know")]
    Unreadable(&'static str),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::Engine(_) => Self::Unavailable(Arc::new(error)),
            Error::Unreadable(_) => Self::Failed(Arc::new(error)),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    token_id: String,
    scopes: String,
    created_at: UnixSeconds,
    expires_at: UnixSeconds,
    revoked_at: Option<UnixSeconds>,
    client_id: String,
    origins: Option<String>,
    application_disabled_at: Option<UnixSeconds>,
    user_id: String,
    user_name: String,
    user_email: Option<String>,
    user_disabled_at: Option<UnixSeconds>,
    organization_id: String,
    organization_slug: String,
    organization_name: String,
    organization_disabled_at: Option<UnixSeconds>,
    role: Option<String>,
}

impl Database {
    /// Reads from this embedded database, and remembers so many tokens.
    pub fn of_sqlite(readers: SqlitePool, clock: Clock, capacity: usize) -> Self {
        Self::new(Engine::Sqlite(sqlite::Reader::new(readers)), clock, capacity)
    }

    /// Reads from this PostgreSQL database, and remembers so many tokens.
    pub fn of_postgres(readers: PgPool, clock: Clock, capacity: usize) -> Self {
        Self::new(Engine::Postgres(postgres::Listener::new(readers)), clock, capacity)
    }

    /// Reads from a region's PostgreSQL database, as long as what it holds is not older than this.
    pub fn of_region(readers: PgPool, clock: Clock, capacity: usize, most: Duration) -> Self {
        let region = Some(region::Region::new(readers.clone(), most));
        Self { region, ..Self::of_postgres(readers, clock, capacity) }
    }

    fn new(engine: Engine, clock: Clock, capacity: usize) -> Self {
        Self { engine, cache: Cache::new(capacity), clock, heard_at: AtomicU64::new(0), region: None }
    }

    /// Hears of the changes of other processes, and of the centre, for as long as it runs.
    pub async fn watch(&self) {
        tokio::join!(self.watch_changes(), self.watch_centre());
    }

    async fn watch_centre(&self) {
        let Some(region) = &self.region else { return };
        let mut was_fresh = false;
        loop {
            if let Err(error) = region.look(self.clock.elapsed()).await {
                tracing::debug!(%error, "nobody says how old what is here is");
            }
            match (was_fresh, self.is_fresh()) {
                (false, true) => tracing::info!("what is here is new enough: requests are answered"),
                (true, false) => {
                    tracing::error!("the centre has not been heard of for too long: nobody is let through");
                }
                (true, true) | (false, false) => {}
            }
            was_fresh = self.is_fresh();
            tokio::time::sleep(region::EVERY).await;
        }
    }

    /// For how long a change at the centre may have gone unnoticed here; `None` where nobody can tell, and anywhere but in
    /// a region.
    pub fn staleness(&self) -> Option<Duration> {
        let complete_at = self.region.as_ref()?.complete_at()?;
        Some(self.clock.elapsed().saturating_sub(complete_at))
    }

    /// Whether what it holds is new enough to let anybody through.
    pub fn is_fresh(&self) -> bool {
        let Some(region) = &self.region else { return true };
        self.staleness().is_some_and(|staleness| staleness <= region.most)
    }

    /// How a region is connected with its centre; `None` anywhere else.
    pub async fn link(&self) -> Result<Option<Link>, Error> {
        Ok(match &self.region {
            Some(region) => Some(region.link().await?),
            None => None,
        })
    }

    async fn watch_changes(&self) {
        let mut fails = false;
        loop {
            let caught_up = self.catch_up().await;
            if let (Err(error), false) = (&caught_up, fails) {
                tracing::error!(%error, "changes cannot be heard of: the database is asked for every request");
            }
            fails = caught_up.is_err();
            self.wait(caught_up.err().as_ref()).await;
        }
    }

    /// Until it is time to catch up again; what is told meanwhile is heard at once.
    async fn wait(&self, failure: Option<&Error>) {
        match (&self.engine, failure) {
            (Engine::Postgres(listener), None) => {
                listener.hear(|changes| self.cache.apply(changes)).await;
            }
            (Engine::Postgres(_), Some(error)) if postgres::is_refusal(error) => {
                tokio::time::sleep(postgres::LATER).await;
            }
            (Engine::Postgres(_), Some(_)) => tokio::time::sleep(postgres::EVERY).await,
            (Engine::Sqlite(_), _) => tokio::time::sleep(sqlite::EVERY).await,
        }
    }

    /// Hears of all that changed until now.
    pub async fn catch_up(&self) -> Result<(), Error> {
        let at = self.clock.elapsed();
        let heard = match &self.engine {
            Engine::Sqlite(reader) => reader.read(at).await.map(|changes| self.apply(&changes)),
            Engine::Postgres(listener) => listener.catch_up().await.map(|changes| {
                self.cache.apply(&changes);
                self.heard_until(at);
            }),
        };
        heard.inspect_err(|_| self.distrust())
    }

    /// Reads what changed. A writer of the embedded database does it at the end of its transaction, where what it changed
    /// itself is among it, and [applies](Self::apply) it after the commit, before anybody is told of that.
    pub async fn changes_of_sqlite(&self, connection: &mut SqliteConnection) -> Result<Changes, Error> {
        let at = self.clock.elapsed();
        match &self.engine {
            Engine::Sqlite(reader) => reader.changes(at, connection).await,
            Engine::Postgres(_) => Ok(Changes::anything(at)),
        }
    }

    /// Reads what this transaction changed, in the same way.
    pub async fn changes_of_postgres(&self, connection: &mut PgConnection) -> Result<Changes, Error> {
        Ok(Changes::of_one(postgres::changed(connection).await?, self.clock.elapsed()))
    }

    /// Forgets what was changed.
    pub fn apply(&self, changes: &Changes) {
        match &self.engine {
            Engine::Sqlite(reader) => {
                reader.apply(changes, &self.cache);
                self.heard_until(changes.at());
            }
            // It is one transaction's: of what others did it says nothing.
            Engine::Postgres(_) => self.cache.apply(changes.all()),
        }
    }

    fn heard_until(&self, at: Duration) {
        self.heard_at.fetch_max(millis(at), Ordering::AcqRel);
    }

    /// Counts nothing that is remembered, until it is heard again.
    pub fn distrust(&self) {
        self.heard_at.store(0, Ordering::Release);
    }

    /// Ends the connection over which changes are heard: nothing that is remembered counts any more.
    pub async fn close(&self) {
        self.distrust();
        match &self.engine {
            Engine::Sqlite(reader) => reader.close().await,
            Engine::Postgres(listener) => listener.close().await,
        }
    }

    /// The moment, as far as applications go: as long as it stays the same, and there is one, no application and no
    /// organization changed. `None` where nobody can tell.
    pub fn applications_epoch(&self) -> Option<Epoch> {
        self.is_trusted().then(|| self.cache.applications_epoch())
    }

    /// How many tokens are remembered.
    pub fn remembered(&self) -> usize {
        self.cache.len()
    }

    fn is_trusted(&self) -> bool {
        let trust = match &self.engine {
            Engine::Sqlite(_) => sqlite::TRUST,
            Engine::Postgres(_) => postgres::TRUST,
        };
        let heard_at = self.heard_at.load(Ordering::Acquire);
        heard_at > 0 && millis(self.clock.elapsed()).saturating_sub(heard_at) <= trust.as_millis() as u64
    }

    async fn read(&self, token: &Digest256) -> Result<Option<Row>, Error> {
        // What an application runs on comes as one text: an origin holds no space.
        macro_rules! find {
            ($email:literal) => {
                concat!(
                    "select t.id as token_id, t.scopes, t.created_at, t.expires_at,
                            coalesce(t.revoked_at, g.revoked_at) as revoked_at,
                            g.client_id, a.disabled_at as application_disabled_at,
                            (select string_agg(ao.origin, ' ') from application_origins ao
                             where ao.client_id = g.client_id) as origins,
                            g.user_id, u.name as user_name, ",
                    $email,
                    " as user_email, u.disabled_at as user_disabled_at,
                            g.organization_id, o.slug as organization_slug, o.name as organization_name,
                            o.disabled_at as organization_disabled_at, m.role
                     from access_tokens t
                     join grants g on g.id = t.grant_id
                     join applications a on a.client_id = g.client_id
                     join users u on u.id = g.user_id
                     join organizations o on o.id = g.organization_id
                     left join memberships m on m.organization_id = g.organization_id and m.user_id = g.user_id
                     where t.token_hash = $1"
                )
            };
        }
        const FIND: &str = find!("u.email");
        // Addresses do not go to regions.
        const FIND_IN_REGION: &str = find!("cast(null as text)");
        let bytes = token.as_bytes();
        Ok(match &self.engine {
            Engine::Sqlite(reader) => {
                sqlx::query_as(FIND).bind(bytes).fetch_optional(reader.readers()).await?
            }
            Engine::Postgres(listener) => {
                let readers = listener.readers();
                let find = if self.region.is_some() { FIND_IN_REGION } else { FIND };
                postgres::past_cuts(readers, || sqlx::query_as(find).bind(bytes).fetch_optional(readers))
                    .await?
            }
        })
    }
}

impl Source for Database {
    fn recall(&self, token: &AccessToken) -> Option<Arc<Standing>> {
        if self.is_trusted() && self.is_fresh() { self.cache.get(&token.digest()) } else { None }
    }

    async fn find(&self, token: &AccessToken) -> Result<Option<Arc<Standing>>, Refusal> {
        if !self.is_fresh() {
            return Err(Refusal::Stale);
        }
        let digest = token.digest();
        let epoch = self.cache.epoch();
        let Some(row) = self.read(&digest).await? else { return Ok(None) };
        let standing = Standing::try_from(row)?;
        // What lets nobody through is not worth a place.
        Ok(Some(if standing.holds(self.clock.now()) && standing.member.role.is_some() {
            self.cache.keep(epoch, &digest, standing)
        } else {
            Arc::new(standing)
        }))
    }
}

impl TryFrom<Row> for Standing {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let role = row.role.as_deref().map(Role::parse);
        Ok(Self {
            token_id: row.token_id.into(),
            scopes: Scopes::parse(&row.scopes).map_err(|_| Error::Unreadable("access_tokens.scopes"))?,
            created_at: row.created_at,
            expires_at: row.expires_at,
            is_revoked: row.revoked_at.is_some(),
            application: Shared::new(Application {
                client_id: row.client_id.into(),
                origins: row.origins.unwrap_or_default().split_whitespace().map(Into::into).collect(),
                disabled_at: row.application_disabled_at,
                organization: Organization {
                    id: row.organization_id.as_str().into(),
                    slug: row.organization_slug.into(),
                    name: row.organization_name.into(),
                    disabled_at: row.organization_disabled_at,
                },
            }),
            member: Shared::new(Member {
                user_id: row.user_id.into(),
                name: row.user_name.into(),
                email: row.user_email.map(Into::into),
                disabled_at: row.user_disabled_at,
                organization_id: row.organization_id.into(),
                role: match role {
                    Some(None) => return Err(Error::Unreadable("memberships.role")),
                    Some(role) => role,
                    None => None,
                },
            }),
        })
    }
}

/// Milliseconds of the clock's; never 0, which says that nothing was heard.
fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}
