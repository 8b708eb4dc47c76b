//! Whoever goes away in the middle of something leaves nothing of it on a PostgreSQL server, and whoever waits there for
//! others keeps nobody from reading.

use std::time::Duration;

use latchkey_server::{audit::By, clock::Clock, store::StoreError};
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    nodes::two,
    support::{self, Database, MEMBER, NOW, Platform, Site},
};

/// How long any part of it may take: less than a server waits for a transaction of which nobody asks anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// Backends that wait for a lock.
const WAITING: &str = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
/// Transactions that are open, and of which nobody asks anything.
const LEFT_OPEN: &str = "select count(*) from pg_stat_activity
                         where datname = current_database() and state like 'idle in transaction%'";

/// Waits until a number at the server is what it is to become.
async fn until(platform: &Platform, sql: &str, is_there: impl Fn(i64) -> bool) {
    support::until(PATIENCE, sql, async || is_there(platform.count(sql).await)).await;
}

/// Somebody who begins to write, at this process.
fn writer(platform: &Platform) -> JoinHandle<Result<(), StoreError>> {
    let app = platform.app.clone();
    tokio::spawn(async move { app.store.write(By::server(NOW)).await.map(drop) })
}

/// Whoever read next on such a connection would read what was there when it began, for as long as others do: a token
/// that was revoked would be good.
#[tokio::test]
async fn what_was_begun_for_somebody_who_went_away_is_ended() {
    let Some((one, other)) = two().await else { return };
    let token = one.token(MEMBER).await;
    let alone = other.app.store.write_alone(By::server(NOW)).await.unwrap();
    let waiting: Vec<_> = (0..3).map(|_| writer(&one)).collect();
    until(&one, WAITING, |waiting| waiting == 3).await;
    for one in &waiting {
        one.abort();
    }
    drop(alone);
    until(&one, WAITING, |waiting| waiting == 0).await;
    until(&one, LEFT_OPEN, |open| open == 0).await;
    let site = Site::new(&one, &token).from(None);
    assert_eq!(site.get("/api/0/").await.status, 200);
    other.execute("update access_tokens set revoked_at = 1").await;
    one.hear().await;
    for _ in 0..8 {
        site.get("/api/0/").await.assert_api_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn whoever_reads_does_not_wait_for_those_who_wait_to_write() {
    let Some((one, other)) = two().await else { return };
    let token = one.token(MEMBER).await;
    let alone = other.app.store.write_alone(By::server(NOW)).await.unwrap();
    // More than there are connections.
    let writers: Vec<_> = (0..24).map(|_| writer(&one)).collect();
    until(&other, WAITING, |waiting| waiting >= 12).await;
    let site = Site::new(&one, &token).from(None);
    let answer = timeout(Duration::from_secs(1), site.get("/api/0/")).await;
    assert_eq!(answer.expect("nobody who reads waits for a writer").status, 200);
    drop(alone);
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn whoever_reads_does_not_wait_for_those_who_write() {
    let Some((one, _)) = two().await else { return };
    let mut units = vec![];
    // All connections are there.
    let mut reading = vec![];
    for _ in 0..4 {
        reading.push(one.app.store.read().await.unwrap());
    }
    for _ in 0..12 {
        units.push(one.write().await);
    }
    let writers: Vec<_> = (0..12).map(|_| writer(&one)).collect();
    reading.clear();
    for _ in 0..4 {
        // Whoever would take the last connections has had a turn.
        tokio::task::yield_now().await;
        let read = timeout(Duration::from_secs(3), one.app.store.read()).await;
        reading.push(read.expect("nobody who reads waits for a writer").unwrap());
    }
    assert!(writers.iter().all(|writer| !writer.is_finished()), "they wait for the twelve");
    drop(units);
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
}

/// The server says after a while that somebody else has the lock: by that a process knows that it is there, and waits on.
#[tokio::test]
async fn whoever_waits_for_one_who_takes_long_goes_on_waiting() {
    let Some((one, other)) = two().await else { return };
    let alone = other.app.store.write_alone(By::server(NOW)).await.unwrap();
    let writer = writer(&one);
    until(&other, WAITING, |waiting| waiting == 1).await;
    let first = other
        .count("select cast(pid as bigint) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
        .await;
    let waits = format!("{WAITING} and pid <> {first}");
    until(&other, &waits, |waiting| waiting == 1).await;
    drop(alone);
    writer.await.unwrap().unwrap();
}

/// Whoever waits for a row waits by itself, for as long as a statement may take.
#[tokio::test]
async fn whoever_waits_for_a_row_keeps_nobody_else_from_writing() {
    const LONG: Duration = Duration::from_secs(9);
    let Some((one, other)) = two().await else { return };
    let tokens = one.tokens(MEMBER).await;
    let Database::Postgres(pool) = &one.database else { panic!("it is no server") };
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select 1 from refresh_tokens for update").execute(&mut *held).await.unwrap();
    let refresh = tokio::spawn({
        let one = one.clone();
        async move { one.refresh(&tokens.refresh).await.status }
    });
    until(&other, WAITING, |waiting| waiting == 1).await;
    // Longer than it would take to do it again a few times.
    let since = Clock::System.elapsed();
    while Clock::System.elapsed() - since < LONG {
        let written = timeout(Duration::from_secs(1), other.app.store.write(By::server(NOW))).await;
        written.expect("nobody is in its way").unwrap();
    }
    held.rollback().await.unwrap();
    assert_eq!(refresh.await.unwrap(), 200);
}
