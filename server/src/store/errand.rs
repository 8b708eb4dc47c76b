//! What the embedded engine is sent to do at once.
//!
//! It works on a thread of its own, and the way there and back takes longer than most statements do. So a statement of
//! which nobody asks what came of it is put off: it goes along with the next one that somebody waits for, or with the
//! commit.

use std::fmt::Write;

use futures_util::TryStreamExt;
use sqlx::{
    Arguments, AssertSqlSafe, Encode, Executor, FromRow, SqlSafeStr, Sqlite, SqliteConnection, Type,
    sqlite::{SqliteArguments, SqliteRow},
};

/// Statements in the order in which they are done, up to the first one that fails.
#[derive(Debug, Default)]
pub(super) struct Errand {
    sql: String,
    statements: usize,
    arguments: SqliteArguments,
}

impl Errand {
    /// How many statements it has.
    pub(super) fn len(&self) -> usize {
        self.statements
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

    /// How many rows its last statement changed.
    pub(super) async fn execute(self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        let mut outcomes = connection.fetch_many(sqlx::query_with(AssertSqlSafe(self.sql), self.arguments));
        let mut changed = 0;
        while let Some(outcome) = outcomes.try_next().await? {
            if let Some(done) = outcome.left() {
                changed = done.rows_affected();
            }
        }
        Ok(changed)
    }

    /// The first row that it finds, if there is any.
    pub(super) async fn fetch_optional<R: for<'r> FromRow<'r, SqliteRow>>(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<R>, sqlx::Error> {
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments);
        connection.fetch_optional(query).await?.map(|row| R::from_row(&row)).transpose()
    }

    /// All rows that it finds.
    pub(super) async fn fetch_all<R: for<'r> FromRow<'r, SqliteRow>>(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<R>, sqlx::Error> {
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments);
        connection.fetch_all(query).await?.iter().map(R::from_row).collect()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

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
        errand.fetch_all(connection).await.unwrap()
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
            let found: Option<(String,)> = errand.fetch_optional(&mut connection).await.unwrap();
            assert_eq!(found.unwrap().0, "x-x$");
        }
        let [x, two] = ["x-x$", "two"].map(str::to_owned);
        assert_eq!(all(&mut connection).await, [(1, x.clone()), (2, two.clone()), (4, x), (5, two)]);
    }

    #[tokio::test]
    async fn what_changed_is_what_the_last_statement_changed() {
        let mut connection = words().await;
        let errand = Errand::default().insert(1, "one").insert(2, "two");
        let errand = errand.and("delete from words where id = $1").bind(404).unwrap();
        assert_eq!(errand.execute(&mut connection).await.unwrap(), 0);
        let errand = Errand::default().insert(3, "three").and("delete from words");
        assert_eq!(errand.execute(&mut connection).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn nothing_is_done_after_a_statement_that_fails() {
        let mut connection = words().await;
        let errand = Errand::default().insert(1, "one").insert(1, "again").insert(2, "two");
        errand.execute(&mut connection).await.unwrap_err();
        assert_eq!(all(&mut connection).await, [(1, "one".to_owned())]);
    }
}
