//! Every way to a token, with each thing that must stand taken away: no token.

use std::collections::BTreeSet;

use latchkey_protocol::{
    origin::Origin,
    scope::{Scope, Scopes},
};
use latchkey_server::{
    oauth::{
        issue::{AccessIssued, Authority, Fragment, issue},
        request::Target,
    },
    secret::{Digest256, Secret},
    store::{authorities, consents::Subject},
};

use crate::support::{
    ACME_SITE, APP, Asking, Frame, GLOBEX_APP, MEMBER, NOW, OWNER, PASSWORD, Person, Platform, is_embedded,
};

/// Each takes one precondition away.
const CHANGES: [&str; 7] = [
    "update applications set disabled_at = 1 where client_id = 'acmeclient'",
    "update organizations set disabled_at = 1 where slug = 'acme'",
    "update users set disabled_at = 1 where id = 'max'",
    "delete from memberships where user_id = 'max'",
    "delete from application_origins where origin = 'https://www.acme.example'",
    "update sessions set ended_at = 1",
    "update applications set scopes = 'profile' where client_id = 'acmeclient'",
];

/// By a token in the fragment and by a code; `profile` would be left of a request that names no scope.
fn askings() -> [Asking; 2] {
    let code = Asking::code().with("redirect_uri", &Asking::callback(APP)).with("origin", ACME_SITE);
    [Asking::new(), code].map(|asking| asking.with("scope", "project:read"))
}

async fn count(platform: &Platform) -> i64 {
    platform
        .count("select (select count(*) from access_tokens) + (select count(*) from authorization_codes)")
        .await
}

/// Whatever leads here: what the function itself asks, without the pages before it.
async fn issue_directly(platform: &Platform, session_id: &str, scopes: Scopes) -> Option<AccessIssued> {
    let target = Target {
        redirect_uri: Asking::callback(APP),
        is_callback: true,
        requesting_origin: Origin::parse(ACME_SITE).unwrap(),
    };
    let authority =
        Authority { grant_id: None, client_id: APP, user_id: "max", session_id, target: &target, scopes };
    let mut unit = platform.write().await;
    let issued = issue(&platform.app, &mut unit, authority, Fragment).await.ok();
    let issued = issued.map(|brought| brought.credential);
    unit.commit().await.unwrap();
    issued
}

#[tokio::test]
async fn by_the_issuing_function_itself() {
    for change in [None].into_iter().chain(CHANGES.map(Some)) {
        let platform = Platform::new().await;
        Person::signed_in(&platform, MEMBER).await;
        let session = platform.text("select id from sessions").await;
        if let Some(change) = change {
            platform.execute(change).await;
        }
        let issued = issue_directly(&platform, &session, Scopes::of(&[Scope::ProjectRead])).await;
        assert_eq!(issued.is_some(), change.is_none(), "{change:?}");
        assert_eq!(count(&platform).await, i64::from(change.is_none()), "{change:?}");
    }
}

/// A session that merely expired stands for what was allowed in it, but nobody can use it for more.
#[tokio::test]
async fn by_the_pages_of_a_session_that_expired() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let [asking, _] = askings();
    let page = person.ask(&asking).await;
    platform.execute("update sessions set expires_at = 1").await;
    assert!(person.decide(&page, "approve").await.location().starts_with("/login/?transaction="));
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn by_a_session_of_somebody_else() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, "arno@example.org").await;
    let session = platform.text("select id from sessions").await;
    assert!(issue_directly(&platform, &session, Scopes::of(&[Scope::ProjectRead])).await.is_none());
    assert!(issue_directly(&platform, "nobody", Scopes::of(&[Scope::ProjectRead])).await.is_none());
    assert_eq!(count(&platform).await, 0);
}

#[tokio::test]
async fn a_token_holds_no_more_than_application_and_role() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, MEMBER).await;
    let session = platform.text("select id from sessions").await;
    let issued = issue_directly(&platform, &session, Scopes::ALL).await.unwrap();
    assert_eq!(issued.scopes.to_list(), "org:read member:read project:read event:write openid");
    assert!(issue_directly(&platform, &session, Scopes::NONE).await.is_none());
}

#[tokio::test]
async fn by_the_consent_page() {
    for (change, asking) in CHANGES.into_iter().flat_map(|change| askings().map(|asking| (change, asking))) {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let page = person.ask(&asking).await;
        platform.execute(change).await;
        let answer = person.decide(&page, "approve").await;
        for secret in [b"lkat_", b"lkac_"] {
            assert!(!answer.headers.values().any(|value| value.as_bytes().windows(5).any(|w| w == secret)));
        }
        assert_eq!(platform.issued().await, (0, 0), "{change}");
        assert_eq!(platform.count("select count(*) from grants").await, 0, "{change}");
    }
}

#[tokio::test]
async fn by_a_remembered_consent() {
    for (change, asking) in CHANGES.into_iter().flat_map(|change| askings().map(|asking| (change, asking))) {
        for prompt in ["", "none"] {
            let platform = Platform::new().await;
            let mut person = Person::signed_in(&platform, MEMBER).await;
            person.allow(&asking).await;
            platform.execute(change).await;
            person.ask(&asking.clone().with("prompt", prompt)).await;
            assert_eq!(count(&platform).await, 1, "{change}: no second one");
        }
    }
}

#[tokio::test]
async fn by_a_login_that_goes_on_with_a_remembered_consent() {
    for (change, asking) in CHANGES.into_iter().flat_map(|change| askings().map(|asking| (change, asking))) {
        let platform = Platform::new().await;
        Person::signed_in(&platform, MEMBER).await.allow(&asking).await;
        let mut person = Person::new(&platform);
        let login = person.ask(&asking).await.location().to_owned();
        let next = person.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
        platform.execute(change).await;
        person.get(&next).await;
        assert_eq!(count(&platform).await, 1, "{change}: no second one");
    }
}

#[tokio::test]
async fn by_the_session_that_a_frame_keeps() {
    for (change, [asking, _]) in CHANGES.into_iter().map(|change| (change, askings())) {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let mut frame = Frame::new(&platform);
        let first = person.handle(&asking).await;
        assert_eq!(frame.open(&first).await.status, 204);
        frame.renewed().await;
        let second = person.handle(&asking).await;
        let before = count(&platform).await;
        platform.execute(change).await;
        assert_eq!(frame.renew().await.status, 403, "{change}");
        assert_eq!(count(&platform).await, before, "{change}: no other one");
        assert_eq!(Frame::new(&platform).open(&second).await.status, 403, "{change}");
        let opened = "select count(*) from frame_sessions where opened_at is not null";
        assert_eq!(platform.count(opened).await, 1, "{change}: no other one");
    }
}

#[tokio::test]
async fn a_token_is_the_organization_s_of_its_application_and_records_where_it_came_from() {
    let platform = Platform::new().await;
    let token = platform.token("bea@example.org").await;
    let row =
        "select client_id || ' ' || organization_id || ' ' || user_id || ' ' || requesting_origin || ' ' ||
                last_four || ' ' || (t.expires_at - t.created_at) || ' ' || coalesce(cast(t.revoked_at as text), 'live')
         from access_tokens t join grants g on g.id = t.grant_id
         where session_id = (select id from sessions)";
    let last_four = &token[token.len() - 4..];
    let expected = format!("acmeclient org-acme bea {ACME_SITE} {last_four} 3600 live");
    assert_eq!(platform.text(row).await, expected);
}

/// Each changes what is looked at before anybody decides, and again where it is issued: how often two people are found
/// then, each at two applications, and how often what they allowed.
const LOOKED_AT: [(&str, usize, usize); 11] = [
    ("update consents set refresh_allowed_at = null", 4, 6),
    ("update consents set scopes = 'org:read'", 4, 6),
    ("update consents set requesting_origin = 'https://other.example' where user_id = 'max'", 4, 3),
    ("update consents set redirect_uri = redirect_uri || '2' where user_id = 'ada'", 4, 3),
    ("update consents set client_id = 'globexclient' where user_id = 'max'", 4, 6),
    ("update memberships set role = 'member'", 4, 6),
    ("delete from memberships where user_id = 'max'", 4, 6),
    ("update sessions set ended_at = 1 where user_id = 'max'", 2, 3),
    ("update users set disabled_at = 1 where id = 'max'", 2, 3),
    ("update applications set disabled_at = 1 where client_id = 'globexclient'", 2, 6),
    ("update organizations set disabled_at = 1", 0, 0),
];

#[tokio::test]
async fn what_is_known_at_one_look_is_what_is_found_again_where_it_is_issued() {
    for (change, people, consents) in LOOKED_AT {
        let platform = Platform::new().await;
        let mut known: Vec<(Digest256, String, String)> = vec![];
        for (email, id) in [(MEMBER, "max"), (OWNER, "ada")] {
            let mut person = Person::signed_in(&platform, email).await;
            for asking in [Asking::for_frame(), Asking::new(), Asking::code()] {
                person.allow(&asking).await;
            }
            let session = platform.text(&format!("select id from sessions where user_id = '{id}'")).await;
            known.push((Secret::new(person.session().unwrap()).digest(), id.to_owned(), session));
        }
        let places = "select distinct requesting_origin || ' ' || redirect_uri from consents";
        let places = platform.texts(places).await;
        platform.execute(change).await;
        let mut unit = platform.app.store.read().await.unwrap();
        let mut found = (0, 0);
        for (client_id, (secret, user_id, session_id)) in
            [APP, GLOBEX_APP].into_iter().flat_map(|client_id| known.iter().map(move |one| (client_id, one)))
        {
            let asked = authorities::ask(&mut unit, client_id, Some(secret), NOW).await.unwrap();
            let is_active = asked.is_some();
            let person = asked.and_then(|asked| asked.person);
            found.0 += usize::from(person.is_some());
            for place in &places {
                let (requesting_origin, redirect_uri) = place.split_once(' ').unwrap();
                let subject = Subject { user_id, client_id, requesting_origin, redirect_uri };
                let again = authorities::find(&mut unit, subject, session_id).await.unwrap();
                assert_eq!(again.is_some(), is_active, "{change}");
                let again = again.filter(|again| again.has_active_user && again.has_unended_session);
                let known = person.as_ref().map(|one| (one.role, one.remembered(subject).unwrap()));
                assert_eq!(known, again.map(|again| (again.role, again.remembered)), "{change}: {place}");
                found.1 += usize::from(known.is_some_and(|(_, remembered)| remembered.is_some()));
            }
        }
        assert_eq!(found, (people, consents), "{change}");
    }
}

/// In the order of time on an embedded file, where each page of an index is then written once for many. Not on a server:
/// its transactions would be in each other's way.
#[tokio::test]
async fn ids_are_in_the_order_of_time_where_one_writes_after_the_other() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    for _ in 0..12 {
        platform.app.clock.advance(1);
        person.token(&Asking::new()).await;
    }
    for table in ["grants", "access_tokens"] {
        let ids = platform.texts(&format!("select id from {table} order by created_at")).await;
        assert_eq!(ids.is_sorted(), is_embedded(), "{table}: {ids:?}");
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{table}: {ids:?}");
    }
}
