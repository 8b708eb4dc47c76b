//! `/invitations/{token}/`

use tokio::task::JoinSet;

use crate::support::{
    ACME_SITE, ADMIN, Answer, BOTH, MEMBER, OUTSIDER, PASSWORD, Person, Platform, STRANGER, anonymous,
};

async fn accept(person: &mut Person, path: &str) -> Answer {
    let csrf = person.get(path).await.field("csrf");
    person.post(path, &[("csrf", &csrf)]).await
}

async fn roles(platform: &Platform, user_id: &str) -> Vec<String> {
    let sql = "select organization_id || ' ' || role from memberships where user_id = '";
    platform.texts(&format!("{sql}{user_id}' order by 1")).await
}

#[tokio::test]
async fn the_account_that_it_is_for_accepts_it_and_is_a_member() {
    for (role, words, onward) in [
        ("member", "Member", "/"),
        ("admin", "Admin", "/organizations/acme/applications/"),
        ("owner", "Owner", "/organizations/acme/applications/"),
    ] {
        let platform = Platform::new().await;
        // However the address is written.
        let path = platform.invite("Nora@Example.ORG", role).await;
        let mut person = Person::signed_in(&platform, STRANGER).await;
        let page = person.get(&path).await;
        page.assert_page(200, "<h1>Join <bdi>Acme Rockets</bdi></h1>");
        page.assert_page(200, &format!("as <strong>{words}</strong>"));
        assert!(roles(&platform, "nora").await.is_empty(), "looking at it changes nothing");
        assert_eq!(accept(&mut person, &path).await.location(), onward);
        assert_eq!(roles(&platform, "nora").await, [format!("org-acme {role}")]);
        assert_eq!(person.get(onward).await.status, 200);
        let entry = platform
            .text(
                "select actor_id || ' ' || user_id || ' ' || address || ' ' || detail from audit_log
                   where action = 'member.added' and actor_kind = 'person'",
            )
            .await;
        let detail = format!("{{\"invited_as\":\"Nora@Example.ORG\",\"role\":\"{role}\"}}");
        assert_eq!(entry, format!("nora nora 192.0.2.1 {detail}"));
    }
}

#[tokio::test]
async fn somebody_who_is_signed_out_signs_in_first_and_comes_back() {
    let platform = Platform::new().await;
    let path = platform.invite(STRANGER, "member").await;
    let login = anonymous(&platform, &path).await.location().to_owned();
    let mut person = Person::new(&platform);
    let page = person.get(&login).await;
    let (csrf, next) = (page.field("csrf"), page.field("next"));
    assert_eq!(next, path);
    let form = [("csrf", csrf.as_str()), ("next", &next), ("email", STRANGER), ("password", PASSWORD)];
    assert_eq!(person.post("/login/", &form).await.location(), path);
    accept(&mut person, &path).await.location();
    assert_eq!(roles(&platform, "nora").await, ["org-acme member"]);
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_accepts_nothing() {
    let platform = Platform::new().await;
    let path = platform.invite(STRANGER, "member").await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    let csrf = person.get(&path).await.field("csrf");
    platform.execute("update sessions set ended_at = 1").await;
    let answer = person.post(&path, &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), format!("/login/?next={}", path.replace('/', "%2F")));
    assert!(roles(&platform, "nora").await.is_empty());
    assert_eq!(platform.count("select count(*) from kept_forms").await, 0, "its address is a secret");
    person.sign_in(STRANGER).await;
    accept(&mut person, &path).await.location();
}

#[tokio::test]
async fn another_account_is_told_whom_it_is_for_and_can_switch() {
    let platform = Platform::new().await;
    let path = platform.invite(STRANGER, "admin").await;
    for (email, user_id) in [(MEMBER, "max"), (OUTSIDER, "gil"), (BOTH, "bea"), (ADMIN, "arno")] {
        let before = roles(&platform, user_id).await;
        let mut person = Person::signed_in(&platform, email).await;
        let page = person.get(&path).await;
        page.assert_page(403, &format!("It is for <strong><bdi>{STRANGER}</bdi></strong>"));
        assert!(!page.body.contains("Acme") && !page.body.contains("id=\"accept\""), "{}", page.body);
        let csrf = csrf(&person, &path);
        person
            .post(&path, &[("csrf", &csrf)])
            .await
            .assert_page(403, "This invitation is for another account");
        assert_eq!(roles(&platform, user_id).await, before);
        let login = page.link("switch");
        assert_eq!(person.get(&login).await.field("next"), path);
    }
    assert_eq!(platform.count("select count(*) from invitations").await, 1);
    accept(&mut Person::signed_in(&platform, STRANGER).await, &path).await.location();
}

/// What the form would bring.
fn csrf(person: &Person, path: &str) -> String {
    let token = path.trim_end_matches('/').rsplit_once('/').unwrap().1;
    person.csrf(&format!("invitation {token}"))
}

#[tokio::test]
async fn whatever_cannot_be_accepted_is_answered_alike() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    let unknown = format!("/invitations/{}/", "a".repeat(43));
    let expected = person.get(&unknown).await;
    expected.assert_error_page(404, "It was used already, was withdrawn or replaced, or is too old.");
    assert!(expected.body.contains("Ask an admin of the organization for another one"));

    let replaced = platform.invite(STRANGER, "member").await;
    let used = platform.invite(STRANGER, "member").await;
    accept(&mut person, &used).await.location();
    platform.execute("delete from memberships where user_id = 'nora'").await;
    let disabled = platform.invite(STRANGER, "member").await;
    platform.execute("update organizations set disabled_at = 1").await;
    let of_disabled = person.get(&disabled).await;
    platform.execute("update organizations set disabled_at = null").await;
    assert_eq!(person.get(&disabled).await.status, 200);
    let withdrawn = disabled;
    platform.execute("delete from invitations").await;
    let expired = platform.invite(STRANGER, "member").await;
    platform.advance(7 * 24 * 3600);

    assert_eq!((of_disabled.status, &of_disabled.body), (404, &expected.body));
    let long = format!("/invitations/{}/", "a".repeat(44));
    for path in [
        &replaced,
        &used,
        &withdrawn,
        &expired,
        &long,
        "/invitations/x/",
        "/invitations/%ff/",
        "/invitations/%3Cscript%3E/",
        "/invitations/%00/",
    ] {
        for answer in [person.get(path).await, anonymous(&platform, path).await] {
            assert_eq!((answer.status, &answer.body), (404, &expected.body), "{path}");
        }
    }
    for path in [&replaced, &used, &withdrawn, &expired, &unknown] {
        let csrf = csrf(&person, path);
        let answer = person.post(path, &[("csrf", &csrf)]).await;
        assert_eq!((answer.status, &answer.body), (404, &expected.body), "{path}");
    }
    assert!(roles(&platform, "nora").await.is_empty());
}

#[tokio::test]
async fn of_twenty_who_accept_at_once_one_succeeds() {
    let platform = Platform::new().await;
    let path = platform.invite(STRANGER, "member").await;
    let person = Person::signed_in(&platform, STRANGER).await;
    let mut all = JoinSet::new();
    for _ in 0..20 {
        let (mut person, path) = (person.clone(), path.clone());
        all.spawn(async move {
            let csrf = csrf(&person, &path);
            person.post(&path, &[("csrf", &csrf)]).await.status
        });
    }
    let statuses = all.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 404).count(), 19, "{statuses:?}");
    assert_eq!(roles(&platform, "nora").await, ["org-acme member"]);
}

#[tokio::test]
async fn a_member_keeps_their_role_and_the_link() {
    for (role, invited) in [("owner", "member"), ("member", "owner")] {
        let platform = Platform::new().await;
        let path = platform.invite(STRANGER, invited).await;
        let insert = "insert into memberships (organization_id, user_id, role, created_at) values ('org-acme', 'nora', '";
        platform.execute(&format!("{insert}{role}', 1)")).await;
        let mut person = Person::signed_in(&platform, STRANGER).await;
        let page = person.get(&path).await;
        page.assert_page(200, "<h1>You are a member already</h1>");
        let csrf = csrf(&person, &path);
        let answer = person.post(&path, &[("csrf", &csrf)]).await;
        assert_eq!((answer.status, &answer.body), (200, &page.body));
        assert_eq!(roles(&platform, "nora").await, [format!("org-acme {role}")]);
        assert_eq!(platform.count("select count(*) from invitations").await, 1);
    }
}

#[tokio::test]
async fn the_form_needs_its_own_csrf_token_and_a_page_of_the_platform() {
    let platform = Platform::new().await;
    let path = platform.invite(STRANGER, "member").await;
    let mut person = Person::signed_in(&platform, STRANGER).await;
    let forged = "The form does not come from this page";
    let (logout, own) = (person.get("/").await.field("csrf"), csrf(&person, &path));
    let other = csrf(&person, "/invitations/x/");
    for wrong in ["", "wrong", &logout, &other] {
        person.post(&path, &[("csrf", wrong)]).await.assert_error_page(403, forged);
    }
    for origin in [None, Some("null"), Some(ACME_SITE)] {
        person.post_from(origin, &path, &[("csrf", &own)]).await.assert_error_page(403, forged);
    }
    assert!(roles(&platform, "nora").await.is_empty());
    person.post(&path, &[("csrf", &own)]).await.location();
}
