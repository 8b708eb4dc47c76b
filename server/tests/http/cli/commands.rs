//! Commands other than `serve`.

use std::{
    io::{Read, Write},
    net::TcpListener,
    process::Stdio,
};

use serde_json::json;
use tempfile::{TempDir, tempdir};

use super::{Said, database, latchkey, on, on_with, run};
use crate::support::{
    ADMIN, Asking, MEMBER, NOW, OWNER, PASSWORD, Person, Platform, STRANGER, Site, is_embedded,
};

const ADD_USER: [&str; 7] =
    ["user", "add", "--email", "Ada@example.org", "--name", "Ada", "--password-stdin"];

fn with_acme() -> TempDir {
    let folder = tempdir().unwrap();
    on(folder.path(), &["org", "add", "--slug", "acme", "--name", "Acme"]).json();
    folder
}

fn with_ada() -> TempDir {
    let folder = with_acme();
    on_with(folder.path(), &ADD_USER, "correct horse\n").json();
    folder
}

fn add_app(folder: &TempDir, more: &[&str]) -> Said {
    let line = ["app", "add", "--org", "acme", "--name", "Toolbar"];
    on(folder.path(), &[&line[..], more].concat())
}

#[test]
fn each_command_prints_one_object() {
    let folder = with_ada();
    let on = |line: &[&str]| on(folder.path(), line).json();
    assert_eq!(on(&["migrate"]), json!({ "migrated": true }));
    let user = on_with(
        folder.path(),
        &["user", "add", "--email", "b@x.org", "--name", " B ", "--password-stdin"],
        "12345678",
    );
    let user = user.json();
    assert_eq!(user, json!({ "id": user["id"], "email": "b@x.org", "name": "B" }));
    assert_eq!(user["id"].as_str().unwrap().len(), 22);
    let org = on(&["org", "add", "--slug", "globex", "--name", "Globex"]);
    assert_eq!(org, json!({ "id": org["id"], "slug": "globex", "name": "Globex" }));
    let member = on(&["member", "add", "--org", "acme", "--email", "ADA@example.org", "--role", "owner"]);
    assert_eq!(member, json!({ "organization": "acme", "email": "Ada@example.org", "role": "owner" }));
    let project = on(&["project", "add", "--org", "acme", "--slug", "web", "--name", "Web"]);
    let expected = json!({ "id": project["id"], "organization": "acme", "slug": "web", "name": "Web" });
    assert_eq!(project, expected);
    on(&["member", "add", "--org", "acme", "--email", "b@x.org", "--role", "member"]);
    let removed = on(&["member", "remove", "--org", "acme", "--email", "b@x.org"]);
    let expected =
        json!({ "organization": "acme", "email": "b@x.org", "removed": true, "tokens_revoked": 0 });
    assert_eq!(removed, expected);
    assert_eq!(on(&["token", "revoke", "--org", "acme"]), json!({ "revoked": 0 }));
    assert_eq!(on(&["user", "disable", "--email", "b@x.org"])["disabled"], true);
    assert_eq!(on(&["org", "disable", "--slug", "globex"])["disabled"], true);
}

#[test]
fn an_application_is_printed_as_it_is_stored() {
    let folder = with_acme();
    let app = add_app(
        &folder,
        &[
            "--origin",
            "HTTPS://A.com:443",
            "--origin",
            "https://a.com",
            "--origin",
            "http://localhost:3000",
            "--redirect-uri",
            "https://A.com/cb?x=%2F",
            "--scope",
            "project:write org:read",
            "--scope",
            "openid",
            "--response-type",
            "token",
        ],
    )
    .json();
    let expected = json!({
        "client_id": app["client_id"],
        "organization": "acme",
        "name": "Toolbar",
        "allowed_origins": ["https://a.com", "http://localhost:3000"],
        "redirect_uris": ["https://A.com/cb?x=%2F"],
        "scopes": ["org:read", "project:write", "openid"],
        "response_types": ["token"],
        "homepage_url": null,
        "privacy_url": null,
        "terms_url": null,
        "asks_always": false,
        "disabled": false,
    });
    assert_eq!(app, expected);
    let client_id = app["client_id"].as_str().unwrap();
    for _ in 0..2 {
        let disabled = on(folder.path(), &["app", "disable", "--client-id", client_id]).json();
        assert_eq!(disabled, json!({ "client_id": client_id, "disabled": true }));
    }
}

#[test]
fn an_application_is_changed_shown_listed_disabled_enabled_and_deleted() {
    let folder = with_acme();
    let app = add_app(&folder, &["--origin", "https://a.com", "--asks-always"]).json();
    assert_eq!(app["asks_always"], json!(true));
    let client_id = app["client_id"].as_str().unwrap();
    let run = |line: &[&str]| on(folder.path(), &[&["app"], line, &["--client-id", client_id]].concat());
    let changed =
        run(&["update", "--name", "Shop", "--homepage-url", "https://a.com/", "--asks-always", "false"]);
    let expected = json!({
        "client_id": client_id,
        "organization": "acme",
        "name": "Shop",
        "homepage_url": "https://a.com/",
        "privacy_url": null,
        "terms_url": null,
        "allowed_origins": ["https://a.com"],
        "redirect_uris": [],
        "scopes": app["scopes"],
        "response_types": ["token"],
        "asks_always": false,
        "disabled": false,
    });
    assert_eq!(changed.json(), expected);
    run(&["update", "--origin", "https://b.com/x"])
        .assert_refused("--origin \"https://b.com/x\": it is a URL");
    run(&["disable"]).json();
    assert_eq!(run(&["show"]).json()["disabled"], json!(true));
    assert_eq!(run(&["enable"]).json(), json!({ "client_id": client_id, "disabled": false }));
    assert_eq!(run(&["show"]).json()["live"], json!({ "people": 0, "access_tokens": 0 }));
    let listed = on(folder.path(), &["app", "list", "--org", "acme"]).json();
    assert_eq!(listed, json!({ "organization": "acme", "applications": [expected] }));
    assert_eq!(run(&["delete"]).json()["deleted"], json!(true));
    for command in ["show", "update", "disable", "enable", "delete"] {
        run(&[command]).assert_refused("there is no application");
    }
}

#[test]
fn an_application_has_a_site_or_an_address_to_come_back_to_and_either_is_cleared_by_nothing() {
    let folder = with_acme();
    let app = add_app(&folder, &["--redirect-uri", "https://a.com/cb", "--response-type", "code"]).json();
    let (origins, redirects) = ("allowed_origins", "redirect_uris");
    assert_eq!((&app[origins], &app[redirects]), (&json!([]), &json!(["https://a.com/cb"])));
    let client_id = app["client_id"].as_str().unwrap();
    let update =
        |line: &[&str]| on(folder.path(), &[&["app", "update", "--client-id", client_id], line].concat());
    update(&["--redirect-uri", ""]).assert_refused("--origin \"\": one of the two is needed");
    let app = update(&["--redirect-uri", "", "--origin", "https://a.com"]).json();
    assert_eq!((&app[origins], &app[redirects]), (&json!(["https://a.com"]), &json!([])));
    let app = update(&["--redirect-uri", "https://a.com/cb", "--origin", ""]).json();
    assert_eq!((&app[origins], &app[redirects]), (&json!([]), &json!(["https://a.com/cb"])));
}

#[test]
fn an_application_that_names_no_scope_gets_to_read() {
    let app = add_app(&with_acme(), &["--origin", "https://a.com"]).json();
    assert_eq!(app["scopes"], json!(["org:read", "member:read", "project:read", "event:read"]));
}

#[test]
fn what_is_unknown_is_named() {
    let folder = with_ada();
    for (line, says) in [
        (
            &["member", "add", "--org", "nope", "--email", "ada@example.org", "--role", "member"][..],
            "organization \"nope\"",
        ),
        (&["project", "add", "--org", "nope", "--slug", "p", "--name", "P"], "organization \"nope\""),
        (
            &["app", "add", "--org", "nope", "--name", "N", "--origin", "https://a.com"],
            "organization \"nope\"",
        ),
        (&["org", "disable", "--slug", "nope"], "organization \"nope\""),
        (&["member", "add", "--org", "acme", "--email", "x@y.org", "--role", "member"], "user \"x@y.org\""),
        (&["user", "disable", "--email", "x@y.org"], "user \"x@y.org\""),
        (&["app", "disable", "--client-id", "nope"], "application \"nope\""),
        (&["token", "revoke", "--client-id", "nope"], "application \"nope\""),
        (&["token", "revoke", "--org", "nope"], "organization \"nope\""),
    ] {
        on(folder.path(), line).assert_refused(&format!("there is no {says}"));
    }
}

#[test]
fn what_is_malformed_is_named_with_what_would_be_accepted() {
    let folder = with_acme();
    for (origin, says) in [
        ("https://*.a.com", "wildcards are not allowed"),
        ("https://a.com/x", "it is a URL; the origin is https://a.com"),
        ("null", "it is not an origin"),
        ("http://site.example", "http is accepted on loopback only"),
        ("javascript:alert(1)", "it is not an origin"),
    ] {
        add_app(&folder, &["--origin", origin]).assert_refused(&format!("--origin {origin:?}: {says}"));
    }
    let with = |more: &[&str]| add_app(&folder, &[&["--origin", "https://a.com"], more].concat());
    with(&["--redirect-uri", "http://a.com/cb"])
        .assert_refused("--redirect-uri \"http://a.com/cb\": http is");
    with(&["--redirect-uri", "https://a.com/#x"]).assert_refused("a redirect URI has no fragment");
    with(&["--scope", "org:everything"])
        .assert_refused("--scope \"org:everything\": it is not a scope; the scopes are");
    with(&["--response-type", "id_token"])
        .assert_refused("--response-type \"id_token\": it is not a response type");
    let name = ["org", "add", "--slug", "x", "--name", "a\u{202e}b"];
    on(folder.path(), &name).assert_refused("it holds a character that is not allowed there");
    let slug = ["org", "add", "--slug", "A B", "--name", "x"];
    on(folder.path(), &slug).assert_refused("--slug \"A B\": a slug is");
    add_app(&folder, &[]).assert_refused("--origin \"\": one of the two is needed");
    let both = ["--origin", "", "--redirect-uri", ""];
    add_app(&folder, &both).assert_refused("--origin \"\": one of the two is needed");
    with(&["--redirect-uri", "https://a.com/cb", "--redirect-uri", ""])
        .assert_refused("--redirect-uri \"\": it is empty");
}

#[test]
fn an_application_has_at_most_fifty_sites() {
    let folder = with_acme();
    let origins: Vec<_> = (0..51).map(|i| format!("https://a{i}.com")).collect();
    let options: Vec<_> = origins.iter().flat_map(|origin| ["--origin", origin]).collect();
    add_app(&folder, &options).assert_refused("--origin \"https://a50.com\": there are more than 50");
    add_app(&folder, &options[..100]).json();
}

#[test]
fn what_is_taken_is_named() {
    let folder = with_ada();
    let on = |line: &[&str]| on(folder.path(), line);
    on(&["org", "add", "--slug", "acme", "--name", "x"])
        .assert_refused("already an organization with the slug \"acme\"");
    on_with(
        folder.path(),
        &["user", "add", "--email", "ADA@EXAMPLE.ORG", "--name", "x", "--password-stdin"],
        "12345678",
    )
    .assert_refused("already an account with the address \"ADA@EXAMPLE.ORG\"");
    let member = ["member", "add", "--org", "acme", "--email", "ada@example.org", "--role", "owner"];
    on(&member).json();
    on(&member).assert_refused("\"Ada@example.org\" is already a member of \"acme\"");
    let project = ["project", "add", "--org", "acme", "--slug", "web", "--name", "Web"];
    on(&project).json();
    on(&project).assert_refused("already a project with the slug \"web\"");
}

#[test]
fn a_password_has_a_length() {
    let folder = tempdir().unwrap();
    let add = |password: &str| on_with(folder.path(), &ADD_USER, password);
    for short in ["", "\n", "1234567\n"] {
        add(short).assert_refused("a password has at least 8 characters");
    }
    for length in [1025, 1 << 16] {
        add(&"x".repeat(length)).assert_refused("a password has at most 1024 bytes");
    }
    add(&"x".repeat(1024)).json();
}

#[test]
fn a_password_never_stands_on_the_line() {
    let folder = tempdir().unwrap();
    let said = on(folder.path(), &[&ADD_USER[..6], &["--password", "12345678"]].concat());
    assert_eq!(said.code, Some(2));
    let said = on(folder.path(), &ADD_USER[..6]);
    assert_eq!((said.code, said.stderr.contains("--password-stdin")), (Some(2), true));
}

#[test]
fn the_last_owner_cannot_go() {
    let folder = with_ada();
    let remove = ["member", "remove", "--org", "acme", "--email", "ada@example.org"];
    on(folder.path(), &remove).assert_refused("\"Ada@example.org\" is not a member of \"acme\"");
    on(folder.path(), &["member", "add", "--org", "acme", "--email", "ada@example.org", "--role", "owner"])
        .json();
    on(folder.path(), &remove).assert_refused("\"Ada@example.org\" is the last owner of \"acme\"");
    on_with(
        folder.path(),
        &["user", "add", "--email", "b@x.org", "--name", "B", "--password-stdin"],
        "12345678",
    )
    .json();
    on(folder.path(), &["member", "add", "--org", "acme", "--email", "b@x.org", "--role", "member"]).json();
    let role = |email, role| ["member", "role", "--org", "acme", "--email", email, "--role", role];
    on(folder.path(), &role("ada@example.org", "admin")).assert_refused("is the last owner of \"acme\"");
    let made = on(folder.path(), &role("b@x.org", "owner")).json();
    assert_eq!(made["role"], "owner");
    on(folder.path(), &["user", "disable", "--email", "b@x.org"]).json();
    on(folder.path(), &remove).assert_refused("is the last owner of \"acme\"");
    on(folder.path(), &role("ada@example.org", "owner")).json();
    on(folder.path(), &["member", "remove", "--org", "acme", "--email", "b@x.org"]).json();
    on(folder.path(), &role("b@x.org", "owner")).assert_refused("is not a member of \"acme\"");
}

#[tokio::test]
async fn a_link_that_the_line_prints_makes_a_member() {
    let platform = Platform::new().await;
    let on = |line: &[&str]| on(&platform.folder(), &[line, &["--org", "acme"]].concat());
    let invite = ["member", "invite", "--email", STRANGER, "--role", "owner"];
    let replaced = on(&invite).json();
    let invited = on(&invite).json();
    let token = invited["token"].as_str().unwrap();
    let expected = json!({
        "organization": "acme",
        "email": STRANGER,
        "role": "owner",
        "expires_at": invited["expires_at"],
        "token": token,
        "path": format!("/invitations/{token}/"),
    });
    assert_eq!((invited.clone(), token.len()), (expected, 43));
    let listed = on(&["member", "list"]).json();
    let open = json!([{ "email": STRANGER, "role": "owner", "expires_at": invited["expires_at"] }]);
    assert_eq!((listed["organization"].as_str(), &listed["invitations"]), (Some("acme"), &open));
    let max = json!({ "id": "max", "name": "Max", "email": MEMBER, "role": "member", "disabled": false });
    assert_eq!((listed["members"].as_array().unwrap().len(), &listed["members"][3]), (4, &max));

    // The line goes by the machine's clock, and the platform under test by one that stands still.
    platform.execute(&format!("update invitations set expires_at = {}", NOW + 60)).await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    assert_eq!(person.get(replaced["path"].as_str().unwrap()).await.status, 404);
    let path = invited["path"].as_str().unwrap();
    let csrf = person.get(path).await.field("csrf");
    person.post(path, &[("csrf", &csrf)]).await.location();
    on(&invite).assert_refused("they are a member already");
    on(&["member", "role", "--email", OWNER, "--role", "member"]).json();
}

#[tokio::test]
async fn an_invitation_is_withdrawn_by_the_line_or_by_what_it_makes_needless() {
    let platform = Platform::new().await;
    let on = |line: &[&str]| on(&platform.folder(), &[line, &["--org", "acme"]].concat());
    let uninvite = ["member", "uninvite", "--email", "NORA@example.org"];
    on(&uninvite).assert_refused("there is no open invitation of \"NORA@example.org\"");
    on(&["member", "invite", "--email", STRANGER, "--role", "member"]).json();
    assert_eq!(on(&uninvite).json()["withdrawn"], true);
    on(&["member", "invite", "--email", STRANGER, "--role", "member"]).json();
    on(&["member", "add", "--email", STRANGER, "--role", "admin"]).json();
    assert_eq!(on(&["member", "list"]).json()["invitations"], json!([]));
    on(&["member", "invite", "--email", "nonsense", "--role", "member"])
        .assert_refused("--email \"nonsense\": it is not an e-mail address");
}

#[tokio::test]
async fn who_is_removed_or_demoted_by_the_line_leaves_no_invitation_behind() {
    for line in [
        &["member", "remove", "--email", ADMIN][..],
        &["member", "role", "--email", ADMIN, "--role", "member"],
    ] {
        let platform = Platform::new().await;
        let on = |line: &[&str]| on(&platform.folder(), &[line, &["--org", "acme"]].concat());
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        let csrf = admin.csrf("members of acme");
        let form = [("csrf", csrf.as_str()), ("email", "second@x.org"), ("role", "admin")];
        admin.post("/organizations/acme/members/", &form).await.assert_page(200, "invitation-link");
        on(&["member", "invite", "--email", STRANGER, "--role", "owner"]).json();
        on(line).json();
        let open = platform.texts("select email from invitations").await;
        assert_eq!(open, [STRANGER], "what the line itself made stays");
    }
}

#[test]
fn a_role_that_is_unknown_is_refused_with_those_there_are() {
    let said = on(
        with_ada().path(),
        &["member", "add", "--org", "acme", "--email", "ada@example.org", "--role", "root"],
    );
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("[possible values: member, admin, owner]"), "{}", said.stderr);
}

#[test]
fn a_database_that_is_missing_or_cannot_be_opened_is_named() {
    run(latchkey(&["migrate"]))
        .assert_refused("--database is missing: give it on the line, as LATCHKEY_DATABASE in");
    // Without what may be a password.
    for (url, shown, says) in [
        ("/tmp/x.db", "/tmp/x.db", "a database is named by a URL"),
        ("postgres://localhost", "postgres://localhost", "the URL names no database"),
        (
            "postgres://u:secret@localhost/x?sslmod=disable",
            "postgres://…@localhost/x",
            "the parameter \"sslmod\" is not known",
        ),
    ] {
        let said = run(latchkey(&["migrate", "--database", url]));
        said.assert_refused(&format!("--database {shown:?}: {says}"));
    }
    let folder = tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "no database ".repeat(400)).unwrap();
    for path in ["file/latchkey.db", "nothing/latchkey.db"] {
        let path = folder.path().join(path).display().to_string();
        let said = run(latchkey(&["migrate", "--database", &format!("sqlite://{path}")]));
        said.assert_refused(&format!("cannot open the database {path}: "));
        said.assert_refused("Check that its folder exists and can be written");
    }
    let file = folder.path().join("file").display().to_string();
    let said = run(latchkey(&["migrate", "--database", &format!("sqlite://{file}")]));
    said.assert_refused(&format!("cannot open the database {file}: "));
}

#[test]
fn a_server_that_is_not_there_is_told_from_one_that_is_busy() {
    let line = ["migrate", "--database", "postgres://u@127.0.0.1:1/d"];
    run(latchkey(&line))
        .assert_refused("127.0.0.1:1/d: error communicating with database: Connection refused");
}

/// `verify-ca` is checked by a part of the TLS library of its own.
#[test]
fn a_server_that_breaks_off_is_no_end_of_the_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // It is asked for TLS, and would begin with it (PostgreSQL 18, §54.2.11).
            let (mut stream, mut asked) = (stream.unwrap(), [0; 8]);
            let _ = stream.read_exact(&mut asked).and_then(|()| stream.write_all(b"S"));
        }
    });
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("postgres://u:canary@{address}/d?sslmode={mode}");
        let said = run(latchkey(&["migrate", "--database", &url]));
        said.assert_refused("cannot open the database postgres://u@127.0.0.1:");
        assert!(!said.stderr.contains("canary"), "{}", said.stderr);
    }
}

#[test]
fn the_global_options_stand_anywhere_on_the_line() {
    let folder = tempdir().unwrap();
    let database = database(folder.path());
    for (slug, at) in [("a", 0), ("b", 1), ("c", 2), ("d", 4), ("e", 6)] {
        let mut line = vec!["org", "add", "--slug", slug, "--name", "X"];
        line.splice(at..at, ["--database", &database]);
        assert_eq!(run(latchkey(&line)).json()["slug"], slug);
    }
}

#[test]
fn an_option_comes_from_the_line_else_the_environment_else_the_file() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("latchkey.toml");
    let url = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    std::fs::write(&file, format!("database = {:?}\nlisten = \"127.0.0.1:1\"", url("file.db"))).unwrap();
    let config = file.display().to_string();
    let exists = |name: &str| folder.path().join(name).exists();

    run(latchkey(&["migrate", "--config", &config])).json();
    assert!(exists("file.db"));
    let mut command = latchkey(&["migrate"]);
    command.env("LATCHKEY_CONFIG", &config).env("LATCHKEY_DATABASE", url("environment.db"));
    run(command).json();
    assert!(exists("environment.db"));
    let mut command = latchkey(&["migrate", "--database", &url("line.db")]);
    command.env("LATCHKEY_DATABASE", url("other.db")).env("LATCHKEY_CONFIG", &config);
    run(command).json();
    assert!(exists("line.db") && !exists("other.db"));
}

#[test]
fn a_file_of_settings_that_cannot_be_read_is_named() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("latchkey.toml");
    let config = file.display().to_string();
    let line = ["migrate", "--config", &config];
    run(latchkey(&line)).assert_refused(&format!("cannot read the settings {config}: "));
    for (text, says) in [
        ("databse = \"x\"", "unknown field `databse`, expected one of `database`, `listen`, `public_url`"),
        ("database = 1", "invalid type"),
        ("listen = \"x\"", "socket address"),
        ("database", "TOML parse error"),
    ] {
        std::fs::write(&file, text).unwrap();
        run(latchkey(&line)).assert_refused(says);
    }
}

#[test]
fn a_line_that_makes_no_sense_is_refused() {
    for line in [&[][..], &["nope"], &["token", "revoke"], &["org"], &["serve", "--listen", "x"]] {
        let said = run(latchkey(line));
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{line:?}");
        assert!(!said.stderr.is_empty());
    }
    let said = run(latchkey(&["--version"]));
    assert_eq!((said.code, said.stdout.starts_with("latchkey 0.")), (Some(0), true));
}

/// Each in another process, while the server runs; the next request after it heard of it is judged by it.
#[tokio::test]
async fn what_another_process_changes_counts_as_soon_as_it_is_heard() {
    for (line, status) in [
        (&["member", "remove", "--org", "acme", "--email", MEMBER][..], 401),
        (&["user", "disable", "--email", MEMBER], 401),
        (&["org", "disable", "--slug", "acme"], 401),
        (&["app", "disable", "--client-id", "acmeclient"], 401),
        (&["token", "revoke", "--client-id", "acmeclient"], 401),
        (&["token", "revoke", "--client-id", "acmeclient", "--org", "acme"], 401),
        (&["token", "revoke", "--client-id", "acmeclient", "--email", MEMBER], 401),
        (&["token", "revoke", "--client-id", "acmeclient", "--org", "acme", "--email", MEMBER], 401),
        (&["token", "revoke", "--org", "acme"], 401),
        (&["token", "revoke", "--org", "acme", "--email", MEMBER], 401),
        (&["token", "revoke", "--email", MEMBER], 401),
        (&["token", "revoke", "--client-id", "acmeclient", "--org", "globex"], 200),
        (&["token", "revoke", "--client-id", "acmeclient", "--org", "globex", "--email", MEMBER], 200),
        (&["token", "revoke", "--client-id", "acmeclient", "--email", "ada@example.org"], 200),
        (&["token", "revoke", "--client-id", "globexclient"], 200),
        (&["token", "revoke", "--org", "globex"], 200),
        (&["token", "revoke", "--email", "ada@example.org"], 200),
        (&["token", "revoke", "--org", "globex", "--email", MEMBER], 200),
    ] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        let site = Site::new(&platform, &token);
        assert_eq!(site.get("/api/0/").await.status, 200);
        on(&platform.folder(), line).json();
        platform.hear().await;
        assert_eq!(site.get("/api/0/").await.status, status, "{line:?}");
    }
}

#[tokio::test]
async fn the_audit_log_is_a_line_for_each_entry_with_the_latest_first() {
    let platform = Platform::new().await;
    platform.token(MEMBER).await;
    on(&platform.folder(), &["project", "add", "--org", "acme", "--slug", "new", "--name", "New"]).json();
    let export =
        |more: &[&str]| on(&platform.folder(), &[&["audit", "export", "--org", "acme"], more].concat());
    let said = export(&[]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let lines: Vec<serde_json::Value> =
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let actions: Vec<_> = lines.iter().map(|line| line["action"].as_str().unwrap()).collect();
    let latest = ["project.added", "authorization.allowed", "token.issued", "application.added"];
    assert_eq!(actions[..4], latest);
    assert_eq!(actions.last(), Some(&"organization.added"));
    assert_eq!(lines[0]["actor"], json!({ "kind": "command", "id": null }));
    assert!(!said.stdout.contains("globex"));
    // The platform's clock is ahead of this machine's, whose the command line's is.
    assert_eq!(export(&["--since", "2027-01-15T08:00:00Z"]).stdout.lines().count(), lines.len() - 1);
    assert_eq!(export(&["--since", "2999-01-01T00:00:00Z"]).stdout, "");
    export(&["--since", "yesterday"])
        .assert_refused("--since \"yesterday\" is not a moment such as 2026-11-24T00:00:00Z");
    on(&platform.folder(), &["audit", "export", "--org", "x"])
        .assert_refused("there is no organization \"x\"");
}

#[tokio::test]
async fn another_password_ends_what_the_old_one_opened() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let other = platform.token(MEMBER).await;
    let line = ["user", "password", "--email", MEMBER, "--password-stdin"];
    let set = |password: &str| on_with(&platform.folder(), &line, password);
    set("short\n").assert_refused("a password has at least 8 characters");
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200);
    let said = set("another horse\n").json();
    let expected = json!({ "id": "max", "email": MEMBER, "sessions_ended": 2, "tokens_revoked": 2 });
    assert_eq!(said, expected);
    platform.hear().await;
    for token in [token, other] {
        assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 401);
    }
    person.get("/").await.assert_page(200, "You are signed out");
    assert_eq!(person.log_in("/login/", MEMBER, PASSWORD).await.status, 422);
    assert_eq!(person.log_in("/login/", MEMBER, "another horse").await.location(), "/");
    let line = ["user", "password", "--email", "x@y.org", "--password-stdin"];
    on_with(&platform.folder(), &line, "another horse").assert_refused("there is no user \"x@y.org\"");
}

#[tokio::test]
async fn one_token_is_revoked_by_itself_or_by_its_id() {
    let platform = Platform::new().await;
    let (one, other) = (platform.token(MEMBER).await, platform.token(MEMBER).await);
    let revoke = |more: &[&str], input: &str| {
        on_with(&platform.folder(), &[&["token", "revoke"], more].concat(), input)
    };
    revoke(&["--token-stdin"], "lkat_wrong").assert_refused("standard input does not hold an access token");
    assert_eq!(revoke(&["--token-stdin"], &format!("{one}\n")).json(), json!({ "revoked": 1 }));
    assert_eq!(revoke(&["--token-stdin"], &one).json(), json!({ "revoked": 0 }));
    platform.hear().await;
    assert_eq!(Site::new(&platform, &one).get("/api/0/").await.status, 401);
    assert_eq!(Site::new(&platform, &other).get("/api/0/").await.status, 200);
    let id = platform.text("select id from access_tokens where revoked_at is null").await;
    assert_eq!(revoke(&["--id", &id], "").json(), json!({ "revoked": 1 }));
    platform.hear().await;
    assert_eq!(Site::new(&platform, &other).get("/api/0/").await.status, 401);
}

#[tokio::test]
async fn what_another_process_adds_works_at_the_next_request() {
    let platform = Platform::new().await;
    let on = |line: &[&str]| on(&platform.folder(), line).json();
    let line = ["user", "add", "--email", "new@example.org", "--name", "New", "--password-stdin"];
    on_with(&platform.folder(), &line, PASSWORD).json();
    on(&["member", "add", "--org", "acme", "--email", "new@example.org", "--role", "member"]);
    let app = on(&["app", "add", "--org", "acme", "--name", "Second", "--origin", "https://new.example"]);
    let client_id = app["client_id"].as_str().unwrap();
    let asking = Asking::new()
        .with("client_id", client_id)
        .with("redirect_uri", &Asking::callback(client_id))
        .with("origin", "https://new.example");
    let token = Person::signed_in(&platform, "new@example.org").await.token(&asking).await;
    let site = Site::new(&platform, &token).from(Some("https://new.example"));
    assert_eq!(site.get("/api/0/organizations/acme/").await.status, 200);
}

#[test]
fn who_takes_their_time_to_type_a_token_keeps_nobody_from_writing() {
    let folder = with_ada();
    let mut slow = latchkey(&["token", "revoke", "--token-stdin"]);
    slow.arg("--database").arg(database(folder.path()));
    let mut slow = slow.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    for i in 0..20 {
        let slug = format!("slow-{i}");
        on(folder.path(), &["org", "add", "--slug", &slug, "--name", "Slow"]).json();
    }
    assert!(slow.try_wait().unwrap().is_none(), "it does not wait for its token");
    drop(slow.stdin.take());
    assert!(!slow.wait().unwrap().success(), "nothing is no token");
}

#[test]
fn an_application_may_use_tokens_or_codes_or_both() {
    let folder = with_acme();
    let add = |more: &[&str]| {
        let line = ["--origin", "https://a.com", "--redirect-uri", "https://a.com/cb"];
        add_app(&folder, &[&line[..], more].concat())
    };
    for (given, kept) in [
        (&[][..], json!(["token"])),
        (&["--response-type", "code"], json!(["code"])),
        (&["--response-type", "code", "--response-type", "token"], json!(["token", "code"])),
        (&["--response-type", "code", "--response-type", "code"], json!(["code"])),
    ] {
        assert_eq!(add(given).json()["response_types"], kept);
    }
    for wrong in ["id_token", "CODE", "code token", ""] {
        add(&["--response-type", wrong])
            .assert_refused("it is not a response type; those are token and code");
    }
}

#[test]
fn a_resource_server_is_told_its_secret_once() {
    let folder = with_acme();
    let added = on(folder.path(), &["resource-server", "add", "--name", "API", "--org", "acme"]).json();
    let (id, secret) = (added["id"].as_str().unwrap(), added["secret"].as_str().unwrap());
    assert_eq!(added, json!({ "id": id, "secret": secret, "name": "API", "organization": "acme" }));
    assert_eq!((id.len(), secret.len()), (22, 43));
    let all = on(folder.path(), &["resource-server", "add", "--name", "All"]).json();
    assert_eq!(all["organization"], json!(null));
    let file = std::fs::read(folder.path().join("latchkey.db")).unwrap();
    assert!(!file.windows(43).any(|window| window == secret.as_bytes()));
    let disabled = on(folder.path(), &["resource-server", "disable", "--id", id]).json();
    assert_eq!(disabled, json!({ "id": id, "disabled": true }));
    on(folder.path(), &["resource-server", "disable", "--id", "x"])
        .assert_refused("no resource server \"x\"");
    let line = ["resource-server", "add", "--name", "API", "--org", "nobody"];
    on(folder.path(), &line).assert_refused("no organization \"nobody\"");
    on(folder.path(), &["resource-server", "add", "--name", ""]).assert_refused("--name \"\"");
}

#[test]
fn a_key_is_rotated_under_a_secret_that_only_its_owner_reads() {
    // Of a server it is in the environment alone.
    if !is_embedded() {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let folder = with_acme();
    let rotate = || on(folder.path(), &["key", "rotate"]);
    let (first, second) = (rotate().json(), rotate().json());
    assert_ne!(first["kid"], second["kid"]);
    let secret = folder.path().join("latchkey.db.secret");
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o644)).unwrap();
    rotate().assert_refused("can be read by others: run `chmod 600");
    let with_secret = |text: &str| {
        let mut command = latchkey(&["key", "rotate", "--database", &database(folder.path())]);
        command.env("LATCHKEY_SECRET", text);
        run(command)
    };
    with_secret("short").assert_refused("has fewer than 32 bytes");
    // The running server has the key under the file's secret, and would have no use for one under another.
    with_secret(&"s".repeat(32)).assert_refused("cannot be read with this secret");
    std::fs::remove_file(&secret).unwrap();
    rotate().assert_refused("is gone, and a signing key lies under it");
    assert!(!secret.exists(), "and none is made");
    let forget = on(folder.path(), &["key", "rotate", "--forget"]).json();
    assert!(forget["kid"].is_string() && secret.exists());
    assert!(rotate().json()["kid"].is_string());
}

#[test]
fn the_secret_of_the_environment_goes_before_the_file() {
    let folder = with_acme();
    let rotate = |secret: &std::ffi::OsStr| {
        let mut command = latchkey(&["key", "rotate", "--database", &database(folder.path())]);
        command.env("LATCHKEY_SECRET", secret);
        run(command)
    };
    assert!(rotate("s".repeat(32).as_ref()).json()["kid"].is_string());
    assert!(!folder.path().join("latchkey.db.secret").exists());
    let no_text: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&[0xff; 40]);
    rotate(no_text).assert_refused("LATCHKEY_SECRET is no text");
}

#[test]
fn the_database_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = with_acme();
    let file = std::fs::metadata(folder.path().join("latchkey.db")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn who_comes_back_is_asked_again() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.token(&Asking::new()).await;
    assert_eq!(person.ask(&Asking::new()).await.status, 303);
    on(&platform.folder(), &["member", "remove", "--org", "acme", "--email", MEMBER]).json();
    on(&platform.folder(), &["member", "add", "--org", "acme", "--email", MEMBER, "--role", "member"]).json();
    person.ask(&Asking::new()).await.assert_page(200, "id=\"allow\"");
}

#[test]
fn an_application_without_any_scope_is_refused() {
    let folder = with_acme();
    add_app(&folder, &["--origin", "https://a.com", "--scope", ""])
        .assert_refused("--scope \"\": none is chosen");
}

#[tokio::test]
async fn a_refresh_token_is_revoked_with_all_that_was_issued_beside_it() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    let other = platform.tokens(MEMBER).await;
    let line = ["token", "revoke", "--token-stdin"];
    let said = on_with(&platform.folder(), &line, &tokens.refresh).json();
    assert_eq!(said, json!({ "revoked": 1 }));
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    assert_eq!(Site::new(&platform, &tokens.access).get("/api/0/").await.status, 401);
    assert_eq!(platform.refresh(&other.refresh).await.status, 200);
    on_with(&platform.folder(), &line, "lkrt_x").assert_refused("does not hold an access token");
    let both = ["token", "revoke", "--token-stdin", "--org", "acme"];
    assert_eq!(on_with(&platform.folder(), &both, &other.refresh).code, Some(2), "one, or all of somebody's");
}

#[tokio::test]
async fn removing_a_member_ends_their_refresh_tokens() {
    let platform = Platform::new().await;
    let tokens = platform.tokens(MEMBER).await;
    let line = ["member", "remove", "--org", "acme", "--email", MEMBER];
    assert_eq!(on(&platform.folder(), &line).json()["tokens_revoked"], 1);
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    // Who comes back begins anew.
    on(&platform.folder(), &["member", "add", "--org", "acme", "--email", MEMBER, "--role", "member"]).json();
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
}

#[test]
fn disabling_an_account_says_which_organizations_have_no_owner_now() {
    let folder = with_ada();
    let add = ["member", "add", "--org", "acme", "--email", "ada@example.org", "--role", "owner"];
    on(folder.path(), &add).json();
    let disabled = on(folder.path(), &["user", "disable", "--email", "ada@example.org"]).json();
    assert_eq!(disabled["organizations_without_owner"], json!(["acme"]));
}
