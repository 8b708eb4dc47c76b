//! `GET /api/0/organizations/{organization}/audit-logs/`: everything that happens in an organization, to its admins.

use axum::{
    body::Body,
    http::{Method, Request},
};
use latchkey_server::{audit::Action, store};
use serde_json::{Value, json};

use crate::support::{
    ACME, ADMIN, APP, Answer, Asking, BOTH, Form, GLOBEX, GLOBEX_APP, GLOBEX_SITE, MEMBER, NOW, OUTSIDER,
    PEER, PLATFORM, Person, Platform, Site,
};

const PATH: &str = "/api/0/organizations/acme/audit-logs/";

/// A site of Acme's with a token that may administer.
async fn admin(platform: &Platform) -> Site {
    platform.execute("update applications set scopes = 'org:admin' where client_id = 'acmeclient'").await;
    let token = platform.token(ADMIN).await;
    Site::new(platform, &token)
}

async fn entries(site: &Site, query: &str) -> Vec<Value> {
    let answer = site.get(&format!("{PATH}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["entries"].as_array().unwrap().clone()
}

/// The latest entry of this kind.
async fn last(platform: &Platform, action: &str) -> Value {
    let column = |name: &str| {
        format!("select coalesce({name}, '') from audit_log where action = '{action}' order by id desc")
    };
    assert!(
        platform.count(&format!("select count(*) from audit_log where action = '{action}'")).await > 0,
        "{action}"
    );
    let mut entry = json!({});
    for name in ["organization_id", "actor_kind", "actor_id", "address", "client_id", "user_id"] {
        entry[name] = platform.text(&column(name)).await.into();
    }
    entry["detail"] = serde_json::from_str(&platform.text(&column("detail")).await).unwrap();
    entry
}

#[tokio::test]
async fn an_entry_says_who_did_what_when_and_from_where() {
    let platform = Platform::new().await;
    let site = admin(&platform).await;
    platform.advance(5);
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.execute("update applications set scopes = 'project:read' where client_id = 'acmeclient'").await;
    person.token(&Asking::new()).await;
    let found = entries(&site, "limit=2").await;
    assert_eq!(found.len(), 2);
    let id = platform.text("select id from access_tokens where created_at > 1800000000").await;
    let grant_id = platform.text("select grant_id from access_tokens where created_at > 1800000000").await;
    let latest = platform.count("select max(id) from audit_log").await;
    assert_eq!(
        found[1],
        json!({
            "id": (latest - 1).to_string(), "at": NOW + 5, "action": "token.issued",
            "actor": { "kind": "person", "id": "max" }, "address": PEER,
            "client_id": APP, "user_id": "max", "occurrences": 1,
            "detail": {
                "token_id": id, "grant_id": grant_id, "scopes": ["project:read"],
                "requesting_origin": "https://www.acme.example", "expires_at": NOW + 3605,
            },
        })
    );
    assert_eq!(found[0]["action"], "authorization.allowed");
}

/// Whatever is done, in whatever way, is there: who, about whom, from where.
#[tokio::test]
async fn every_issuance_and_every_end_is_written_down() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let by_person = |detail: Value| {
        json!({
            "organization_id": ACME.0, "actor_kind": "person", "actor_id": "max", "address": PEER, "client_id": APP,
            "user_id": "max", "detail": detail,
        })
    };
    let without_detail = |mut entry: Value| {
        entry["detail"] = json!({});
        entry
    };
    let code = person.code(&Asking::code()).await;
    for action in ["authorization.allowed", "code.issued"] {
        assert_eq!(without_detail(last(&platform, action).await), by_person(json!({})), "{action}");
    }
    let tokens = crate::support::Tokens::of(&platform.exchange(&Form::code(&code)).await);
    let by_application = |detail: Value| {
        let mut entry = by_person(detail);
        entry["actor_kind"] = "application".into();
        entry["actor_id"] = APP.into();
        entry
    };
    assert_eq!(without_detail(last(&platform, "token.issued").await), by_application(json!({})));
    assert_eq!(platform.refresh(&tokens.refresh).await.status, 200);
    assert_eq!(platform.count("select count(*) from audit_log where action = 'token.issued'").await, 2);

    let revoke = |token: String| {
        let form = format!("token={token}&client_id={APP}");
        let site = Site::new(&platform, "").with(None);
        async move { site.send(Method::POST, "/oauth/revoke/", form).await.status }
    };
    assert_eq!(revoke(tokens.access.clone()).await, 200);
    let revoked = last(&platform, "token.revoked").await;
    assert_eq!(without_detail(revoked), by_application(json!({})));
    assert_eq!(revoke(tokens.refresh.clone()).await, 200);
    assert_eq!(without_detail(last(&platform, "grant.revoked").await), by_application(json!({})));

    person.token(&Asking::new()).await;
    let request = Request::delete(format!("/api/0/api-authorizations/?client_id={APP}"))
        .header("origin", PLATFORM)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(person.send(request.body(Body::empty()).unwrap()).await.status, 204);
    assert_eq!(last(&platform, "authorization.ended").await, by_person(json!({})));
    assert_eq!(without_detail(last(&platform, "grant.revoked").await), by_person(json!({})));

    person.token(&Asking::new()).await;
    let csrf = person.get("/").await.field("csrf");
    person.post("/logout/", &[("csrf", &csrf)]).await;
    let count = "select count(*) from audit_log where action = 'grant.revoked' and actor_kind = 'person'";
    assert_eq!(platform.count(count).await, 2, "signing out ended one");
}

#[tokio::test]
async fn every_refusal_of_a_token_is_written_down_once_for_many_times() {
    let platform = Platform::new().await;
    let token = platform.token(BOTH).await;
    let site = Site::new(&platform, &token);
    for _ in 0..7 {
        site.get("/api/0/organizations/globex/projects/").await.assert_api_error(403, "wrong_organization");
    }
    let evil = site.clone().from(Some("https://evil.example"));
    evil.get("/api/0/").await.assert_api_error(403, "origin_not_allowed");
    site.clone().from(Some("<script>")).get("/api/0/").await.assert_api_error(403, "origin_not_allowed");
    site.get(PATH).await.assert_api_error(403, "insufficient_scope");
    Site::new(&platform, &token.replace('a', "b"))
        .get("/api/0/")
        .await
        .assert_api_error(401, "invalid_token");
    assert_eq!(platform.count("select count(*) from audit_log where action = 'token.refused'").await, 0);
    platform.app.refusals.flush(&platform.app.store, &platform.app.clock).await.unwrap();

    let site = admin(&platform).await;
    let mut found = entries(&site, "action=token.refused").await;
    assert_eq!(found.len(), 4, "of a token that there is not nobody can say whose it would be");
    for entry in &found {
        assert_eq!(
            (&entry["actor"], &entry["client_id"], &entry["user_id"], &entry["address"]),
            (&json!({ "kind": "application", "id": APP }), &json!(APP), &json!("bea"), &json!(PEER))
        );
    }
    let of_bea =
        "select t.id from access_tokens t join grants g on g.id = t.grant_id where g.user_id = 'bea'";
    let token_id = platform.text(of_bea).await;
    found.sort_by_key(|entry| entry["detail"].to_string());
    let details: Vec<_> =
        found.iter().map(|entry| (entry["occurrences"].clone(), entry["detail"].clone())).collect();
    let detail = |reason: &str, scope: Option<&str>, origin: &str, route: &str| {
        let origin = Some(origin).filter(|origin| !origin.is_empty());
        json!({ "reason": reason, "scope": scope, "origin": origin, "route": route, "token_id": token_id })
    };
    let acme = "https://www.acme.example";
    let mut expected = [
        (json!(7), detail("wrong_organization", None, acme, "/api/0/organizations/{organization}/projects")),
        (json!(1), detail("origin_not_allowed", None, "https://evil.example", "/api/0")),
        (json!(1), detail("origin_not_allowed", None, "", "/api/0")),
        (
            json!(1),
            detail(
                "insufficient_scope",
                Some("org:admin"),
                acme,
                "/api/0/organizations/{organization}/audit-logs",
            ),
        ),
    ];
    expected.sort_by_key(|(_, detail)| detail.to_string());
    assert_eq!(details, expected);
}

#[tokio::test]
async fn a_flood_of_refusals_fills_neither_the_memory_nor_the_log_and_hides_nobody_else_s() {
    let platform = Platform::new().await;
    let acme = Site::new(&platform, &platform.token(MEMBER).await);
    let globex = Asking::new()
        .with("client_id", GLOBEX_APP)
        .with("origin", GLOBEX_SITE)
        .with("redirect_uri", &Asking::callback(GLOBEX_APP));
    let globex = Person::signed_in(&platform, OUTSIDER).await.token(&globex).await;
    for number in 0..600 {
        let site = acme.clone().from(Some(&format!("https://{number}.evil.example")));
        site.get("/api/0/").await.assert_api_error(403, "origin_not_allowed");
    }
    for _ in 0..3 {
        let site = Site::new(&platform, &globex).from(Some("https://evil.example"));
        site.get("/api/0/").await.assert_api_error(403, "origin_not_allowed");
    }
    platform.app.refusals.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    let of = |organization: &str, what: &str| {
        format!(
            "select {what} from audit_log where action = 'token.refused' and organization_id = '{organization}'"
        )
    };
    assert_eq!(platform.count(&of(ACME.0, "count(*)")).await, 51);
    assert_eq!(platform.count(&of(ACME.0, "sum(occurrences)")).await, 600, "none of them is lost");
    let more = of(ACME.0, "detail") + " and actor_kind = 'server' and occurrences = 550";
    assert_eq!(platform.texts(&more).await, [r#"{"more":true}"#]);
    assert_eq!(platform.count(&of(GLOBEX.0, "sum(occurrences)")).await, 3);
}

#[tokio::test]
async fn an_origin_that_no_host_has_is_not_written_down() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let long = format!("https://{}example", "a.".repeat(10_000));
    let site = Site::new(&platform, &token).from(Some(&long));
    site.get("/api/0/").await.assert_api_error(403, "origin_not_allowed");
    platform.app.refusals.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    let detail = platform.text("select detail from audit_log where action = 'token.refused'").await;
    assert!(detail.contains(r#""origin":null"#), "{}", detail.len());
}

#[tokio::test]
async fn it_is_read_a_page_at_a_time_without_gap_or_overlap() {
    let platform = Platform::new().await;
    let site = admin(&platform).await;
    let mut unit = platform.write().await;
    for number in 0..11 {
        let project = store::projects::Project {
            id: format!("p{number}"),
            slug: format!("p{number}"),
            name: format!("P{number}"),
        };
        store::projects::insert(&mut unit, ACME.0, &project, NOW).await.unwrap();
    }
    unit.commit().await.unwrap();
    let (mut all, mut cursor, mut pages) = (vec![], None, 0);
    loop {
        let next = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
        let answer = site.get(&format!("{PATH}?limit=4&action=project.added{next}")).await.json();
        all.extend(answer["entries"].as_array().unwrap().iter().map(|e| e["detail"]["id"].to_string()));
        pages += 1;
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let mut expected: Vec<_> = (0..11).rev().map(|number| format!("\"p{number}\"")).collect();
    expected.extend(["\"acme-website\"".to_owned(), "\"acme-backend\"".to_owned()]);
    assert_eq!((all, pages), (expected, 4));
}

#[tokio::test]
async fn what_is_asked_for_is_named_where_it_is_wrong() {
    let platform = Platform::new().await;
    let site = admin(&platform).await;
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=-3", "cursor"),
        ("cursor=0", "cursor"),
        ("cursor=99999999999999999999", "cursor"),
        ("action=token.issue", "action"),
    ] {
        let answer = site.get(&format!("{PATH}?{query}")).await;
        answer.assert_api_error(400, "invalid_request");
        assert!(answer.json()["error_description"].as_str().unwrap().starts_with(name), "{}", answer.body);
    }
    site.get(&format!("{PATH}?limit=1&limit=2")).await.assert_api_error(400, "invalid_request");
    for query in ["client_id=acmeclient", "user_id=arno", "user_id=nobody", "client_id=x'--", "limit=200"] {
        assert_eq!(site.get(&format!("{PATH}?{query}")).await.status, 200, "{query}");
    }
    assert!(entries(&site, "user_id=nobody").await.is_empty());
}

#[tokio::test]
async fn it_is_the_admins_of_the_organization_who_read_it() {
    let platform = Platform::new().await;
    let site = admin(&platform).await;
    assert!(site.get(PATH).await.body.contains("acme-backend"));
    site.get("/api/0/organizations/globex/audit-logs/").await.assert_api_error(403, "wrong_organization");
    for answer in [site.get(PATH).await, site.get(&format!("{PATH}?client_id=globexclient")).await] {
        assert!(!answer.body.contains("globex"), "{}", answer.body);
    }
    platform.execute("update memberships set role = 'member' where user_id = 'arno'").await;
    site.get(PATH).await.assert_api_error(403, "insufficient_scope");
    let answer: Answer = Site::new(&platform, "").with(None).get(PATH).await;
    answer.assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn nobody_rewrites_it() {
    let platform = Platform::new().await;
    let unit = platform.write().await;
    unit.commit().await.unwrap();
    assert!(platform.try_execute("update audit_log set action = 'x'").await.is_err());
    assert!(platform.count("select count(*) from audit_log").await > 0);
}

#[tokio::test]
async fn an_entry_goes_when_it_is_too_old() {
    let platform = Platform::new().await;
    let before = platform.count("select count(*) from audit_log").await;
    assert!(before > 0);
    platform.advance(180 * 24 * 3600);
    latchkey_server::retention::sweep(&platform.app).await.unwrap();
    assert_eq!(platform.count("select count(*) from audit_log").await, before);
    platform.advance(1);
    latchkey_server::retention::sweep(&platform.app).await.unwrap();
    assert_eq!(platform.count("select count(*) from audit_log").await, 0);
}

#[test]
fn every_action_has_a_name_of_its_own() {
    let mut names: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Action::ALL.len());
}
