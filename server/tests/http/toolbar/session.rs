//! `/toolbar/{client_id}/session/`: a sign-in that goes on after a reload.

use latchkey_server::config::{Config, Lifetimes, Limits, Rate};

use crate::support::{
    ACME_SITE, APP, Asking, Form, Frame, GLOBEX_APP, GLOBEX_SITE, MEMBER, PASSWORD, PLATFORM, Person,
    Platform, Site, Tokens,
};

const SIBLING: &str = "https://shop.acme.example";
const DAY: i64 = 24 * 3600;

/// A request by the callback, for a code.
fn code() -> Asking {
    Asking::code().with("redirect_uri", &Asking::callback(APP)).with("origin", ACME_SITE)
}

#[tokio::test]
async fn a_sign_in_goes_on_with_the_same_rights() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let handle = person.handle(&Asking::new().with("scope", "project:read")).await;
    let mut frame = Frame::new(&platform);
    let opened = frame.open(&handle).await;
    assert_eq!((opened.status, opened.body.as_str()), (204, ""));
    let token = frame.renewed().await;
    let api = Site::new(&platform, &token).get("/api/0/").await.json();
    assert_eq!(api["user"]["id"], "max");
    assert_eq!(api["organization"]["slug"], "acme");
    assert_eq!(api["scopes"], serde_json::json!(["project:read"]));
    let again = frame.renew().await.json();
    assert_eq!(
        (&again["token_type"], &again["expires_in"], &again["scope"]),
        (&"Bearer".into(), &3600.into(), &"project:read".into())
    );
    assert_ne!(again["access_token"], token.as_str());
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200, "the old one lives on");
}

#[tokio::test]
async fn the_cookie_is_the_frame_s_alone() {
    let platform = Platform::new().await;
    let (frame, _) = Frame::signed_in(&platform, MEMBER).await;
    let [(name, cookie)] = Vec::from_iter(&frame.cookies).try_into().unwrap();
    assert!(name.starts_with("__Host-latchkey_frame_"), "{name}");
    assert_eq!(
        cookie.attributes,
        ["HttpOnly", "Max-Age=604800", "Partitioned", "Path=/", "SameSite=None", "Secure"]
    );
}

#[tokio::test]
async fn a_handle_is_used_once() {
    let platform = Platform::new().await;
    let handle = Person::signed_in(&platform, MEMBER).await.handle(&Asking::new()).await;
    let (mut first, mut second) = (Frame::new(&platform), Frame::new(&platform));
    assert_eq!(first.open(&handle).await.status, 204);
    second.open(&handle).await.assert_api_error(403, "session_expired");
    assert!(second.cookies.is_empty());
    first.renewed().await;
}

#[tokio::test]
async fn a_handle_lives_for_a_minute() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let (early, late) = (person.handle(&Asking::new()).await, person.handle(&Asking::new()).await);
    platform.advance(59);
    assert_eq!(Frame::new(&platform).open(&early).await.status, 204);
    platform.advance(1);
    Frame::new(&platform).open(&late).await.assert_api_error(403, "session_expired");
}

#[tokio::test]
async fn a_handle_is_for_one_application_on_one_site_and_no_other_uses_it_up() {
    let platform = Platform::new().await;
    let handle = Person::signed_in(&platform, MEMBER).await.handle(&Asking::new()).await;
    let own = || Frame::new(&platform);
    for mut other in [
        Frame { client_id: GLOBEX_APP.into(), ..own() },
        Frame { client_id: "nobody".into(), ..own() },
        own().on(SIBLING),
        own().on(GLOBEX_SITE),
        own().on("https://evil.example"),
        own().on(PLATFORM),
    ] {
        other.open(&handle).await.assert_api_error(403, "session_expired");
    }
    for wrong in
        ["", "null", "http://www.acme.example", "https://www.acme.example/", "HTTPS://WWW.ACME.EXAMPLE/path"]
    {
        own().on(wrong).open(&handle).await.assert_api_error(400, "invalid_request");
    }
    assert_eq!(own().open(&handle).await.status, 204);
}

#[tokio::test]
async fn no_token_and_no_code_makes_a_session() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let tokens = platform.tokens(MEMBER).await;
    let code = person.code(&code()).await;
    for wrong in [&token, &tokens.access, &tokens.refresh, &code, person.session().unwrap()] {
        Frame::new(&platform).open(wrong).await.assert_api_error(403, "session_expired");
    }
    // Nor does a token that comes along with what would.
    let handle = person.handle(&Asking::new()).await;
    let bearer = format!("Bearer {token}");
    let mut frame = Frame::new(&platform).with("authorization", Some(&bearer));
    frame.open(&handle).await.assert_api_error(403, "session_required");
    let mut frame = frame.with("authorization", None);
    assert_eq!(frame.open(&handle).await.status, 204);
    frame.with("authorization", Some(&bearer)).renew().await.assert_api_error(403, "session_required");
}

#[tokio::test]
async fn only_the_frame_s_own_script_is_answered() {
    let platform = Platform::new().await;
    let (frame, mut person) = Frame::signed_in(&platform, MEMBER).await;
    let handle = person.handle(&Asking::new()).await;
    for mut other in [
        frame.clone().with("latchkey-frame", None),
        frame.clone().with("latchkey-frame", Some("0")),
        frame.clone().with("origin", None),
        frame.clone().with("origin", None).with("sec-fetch-site", Some("same-origin")),
        frame.clone().with("origin", Some(ACME_SITE)),
        frame.clone().with("origin", Some(SIBLING)),
        frame.clone().with("origin", Some("null")),
        frame.clone().with("sec-fetch-site", Some("cross-site")),
        frame.clone().with("sec-fetch-site", Some("same-site")),
    ] {
        for answer in [other.open(&handle).await, other.renew().await, other.end().await] {
            answer.assert_api_error(403, "forged_request");
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    frame.clone().renewed().await;
    assert_eq!(frame.clone().open(&handle).await.status, 204);
}

/// It may be on its way: the page before was left while it was being made.
#[tokio::test]
async fn whether_a_browser_has_the_cookie_may_be_asked_without_an_error() {
    let platform = Platform::new().await;
    let mut frame = Frame::new(&platform);
    frame.has_no_session().await;
    let handle = Person::signed_in(&platform, MEMBER).await.handle(&Asking::new()).await;
    frame.open(&handle).await;
    frame.renewed().await;
}

/// Two sites of one registrable domain share the jar.
#[tokio::test]
async fn the_session_of_one_site_opens_nothing_on_another() {
    let platform = Platform::new().await;
    let (mut frame, mut person) = Frame::signed_in(&platform, MEMBER).await;
    frame.clone().on(SIBLING).has_no_session().await;
    Frame { client_id: GLOBEX_APP.into(), ..frame.clone() }.has_no_session().await;
    // Both sites' sessions stand beside each other, and neither is the other's under whatever name.
    let own: Vec<String> = frame.cookies.keys().cloned().collect();
    let handle = person.handle(&Asking::new().with("origin", SIBLING)).await;
    frame = frame.on(SIBLING);
    assert_eq!(frame.open(&handle).await.status, 204);
    assert_eq!(frame.cookies.len(), 2);
    frame.renewed().await;
    let sibling = frame.cookies.keys().find(|name| !own.contains(name)).unwrap().clone();
    let stolen = frame.cookies[&own[0]].clone();
    frame.cookies.insert(sibling, stolen);
    frame.renew().await.assert_api_error(403, "session_expired");
    frame.on(ACME_SITE).renewed().await;
}

/// What a site leaves to its frame, a frame that hands tokens out does not find in the same jar.
#[tokio::test]
async fn a_session_whose_token_the_frame_keeps_opens_nothing_where_the_page_gets_it() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let handle = person.handle(&Asking::for_frame()).await;
    let mut keeping = Frame { tokens: Some("frame"), ..Frame::new(&platform) };
    assert_eq!(keeping.open(&handle).await.status, 204);
    for tokens in [None, Some("page")] {
        let mut handing = Frame { tokens, ..keeping.clone() };
        handing.has_no_session().await;
        assert_eq!(handing.end().await.status, 204);
    }
    Frame { tokens: Some(""), ..keeping.clone() }.has_no_session().await;
    let mut other = Frame { tokens: Some("both"), ..keeping.clone() };
    other.renew().await.assert_api_error(400, "invalid_request");
    keeping.renewed().await;
    // And the other way round; each is ended by whom it is for.
    let handle = person.handle(&Asking::new()).await;
    let mut handing = Frame { tokens: Some("page"), ..keeping.clone() };
    assert_eq!(handing.open(&handle).await.status, 204);
    assert_eq!(handing.cookies.len(), 2);
    assert_eq!(handing.end().await.status, 204);
    handing.renew().await.assert_api_error(403, "session_expired");
    let mut keeping = Frame { tokens: Some("frame"), ..handing };
    keeping.renewed().await;
}

/// Whatever is said later of who holds the token: it was allowed to one of the two.
#[tokio::test]
async fn a_sign_in_is_for_the_page_or_for_the_frame_and_never_becomes_the_other_s() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for (asking, own, other) in [(Asking::new(), "page", "frame"), (Asking::for_frame(), "frame", "page")] {
        let handle = person.handle(&asking).await;
        let mut wrong = Frame { tokens: Some(other), ..Frame::new(&platform) };
        wrong.open(&handle).await.assert_api_error(403, "session_expired");
        assert!(wrong.cookies.is_empty());
        let mut right = Frame { tokens: Some(own), ..Frame::new(&platform) };
        assert_eq!(right.open(&handle).await.status, 204);
        // And under the name of the other's cookie it opens nothing, either.
        let handle = person.handle(&if own == "page" { Asking::for_frame() } else { Asking::new() }).await;
        let mut crossed = Frame { tokens: Some(other), ..Frame::new(&platform) };
        assert_eq!(crossed.open(&handle).await.status, 204);
        let cookie = right.cookies.values().next().unwrap().clone();
        for (_, kept) in crossed.cookies.iter_mut() {
            kept.clone_from(&cookie);
        }
        crossed.renew().await.assert_api_error(403, "session_expired");
        right.renewed().await;
    }
}

/// Each ends the sign-in by the way that people and admins have; by the issuing function alone see `oauth/issue.rs`.
#[tokio::test]
async fn whatever_ends_the_sign_in_ends_the_session() {
    for (end, code) in [
        ("sign out", "session_expired"),
        ("end it", "session_expired"),
        ("leave", "membership_required"),
        ("change the password", "session_expired"),
        ("take the site away", "session_expired"),
        ("disable the application", "session_expired"),
        ("delete the application", "session_expired"),
    ] {
        let platform = Platform::new().await;
        let (mut frame, mut person) = Frame::signed_in(&platform, MEMBER).await;
        let unused = person.handle(&Asking::new()).await;
        let mut owner = Person::signed_in(&platform, "ada@example.org").await;
        let application = format!("/organizations/acme/applications/{APP}/");
        let answer = match end {
            "sign out" => {
                let csrf = person.csrf("logout");
                person.post("/logout/", &[("csrf", &csrf)]).await
            }
            "end it" => {
                let page = person.get("/account/applications/").await;
                let csrf = page.csrf("/account/applications/");
                person.post("/account/applications/", &[("csrf", &csrf), ("client_id", APP)]).await
            }
            "leave" => {
                let path = "/organizations/acme/members/max/remove/";
                let csrf = owner.get(path).await.csrf(path);
                owner.post(path, &[("csrf", &csrf)]).await
            }
            "change the password" => {
                let csrf = person.get("/account/password/").await.csrf("/account/password/");
                let new = "another horse battery staple";
                let form = [("csrf", csrf.as_str()), ("current_password", PASSWORD), ("new_password", new)];
                person.post("/account/password/", &form).await
            }
            "take the site away" => {
                let path = format!("{application}edit/");
                let page = owner.get(&path).await;
                let (csrf, revision) = (page.csrf(&path), page.field("revision"));
                let form = [
                    ("csrf", csrf.as_str()),
                    ("revision", &revision),
                    ("name", "Acme toolbar"),
                    ("allowed_origins", SIBLING),
                    ("scope.project:read", "on"),
                    ("response_type.token", "on"),
                ];
                owner.post(&path, &form).await
            }
            verb => {
                let path = format!("{application}{}/", verb.split(' ').next().unwrap());
                let csrf = owner.get(&path).await.csrf(&path);
                owner.post(&path, &[("csrf", &csrf), ("confirm", APP)]).await
            }
        };
        assert_eq!(answer.status, 303, "{end}: {}", answer.body);
        frame.renew().await.assert_api_error(403, code);
        Frame::new(&platform).open(&unused).await.assert_api_error(403, code);
    }
}

/// By the issuing function's own look, where nothing ended the sign-in itself.
#[tokio::test]
async fn a_site_that_is_not_on_the_list_any_more_is_told_so() {
    let platform = Platform::new().await;
    let (mut frame, _) = Frame::signed_in(&platform, MEMBER).await;
    platform.execute(&format!("delete from application_origins where origin = '{ACME_SITE}'")).await;
    frame.renew().await.assert_api_error(403, "origin_not_allowed");
}

#[tokio::test]
async fn signing_out_in_the_frame_ends_every_token_of_the_sign_in() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let other = person.token(&Asking::new()).await;
    let answer = person.allow(&Asking::new()).await;
    let response = answer.response_to(&Asking::callback(APP));
    let mut frame = Frame::new(&platform);
    frame.open(&response["handle"]).await;
    let renewed = frame.renewed().await;
    let mut another_tab = frame.clone();
    let ended = frame.end().await;
    assert_eq!((ended.status, ended.body.as_str()), (204, ""));
    // An answer that is late would take the cookie of who has signed in since.
    assert_eq!(ended.header("set-cookie"), None);
    assert_eq!(another_tab.clone().renew().await.header("set-cookie"), None);
    for token in [&response["access_token"], &renewed] {
        assert_eq!(Site::new(&platform, token).get("/api/0/").await.status, 401);
    }
    another_tab.renew().await.assert_api_error(403, "session_expired");
    assert_eq!(Site::new(&platform, &other).get("/api/0/").await.status, 200, "another sign-in is not meant");
    for _ in 0..2 {
        assert_eq!(frame.end().await.status, 204, "there is nothing to learn");
    }
}

/// Who signs out and leaves the page at once has no cookie yet, and would have it a moment later.
#[tokio::test]
async fn a_session_ends_by_its_handle_before_and_after_it_is_made() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let end = async |frame: Frame, handle: &str| {
        let ended = frame.with("latchkey-handle", Some(handle)).end().await;
        assert_eq!((ended.status, ended.body.as_str()), (204, ""));
    };
    let (handle, other) = (person.handle(&Asking::new()).await, person.handle(&Asking::new()).await);
    let mut frame = Frame::new(&platform);
    assert_eq!(frame.open(&other).await.status, 204);
    // What is another's, or nobody's, is nobody's to end.
    for frame in [
        Frame { client_id: GLOBEX_APP.into(), ..Frame::new(&platform) },
        Frame { tokens: Some("frame"), ..Frame::new(&platform) },
        Frame::new(&platform).on(SIBLING),
    ] {
        end(frame.clone(), &handle).await;
        end(frame, &other).await;
    }
    end(Frame::new(&platform), "lkfh_unknown").await;
    frame.renewed().await;

    end(Frame::new(&platform), &other).await;
    frame.renew().await.assert_api_error(403, "session_expired");
    end(Frame::new(&platform), &handle).await;
    Frame::new(&platform).open(&handle).await.assert_api_error(403, "session_expired");
}

#[tokio::test]
async fn a_session_ends_with_the_one_that_takes_its_place() {
    let platform = Platform::new().await;
    let (mut frame, mut person) = Frame::signed_in(&platform, MEMBER).await;
    let token = frame.renewed().await;
    let mut another_tab = frame.clone();
    let handle = person.handle(&Asking::new()).await;
    frame.clone().open("no handle").await.assert_api_error(403, "session_expired");
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200, "nothing took its place");
    assert_eq!(frame.open(&handle).await.status, 204);
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 401);
    another_tab.renew().await.assert_api_error(403, "session_expired");
    frame.renewed().await;
}

#[tokio::test]
async fn a_session_ends_by_itself_however_often_it_is_used() {
    let platform = Platform::new().await;
    let (mut frame, _) = Frame::signed_in(&platform, MEMBER).await;
    for _ in 0..6 {
        platform.advance(DAY);
        frame.renewed().await;
    }
    platform.advance(DAY - 60);
    assert_eq!(frame.renew().await.json()["expires_in"], 60, "and no token outlives it");
    platform.advance(60);
    frame.renew().await.assert_api_error(403, "session_expired");
}

#[tokio::test]
async fn a_session_is_never_longer_than_the_platform_s() {
    let lifetimes = Lifetimes { session_secs: 3600, ..Lifetimes::default() };
    let platform = Platform::with(Config { lifetimes, ..Platform::config() }).await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.advance(600);
    let handle = person.handle(&Asking::new()).await;
    let mut frame = Frame::new(&platform);
    frame.open(&handle).await;
    assert!(frame.cookies.values().next().unwrap().attributes.contains(&"Max-Age=3000".into()));
    platform.advance(2999);
    frame.renewed().await;
    platform.advance(1);
    frame.renew().await.assert_api_error(403, "session_expired");
}

#[tokio::test]
async fn a_code_brings_a_handle_too_and_each_works_without_the_other() {
    for exchanged_first in [true, false] {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let answer = person.allow(&code()).await;
        let (_, query) = answer.location().split_once('?').unwrap();
        let find = |name| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs.find(|(known, _)| known == name).unwrap().1.into_owned()
        };
        let exchange = Form::code(&find("code")).with("redirect_uri", &Asking::callback(APP));
        let mut frame = Frame::new(&platform);
        if exchanged_first {
            platform.exchange(&exchange).await;
            assert_eq!(frame.open(&find("handle")).await.status, 204);
        } else {
            assert_eq!(frame.open(&find("handle")).await.status, 204);
            platform.advance(59);
        }
        frame.renewed().await;
        if !exchanged_first {
            let tokens = Tokens::of(&platform.exchange(&exchange).await);
            // The line of refresh tokens is as long as ever, and goes with the sign-in.
            platform.advance(20 * DAY);
            let tokens = platform.refreshed(&tokens.refresh).await;
            frame.renew().await.assert_api_error(403, "session_expired");
            platform.refreshed(&tokens.refresh).await;
        }
    }
}

#[tokio::test]
async fn a_redirect_uri_of_a_site_gets_no_handle() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for asking in [Asking::redirect(), Asking::code()] {
        let answer = person.allow(&asking).await;
        assert!(!answer.location().contains("handle"), "{}", answer.location());
    }
    let refused = person.ask(&Asking::new().with("prompt", "consent")).await;
    assert!(!person.decide(&refused, "deny").await.location().contains("handle"));
    assert_eq!(platform.count("select count(*) from frame_sessions").await, 0);
}

#[tokio::test]
async fn one_sign_in_is_renewed_only_so_often() {
    let limits = Limits { refreshes: Rate::new(2, 1), ..Limits::default() };
    let platform = Platform::limited(limits).await;
    let (mut frame, _) = Frame::signed_in(&platform, MEMBER).await;
    frame.renewed().await;
    frame.renewed().await;
    let answer = frame.renew().await;
    answer.assert_api_error(429, "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(frame.cookies.len(), 1, "and is not over");
    platform.advance(60);
    frame.renewed().await;
}

#[tokio::test]
async fn what_cannot_be_written_down_is_only_refused_for_now() {
    let platform = Platform::new().await;
    let (mut frame, _) = Frame::signed_in(&platform, MEMBER).await;
    platform.app.store.close().await;
    assert_eq!(frame.renew().await.status, 503);
    assert_eq!(frame.cookies.len(), 1);
}

#[tokio::test]
async fn each_new_token_is_in_the_organization_s_log_and_no_secret_is() {
    let platform = Platform::new().await;
    let (mut frame, _) = Frame::signed_in(&platform, MEMBER).await;
    frame.renewed().await;
    frame.end().await;
    let actions = "select action || ' ' || actor_kind from audit_log
                   where action in ('token.issued', 'grant.revoked') order by id";
    let expected = ["token.issued person", "token.issued application", "grant.revoked person"];
    assert_eq!(platform.texts(actions).await, expected);
}
