//! Two real processes on one PostgreSQL server, one of them over a link that can be cut so that nobody is told: from a
//! quarter of a second after something was ended, and that was acknowledged, nobody is let through on it by either.
//!
//! The bound is one of each request by itself. What a process remembers counts until a quarter of a second after it asked
//! whether it had heard of everything, and it asked before the end of what it had not heard of. So whoever begins to ask
//! later than that is refused, however slow the machine is; how long the answer takes does not matter.

use std::time::Duration;

use axum::http::Method;
use latchkey_server::clock::Clock;

use crate::{
    cli::{Node, free_address},
    support::{APP, Asking, Link, MEMBER, Person, Platform, Site, database_of, figure, is_embedded},
};

/// From when on it counts, DESIGN §4; and the millisecond in which a process counts that.
const HEARD: Duration = Duration::from_millis(251);
/// How long an answer may take of who remembers it, by far.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long any part of it may take, by far.
const PATIENCE: Duration = Duration::from_secs(60);
/// Tokens that are ended one after the other.
const TOKENS: usize = 12;

fn now() -> Duration {
    Clock::System.elapsed()
}

/// The platform in a process of its own, over this link.
struct There {
    platform: Platform,
    link: Link,
    _node: Node,
}

impl There {
    async fn new(platform: &Platform) -> Self {
        let mut url: url::Url = database_of(&platform.folder()).parse().unwrap();
        let link = Link::to(url.port().unwrap()).await;
        url.set_port(Some(link.port())).unwrap();
        let node = Node::start(&free_address(), |command| {
            command.args(["--database", url.as_str()]);
        });
        Self { platform: platform.through(node.address), link, _node: node }
    }

    async fn status(&self, token: &str) -> u16 {
        Site::new(&self.platform, token).from(None).get("/api/0/").await.status
    }

    /// Until it answers so, from the moment on at which that is known to be right.
    async fn answers(&self, token: &str, status: u16) {
        let since = now();
        while self.status(token).await != status {
            assert!(now() - since < PATIENCE, "it never answers {status}");
        }
    }

    /// Until one more request has begun than may be let through. Returns when it was refused, if it was.
    async fn refuses(&self, token: &str, ended_at: Duration) -> Option<Duration> {
        let site = Site::new(&self.platform.within(AT_ONCE), token).from(None);
        let mut refused_after = None;
        loop {
            let asked_after = now() - ended_at;
            match site.get("/api/0/").await.status {
                200 if asked_after > HEARD || refused_after.is_some() => {
                    panic!("it opened something {asked_after:?} after it was ended: {refused_after:?}")
                }
                401 | 403 => refused_after = refused_after.or(Some(now() - ended_at)),
                _ => {}
            }
            if asked_after > HEARD {
                return refused_after;
            }
        }
    }
}

/// What ends a token, and what puts back what it stood on.
const ENDINGS: [(&str, &str); 5] = [
    ("update grants set revoked_at = 1 where revoked_at is null", ""),
    ("update applications set disabled_at = 1", "update applications set disabled_at = null"),
    ("update organizations set disabled_at = 1", "update organizations set disabled_at = null"),
    ("update users set disabled_at = 1 where id = 'max'", "update users set disabled_at = null"),
    (
        "delete from memberships where user_id = 'max'",
        "insert into memberships (organization_id, user_id, role, created_at) values ('org-acme', 'max', 'member', 1)",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_ends_the_other_refuses_within_a_quarter_of_a_second() {
    if is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let (one, other) = (There::new(&platform).await, There::new(&platform).await);
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let mut took = vec![];
    for _ in 0..TOKENS {
        let token = person.token(&Asking::new()).await;
        for there in [&one, &other] {
            there.answers(&token, 200).await;
        }
        let site = Site::new(&one.platform, "").with(None).from(None);
        let body = format!("client_id={APP}&token={token}");
        assert_eq!(site.send(Method::POST, "/oauth/revoke/", body).await.status, 200);
        let ended_at = now();
        let (here, there) = tokio::join!(one.refuses(&token, ended_at), other.refuses(&token, ended_at));
        assert!(here.is_some(), "who ended it refuses it");
        took.extend(there);
    }
    for (end, put_back) in ENDINGS {
        let token = person.token(&Asking::new()).await;
        for there in [&one, &other] {
            there.answers(&token, 200).await;
        }
        platform.execute_unheard(end).await;
        let ended_at = now();
        let both = tokio::join!(one.refuses(&token, ended_at), other.refuses(&token, ended_at));
        took.extend(both.0);
        took.extend(both.1);
        if !put_back.is_empty() {
            platform.execute_unheard(put_back).await;
            platform.hear().await;
        }
    }
    took.sort_unstable();
    let (middle, longest) = (took[took.len() / 2], took[took.len() - 1]);
    figure(&format!(
        "of {} ends half were refused by another process within {middle:?}, and all within {longest:?}",
        took.len()
    ));
    // They are told, and do not wait until what they remember is too old: so it is as long as the machine is no wreck.
    assert!(took.len() > TOKENS && middle < HEARD, "{took:?}");
}

/// Nobody tells the process that it is told nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_cut_off_in_silence_trusts_nothing_after_a_quarter_of_a_second() {
    if is_embedded() {
        return;
    }
    let platform = Platform::new().await;
    let there = There::new(&platform).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for _ in 0..2 {
        let [ended, kept] = [person.token(&Asking::new()).await, person.token(&Asking::new()).await];
        for token in [&ended, &kept] {
            there.answers(token, 200).await;
        }
        there.link.cut();
        let revoke = format!(
            "update access_tokens set revoked_at = 1 where last_four = '{}'",
            &ended[ended.len() - 4..]
        );
        platform.execute_unheard(&revoke).await;
        assert_eq!(there.refuses(&ended, now()).await, None, "it cannot know that it has ended");
        // Nor does it know of anybody else, and it says so in time.
        for token in [&ended, &kept] {
            let answer = Site::new(&there.platform, token).from(None).get("/api/0/").await;
            answer.assert_api_error(503, "temporarily_unavailable");
        }
        there.link.mend();
        there.answers(&ended, 401).await;
        there.answers(&kept, 200).await;
    }
}
