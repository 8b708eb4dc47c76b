//! What the embedded engine is sent to do at once.
//!
//! It works on a thread of its own, and the way there and back takes longer than most statements do. So a statement of
//! which nobody asks what came of it is put off: it goes along with the next one that somebody waits for, with the commit,
//! or with the beginning of the next unit.

use std::{fmt::Write, pin::pin};

use futures_util::{FutureExt, TryStream, TryStreamExt};
use sqlx::{
    Arguments, AssertSqlSafe, Encode, Executor, SqlSafeStr, Sqlite, SqliteConnection, Type,
    sqlite::{SqliteArguments, SqliteRow},
};
use tokio::task::yield_now;

/// How often whoever is told of one statement lets others run and looks for the next one before it sleeps: most statements
/// are done in less time than it takes the engine's thread to wake somebody.
const LOOKS: u32 = 16;

/// Statements in the order in which they are done, up to the first one that fails.
#[derive(Debug, Default, Clone)]
pub(super) struct Errand {
    sql: String,
    statements: usize,
    arguments: SqliteArguments,
    others: Others,
}

/// How much of it is somebody else's, and comes first.
#[derive(Debug, Default, Clone, Copy)]
struct Others {
    statements: usize,
    /// Where what comes after it begins in the text.
    until: usize,
}

/// What rows are wanted of the last statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    First,
    All,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// How many rows the last statement changed.
    pub(super) changed: u64,
    /// The rows that were found.
    pub(super) rows: Vec<SqliteRow>,
}

/// A statement failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// How many were done before it, where any of them are somebody else's.
    pub(super) after: usize,
    pub(super) error: sqlx::Error,
}

impl From<Failed> for sqlx::Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl Errand {
    /// What is there is somebody else's, and this begins what comes after it.
    pub(super) fn after(mut self, begin: &'static str) -> Self {
        let statements = self.statements;
        self.add(begin);
        self.others = Others { statements, until: self.sql.len() };
        self
    }

    /// The same without what is somebody else's, begun in this way.
    pub(super) fn alone(mut self, begin: &str) -> Self {
        // What its values are called stays the same.
        self.sql.replace_range(..self.others.until, begin);
        self.statements -= self.others.statements;
        self.others = Others::default();
        self
    }

    /// How many of its statements are somebody else's.
    pub(super) fn others(&self) -> usize {
        self.others.statements
    }

    /// How many statements it has, without those of somebody else.
    pub(super) fn len(&self) -> usize {
        self.statements - self.others.statements
    }

    /// Adds a statement; its values come next.
    pub(super) fn add(&mut self, sql: impl SqlSafeStr) {
        if self.statements > 0 {
            self.sql.push_str("; ");
        }
        self.statements += 1;
        // All of them have their values in one list: what this one calls $1 comes after those that are there.
        let taken = self.arguments.len();
        let sql = sql.into_sql_str();
        let mut parts = sql.as_str().split('$');
        self.sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let digits = part.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(part.len());
            let (number, rest) = part.split_at(digits);
            // Writing to a text does not fail.
            let _ = match number.parse::<usize>() {
                Ok(number) => write!(self.sql, "${}{rest}", taken + number),
                Err(_) => write!(self.sql, "${part}"),
            };
        }
    }

    /// Adds a value of the statement that was added last.
    pub(super) fn bind<'v, V: Encode<'v, Sqlite> + Type<Sqlite>>(
        mut self,
        value: V,
    ) -> Result<Self, sqlx::Error> {
        self.arguments.add(value).map_err(sqlx::Error::Encode)?;
        Ok(self)
    }

    /// Sends the engine on it.
    pub(super) async fn run(
        self,
        connection: &mut SqliteConnection,
        wanted: Wanted,
    ) -> Result<Answer, Failed> {
        let others = self.others();
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments);
        if wanted == Wanted::First && others == 0 {
            // The engine looks for no other row.
            let found = connection.fetch_optional(query).await;
            let rows = found.map_err(|error| Failed { after: 0, error })?.into_iter().collect();
            return Ok(Answer { rows, ..Answer::default() });
        }
        let mut outcomes = pin!(connection.fetch_many(query));
        let (mut after, mut answer) = (0, Answer::default());
        loop {
            // To the end: with an error after a row the engine may have given up the transaction.
            match next(&mut outcomes, after).await {
                Ok(Some(outcome)) => {
                    if let Some(done) = outcome.as_ref().left() {
                        answer.changed = done.rows_affected();
                        after += 1;
                    }
                    if let Some(row) = outcome.right()
                        && (wanted == Wanted::All || answer.rows.is_empty())
                    {
                        answer.rows.push(row);
                    }
                }
                Ok(None) => return Ok(answer),
                Err(error) => return Err(Failed { after, error }),
            }
        }
    }
}

/// What the engine tells next, where it has told of so many statements.
async fn next<S>(outcomes: &mut S, after: usize) -> Result<Option<S::Ok>, S::Error>
where
    S: TryStream + Unpin,
{
    let looks = if after > 0 { LOOKS } else { 0 };
    for _ in 0..looks {
        if let Some(outcome) = outcomes.try_next().now_or_never() {
            return outcome;
        }
        yield_now().await;
    }
    outcomes.try_next().await
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, FromRow};

    use super::*;

    const INSERT: &str = "insert into words (id, word) values ($1, $2)";

    async fn words() -> SqliteConnection {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        connection.execute("create table words (id integer primary key, word text)").await.unwrap();
        connection
    }

    impl Errand {
        fn and(mut self, sql: &'static str) -> Self {
            self.add(sql);
            self
        }

        fn insert(self, id: i64, word: &str) -> Self {
            self.and(INSERT).bind(id).unwrap().bind(word).unwrap()
        }
    }

    async fn all(connection: &mut SqliteConnection) -> Vec<(i64, String)> {
        let errand = Errand::default().and("select id, word from words order by id");
        let found = errand.run(connection, Wanted::All).await.unwrap();
        found.rows.iter().map(|row| <(i64, String)>::from_row(row).unwrap()).collect()
    }

    #[tokio::test]
    async fn every_statement_has_its_own_values() {
        let mut connection = words().await;
        // Again, too, when the engine knows the statements already.
        for start in [1, 4] {
            let errand = Errand::default().insert(start, "one");
            let errand = errand.and("update words set word = $2 || '-' || $2 || '$' where id = $1");
            let errand = errand.bind(start).unwrap().bind("x").unwrap().insert(start + 1, "two");
            let errand = errand.and("select word from words where id = $1").bind(start).unwrap();
            assert_eq!(errand.len(), 4);
            let found = errand.run(&mut connection, Wanted::First).await.unwrap();
            assert_eq!(<(String,)>::from_row(&found.rows[0]).unwrap().0, "x-x$");
        }
        let [x, two] = ["x-x$", "two"].map(str::to_owned);
        assert_eq!(all(&mut connection).await, [(1, x.clone()), (2, two.clone()), (4, x), (5, two)]);
    }

    #[tokio::test]
    async fn what_changed_is_what_the_last_statement_changed() {
        let mut connection = words().await;
        let errand = Errand::default().insert(1, "one").insert(2, "two");
        let errand = errand.and("delete from words where id = $1").bind(404).unwrap();
        assert_eq!(errand.run(&mut connection, Wanted::All).await.unwrap().changed, 0);
        let errand = Errand::default().insert(3, "three").and("delete from words");
        assert_eq!(errand.run(&mut connection, Wanted::All).await.unwrap().changed, 3);
    }

    #[tokio::test]
    async fn nothing_is_done_after_a_statement_that_fails() {
        let mut connection = words().await;
        let errand = Errand::default().insert(1, "one").insert(1, "again").insert(2, "two");
        let failed = errand.run(&mut connection, Wanted::All).await.unwrap_err();
        assert_eq!(failed.after, 1);
        assert_eq!(all(&mut connection).await, [(1, "one".to_owned())]);
    }

    #[tokio::test]
    async fn of_several_rows_the_first_one_is_found() {
        let mut connection = words().await;
        Errand::default().insert(1, "one").insert(2, "two").run(&mut connection, Wanted::All).await.unwrap();
        let select = "select id from words order by id";
        for errand in
            [Errand::default().and(select), Errand::default().insert(3, "x").after("begin").and(select)]
        {
            let found = errand.run(&mut connection, Wanted::First).await.unwrap();
            assert_eq!(
                found.rows.iter().map(|row| <(i64,)>::from_row(row).unwrap().0).collect::<Vec<_>>(),
                [1]
            );
        }
    }

    #[tokio::test]
    async fn without_what_is_somebody_else_s_it_is_the_same() {
        let mut connection = words().await;
        let errand = Errand::default().insert(1, "one").after("savepoint unit").insert(2, "two");
        let errand =
            errand.and("update words set word = $2 where id = $1").bind(2).unwrap().bind("x").unwrap();
        assert_eq!((errand.others(), errand.len()), (1, 3));
        let alone = errand.clone().alone("begin");
        assert_eq!((alone.others(), alone.len()), (0, 3));
        alone.run(&mut connection, Wanted::All).await.unwrap();
        assert_eq!(all(&mut connection).await, [(2, "x".to_owned())]);
        connection.execute("rollback").await.unwrap();
        errand.run(&mut connection, Wanted::All).await.unwrap();
        assert_eq!(all(&mut connection).await, [(1, "one".to_owned()), (2, "x".to_owned())]);
    }
}
