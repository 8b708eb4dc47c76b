//! The issues, in a SQLite file.

use std::path::Path;

use serde::Serialize;
use sqlx::{
    FromRow, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};

use crate::tracker::issues::Status;

/// An issue, as the API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Issue {
    pub(super) id: String,
    title: String,
    project: Project,
    /// The path of the page that it happens on.
    page: String,
    status: Status,
    /// How often it happened.
    count: u32,
    /// When it happened last: seconds since the Unix epoch.
    last_seen: i64,
    /// The id of the person who resolved it.
    resolved_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Project {
    slug: String,
    name: String,
}

/// Which issues are wanted.
#[derive(Debug, Default)]
pub(super) struct Wanted<'a> {
    pub(super) project: Option<&'a str>,
    pub(super) page: Option<&'a str>,
    pub(super) query: Option<&'a str>,
    pub(super) is_resolved: Option<bool>,
    /// Those that come after this one in the list.
    pub(super) before: Option<i64>,
    pub(super) limit: u32,
}

#[derive(Debug, FromRow)]
struct Row {
    id: i64,
    title: String,
    project: String,
    project_name: String,
    page: String,
    count: u32,
    last_seen: i64,
    resolved_by: Option<String>,
}

impl From<Row> for Issue {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.to_string(),
            title: row.title,
            project: Project { slug: row.project, name: row.project_name },
            page: row.page,
            status: if row.resolved_by.is_some() { Status::Resolved } else { Status::Unresolved },
            count: row.count,
            last_seen: row.last_seen,
            resolved_by: row.resolved_by,
        }
    }
}

/// The open file.
#[derive(Debug)]
pub(super) struct Store(SqlitePool);

const SCHEMA: &str = "create table if not exists issues (
    id integer primary key,
    organization text not null,
    project text not null,
    project_name text not null,
    page text not null,
    title text not null,
    count integer not null,
    last_seen integer not null,
    resolved_by text,
    resolved_at integer
) strict";

impl Store {
    /// Opens the file; a new one gets the issues of the demo.
    pub(super) async fn open(path: &Path) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        sqlx::query(SCHEMA).execute(&pool).await?;
        let mut transaction = pool.begin().await?;
        let (count,): (i64,) =
            sqlx::query_as("select count(*) from issues").fetch_one(&mut *transaction).await?;
        if count == 0 {
            for (organization, project, project_name, page, title, count, last_seen) in DEMO {
                sqlx::query(
                    "insert into issues (organization, project, project_name, page, title, count, last_seen)
                     values ($1, $2, $3, $4, $5, $6, $7)",
                )
                .bind(organization)
                .bind(project)
                .bind(project_name)
                .bind(page)
                .bind(title)
                .bind(count)
                .bind(last_seen)
                .execute(&mut *transaction)
                .await?;
            }
        }
        transaction.commit().await?;
        Ok(Self(pool))
    }

    /// The issues of an organization that are wanted, the latest first, and one more where there are more.
    pub(super) async fn list(
        &self,
        organization: &str,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Issue>, sqlx::Error> {
        const LIST: &str = "select id, title, project, project_name, page, count, last_seen, resolved_by
                            from issues
                            where organization = $1
                              and ($2 is null or project = $2)
                              and ($3 is null or page = $3)
                              and ($4 is null or title like $4 escape '\\')
                              and ($5 is null or (resolved_by is not null) = $5)
                              and ($6 is null or id < $6)
                            order by id desc
                            limit $7";
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(organization)
            .bind(wanted.project)
            .bind(wanted.page)
            .bind(wanted.query.map(containing))
            .bind(wanted.is_resolved)
            .bind(wanted.before)
            .bind(i64::from(wanted.limit) + 1)
            .fetch_all(&self.0)
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One issue of an organization.
    pub(super) async fn find(&self, organization: &str, id: i64) -> Result<Option<Issue>, sqlx::Error> {
        const FIND: &str = "select id, title, project, project_name, page, count, last_seen, resolved_by
                            from issues where organization = $1 and id = $2";
        let row: Option<Row> =
            sqlx::query_as(FIND).bind(organization).bind(id).fetch_optional(&self.0).await?;
        Ok(row.map(Into::into))
    }

    /// Says by whom and when an issue was resolved, or that it is not.
    pub(super) async fn resolve(
        &self,
        organization: &str,
        id: i64,
        resolved: Option<(&str, i64)>,
    ) -> Result<Option<Issue>, sqlx::Error> {
        const RESOLVE: &str = "update issues set resolved_by = $3, resolved_at = $4
                               where organization = $1 and id = $2
                               returning id, title, project, project_name, page, count, last_seen, resolved_by";
        let row: Option<Row> = sqlx::query_as(RESOLVE)
            .bind(organization)
            .bind(id)
            .bind(resolved.map(|(by, _)| by))
            .bind(resolved.map(|(_, at)| at))
            .fetch_optional(&self.0)
            .await?;
        Ok(row.map(Into::into))
    }
}

/// The pattern of what contains this text, whatever signs are in it.
fn containing(text: &str) -> String {
    let mut pattern = String::from("%");
    for sign in text.chars() {
        if matches!(sign, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(sign);
    }
    pattern.push('%');
    pattern
}

/// Organization, project and its name, page, title, how often and when last.
type Demo = (&'static str, &'static str, &'static str, &'static str, &'static str, u32, i64);

const DEMO: [Demo; 11] = [
    (
        "acme",
        "billing",
        "Billing",
        "/",
        "Deadlock detected while booking invoice 2026-10431",
        3,
        1_795_412_120,
    ),
    (
        "acme",
        "mobile-app",
        "Mobile app",
        "/",
        "ANR: main thread blocked for 5 s in ImageCache",
        41,
        1_795_430_008,
    ),
    (
        "acme",
        "web-shop",
        "Web shop",
        "/",
        "Hydration failed: server and client disagree on the price",
        7,
        1_795_431_660,
    ),
    ("acme", "web-shop", "Web shop", "/", "100% of coupon codes rejected for guests", 19, 1_795_432_470),
    ("acme", "web-shop", "Web shop", "/", "TypeError: cart.total is undefined", 128, 1_795_433_301),
    (
        "acme",
        "web-shop",
        "Web shop",
        "/popup.html",
        "ChunkLoadError: loading chunk 42 failed",
        12,
        1_795_429_440,
    ),
    (
        "acme",
        "billing",
        "Billing",
        "/redirect.html",
        "Card declined without a reason for the customer",
        5,
        1_795_401_900,
    ),
    (
        "globex",
        "reactor",
        "Reactor control",
        "/",
        "Sensor 7 reports a temperature of 1e308 K",
        2,
        1_795_431_000,
    ),
    ("globex", "payroll", "Payroll", "/", "Overtime of 31 February counted twice", 1, 1_795_390_000),
    ("globex", "reactor", "Reactor control", "/", "Watchdog timeout in the coolant loop", 64, 1_795_433_000),
    ("globex", "reactor", "Reactor control", "/popup.html", "Control rods answer with 418", 1, 1_795_300_000),
];
