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
    "consents::list_targets",
    "consents::remove_of_member",
    "consents::remove_of_targets",
    "grants::count_live",
    "grants::count_of_member",
    "grants::list_kinds",
    "grants::revoke",
    "grants::revoke_kinds",
    "invitations::insert",
    "invitations::list",
    "invitations::revoke",
    "invitations::revoke_of_email",
    "invitations::revoke_of_inviter",
    "memberships::count_owners",
    "memberships::find",
    "memberships::insert",
    "memberships::list",
    "memberships::list_after",
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
    ("applications::find_active", "a client id is public, and the organization is what is asked for"),
    ("applications::has_origin", "whether anybody runs there, and not who"),
    ("applications::insert", "the application says whose it is, and the database that it stays so"),
    ("audit_log::insert_of_member", "for the command line: in every organization of a person"),
    ("audit_log::sweep", "by age alone"),
    ("audit_log::sweep_refusals", "by number alone, of each organization for itself"),
    ("authorities::ask", "by a client id, which says whose organization is asked"),
    ("authorities::find", "by a client id, which says whose organization is asked"),
    ("authorization_codes::consume", "by the secret itself"),
    ("authorization_codes::find", "by the secret itself"),
    ("authorization_codes::insert", "for a grant, which only the issuing function makes"),
    ("authorization_codes::is_used", "by the secret itself"),
    ("backups::find", "for the command line: a file with everything in it"),
    ("backups::find_damage", "for the command line: a file with everything in it"),
    ("backups::insert", "for the command line: everything there is, into a file"),
    ("consents::insert", "by the person and the application that they allow something"),
    ("consents::list_of_user", "a person's own, in every organization of theirs"),
    ("consents::remove", "by the person and the application that they allowed something"),
    ("consents::remove_of_application", "a person's own, of the application they name"),
    ("consents::touch", "by the person and the application that they allowed something"),
    ("counters::sweep", "by age alone"),
    ("frame_sessions::consume", "by the secret itself, for a grant, which only the issuing function makes"),
    ("frame_sessions::find", "by the secret itself"),
    ("frame_sessions::find_grant", "by the secret itself"),
    ("frame_sessions::find_handle", "by the secret itself"),
    ("frame_sessions::insert", "for a grant, which only the issuing function makes"),
    ("frame_sessions::sweep", "by age alone"),
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
    ("memberships::insert_invited", "by an invitation, which the secret itself leads to"),
    ("moving::insert_all", "for the command line: everything there is, into another database"),
    ("moving::take_back", "for the command line: a file with everything in it"),
    ("organizations::find_by_slug", "the organization is what is asked for"),
    ("organizations::insert", "it is the organization"),
    ("organizations::list_of_member", "a person's own"),
    ("organizations::list_without_owner", "for the command line: a person's own"),
    ("refresh_tokens::consume", "by a row that the secret itself leads to"),
    ("refresh_tokens::find", "by the secret itself"),
    ("refresh_tokens::insert", "for a grant, which only the issuing function makes"),
    ("refresh_tokens::sweep", "by age alone"),
    ("refused_origins::insert", "by a client id that any site may name: it says nothing of who is asked"),
    ("regions::beat", "the platform's"),
    ("regions::find", "the platform's"),
    ("regions::find_log_level", "the platform's"),
    ("regions::insert", "the platform's"),
    ("regions::list", "the platform's"),
    ("regions::remove", "the platform's, and there is no organization in it"),
    ("regions::remove_slot", "the platform's"),
    ("regions::touch", "for the command line, which names the organization"),
    ("resource_servers::find", "by the id that the secret is then compared for"),
    ("resource_servers::insert", "for the command line, which names the organization"),
    ("resource_servers::revoke", "for the command line, by id"),
    ("sessions::find", "by the secret itself"),
    ("sessions::find_end", "a person's own"),
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
    ("subscriptions::insert", "for the command line of a region: all that the centre gives it"),
    ("subscriptions::remove", "for the command line of a region: all that the centre gave it"),
    ("subscriptions::touch", "for the command line of a region: its schema"),
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
        // What the others stand on.
        if ["group_commit", "mod", "postgres", "rounds", "sqlite", "url"].contains(&room.as_str()) {
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

/// An organization as far as these tests tell it from the other one.
#[derive(Debug)]
struct Tenant {
    id: &'static str,
    slug: &'static str,
    application: &'static str,
    /// Somebody who belongs to this one alone.
    person: &'static str,
    members: usize,
    /// How many grants of it there are.
    grants: u64,
    projects: [&'static str; 2],
    /// What nobody else's rows contain.
    word: &'static str,
    /// Its application and that person, as people are told of them.
    names: [&'static str; 2],
}

const TENANTS: [Tenant; 2] = [
    Tenant {
        id: ACME.0,
        slug: ACME.1,
        application: APP,
        person: "max",
        members: 4,
        grants: 2,
        projects: ["acme-backend", "acme-website"],
        word: "cme",
        names: ["Acme Toolbar", "Max"],
    },
    Tenant {
        id: GLOBEX.0,
        slug: GLOBEX.1,
        application: GLOBEX_APP,
        person: "gil",
        members: 2,
        grants: 1,
        projects: ["globex-backend", "globex-website"],
        word: "lobex",
        names: ["Globex Toolbar", "Gil"],
    },
];

/// Calls a function as one of them with what is the other's.
async fn call(name: &str, unit: &mut Unit, own: &Tenant, other: &Tenant) {
    let stranger = other.person;
    match name {
        "applications::find_of_organization" => {
            assert!(
                applications::find_of_organization(unit, own.id, other.application).await.unwrap().is_none()
            );
            assert!(
                applications::find_of_organization(unit, own.id, own.application).await.unwrap().is_some()
            );
        }
        "applications::list" => {
            let all = applications::list(unit, own.id, "", 100).await.unwrap();
            assert_eq!(all.iter().map(|one| one.client_id.as_str()).collect::<Vec<_>>(), [own.application]);
        }
        "applications::list_names" => {
            let all = applications::list_names(unit, ACME.0, 100).await.unwrap();
            assert_eq!(all, [(APP.to_owned(), "Acme Toolbar".to_owned())]);
        }
        "applications::remove" => {
            assert!(!applications::remove(unit, own.id, other.application).await.unwrap());
            assert!(applications::remove(unit, own.id, own.application).await.unwrap());
        }
        "applications::revoke" => {
            assert!(!applications::revoke(unit, own.id, other.application, NOW).await.unwrap());
            assert!(applications::revoke(unit, own.id, own.application, NOW).await.unwrap());
        }
        "applications::touch" => {
            let theirs = applications::find(unit, other.application).await.unwrap().unwrap();
            let taken = Application { organization_id: own.id.into(), name: "Ours".into(), ..theirs };
            assert_eq!(applications::touch(unit, &taken).await.unwrap(), None);
        }
        "applications::touch_enabled" => {
            assert!(!applications::touch_enabled(unit, own.id, other.application).await.unwrap());
            assert!(applications::touch_enabled(unit, own.id, own.application).await.unwrap());
        }
        "audit_log::insert" => {
            let entry = Entry::new(own.id, Action::ProjectAdded)
                .of_application(other.application)
                .of_person(stranger);
            audit_log::insert(unit, &entry, &json!({})).await.unwrap();
        }
        "audit_log::list" => {
            for filter in [
                Filter { limit: 1000, ..Filter::default() },
                Filter { client_id: Some(other.application), limit: 1000, ..Filter::default() },
                Filter { user_id: Some(stranger), limit: 1000, ..Filter::default() },
                Filter { before: Some(1 << 40), limit: 1000, ..Filter::default() },
            ] {
                for row in audit_log::list(unit, own.id, &filter).await.unwrap() {
                    assert!(
                        !row.detail.contains(other.word)
                            && row.client_id.as_deref() != Some(other.application),
                        "{row:?}"
                    );
                }
            }
        }
        "audit_log::list_named" => {
            // What is somebody else's may be named in the log, and has no name there.
            let entry = Entry::new(own.id, Action::ProjectAdded).of_application(other.application);
            audit_log::insert(unit, &entry, &json!({})).await.unwrap();
            for filter in [
                Filter { limit: 1000, ..Filter::default() },
                Filter { client_id: Some(other.application), limit: 1000, ..Filter::default() },
                Filter { user_id: Some(stranger), limit: 1000, ..Filter::default() },
                Filter { user_id: Some("bea"), limit: 1000, ..Filter::default() },
            ] {
                for named in audit_log::list_named(unit, own.id, &filter).await.unwrap() {
                    let told = format!("{named:?}");
                    assert!(other.names.iter().all(|name| !told.contains(name)), "{told}");
                }
            }
        }
        "consents::remove_of_member" => {
            assert_eq!(consents::remove_of_member(unit, own.id, stranger).await.unwrap(), 0);
            assert_eq!(consents::remove_of_member(unit, own.id, "bea").await.unwrap(), 1);
        }
        "consents::list_targets" => {
            assert!(consents::list_targets(unit, own.id, other.application).await.unwrap().is_empty());
            assert_eq!(consents::list_targets(unit, own.id, own.application).await.unwrap().len(), 1);
        }
        "consents::remove_of_targets" => {
            for (application, whose, removed) in
                [(other.application, other.id, 0), (own.application, own.id, own.grants)]
            {
                let all = consents::list_targets(unit, whose, application).await.unwrap();
                assert!(!all.is_empty());
                let done = consents::remove_of_targets(unit, own.id, application, &all).await.unwrap();
                assert_eq!(done, removed, "{application}");
            }
        }
        "grants::count_live" => {
            let live = grants::count_live(unit, own.id, other.application, NOW).await.unwrap();
            assert_eq!((live.people, live.access_tokens), (0, 0));
            let live = grants::count_live(unit, own.id, own.application, NOW).await.unwrap();
            assert_eq!(live.people.cast_unsigned(), own.grants);
        }
        "grants::count_of_member" => {
            let held = grants::count_of_member(unit, own.id, stranger, NOW).await.unwrap();
            assert_eq!((held.applications, held.access_tokens), (0, 0));
            let held = grants::count_of_member(unit, own.id, "bea", NOW).await.unwrap();
            assert_eq!((held.applications, held.access_tokens), (1, 1), "and as much of Globex's");
        }
        "grants::list_kinds" => {
            assert!(grants::list_kinds(unit, own.id, other.application, NOW).await.unwrap().is_empty());
            assert!(!grants::list_kinds(unit, own.id, own.application, NOW).await.unwrap().is_empty());
        }
        "grants::revoke" => {
            let organization_id = own.id;
            for foreign in [
                Selection::Application { organization_id, client_id: other.application },
                Selection::Member { organization_id, user_id: stranger },
            ] {
                assert_eq!(
                    grants::revoke(unit, foreign, NOW).await.unwrap(),
                    Revoked::default(),
                    "{foreign:?}"
                );
            }
            let both = Selection::Member { organization_id, user_id: "bea" };
            let one = Revoked { grants: 1, access_tokens: 1 };
            assert_eq!(grants::revoke(unit, both, NOW).await.unwrap(), one);
            let all = grants::revoke(unit, Selection::Organization { organization_id }, NOW).await.unwrap();
            assert_eq!(all.grants, own.grants - 1, "whatever else is its own");
        }
        "grants::revoke_kinds" => {
            for (application, whose, grants) in
                [(other.application, other.id, 0), (own.application, own.id, own.grants)]
            {
                let kinds = grants::list_kinds(unit, whose, application, NOW).await.unwrap();
                assert!(!kinds.is_empty());
                let revoked = grants::revoke_kinds(unit, own.id, application, &kinds, NOW).await.unwrap();
                assert_eq!(revoked, Revoked { grants, access_tokens: grants }, "{application}");
            }
        }
        "invitations::insert" => {
            let invitation = invitation("new", own.id);
            invitations::insert(unit, &Digest256::of(b"new"), &invitation).await.unwrap();
        }
        "invitations::list" => {
            let ids = invitations::list(unit, own.id, NOW).await.unwrap().into_iter().map(|one| one.id);
            assert_eq!(ids.collect::<Vec<_>>(), ["ours"]);
        }
        "invitations::revoke" => {
            assert!(!invitations::revoke(unit, own.id, "theirs").await.unwrap());
            assert!(invitations::revoke(unit, own.id, "ours").await.unwrap());
        }
        "invitations::revoke_of_email" => {
            // Both have one open for the same address.
            let email = invitation("ours", own.id).email;
            assert!(invitations::revoke_of_email(unit, own.id, &email).await.unwrap());
            assert!(!invitations::revoke_of_email(unit, own.id, &email).await.unwrap());
        }
        "invitations::revoke_of_inviter" => {
            // The same person made one in each.
            assert!(invitations::revoke_of_inviter(unit, own.id, "bea", Role::Member).await.unwrap());
            assert!(!invitations::revoke_of_inviter(unit, own.id, "bea", Role::Member).await.unwrap());
        }
        "memberships::count_owners" => {
            assert_eq!(memberships::count_owners(unit, own.id).await.unwrap(), 1, "and each has one");
        }
        "memberships::find" => assert_eq!(memberships::find(unit, own.id, stranger).await.unwrap(), None),
        "memberships::insert" => memberships::insert(unit, own.id, stranger, Role::Owner, NOW).await.unwrap(),
        "memberships::list" => {
            let members = memberships::list(unit, own.id).await.unwrap();
            assert!(members.len() == own.members && members.iter().all(|member| member.user_id != stranger));
        }
        "memberships::list_after" => {
            let members = memberships::list_after(unit, own.id, "", 100).await.unwrap();
            assert!(members.len() == own.members && members.iter().all(|member| member.user_id != stranger));
            assert!(memberships::list_after(unit, own.id, "~", 100).await.unwrap().is_empty());
        }
        "memberships::remove" => {
            assert!(!memberships::remove(unit, own.id, stranger).await.unwrap());
            assert!(memberships::remove(unit, own.id, "bea").await.unwrap());
        }
        "memberships::touch" => {
            assert!(!memberships::touch(unit, own.id, stranger, Role::Member).await.unwrap());
            assert!(memberships::touch(unit, own.id, "bea", Role::Owner).await.unwrap());
        }
        "organizations::find" => {
            assert_eq!(organizations::find(unit, own.id).await.unwrap().unwrap().slug, own.slug);
            assert!(organizations::find(unit, own.slug).await.unwrap().is_none());
        }
        "organizations::revoke" => organizations::revoke(unit, own.id, NOW).await.unwrap(),
        "projects::insert" => {
            let project = Project { id: "new".into(), slug: "new".into(), name: "New".into() };
            projects::insert(unit, own.id, &project, NOW).await.unwrap();
            let theirs =
                Project { id: other.projects[0].into(), slug: "mine-now".into(), name: "Mine now".into() };
            assert!(projects::insert(unit, own.id, &theirs, NOW).await.is_err(), "its id is taken");
        }
        "projects::list" => {
            let projects = projects::list(unit, own.id).await.unwrap();
            assert_eq!(projects.iter().map(|project| project.id.as_str()).collect::<Vec<_>>(), own.projects);
        }
        "refused_origins::list" => {
            assert!(refused_origins::list(unit, own.id, other.application).await.unwrap().is_empty());
            assert_eq!(refused_origins::list(unit, other.id, other.application).await.unwrap().len(), 1);
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
        invited_by: Some("bea".into()),
        created_at: NOW,
        expires_at: NOW + 60,
    }
}

#[tokio::test]
async fn no_function_reads_or_writes_anything_of_another_organization_s() {
    let [acme, globex] = &TENANTS;
    let both_ways = [(acme, globex), (globex, acme)];
    for (name, (own, other)) in BY_ORGANIZATION.iter().flat_map(|name| both_ways.map(|way| (name, way))) {
        let platform = Platform::new().await;
        Person::signed_in(&platform, MEMBER).await.token(&Asking::new()).await;
        // A person of both, who allowed an application of each.
        Person::signed_in(&platform, BOTH).await.token(&Asking::new()).await;
        let globex = Asking::new()
            .with("client_id", GLOBEX_APP)
            .with("origin", crate::support::GLOBEX_SITE)
            .with("redirect_uri", &Asking::callback(GLOBEX_APP));
        Person::signed_in(&platform, BOTH).await.token(&globex).await;
        let mut unit = platform.write().await;
        for (id, organization_id) in [("ours", own.id), ("theirs", other.id)] {
            let open = invitation(id, organization_id);
            invitations::insert(&mut unit, &Digest256::of(id.as_bytes()), &open).await.unwrap();
        }
        refused_origins::insert(&mut unit, other.application, "https://a.com", 1, NOW).await.unwrap();
        unit.commit().await.unwrap();
        let before = rows_of(&platform, other.id).await;
        assert!(before.len() > 10);
        let mut unit = platform.write().await;
        call(name, &mut unit, own, other).await;
        // Nothing comes of a unit of which something was refused.
        assert_eq!(unit.commit().await.is_ok(), *name != "projects::insert", "{name}");
        let after = rows_of(&platform, other.id).await;
        assert!(after == before, "{name} changed something of {}'s", other.slug);
    }
}
