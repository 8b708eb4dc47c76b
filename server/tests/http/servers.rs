//! What a PostgreSQL server may turn out to be, or do by itself, when a process connects to it again.

use std::time::Duration;

use crate::support::{self, MEMBER, OWNER, Person, Platform, Site, is_embedded};

/// How long any part of it may take, by far.
const PATIENCE: Duration = Duration::from_secs(30);

impl Platform {
    /// Ends every other connection to its database.
    async fn cut_all(&self) {
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid()";
        self.database.script(others).await;
    }

    /// Sets something for whoever connects to its database from now on.
    async fn set_from_now_on(&self, what: &str) {
        let alter =
            format!("do $do$ begin execute format('alter database %I {what}', current_database()); end $do$");
        self.database.script(&alter).await;
    }

    /// Lets the server answer something else, to whoever connects to its database from now on.
    async fn pretend(&self, function: &str, answer: &str) {
        self.database
            .script(&format!("create function public.{function} language sql as $$ select {answer} $$"))
            .await;
        self.set_from_now_on("set search_path = public, pg_catalog").await;
        self.cut_all().await;
    }
}

/// A token that was revoked would be good for as long as that server takes to tell of it.
#[tokio::test]
async fn one_that_tells_of_changes_late_is_asked_for_every_request() {
    if is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    platform.pretend("version() returns text", "text 'PostgreSQL 15.12-YB-2025.2.3.0-b0'").await;
    let source = platform.app.gate.source();
    for _ in 0..2 {
        assert!(source.catch_up().await.is_err(), "it is not listened to");
    }
    let site = Site::new(&platform, &token).from(None);
    assert_eq!(site.get("/api/0/").await.status, 200);
    platform.execute_unheard("update access_tokens set revoked_at = 1").await;
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");
}

/// What was the first may come back as the second, and does not know of what was revoked meanwhile.
#[tokio::test]
async fn one_that_follows_another_one_is_not_asked() {
    if is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    platform.pretend("pg_is_in_recovery() returns boolean", "true").await;
    platform.app.gate.source().distrust();
    let site = Site::new(&platform, &token).from(None);
    site.get("/api/0/").await.assert_api_error(503, "temporarily_unavailable");
    Person::new(&platform).get("/login/").await.assert_error_page(503, "The service cannot answer right now");
    platform.set_from_now_on("reset search_path").await;
    assert_eq!(site.get("/api/0/").await.status, 200);
}

/// Nobody is told of what happens to a connection that nobody uses.
#[tokio::test]
async fn one_that_ends_connections_which_are_idle_is_asked_on_another() {
    if is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    platform.set_from_now_on("set idle_session_timeout = 2000").await;
    platform.cut_all().await;
    let site = Site::new(&platform, &token).from(None);
    for _ in 0..2 {
        platform.app.gate.source().distrust();
        assert_eq!(site.get("/api/0/").await.status, 200);
        platform.write().await.commit().await.unwrap();
        // But for those who look.
        let left = "select count(*) from pg_stat_activity
                    where datname = current_database() and backend_type = 'client backend'
                      and query not like '%pg_stat_activity%'";
        support::until(PATIENCE, left, async || platform.count(left).await == 0).await;
    }
    Person::signed_in(&platform, OWNER).await;
}
