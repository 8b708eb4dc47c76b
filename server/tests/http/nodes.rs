//! Several processes on one PostgreSQL server: whatever one of them began another one finishes, and what one ends has
//! ended for all. Where there is no server there is one process, and nothing to be shown here.

use latchkey_protocol::scope::Role;
use latchkey_server::{
    audit::By,
    config::{Limits, Rate},
    retention::sweep,
    store::{self, StoreError},
};

use crate::support::{
    ACME, ADMIN, APP, Asking, Database, Form, Frame, MEMBER, NOW, OWNER, Person, Platform, STRANGER, Site,
    is_embedded,
};

/// Two processes.
pub(super) async fn two() -> Option<(Platform, Platform)> {
    two_of(Platform::new().await).await
}

async fn two_of(one: Platform) -> Option<(Platform, Platform)> {
    if is_embedded() {
        return None;
    }
    let other = one.node().await;
    Some((one, other))
}

#[tokio::test]
async fn what_one_began_the_other_finishes() {
    let Some((one, other)) = two().await else { return };
    let mut person = Person::signed_in(&one, MEMBER).await;
    let page = person.ask(&Asking::code()).await;
    let mut there = person.clone().through(&other);
    let answer = there.decide(&page, "approve").await;
    let code = answer.location().split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let tokens = one.exchange(&Form::code(&code)).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    let refresh = tokens.json()["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(other.refresh(&refresh).await.status, 200);
    // And a code that was used on the one is used on the other.
    other.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
}

/// Each of the ways in which a token ends.
const ENDINGS: [(&str, &str); 6] = [
    ("update access_tokens set revoked_at = 1", "invalid_token"),
    ("update grants set revoked_at = 1", "invalid_token"),
    ("update applications set disabled_at = 1", "invalid_token"),
    ("update organizations set disabled_at = 1", "invalid_token"),
    ("update users set disabled_at = 1", "invalid_token"),
    ("delete from memberships", "membership_required"),
];

#[tokio::test]
async fn what_anybody_ends_every_process_hears_of() {
    for (sql, error) in ENDINGS {
        let Some((one, other)) = two().await else { return };
        let token = one.token(MEMBER).await;
        let sites = [&one, &other].map(|node| Site::new(node, &token).from(None));
        for site in &sites {
            assert_eq!(site.get("/api/0/").await.status, 200);
        }
        assert_eq!([&one, &other].map(|node| node.app.gate.source().remembered()), [1, 1]);
        one.execute_unheard(sql).await;
        for (node, site) in [&one, &other].into_iter().zip(&sites) {
            assert_eq!(site.get("/api/0/").await.status, 200, "it has not heard of it yet");
            node.hear().await;
            let status = if error == "invalid_token" { 401 } else { 403 };
            site.get("/api/0/").await.assert_api_error(status, error);
        }
    }
}

/// The process that did it does not wait until it hears of itself.
#[tokio::test]
async fn who_ends_something_lets_nobody_through_from_then_on() {
    let Some((one, other)) = two().await else { return };
    let (token, kept) = (one.token(MEMBER).await, one.token(ADMIN).await);
    let [site, on_other, admin] = [(&one, &token), (&other, &token), (&one, &kept)]
        .map(|(node, token)| Site::new(node, token).from(None));
    for site in [&site, &on_other, &admin] {
        assert_eq!(site.get("/api/0/").await.status, 200);
    }
    let mut unit = one.write().await;
    store::memberships::remove(&mut unit, ACME.0, "max").await.unwrap();
    unit.commit().await.unwrap();
    site.get("/api/0/").await.assert_api_error(403, "membership_required");
    other.hear().await;
    on_other.get("/api/0/").await.assert_api_error(403, "membership_required");
    assert_eq!(one.app.gate.source().remembered(), 1, "and forgets nobody else");
    assert_eq!(admin.get("/api/0/").await.status, 200);
}

#[tokio::test]
async fn who_cannot_hear_remembers_nothing_and_asks() {
    let Some((one, other)) = two().await else { return };
    let token = one.token(MEMBER).await;
    let site = Site::new(&other, &token).from(None);
    assert_eq!(site.get("/api/0/").await.status, 200);
    // The connection over which it hears is cut, and then something ends that nobody tells it of.
    let cut = one
        .count(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and query in ('select 1', 'LISTEN \"latchkey_gate\"')
               and pid <> pg_backend_pid()",
        )
        .await;
    assert!(cut >= 1, "{cut}");
    one.execute_unheard("update access_tokens set revoked_at = 1").await;
    // It finds out when it asks whether the connection is there, at the latest when what it heard is too old.
    let _ = other.app.gate.source().catch_up().await;
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");
    // And it hears again.
    other.app.gate.source().catch_up().await.unwrap();
    let token = one.token(ADMIN).await;
    let site = Site::new(&other, &token).from(None);
    assert_eq!(site.get("/api/0/").await.status, 200);
    one.execute_unheard("delete from memberships").await;
    other.hear().await;
    site.get("/api/0/").await.assert_api_error(403, "membership_required");
}

#[tokio::test]
async fn what_was_heard_is_good_for_a_quarter_of_a_second() {
    let Some((one, other)) = two().await else { return };
    let token = one.token(MEMBER).await;
    let site = Site::new(&other, &token).from(None);
    assert_eq!(site.get("/api/0/").await.status, 200);
    one.execute_unheard("update access_tokens set revoked_at = 1").await;
    one.advance(1);
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn limits_hold_over_all_of_them() {
    let limits = Limits { per_account_and_address: Rate::new(3, 1), ..Limits::default() };
    let Some((one, other)) = two_of(Platform::limited(limits).await).await else { return };
    let attempt = async |node: &Platform| Person::new(node).log_in("/login/", MEMBER, "wrong password").await;
    for node in [&one, &other, &one] {
        assert_eq!(attempt(node).await.status, 422);
    }
    for node in [&one, &other] {
        let refused = attempt(node).await;
        assert!(refused.body.contains("Wait 60 seconds"), "{}", refused.body);
    }
    one.advance(60);
    assert_eq!(attempt(&other).await.status, 422);
    assert!(attempt(&one).await.body.contains("Wait 60 seconds"));
    // Those who have waited long enough are forgotten.
    assert!(one.count("select count(*) from counters").await > 0);
    one.advance(3600);
    sweep(&one.app).await.unwrap();
    assert_eq!(one.count("select count(*) from counters").await, 0);
}

/// What is done again is not counted again: it must not be done again because nothing was counted.
#[tokio::test]
async fn what_cannot_be_counted_is_not_tried() {
    let Some((one, _)) = two().await else { return };
    one.database
        .script(
            "create function contend() returns trigger language plpgsql as
             $$ begin raise exception using errcode = 'serialization_failure'; end $$;
             create trigger contend before insert on counters execute function contend()",
        )
        .await;
    let answer = Person::new(&one).log_in("/login/", MEMBER, "wrong password").await;
    answer.assert_error_page(503, "The service cannot answer right now");
}

#[tokio::test]
async fn so_do_those_of_what_is_begun_and_of_refreshes() {
    let limits = Limits { transactions: Rate::new(3, 1), refreshes: Rate::new(2, 1), ..Limits::default() };
    let Some((one, other)) = two_of(Platform::limited(limits).await).await else { return };
    let mut tokens = one.tokens(MEMBER).await;
    for node in [&one, &other] {
        tokens = node.refreshed(&tokens.refresh).await;
    }
    for node in [&one, &other] {
        node.refresh(&tokens.refresh).await.assert_api_error(429, "temporarily_unavailable");
    }
    one.advance(60);
    assert_eq!(other.refresh(&tokens.refresh).await.status, 200);
    one.refresh(&tokens.refresh).await.assert_api_error(429, "temporarily_unavailable");

    one.advance(3600);
    let begin = async |node: &Platform| Person::new(node).ask(&Asking::new()).await.status;
    for node in [&one, &other, &one] {
        assert_eq!(begin(node).await, 303, "to the login");
    }
    for node in [&one, &other] {
        assert_eq!(begin(node).await, 429);
    }
    one.advance(60);
    assert_eq!(begin(&other).await, 303);
    assert_eq!(begin(&one).await, 429);
}

#[tokio::test]
async fn a_refresh_at_every_process_at_once_leaves_one_line() {
    let Some((one, other)) = two().await else { return };
    let tokens = one.tokens(MEMBER).await;
    let asked: Vec<_> = (0..20)
        .map(|i| {
            let (node, refresh) =
                (if i % 2 == 0 { one.clone() } else { other.clone() }, tokens.refresh.clone());
            tokio::spawn(async move { node.refresh(&refresh).await })
        })
        .collect();
    let mut successors = std::collections::BTreeSet::new();
    for asked in asked {
        let answer = asked.await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        successors.insert(answer.json()["refresh_token"].as_str().unwrap().to_owned());
    }
    assert_eq!(successors.len(), 1, "the first answer may have been lost: all get the same one");
}

/// Each of them has read that there is another owner when it writes.
#[tokio::test]
async fn of_the_last_two_owners_one_stays() {
    let Some((one, other)) = two().await else { return };
    one.execute("update memberships set role = 'owner' where user_id = 'arno'").await;
    let mut units = vec![];
    for (node, leaves) in [(&one, "ada"), (&other, "arno")] {
        let mut unit = node.write().await;
        assert_eq!(store::memberships::count_owners(&mut unit, ACME.0).await.unwrap(), 2);
        store::memberships::touch(&mut unit, ACME.0, leaves, Role::Member).await.unwrap();
        units.push(unit);
    }
    let mut ended = vec![];
    for unit in units {
        ended.push(unit.commit().await);
    }
    assert!(matches!(&ended[..], [Ok(()), Err(StoreError::Contended(_))]), "{ended:?}");
    let owners = "select count(*) from memberships where organization_id = 'org-acme' and role = 'owner'";
    assert_eq!(one.count(owners).await, 1);
}

/// The same through the pages: who was refused is asked again, and told why it cannot be.
#[tokio::test]
async fn who_was_in_another_s_way_is_answered_again() {
    let Some((one, other)) = two().await else { return };
    one.execute("update memberships set role = 'owner' where user_id = 'arno'").await;
    let mut asked = vec![];
    for (node, email, leaves) in [(&one, OWNER, "arno"), (&other, ADMIN, "ada")] {
        let mut person = Person::signed_in(node, email).await;
        let csrf = person.csrf("members of acme");
        asked.push(tokio::spawn(async move {
            let path = format!("/organizations/acme/members/{leaves}/role/");
            person.post(&path, &[("csrf", csrf.as_str()), ("was", "owner"), ("role", "member")]).await
        }));
    }
    let mut statuses = vec![];
    for asked in asked {
        statuses.push(asked.await.unwrap().status);
    }
    statuses.sort_unstable();
    // Whoever comes second is no owner any more.
    assert!(statuses == [303, 403] || statuses == [303, 409], "{statuses:?}");
    let owners = "select count(*) from memberships where organization_id = 'org-acme' and role = 'owner'";
    assert_eq!(one.count(owners).await, 1);
}

/// Until somebody waits for a lock on this database.
async fn somebody_waits(platform: &Platform) {
    const WAITING: &str = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
    while platform.count(WAITING).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// It may be told so by a key alone, and never that it was in the way.
#[tokio::test]
async fn who_comes_second_to_one_row_is_answered_by_what_the_first_one_made() {
    let Some((one, other)) = two().await else { return };
    let path = one.invite(STRANGER, "member").await;
    let mut person = Person::signed_in(&other, STRANGER).await;
    let csrf = person.get(&path).await.field("csrf");
    let mut first = one.write().await;
    store::memberships::insert(&mut first, ACME.0, "nora", Role::Admin, NOW).await.unwrap();
    let second = tokio::spawn(async move { person.post(&path, &[("csrf", &csrf)]).await });
    somebody_waits(&one).await;
    first.commit().await.unwrap();
    second.await.unwrap().assert_page(200, "<h1>You are a member already</h1>");
}

/// However much the others change a little at a time, what changes much is done.
#[tokio::test]
async fn who_writes_alone_is_in_nobody_s_way() {
    let Some((one, other)) = two().await else { return };
    let token = one.token(MEMBER).await;
    let mut before = one.write().await;
    store::memberships::touch(&mut before, ACME.0, "arno", Role::Member).await.unwrap();
    let alone = tokio::spawn({
        let store = other.app.store.clone();
        async move { store.write_alone(By::command(NOW)).await }
    });
    somebody_waits(&one).await;
    before.commit().await.unwrap();
    let mut alone = alone.await.unwrap().unwrap();
    assert_eq!(store::memberships::count_owners(&mut alone, ACME.0).await.unwrap(), 1);
    let after = tokio::spawn({
        let one = one.clone();
        async move {
            let mut unit = one.write().await;
            store::memberships::touch(&mut unit, ACME.0, "arno", Role::Owner).await.unwrap();
            unit.commit().await
        }
    });
    somebody_waits(&one).await;
    let theirs = store::grants::Selection::Organization { organization_id: ACME.0 };
    assert_eq!(store::grants::revoke(&mut alone, theirs, NOW).await.unwrap().access_tokens, 1);
    store::memberships::touch(&mut alone, ACME.0, "arno", Role::Admin).await.unwrap();
    alone.commit().await.unwrap();
    after.await.unwrap().unwrap();
    Site::new(&one, &token).from(None).get("/api/0/").await.assert_api_error(401, "invalid_token");
    let owners = "select count(*) from memberships where organization_id = 'org-acme' and role = 'owner'";
    assert_eq!(one.count(owners).await, 2);
}

/// The centre's pulse is no unit of work, and waits for none of them.
#[tokio::test]
async fn a_region_is_removed_between_two_beats() {
    let Some((one, other)) = two().await else { return };
    let mut unit = one.write().await;
    store::regions::insert(&mut unit, "eu", NOW).await.unwrap();
    unit.commit().await.unwrap();
    let Database::Postgres(pool) = &one.database else { panic!("it is no server") };
    let mut beating = pool.begin().await.unwrap();
    sqlx::query("update regional.heartbeat set number = number + 1").execute(&mut *beating).await.unwrap();
    let removed = tokio::spawn(async move {
        let mut unit = other.app.store.write_alone(By::command(NOW)).await?;
        store::regions::remove(&mut unit, "eu").await?;
        unit.commit().await
    });
    somebody_waits(&one).await;
    beating.commit().await.unwrap();
    removed.await.unwrap().unwrap();
    assert_eq!(one.count("select count(*) from regional.heartbeat").await, 0);
}

/// What it looked at before it waited was true then.
#[tokio::test]
async fn what_ended_while_a_code_waited_to_be_exchanged_is_seen() {
    let Some((one, other)) = two().await else { return };
    let code = Person::signed_in(&one, MEMBER).await.code(&Asking::code()).await;
    let mut alone = other.app.store.write_alone(By::command(NOW)).await.unwrap();
    let exchanged = tokio::spawn({
        let one = one.clone();
        async move { one.exchange(&Form::code(&code)).await }
    });
    somebody_waits(&one).await;
    let theirs = store::grants::Selection::Person { user_id: "max" };
    store::grants::revoke(&mut alone, theirs, NOW).await.unwrap();
    alone.commit().await.unwrap();
    exchanged.await.unwrap().assert_api_error(400, "invalid_grant");
    assert_eq!(one.count("select count(*) from access_tokens").await, 0);
}

#[tokio::test]
async fn what_was_allowed_no_longer_when_its_turn_came_is_not_granted() {
    let Some((one, other)) = two().await else { return };
    let mut person = Person::signed_in(&one, MEMBER).await;
    person.allow(&Asking::new()).await;
    let mut alone = other.app.store.write_alone(By::command(NOW)).await.unwrap();
    let asked = tokio::spawn(async move { person.ask(&Asking::new().with("prompt", "none")).await });
    somebody_waits(&one).await;
    assert_eq!(store::consents::remove_of_application(&mut alone, "max", APP).await.unwrap(), 1);
    alone.commit().await.unwrap();
    let answer = asked.await.unwrap();
    assert_eq!(answer.response_to(&Asking::callback(APP))["error"], "consent_required");
    assert_eq!(one.count("select count(*) from access_tokens").await, 1, "the one of before");
}

/// Nothing comes back, and nothing says that the connection is gone.
#[tokio::test]
async fn who_is_cut_off_from_the_database_says_so_in_time_and_comes_back() {
    let one = Platform::new().await;
    let Some((node, link)) = one.node_over_link().await else { return };
    let token = one.token(MEMBER).await;
    let site = Site::new(&node, &token).from(None);
    assert_eq!(site.get("/api/0/").await.status, 200);
    link.cut();
    node.app.gate.source().distrust();
    site.get("/api/0/").await.assert_api_error(503, "temporarily_unavailable");
    assert!(matches!(node.app.store.read().await, Err(StoreError::Engine(_))));
    link.mend();
    assert_eq!(site.get("/api/0/").await.status, 200);
    node.write().await.commit().await.unwrap();
}

#[tokio::test]
async fn one_of_them_sweeps_at_a_time() {
    let Some((one, other)) = two().await else { return };
    let held = one.app.store.sweep(By::server(NOW)).await.unwrap();
    assert!(held.is_some());
    assert!(other.app.store.sweep(By::server(NOW)).await.unwrap().is_none());
    drop(held);
    assert!(other.app.store.sweep(By::server(NOW)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_frame_s_session_is_every_process_s() {
    let Some((one, other)) = two().await else { return };
    let (mut frame, _) = Frame::signed_in(&one, MEMBER).await;
    let mut there = frame.clone();
    there.jar = there.jar.through(&other);
    let token = there.renewed().await;
    assert_eq!(Site::new(&one, &token).from(None).get("/api/0/").await.status, 200);
    frame.end().await;
    there.renew().await.assert_api_error(403, "session_expired");
}

/// A transaction in which something was refused does nothing, and nobody is told that it did.
#[tokio::test]
async fn what_was_refused_within_is_not_told_to_be_done() {
    let Some((one, _)) = two().await else { return };
    let mut unit = one.write().await;
    let project = store::projects::Project { id: "acme-backend".into(), slug: "x".into(), name: "X".into() };
    store::organizations::revoke(&mut unit, ACME.0, NOW).await.unwrap();
    let refused = store::projects::insert(&mut unit, ACME.0, &project, NOW).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert!(unit.commit().await.is_err());
    assert_eq!(one.count("select count(*) from organizations where disabled_at is not null").await, 0);
}
