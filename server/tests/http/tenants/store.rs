//! Every function of the store: with the organization it is given, or with the reason why it is given none.

use std::collections::BTreeSet;

use latchkey_protocol::scope::Role;
use latchkey_server::{
    audit::Action,
    secret::Digest256,
    store::{
        Unit,
        applications::{self, Application},
        audit_log::{self, Entry, Filter},
        consents,
        grants::{self, Revoked, Selection},
        invitations::{self, Invitation},
        memberships, organizations,
        projects::{self, Project},
        refused_origins,
    },
};
use serde_json::json;

use super::rows_of;
use crate::support::{ACME, APP, Asking, BOTH, GLOBEX, GLOBEX_APP, MEMBER, NOW, Person, Platform};

/// Those that are given the organization: each is called below with one organization's id and the other's things.
const BY_ORGANIZATION: &[&str] = &[
    "applications::find_of_organization",
    "applications::list",
    "applications::list_names",
    "applications::remove",
    "applications::revoke",
    "applications::touch",
    "applications::touch_enabled",
    "audit_log::insert",
    "audit_log::list",
    "audit_log::list_named",
    "consents::remove_of_member",
    "grants::count_live",
    "grants::list_live",
    "grants::revoke",
    "invitations::insert",
    "invitations::list",
    "invitations::revoke",
    "memberships::count_owners",
    "memberships::find",
    "memberships::insert",
    "memberships::list",
    "memberships::remove",
    "memberships::touch",
    "organizations::find",
    "organizations::revoke",
    "projects::insert",
    "projects::list",
    "refused_origins::list",
];

/// Those that are not, and why nothing of another organization's comes of it.
const BY_SOMETHING_ELSE: &[(&str, &str)] = &[
    ("applications::find", "a client id is public, and the organization is what is asked for"),
    ("applications::has_origin", "whether anybody runs there, and not who"),
    ("applications::insert", "the application says whose it is, and the database that it stays so"),
    ("audit_log::insert_of_member", "for the command line: in every organization of a person"),
    ("audit_log::sweep", "by age alone"),
    ("authorization_codes::consume", "by the secret itself"),
    ("authorization_codes::find", "by the secret itself"),
    ("authorization_codes::insert", "for a grant, which only the issuing function makes"),
    ("authorization_codes::is_used", "by the secret itself"),
    ("consents::find", "by the person and the application that they allowed something"),
    ("consents::insert", "by the person and the application that they allow something"),
    ("consents::list_of_user", "a person's own, in every organization of theirs"),
    ("consents::remove_of_application", "a person's own, of the application they name"),
    ("consents::touch", "by the person and the application that they allowed something"),
    ("gate_changes::sweep", "by number alone"),
    ("grants::find", "by an id that a code or a token leads to, by the secret itself"),
    ("grants::insert", "for a grant, which only the issuing function makes"),
    ("grants::sweep", "by age alone"),
    ("grants::touch", "by an id that a code leads to, by the secret itself"),
    ("invitations::consume", "by the secret itself"),
    ("invitations::find", "by the secret itself"),
    ("invitations::sweep", "by age alone"),
    ("kept_forms::find", "a browser's own, under a secret"),
    ("kept_forms::insert", "a browser's own, under a secret"),
    ("kept_forms::sweep", "by age alone"),
    ("organizations::find_by_slug", "the organization is what is asked for"),
    ("organizations::insert", "it is the organization"),
    ("organizations::list_of_member", "a person's own"),
    ("organizations::list_without_owner", "for the command line: a person's own"),
    ("refresh_tokens::consume", "by a row that the secret itself leads to"),
    ("refresh_tokens::find", "by the secret itself"),
    ("refresh_tokens::insert", "for a grant, which only the issuing function makes"),
    ("refresh_tokens::sweep", "by age alone"),
    ("refused_origins::insert", "by a client id that any site may name: it says nothing of who is asked"),
    ("resource_servers::find", "by the id that the secret is then compared for"),
    ("resource_servers::insert", "for the command line, which names the organization"),
    ("resource_servers::revoke", "for the command line, by id"),
    ("sessions::find", "by the secret itself"),
    ("sessions::insert", "a person's own"),
    ("sessions::is_unended", "a person's own"),
    ("sessions::list_of_user", "a person's own"),
    ("sessions::revoke", "a person's own"),
    ("sessions::revoke_of_user", "a person's own"),
    ("sessions::sweep", "by age alone"),
    ("sessions::touch", "a person's own"),
    ("signing_keys::find", "the platform's"),
    ("signing_keys::insert", "the platform's"),
    ("signing_keys::list", "the platform's"),
    ("signing_keys::revoke", "the platform's"),
    ("signing_keys::sweep", "by age alone"),
    ("tokens::insert", "for a grant, which only the issuing function makes"),
    ("tokens::revoke", "by the secret itself, and the client id"),
    ("tokens::revoke_one", "for the command line, by id or by the secret itself"),
    ("tokens::sweep", "by age alone"),
    ("transactions::consume", "by the secret itself"),
    ("transactions::find", "by the secret itself"),
    ("transactions::insert", "a browser's own, under a secret"),
    ("transactions::sweep", "by age alone"),
    ("transactions::touch", "by the secret itself"),
    ("users::find", "people belong to no organization"),
    ("users::find_by_email", "people belong to no organization"),
    ("users::insert", "people belong to no organization"),
    ("users::revoke", "people belong to no organization"),
    ("users::touch_password", "people belong to no organization"),
];

/// Every function of the store that asks the database something, as `file::function`.
fn functions() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");
    let mut found = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if room == "mod" {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let Some((head, rest)) = line.split_once("async fn ") else { continue };
            if head.starts_with("pub") {
                found.insert(format!("{room}::{}", rest.split(['(', '<']).next().unwrap()));
            }
        }
    }
    found
}

#[test]
fn every_function_takes_the_organization_or_says_why_not() {
    let said: BTreeSet<String> = BY_ORGANIZATION
        .iter()
        .chain(BY_SOMETHING_ELSE.iter().map(|(name, _)| name))
        .map(|s| (*s).into())
        .collect();
    let found = functions();
    assert!(found.len() > 50);
    let unsaid: Vec<_> = found.difference(&said).collect();
    let gone: Vec<_> = said.difference(&found).collect();
    assert!(unsaid.is_empty() && gone.is_empty(), "say of {unsaid:?}, no more of {gone:?}");
}

/// Calls a function as Acme with what is Globex's.
async fn call(name: &str, unit: &mut Unit) {
    let gil = "gil";
    match name {
        "applications::find_of_organization" => {
            assert!(applications::find_of_organization(unit, ACME.0, GLOBEX_APP).await.unwrap().is_none());
            assert!(applications::find_of_organization(unit, ACME.0, APP).await.unwrap().is_some());
        }
        "applications::list" => {
            let all = applications::list(unit, ACME.0, "", 100).await.unwrap();
            assert_eq!(all.iter().map(|one| one.client_id.as_str()).collect::<Vec<_>>(), [APP]);
        }
        "applications::list_names" => {
            let all = applications::list_names(unit, ACME.0, 100).await.unwrap();
            assert_eq!(all, [(APP.to_owned(), "Acme Toolbar".to_owned())]);
        }
        "applications::remove" => {
            assert!(!applications::remove(unit, ACME.0, GLOBEX_APP).await.unwrap());
            assert!(applications::remove(unit, ACME.0, APP).await.unwrap());
        }
        "applications::revoke" => {
            assert!(!applications::revoke(unit, ACME.0, GLOBEX_APP, NOW).await.unwrap());
            assert!(applications::revoke(unit, ACME.0, APP, NOW).await.unwrap());
        }
        "applications::touch" => {
            let theirs = applications::find(unit, GLOBEX_APP).await.unwrap().unwrap();
            let taken = Application { organization_id: ACME.0.into(), name: "Ours".into(), ..theirs };
            assert!(!applications::touch(unit, &taken).await.unwrap());
        }
        "applications::touch_enabled" => {
            assert!(!applications::touch_enabled(unit, ACME.0, GLOBEX_APP).await.unwrap());
            assert!(applications::touch_enabled(unit, ACME.0, APP).await.unwrap());
        }
        "audit_log::insert" => {
            let entry = Entry::new(ACME.0, Action::ProjectAdded).of_application(GLOBEX_APP).of_person(gil);
            audit_log::insert(unit, &entry, &json!({})).await.unwrap();
        }
        "audit_log::list" => {
            for filter in [
                Filter { limit: 1000, ..Filter::default() },
                Filter { client_id: Some(GLOBEX_APP), limit: 1000, ..Filter::default() },
                Filter { user_id: Some(gil), limit: 1000, ..Filter::default() },
                Filter { before: Some(1 << 40), limit: 1000, ..Filter::default() },
            ] {
                for row in audit_log::list(unit, ACME.0, &filter).await.unwrap() {
                    assert!(
                        !row.detail.contains("lobex") && row.client_id.as_deref() != Some(GLOBEX_APP),
                        "{row:?}"
                    );
                }
            }
        }
        "audit_log::list_named" => {
            // What is somebody else's may be named in the log, and has no name there.
            let entry = Entry::new(ACME.0, Action::ProjectAdded).of_application(GLOBEX_APP);
            audit_log::insert(unit, &entry, &json!({})).await.unwrap();
            for filter in [
                Filter { limit: 1000, ..Filter::default() },
                Filter { client_id: Some(GLOBEX_APP), limit: 1000, ..Filter::default() },
                Filter { user_id: Some(gil), limit: 1000, ..Filter::default() },
                Filter { user_id: Some("bea"), limit: 1000, ..Filter::default() },
            ] {
                for named in audit_log::list_named(unit, ACME.0, &filter).await.unwrap() {
                    let told = format!("{named:?}");
                    assert!(!told.contains("Globex") && !told.contains("Gil"), "{told}");
                }
            }
        }
        "consents::remove_of_member" => {
            assert_eq!(consents::remove_of_member(unit, ACME.0, gil).await.unwrap(), 0);
            assert_eq!(consents::remove_of_member(unit, ACME.0, "bea").await.unwrap(), 1);
        }
        "grants::count_live" => {
            let live = grants::count_live(unit, ACME.0, GLOBEX_APP, NOW).await.unwrap();
            assert_eq!((live.people, live.access_tokens), (0, 0));
            let live = grants::count_live(unit, ACME.0, APP, NOW).await.unwrap();
            assert_eq!((live.people, live.access_tokens), (2, 2));
        }
        "grants::list_live" => {
            assert!(grants::list_live(unit, ACME.0, GLOBEX_APP, NOW).await.unwrap().is_empty());
            assert_eq!(grants::list_live(unit, ACME.0, APP, NOW).await.unwrap().len(), 2);
        }
        "grants::revoke" => {
            let acme = Selection { organization_id: Some(ACME.0), ..Selection::default() };
            for foreign in [
                Selection { client_id: Some(GLOBEX_APP), ..acme },
                Selection { user_id: Some(gil), ..acme },
                Selection::default(),
            ] {
                assert_eq!(
                    grants::revoke(unit, foreign, NOW).await.unwrap(),
                    Revoked::default(),
                    "{foreign:?}"
                );
            }
            let both = Selection { user_id: Some("bea"), ..acme };
            assert_eq!(
                grants::revoke(unit, both, NOW).await.unwrap(),
                Revoked { grants: 1, access_tokens: 1 }
            );
        }
        "invitations::insert" => {
            let invitation = invitation("new", ACME.0);
            invitations::insert(unit, &Digest256::of(b"new"), &invitation).await.unwrap();
        }
        "invitations::list" => {
            let theirs = invitation("theirs", GLOBEX.0);
            invitations::insert(unit, &Digest256::of(b"theirs"), &theirs).await.unwrap();
            assert!(invitations::list(unit, ACME.0, NOW).await.unwrap().is_empty());
            assert!(invitations::revoke(unit, GLOBEX.0, "theirs").await.unwrap());
        }
        "invitations::revoke" => {
            let theirs = invitation("theirs", GLOBEX.0);
            invitations::insert(unit, &Digest256::of(b"theirs"), &theirs).await.unwrap();
            assert!(!invitations::revoke(unit, ACME.0, "theirs").await.unwrap());
            assert!(invitations::revoke(unit, GLOBEX.0, "theirs").await.unwrap());
        }
        "memberships::count_owners" => {
            assert_eq!(memberships::count_owners(unit, ACME.0).await.unwrap(), 1, "and gil is one of Globex");
        }
        "memberships::find" => assert_eq!(memberships::find(unit, ACME.0, gil).await.unwrap(), None),
        "memberships::insert" => memberships::insert(unit, ACME.0, gil, Role::Owner, NOW).await.unwrap(),
        "memberships::list" => {
            let members = memberships::list(unit, ACME.0).await.unwrap();
            assert!(members.len() == 4 && members.iter().all(|member| member.user_id != gil));
        }
        "memberships::remove" => {
            assert!(!memberships::remove(unit, ACME.0, gil).await.unwrap());
            assert!(memberships::remove(unit, ACME.0, "bea").await.unwrap());
        }
        "memberships::touch" => {
            assert!(!memberships::touch(unit, ACME.0, gil, Role::Member).await.unwrap());
            assert!(memberships::touch(unit, ACME.0, "bea", Role::Owner).await.unwrap());
        }
        "organizations::find" => {
            assert_eq!(organizations::find(unit, ACME.0).await.unwrap().unwrap().slug, ACME.1);
            assert!(organizations::find(unit, ACME.1).await.unwrap().is_none());
        }
        "organizations::revoke" => organizations::revoke(unit, ACME.0, NOW).await.unwrap(),
        "projects::insert" => {
            let project = Project { id: "new".into(), slug: "new".into(), name: "New".into() };
            projects::insert(unit, ACME.0, &project, NOW).await.unwrap();
            let theirs =
                Project { id: "globex-backend".into(), slug: "mine-now".into(), name: "Mine now".into() };
            assert!(projects::insert(unit, ACME.0, &theirs, NOW).await.is_err(), "its id is taken");
        }
        "projects::list" => {
            let projects = projects::list(unit, ACME.0).await.unwrap();
            assert_eq!(
                projects.iter().map(|project| project.id.as_str()).collect::<Vec<_>>(),
                ["acme-backend", "acme-website"]
            );
        }
        "refused_origins::list" => {
            refused_origins::insert(unit, GLOBEX_APP, "https://a.com", 1, NOW).await.unwrap();
            assert!(refused_origins::list(unit, ACME.0, GLOBEX_APP).await.unwrap().is_empty());
            assert_eq!(refused_origins::list(unit, GLOBEX.0, GLOBEX_APP).await.unwrap().len(), 1);
        }
        other => panic!("nobody says what becomes of {other}"),
    }
}

fn invitation(id: &str, organization_id: &str) -> Invitation {
    Invitation {
        id: id.into(),
        organization_id: organization_id.into(),
        email: "new@example.org".into(),
        role: Role::Member,
        created_at: NOW,
        expires_at: NOW + 60,
    }
}

#[tokio::test]
async fn no_function_reads_or_writes_anything_of_another_organization_s() {
    for name in BY_ORGANIZATION {
        let platform = Platform::new().await;
        Person::signed_in(&platform, MEMBER).await.token(&Asking::new()).await;
        // A person of both, who allowed an application of each.
        Person::signed_in(&platform, BOTH).await.token(&Asking::new()).await;
        let globex = Asking::new()
            .with("client_id", GLOBEX_APP)
            .with("origin", crate::support::GLOBEX_SITE)
            .with("redirect_uri", &Asking::callback(GLOBEX_APP));
        Person::signed_in(&platform, BOTH).await.token(&globex).await;
        let before = rows_of(&platform, GLOBEX.0).await;
        assert!(before.len() > 8);
        let mut unit = platform.write().await;
        call(name, &mut unit).await;
        unit.commit().await.unwrap();
        let after = rows_of(&platform, GLOBEX.0).await;
        assert!(after == before, "{name} changed something of Globex's");
    }
}
