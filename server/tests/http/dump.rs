//! What somebody finds who copies the database, or who looks over a person's shoulder.

use crate::support::{Asking, Frame, MEMBER, PASSWORD, Person, Platform, VERIFIER, is_embedded};

/// What there is to copy: of a file all its bytes, of a server every table.
async fn copies(platform: &Platform) -> Vec<(String, Vec<u8>)> {
    if is_embedded() {
        let files = ["latchkey.db", "latchkey.db-wal"].map(str::to_owned);
        return files.map(|name| (name.clone(), std::fs::read(platform.folder().join(name)).unwrap())).into();
    }
    let mut tables = vec![];
    for table in platform.database.tables().await {
        let text = platform.database.lines(&table).await.concat().join("\n");
        if !text.is_empty() {
            tables.push((table, text.into_bytes()));
        }
    }
    tables
}

#[tokio::test]
async fn a_copy_of_the_database_holds_nothing_that_opens_anything() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let page = person.ask(&Asking::redirect()).await;
    let code = person.code(&Asking::code()).await;
    let first = platform.tokens(MEMBER).await;
    let second = platform.refreshed(&first.refresh).await;
    let (mut frame, mut owner) = Frame::signed_in(&platform, MEMBER).await;
    let unused = owner.handle(&Asking::new()).await;
    let mut secrets = vec![token, PASSWORD.into(), page.field("csrf"), page.field("transaction"), code];
    secrets.extend([first.access, first.refresh, second.access, second.refresh, VERIFIER.into()]);
    secrets.extend(person.cookies.values().map(|cookie| cookie.value.clone()));
    secrets.extend(frame.cookies.values().map(|cookie| cookie.value.clone()));
    secrets.extend([frame.renewed().await, unused]);
    assert_eq!(secrets.len(), 15);
    for (name, bytes) in copies(&platform).await {
        assert!(!bytes.is_empty());
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {name}");
        }
    }
}

#[tokio::test]
async fn the_copy_is_looked_at_where_things_are() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, MEMBER).await.token(&Asking::new().with("state", "canary-state")).await;
    let copies = copies(&platform).await;
    let bytes: Vec<u8> = copies.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert!(bytes.windows(8).any(|window| window == b"org-acme"), "what is no secret is found");
    assert!(bytes.windows(8).any(|window| window == b"argon2id"));
}

#[tokio::test]
async fn no_page_shows_the_token() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let answer = person.allow(&Asking::new()).await;
    assert!(answer.location().contains("lkat_") && answer.body.is_empty());
    for page in [person.ask(&Asking::redirect()).await, person.get("/").await, person.get("/login/").await] {
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("lkat_"), "{}", page.body);
    }
}
