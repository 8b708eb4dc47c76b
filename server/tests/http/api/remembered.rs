//! What the gate remembers of a token counts for as long as nothing of it has changed, and no longer: whoever changed
//! it, and whether or not the database can be asked.

use axum::{
    body::Body,
    http::{Method, Request},
};
use latchkey_protocol::scope::Role;
use latchkey_server::store;

use crate::support::{
    ACME, ACME_SITE, APP, Asking, Database, MEMBER, PLATFORM, Person, Platform, Site, is_embedded,
};

/// A site of Acme's that has called the API, so that its token is remembered.
async fn known(platform: &Platform) -> (Person, Site) {
    let mut person = Person::signed_in(platform, MEMBER).await;
    let site = Site::new(platform, &person.token(&Asking::new()).await);
    platform.hear().await;
    assert_eq!(site.get("/api/0/").await.status, 200);
    assert_eq!(platform.app.gate.source().remembered(), 1);
    (person, site)
}

/// Makes every question to the database about a token fail.
async fn take_the_tokens_away(platform: &Platform) {
    platform.drop_table("access_tokens").await;
}

#[tokio::test]
async fn a_token_that_is_known_costs_no_query() {
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    take_the_tokens_away(&platform).await;
    for _ in 0..3 {
        assert_eq!(site.get("/api/0/").await.status, 200);
    }
    // Its CORS headers neither.
    platform.drop_table("application_origins").await;
    let answer = site.get("/api/0/").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(ACME_SITE)));
}

#[tokio::test]
async fn nothing_is_remembered_of_what_is_refused() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    platform.execute("delete from memberships where user_id = 'max'").await;
    let site = Site::new(&platform, &token);
    site.get("/api/0/").await.assert_api_error(403, "membership_required");
    assert_eq!(platform.app.gate.source().remembered(), 0);
    // So that what is put right works at the next request, too.
    platform.execute_unheard("insert into memberships values ('org-acme', 'max', 'member', 1)").await;
    assert_eq!(site.get("/api/0/").await.status, 200);
}

/// Does one thing in this process that ends what a token stands on.
async fn end(what: &str, platform: &Platform, person: &mut Person, token: &str) {
    match what {
        "revoke" => {
            let form = format!("token={token}&client_id={APP}");
            let answer = Site::new(platform, "").with(None).send(Method::POST, "/oauth/revoke/", form).await;
            assert_eq!(answer.status, 200);
        }
        "sign out" => {
            let csrf = person.get("/").await.field("csrf");
            assert_eq!(person.post("/logout/", &[("csrf", &csrf)]).await.status, 303);
        }
        "end the authorization" => {
            let request = Request::delete(format!("/api/0/api-authorizations/?client_id={APP}"))
                .header("origin", PLATFORM)
                .header("sec-fetch-site", "same-origin");
            assert_eq!(person.send(request.body(Body::empty()).unwrap()).await.status, 204);
        }
        other => {
            let mut unit = platform.write().await;
            match other {
                "disable the application" => {
                    assert!(store::applications::revoke(&mut unit, ACME.0, APP, 1).await.unwrap());
                }
                "disable the organization" => {
                    store::organizations::revoke(&mut unit, ACME.0, 1).await.unwrap();
                }
                "disable the person" => store::users::revoke(&mut unit, "max", 1).await.unwrap(),
                _ => assert!(store::memberships::remove(&mut unit, ACME.0, "max").await.unwrap()),
            }
            unit.commit().await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_this_process_does_counts_at_the_next_request() {
    for (what, status) in [
        ("revoke", 401),
        ("sign out", 401),
        ("end the authorization", 401),
        ("disable the application", 401),
        ("disable the organization", 401),
        ("disable the person", 401),
        ("remove the member", 403),
    ] {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let token = person.token(&Asking::new()).await;
        // From nowhere: a disabled application's site could not even read the answer.
        let site = Site::new(&platform, &token).from(None);
        platform.hear().await;
        assert_eq!(site.get("/api/0/").await.status, 200);
        end(what, &platform, &mut person, &token).await;
        assert_eq!(site.get("/api/0/").await.status, status, "{what}");
    }
}

/// Every column that the gate's answer depends on.
#[tokio::test]
async fn what_another_process_does_counts_as_soon_as_it_is_heard() {
    for (change, status) in [
        ("update access_tokens set revoked_at = 1", 401),
        ("update access_tokens set expires_at = 1", 401),
        ("update access_tokens set scopes = 'openid'", 403),
        ("delete from access_tokens", 401),
        ("update grants set revoked_at = 1", 401),
        ("delete from grants", 401),
        ("update applications set disabled_at = 1", 401),
        ("delete from applications", 401),
        ("delete from application_origins where origin = 'https://www.acme.example'", 403),
        ("update application_origins set origin = 'https://w.acme.example' where origin like '%www%'", 403),
        ("update organizations set disabled_at = 1", 401),
        ("update organizations set slug = 'acme2' where slug = 'acme'", 403),
        ("delete from organizations", 401),
        ("update users set disabled_at = 1", 401),
        ("delete from users", 401),
        ("delete from memberships", 403),
        ("update memberships set user_id = 'gil' where user_id = 'max'", 403),
    ] {
        let platform = Platform::new().await;
        let (_, site) = known(&platform).await;
        let get = async || site.get("/api/0/organizations/acme/projects/").await.status;
        assert_eq!(get().await, 200);
        platform.execute_unheard(change).await;
        assert_eq!(get().await, 200, "not heard yet: {change}");
        platform.hear().await;
        assert_eq!(get().await, status, "{change}");
    }
}

#[tokio::test]
async fn what_a_token_says_of_people_and_organizations_is_what_they_are_called_now() {
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    for (change, named) in [
        ("update users set name = 'Maxine' where id = 'max'", "Maxine"),
        ("update organizations set name = 'Acme Planes' where slug = 'acme'", "Acme Planes"),
        ("insert into application_origins values ('acmeclient', 'https://new.acme.example')", "Maxine"),
    ] {
        platform.execute(change).await;
        let answer = site.get("/api/0/").await;
        assert!(answer.body.contains(named), "{}", answer.body);
    }
    let new = site.from(Some("https://new.acme.example"));
    assert_eq!(new.get("/api/0/").await.status, 200);
}

#[tokio::test]
async fn a_server_that_hears_nothing_asks_for_every_request() {
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    platform.execute_unheard("update users set disabled_at = 1").await;
    assert_eq!(site.get("/api/0/").await.status, 200, "for half a second");
    platform.advance(1);
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn where_the_database_does_not_answer_nothing_that_is_remembered_counts() {
    // A server is asked over a connection of its own: see the faults.
    if !is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    // The changes cannot be read: what is remembered is worth nothing from that moment on.
    platform.drop_table("gate_changes").await;
    assert!(platform.app.gate.source().catch_up().await.is_err());
    assert_eq!(site.get("/api/0/").await.status, 200, "the database says so");
    take_the_tokens_away(&platform).await;
    site.clone().from(Some(PLATFORM)).get("/api/0/").await.assert_api_error(503, "temporarily_unavailable");
    platform.advance(1);
    site.from(None).get("/api/0/").await.assert_api_error(503, "temporarily_unavailable");
}

#[tokio::test]
async fn who_has_missed_changes_forgets_everything() {
    // A server keeps no changes for who was not listening.
    if !is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    platform.execute_unheard("update organizations set disabled_at = 1").await;
    platform.execute_unheard("update users set name = 'X' where id = 'gil'").await;
    // Swept, as it happens to who was asleep for long.
    platform.execute_unheard("delete from gate_changes where id < (select max(id) from gate_changes)").await;
    platform.hear().await;
    site.from(None).get("/api/0/").await.assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn more_changes_than_are_worth_reading_are_forgetting_everything() {
    // They are told one by one.
    if !is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    platform.execute_unheard("update organizations set disabled_at = 1 where slug = 'acme'").await;
    platform
        .execute_unheard(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 12000)
             insert into gate_changes (subject, key) select 'user', 'nobody' from n",
        )
        .await;
    platform.hear().await;
    site.from(None).get("/api/0/").await.assert_api_error(401, "invalid_token");
    // And it knows again where it stands.
    platform.execute("update organizations set disabled_at = null where slug = 'acme'").await;
}

#[tokio::test]
async fn a_change_of_a_kind_that_a_newer_version_writes_is_any_change() {
    // They are told by the schema of the same version.
    if !is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    known(&platform).await;
    platform.execute("insert into gate_changes (subject, key, user_id) values ('token', 'x', 'y')").await;
    assert_eq!(platform.app.gate.source().remembered(), 0);
}

/// Whatever does this finds out at its commit that it is not to be.
async fn nobody_commits(platform: &Platform, event: &str) {
    let table = "create table nobody (id integer primary key)";
    let other = "create table something (id integer references nobody (id) deferrable initially deferred)";
    let triggers = match platform.database {
        Database::Sqlite(_) => {
            vec![format!("create trigger t after {event} begin insert into something values (7); end")]
        }
        Database::Postgres(_) => vec![
            "create function f() returns trigger language plpgsql as
             $$ begin insert into something values (7); return null; end $$"
                .to_owned(),
            format!("create trigger t after {event} for each row execute function f()"),
        ],
    };
    for sql in [vec![table.to_owned(), other.to_owned()], triggers].concat() {
        platform.try_execute(&sql).await.unwrap();
    }
}

/// What was rolled back leaves its number to somebody else's change, which counts all the same.
#[tokio::test]
async fn a_commit_that_fails_makes_nobody_miss_what_comes_after_it() {
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    nobody_commits(&platform, "update on memberships").await;
    let mut unit = platform.write().await;
    assert!(store::memberships::touch(&mut unit, ACME.0, "bea", Role::Owner).await.unwrap());
    assert!(unit.commit().await.is_err());
    platform.execute("delete from memberships where user_id = 'max'").await;
    site.get("/api/0/").await.assert_api_error(403, "membership_required");
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing_to_be_believed() {
    let platform = Platform::new().await;
    let (_, site) = known(&platform).await;
    nobody_commits(&platform, "insert on projects").await;
    let mut unit = platform.write().await;
    let project = store::projects::Project { id: "p".into(), slug: "p".into(), name: "P".into() };
    store::projects::insert(&mut unit, ACME.0, &project, 1).await.unwrap();
    assert!(unit.commit().await.is_err());
    platform.execute_unheard("delete from memberships where user_id = 'max'").await;
    site.get("/api/0/").await.assert_api_error(403, "membership_required");
}
