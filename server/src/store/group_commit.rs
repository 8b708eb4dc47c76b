//! Group commit for the one writer of an embedded database.
//!
//! What makes a commit slow is the disk, and it takes no longer for many units of work than for one. So a unit that ends
//! while others wait for the writer leaves its transaction open to them, and goes to the end of their line to commit it:
//! whoever stood before it shares the transaction, each in a savepoint of its own, and nobody is told of anything before
//! the disk has it. Where nobody waits, a unit commits by itself, at once.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, watch},
    time::timeout,
};

use super::{ACQUIRE_TIMEOUT, StoreError, errand::Errand};

/// The writer, and the line before it.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    pool: SqlitePool,
    open: Arc<Mutex<Option<Open>>>,
    waiting: Arc<AtomicUsize>,
}

/// The writer's connection, and how far its transaction is.
#[derive(Debug)]
struct Open {
    connection: PoolConnection<Sqlite>,
    step: Step,
    /// Tells the units that are done how the transaction ended; nothing there before the first one is done.
    done: Option<watch::Sender<Option<Outcome>>>,
}

type Outcome = Result<(), Arc<sqlx::Error>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is no transaction.
    Closed,
    /// A unit is at work in it; to whoever finds it so, that unit was given up, and what it did is to be undone.
    Unit,
    /// All that is in it is to be committed.
    Done,
    /// The connection does not answer any more.
    Lost,
}

impl Writer {
    /// Of a pool of one connection.
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool, open: Arc::default(), waiting: Arc::default() }
    }

    /// Waits for the writer.
    pub(super) async fn begin(&self) -> Result<Turn, StoreError> {
        let waits = Waits::new(&self.waiting);
        let line = timeout(ACQUIRE_TIMEOUT, self.open.clone().lock_owned()).await;
        drop(waits);
        let mut open = line.map_err(|_| sqlx::Error::PoolTimedOut)?;
        if open.as_ref().is_none_or(|open| open.step == Step::Lost) {
            drop(open.take());
            let connection = self.pool.acquire().await?;
            *open = Some(Open { connection, step: Step::Closed, done: None });
        }
        let open = OwnedMutexGuard::try_map(open, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)?;
        let mut turn = Turn { open, writer: self.clone(), put_off: Errand::default(), is_whole: true };
        turn.begin().await?;
        Ok(turn)
    }

    /// Ends the transaction, once everybody who waits now had a turn in it.
    async fn end(&self) {
        if let Some(open) = &mut *self.open.lock().await {
            open.end().await;
        }
    }

    pub(super) async fn close(&self) {
        if let Some(mut open) = self.open.lock().await.take() {
            open.end().await;
        }
        self.pool.close().await;
    }
}

impl Open {
    /// Undoes what was begun and given up.
    async fn undo(&mut self) -> Result<(), sqlx::Error> {
        if self.step != Step::Unit {
            return Ok(());
        }
        if self.done.is_some() {
            match self.run("rollback to unit; release unit").await {
                Ok(()) => {
                    self.step = Step::Done;
                    return Ok(());
                }
                // Whoever went away had done all of it, and it is one of those that are done.
                Err(error) if is_no_savepoint(&error) && self.is_in_transaction().await => {
                    self.step = Step::Done;
                    return Ok(());
                }
                // With a disk that is full the engine gives up all of the transaction.
                Err(error) => self.tell(Err(error.into())),
            }
        }
        self.roll_back().await
    }

    /// Whether the engine has not given up the transaction. If it has, there is an empty one afterwards.
    async fn is_in_transaction(&mut self) -> bool {
        // No transaction begins in another one.
        matches!(self.run("begin").await, Err(sqlx::Error::Database(_)))
    }

    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        match self.run("rollback").await {
            // Refused is only who has no transaction to give up.
            Ok(()) | Err(sqlx::Error::Database(_)) => {
                self.step = Step::Closed;
                Ok(())
            }
            Err(error) => {
                self.step = Step::Lost;
                self.connection.close_on_drop();
                Err(error)
            }
        }
    }

    /// Commits what is done, undoes what was given up, and tells who waits.
    async fn end(&mut self) {
        let ended = match self.undo().await {
            Ok(()) if self.step == Step::Done => self.commit().await,
            ended => ended,
        };
        if let Err(error) = ended {
            tracing::error!(%error, "a transaction could not be ended");
        }
    }

    async fn commit(&mut self) -> Result<(), sqlx::Error> {
        match self.run("commit").await {
            Ok(()) => {
                self.step = Step::Closed;
                self.tell(Ok(()));
                Ok(())
            }
            Err(error) => {
                self.tell(Err(error.into()));
                self.roll_back().await
            }
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(done) = self.done.take() {
            done.send_replace(Some(outcome));
        }
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql).execute(&mut *self.connection).await.map(drop)
    }
}

fn is_no_savepoint(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.message().starts_with("no such savepoint"))
}

/// A unit's turn with the writer. What it did is undone unless it is committed.
#[derive(Debug)]
pub(super) struct Turn {
    open: OwnedMappedMutexGuard<Option<Open>, Open>,
    writer: Writer,
    /// What goes along with the next errand; with the first one, what begins the unit.
    put_off: Errand,
    /// Whether all that the engine was sent to do is done. Nothing is added to a unit of which something failed, as
    /// that may be what was to begin it.
    is_whole: bool,
}

impl Turn {
    /// Begins the unit, in the transaction that is open or in one of its own.
    ///
    /// IMMEDIATE takes the write lock now: a transaction that reads first and writes later can't be refused half-way
    /// because another process wrote in between.
    async fn begin(&mut self) -> Result<(), sqlx::Error> {
        self.open.undo().await?;
        self.put_off.add(if self.open.done.is_some() { "savepoint unit" } else { "begin immediate" });
        Ok(())
    }

    /// What was put off, to be sent with what is added to it.
    pub(super) fn errand(&mut self) -> Result<Errand, sqlx::Error> {
        if !mem::replace(&mut self.is_whole, false) {
            return Err(sqlx::Error::Protocol("something of this unit of work failed before".into()));
        }
        Ok(mem::take(&mut self.put_off))
    }

    /// Leaves an errand until there is another one.
    pub(super) fn put_off(&mut self, errand: Errand) {
        self.put_off = errand;
        self.is_whole = true;
    }

    /// The engine, to be sent on an errand.
    pub(super) fn at_work(&mut self) -> &mut SqliteConnection {
        self.open.step = Step::Unit;
        &mut self.open.connection
    }

    /// The errand is done.
    pub(super) fn done(&mut self) {
        self.is_whole = true;
    }

    /// The engine, which has done all that was put off.
    pub(super) async fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        let errand = self.errand()?;
        if errand.len() > 0 {
            errand.execute(self.at_work()).await?;
        }
        self.done();
        Ok(self.at_work())
    }

    /// Makes it last, and returns when the disk has it, with what is asked before another unit has its turn.
    pub(super) async fn commit<T>(mut self, ask: impl FnOnce() -> T) -> Result<T, StoreError> {
        let is_first = self.open.done.is_none();
        let is_alone = is_first && self.writer.waiting.load(Ordering::Relaxed) == 0;
        let mut errand = self.errand()?;
        if is_alone {
            errand.add("commit");
        } else if !is_first {
            errand.add("release unit");
        }
        if errand.len() > 0 {
            errand.execute(self.at_work()).await?;
        }
        let asked = ask();
        let open = &mut *self.open;
        if is_alone {
            open.step = Step::Closed;
            return Ok(asked);
        }
        let mut outcome = open.done.get_or_insert_with(|| watch::Sender::new(None)).subscribe();
        open.step = Step::Done;
        let writer = self.writer.clone();
        // It is nobody's alone any more: whoever gives up waiting leaves the others theirs.
        if is_first {
            tokio::spawn(async move { writer.end().await });
        }
        drop(self);
        let outcome =
            outcome.wait_for(Option::is_some).await.map_err(|_| sqlx::Error::WorkerCrashed)?.clone();
        let outcome = outcome.unwrap_or_else(|| Err(Arc::new(sqlx::Error::WorkerCrashed)));
        outcome.map(|()| asked).map_err(StoreError::Shared)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Where others are done in it, its end is under way.
        if self.open.step == Step::Unit
            && self.open.done.is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            let writer = self.writer.clone();
            runtime.spawn(async move { writer.end().await });
        }
    }
}

/// One who waits, for as long as it does.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};

    use futures_util::{FutureExt, future::join};
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
    use tempfile::TempDir;

    use super::*;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Turn, StoreError>> + 'a>>;

    /// A database with rows that may refer to others, looked at when they are committed.
    struct Rows {
        writer: Writer,
        /// Another process.
        other: SqlitePool,
        _folder: TempDir,
    }

    impl Rows {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let options = SqliteConnectOptions::new()
                .filename(folder.path().join("rows.db"))
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .foreign_keys(true)
                .busy_timeout(std::time::Duration::ZERO);
            let pool = || SqlitePoolOptions::new().max_connections(1);
            let other = pool().connect_with(options.clone()).await.unwrap();
            sqlx::query(
                "create table rows (id integer primary key,
                                    of integer references rows (id) deferrable initially deferred,
                                    filling blob)",
            )
            .execute(&other)
            .await
            .unwrap();
            let writer = Writer::new(pool().connect_with(options).await.unwrap());
            Self { writer, other, _folder: folder }
        }

        /// A unit that has inserted the row 1, and another that waits for the writer.
        async fn one_at_work_and_one_waiting(&self) -> (Turn, Waiting<'_>) {
            let mut first = self.writer.begin().await.unwrap();
            insert(&mut first, 1, None).await;
            let mut second = Box::pin(self.writer.begin());
            assert!(second.as_mut().now_or_never().is_none());
            (first, second)
        }

        /// The same, and a third one that waits after it.
        async fn one_at_work_and_two_waiting(&self) -> (Turn, Waiting<'_>, Waiting<'_>) {
            let (first, second) = self.one_at_work_and_one_waiting().await;
            let mut third = Box::pin(self.writer.begin());
            assert!(third.as_mut().now_or_never().is_none());
            (first, second, third)
        }

        /// What others see.
        async fn ids(&self) -> Vec<i64> {
            sqlx::query_scalar("select id from rows order by id").fetch_all(&self.other).await.unwrap()
        }
    }

    /// Leaves the insertion of a row until something else is sent.
    fn insert_later(turn: &mut Turn, id: i64, of: Option<i64>) {
        let mut errand = turn.errand().unwrap();
        errand.add("insert into rows (id, of) values ($1, $2)");
        turn.put_off(errand.bind(id).unwrap().bind(of).unwrap());
    }

    async fn insert(turn: &mut Turn, id: i64, of: Option<i64>) {
        let insert = sqlx::query("insert into rows (id, of) values ($1, $2)").bind(id).bind(of);
        insert.execute(turn.connection().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn a_unit_alone_is_committed_by_itself() {
        let rows = Rows::new().await;
        for id in [1, 2] {
            let mut turn = rows.writer.begin().await.unwrap();
            insert(&mut turn, id, None).await;
            turn.commit(|| ()).await.unwrap();
            assert_eq!(rows.ids().await.last(), Some(&id));
        }
    }

    #[tokio::test]
    async fn what_is_put_off_is_done_with_the_commit_or_not_at_all() {
        let rows = Rows::new().await;
        for (ids, is_committed) in [([1, 2], true), ([3, 4], false), ([5, 6], true)] {
            let mut turn = rows.writer.begin().await.unwrap();
            for id in ids {
                insert_later(&mut turn, id, None);
            }
            if is_committed {
                turn.commit(|| ()).await.unwrap();
            }
        }
        assert_eq!(rows.ids().await, [1, 2, 5, 6]);
        // Nothing to do is nothing that fails.
        rows.writer.begin().await.unwrap().commit(|| ()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_put_off_in_a_shared_transaction_is_its_unit_s() {
        let rows = Rows::new().await;
        let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
        insert_later(&mut first, 2, None);
        let told = tokio::spawn(first.commit(|| ()));
        let mut second = second.await.unwrap();
        insert_later(&mut second, 3, None);
        // The first row is there already: this unit fails at its end, and alone.
        insert_later(&mut second, 1, None);
        assert!(matches!(second.commit(|| ()).await, Err(StoreError::Conflict)));
        let mut third = third.await.unwrap();
        insert_later(&mut third, 4, None);
        third.commit(|| ()).await.unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 2, 4]);
    }

    #[tokio::test]
    async fn nothing_is_added_to_a_unit_of_which_something_failed() {
        let rows = Rows::new().await;
        let mut turn = rows.writer.begin().await.unwrap();
        insert_later(&mut turn, 1, None);
        insert_later(&mut turn, 1, None);
        turn.connection().await.unwrap_err();
        assert!(turn.errand().is_err() && turn.connection().await.is_err());
        turn.commit(|| ()).await.unwrap_err();
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 2, None).await;
        turn.commit(|| ()).await.unwrap();
        assert_eq!(rows.ids().await, [2]);
    }

    #[tokio::test]
    async fn a_unit_that_another_process_keeps_from_beginning_does_nothing() {
        let rows = Rows::new().await;
        let mut other = rows.other.acquire().await.unwrap();
        sqlx::raw_sql("begin immediate").execute(&mut *other).await.unwrap();
        let mut turn = rows.writer.begin().await.unwrap();
        insert_later(&mut turn, 1, None);
        turn.connection().await.unwrap_err();
        sqlx::raw_sql("rollback").execute(&mut *other).await.unwrap();
        drop(other);
        assert!(turn.errand().is_err(), "it would be outside of any transaction");
        drop(turn);
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 2, None).await;
        turn.commit(|| ()).await.unwrap();
        assert_eq!(rows.ids().await, [2]);
    }

    #[tokio::test]
    async fn nobody_is_told_before_all_that_wait_are_done_and_on_the_disk() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let mut told = pin!(first.commit(|| ()));
        assert!(told.as_mut().now_or_never().is_none());
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        assert!(told.as_mut().now_or_never().is_none(), "the second one is at work");
        assert!(rows.ids().await.is_empty());
        let (first, second) = join(told, second.commit(|| ())).await;
        first.and(second).unwrap();
        assert_eq!(rows.ids().await, [1, 2]);
    }

    #[tokio::test]
    async fn who_gives_up_in_a_shared_transaction_takes_nothing_of_the_others_along() {
        let rows = Rows::new().await;
        let (first, second, third) = rows.one_at_work_and_two_waiting().await;
        let told = tokio::spawn(first.commit(|| ()));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        drop(second);
        let mut third = third.await.unwrap();
        insert(&mut third, 3, None).await;
        third.commit(|| ()).await.unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 3]);
    }

    #[tokio::test]
    async fn who_goes_away_when_all_of_it_is_done_takes_nothing_of_the_others_along() {
        let rows = Rows::new().await;
        let (first, second, third) = rows.one_at_work_and_two_waiting().await;
        let told = tokio::spawn(first.commit(|| ()));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        // The engine has ended the unit, and its answer finds nobody.
        sqlx::raw_sql("release unit").execute(second.at_work()).await.unwrap();
        drop(second);
        let mut third = third.await.unwrap();
        insert(&mut third, 3, None).await;
        third.commit(|| ()).await.unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn whoever_comes_after_the_engine_gave_up_the_transaction_begins_anew() {
        let rows = Rows::new().await;
        let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
        // No page more than there are: what needs one is the end of all that was not committed.
        let full = "pragma max_page_count = 1";
        sqlx::raw_sql(full).execute(first.connection().await.unwrap()).await.unwrap();
        let told = tokio::spawn(first.commit(|| ()));
        let mut second = second.await.unwrap();
        let large = "insert into rows (id, filling) values (2, zeroblob(100000))";
        sqlx::raw_sql(large).execute(second.connection().await.unwrap()).await.unwrap_err();
        drop(second);
        let mut third = third.await.unwrap();
        insert(&mut third, 3, None).await;
        third.commit(|| ()).await.unwrap();
        assert!(matches!(told.await.unwrap(), Err(StoreError::Shared(_))));
        assert_eq!(rows.ids().await, [3]);
    }

    #[tokio::test]
    async fn the_last_one_that_gives_up_leaves_what_the_others_did() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let told = tokio::spawn(first.commit(|| ()));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        drop(second);
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1]);
    }

    #[tokio::test]
    async fn a_unit_that_was_given_up_keeps_no_other_process_from_writing() {
        let rows = Rows::new().await;
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 1, None).await;
        drop(turn);
        // Whoever is next in the line comes after the end of what was given up.
        rows.writer.end().await;
        sqlx::query("insert into rows (id) values (2)").execute(&rows.other).await.unwrap();
        assert_eq!(rows.ids().await, [2]);
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 3, None).await;
        turn.commit(|| ()).await.unwrap();
        assert_eq!(rows.ids().await, [2, 3]);
    }

    #[tokio::test]
    async fn all_that_share_a_commit_are_told_that_it_failed_and_the_next_one_begins_anew() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let told = tokio::spawn(first.commit(|| ()));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, Some(404)).await;
        let failed = [second.commit(|| ()).await, told.await.unwrap()];
        assert!(failed.iter().all(|told| matches!(told, Err(StoreError::Shared(_)))), "{failed:?}");
        assert!(rows.ids().await.is_empty());
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 3, None).await;
        turn.commit(|| ()).await.unwrap();
        assert_eq!(rows.ids().await, [3]);
    }

    #[tokio::test]
    async fn who_does_not_wait_for_the_commit_leaves_the_others_theirs() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        assert!(first.commit(|| ()).now_or_never().is_none());
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        second.commit(|| ()).await.unwrap();
        assert_eq!(rows.ids().await, [1, 2]);
    }

    #[tokio::test]
    async fn closing_ends_what_is_done() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        assert!(first.commit(|| ()).now_or_never().is_none());
        drop(second.await.unwrap());
        rows.writer.close().await;
        assert_eq!(rows.ids().await, [1]);
        assert!(matches!(rows.writer.begin().await, Err(StoreError::Engine(sqlx::Error::PoolClosed))));
    }
}
