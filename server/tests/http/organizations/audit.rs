//! `/organizations/{organization}/audit/`

use std::net::IpAddr;

use axum::{body::Body, http::Request};
use latchkey_server::{
    audit::{Action, Actor, By},
    store::{
        applications,
        audit_log::{self, Entry},
        memberships,
    },
};
use serde_json::json;

use crate::support::{
    ACME, ADMIN, APP, Answer, Asking, BOTH, GLOBEX, GLOBEX_APP, MEMBER, NOW, OUTSIDER, OWNER, PEER, Person,
    Platform, STRANGER, anonymous,
};

const PATH: &str = "/organizations/acme/audit/";

/// The rows of the table, from the first to the last.
fn rows(page: &Answer) -> Vec<String> {
    let Some((_, table)) = page.body.split_once("<tbody>") else { return vec![] };
    let (table, _) = table.split_once("</tbody>").unwrap();
    table.split("<tr>").skip(1).map(ToOwned::to_owned).collect()
}

/// A page of Acme's log with this query, as an admin sees it.
async fn page(platform: &Platform, query: &str) -> Answer {
    let page = Person::signed_in(platform, ADMIN).await.get(&format!("{PATH}{query}")).await;
    assert_eq!(page.status, 200, "{query}: {}", page.body);
    page
}

/// Writes an entry down.
async fn write(platform: &Platform, actor: Actor, entry: Entry<'_>, detail: serde_json::Value) {
    let mut unit = platform.write().await;
    let address: IpAddr = "203.0.113.9".parse().unwrap();
    unit.act_for(By { actor, address: Some(address), now: platform.app.clock.now() });
    audit_log::insert(&mut unit, &entry, &detail).await.unwrap();
    unit.commit().await.unwrap();
}

#[tokio::test]
async fn it_is_for_admins_and_owners_of_the_organization() {
    let platform = Platform::new().await;
    for (email, path, status) in [
        (OWNER, PATH, 200),
        (ADMIN, PATH, 200),
        (BOTH, PATH, 200),
        (MEMBER, PATH, 403),
        (OUTSIDER, PATH, 404),
        (STRANGER, PATH, 404),
        (BOTH, "/organizations/globex/audit/", 403),
        (ADMIN, "/organizations/globex/audit/", 404),
        (ADMIN, "/organizations/nowhere/audit/", 404),
        (ADMIN, "/organizations/org-acme/audit/", 404),
    ] {
        let answer = Person::signed_in(&platform, email).await.get(path).await;
        assert_eq!(answer.status, status, "{email} {path}");
        assert_eq!(answer.body.contains("<table>"), status == 200, "{email} {path}");
    }
    let login = anonymous(&platform, &format!("{PATH}?user_id=max")).await;
    let expected = "/login/?next=%2Forganizations%2Facme%2Faudit%2F%3Fuser_id%3Dmax";
    assert_eq!(login.location(), expected);
}

#[tokio::test]
async fn it_is_for_a_session_and_not_for_a_token() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, ADMIN).await;
    let token = person.token(&Asking::new()).await;
    let request = Request::get(PATH).header("authorization", format!("Bearer {token}"));
    assert!(person.send(request.body(Body::empty()).unwrap()).await.location().starts_with("/login/"));
}

#[tokio::test]
async fn who_is_no_admin_any_more_sees_it_no_more() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, ADMIN).await;
    assert_eq!(person.get(PATH).await.status, 200);
    platform.execute("update memberships set role = 'member' where user_id = 'arno'").await;
    assert_eq!(person.get(PATH).await.status, 403);
    platform.execute("update memberships set role = 'admin' where user_id = 'arno'").await;
    platform.execute("update organizations set disabled_at = 1 where slug = 'acme'").await;
    assert_eq!(person.get(PATH).await.status, 404);
}

#[tokio::test]
async fn an_entry_says_when_what_who_about_whom_and_from_where() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, MEMBER).await.token(&Asking::new().with("scope", "project:read")).await;
    let page = page(&platform, "").await;
    let rows = rows(&page);
    // The latest first.
    assert!(rows[0].contains("Application allowed by a person") && rows[1].contains("Token issued"));
    let row = &rows[1];
    for part in [
        "<time datetime=\"2027-01-15T08:00:00Z\">15 January 2027, 08:00 UTC</time>",
        "<td><a href=\"/organizations/acme/audit/?user_id=max\"><bdi>Max</bdi></a><br><span class=\"muted\"><bdi>\
         max@example.org</bdi></span></td>",
        "<div><a href=\"/organizations/acme/audit/?client_id=acmeclient\"><bdi>Acme Toolbar</bdi></a></div></td>",
        "<dt>Scopes</dt><dd><bdi>project:read</bdi></dd>",
        "<dt>Expires at</dt><dd><bdi>15 January 2027, 09:00 UTC</bdi></dd>",
        &format!("<span class=\"value\">{PEER}</span>"),
    ] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    // Who did it is not named twice, and nothing is a dump.
    assert_eq!(row.matches("Max").count(), 1, "{row}");
    assert!(!row.contains("&#34;") && !row.contains('{'), "{row}");
    page.assert_page(
        200,
        "<div class=\"table log\" tabindex=\"0\" role=\"region\" aria-labelledby=\"audit\">",
    );
}

#[tokio::test]
async fn everybody_who_does_something_has_a_name() {
    let platform = Platform::new().await;
    let entry = Entry::new(ACME.0, Action::TokenRefused).of_application(APP).of_person("max");
    let often = Entry { occurrences: 12, ..entry };
    write(&platform, Actor::Application(APP.into()), often, json!({ "reason": "expired" })).await;
    write(&platform, Actor::Command, entry, json!({})).await;
    write(&platform, Actor::Server, entry, json!({})).await;
    write(&platform, Actor::Person("gone".into()), Entry::new(ACME.0, Action::ProjectAdded), json!({})).await;
    let rows = rows(&page(&platform, "").await);
    assert!(rows[0].contains("<bdi>gone</bdi>"), "{}", rows[0]);
    assert!(rows[1].contains("<td>Server</td>"), "{}", rows[1]);
    assert!(rows[2].contains("<td>Command line</td>"), "{}", rows[2]);
    let refused = &rows[3];
    assert!(
        refused.contains("<td><a href=\"/organizations/acme/audit/?client_id=acmeclient\">"),
        "{refused}"
    );
    assert!(refused.contains("<span class=\"badge\">12 times</span>") && refused.contains("203.0.113.9"));
    assert_eq!(refused.matches("Acme Toolbar").count(), 1, "{refused}");
    assert!(!rows[1].contains(" times"));
}

#[tokio::test]
async fn a_change_says_what_it_was_before() {
    let platform = Platform::new().await;
    let mut unit = platform.write().await;
    let application = applications::find(&mut unit, APP).await.unwrap().unwrap();
    let renamed = applications::Application { name: "Acme Bar".into(), ..application };
    assert_eq!(applications::touch(&mut unit, &renamed).await.unwrap(), Some(2));
    unit.commit().await.unwrap();
    let rows = rows(&page(&platform, "").await);
    assert!(
        rows[0].contains("<dt>Name</dt><dd><bdi>Acme Bar, before: Acme Toolbar</bdi></dd>"),
        "{}",
        rows[0]
    );
    assert_eq!(rows[0].matches("<dt>").count(), 1, "{}", rows[0]);
}

#[tokio::test]
async fn who_left_and_what_is_deleted_is_still_told() {
    let platform = Platform::new().await;
    platform.token(MEMBER).await;
    let mut unit = platform.write().await;
    assert!(memberships::remove(&mut unit, ACME.0, "max").await.unwrap());
    assert!(applications::remove(&mut unit, ACME.0, APP).await.unwrap());
    unit.commit().await.unwrap();
    let page = page(&platform, "?user_id=max").await;
    page.assert_page(200, "<option value=\"max\" selected>max</option>");
    let issued = rows(&page).into_iter().find(|row| row.contains("Token issued")).unwrap();
    assert!(issued.contains("<bdi>Max</bdi>") && issued.contains("<bdi>acmeclient</bdi>"), "{issued}");
}

#[tokio::test]
async fn nothing_of_another_organization_s_is_there() {
    let platform = Platform::new().await;
    let globex = Asking::redirect().with("client_id", GLOBEX_APP);
    let globex = globex.with("redirect_uri", crate::support::GLOBEX_REDIRECT);
    Person::signed_in(&platform, OUTSIDER).await.token(&globex).await;
    Person::signed_in(&platform, BOTH).await.token(&globex).await;
    platform.token(BOTH).await;
    write(&platform, Actor::Person("gil".into()), Entry::new(GLOBEX.0, Action::ProjectAdded), json!({}))
        .await;
    let theirs = platform.count("select max(id) from audit_log").await + 1;
    let queries = ["", "?user_id=bea", "?user_id=gil", "?client_id=globexclient"].map(ToOwned::to_owned);
    for query in queries.into_iter().chain([format!("?cursor={theirs}")]) {
        let page = page(&platform, &query).await;
        for word in ["Globex", "globex", "Gil", "gil@"] {
            assert!(!page.body.contains(word), "{query} tells {word}: {}", page.body);
        }
    }
    page(&platform, "?client_id=globexclient").await.assert_page(200, "No entry matches.");
}

#[tokio::test]
async fn each_filter_leaves_what_it_names_and_all_of_them_what_they_have_in_common() {
    let platform = Platform::new().await;
    platform.token(MEMBER).await;
    platform.advance(24 * 3600);
    platform.token(OWNER).await;
    let count = async |query: &str| rows(&page(&platform, query).await).len();
    let all = count("").await;
    for (query, expected) in [
        ("?action=token.issued", 2),
        ("?action=project.added", 2),
        ("?action=token.revoked", 0),
        ("?client_id=acmeclient", 5),
        ("?client_id=nothing", 0),
        // Max was added, allowed it, and was given a token.
        ("?user_id=max", 3),
        ("?since=2027-01-16", 2),
        ("?since=2027-01-15", all),
        ("?since=2027-01-17", 0),
        ("?since=2027-01-16&action=token.issued", 1),
        ("?since=2027-01-16&action=token.issued&user_id=max", 0),
        ("?user_id=ada&action=token.issued&client_id=acmeclient&since=2027-01-16", 1),
        ("?action=&client_id=&user_id=&since=", all),
        ("?unknown=1", all),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    // What somebody did counts as well as what is about them.
    write(&platform, Actor::Person("max".into()), Entry::new(ACME.0, Action::ProjectAdded), json!({})).await;
    assert_eq!(count("?user_id=max").await, 4);
    assert_eq!(count("?user_id=max&action=project.added").await, 1);
}

#[tokio::test]
async fn what_is_chosen_stays_chosen_and_can_be_cleared() {
    let platform = Platform::new().await;
    let page =
        page(&platform, "?action=member.added&client_id=acmeclient&user_id=max&since=2027-01-15").await;
    for chosen in [
        "<option value=\"member.added\" selected>Member added</option>",
        "<option value=\"acmeclient\" selected>Acme Toolbar</option>",
        "<option value=\"max\" selected>Max (max@example.org)</option>",
        "name=\"since\" type=\"date\" value=\"2027-01-15\"",
        "No entry matches.",
    ] {
        page.assert_page(200, chosen);
    }
    assert_eq!(page.link("clear"), PATH);
    assert_eq!(page.body.matches(" selected").count(), 3);
    let whole = self::page(&platform, "").await;
    assert!(!whole.body.contains(" selected") && !whole.body.contains("id=\"clear\""));
    assert_eq!(whole.body.matches("<option value=\"acmeclient\">Acme Toolbar</option>").count(), 1);
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_named_and_left_out() {
    let platform = Platform::new().await;
    let all = rows(&page(&platform, "").await).len();
    for (query, says) in [
        ("?action=token.issue", "There is no such action."),
        ("?since=yesterday", "The day is none: write it as year, month and day, such as 2027-01-15."),
        ("?since=2027-02-30", "The day is none"),
        ("?since=2027-01-15T08:00", "The day is none"),
        ("?client_id=%3Cx%3E", "There can be no such application."),
        ("?user_id=a+b", "There can be no such person."),
        ("?cursor=x", "There is no such page: these are the latest entries."),
        ("?cursor=0", "There is no such page"),
        ("?cursor=99999999999999999999", "There is no such page"),
    ] {
        let page = page(&platform, query).await;
        page.assert_page(200, &format!("role=\"alert\" id=\"error\">{says}"));
        assert_eq!(rows(&page).len(), all, "{query}");
    }
    let page = page(&platform, "?action=project.added&since=yesterday").await;
    page.assert_page(200, "id=\"error\"");
    assert_eq!(rows(&page).len(), 2, "what means something counts");
    let mut person = Person::signed_in(&platform, ADMIN).await;
    for malformed in ["?action=a&action=b", "?since=%ff", "?user_id=%00%zz"] {
        person.get(&format!("{PATH}{malformed}")).await.assert_page(400, "id=\"error\"");
    }
}

#[tokio::test]
async fn it_is_read_a_page_at_a_time_and_the_filters_go_along() {
    let platform = Platform::new().await;
    for number in 0..120 {
        let detail = json!({ "number": format!("number-{number}") });
        write(&platform, Actor::Command, Entry::new(ACME.0, Action::ProjectAdded), detail).await;
        write(&platform, Actor::Command, Entry::new(GLOBEX.0, Action::ProjectAdded), json!({})).await;
    }
    let mut person = Person::signed_in(&platform, ADMIN).await;
    let first = person.get(&format!("{PATH}?action=project.added&since=2027-01-15")).await;
    assert!(!first.body.contains("id=\"latest\""));
    let mut found = rows(&first);
    assert_eq!(found.len(), 50);
    let mut page = first;
    while page.body.contains("id=\"next\"") {
        let next = page.link("next");
        assert!(next.starts_with(&format!("{PATH}?action=project.added&since=2027-01-15&cursor=")), "{next}");
        page = person.get(&next).await;
        assert_eq!(page.link("latest"), format!("{PATH}?action=project.added&since=2027-01-15"));
        found.extend(rows(&page));
    }
    // The two projects of the beginning are the last.
    assert_eq!(found.len(), 122);
    let numbers: Vec<_> = (0..120).rev().map(|number| format!("number-{number}<")).collect();
    assert!(found.iter().zip(&numbers).all(|(row, number)| row.contains(number.as_str())));
    let nothing = person.get(&format!("{PATH}?cursor=1")).await;
    nothing.assert_page(200, "No entry matches.");
    assert_eq!(platform.app.clock.now(), NOW);
}
