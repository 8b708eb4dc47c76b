//! `state` comes back byte for byte, in whatever way the response does.

use crate::support::{APP, Asking, MEMBER, Person, Platform, STRANGER, anonymous};

const STATES: [&str; 14] = [
    "plain",
    "a&b=c",
    "#fragment",
    "</script><script>alert(1)</script>",
    "line\u{2028}separator\u{2029}",
    "\u{1f511}\u{fe0f}",
    "two  spaces and + and %20 and %2B",
    "\"'`<>\\",
    "?x=1&state=other",
    "\r\nSet-Cookie: a=b",
    "%00%0d%0a",
    "ü\u{301}\u{202e}",
    " leading and trailing ",
    "{{ 7 * 7 }}${7*7}",
];

#[tokio::test]
async fn with_a_token() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for state in STATES {
        let answer = person.allow(&Asking::new().with("state", state)).await;
        assert_eq!(answer.response_to(&Asking::callback(APP))["state"], state);
    }
}

#[tokio::test]
async fn with_a_code() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for state in STATES {
        let asking = Asking::code().with("state", state);
        let page = person.ask(&asking.clone().with("prompt", "consent")).await;
        for answer in [person.allow(&asking).await, person.decide(&page, "deny").await] {
            let address = url::Url::parse(answer.location()).unwrap();
            assert_eq!(address.fragment(), None);
            let states: Vec<_> = address.query_pairs().filter(|(name, _)| name == "state").collect();
            assert_eq!(states, [("state".into(), state.into())]);
        }
    }
}

#[tokio::test]
async fn with_an_error() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for state in STATES {
        let asking = Asking::new().with("state", state);
        let answer = person.ask(&asking.clone().with("scope", "x")).await;
        assert_eq!(answer.response_to(&Asking::callback(APP))["state"], state);
        let page = person.ask(&asking).await;
        let answer = person.decide(&page, "deny").await;
        assert_eq!(answer.response_to(&Asking::callback(APP))["state"], state);
    }
}

#[tokio::test]
async fn in_the_links_of_pages() {
    let platform = Platform::new().await;
    let mut stranger = Person::signed_in(&platform, STRANGER).await;
    for state in STATES {
        let asking = Asking::new().with("state", state);
        let refused = stranger.ask(&asking).await;
        let unknown_scope = anonymous(&platform, &asking.with("scope", "x").path()).await;
        for page in [refused, unknown_scope] {
            let link = url::Url::parse(&page.link("back")).unwrap();
            let found = url::form_urlencoded::parse(link.fragment().unwrap().as_bytes());
            let states: Vec<_> = found.filter(|(name, _)| name == "state").map(|(_, value)| value).collect();
            assert_eq!(states, [state]);
            assert!(!page.body.contains("<script>") && !page.body.contains('\u{202e}'));
        }
    }
}

#[tokio::test]
async fn and_is_left_out_where_there_was_none() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for asking in [Asking::new().without("state"), Asking::new().with("state", "")] {
        let answer = person.allow(&asking).await;
        assert_eq!(answer.response_to(&Asking::callback(APP)).get("state"), None);
    }
}

/// RFC 6749 appendix A.5 knows none, and not every database holds one in a text.
#[tokio::test]
async fn with_a_nul_it_is_no_text() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let answer = person.ask(&Asking::new().with("state", "nul\0byte")).await;
    answer.assert_error_page(400, "state holds a NUL");
}

#[tokio::test]
async fn up_to_1024_bytes() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let longest = "ü".repeat(512);
    let answer = person.allow(&Asking::new().with("state", &longest)).await;
    assert_eq!(answer.response_to(&Asking::callback(APP))["state"], longest);
    let answer = person.ask(&Asking::new().with("state", &(longest + "x"))).await;
    answer.assert_error_page(400, "state is longer than 1,024 bytes");
}
