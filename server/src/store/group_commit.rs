//! Group commit for the one writer of an embedded database.
//!
//! What makes a commit slow is the disk, and it takes no longer for many units of work than for one. So a unit that ends
//! while others wait for the writer leaves its transaction open to them, and goes to the end of their line to commit it:
//! whoever stood before it shares the transaction, each in a savepoint of its own, and nobody is told of anything before
//! the disk has it. What it has still to do at its end goes along with the beginning of the next one, for the way to the
//! engine is long. Where nobody waits, a unit commits by itself, at once.

use std::{
    fmt, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::{
    runtime::Handle,
    sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard, oneshot, watch},
    time::timeout,
};

use super::{
    ACQUIRE_TIMEOUT, StoreError,
    errand::{Answer, Errand, Wanted},
};

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
    /// The end of the unit before, if there is anything to do there.
    left: Option<Left>,
}

/// What a unit left to whoever comes next to the engine.
struct Left {
    errand: Errand,
    /// Whether it is the first one in the transaction, without a savepoint of its own.
    is_first: bool,
    /// The answer to what it asks so far, and what it asks again when all of it is done.
    asked: bool,
    ask: Box<dyn Fn() -> bool + Send + Sync>,
    /// Tells it what came of it.
    told: oneshot::Sender<Result<bool, sqlx::Error>>,
}

impl Left {
    /// Tells the unit what came of its end.
    fn tell(self, ended: Result<(), sqlx::Error>) {
        let asked = self.asked || (self.ask)();
        // Whoever went away does not want to know.
        let _ = self.told.send(ended.map(|()| asked));
    }
}

impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Left").field("is_first", &self.is_first).finish_non_exhaustive()
    }
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
            let mut connection = self.pool.acquire().await?;
            // What a savepoint may undo goes to a file otherwise, as soon as it is more than a little.
            sqlx::raw_sql("pragma temp_store = memory").execute(&mut *connection).await?;
            *open = Some(Open { connection, step: Step::Closed, done: None, left: None });
        }
        let open = OwnedMutexGuard::try_map(open, Option::as_mut).map_err(|_| sqlx::Error::PoolClosed)?;
        let mut held = Held { open, writer: self.clone() };
        if held.open.step == Step::Unit {
            // What it asks the engine, it asks once.
            let (back, undone) = ToItsEnd::new(async move {
                let undone = held.open.undo().await;
                (held, undone)
            })
            .await;
            undone?;
            held = back;
        }
        let put_off = held.open.begin();
        Ok(Turn { held: Some(held), put_off, is_whole: true })
    }

    /// Ends the transaction, once everybody who waits now had a turn in it.
    async fn end(&self) {
        if let Some(open) = &mut *self.open.lock().await {
            open.end().await;
        }
    }

    pub(super) async fn close(&self) {
        let mut held = self.open.lock().await;
        if let Some(mut open) = held.take() {
            open.end().await;
        }
        // It is closed from here on: nobody who waits takes the connection again.
        let closed = self.pool.close();
        drop(held);
        closed.await;
    }
}

impl Open {
    /// What begins a unit, in the transaction that is open or in one of its own, after the end of the unit before.
    fn begin(&self) -> Errand {
        self.left.as_ref().map_or_else(Errand::default, |left| left.errand.clone()).after(self.beginning())
    }

    /// IMMEDIATE takes the write lock now: a transaction that reads first and writes later can't be refused half-way
    /// because another process wrote in between.
    fn beginning(&self) -> &'static str {
        if self.done.is_some() { "savepoint unit" } else { "begin immediate" }
    }

    /// Sends the engine on a unit's errand.
    async fn send(&mut self, errand: Errand, wanted: Wanted) -> Result<Answer, sqlx::Error> {
        self.step = Step::Unit;
        let Some(left) = self.left.take() else {
            return Ok(errand.run(&mut self.connection, wanted).await?);
        };
        match errand.clone().run(&mut self.connection, wanted).await {
            Err(failed) if failed.after < errand.others() => {
                // It was the end of the unit before, and of this one nothing is done.
                self.give_up(left, failed.error).await?;
                let errand = errand.alone(self.beginning());
                self.step = Step::Unit;
                Ok(errand.run(&mut self.connection, wanted).await?)
            }
            answered => {
                left.tell(Ok(()));
                Ok(answered?)
            }
        }
    }

    /// Undoes a unit whose end failed.
    async fn give_up(&mut self, left: Left, error: sqlx::Error) -> Result<(), sqlx::Error> {
        if left.is_first {
            self.done = None;
        }
        left.tell(Err(error));
        self.step = Step::Unit;
        self.undo().await
    }

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
        let committed = match self.left.take() {
            None => self.run("commit").await,
            Some(left) => {
                let errand = left.errand.clone().after("commit");
                match errand.run(&mut self.connection, Wanted::All).await {
                    Err(failed) if failed.after < left.errand.len() => {
                        self.give_up(left, failed.error).await?;
                        if self.step != Step::Done {
                            return Ok(());
                        }
                        self.run("commit").await
                    }
                    committed => {
                        left.tell(Ok(()));
                        committed.map(drop).map_err(sqlx::Error::from)
                    }
                }
            }
        };
        match committed {
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

/// Who has the writer.
#[derive(Debug)]
struct Held {
    open: OwnedMappedMutexGuard<Option<Open>, Open>,
    writer: Writer,
}

impl Drop for Held {
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

/// A unit's turn with the writer. What it did is undone unless it is committed.
#[derive(Debug)]
pub(super) struct Turn {
    /// There but while the engine is on an errand that is somebody else's, too, and afterwards where that was lost.
    held: Option<Held>,
    /// What goes along with the next errand; with the first one, what begins the unit.
    put_off: Errand,
    /// Whether all that the engine was sent to do is done. Nothing is added to a unit of which something failed, as
    /// that may be what was to begin it.
    is_whole: bool,
}

impl Turn {
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

    /// Sends the engine on an errand.
    pub(super) async fn run(&mut self, errand: Errand, wanted: Wanted) -> Result<Answer, sqlx::Error> {
        let answer = if self.open()?.left.is_none() {
            self.open()?.send(errand, wanted).await?
        } else {
            // The unit before is done with it.
            let mut held = self.held.take().ok_or(sqlx::Error::WorkerCrashed)?;
            let (held, answer) = ToItsEnd::new(async move {
                let answer = held.open.send(errand, wanted).await;
                (held, answer)
            })
            .await;
            self.held = Some(held);
            answer?
        };
        self.is_whole = true;
        Ok(answer)
    }

    /// The engine, which has done all that was put off.
    pub(super) async fn connection(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        let errand = self.errand()?;
        if errand.len() > 0 {
            self.run(errand, Wanted::All).await?;
        }
        self.is_whole = true;
        let open = self.open()?;
        open.step = Step::Unit;
        Ok(&mut open.connection)
    }

    fn open(&mut self) -> Result<&mut Open, sqlx::Error> {
        self.held.as_mut().map(|held| &mut *held.open).ok_or(sqlx::Error::WorkerCrashed)
    }

    /// Makes it last, and returns when the disk has it, with what is asked when all of the unit is done: `true` may also
    /// be the answer of the unit after it.
    pub(super) async fn commit(
        mut self,
        ask: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<bool, StoreError> {
        let mut errand = self.errand()?;
        if self.open()?.left.is_some() && errand.len() > 0 {
            // What becomes of the unit before says whether this is the first one.
            self.run(mem::take(&mut errand), Wanted::All).await?;
        }
        let writer = self.held.as_ref().ok_or(sqlx::Error::WorkerCrashed)?.writer.clone();
        let open = self.open()?;
        let (is_first, is_begun) = (open.done.is_none(), open.step == Step::Unit);
        if is_first && writer.waiting.load(Ordering::Relaxed) == 0 {
            errand.add("commit");
            self.run(errand, Wanted::All).await?;
            self.open()?.step = Step::Closed;
            return Ok(ask());
        }
        if !is_first {
            errand.add("release unit");
        }
        let (told, ended) = oneshot::channel();
        if errand.len() > 0 && is_begun {
            let (asked, ask) = (ask(), Box::new(ask));
            open.left = Some(Left { errand, is_first, asked, ask, told });
        } else {
            if errand.len() > 0 {
                self.run(errand, Wanted::All).await?;
            }
            // Whoever waits for it is here.
            let _ = told.send(Ok(ask()));
        }
        let open = self.open()?;
        let mut outcome = open.done.get_or_insert_with(|| watch::Sender::new(None)).subscribe();
        open.step = Step::Done;
        // It is nobody's alone any more: whoever gives up waiting leaves the others theirs.
        if is_first {
            tokio::spawn(async move { writer.end().await });
        }
        drop(self);
        // First what came of this unit's own end, and then of everybody's.
        let asked = ended.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
        let outcome =
            outcome.wait_for(Option::is_some).await.map_err(|_| sqlx::Error::WorkerCrashed)?.clone();
        let outcome = outcome.unwrap_or_else(|| Err(Arc::new(sqlx::Error::WorkerCrashed)));
        outcome.map(|()| asked).map_err(StoreError::Shared)
    }
}

/// What goes on to its end, in a task of its own, where whoever waits for it goes away.
struct ToItsEnd<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> ToItsEnd<F> {
    fn new(future: F) -> Self {
        Self(Some(Box::pin(future)))
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for ToItsEnd<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // It is not there while it is at work: what panics does not go on.
        let Some(mut future) = self.0.take() else { return Poll::Pending };
        let output = future.as_mut().poll(context);
        if output.is_pending() {
            self.0 = Some(future);
        }
        output
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for ToItsEnd<F> {
    fn drop(&mut self) {
        if let Some(future) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(future);
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
    use std::{pin::pin, sync::atomic::AtomicBool};

    use futures_util::{FutureExt, future::join};
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
    use tempfile::TempDir;
    use tokio::task::JoinHandle;

    use super::*;

    type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Turn, StoreError>> + 'a>>;

    /// A unit that waits until it is told.
    type Told = JoinHandle<Result<bool, StoreError>>;

    /// A database with rows that may refer to others, looked at when they are committed.
    struct Rows {
        writer: Writer,
        /// Another process.
        other: SqlitePool,
        /// Whoever holds it stops the engine at the next row that it writes.
        stop: Arc<std::sync::Mutex<()>>,
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
            let one = pool().connect_with(options).await.unwrap();
            let stop = Arc::<std::sync::Mutex<()>>::default();
            let stops = stop.clone();
            let mut connection = one.acquire().await.unwrap();
            connection.lock_handle().await.unwrap().set_update_hook(move |_| drop(stops.lock()));
            drop(connection);
            Self { writer: Writer::new(one), other, stop, _folder: folder }
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

        /// Two units that are done, of which the second left the insertion of the row 3, and a third one whose turn it is.
        async fn two_done_and_one_whose_turn_it_is(&self) -> (Told, Told, Turn) {
            let (first, second, third) = self.one_at_work_and_two_waiting().await;
            let first = tokio::spawn(first.commit(|| false));
            let mut second = second.await.unwrap();
            insert(&mut second, 2, None).await;
            insert_later(&mut second, 3, None);
            let second = tokio::spawn(second.commit(|| false));
            (first, second, third.await.unwrap())
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

    /// No page more than there are: what needs one is the end of all that was not committed.
    async fn leave_no_room(turn: &mut Turn) {
        let full = "pragma max_page_count = 1";
        sqlx::raw_sql(full).execute(turn.connection().await.unwrap()).await.unwrap();
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
            turn.commit(|| false).await.unwrap();
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
                turn.commit(|| false).await.unwrap();
            }
        }
        assert_eq!(rows.ids().await, [1, 2, 5, 6]);
        // Nothing to do is nothing that fails.
        rows.writer.begin().await.unwrap().commit(|| false).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_put_off_in_a_shared_transaction_is_its_unit_s() {
        let rows = Rows::new().await;
        let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
        insert_later(&mut first, 2, None);
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        insert_later(&mut second, 3, None);
        // The first row is there already: this unit fails at its end, and alone.
        insert_later(&mut second, 1, None);
        assert!(matches!(second.commit(|| false).await, Err(StoreError::Conflict)));
        let mut third = third.await.unwrap();
        insert_later(&mut third, 4, None);
        third.commit(|| false).await.unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 2, 4]);
    }

    #[tokio::test]
    async fn the_end_of_a_unit_that_fails_is_undone_by_whoever_comes_next_and_goes_on() {
        // The unit that fails at its end is the first one, or another; those after it do something first, or only at
        // their ends.
        for (fails_first, second_is_late, third_is_late) in [
            (true, false, false),
            (true, false, true),
            (true, true, false),
            (true, true, true),
            (false, false, false),
            (false, false, true),
        ] {
            let rows = Rows::new().await;
            let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
            if fails_first {
                insert_later(&mut first, 1, None);
            }
            let told = tokio::spawn(first.commit(|| false));
            let mut second = second.await.unwrap();
            if second_is_late {
                insert_later(&mut second, 2, None);
            } else {
                insert(&mut second, 2, None).await;
            }
            if !fails_first {
                insert_later(&mut second, 2, None);
            }
            let also_told = tokio::spawn(second.commit(|| false));
            let mut third = third.await.unwrap();
            if third_is_late {
                insert_later(&mut third, 3, None);
            } else {
                insert(&mut third, 3, None).await;
            }
            third.commit(|| false).await.unwrap();
            let (told, also_told) = (told.await.unwrap(), also_told.await.unwrap());
            let (failed, done) = if fails_first { (told, also_told) } else { (also_told, told) };
            assert!(matches!(failed, Err(StoreError::Conflict)), "{failed:?}");
            done.unwrap();
            assert_eq!(rows.ids().await, if fails_first { [2, 3] } else { [1, 3] });
        }
    }

    #[tokio::test]
    async fn the_end_of_a_unit_that_fails_after_all_others_takes_nothing_of_them_along() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        insert_later(&mut second, 2, None);
        assert!(matches!(second.commit(|| false).await, Err(StoreError::Conflict)));
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1]);
        // Nor does the first one leave anything, where nobody is at work after it.
        let mut first = rows.writer.begin().await.unwrap();
        insert(&mut first, 3, None).await;
        let mut second = Box::pin(rows.writer.begin());
        assert!(second.as_mut().now_or_never().is_none());
        insert_later(&mut first, 3, None);
        let told = tokio::spawn(first.commit(|| false));
        drop(second.await.unwrap());
        assert!(matches!(told.await.unwrap(), Err(StoreError::Conflict)));
        assert_eq!(rows.ids().await, [1]);
    }

    #[tokio::test]
    async fn whoever_fails_at_its_beginning_takes_nothing_of_the_unit_before_along() {
        let rows = Rows::new().await;
        let (told, also_told, mut third) = rows.two_done_and_one_whose_turn_it_is().await;
        insert_later(&mut third, 3, None);
        third.connection().await.unwrap_err();
        drop(third);
        told.await.unwrap().unwrap();
        also_told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn whoever_goes_away_at_its_own_end_takes_nothing_of_the_unit_before_along() {
        let rows = Rows::new().await;
        let (told, also_told, mut third) = rows.two_done_and_one_whose_turn_it_is().await;
        insert_later(&mut third, 4, None);
        let stopped = rows.stop.lock();
        assert!(third.commit(|| false).now_or_never().is_none());
        drop(stopped);
        told.await.unwrap().unwrap();
        also_told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn whoever_goes_away_while_it_begins_anew_keeps_no_other_process_from_writing() {
        let rows = Rows::new().await;
        let (mut first, second) = rows.one_at_work_and_one_waiting().await;
        insert_later(&mut first, 2, None);
        insert_later(&mut first, 1, None);
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        let stopped = rows.stop.lock();
        assert!(second.connection().now_or_never().is_none());
        drop(second);
        drop(stopped);
        assert!(matches!(told.await.unwrap(), Err(StoreError::Conflict)));
        rows.writer.end().await;
        sqlx::query("insert into rows (id) values (2)").execute(&rows.other).await.unwrap();
        assert_eq!(rows.ids().await, [2]);
    }

    #[tokio::test]
    async fn whoever_begins_anew_has_the_write_lock_from_then_on() {
        let rows = Rows::new().await;
        let (mut first, second) = rows.one_at_work_and_one_waiting().await;
        insert_later(&mut first, 1, None);
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        second.connection().await.unwrap();
        assert!(matches!(told.await.unwrap(), Err(StoreError::Conflict)));
        sqlx::query("insert into rows (id) values (2)").execute(&rows.other).await.unwrap_err();
        second.commit(|| false).await.unwrap();
        sqlx::query("insert into rows (id) values (2)").execute(&rows.other).await.unwrap();
    }

    /// What a unit left is the end of all that was not committed.
    #[tokio::test]
    async fn whoever_comes_after_an_end_with_which_the_engine_gave_up_begins_anew() {
        for is_followed in [false, true] {
            let rows = Rows::new().await;
            let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
            leave_no_room(&mut first).await;
            let told = tokio::spawn(first.commit(|| false));
            let mut second = second.await.unwrap();
            insert(&mut second, 2, None).await;
            let mut errand = second.errand().unwrap();
            errand.add("insert into rows (id, filling) values (3, zeroblob(100000))");
            second.put_off(errand);
            let also_told = tokio::spawn(second.commit(|| false));
            let mut third = third.await.unwrap();
            if is_followed {
                insert(&mut third, 4, None).await;
                third.commit(|| false).await.unwrap();
            } else {
                drop(third);
            }
            assert!(matches!(told.await.unwrap(), Err(StoreError::Shared(_))));
            assert!(matches!(also_told.await.unwrap(), Err(StoreError::Engine(_))));
            assert_eq!(rows.ids().await, if is_followed { vec![4] } else { vec![] });
        }
    }

    /// What it sent the engine on was the end of the unit before, too.
    #[tokio::test]
    async fn whoever_goes_away_at_its_beginning_takes_nothing_of_the_unit_before_along() {
        for is_sent in [false, true] {
            let rows = Rows::new().await;
            let (told, also_told, mut third) = rows.two_done_and_one_whose_turn_it_is().await;
            insert_later(&mut third, 4, None);
            let stopped = rows.stop.lock();
            if is_sent {
                assert!(third.connection().now_or_never().is_none());
            }
            drop(third);
            drop(stopped);
            told.await.unwrap().unwrap();
            also_told.await.unwrap().unwrap();
            assert_eq!(rows.ids().await, [1, 2, 3], "{is_sent}");
            let mut turn = rows.writer.begin().await.unwrap();
            insert(&mut turn, 5, None).await;
            turn.commit(|| false).await.unwrap();
            assert_eq!(rows.ids().await, [1, 2, 3, 5], "{is_sent}");
        }
    }

    #[tokio::test]
    async fn what_is_asked_is_asked_when_all_of_the_unit_is_done() {
        let rows = Rows::new().await;
        let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
        // It is so when the unit commits, or when what it left is done.
        let [so_before, so_after] = [true, false].map(|is_so| Arc::new(AtomicBool::new(is_so)));
        let (before, after) = (so_before.clone(), so_after.clone());
        insert_later(&mut first, 2, None);
        let told = tokio::spawn(first.commit(move || before.load(Ordering::Relaxed)));
        let mut second = second.await.unwrap();
        so_before.store(false, Ordering::Relaxed);
        insert(&mut second, 3, None).await;
        insert_later(&mut second, 4, None);
        let also_told = tokio::spawn(second.commit(move || after.load(Ordering::Relaxed)));
        let mut third = third.await.unwrap();
        so_after.store(true, Ordering::Relaxed);
        insert(&mut third, 5, None).await;
        assert!(!third.commit(|| false).await.unwrap());
        assert!(told.await.unwrap().unwrap() && also_told.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn nothing_is_added_to_a_unit_of_which_something_failed() {
        let rows = Rows::new().await;
        let mut turn = rows.writer.begin().await.unwrap();
        insert_later(&mut turn, 1, None);
        insert_later(&mut turn, 1, None);
        turn.connection().await.unwrap_err();
        assert!(turn.errand().is_err() && turn.connection().await.is_err());
        turn.commit(|| false).await.unwrap_err();
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 2, None).await;
        turn.commit(|| false).await.unwrap();
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
        turn.commit(|| false).await.unwrap();
        assert_eq!(rows.ids().await, [2]);
    }

    #[tokio::test]
    async fn nobody_is_told_before_all_that_wait_are_done_and_on_the_disk() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let mut told = pin!(first.commit(|| false));
        assert!(told.as_mut().now_or_never().is_none());
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        assert!(told.as_mut().now_or_never().is_none(), "the second one is at work");
        assert!(rows.ids().await.is_empty());
        let (first, second) = join(told, second.commit(|| false)).await;
        first.and(second).unwrap();
        assert_eq!(rows.ids().await, [1, 2]);
    }

    #[tokio::test]
    async fn who_gives_up_in_a_shared_transaction_takes_nothing_of_the_others_along() {
        let rows = Rows::new().await;
        let (first, second, third) = rows.one_at_work_and_two_waiting().await;
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        drop(second);
        let mut third = third.await.unwrap();
        insert(&mut third, 3, None).await;
        third.commit(|| false).await.unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 3]);
    }

    #[tokio::test]
    async fn who_goes_away_when_all_of_it_is_done_takes_nothing_of_the_others_along() {
        let rows = Rows::new().await;
        let (first, second, third) = rows.one_at_work_and_two_waiting().await;
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        // The engine has ended the unit, and its answer finds nobody.
        sqlx::raw_sql("release unit").execute(second.connection().await.unwrap()).await.unwrap();
        drop(second);
        let mut third = third.await.unwrap();
        insert(&mut third, 3, None).await;
        third.commit(|| false).await.unwrap();
        told.await.unwrap().unwrap();
        assert_eq!(rows.ids().await, [1, 2, 3]);
    }

    #[tokio::test]
    async fn whoever_comes_after_the_engine_gave_up_the_transaction_begins_anew() {
        let rows = Rows::new().await;
        let (mut first, second, third) = rows.one_at_work_and_two_waiting().await;
        leave_no_room(&mut first).await;
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        let large = "insert into rows (id, filling) values (2, zeroblob(100000))";
        sqlx::raw_sql(large).execute(second.connection().await.unwrap()).await.unwrap_err();
        drop(second);
        let mut third = third.await.unwrap();
        insert(&mut third, 3, None).await;
        third.commit(|| false).await.unwrap();
        assert!(matches!(told.await.unwrap(), Err(StoreError::Shared(_))));
        assert_eq!(rows.ids().await, [3]);
    }

    /// It is asked once whether the engine gave it up: that begins another one, which is not the same.
    #[tokio::test]
    async fn nor_does_it_matter_who_goes_away_before_that_is_known() {
        for polls in 1..8 {
            let rows = Rows::new().await;
            let (mut first, second, mut third) = rows.one_at_work_and_two_waiting().await;
            leave_no_room(&mut first).await;
            let told = tokio::spawn(first.commit(|| false));
            let mut second = second.await.unwrap();
            let large = "insert into rows (id, filling) values (2, zeroblob(100000))";
            sqlx::raw_sql(large).execute(second.connection().await.unwrap()).await.unwrap_err();
            drop(second);
            // It has the writer now, and goes away after so many answers of the engine.
            for _ in 0..polls {
                if third.as_mut().now_or_never().is_some() {
                    break;
                }
                assert!(rows.ids().await.is_empty());
            }
            drop(third);
            assert!(matches!(told.await.unwrap(), Err(StoreError::Shared(_))), "{polls}");
            let mut turn = rows.writer.begin().await.unwrap();
            insert(&mut turn, 4, None).await;
            turn.commit(|| false).await.unwrap();
            assert_eq!(rows.ids().await, [4], "{polls}");
        }
    }

    #[tokio::test]
    async fn the_last_one_that_gives_up_leaves_what_the_others_did() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let told = tokio::spawn(first.commit(|| false));
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
        turn.commit(|| false).await.unwrap();
        assert_eq!(rows.ids().await, [2, 3]);
    }

    #[tokio::test]
    async fn all_that_share_a_commit_are_told_that_it_failed_and_the_next_one_begins_anew() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        let told = tokio::spawn(first.commit(|| false));
        let mut second = second.await.unwrap();
        insert(&mut second, 2, Some(404)).await;
        let failed = [second.commit(|| false).await, told.await.unwrap()];
        assert!(failed.iter().all(|told| matches!(told, Err(StoreError::Shared(_)))), "{failed:?}");
        assert!(rows.ids().await.is_empty());
        let mut turn = rows.writer.begin().await.unwrap();
        insert(&mut turn, 3, None).await;
        turn.commit(|| false).await.unwrap();
        assert_eq!(rows.ids().await, [3]);
    }

    #[tokio::test]
    async fn who_does_not_wait_for_the_commit_leaves_the_others_theirs() {
        let rows = Rows::new().await;
        let (first, second) = rows.one_at_work_and_one_waiting().await;
        assert!(first.commit(|| false).now_or_never().is_none());
        let mut second = second.await.unwrap();
        insert(&mut second, 2, None).await;
        second.commit(|| false).await.unwrap();
        assert_eq!(rows.ids().await, [1, 2]);
    }

    #[tokio::test]
    async fn closing_ends_what_is_done() {
        let rows = Rows::new().await;
        let (mut first, second) = rows.one_at_work_and_one_waiting().await;
        insert_later(&mut first, 2, None);
        assert!(first.commit(|| false).now_or_never().is_none());
        drop(second.await.unwrap());
        rows.writer.close().await;
        assert_eq!(rows.ids().await, [1, 2]);
        assert!(matches!(rows.writer.begin().await, Err(StoreError::Engine(sqlx::Error::PoolClosed))));
    }
}
