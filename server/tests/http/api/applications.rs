//! `/api/0/organizations/{organization}/api-applications/`

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use crate::support::{
    ACME_SITE, ADMIN, APP, Answer, BOTH, GLOBEX_APP, MEMBER, OUTSIDER, OWNER, PLATFORM, Person, Platform,
    STRANGER, Site,
};

const LIST: &str = "/api/0/organizations/acme/api-applications/";
const ONE: &str = "/api/0/organizations/acme/api-applications/acmeclient/";
const METHODS: [(Method, &str); 5] = [
    (Method::GET, LIST),
    (Method::POST, LIST),
    (Method::GET, ONE),
    (Method::PUT, ONE),
    (Method::DELETE, ONE),
];

fn good() -> Value {
    json!({ "name": "Web shop", "allowed_origins": ["HTTPS://Shop.example:443"] })
}

/// Sends a request as a script on a page of the platform does.
async fn send(person: &mut Person, method: Method, path: &str, body: &Value) -> Answer {
    let headers = [("origin", PLATFORM), ("content-type", "application/json"), ("if-match", "*")];
    send_with(person, method, path, &headers, body).await
}

async fn send_with(
    person: &mut Person,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    person.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn an_application_is_registered_read_changed_and_deleted() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let created = send(&mut admin, Method::POST, LIST, &good()).await;
    assert_eq!(created.status, 201, "{}", created.body);
    let client_id = created.json()["client_id"].as_str().unwrap().to_owned();
    let one = format!("{LIST}{client_id}/");
    assert_eq!(created.header("location"), Some(one.as_str()));
    let expected = json!({
        "client_id": client_id,
        "name": "Web shop",
        "homepage_url": null,
        "privacy_url": null,
        "terms_url": null,
        "allowed_origins": ["https://shop.example"],
        "redirect_uris": [],
        "scopes": ["org:read", "member:read", "project:read", "event:read"],
        "response_types": ["token"],
        "asks_always": false,
        "disabled": false,
    });
    assert_eq!(created.json(), expected);
    let read = admin.get(&one).await;
    let tag = read.header("etag").unwrap().to_owned();
    let mut with_live = expected.clone();
    with_live["live"] = json!({ "people": 0, "access_tokens": 0 });
    assert_eq!((read.status, read.json()), (200, with_live));

    // Fields that are left out stay as they are.
    let change = json!({ "name": "Shop", "redirect_uris": ["https://shop.example/cb"], "disabled": true });
    let headers = [("origin", PLATFORM), ("content-type", "application/json"), ("if-match", tag.as_str())];
    let changed = send_with(&mut admin, Method::PUT, &one, &headers, &change).await;
    let mut after = expected.clone();
    after["name"] = "Shop".into();
    after["redirect_uris"] = json!(["https://shop.example/cb"]);
    after["disabled"] = true.into();
    assert_eq!((changed.status, changed.json()), (200, after));
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    let again = send_with(&mut admin, Method::PUT, &one, &headers, &change).await;
    again.assert_api_error(412, "outdated");
    let unnamed = send_with(&mut admin, Method::PUT, &one, &headers[..2], &change).await;
    unnamed.assert_api_error(428, "precondition_required");

    for stale in [tag.as_str(), "\"x\"", "", "*, *"] {
        let headers = [("origin", PLATFORM), ("if-match", stale)];
        let kept = send_with(&mut admin, Method::DELETE, &one, &headers, &json!({})).await;
        kept.assert_api_error(412, "outdated");
    }
    let now_is = changed.header("etag").unwrap();
    let headers = [("origin", PLATFORM), ("if-match", now_is)];
    assert_eq!(send_with(&mut admin, Method::DELETE, &one, &headers, &json!({})).await.status, 204);
    admin.get(&one).await.assert_api_error(404, "not_found");
    send(&mut admin, Method::DELETE, &one, &json!({})).await.assert_api_error(404, "not_found");
    let names = platform.texts("select action from audit_log where actor_kind = 'person' and action like 'application.%' order by id").await;
    let expected =
        ["application.added", "application.changed", "application.disabled", "application.removed"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn an_application_may_be_disabled_from_the_beginning_and_deleted_unseen() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let mut body = good();
    body["disabled"] = true.into();
    let created = send(&mut admin, Method::POST, LIST, &body).await;
    assert_eq!((created.status, &created.json()["disabled"]), (201, &json!(true)));
    let one = created.header("location").unwrap();
    let read = admin.get(one).await;
    assert_eq!((&read.json()["disabled"], read.header("etag")), (&json!(true), created.header("etag")));
    let headers = [("origin", PLATFORM)];
    assert_eq!(send_with(&mut admin, Method::DELETE, one, &headers, &json!({})).await.status, 204);
}

#[tokio::test]
async fn what_is_as_it_was_is_no_change() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let was = admin.get(ONE).await;
    let mut origins = was.json()["allowed_origins"].as_array().unwrap().clone();
    origins.reverse();
    let same = json!({ "name": "Acme Toolbar", "allowed_origins": origins, "disabled": false });
    for body in [same, json!({})] {
        let answer = send(&mut admin, Method::PUT, ONE, &body).await;
        assert_eq!((answer.status, answer.header("etag")), (200, was.header("etag")), "{}", answer.body);
    }
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200);
    let changes =
        "select action from audit_log where client_id = 'acmeclient' and action like 'application.%'
                   order by id";
    assert_eq!(platform.texts(changes).await, ["application.added"]);
    for disabled in [true, true, false, false] {
        let answer = send(&mut admin, Method::PUT, ONE, &json!({ "disabled": disabled })).await;
        assert_eq!(answer.json()["disabled"], json!(disabled));
    }
    let names = platform.texts(changes).await;
    assert_eq!(names, ["application.added", "application.disabled", "application.enabled"]);
}

/// SECURITY: another organization's application is like one that there is not, whoever asks.
#[tokio::test]
async fn every_method_is_for_the_admins_of_its_organization() {
    let platform = Platform::new().await;
    for (method, path) in METHODS {
        for (who, status) in [(STRANGER, 404), (OUTSIDER, 404), (MEMBER, 403)] {
            let mut person = Person::signed_in(&platform, who).await;
            let answer = send(&mut person, method.clone(), path, &good()).await;
            let unknown = path.replace("acme/", "unknown/");
            let unknown = send(&mut person, method.clone(), &unknown, &good()).await;
            unknown.assert_api_error(404, "not_found");
            assert_eq!(answer.status, status, "{who} {method} {path}");
            if status == 404 {
                assert_eq!(answer.body, unknown.body);
            } else {
                answer.assert_api_error(403, "admin_required");
            }
        }
        let mut nobody = Person::new(&platform);
        send(&mut nobody, method.clone(), path, &good()).await.assert_api_error(403, "session_required");
        // A token never manages applications, whatever its scopes.
        let token = platform.whole_token(OWNER).await;
        let own = Site::new(&platform, &token).from(Some(PLATFORM));
        let answer = own.send(method.clone(), path, good().to_string()).await;
        assert!([400, 403].contains(&answer.status), "{method} {path}: {}", answer.body);
        if path == ONE {
            let mut both = Person::signed_in(&platform, BOTH).await;
            let foreign = ONE.replace(APP, GLOBEX_APP);
            let foreign = send(&mut both, method.clone(), &foreign, &good()).await;
            let unknown = send(&mut both, method.clone(), &ONE.replace(APP, "nobody"), &good()).await;
            foreign.assert_api_error(404, "not_found");
            assert_eq!(foreign.body, unknown.body);
        }
    }
    assert_eq!(platform.count("select count(*) from applications").await, 2);
}

#[tokio::test]
async fn what_changes_something_comes_from_a_page_of_the_platform() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for (method, path) in METHODS.into_iter().filter(|(method, _)| method != Method::GET) {
        for origin in ["null", ACME_SITE, "https://platform.example:8443"] {
            let headers = [("origin", origin), ("content-type", "application/json"), ("if-match", "*")];
            let answer = send_with(&mut admin, method.clone(), path, &headers, &good()).await;
            answer.assert_api_error(403, "forged_request");
        }
        let nowhere = [("content-type", "application/json"), ("if-match", "*")];
        let answer = send_with(&mut admin, method.clone(), path, &nowhere, &good()).await;
        answer.assert_api_error(403, "forged_request");
        if method != Method::DELETE {
            let form = [("origin", PLATFORM), ("content-type", "text/plain"), ("if-match", "*")];
            let answer = send_with(&mut admin, method, path, &form, &good()).await;
            answer.assert_api_error(400, "invalid_request");
        }
    }
    assert_eq!(platform.count("select count(*) from applications where name = 'Web shop'").await, 0);
}

#[tokio::test]
async fn what_is_not_acceptable_is_told_by_the_field() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let body = json!({
        "name": "",
        "homepage_url": "javascript:alert(1)",
        "allowed_origins": ["https://a.com", "https://b.com/x", "https://*.c.com"],
        "redirect_uris": ["http://a.com/cb"],
        "scopes": [],
        "response_types": ["id_token"],
    });
    for (method, path) in [(Method::POST, LIST), (Method::PUT, ONE)] {
        let answer = send(&mut admin, method, path, &body).await;
        assert_eq!((answer.status, &answer.json()["error"]), (422, &json!("invalid_fields")));
        let fields = &answer.json()["fields"];
        let names: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            names,
            ["allowed_origins", "homepage_url", "name", "redirect_uris", "response_types", "scopes"]
        );
        let origins = fields["allowed_origins"].as_array().unwrap();
        assert_eq!(
            (&origins[0]["entry"], &origins[0]["suggestion"], &origins[1]["entry"]),
            (&json!(1), &json!("https://b.com"), &json!(2))
        );
    }
    for (body, field) in [
        (json!({ "name": 1 }), "name"),
        (json!({ "name": null }), "name"),
        (json!({ "name": "x", "allowed_origins": "https://a.com" }), "allowed_origins"),
        (json!({ "name": "x", "allowed_origins": [1] }), "allowed_origins"),
        (json!({ "name": "x", "scopes": "org:read" }), "scopes"),
        (json!({ "name": "x", "asks_always": "yes" }), "asks_always"),
        (json!({ "name": "x", "homepage_url": false }), "homepage_url"),
        (json!({ "name": "x", "disabled": null }), "disabled"),
        (json!({ "name": "x", "disabled": "true" }), "disabled"),
        (json!({ "name": "x" }), "allowed_origins"),
    ] {
        let answer = send(&mut admin, Method::POST, LIST, &body).await;
        assert_eq!(answer.status, 422, "{body}");
        assert!(answer.json()["fields"][field].is_array(), "{body}: {}", answer.body);
    }
    let names = "select name from applications order by client_id";
    assert_eq!(platform.texts(names).await, ["Acme Toolbar", "Globex Toolbar"]);
}

/// SECURITY: an application's organization never changes.
#[tokio::test]
async fn a_field_that_there_is_not_is_refused_and_an_organization_is_none() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, BOTH).await;
    for field in ["organization", "organization_id", "client_id", "revision", "__proto__", ""] {
        for (method, path) in [(Method::POST, LIST), (Method::PUT, ONE)] {
            let mut body = good();
            body[field] = "globex".into();
            send(&mut admin, method, path, &body).await.assert_api_error(400, "invalid_request");
        }
    }
    let moved = "update applications set organization_id = 'org-globex' where client_id = 'acmeclient'";
    assert!(platform.try_execute(moved).await.is_err(), "nor by the database");
    for body in ["[]", "1", "", "{", r#"{"name":"a","name":"b","allowed_origins":["https://a.com"]}"#] {
        let request =
            Request::post(LIST).header("origin", PLATFORM).header("content-type", "application/json");
        let answer = admin.send(request.body(Body::from(body)).unwrap()).await;
        answer.assert_api_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn the_list_comes_in_pages_and_holds_the_organization_s_own() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for _ in 0..4 {
        assert_eq!(send(&mut admin, Method::POST, LIST, &good()).await.status, 201);
    }
    let (mut seen, mut cursor) = (vec![], String::new());
    for _ in 0..3 {
        let page = admin.get(&format!("{LIST}?limit=2&cursor={cursor}")).await.json();
        seen.extend(page["applications"].as_array().unwrap().iter().map(|one| one["client_id"].to_string()));
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!((seen.len(), cursor.as_str()), (5, ""));
    seen.dedup();
    assert!(seen.len() == 5 && !seen.contains(&format!("\"{GLOBEX_APP}\"")));
    for wrong in ["limit=0", "limit=201", "limit=x", "limit=1&limit=2"] {
        admin.get(&format!("{LIST}?{wrong}")).await.assert_api_error(400, "invalid_request");
    }
}

#[tokio::test]
async fn no_site_reads_it() {
    let platform = Platform::new().await;
    for path in [LIST, ONE] {
        let answer = Site::new(&platform, "x").preflight("GET", path).await;
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let answer = Site::new(&platform, "").with(None).get(path).await;
        answer.assert_api_error(403, "session_required");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}
