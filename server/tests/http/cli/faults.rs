//! Processes that are killed, and a file that is lost, while the gate remembers tokens.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use latchkey_server::clock::Clock;

use super::{
    Running,
    serve::{free_address, get_with, serve, signal, start},
};
use crate::support::{APP, MEMBER, Platform, is_embedded};

/// The status with which a server answers this token.
fn status(address: &str, token: &str) -> String {
    get_with(address, "/api/0/", &format!("Authorization: Bearer {token}"))[9..12].to_owned()
}

fn revoke(address: &str, token: &str) -> String {
    let form = format!("client_id={APP}&token={token}");
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "Host: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded";
    write!(stream, "POST /oauth/revoke/ HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{form}", form.len())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer[9..12].to_owned()
}

fn kill(mut running: Running) {
    signal(&running, "-KILL");
    running.0.wait().unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_holds_though_the_server_is_killed_at_once() {
    let platform = Platform::new().await;
    let (revoked, kept) = (platform.token(MEMBER).await, platform.token(MEMBER).await);
    let address = free_address();
    let (running, _, _log) = start(serve(&platform.folder(), &address));
    for token in [&revoked, &kept] {
        assert_eq!(status(&address, token), "200");
    }
    assert_eq!(revoke(&address, &revoked), "200");
    kill(running);
    let address = free_address();
    let (_running, _, _log) = start(serve(&platform.folder(), &address));
    assert_eq!(status(&address, &revoked), "401");
    assert_eq!(status(&address, &kept), "200");
}

#[tokio::test]
async fn of_two_servers_on_one_file_the_other_hears_of_it_though_the_first_is_killed() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let (first, second) = (free_address(), free_address());
    let (running, _, _log) = start(serve(&platform.folder(), &first));
    let (_running, _, _other_log) = start(serve(&platform.folder(), &second));
    assert_eq!(status(&second, &token), "200");
    assert_eq!(revoke(&first, &token), "200");
    kill(running);
    let killed = Clock::System.elapsed();
    let mut answer = status(&second, &token);
    while answer == "200" && Clock::System.elapsed() - killed < Duration::from_secs(1) {
        answer = status(&second, &token);
    }
    assert_eq!(answer, "401");
}

#[tokio::test]
async fn a_file_that_is_lost_lets_nobody_through() {
    // What a server does is in the faults of several nodes.
    if !is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let address = free_address();
    let (_running, _, _log) = start(serve(&platform.folder(), &address));
    assert_eq!(status(&address, &token), "200");
    for name in ["latchkey.db", "latchkey.db-wal", "latchkey.db-shm"] {
        let path = platform.folder().join(name);
        let length = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
    }
    let lost = Clock::System.elapsed();
    let mut answer = status(&address, &token);
    while answer == "200" && Clock::System.elapsed() - lost < Duration::from_secs(1) {
        answer = status(&address, &token);
    }
    assert_eq!(answer, "503");
}
