//! `latchkey serve`

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use latchkey_server::clock::Clock;
use tempfile::tempdir;

use super::{Running, database, latchkey, on_with, run};
use crate::{
    gateway::Backend,
    support::{MEMBER, Person, Platform},
};

const LISTENING: &str = "listening on ";

/// A port that nobody has.
pub(crate) fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

pub(super) fn serve(folder: &Path, address: &str) -> Command {
    let database = database(folder);
    latchkey(&[
        "serve",
        "--database",
        &database,
        "--listen",
        address,
        "--public-url",
        "http://platform.localhost:8000",
    ])
}

/// Starts a server and waits until it says that it listens; returns what it said until then.
pub(crate) fn start(mut command: Command) -> (Running, String, impl Read) {
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(LISTENING) {
        assert!(lines.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    (Running(child), said, lines)
}

fn get(address: &str, path: &str) -> String {
    get_with(address, path, "Accept: */*")
}

pub(super) fn get_with(address: &str, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("Host: {address}\r\nConnection: close\r\n{header}\r\n");
    write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

pub(crate) fn signal(running: &Running, name: &str) {
    let done = Command::new("kill").args([name, &running.0.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn it_answers_and_stops_when_it_is_told_to() {
    for name in ["-TERM", "-INT"] {
        let folder = tempdir().unwrap();
        let address = free_address();
        let (mut running, said, mut rest) = start(serve(folder.path(), &address));
        assert!(said.contains(&format!("{LISTENING}{address} as http://platform.localhost:8000")), "{said}");
        assert!(get(&address, "/healthz").starts_with("HTTP/1.1 204 "));
        assert!(get(&address, "/readyz/").starts_with("HTTP/1.1 204 "));
        assert!(get(&address, "/login/").contains("<h1>Sign in</h1>"));
        signal(&running, name);
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
        let mut farewell = String::new();
        rest.read_to_string(&mut farewell).unwrap();
        assert!(farewell.contains("no HSTS is sent") && farewell.contains("stopping"), "{farewell}");
        assert!(!folder.path().join("latchkey.db-wal").exists(), "the file is whole");
    }
}

#[test]
fn it_keeps_a_request_s_secrets_out_of_its_log() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let mut command = serve(folder.path(), &address);
    command.env("LATCHKEY_LOG", "trace");
    let (mut running, mut said, mut rest) = start(command);
    for path in [
        "/oauth/authorize/?client_id=x&state=canary",
        "/login/?transaction=canary",
        "/api/0/?access_token=canary",
        "/oauth/authorize/?transaction=canary",
        "/canary/",
        "/toolbar/canary/status/",
        "/api/0/organizations/canary/",
    ] {
        get(&address, path);
    }
    signal(&running, "-TERM");
    running.0.wait().unwrap();
    rest.read_to_string(&mut said).unwrap();
    assert!(said.contains("route=\"/oauth/authorize\"") && !said.contains("canary"), "{said}");
}

#[test]
fn it_says_once_that_a_proxy_may_stand_before_it_that_nobody_named() {
    for (trusted, times) in [(None, 1), (Some("192.0.2.1"), 0)] {
        let folder = tempdir().unwrap();
        let address = free_address();
        let mut command = serve(folder.path(), &address);
        command.envs(trusted.map(|trusted| ("LATCHKEY_TRUSTED_PROXY", trusted)));
        let (mut running, mut said, mut rest) = start(command);
        for _ in 0..2 {
            let mut stream = TcpStream::connect(&address).unwrap();
            let head = "GET /oauth/authorize/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\
                        Connection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            assert!(self::rest(stream).starts_with("HTTP/1.1 400 "));
        }
        signal(&running, "-TERM");
        running.0.wait().unwrap();
        rest.read_to_string(&mut said).unwrap();
        assert_eq!(said.matches("name it with --trusted-proxy").count(), times, "{said}");
    }
}

/// What stands between these two.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no {start} in {text}"));
    rest.split_once(end).unwrap().0
}

#[test]
fn it_keeps_what_people_type_and_what_their_browsers_hold_out_of_its_log() {
    let folder = tempdir().unwrap();
    let add = ["user", "add", "--email", "ada@example.org", "--name", "Ada", "--password-stdin"];
    on_with(folder.path(), &add, "canary-password").json();
    let address = free_address();
    let mut command = serve(folder.path(), &address);
    command.env("LATCHKEY_LOG", "trace");
    let (mut running, mut said, mut rest) = start(command);
    let page = get(&address, "/login/");
    let browser = between(&page, "__Host-latchkey_browser=", ";");
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"");
    let log_in = |password: &str| {
        let form = format!("csrf={csrf}&email=ada%40example.org&password={password}");
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(
            stream,
            "POST /login/ HTTP/1.1\r\nHost: x\r\nOrigin: http://platform.localhost:8000\r\n\
             Cookie: __Host-latchkey_browser={browser}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
            form.len()
        )
        .unwrap();
        self::rest(stream)
    };
    assert!(log_in("canary-wrong").starts_with("HTTP/1.1 422 "));
    let answer = log_in("canary-password");
    assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
    let session = between(&answer, "__Host-latchkey_session=", ";");
    (0..9).for_each(|_| drop(log_in("canary-wrong")));
    signal(&running, "-TERM");
    running.0.wait().unwrap();
    rest.read_to_string(&mut said).unwrap();
    assert!(said.contains("too many attempts at passwords"), "{said}");
    for secret in ["canary", "argon2id", browser, csrf, session] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
}

#[test]
fn a_taken_port_is_named() {
    let folder = tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = run(serve(folder.path(), &address));
    said.assert_refused(&format!("cannot listen on {address}: "));
    said.assert_refused("Stop what listens there, or choose another address with --listen");
}

#[test]
fn the_public_url_is_an_origin() {
    let folder = tempdir().unwrap();
    let database = database(folder.path());
    run(latchkey(&["serve", "--database", &database])).assert_refused("--public-url is missing");
    for (url, says) in [
        ("http://platform.example", "http is accepted on loopback only"),
        ("https://platform.example/base", "it is a URL; the origin is https://platform.example"),
        ("platform.example", "it has no scheme; the origin is https://platform.example"),
    ] {
        let said = run(latchkey(&["serve", "--database", &database, "--public-url", url]));
        said.assert_refused(&format!("--public-url {url:?}: {says}"));
    }
}

#[test]
fn a_log_filter_that_makes_no_sense_is_refused() {
    let mut command = serve(tempdir().unwrap().path(), &free_address());
    command.args(["--log", "a=b=c"]);
    run(command).assert_refused("--log \"a=b=c\": ");
}

#[test]
fn a_proxy_that_is_no_address_is_refused_wherever_it_was_named() {
    let folder = tempdir().unwrap();
    let says = "--trusted-proxy \"10.0.0.0/33\": it is neither an address nor a network such as 10.0.0.0/8";
    let mut line = serve(folder.path(), &free_address());
    line.args(["--trusted-proxy", "10.0.0.1", "--trusted-proxy", "10.0.0.0/33"]);
    run(line).assert_refused(says);
    let mut environment = serve(folder.path(), &free_address());
    environment.env("LATCHKEY_TRUSTED_PROXY", "fd00::/8, 10.0.0.0/33");
    run(environment).assert_refused(says);
    let file = folder.path().join("latchkey.toml");
    std::fs::write(&file, "trusted_proxy = [\"fd00::1\", \"10.0.0.0/33\"]").unwrap();
    let mut settings = serve(folder.path(), &free_address());
    settings.arg("--config").arg(&file);
    run(settings).assert_refused(says);
}

#[test]
fn a_login_that_cuts_the_opener_is_one_option_away_and_sites_are_told() {
    let told = |prepare: &dyn Fn(&Path, &mut Command)| {
        let (folder, address) = (tempdir().unwrap(), free_address());
        let mut command = serve(folder.path(), &address);
        prepare(folder.path(), &mut command);
        let (_running, _, _log) = start(command);
        get(&address, "/toolbar/nobody/status/")
    };
    assert!(told(&|_, _| ()).contains("\"opener\":\"kept\""));
    let in_a_file = |folder: &Path, command: &mut Command| {
        let file = folder.join("latchkey.toml");
        std::fs::write(&file, "opener = \"cut\"").unwrap();
        command.arg("--config").arg(&file);
    };
    let by_line = |_: &Path, command: &mut Command| {
        command.args(["--opener", "cut"]);
    };
    let by_environment = |_: &Path, command: &mut Command| {
        command.env("LATCHKEY_OPENER", "cut");
    };
    for prepare in [&in_a_file as &dyn Fn(&Path, &mut Command), &by_line, &by_environment] {
        assert!(told(prepare).contains("\"opener\":\"cut\""));
    }
}

/// Waits until the other side ends the connection, and returns what it said.
fn rest(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_client_that_is_slow_with_its_request_s_head_is_dropped() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let mut command = serve(folder.path(), &address);
    command.args(["--header-timeout-secs", "1"]);
    let (_running, _, _stderr) = start(command);
    let mut streams =
        ["", "GET /healthz HTTP/1.1\r\nHost: x\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"].map(
            |head| {
                let mut stream = TcpStream::connect(&address).unwrap();
                stream.write_all(head.as_bytes()).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                stream
            },
        );
    let answers = streams.each_mut().map(|stream| rest(stream.try_clone().unwrap()));
    assert!(!answers[0].contains("204") && !answers[1].contains("204"), "{answers:?}");
    assert!(answers[2].starts_with("HTTP/1.1 204 "), "who was answered may stay idle no longer: {answers:?}");
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 204 "), "the server goes on");
}

#[test]
fn so_many_connections_are_open_at_once_and_the_next_one_waits() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let mut command = serve(folder.path(), &address);
    command.env("LATCHKEY_MAX_CONNECTIONS", "2");
    let (_running, _, _stderr) = start(command);
    let held: Vec<_> = (0..2).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let mut waiting = TcpStream::connect(&address).unwrap();
    write!(waiting, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    waiting.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(waiting.read(&mut [0]).is_err(), "there is no place");
    drop(held);
    waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert!(rest(waiting).starts_with("HTTP/1.1 204 "));
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let (_running, _, _stderr) = start(serve(folder.path(), &address));
    let mut stream = TcpStream::connect(&address).unwrap();
    // The server hangs up in the middle; how much of it was written by then is not the question.
    let _ = write!(stream, "GET /login/?x={} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1 << 20));
    let mut answer = [0; 12];
    let read = stream.read(&mut answer).unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(["", "HTTP/1.1 414", "HTTP/1.1 431"].contains(&&*answer), "{answer}");
    assert!(get(&address, "/healthz").starts_with("HTTP/1.1 204 "), "the server goes on");
}

#[test]
fn the_server_hands_on_who_asks() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let (_running, _, _stderr) = start(serve(folder.path(), &address));
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = "POST /login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert!(
        rest(stream).starts_with("HTTP/1.1 403 "),
        "a form from nowhere, not a failure to tell its sender"
    );
}

#[test]
fn a_request_that_is_under_way_is_finished_when_the_server_ends() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let (mut running, _, mut stderr) = start(serve(folder.path(), &address));
    let mut stream = TcpStream::connect(&address).unwrap();
    let head = "POST /oauth/revoke/ HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\nExpect: 100-continue\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut begun = [0; 25];
    stream.read_exact(&mut begun).unwrap();
    assert_eq!(String::from_utf8_lossy(&begun), "HTTP/1.1 100 Continue\r\n\r\n");
    signal(&running, "-TERM");
    let mut said = String::new();
    let mut lines = BufReader::new(&mut stderr);
    while !said.contains("stopping") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    stream.write_all(b"token=a&client_id").unwrap();
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 401 ") && answer.contains("client_id is missing"), "{answer}");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

#[test]
fn it_answers_though_nobody_reads_its_log() {
    let folder = tempdir().unwrap();
    let address = free_address();
    let (_running, _, log) = start(serve(folder.path(), &address));
    drop(log);
    assert!(get(&address, "/api/0/").starts_with("HTTP/1.1 401 "));
}

/// The platform's own backend behind the gate, by the option and by the file of settings.
#[tokio::test(flavor = "multi_thread")]
async fn a_backend_is_one_option_away() {
    let backend = Backend::new().await;
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let folder = platform.folder();
    let settings = folder.join("latchkey.toml");
    let prefix = "/api/0/organizations/{organization}/issues";
    let text = format!(
        "[[upstreams]]\nurl = \"{}\"\nprefix = \"{prefix}\"\nscopes = {{ GET = \"org:read\" }}\n",
        backend.url()
    );
    std::fs::write(&settings, text).unwrap();
    for option in ["--upstream", "--config"] {
        let address = free_address();
        let mut command = serve(&folder, &address);
        command.arg(option).arg(if option == "--config" {
            settings.display().to_string()
        } else {
            backend.url()
        });
        let (_running, _, _log) = start(command);
        let authorization = format!("Authorization: Bearer {token}");
        for (path, status) in
            [("/api/0/organizations/acme/issues/", "200"), ("/api/0/organizations/globex/issues/", "403")]
        {
            let answer = get_with(&address, path, &authorization);
            assert_eq!(&answer[9..12], status, "{option}: {answer}");
        }
    }
    assert_eq!(backend.asked().len(), 2);
}

#[test]
fn a_backend_that_cannot_be_is_named() {
    let folder = tempdir().unwrap();
    let settings = folder.path().join("latchkey.toml");
    for (text, says) in [
        ("upstream = \"ftp://a\"", "upstream \"ftp://a\": url is http://HOST:PORT or https://HOST:PORT"),
        (
            "[[upstreams]]\nurl = \"http://a\"\nprefix = \"/oauth\"",
            "upstream \"http://a\": prefix is this server's own",
        ),
        ("[[upstreams]]\nurl = \"http://a\"\nprefx = \"/a\"", "unknown field `prefx`"),
        (
            "[[guarded]]\nprefix = \"/a\"\nscopes = { GET = \"all\" }",
            "guarded \"/a\": scopes names \"all\", which is not a scope",
        ),
        ("[[guarded]]\nprefix = \"/a\"", "missing field `scopes`"),
    ] {
        std::fs::write(&settings, text).unwrap();
        let mut command = serve(folder.path(), &free_address());
        command.arg("--config").arg(&settings);
        run(command).assert_refused(says);
    }
}

#[test]
fn its_log_is_for_people_or_for_programs() {
    for (format, is_json) in [("text", false), ("json", true)] {
        let folder = tempdir().unwrap();
        let address = free_address();
        let mut command = serve(folder.path(), &address);
        command.args(["--log-format", format]);
        let (mut running, said, mut rest) = start(command);
        get(&address, "/api/0/");
        signal(&running, "-TERM");
        running.0.wait().unwrap();
        let mut log = said;
        rest.read_to_string(&mut log).unwrap();
        let objects =
            log.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).count();
        assert_eq!(objects == log.lines().count(), is_json, "{log}");
        assert!(log.contains("api call refused"), "{log}");
    }
}

/// What the command line does beside a server that remembers the token: refused within a second.
#[tokio::test]
async fn what_another_process_does_counts_within_a_second() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let address = free_address();
    let (_running, _, _log) = start(serve(&platform.folder(), &address));
    let authorization = format!("Authorization: Bearer {token}");
    let status = || get_with(&address, "/api/0/", &authorization)[9..12].to_owned();
    for _ in 0..3 {
        assert_eq!(status(), "200");
    }
    on_with(&platform.folder(), &["member", "remove", "--org", "acme", "--email", MEMBER], "").json();
    let removed = Clock::System.elapsed();
    let mut refused = status();
    while refused == "200" && Clock::System.elapsed() - removed < Duration::from_secs(1) {
        refused = status();
    }
    assert_eq!(refused, "401", "removing a member revokes what they allowed there");
}

/// From the first minute on.
#[tokio::test]
async fn what_has_expired_is_deleted_while_it_runs() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, MEMBER).await;
    platform.execute("update sessions set expires_at = 1").await;
    let sessions = "select count(*) from sessions";
    assert_eq!(platform.count(sessions).await, 1);
    let (_running, _, _log) = start(serve(&platform.folder(), &free_address()));
    let began = Clock::System.elapsed();
    while platform.count(sessions).await > 0 {
        assert!(Clock::System.elapsed() - began < Duration::from_secs(20), "it is still there");
    }
}
