//! What may be registered, and what not: by the pages and by the API alike.

use axum::{
    body::Body,
    http::{Method, Request},
};
use serde_json::{Value, json};

use crate::support::{
    ADMIN, Answer, Asking, PLATFORM, Person, Platform, anonymous,
    hostile::{ACCEPTED_NAMES, ACCEPTED_ORIGINS, ACCEPTED_REDIRECT_URIS, NAMES, ORIGINS, REDIRECT_URIS},
};

const PAGES: [&str; 2] =
    ["/organizations/acme/applications/new/", "/organizations/acme/applications/acmeclient/edit/"];
const LIST: &str = "/api/0/organizations/acme/api-applications/";
const API: [(Method, &str); 2] =
    [(Method::POST, LIST), (Method::PUT, "/api/0/organizations/acme/api-applications/acmeclient/")];
/// The most entries that are looked at one by one.
const ENTRIES: usize = 50;

/// Sends a page's form with this in one of its fields.
async fn fill(person: &mut Person, page: &str, field: &str, value: &str) -> Answer {
    let form = person.get(page).await;
    let (csrf, revision) = (form.csrf(page), form.field("revision"));
    let mut fields = vec![
        ("csrf", csrf.as_str()),
        ("revision", &revision),
        ("name", "Web shop"),
        ("allowed_origins", "https://shop.example"),
        ("redirect_uris", ""),
        ("scope.org:read", "on"),
        ("response_type.token", "on"),
    ];
    for (name, old) in &mut fields {
        if *name == field {
            *old = value;
        }
    }
    person.post(page, &fields).await
}

/// Sends a body to the API with this in one of its fields.
async fn send(person: &mut Person, method: &Method, path: &str, field: &str, value: Value) -> Answer {
    let mut body = json!({ "name": "Web shop", "allowed_origins": ["https://shop.example"] });
    body[field] = value;
    let request = Request::builder().method(method).uri(path).header("origin", PLATFORM);
    let request = request.header("content-type", "application/json").header("if-match", "*");
    person.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// Each line that a page says something is wrong with, counted from 0.
fn lines(page: &Answer, field: &str) -> Vec<usize> {
    assert_eq!(page.status, 422, "{}", page.body);
    let told = (1..).map_while(|number| {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let (_, rest) = page.body.split_once(&format!("id=\"{field}-wrong{suffix}\">Line "))?;
        rest.split_once(':')?.0.parse::<usize>().ok()
    });
    told.map(|line| line - 1).collect()
}

/// Each entry that the API says something is wrong with.
fn entries(answer: &Answer, field: &str) -> Vec<usize> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let told = answer.json()["fields"][field].as_array().cloned().unwrap_or_default();
    told.iter().map(|one| usize::try_from(one["entry"].as_u64().unwrap()).unwrap()).collect()
}

/// Everything that a registration could write.
async fn registered(platform: &Platform) -> Vec<String> {
    let mut all = platform.texts("select client_id || name || revision from applications order by 1").await;
    all.extend(platform.texts("select client_id || origin from application_origins order by 1").await);
    all.extend(
        platform.texts("select client_id || redirect_uri from application_redirect_uris order by 1").await,
    );
    all
}

/// SECURITY: every hostile entry of a list is refused by both ways, each at its place, and nothing is written.
async fn assert_each_is_refused(field: &str, hostile: &[&str]) {
    let platform = Platform::new().await;
    let before = registered(&platform).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for some in hostile.chunks(ENTRIES) {
        let all: Vec<_> = (0..some.len()).collect();
        for (method, path) in &API {
            let answer = send(&mut admin, method, path, field, json!(some)).await;
            assert_eq!(entries(&answer, field), all, "{method}");
        }
    }
    // What a form's line cannot hold cannot be sent by it.
    let of_a_line = |text: &&&str| text.trim() == **text && text.lines().count() == 1;
    let of_lines: Vec<_> = hostile.iter().filter(of_a_line).copied().collect();
    for some in of_lines.chunks(ENTRIES) {
        let all: Vec<_> = (0..some.len()).collect();
        for page in PAGES {
            let answer = fill(&mut admin, page, field, &some.join("\r\n")).await;
            assert_eq!(lines(&answer, field), all, "{page}");
        }
    }
    assert_eq!(registered(&platform).await, before);
}

#[tokio::test]
async fn a_hostile_redirect_uri_is_refused_wherever_it_is_sent() {
    let long = format!("https://a.com/{}", "x".repeat(2048));
    assert!(REDIRECT_URIS.len() >= 60);
    assert_each_is_refused("redirect_uris", &[REDIRECT_URIS, &[long.as_str()]].concat()).await;
}

#[tokio::test]
async fn a_hostile_origin_is_refused_wherever_it_is_sent() {
    let long = format!("https://{}.com", "x".repeat(2048));
    assert_each_is_refused("allowed_origins", &[ORIGINS, &[long.as_str()]].concat()).await;
}

#[tokio::test]
async fn a_hostile_name_is_refused_wherever_it_is_sent() {
    let platform = Platform::new().await;
    let before = registered(&platform).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for name in [NAMES, &["x".repeat(101).as_str()]].concat() {
        for page in PAGES {
            fill(&mut admin, page, "name", name).await.assert_page(422, "id=\"name-wrong\"");
        }
        for (method, path) in &API {
            let answer = send(&mut admin, method, path, "name", name.into()).await;
            assert_eq!(answer.status, 422, "{name:?}");
            assert_eq!(answer.json()["fields"]["name"].as_array().map(Vec::len), Some(1), "{}", answer.body);
        }
    }
    assert_eq!(registered(&platform).await, before);
}

/// Registers an application with this in one of its fields by the page, and another one by the API: their client ids.
async fn register(admin: &mut Person, field: &str, typed: &str, sent: Value) -> [String; 2] {
    let page = fill(admin, PAGES[0], field, typed).await;
    let by_page = page.location().split('/').nth(4).unwrap().to_owned();
    let answer = send(admin, &Method::POST, LIST, field, sent).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    [by_page, answer.json()["client_id"].as_str().unwrap().to_owned()]
}

/// What the API says of one field, in the order of the alphabet where it is a list.
async fn read(admin: &mut Person, client_id: &str, field: &str) -> Value {
    let mut value = admin.get(&format!("{LIST}{client_id}/")).await.json()[field].clone();
    if let Some(list) = value.as_array_mut() {
        list.sort_by_key(|one| one.as_str().map(str::to_owned));
    }
    value
}

/// The lines of a field on the page that changes an application, sorted.
async fn shown(admin: &mut Person, client_id: &str, field: &str) -> Vec<String> {
    let page = admin.get(&PAGES[1].replace("acmeclient", client_id)).await;
    let (_, rest) = page.body.split_once(&format!("<textarea id=\"{field}\"")).unwrap();
    let (text, _) = rest.split_once('>').unwrap().1.split_once("</textarea>").unwrap();
    let text = text.replace("&#38;", "&").replace("&#39;", "'");
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// What somebody could take for this redirect URI who does not compare byte for byte.
fn twins(uri: &str) -> Vec<String> {
    let more = if uri.contains('?') { '&' } else { '?' };
    let twins = [
        format!("{uri}/"),
        format!("{uri}{more}x=1"),
        format!("{uri}%2e"),
        format!("{uri}/."),
        format!("{uri}\\"),
        format!("{uri}\t"),
        format!("{uri} "),
        format!("{uri}#"),
        uri.to_ascii_uppercase(),
        uri.to_ascii_lowercase(),
        uri.replacen("https://", "http://", 1),
        uri.replacen("http://", "https://", 1),
        uri.replacen("://", "://user@", 1),
        uri.replacen("://", "://sub.", 1),
        uri.replacen(".com", ".com.", 1),
        uri.replacen(".com", ".com@evil.example", 1),
        uri.replacen(".com", ".com\\@evil.example", 1),
        // A letter that only looks like the one in its place.
        uri.replacen('a', "\u{430}", 1),
        uri.replacen("/cb", "/c%62", 1),
        uri.replacen("%2F", "/", 1),
        uri.replacen("a/../", "", 1),
    ];
    let others = twins.into_iter().filter(|twin| !ACCEPTED_REDIRECT_URIS.contains(&twin.as_str()));
    others.collect()
}

/// SECURITY: redirect URIs are kept byte for byte, and compared so.
#[tokio::test]
async fn a_redirect_uri_comes_back_as_it_was_sent_and_matches_nothing_else() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let mut sorted = ACCEPTED_REDIRECT_URIS.to_vec();
    sorted.sort_unstable();
    let (typed, sent) = (ACCEPTED_REDIRECT_URIS.join("\r\n"), json!(ACCEPTED_REDIRECT_URIS));
    for client_id in register(&mut admin, "redirect_uris", &typed, sent).await {
        assert_eq!(shown(&mut admin, &client_id, "redirect_uris").await, sorted);
        assert_eq!(read(&mut admin, &client_id, "redirect_uris").await, json!(sorted));
        let asking = Asking::redirect().with("client_id", &client_id).with("prompt", "none");
        for uri in ACCEPTED_REDIRECT_URIS {
            let answer = anonymous(&platform, &asking.clone().with("redirect_uri", uri).path()).await;
            assert_eq!(answer.response_to(uri)["error"], "login_required");
            for twin in twins(uri) {
                let answer = anonymous(&platform, &asking.clone().with("redirect_uri", &twin).path()).await;
                answer.assert_error_page(400, "redirect_uri is");
            }
        }
    }
}

/// SECURITY: origins are kept as the URL standard serialises them.
#[tokio::test]
async fn an_origin_comes_back_as_browsers_write_it() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let (typed, mut stored): (Vec<_>, Vec<_>) = ACCEPTED_ORIGINS.iter().copied().unzip();
    stored.sort_unstable();
    for client_id in register(&mut admin, "allowed_origins", &typed.join("\r\n"), json!(typed)).await {
        assert_eq!(shown(&mut admin, &client_id, "allowed_origins").await, stored);
        assert_eq!(read(&mut admin, &client_id, "allowed_origins").await, json!(stored));
    }
}

#[tokio::test]
async fn a_name_comes_back_as_it_was_sent_and_is_inert() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for name in ACCEPTED_NAMES {
        for client_id in register(&mut admin, "name", name, json!(name)).await {
            assert_eq!(read(&mut admin, &client_id, "name").await, *name);
            for below in ["", "edit/", "delete/", "try/"] {
                let page = admin.get(&format!("/organizations/acme/applications/{client_id}/{below}")).await;
                assert_eq!(page.status, 200);
                assert!(
                    !page.body.contains("<script>alert") && !page.body.contains("<img src=x"),
                    "{}",
                    page.body
                );
            }
        }
    }
}
