//! PostgreSQL: changes are told by `NOTIFY` at the commit, over a connection on which nothing else is asked than whether
//! it is still there. Whatever was committed before such a question was answered has been told before the answer.

use std::time::Duration;

use sqlx::{
    PgConnection, PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout, timeout_at},
};

use super::{Error, change::read_line};
use crate::cache::Change;

/// The channel.
const CHANNEL: &str = "latchkey_gate";
/// How often the connection is asked whether it is there.
pub(super) const EVERY: Duration = Duration::from_millis(50);
/// How long an answer is good for, from the moment of the question.
pub(super) const TRUST: Duration = Duration::from_millis(250);
/// How often it is asked again whether it tells of changes, where it refused to.
pub(super) const LATER: Duration = Duration::from_secs(10);
/// How long an answer may take, or a new connection.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Listener {
    readers: PgPool,
    connection: Mutex<Option<PgListener>>,
}

impl Listener {
    pub(super) fn new(readers: PgPool) -> Self {
        Self { readers, connection: Mutex::new(None) }
    }

    pub(super) fn readers(&self) -> &PgPool {
        &self.readers
    }

    /// What was told until now. Who did not listen before may have missed anything.
    pub(super) async fn catch_up(&self) -> Result<Vec<Change>, Error> {
        let mut held = self.connection.lock().await;
        let mut changes = vec![];
        // A connection that fails at whatever point is not gone on with: another one has to begin anew.
        let mut listener = match held.take() {
            Some(listener) => listener,
            None => {
                changes.push(Change::Anything);
                answered_in_time(self.listen()).await?
            }
        };
        answered_in_time(sqlx::query("select 1").execute(&mut listener)).await?;
        changes.extend(told(&mut listener));
        *held = Some(listener);
        Ok(changes)
    }

    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        // A connection of its own, that no request takes.
        let options = (*self.readers.connect_options()).clone();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        let version: String = sqlx::query_scalar("select version()").fetch_one(&mut listener).await?;
        if !tells_in_time(&version) {
            return Err(sqlx::Error::Configuration(
                "it tells of changes at some time after the commit".into(),
            ));
        }
        listener.ignore_pool_close_event(true);
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// Hears what is told, as it is told, until it is time to [catch up](Self::catch_up).
    pub(super) async fn hear(&self, forget: impl Fn(&[Change])) {
        let until = Instant::now() + EVERY;
        let mut held = self.connection.lock().await;
        while let Some(listener) = held.as_mut() {
            match timeout_at(until, listener.try_recv()).await {
                Ok(Ok(Some(first))) => {
                    let mut changes = vec![read_line(first.payload())];
                    changes.extend(told(listener));
                    forget(&changes);
                }
                // It is gone: the next one begins anew.
                Ok(Ok(None) | Err(_)) => *held = None,
                Err(_) => return,
            }
        }
    }

    pub(super) async fn close(&self) {
        self.connection.lock().await.take();
    }
}

/// Whether what was committed has been told before a later question is answered, by what a server calls itself. YugabyteDB
/// passes it on in a moment of its own.
fn tells_in_time(version: &str) -> bool {
    version.starts_with("PostgreSQL ") && !version.contains("-YB-")
}

/// Whether a server will tell of no change, however often it is asked: it is another one, or a statement is not known there,
/// feature_not_supported and syntax_error (PostgreSQL 18, appendix A).
pub(super) fn is_refusal(error: &Error) -> bool {
    match error {
        Error::Engine(sqlx::Error::Configuration(_)) => true,
        Error::Engine(sqlx::Error::Database(error)) => {
            error.code().is_some_and(|code| matches!(&*code, "0A000" | "42601"))
        }
        Error::Engine(_) | Error::Unreadable(_) => false,
    }
}

fn told(listener: &mut PgListener) -> impl Iterator<Item = Change> {
    std::iter::from_fn(|| listener.next_buffered()).map(|told| read_line(told.payload()))
}

/// What a server answers, unless it takes too long: a machine that is cut off says nothing of it.
pub async fn answered_in_time<T>(
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(PATIENCE, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// What the transaction on this connection changed so far.
pub(super) async fn changed(connection: &mut PgConnection) -> Result<Vec<Change>, Error> {
    const CHANGED: &str = "select coalesce(current_setting('latchkey.changed', true), '')";
    let changed: String = sqlx::query_scalar(CHANGED).fetch_one(connection).await?;
    Ok(changed.lines().map(read_line).collect())
}

/// Asks on the first connection that is still there: those that were idle are all cut when the server starts anew. Where
/// nothing comes back at all, it is not waited for long.
pub async fn past_cuts<T, Asked>(pool: &PgPool, ask: impl Fn() -> Asked) -> Result<T, sqlx::Error>
where
    Asked: Future<Output = Result<T, sqlx::Error>>,
{
    let mut left = pool.size();
    loop {
        match answered_in_time(ask()).await {
            Err(error) if left > 0 && is_cut(&error) => left -= 1,
            answered => return answered,
        }
    }
}

/// Whether the connection to a server is gone.
fn is_cut(error: &sqlx::Error) -> bool {
    // admin_shutdown, crash_shutdown, idle_session_timeout (PostgreSQL 18, appendix A).
    const GONE: [&str; 3] = ["57P01", "57P02", "57P05"];
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| GONE.contains(&&*code)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_remembered_by_a_server_that_tells_of_changes_late() {
        for (version, tells) in [
            ("PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc", true),
            ("PostgreSQL 18.1 on aarch64-unknown-linux-gnu, compiled by gcc (GCC) 14.2.0, 64-bit", true),
            ("PostgreSQL 15.12-YB-2025.2.3.0-b0 on x86_64-pc-linux-gnu, compiled by clang, 64-bit", false),
            ("PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64-pc-linux-gnu, compiled by clang, 64-bit", false),
            ("CockroachDB CCL v26.3.0 (x86_64-pc-linux-gnu, built 2026/08/10, go1.25)", false),
            ("", false),
        ] {
            assert_eq!(tells_in_time(version), tells, "{version}");
        }
    }
}
