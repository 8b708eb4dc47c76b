//! `/organizations/{organization}/members/…`

use latchkey_server::config::{Config, Lifetimes};

use crate::support::{
    ACME, ACME_SITE, ADMIN, Answer, Asking, BOTH, MEMBER, NOW, OUTSIDER, OWNER, PASSWORD, PLATFORM, Person,
    Platform, STRANGER, Site, anonymous,
};

const PATH: &str = "/organizations/acme/members/";
const FORGED: &str = "The form does not come from this page";
const NEW: &str = "new@example.org";

type Form<'a> = &'a [(&'a str, &'a str)];

async fn post(person: &mut Person, path: &str, form: Form<'_>) -> Answer {
    let csrf = person.csrf("members of acme");
    person.post(path, &[&[("csrf", csrf.as_str())], form].concat()).await
}

async fn give(person: &mut Person, user_id: &str, was: &str, role: &str) -> Answer {
    post(person, &format!("{PATH}{user_id}/role/"), &[("was", was), ("role", role)]).await
}

async fn remove(person: &mut Person, user_id: &str) -> Answer {
    post(person, &format!("{PATH}{user_id}/remove/"), &[]).await
}

async fn invite(person: &mut Person, email: &str, role: &str) -> Answer {
    post(person, PATH, &[("email", email), ("role", role)]).await
}

/// The link that the page shows.
#[track_caller]
fn link(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("id=\"invitation-link\">").expect("a link");
    rest.split_once('<').unwrap().0.to_owned()
}

/// Everything that these pages could change.
async fn state(platform: &Platform) -> Vec<String> {
    let mut state = platform
        .texts("select organization_id || ' ' || user_id || ' ' || role from memberships order by 1")
        .await;
    state
        .extend(platform.texts("select id || ' ' || email || ' ' || role from invitations order by 1").await);
    state
}

/// The action, the actor and the person of every entry in Acme's log about members.
async fn log(platform: &Platform) -> Vec<String> {
    let sql = "select action || ' by ' || coalesce(actor_id, actor_kind) || ' of ' || coalesce(user_id, '-')
                   || ' ' || detail
               from audit_log where organization_id = 'org-acme' and actor_kind <> 'server'
                 and (action like 'member.%' or action like 'invitation.%') order by id";
    platform.texts(sql).await
}

/// A platform on which Acme has an invitation open, whose id is `open`.
async fn platform() -> Platform {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    assert_eq!(invite(&mut admin, "open@example.org", "member").await.status, 200);
    platform.execute("update invitations set id = 'open'").await;
    platform
}

/// Every address with something to send there.
const ROUTES: [(&str, Option<Form<'static>>); 6] = [
    ("", None),
    ("", Some(&[("email", NEW), ("role", "member")])),
    ("max/role/", Some(&[("was", "member"), ("role", "admin")])),
    ("max/remove/", None),
    ("max/remove/", Some(&[])),
    ("invitations/open/revoke/", Some(&[])),
];

async fn ask(person: &mut Person, (below, form): (&str, Option<Form<'_>>)) -> Answer {
    let path = format!("{PATH}{below}");
    match form {
        Some(form) => post(person, &path, form).await,
        None => person.get(&path).await,
    }
}

/// SECURITY 4: the role is checked at every request, and who is no member learns nothing.
#[tokio::test]
async fn only_admins_and_owners_of_the_organization_get_in() {
    let platform = platform().await;
    let before = state(&platform).await;
    for (email, status, says) in [
        (STRANGER, 404, "There is nothing at this address"),
        (OUTSIDER, 404, "There is nothing at this address"),
        (MEMBER, 403, "This is for admins and owners of the organization"),
    ] {
        let mut person = Person::signed_in(&platform, email).await;
        for route in ROUTES {
            ask(&mut person, route).await.assert_error_page(status, says);
        }
    }
    let mut nobody = Person::new(&platform);
    nobody.get("/login/").await;
    for route in ROUTES {
        let answer = ask(&mut nobody, route).await;
        assert!(
            answer.location().starts_with("/login/?next=%2Forganizations%2Facme%2Fmembers%2F"),
            "{route:?}"
        );
    }
    assert_eq!(state(&platform).await, before);
    for email in [ADMIN, OWNER] {
        for route in ROUTES {
            let platform = self::platform().await;
            let mut person = Person::signed_in(&platform, email).await;
            let answer = ask(&mut person, route).await;
            let done = answer.status == 200
                || (answer.status == 303
                    && answer.location().starts_with("/organizations/acme/members/?done="));
            assert!(done, "{email} {route:?}: {} {}", answer.status, answer.body);
            assert_eq!(state(&platform).await == before, route.1.is_none(), "{email} {route:?}");
        }
    }
}

#[tokio::test]
async fn no_token_opens_these_pages() {
    let platform = Platform::new().await;
    let token = platform.whole_token(OWNER).await;
    for origin in [None, Some(PLATFORM)] {
        let answer = Site::new(&platform, &token).from(origin).get(PATH).await;
        assert_eq!(answer.location(), "/login/?next=%2Forganizations%2Facme%2Fmembers%2F");
    }
}

#[tokio::test]
async fn the_list_shows_who_is_what_and_which_one_is_you() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, OWNER).await.get(PATH).await;
    page.assert_page(200, "<bdi>Ada</bdi> <span class=\"badge\">You</span>");
    page.assert_page(200, "<bdi>max@example.org</bdi>");
    page.assert_page(200, "aria-label=\"Role of Max (max@example.org)\"");
    page.assert_page(200, "aria-label=\"Save the role of Max (max@example.org)\"");
    page.assert_page(200, "href=\"/organizations/acme/members/max/remove/\" aria-label=\"Remove… Max");
    page.assert_page(200, "<option value=\"member\" selected>Member</option>\n<option value=\"admin\">Admin");
    assert!(
        !page.body.contains("Gil") && !page.body.contains("Nora") && !page.body.contains("Open invitations")
    );
    platform.execute("update users set disabled_at = 1 where id = 'max'").await;
    let page = Person::signed_in(&platform, OWNER).await.get(PATH).await;
    page.assert_page(200, "<bdi>Max</bdi> <span class=\"badge off\">Account disabled</span>");
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let platform = Platform::new().await;
    for at in 0..60 {
        let name = at / 2;
        platform
            .execute(&format!(
                "insert into users (id, email, email_key, name, password_hash, created_at)
                 values ('u{at}', 'u{at}@x.org', 'u{at}@x.org', 'Name {name}', 'x', 1)"
            ))
            .await;
        platform
            .execute(&format!(
                "insert into memberships (organization_id, user_id, role, created_at) values ('org-acme', 'u{at}', 'member', 1)"
            ))
            .await;
    }
    let mut person = Person::signed_in(&platform, OWNER).await;
    let ids = |page: &Answer| {
        let parts = page.body.split("<li id=\"member-").skip(1);
        parts.map(|part| part.split_once('"').unwrap().0.to_owned()).collect::<Vec<_>>()
    };
    let first = person.get(PATH).await;
    let second = person.get(&first.link("next")).await;
    let mut all = [ids(&first), ids(&second)].concat();
    assert_eq!((ids(&first).len(), ids(&second).len()), (50, 14));
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 64);
    assert_eq!(second.link("first"), PATH);
    assert!(!second.body.contains("id=\"next\"") && !first.body.contains("id=\"first\""));
    // Somebody who is in another organization says nothing of where they would stand.
    for nobody in ["gil", "nobody"] {
        person
            .get(&format!("{PATH}?after={nobody}"))
            .await
            .assert_page(200, "id=\"none\">Nobody comes after this.");
    }
}

#[tokio::test]
async fn a_role_is_in_force_at_the_next_request() {
    let platform = Platform::new().await;
    let token = platform.whole_token(ADMIN).await;
    let site = Site::new(&platform, &token);
    let mut demoted = Person::signed_in(&platform, ADMIN).await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    let logs = "/api/0/organizations/acme/audit-logs/";
    assert_eq!((site.get(logs).await.status, demoted.get(PATH).await.status), (200, 200));
    let answer = give(&mut owner, "arno", "admin", "member").await;
    owner.get(answer.location()).await.assert_page(200, "id=\"done\">The role is changed");
    site.get(logs).await.assert_api_error(403, "insufficient_scope");
    demoted.get(PATH).await.assert_error_page(403, "This is for admins");
    give(&mut owner, "arno", "member", "admin").await.location();
    assert_eq!((site.get(logs).await.status, demoted.get(PATH).await.status), (200, 200));
    assert_eq!(
        log(&platform).await,
        [
            "member.role_changed by ada of arno {\"role\":\"member\",\"was\":\"admin\"}",
            "member.role_changed by ada of arno {\"role\":\"admin\",\"was\":\"member\"}"
        ]
    );
}

#[tokio::test]
async fn the_role_that_somebody_has_already_is_no_change() {
    let platform = Platform::new().await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    give(&mut owner, "max", "member", "member").await.location();
    assert!(log(&platform).await.is_empty());
}

#[tokio::test]
async fn of_two_admins_who_change_a_role_the_later_one_is_told() {
    let platform = Platform::new().await;
    let mut one = Person::signed_in(&platform, OWNER).await;
    let mut two = Person::signed_in(&platform, ADMIN).await;
    give(&mut one, "max", "member", "admin").await.location();
    let answer = give(&mut two, "max", "member", "member").await;
    two.get(answer.location()).await.assert_page(200, "id=\"error\">Somebody else changed this role");
    assert_eq!(platform.text("select role from memberships where user_id = 'max'").await, "admin");
}

#[tokio::test]
async fn only_an_owner_makes_demotes_and_removes_owners() {
    let platform = platform().await;
    platform
        .execute(
            "update memberships set role = 'owner' where user_id = 'bea' and organization_id = 'org-acme'",
        )
        .await;
    let before = state(&platform).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let says = "Only an owner of the organization can do this to an owner";
    for answer in [
        give(&mut admin, "bea", "owner", "member").await,
        give(&mut admin, "bea", "owner", "owner").await,
        give(&mut admin, "max", "member", "owner").await,
        give(&mut admin, "arno", "admin", "owner").await,
        remove(&mut admin, "bea").await,
        admin.get(&format!("{PATH}bea/remove/")).await,
        invite(&mut admin, NEW, "owner").await,
    ] {
        answer.assert_error_page(403, says);
    }
    assert_eq!(state(&platform).await, before);
    let page = admin.get(PATH).await;
    assert!(!page.body.contains("value=\"owner\"") && !page.body.contains("members/bea/"), "{}", page.body);
    page.assert_page(200, "<p class=\"fixed\">Owner<span class=\"muted\">: only an owner can change this");

    let mut owner = Person::signed_in(&platform, OWNER).await;
    give(&mut owner, "bea", "owner", "admin").await.location();
    give(&mut owner, "bea", "admin", "owner").await.location();
    invite(&mut owner, NEW, "owner").await.assert_page(200, "Role: Owner.");
    remove(&mut owner, "bea").await.location();
}

#[tokio::test]
async fn the_last_owner_who_is_active_cannot_go() {
    let platform = platform().await;
    platform
        .execute(
            "update memberships set role = 'owner' where user_id = 'bea' and organization_id = 'org-acme'",
        )
        .await;
    platform.execute("update users set disabled_at = 1 where id = 'bea'").await;
    let before = state(&platform).await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    for answer in [
        give(&mut owner, "ada", "owner", "admin").await,
        give(&mut owner, "ada", "owner", "member").await,
        remove(&mut owner, "ada").await,
        owner.get(&format!("{PATH}ada/remove/")).await,
    ] {
        answer.assert_error_page(409, "This is the last owner of the organization");
        answer.assert_page(409, "<h1>This can&#39;t be done yet</h1>");
    }
    assert_eq!(state(&platform).await, before);
    owner.get(PATH).await.assert_page(200, "Owner<span class=\"muted\">: the last one, who can't go before");
    give(&mut owner, "arno", "admin", "owner").await.location();
    assert_eq!(remove(&mut owner, "ada").await.location(), "/");
    owner.get(PATH).await.assert_error_page(404, "There is nothing at this address");
}

#[tokio::test]
async fn of_two_owners_who_go_at_once_one_stays() {
    let platform = Platform::new().await;
    platform.execute("update memberships set role = 'owner' where user_id = 'arno'").await;
    let mut one = Person::signed_in(&platform, OWNER).await;
    let mut two = Person::signed_in(&platform, ADMIN).await;
    let (one, two) = tokio::join!(remove(&mut one, "ada"), remove(&mut two, "arno"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
}

/// SECURITY 31: leaving the organization kills what depends on it.
#[tokio::test]
async fn who_is_removed_loses_at_once_what_the_page_said_before() {
    let platform = platform().await;
    let token = platform.token(MEMBER).await;
    let colleague_s = platform.token(BOTH).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let page = admin.get(&format!("{PATH}max/remove/")).await;
    page.assert_page(200, "<h1>Remove <bdi>Max</bdi>?</h1>");
    page.assert_page(
        200,
        "signed in with 1 application of the organization, with 1 active token. All of that ends",
    );
    let nothing = admin.get(&format!("{PATH}ada/remove/")).await;
    nothing.assert_error_page(403, "Only an owner");
    platform.execute("update invitations set email = 'Max@example.org', email_key = 'max@example.org'").await;
    let answer = remove(&mut admin, "max").await;
    admin.get(answer.location()).await.assert_page(200, "id=\"done\">They are no member any more");

    Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    assert_eq!(Site::new(&platform, &colleague_s).get("/api/0/").await.status, 200);
    assert_eq!(platform.count("select count(*) from consents where user_id = 'max'").await, 0);
    assert_eq!(platform.count("select count(*) from invitations").await, 0, "no link leads back");
    let log = log(&platform).await;
    assert_eq!(
        log[log.len() - 2..],
        [
            "member.removed by arno of max {\"role\":\"member\"}",
            "invitation.revoked by arno of - {\"email\":\"Max@example.org\"}"
        ]
    );
    remove(&mut admin, "max").await.assert_error_page(404, "There is nothing at this address");
    let page = admin.get(&format!("{PATH}arno/remove/")).await;
    page.assert_page(200, "You are not signed in with any application of the organization now.");
    page.assert_page(200, "<h1>Leave <bdi>Acme Rockets</bdi>?</h1>");
}

/// The addresses that have an invitation of Acme's open.
async fn invited(platform: &Platform) -> Vec<String> {
    platform.texts("select email from invitations order by email").await
}

#[tokio::test]
async fn nobody_keeps_a_way_back_by_an_invitation_that_they_made() {
    let all = ["admin@x.org", "by-ada@x.org", "member@x.org", "owner@x.org"];
    for (role, left) in [
        (None, &["by-ada@x.org"][..]),
        (Some("member"), &["by-ada@x.org"]),
        (Some("admin"), &["admin@x.org", "by-ada@x.org", "member@x.org"]),
        (Some("owner"), &all),
    ] {
        let platform = Platform::new().await;
        platform.execute("update memberships set role = 'owner' where user_id = 'arno'").await;
        let mut owner = Person::signed_in(&platform, OWNER).await;
        let mut other = Person::signed_in(&platform, ADMIN).await;
        invite(&mut owner, "by-ada@x.org", "owner").await.assert_page(200, "invitation-link");
        // Of two who invite the same address, the later one has made the invitation.
        invite(&mut owner, "owner@x.org", "member").await.assert_page(200, "invitation-link");
        for role in ["member", "admin", "owner"] {
            let page = invite(&mut other, &format!("{role}@x.org"), role).await;
            page.assert_page(200, "invitation-link");
        }
        assert_eq!(invited(&platform).await, all);
        let withdrawn = "Invitations they made that nobody has accepted are withdrawn.";
        owner.get(&format!("{PATH}arno/remove/")).await.assert_page(200, withdrawn);
        match role {
            Some(role) => give(&mut owner, "arno", "owner", role).await.location().to_owned(),
            None => remove(&mut owner, "arno").await.location().to_owned(),
        };
        assert_eq!(invited(&platform).await, left, "{role:?}");
        let logged =
            "select count(*) from audit_log where action = 'invitation.revoked' and actor_id = 'ada'";
        let gone = i64::try_from(all.len() - left.len()).unwrap();
        assert_eq!(platform.count(logged).await, gone, "{role:?}");
    }
}

#[tokio::test]
async fn who_leaves_or_steps_back_is_led_out_of_the_pages() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    assert_eq!(give(&mut admin, "arno", "admin", "member").await.location(), "/");
    let mut other = Person::signed_in(&platform, BOTH).await;
    assert_eq!(remove(&mut other, "bea").await.location(), "/");
    let left = platform.texts("select organization_id from memberships where user_id = 'bea'").await;
    assert_eq!(left, ["org-globex"]);
}

#[tokio::test]
async fn whoever_is_of_another_organization_is_nobody_here() {
    let platform = platform().await;
    let mut globex = Person::signed_in(&platform, OUTSIDER).await;
    let csrf = globex.csrf("members of globex");
    let form = [("csrf", csrf.as_str()), ("email", NEW), ("role", "member")];
    assert_eq!(globex.post("/organizations/globex/members/", &form).await.status, 200);
    platform.execute("update invitations set id = 'theirs' where organization_id = 'org-globex'").await;
    let before = state(&platform).await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    for id in ["gil", "nora", "nobody", "%00", "..", "theirs"] {
        for answer in [
            give(&mut owner, id, "member", "admin").await,
            remove(&mut owner, id).await,
            owner.get(&format!("{PATH}{id}/remove/")).await,
            post(&mut owner, &format!("{PATH}invitations/{id}/revoke/"), &[]).await,
        ] {
            answer.assert_error_page(404, "There is nothing at this address");
        }
    }
    assert_eq!(state(&platform).await, before);
    assert!(!owner.get(PATH).await.body.contains(NEW));
}

#[tokio::test]
async fn who_is_invited_stands_in_the_list_and_the_link_is_shown_once() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let page = invite(&mut admin, " New@Example.org ", "admin").await;
    page.assert_page(200, "<h2 id=\"link\">The link for <bdi>New@Example.org</bdi></h2>");
    page.assert_page(200, "22 January 2027, 08:00 UTC</time>. Role: Admin.");
    page.assert_page(200, "Do not reload this page: that makes another link, and this one stops working.");
    let link = link(&page);
    let token =
        link.strip_prefix("https://platform.example/invitations/").unwrap().strip_suffix('/').unwrap();
    assert!(token.len() == 43 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");

    let later = admin.get(PATH).await;
    later.assert_page(200, "<p class=\"name\"><bdi>New@Example.org</bdi></p>");
    later.assert_page(200, "Admin, until <time datetime=\"2027-01-22T08:00:00Z\">");
    assert!(!later.body.contains(token), "it is shown once");
    let kept = platform.database.lines("invitations").await.concat();
    assert!(kept.iter().any(|text| text == "New@Example.org"));
    assert!(!kept.iter().any(|text| text.contains(token)), "the database holds the secret");
    assert_eq!(
        log(&platform).await,
        ["invitation.added by arno of - {\"email\":\"New@Example.org\",\"role\":\"admin\"}"]
    );
    assert_eq!(platform.count("select count(*) from users where email_key = 'new@example.org'").await, 0);
}

#[tokio::test]
async fn an_invitation_lasts_as_long_as_the_settings_say() {
    let lifetimes = Lifetimes { invitation_secs: 60, ..Lifetimes::default() };
    let platform = Platform::with(Config { lifetimes, ..Platform::config() }).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    invite(&mut admin, NEW, "member").await.assert_page(200, "08:01 UTC</time>. Role: Member.");
    assert_eq!(platform.count("select expires_at from invitations").await, NOW + 60);
    platform.advance(60);
    assert!(!admin.get(PATH).await.body.contains(NEW));
}

#[tokio::test]
async fn what_is_wrong_with_an_address_stands_at_the_field_with_what_was_typed() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for (email, typed, says) in [
        ("nonsense", "nonsense", "it is not an e-mail address such as ada@example.org"),
        ("", "", "it is not an e-mail address"),
        ("a@b@c.org", "a@b@c.org", "it is not an e-mail address"),
        ("<b>@x.org", "&#60;b&#62;@x.org", "it is not an e-mail address"),
        ("a\u{202e}@x.org", "a\u{202e}@x.org", "it is not an e-mail address"),
        ("MAX@example.org", "MAX@example.org", "they are a member already"),
        (ADMIN, ADMIN, "they are a member already"),
    ] {
        let page = invite(&mut admin, email, "admin").await;
        page.assert_page(422, &format!("id=\"email-wrong\">Nobody is invited: {says}"));
        page.assert_page(422, &format!("value=\"{typed}\" maxlength"));
        page.assert_page(422, "aria-describedby=\"email-hint email-wrong\" aria-invalid=\"true\"");
        page.assert_page(
            422,
            "<option value=\"admin\" selected>Admin</option>\n</select>\n</div>\n<div class=\"fit\">",
        );
        assert!(!page.body.contains("invitation-link"));
    }
    for role in ["root", "", "Owner"] {
        invite(&mut admin, NEW, role).await.assert_error_page(400, "role is");
    }
    assert_eq!(platform.count("select count(*) from invitations").await, 0);
}

#[tokio::test]
async fn an_organization_has_so_many_open_invitations_and_no_more() {
    let platform = Platform::new().await;
    platform
        .execute(&format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 200)
             insert into invitations (id, token_hash, organization_id, email, email_key, role, created_at, expires_at)
             select 'i' || i, {}, 'org-acme', 'i' || i || '@x.org', 'i' || i || '@x.org', 'member', 1, {}
             from n",
            platform.database.bytes("i"),
            NOW + 60
        ))
        .await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    invite(&mut admin, NEW, "member").await.assert_page(422, "there are 200 open invitations already");
    invite(&mut admin, "I7@x.org", "member").await.assert_page(200, "invitation-link");
    platform.advance(60);
    invite(&mut admin, NEW, "member").await.assert_page(200, "invitation-link");
}

/// SECURITY 16: every POST needs the CSRF token and a same-origin `Origin`.
#[tokio::test]
async fn every_form_needs_its_own_csrf_token_and_a_page_of_the_platform() {
    let platform = platform().await;
    let before = state(&platform).await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    for (below, form) in ROUTES.iter().filter_map(|(below, form)| form.map(|form| (below, form))) {
        let path = format!("{PATH}{below}");
        for purpose in ["logout", "members of globex", "applications of acme", "login", ""] {
            let csrf = owner.csrf(purpose);
            let form = [&[("csrf", csrf.as_str())], form].concat();
            owner.post(&path, &form).await.assert_error_page(403, FORGED);
        }
        owner.post(&path, form).await.assert_error_page(403, FORGED);
        let csrf = owner.csrf("members of acme");
        let form = [&[("csrf", csrf.as_str())], form].concat();
        for origin in [None, Some("null"), Some(ACME_SITE)] {
            owner.post_from(origin, &path, &form).await.assert_error_page(403, FORGED);
        }
    }
    assert_eq!(state(&platform).await, before);
}

#[tokio::test]
async fn what_was_typed_is_there_after_a_session_that_ended_in_between() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    admin.get(PATH).await;
    platform.execute("update sessions set ended_at = 1").await;
    let login = invite(&mut admin, NEW, "admin").await.location().to_owned();
    assert!(login.starts_with("/login/?next=%2Forganizations%2Facme%2Fmembers%2F%3Fkept%3D"), "{login}");
    assert_eq!(platform.count("select count(*) from invitations").await, 0);
    let page = admin.get(&login).await;
    let (csrf, next) = (page.field("csrf"), page.field("next"));
    let form = [("csrf", csrf.as_str()), ("next", &next), ("email", ADMIN), ("password", PASSWORD)];
    let back = admin.post("/login/", &form).await.location().to_owned();
    let page = admin.get(&back).await;
    page.assert_page(200, "id=\"kept\">You were signed out in between.");
    page.assert_page(200, &format!("value=\"{NEW}\" maxlength"));
    page.assert_page(
        200,
        "<option value=\"admin\" selected>Admin</option>\n</select>\n</div>\n<div class=\"fit\">",
    );
    assert_eq!(platform.count("select count(*) from invitations").await, 0);
    let mut other = Person::signed_in(&platform, OWNER).await;
    assert!(!other.get(&back).await.body.contains(NEW), "another browser is not shown it");
}

#[tokio::test]
async fn a_withdrawn_invitation_is_gone_from_the_list_and_in_the_log() {
    let platform = platform().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    admin
        .get(PATH)
        .await
        .assert_page(200, "id=\"withdraw-open\" aria-label=\"Withdraw the invitation of open@");
    let revoke = format!("{PATH}invitations/open/revoke/");
    let answer = post(&mut admin, &revoke, &[]).await;
    let page = admin.get(answer.location()).await;
    page.assert_page(200, "id=\"done\">The invitation is withdrawn");
    assert!(!page.body.contains("open@example.org"));
    post(&mut admin, &revoke, &[]).await.assert_error_page(404, "There is nothing");
    let log = log(&platform).await;
    assert_eq!(log.last().unwrap(), "invitation.revoked by arno of - {\"email\":\"open@example.org\"}");
}

#[tokio::test]
async fn a_disabled_organization_has_no_pages() {
    let platform = platform().await;
    platform.execute(&format!("update organizations set disabled_at = 1 where id = '{}'", ACME.0)).await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    for route in ROUTES {
        ask(&mut owner, route).await.assert_error_page(404, "There is nothing at this address");
    }
}

#[tokio::test]
async fn a_get_changes_nothing() {
    let platform = platform().await;
    let before = state(&platform).await;
    let mut owner = Person::signed_in(&platform, OWNER).await;
    for path in ["max/role/", "invitations/open/revoke/"] {
        owner
            .get(&format!("{PATH}{path}"))
            .await
            .assert_error_page(405, "This address does not take that method");
    }
    owner.get(&format!("{PATH}?email={NEW}&role=owner")).await.assert_page(200, "Invite somebody");
    assert_eq!(anonymous(&platform, PATH).await.status, 303);
    assert_eq!(state(&platform).await, before);
}

#[tokio::test]
async fn the_token_of_who_is_removed_cannot_be_refreshed() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let token = person.token(&Asking::new()).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    remove(&mut admin, "max").await.location();
    Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    assert_eq!(person.ask(&Asking::new()).await.status, 403, "and nothing new is issued");
    assert_eq!(
        platform.count("select count(*) from grants where user_id = 'max' and revoked_at is null").await,
        0
    );
}
