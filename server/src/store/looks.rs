//! Connections for those who take a look at the embedded database.
//!
//! A pool asks every connection that comes back whether it still answers, which costs as much as a look does. Nothing
//! can be wrong with one whose every statement was answered, and no transaction is open on it: it is kept for the next
//! look. Any other goes back to the pool.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::ACQUIRE_TIMEOUT;

/// How many look at once at most.
pub(super) const AT_ONCE: u32 = 4;

/// Where connections for looks come from.
#[derive(Debug, Clone)]
pub(super) struct Looks {
    pool: SqlitePool,
    line: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<PoolConnection<Sqlite>>>>,
}

impl Looks {
    /// Of a pool, which has [`AT_ONCE`] connections more than it is used for otherwise.
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool, line: Arc::new(Semaphore::new(AT_ONCE as usize)), kept: Arc::default() }
    }

    /// Waits for a connection.
    pub(super) async fn begin(&self) -> Result<Look, sqlx::Error> {
        let turn = timeout(ACQUIRE_TIMEOUT, self.line.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let kept = self.kept().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => self.pool.acquire().await?,
        };
        Ok(Look { connection: Some(connection), is_at_work: false, looks: self.clone(), _turn: turn })
    }

    /// Closes the pool, with those that were kept.
    pub(super) async fn close(&self) {
        let closed = self.pool.close();
        self.kept().clear();
        closed.await;
    }

    fn kept(&self) -> MutexGuard<'_, Vec<PoolConnection<Sqlite>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for as long as somebody looks.
#[derive(Debug)]
pub(super) struct Look {
    /// There until it is dropped.
    connection: Option<PoolConnection<Sqlite>>,
    /// Whether a statement was not answered, or not yet.
    is_at_work: bool,
    looks: Looks,
    _turn: OwnedSemaphorePermit,
}

impl Look {
    /// The engine, to be asked something.
    pub(super) fn at_work(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        self.is_at_work = true;
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// It was answered.
    pub(super) fn done(&mut self) {
        self.is_at_work = false;
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        let mut kept = self.looks.kept();
        let is_kept = !self.is_at_work && !self.looks.pool.is_closed();
        if let Some(connection) = self.connection.take().filter(|_| is_kept) {
            kept.push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use sqlx::sqlite::SqlitePoolOptions;

    use super::*;

    async fn looks() -> Looks {
        let pool = SqlitePoolOptions::new().max_connections(AT_ONCE).test_before_acquire(false);
        Looks::new(pool.connect("sqlite::memory:").await.unwrap())
    }

    async fn ask(look: &mut Look, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(sql).execute(look.at_work()?).await?;
        look.done();
        Ok(())
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_the_next_look() {
        let looks = looks().await;
        let mut look = looks.begin().await.unwrap();
        ask(&mut look, "create table here (id integer)").await.unwrap();
        drop(look);
        assert_eq!(looks.kept().len(), 1);
        // Every connection has a database of its own in its memory.
        ask(&mut looks.begin().await.unwrap(), "select id from here").await.unwrap();
    }

    #[tokio::test]
    async fn one_that_was_not_answered_goes_back_to_the_pool() {
        let looks = looks().await;
        ask(&mut looks.begin().await.unwrap(), "select id from nowhere").await.unwrap_err();
        assert!(looks.kept().is_empty());
        let mut look = looks.begin().await.unwrap();
        look.at_work().unwrap();
        drop(look);
        assert!(looks.kept().is_empty());
    }

    #[tokio::test]
    async fn who_comes_when_all_look_waits_and_gets_the_next_one_s() {
        let looks = looks().await;
        let mut all = vec![];
        for _ in 0..AT_ONCE {
            all.push(looks.begin().await.unwrap());
        }
        let mut next = Box::pin(looks.begin());
        assert!(next.as_mut().now_or_never().is_none());
        all.pop();
        next.await.unwrap();
    }

    #[tokio::test]
    async fn closing_waits_for_who_looks_and_keeps_none() {
        let looks = looks().await;
        drop(looks.begin().await.unwrap());
        let look = looks.begin().await.unwrap();
        let mut closed = Box::pin(looks.close());
        assert!(closed.as_mut().now_or_never().is_none());
        drop(look);
        closed.await;
        assert!(matches!(looks.begin().await, Err(sqlx::Error::PoolClosed)));
    }
}
