//! Tokens out of the authorization server's own database, with what is remembered of them between two changes.
//!
//! The database writes down, in the transaction that does it, whatever changes what a token stands on. Who shares a
//! process with the writer is told before the change is acknowledged ([`Database::apply`]); whatever another process
//! did is read ten times a second ([`Database::watch`]). Where that cannot be read, nothing that is remembered counts
//! after half a second, and the database is asked for every request.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use latchkey_protocol::scope::{Role, Scopes};
use sqlx::{SqliteConnection, SqlitePool, sqlite::SqlitePoolOptions};

use crate::{
    Clock, Refusal, Source, Standing,
    cache::{Cache, Change, Epoch},
    clock::UnixSeconds,
    standing::{Application, Member, Organization, Shared},
    token::{AccessToken, Digest256},
};

/// How often the changes of other processes are read.
const EVERY: Duration = Duration::from_millis(100);
/// How long what was heard last is good for.
const TRUST: Duration = Duration::from_millis(500);
/// How many changes are looked at one by one. Whoever missed more forgets everything.
const MOST: usize = 10_000;

/// Tokens as the database knows them.
#[derive(Debug)]
pub struct Database {
    readers: SqlitePool,
    /// One connection that no request takes: the changes are heard however much is asked.
    listener: SqlitePool,
    cache: Cache,
    clock: Clock,
    /// The last change that was heard of.
    seen: Mutex<Option<i64>>,
    /// When the changes were last read, in milliseconds of the clock's; 0 where that failed.
    heard_at: AtomicU64,
}

/// Changes as they were read.
#[derive(Debug)]
pub struct Changes {
    changes: Vec<Change>,
    /// The number of the last of them.
    last: i64,
    /// When they were read.
    at: Duration,
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
    user_email: String,
    user_disabled_at: Option<UnixSeconds>,
    organization_id: String,
    organization_slug: String,
    organization_name: String,
    organization_disabled_at: Option<UnixSeconds>,
    role: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ChangeRow {
    id: i64,
    subject: String,
    key: String,
    user_id: Option<String>,
}

impl Database {
    /// Reads from this pool, and remembers so many tokens.
    pub fn new(readers: SqlitePool, clock: Clock, capacity: usize) -> Self {
        let options = readers.connect_options();
        let listener = SqlitePoolOptions::new()
            .max_connections(1)
            .test_before_acquire(false)
            .connect_lazy_with((*options).clone());
        Self {
            readers,
            listener,
            cache: Cache::new(capacity),
            clock,
            seen: Mutex::default(),
            heard_at: AtomicU64::new(0),
        }
    }

    /// Reads the changes of other processes, for as long as it runs.
    pub async fn watch(&self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut fails = false;
        loop {
            ticks.tick().await;
            match self.catch_up().await {
                Ok(()) => fails = false,
                Err(error) => {
                    if !fails {
                        tracing::error!(%error, "changes cannot be read: the database is asked for every request");
                    }
                    fails = true;
                }
            }
        }
    }

    /// Reads what changed since the last time.
    pub async fn catch_up(&self) -> Result<(), Error> {
        let read = async {
            let mut listener = self.listener.acquire().await?;
            self.changes(&mut listener).await
        };
        match read.await {
            Ok(changes) => {
                self.apply(&changes);
                Ok(())
            }
            Err(error) => {
                self.distrust();
                Err(error)
            }
        }
    }

    /// Reads what changed since the last time. A writer does it at the end of its transaction, where what it changed
    /// itself is among it, and [applies](Self::apply) it after the commit, before anybody is told of that.
    pub async fn changes(&self, connection: &mut SqliteConnection) -> Result<Changes, Error> {
        let at = self.clock.elapsed();
        let seen = *self.seen();
        let (changes, last) = match seen {
            None => (vec![Change::Anything], last(connection).await?),
            Some(seen) => since(seen, connection).await?,
        };
        Ok(Changes { changes, last, at })
    }

    /// Forgets what was changed.
    pub fn apply(&self, changes: &Changes) {
        let mut seen = self.seen();
        self.cache.apply(&changes.changes);
        *seen = match *seen {
            // Who reads less than another one did, and at the same time, changes nothing by it.
            Some(seen) if !changes.changes.contains(&Change::Anything) => Some(seen.max(changes.last)),
            Some(_) | None => Some(changes.last),
        };
        self.heard_at.fetch_max(millis(changes.at), Ordering::AcqRel);
    }

    /// Counts nothing that is remembered, until the changes are read again.
    pub fn distrust(&self) {
        self.heard_at.store(0, Ordering::Release);
    }

    /// Ends the connection over which changes are heard: nothing that is remembered counts any more.
    pub async fn close(&self) {
        self.distrust();
        self.listener.close().await;
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

    fn seen(&self) -> MutexGuard<'_, Option<i64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_trusted(&self) -> bool {
        let heard_at = self.heard_at.load(Ordering::Acquire);
        heard_at > 0 && millis(self.clock.elapsed()).saturating_sub(heard_at) <= TRUST.as_millis() as u64
    }

    async fn read(&self, token: &Digest256) -> Result<Option<Row>, Error> {
        // What an application runs on comes as one text: an origin holds no space.
        const FIND: &str = "select t.id as token_id, t.scopes, t.created_at, t.expires_at,
                                   coalesce(t.revoked_at, g.revoked_at) as revoked_at,
                                   g.client_id, a.disabled_at as application_disabled_at,
                                   (select string_agg(ao.origin, ' ') from application_origins ao
                                    where ao.client_id = g.client_id) as origins,
                                   g.user_id, u.name as user_name, u.email as user_email,
                                   u.disabled_at as user_disabled_at,
                                   g.organization_id, o.slug as organization_slug, o.name as organization_name,
                                   o.disabled_at as organization_disabled_at, m.role
                            from access_tokens t
                            join grants g on g.id = t.grant_id
                            join applications a on a.client_id = g.client_id
                            join users u on u.id = g.user_id
                            join organizations o on o.id = g.organization_id
                            left join memberships m
                                on m.organization_id = g.organization_id and m.user_id = g.user_id
                            where t.token_hash = $1";
        let bytes = token.as_bytes();
        Ok(sqlx::query_as::<_, Row>(FIND).bind(bytes).fetch_optional(&self.readers).await?)
    }
}

impl Source for Database {
    fn recall(&self, token: &AccessToken) -> Option<Arc<Standing>> {
        if self.is_trusted() { self.cache.get(&token.digest()) } else { None }
    }

    async fn find(&self, token: &AccessToken) -> Result<Option<Arc<Standing>>, Refusal> {
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

/// The number of the last change there is.
async fn last(connection: &mut SqliteConnection) -> Result<i64, Error> {
    const LAST: &str = "select coalesce(max(id), 0) from gate_changes";
    Ok(sqlx::query_scalar(LAST).fetch_one(connection).await?)
}

/// What changed since the change with this number. That one is read too: where it is not there any more, others that
/// came after it may be gone as well.
async fn since(seen: i64, connection: &mut SqliteConnection) -> Result<(Vec<Change>, i64), Error> {
    const SINCE: &str =
        "select id, subject, key, user_id from gate_changes where id >= $1 order by id limit $2";
    let most = i64::try_from(MOST + 2).unwrap_or(i64::MAX);
    let rows: Vec<ChangeRow> =
        sqlx::query_as(SINCE).bind(seen).bind(most).fetch_all(&mut *connection).await?;
    let is_complete = seen == 0 || rows.first().is_some_and(|row| row.id == seen);
    if !is_complete || rows.len() > MOST {
        return Ok((vec![Change::Anything], last(connection).await?));
    }
    let last = rows.last().map_or(seen, |row| row.id);
    Ok((rows.into_iter().filter(|row| row.id != seen).map(Change::from).collect(), last))
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        match (row.subject.as_str(), row.user_id) {
            ("token", None) => digest(&row.key).map_or(Self::Anything, Self::Token),
            ("application", None) => Self::Application(row.key),
            ("organization", None) => Self::Organization(row.key),
            ("user", None) => Self::User(row.key),
            ("membership", Some(user_id)) => Self::Membership { organization_id: row.key, user_id },
            // Written by a newer version than this one.
            (_, Some(_) | None) => Self::Anything,
        }
    }
}

/// A digest in hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
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
                email: row.user_email.into(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_what_it_says_or_as_anything() {
        let row = |subject: &str, key: &str, user_id: Option<&str>| {
            Change::from(ChangeRow {
                id: 1,
                subject: subject.into(),
                key: key.into(),
                user_id: user_id.map(Into::into),
            })
        };
        assert_eq!(row("token", &"0f".repeat(32), None), Change::Token([15; 32]));
        assert_eq!(row("application", "a", None), Change::Application("a".into()));
        assert_eq!(row("organization", "o", None), Change::Organization("o".into()));
        assert_eq!(row("user", "u", None), Change::User("u".into()));
        let membership = Change::Membership { organization_id: "o".into(), user_id: "u".into() };
        assert_eq!(row("membership", "o", Some("u")), membership);
        for (subject, key, user_id) in
            [("token", "0f", None), ("token", "x", None), ("planet", "o", None), ("membership", "o", None)]
        {
            assert_eq!(row(subject, key, user_id), Change::Anything, "{subject} {key}");
        }
    }
}
