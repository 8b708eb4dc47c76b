//! `/account/`

use crate::support::{ADMIN, Answer, BOTH, MEMBER, OWNER, PASSWORD, Person, Platform, STRANGER, anonymous};

const PATH: &str = "/account/";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.3 Mobile/15E148 Safari/604.1";

/// What the page says of the sessions, from the first to the last.
fn sessions(page: &Answer) -> Vec<String> {
    let rows = page.body.split("<div class=\"what\" id=\"session-").skip(1);
    rows.map(|row| row.split("</div>").next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn it_says_who_the_person_is_and_leads_to_the_rest() {
    let platform = Platform::new().await;
    let page = Person::signed_in(&platform, MEMBER).await.get(PATH).await;
    page.assert_page(
        200,
        "<h1>Welcome, <bdi>Max</bdi></h1>\n<p class=\"lead\">Signed in as <bdi>max@example.org</bdi>",
    );
    assert_eq!(page.link("applications"), "/account/applications/");
    assert_eq!(page.link("change-password"), "/account/password/");
    page.assert_page(200, "name=\"everywhere\" value=\"yes\">Sign out everywhere</button>");
}

#[tokio::test]
async fn it_leads_to_what_a_person_may_manage_and_to_nothing_else() {
    let platform = Platform::new().await;
    for (email, role, manages) in [(OWNER, "Owner", true), (ADMIN, "Admin", true), (MEMBER, "Member", false)]
    {
        let page = Person::signed_in(&platform, email).await.get(PATH).await;
        page.assert_page(200, &format!("<bdi>Acme Rockets</bdi> <span class=\"badge\">{role}</span>"));
        assert_eq!(page.body.contains("href=\"/organizations/acme/applications/\""), manages, "{email}");
    }
    let page = Person::signed_in(&platform, BOTH).await.get(PATH).await;
    assert_eq!(page.link("manage-acme"), "/organizations/acme/applications/");
    assert!(page.body.contains("Globex Corporation") && !page.body.contains("/organizations/globex/"));
    let page = Person::signed_in(&platform, STRANGER).await.get(PATH).await;
    assert!(!page.body.contains("Your organizations"), "{}", page.body);
}

#[tokio::test]
async fn it_lists_the_live_sessions_of_the_person_the_latest_first() {
    let platform = Platform::new().await;
    let mut first = Person::new(&platform).calling_itself(FIREFOX);
    first.sign_in(MEMBER).await;
    platform.advance(60);
    let mut second = Person::new(&platform).at("2001:db8::7").calling_itself(SAFARI);
    second.sign_in(MEMBER).await;
    Person::signed_in(&platform, ADMIN).await;

    let found = sessions(&first.get(PATH).await);
    assert_eq!(found.len(), 2, "{found:?}");
    for (row, browser, address, minute, is_this_one) in [
        (&found[0], "Safari on iPhone", "2001:db8::7", "08:01 UTC", false),
        (&found[1], "Firefox on Linux", "192.0.2.1", "08:00 UTC", true),
    ] {
        assert!(row.contains(&format!("<p class=\"name\">{browser}")), "{row}");
        assert!(row.contains(&format!("<span class=\"value\">{address}</span>")), "{row}");
        assert!(row.contains(&format!("15 January 2027, {minute}</time>")), "{row}");
        assert_eq!(row.contains("This browser"), is_this_one, "{row}");
    }
    let found = sessions(&second.get(PATH).await);
    assert!(found[0].contains("This browser") && !found[1].contains("This browser"), "{found:?}");
}

#[tokio::test]
async fn a_session_that_is_over_is_not_there() {
    let platform = Platform::new().await;
    Person::signed_in(&platform, MEMBER).await;
    Person::signed_in(&platform, MEMBER).await;
    platform.execute("update sessions set ended_at = 1 where id = (select min(id) from sessions)").await;
    platform.execute("update sessions set expires_at = 1 where ended_at is null").await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let found = sessions(&person.get(PATH).await);
    assert!(found.len() == 1 && found[0].contains("This browser"), "{found:?}");
}

#[tokio::test]
async fn a_session_from_before_is_told_without_what_nobody_knows() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.execute("update sessions set address = null, user_agent = null").await;
    let found = sessions(&person.get(PATH).await);
    assert!(found[0].contains("An unknown browser") && !found[0].contains("class=\"value\""), "{found:?}");
}

#[tokio::test]
async fn who_signs_in_again_is_seen_where_they_are_now() {
    let platform = Platform::new().await;
    let mut person = Person::new(&platform).calling_itself(FIREFOX);
    person.sign_in(MEMBER).await;
    let mut person = person.at("198.51.100.7");
    assert_eq!(person.log_in("/login/", MEMBER, PASSWORD).await.location(), "/");
    let found = sessions(&person.get(PATH).await);
    assert!(found.len() == 1 && found[0].contains("198.51.100.7"), "{found:?}");
}

#[tokio::test]
async fn of_very_many_sessions_it_shows_the_latest() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let bytes = platform.database.bytes("i");
    let copies = format!(
        "insert into sessions (id, secret_hash, user_id, authenticated_at, created_at, expires_at)
         with recursive n (i) as (select 1 union all select i + 1 from n where i < 50)
         select 'copy' || i, {bytes}, user_id, 1, 1, expires_at from n, sessions"
    );
    platform.execute(&copies).await;
    let page = person.get(PATH).await;
    page.assert_page(200, "id=\"older\"");
    assert_eq!(sessions(&page).len(), 50);
    assert!(page.body.contains("This browser"));
}

#[tokio::test]
async fn somebody_who_is_signed_out_signs_in_first_and_comes_back() {
    let platform = Platform::new().await;
    let login = anonymous(&platform, PATH).await.location().to_owned();
    assert_eq!(login, "/login/?next=%2Faccount%2F");
    let mut person = Person::new(&platform);
    let csrf = person.get(&login).await.field("csrf");
    let form = [("csrf", csrf.as_str()), ("next", PATH), ("email", MEMBER), ("password", PASSWORD)];
    assert_eq!(person.post("/login/", &form).await.location(), PATH);
}
