//! What has expired is deleted, and nothing that is still of use.

use latchkey_server::{
    config::Limits,
    retention::sweep,
    store::{gate_changes, grants},
};

use crate::support::{Asking, Form, Frame, MEMBER, Person, Platform, Site, is_embedded};

const DAY: i64 = 24 * 3600;

async fn rows(platform: &Platform) -> [i64; 6] {
    let mut rows = [0; 6];
    for (count, table) in rows.iter_mut().zip([
        "transactions",
        "authorization_codes",
        "access_tokens",
        "refresh_tokens",
        "grants",
        "sessions",
    ]) {
        *count = platform.count(&format!("select count(*) from {table}")).await;
    }
    rows
}

#[tokio::test]
async fn nothing_is_left_in_the_end_and_nothing_goes_too_early() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.ask(&Asking::code()).await;
    let unused = person.code(&Asking::code()).await;
    let fragment = person.token(&Asking::new()).await;
    let tokens = platform.tokens(MEMBER).await;
    platform.refreshed(&tokens.refresh).await;
    let before = rows(&platform).await;
    assert_eq!(before, [1, 2, 3, 2, 3, 2]);
    assert_eq!(sweep(&platform.app).await.unwrap(), 0);
    assert_eq!(rows(&platform).await, before);

    platform.advance(60);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [1, 1, 3, 2, 2, 2], "the code that nobody used");
    platform.exchange(&Form::code(&unused)).await.assert_api_error(400, "invalid_grant");

    platform.advance(540);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [0, 1, 3, 2, 2, 2], "the request that nobody decided");
    assert_eq!(Site::new(&platform, &fragment).get("/api/0/").await.status, 200);

    platform.advance(3000);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [0, 1, 0, 2, 1, 2], "the access tokens, and the fragment's grant");

    platform.advance(15 * DAY);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [0, 1, 0, 2, 1, 1], "the session that nothing came from any more");

    platform.advance(16 * DAY);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [0, 1, 0, 1, 1, 1], "the refresh token that nobody used");

    platform.advance(90 * DAY);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [0; 6]);
}

#[tokio::test]
async fn a_frame_s_session_goes_when_it_is_over_and_a_handle_that_nobody_used_after_a_minute() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let handle = person.handle(&Asking::new()).await;
    let mut frame = Frame::new(&platform);
    assert_eq!(frame.open(&handle).await.status, 204);
    person.handle(&Asking::new()).await;
    let left = async || {
        sweep(&platform.app).await.unwrap();
        platform.count("select count(*) from frame_sessions").await
    };
    platform.advance(59);
    assert_eq!(left().await, 2);
    platform.advance(1);
    assert_eq!(left().await, 1, "the handle");
    platform.advance(7 * DAY - 61);
    frame.renewed().await;
    assert_eq!(left().await, 1);
    platform.advance(1);
    assert_eq!(left().await, 0, "the session");
}

#[tokio::test]
async fn more_than_one_batch_goes_in_one_round() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await;
    let random = platform.database.random();
    platform
        .execute(&format!(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)
             insert into transactions select {random}, browser_hash, client_id, response_type, redirect_uri,
                    callback_at, requesting_origin, scopes, state, prompt, login_hint, user_id, shown_scopes,
                    created_at, 1, code_challenge, nonce, max_age, redirect_given_at, hinted_user_id
             from transactions, n"
        ))
        .await;
    assert_eq!(sweep(&platform.app).await.unwrap(), 2500);
    assert_eq!(platform.count("select count(*) from transactions").await, 1);
}

#[tokio::test]
async fn a_key_that_was_retired_goes_after_a_day() {
    let platform = Platform::new().await;
    platform.make_key().await;
    let app = &platform.app;
    app.signing_keys.rotate(&app.store, &app.clock, &app.entropy, false).await.unwrap();
    platform.advance(DAY - 1);
    sweep(app).await.unwrap();
    assert_eq!(platform.count("select count(*) from signing_keys").await, 2);
    platform.advance(1);
    sweep(app).await.unwrap();
    assert_eq!(platform.count("select count(*) from signing_keys").await, 1);
}

/// An expired grant whose line was refreshed 2,500 times.
async fn long_line() -> Platform {
    let platform = Platform::new().await;
    platform.tokens(MEMBER).await;
    let random = platform.database.random();
    platform
        .execute(&format!(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)
             insert into refresh_tokens
             select 'r' || i, {random}, last_four, grant_id, created_at, expires_at, created_at, null
             from refresh_tokens, n"
        ))
        .await;
    platform.advance(91 * DAY);
    platform
}

#[tokio::test]
async fn a_line_however_long_goes_in_batches() {
    let platform = long_line().await;
    let mut batches = vec![];
    while batches.last() != Some(&0) {
        let before: i64 = rows(&platform).await.iter().sum();
        let mut unit = platform.write().await;
        let swept = grants::sweep(&mut unit, platform.app.clock.now(), 1000).await.unwrap();
        unit.commit().await.unwrap();
        let gone = before - rows(&platform).await.iter().sum::<i64>();
        assert_eq!(u64::try_from(gone).unwrap(), swept, "what went along was counted");
        batches.push(gone);
    }
    // 2501 refresh tokens, an access token, a code and the grant.
    assert_eq!(batches, [1000, 1000, 504, 0]);
}

#[tokio::test]
async fn a_line_however_long_goes_in_one_round() {
    let platform = long_line().await;
    // What several processes count together is over long since, too.
    let counted = if is_embedded() { 0 } else { platform.count("select count(*) from counters").await };
    let all: i64 = counted + rows(&platform).await.iter().sum::<i64>();
    assert_eq!(
        sweep(&platform.app).await.unwrap(),
        u64::try_from(all).unwrap(),
        "what went along was counted"
    );
    assert_eq!(rows(&platform).await, [0; 6]);
}

#[tokio::test]
async fn many_grants_go_with_all_that_was_issued_on_them() {
    let platform = Platform::new().await;
    platform.tokens(MEMBER).await;
    for (table, columns) in [
        (
            "grants",
            "select id || i, client_id, organization_id, user_id, session_id, redirect_uri, callback_at,
                    requesting_origin, scopes, created_at, expires_at, revoked_at from grants, n",
        ),
        (
            "refresh_tokens",
            "select t.id || g.id, {random}, last_four, g.id, t.created_at, t.expires_at, t.created_at, null
             from refresh_tokens t, grants g where g.id <> t.grant_id",
        ),
        (
            "authorization_codes",
            "select {random}, g.id, c.redirect_uri, code_challenge, nonce, authenticated_at, c.created_at,
                    c.expires_at, used_at from authorization_codes c, grants g where g.id <> c.grant_id",
        ),
    ] {
        let numbers = "with recursive n (i) as (select 1 union all select i + 1 from n where i < 1200)";
        let columns = columns.replace("{random}", platform.database.random());
        platform.execute(&format!("{numbers} insert into {table} {columns}")).await;
    }
    assert_eq!(rows(&platform).await, [0, 1201, 1, 1201, 1201, 1]);
    platform.advance(91 * DAY);
    sweep(&platform.app).await.unwrap();
    assert_eq!(rows(&platform).await, [0; 6]);
}

#[tokio::test]
async fn of_the_changes_that_the_gate_hears_of_the_last_twenty_thousand_stay() {
    // A server leaves none behind.
    if !is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    platform
        .execute_unheard(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 22500)
             insert into gate_changes (subject, key) select 'token', 'k' from n",
        )
        .await;
    let count = "select count(*) from gate_changes";
    let all = platform.count(count).await;
    let mut unit = platform.write().await;
    assert_eq!(gate_changes::sweep(&mut unit, 1000).await.unwrap(), 1000, "one batch");
    unit.commit().await.unwrap();
    assert_eq!(sweep(&platform.app).await.unwrap(), u64::try_from(all - 21_000).unwrap(), "and the others");
    assert_eq!(platform.count(count).await, 20_000);
    assert_eq!(platform.count("select max(id) - min(id) from gate_changes").await, 19_999, "the last ones");
    assert_eq!(sweep(&platform.app).await.unwrap(), 0);
}

#[tokio::test]
async fn of_refusals_an_organization_keeps_the_latest() {
    let limits = Limits { kept_refusals: 3, ..Limits::default() };
    let platform = Platform::limited(limits).await;
    for organization in ["org-acme", "org-globex"] {
        let most = if organization == "org-acme" { 1005 } else { 2 };
        let many = format!(
            "with recursive n(value) as (select 1 union all select value + 1 from n where value < {most})
             insert into audit_log (organization_id, created_at, action, actor_kind, detail, occurrences)
             select '{organization}', 1800000000, 'token.refused', 'server', cast(value as text), 1 from n"
        );
        platform.execute(&many).await;
    }
    let others = platform.count("select count(*) from audit_log where action <> 'token.refused'").await;
    assert_eq!(sweep(&platform.app).await.unwrap(), 1002);
    let kept = "select detail from audit_log where action = 'token.refused' order by id";
    assert_eq!(platform.texts(kept).await, ["1003", "1004", "1005", "1", "2"]);
    assert_eq!(
        platform.count("select count(*) from audit_log where action <> 'token.refused'").await,
        others
    );
}
