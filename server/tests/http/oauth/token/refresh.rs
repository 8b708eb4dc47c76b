//! `grant_type=refresh_token`.

use latchkey_server::config::{Limits, Rate};

use crate::support::{ADMIN, Database, Form, MEMBER, Platform, Site, Tokens};

const DAY: i64 = 24 * 3600;

async fn is_live(platform: &Platform, access: &str) -> bool {
    Site::new(platform, access).get("/api/0/").await.status == 200
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_and_the_old_access_token_lives_out_its_hour() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    platform.advance(60);
    let second = platform.refreshed(&first.refresh).await;
    assert!(first.access != second.access && first.refresh != second.refresh);
    assert_eq!(first.scope, second.scope);
    assert_eq!(second.id_token, None);
    assert!(is_live(&platform, &first.access).await && is_live(&platform, &second.access).await);
    platform.advance(3599);
    assert!(!is_live(&platform, &first.access).await && is_live(&platform, &second.access).await);
}

/// The answer may have been lost, or two of the site's tabs asked at once.
#[tokio::test]
async fn asked_again_within_30_s_it_answers_with_the_same_successor() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    let second = platform.refreshed(&first.refresh).await;
    platform.advance(30);
    let again = platform.refreshed(&first.refresh).await;
    assert_eq!(again.refresh, second.refresh);
    assert_ne!(again.access, second.access);
    assert_eq!(platform.count("select count(*) from refresh_tokens").await, 2);
    assert_eq!(platform.refresh(&second.refresh).await.status, 200, "and that one works");
}

#[tokio::test]
async fn used_again_later_it_ends_the_line() {
    let platform = Platform::new().await;
    let (first, other) = (platform.tokens(MEMBER).await, platform.tokens(MEMBER).await);
    let second = platform.refreshed(&first.refresh).await;
    platform.advance(31);
    platform.refresh(&first.refresh).await.assert_api_error(400, "invalid_grant");
    platform.refresh(&second.refresh).await.assert_api_error(400, "invalid_grant");
    assert!(!is_live(&platform, &second.access).await && !is_live(&platform, &first.access).await);
    assert!(is_live(&platform, &other.access).await, "and no other line");
    assert_eq!(platform.refresh(&other.refresh).await.status, 200);
}

/// Who used the successor has it: nobody needs to be told again.
#[tokio::test]
async fn used_again_after_its_successor_was_it_ends_the_line_at_once() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    let second = platform.refreshed(&first.refresh).await;
    let third = platform.refreshed(&second.refresh).await;
    let kept = "select count(*) from refresh_tokens where successor is not null";
    assert_eq!(platform.count(kept).await, 1, "the first one's is gone");
    platform.refresh(&first.refresh).await.assert_api_error(400, "invalid_grant");
    platform.refresh(&third.refresh).await.assert_api_error(400, "invalid_grant");
    assert!(!is_live(&platform, &third.access).await);
}

#[tokio::test]
async fn of_fifty_refreshes_at_once_one_line_is_left() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    let attempts = (0..50).map(|_| {
        let (platform, token) = (platform.clone(), first.refresh.clone());
        tokio::spawn(async move { platform.refreshed(&token).await })
    });
    let mut successors = vec![];
    for attempt in attempts.collect::<Vec<_>>() {
        successors.push(attempt.await.unwrap().refresh);
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(platform.count("select count(*) from refresh_tokens where used_at is null").await, 1);
    assert_eq!(platform.refresh(&successors[0]).await.status, 200);
}

#[tokio::test]
async fn a_line_that_nobody_uses_ends_after_thirty_days() {
    for (secs, status) in [(30 * DAY - 1, 200), (30 * DAY, 400)] {
        let platform = Platform::new().await;
        let first = platform.tokens(MEMBER).await;
        platform.advance(secs);
        assert_eq!(platform.refresh(&first.refresh).await.status, status, "{secs}");
    }
}

#[tokio::test]
async fn a_line_ends_after_ninety_days_however_often_it_is_used() {
    let platform = Platform::new().await;
    let mut tokens = platform.tokens(MEMBER).await;
    for _ in 0..3 {
        platform.advance(29 * DAY);
        tokens = platform.refreshed(&tokens.refresh).await;
    }
    platform.advance(3 * DAY - 10);
    let answer = platform.refresh(&tokens.refresh).await;
    assert_eq!(answer.json()["expires_in"], 10, "no token outlives the line");
    tokens = Tokens::of(&answer);
    platform.advance(10);
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    assert!(!is_live(&platform, &tokens.access).await);
}

/// Not even what was answered a moment ago, while the line lived.
#[tokio::test]
async fn asked_again_after_the_line_s_end_it_answers_with_nothing() {
    let platform = Platform::new().await;
    let mut tokens = platform.tokens(MEMBER).await;
    for _ in 0..3 {
        platform.advance(29 * DAY);
        tokens = platform.refreshed(&tokens.refresh).await;
    }
    platform.advance(3 * DAY - 10);
    platform.refreshed(&tokens.refresh).await;
    platform.advance(9);
    platform.refreshed(&tokens.refresh).await;
    let issued = platform.issued().await;
    platform.advance(1);
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    assert_eq!(platform.issued().await, issued);
    assert_eq!(platform.count("select count(*) from grants where revoked_at is not null").await, 0);
}

#[tokio::test]
async fn a_scope_may_be_narrower_and_never_wider() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    let with = |token: &str, scope: &str| Form::refresh(token).with("scope", scope);
    for wrong in ["project:write", "openid", "org:read profile", "org:everything", "ORG:READ"] {
        platform.exchange(&with(&first.refresh, wrong)).await.assert_api_error(400, "invalid_scope");
    }
    let narrow = Tokens::of(&platform.exchange(&with(&first.refresh, "event:read")).await);
    assert_eq!(narrow.scope, "event:read");
    let site = Site::new(&platform, &narrow.access);
    site.get("/api/0/organizations/acme/projects/").await.assert_api_error(403, "insufficient_scope");
    // RFC 6749 §6: the refresh token itself keeps what was granted.
    assert_eq!(platform.refreshed(&narrow.refresh).await.scope, first.scope);
}

#[tokio::test]
async fn a_role_counts_as_it_is_now() {
    let platform = Platform::new().await;
    let first = platform.tokens(ADMIN).await;
    assert!(first.scope.contains("project:write"));
    platform.execute("update memberships set role = 'member' where user_id = 'arno'").await;
    let second = platform.refreshed(&first.refresh).await;
    assert!(second.scope.contains("project:read"), "{}", second.scope);
    platform.execute("update memberships set role = 'admin' where user_id = 'arno'").await;
    assert_eq!(platform.refreshed(&second.refresh).await.scope, first.scope);
}

/// The line goes on; who holds an old token of it is found out, however old that is.
#[tokio::test]
async fn used_again_after_its_own_thirty_days_it_still_ends_the_line() {
    let platform = Platform::new().await;
    let first = platform.tokens(MEMBER).await;
    platform.advance(20 * DAY);
    let second = platform.refreshed(&first.refresh).await;
    platform.advance(20 * DAY);
    let third = platform.refreshed(&second.refresh).await;
    latchkey_server::retention::sweep(&platform.app).await.unwrap();
    platform.refresh(&first.refresh).await.assert_api_error(400, "invalid_grant");
    platform.refresh(&third.refresh).await.assert_api_error(400, "invalid_grant");
    assert!(!is_live(&platform, &third.access).await);
}

/// Each refresh leaves a row for as long as the line lives.
#[tokio::test]
async fn a_line_is_refreshed_so_often_and_no_oftener() {
    let limits = Limits { refreshes: Rate::new(2, 60), ..Limits::default() };
    let platform = Platform::limited(limits).await;
    let (mut tokens, other) = (platform.tokens(MEMBER).await, platform.tokens(ADMIN).await);
    for _ in 0..2 {
        tokens = platform.refreshed(&tokens.refresh).await;
    }
    let answer = platform.refresh(&tokens.refresh).await;
    answer.assert_api_error(429, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(platform.refresh(&other.refresh).await.status, 200, "and no other line");
    platform.advance(1);
    assert_eq!(platform.refresh(&tokens.refresh).await.status, 200, "nothing was lost");
}

/// What is done at every refresh and in every round of the sweep is led by an index that holds nothing of what was
/// replaced long ago.
#[tokio::test]
async fn a_line_that_was_refreshed_often_is_no_longer_in_two_of_its_indexes() {
    let platform = Platform::new().await;
    let partial = match platform.database {
        Database::Sqlite(_) => {
            "select name from pragma_index_list('refresh_tokens') where partial order by name"
        }
        Database::Postgres(_) => {
            "select indexname::text from pg_indexes
             where tablename = 'refresh_tokens' and indexdef like '% WHERE %' order by indexname"
        }
    };
    let expected = ["refresh_tokens_unused_by_expiry", "refresh_tokens_with_successor"];
    assert_eq!(platform.texts(partial).await, expected);
}
