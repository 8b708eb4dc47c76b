//! `/organizations/{organization}/applications/`

use axum::{
    body::Body,
    http::{Method, Request},
};

use crate::support::{
    ACME_LOCAL, ACME_SITE, ADMIN, APP, Answer, Asking, BOTH, GLOBEX_APP, GLOBEX_SITE, MEMBER, OUTSIDER,
    OWNER, PASSWORD, PLATFORM, Person, Platform, STRANGER, Site, anonymous,
};

const LIST: &str = "/organizations/acme/applications/";
const NEW: &str = "/organizations/acme/applications/new/";
const EDIT: &str = "/organizations/acme/applications/acmeclient/edit/";
const SHOW: &str = "/organizations/acme/applications/acmeclient/";
const DELETE: &str = "/organizations/acme/applications/acmeclient/delete/";
const GET: [&str; 7] = [
    "",
    "new/",
    "acmeclient/",
    "acmeclient/edit/",
    "acmeclient/try/",
    "acmeclient/disable/",
    "acmeclient/delete/",
];
const POST: [&str; 5] =
    ["new/", "acmeclient/edit/", "acmeclient/disable/", "acmeclient/enable/", "acmeclient/delete/"];

/// What the form says of an application that is acceptable.
const GOOD: [(&str, &str); 4] = [
    ("name", "Web shop"),
    ("allowed_origins", "https://shop.example\r\nHTTPS://Www.Shop.example:443/\r\n"),
    ("scope.org:read", "on"),
    ("response_type.token", "on"),
];

/// Fills in the form at this page and sends it.
async fn fill(person: &mut Person, page: &str, fields: &[(&str, &str)]) -> Answer {
    let form = person.get(page).await;
    send(person, &form, page, fields).await
}

async fn send(person: &mut Person, form: &Answer, path: &str, fields: &[(&str, &str)]) -> Answer {
    let (csrf, revision) = (form.csrf(path), form.field("revision"));
    let mut all = vec![("csrf", csrf.as_str()), ("revision", revision.as_str())];
    all.extend(fields);
    person.post(path, &all).await
}

async fn stored(platform: &Platform) -> i64 {
    platform.count("select count(*) from applications").await
}

/// SECURITY: every request is asked for the role that it needs; another organization's is like one that there is not.
#[tokio::test]
async fn every_page_is_for_the_admins_of_its_organization() {
    let platform = Platform::new().await;
    for path in GET {
        let page = format!("{LIST}{path}");
        assert!(anonymous(&platform, &page).await.location().starts_with("/login/?next=%2Forganizations%2F"));
        for (who, status) in
            [(STRANGER, 404), (OUTSIDER, 404), (MEMBER, 403), (ADMIN, 200), (BOTH, 200), (OWNER, 200)]
        {
            let mut person = Person::signed_in(&platform, who).await;
            assert_eq!(person.get(&page).await.status, status, "{who} {page}");
            let unknown = person.get(&page.replace("acme/", "unknown/")).await;
            assert_eq!(unknown.status, 404, "{who}");
            if status == 404 {
                assert_eq!(person.get(&page).await.body, unknown.body, "{who} {page}");
            }
        }
        // An admin of one is a member of the other.
        let theirs = page.replace("acme/", "globex/").replace("acmeclient", GLOBEX_APP);
        assert_eq!(Person::signed_in(&platform, BOTH).await.get(&theirs).await.status, 403);
        // An application of another organization, under one's own.
        if path.contains("acmeclient") {
            let foreign = page.replace("acmeclient", GLOBEX_APP);
            let unknown = page.replace("acmeclient", "nobody");
            let mut admin = Person::signed_in(&platform, ADMIN).await;
            let (foreign, unknown) = (admin.get(&foreign).await, admin.get(&unknown).await);
            assert_eq!((foreign.status, foreign.body), (404, unknown.body));
        }
    }
}

#[tokio::test]
async fn every_form_is_for_the_admins_of_its_organization_and_from_its_own_page() {
    let platform = Platform::new().await;
    let before = platform
        .texts("select name || coalesce(cast(disabled_at as text), '') || revision from applications")
        .await;
    for path in POST {
        let address = format!("{LIST}{path}");
        for (who, status) in [(STRANGER, 404), (OUTSIDER, 404), (MEMBER, 403)] {
            let mut person = Person::signed_in(&platform, who).await;
            person.get("/").await;
            // Whoever can make the token is still nobody there.
            let csrf = csrf_of(&person);
            let form = [&GOOD[..], &[("csrf", &csrf), ("revision", "1")]].concat();
            assert_eq!(person.post(&address, &form).await.status, status, "{who} {address}");
        }
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        let csrf = admin.get(NEW).await.csrf(NEW);
        let good = [&GOOD[..], &[("csrf", csrf.as_str()), ("revision", "1")]].concat();
        for origin in [None, Some("null"), Some(ACME_SITE)] {
            assert_eq!(admin.post_from(origin, &address, &good).await.status, 403, "{address}");
        }
        for wrong in ["", "wrong", &csrf.to_lowercase()] {
            let forged = [&GOOD[..], &[("csrf", wrong), ("revision", "1")]].concat();
            assert_eq!(admin.post(&address, &forged).await.status, 403, "{address}");
        }
        let foreign = address.replace("acmeclient", GLOBEX_APP);
        if foreign != address {
            assert_eq!(admin.post(&foreign, &good).await.status, 404, "{foreign}");
        }
    }
    assert_eq!(
        platform
            .texts("select name || coalesce(cast(disabled_at as text), '') || revision from applications")
            .await,
        before
    );
}

/// The CSRF token that the pages of Acme's applications hold for this browser.
fn csrf_of(person: &Person) -> String {
    let cookie = &person.cookies["__Host-latchkey_browser"].value;
    latchkey_server::secret::Secret::new(cookie.as_str()).derive("applications of acme").expose().to_owned()
}

#[tokio::test]
async fn an_admin_registers_an_application_and_is_shown_what_the_site_needs() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let answer = fill(&mut admin, NEW, &GOOD).await;
    let (page, _) = answer.location().split_once('?').unwrap();
    let client_id = page.trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
    let page = admin.get(answer.location()).await;
    page.assert_page(200, "id=\"registered\"");
    page.assert_page(200, &format!("id=\"client-id\">{client_id}<"));
    let snippet = |page: &Answer, id: &str| {
        let (_, rest) = page.body.split_once(&format!("id=\"{id}\">")).unwrap();
        let shown = rest.split_once("</pre>").unwrap().0;
        let characters =
            [("&#62;", ">"), ("&gt;", ">"), ("&#60;", "<"), ("&lt;", "<"), ("&#34;", "\""), ("&#39;", "'")];
        let shown = characters.iter().fold(shown.to_owned(), |text, (shown, is)| text.replace(shown, is));
        shown.replace("&#38;", "&").replace("&amp;", "&")
    };
    // The hook is the one that sites are built and signed in with, word for word.
    assert_eq!(snippet(&page, "snippet-hook"), include_str!("../../../../www/use-latchkey.js"));
    for id in ["snippet-javascript", "snippet-react"] {
        let text = snippet(&page, id);
        assert!(text.contains(&format!("clientId: \"{client_id}\"")), "{id}: {text}");
        assert!(text.contains("platform: \"https://platform.example\""), "{id}: {text}");
        assert!(!text.contains("responseType"), "{id}: {text}");
    }
    let codes_alone =
        format!("update applications set response_types = 'code' where client_id = '{client_id}'");
    platform.execute(&codes_alone).await;
    let for_codes = admin.get(answer.location()).await;
    for id in ["snippet-javascript", "snippet-react"] {
        assert!(snippet(&for_codes, id).contains("responseType: \"code\","), "{id}");
    }
    platform.execute(&codes_alone.replace("'code'", "'token'")).await;
    page.assert_page(
        200,
        "frame-src https://platform.example;\nconnect-src 'self' https://platform.example;\n\
         script-src 'self' 'wasm-unsafe-eval';",
    );
    let origins =
        format!("select origin from application_origins where client_id = '{client_id}' order by origin");
    assert_eq!(platform.texts(&origins).await, ["https://shop.example", "https://www.shop.example"]);
    let whose = format!(
        "select organization_id || ' ' || name || ' ' || scopes || ' ' || response_types from applications where client_id = '{client_id}'"
    );
    assert_eq!(platform.text(&whose).await, "org-acme Web shop org:read token");
    let logged = "select actor_kind || ' ' || actor_id || ' ' || address from audit_log where action = 'application.added' order by id desc limit 1";
    assert_eq!(platform.text(logged).await, "person arno 192.0.2.1");
    admin.get(LIST).await.assert_page(200, "Web shop");
}

#[tokio::test]
async fn errors_stand_at_their_fields_and_what_was_typed_is_kept() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let typed = [
        ("name", ""),
        ("allowed_origins", "https://a.example\r\nhttps://b.example/shop?x\r\n"),
        ("redirect_uris", "https://a.example/cb#x"),
        ("homepage_url", "javascript:alert(1)"),
        ("scope.org:read", "on"),
        ("asks_always", "on"),
    ];
    let page = fill(&mut admin, NEW, &typed).await;
    page.assert_page(422, "id=\"error\">Nothing is saved yet");
    page.assert_page(422, "id=\"name-wrong\">It is empty.");
    page.assert_page(
        422,
        "id=\"allowed_origins-wrong\">Line 2: it is a URL; the origin is https://b.example.",
    );
    page.assert_page(422, "id=\"redirect_uris-wrong\">Line 1: a redirect URI has no fragment");
    page.assert_page(422, "id=\"homepage_url-wrong\">It is not the address of a web page");
    page.assert_page(422, "id=\"response_types-wrong\">None is chosen");
    for kept in [
        ">https://a.example\nhttps://b.example/shop?x\n<",
        ">https://a.example/cb#x\n<",
        "value=\"javascript:alert(1)\"",
    ] {
        page.assert_page(422, kept);
    }
    page.assert_page(422, "name=\"scope.org:read\" checked");
    page.assert_page(422, "id=\"asks_always\" checked");
    assert!(!page.body.contains("name=\"scope.member:read\" checked"));
    assert_eq!(stored(&platform).await, 2);

    // What is offered takes its place, and nothing is saved by that.
    page.assert_page(422, "name=\"accept\" value=\"1 https://b.example\"");
    let fields = [&typed[..], &[("accept", "1 https://b.example")]].concat();
    let page = send(&mut admin, &page, NEW, &fields).await;
    page.assert_page(200, "id=\"accepted\"");
    page.assert_page(200, ">https://a.example\nhttps://b.example\n<");
    assert_eq!(stored(&platform).await, 2);
}

#[tokio::test]
async fn what_was_meant_is_offered_and_every_error_describes_its_field() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let mut fields = GOOD.to_vec();
    fields[1] = ("allowed_origins", "shop.example\nhttp://site.example\nlocalhost:3000\nnull");
    let page = fill(&mut admin, NEW, &fields).await;
    for offer in ["0 https://shop.example", "1 https://site.example", "2 http://localhost:3000"] {
        page.assert_page(422, &format!("name=\"accept\" value=\"{offer}\""));
    }
    assert_eq!(page.body.matches("name=\"accept\"").count(), 3);
    page.assert_page(
        422,
        "aria-describedby=\"allowed_origins-hint allowed_origins-wrong allowed_origins-wrong-2 \
         allowed_origins-wrong-3 allowed_origins-wrong-4\" aria-invalid=\"true\"",
    );
    page.assert_page(422, "aria-describedby=\"redirect_uris-hint\">");
    fields[1] = ("allowed_origins", "");
    let page = fill(&mut admin, NEW, &fields).await;
    page.assert_page(
        422,
        "id=\"allowed_origins-wrong\">One of the two is needed: give a site it runs on, or a redirect URI.",
    );
}

#[tokio::test]
async fn the_links_of_an_application_stand_on_its_page() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let links = [
        ("homepage_url", "https://shop.example/about"),
        ("privacy_url", "https://shop.example/privacy?a&b"),
        ("terms_url", "https://shop.example/terms"),
    ];
    let page = fill(&mut admin, NEW, &[&GOOD[..], &links].concat()).await.location().to_owned();
    let page = admin.get(&page).await;
    for (words, url) in
        ["Homepage", "Privacy policy", "Terms of service"].iter().zip(links.map(|(_, url)| url))
    {
        let url = url.replace('&', "&#38;");
        page.assert_page(200, &format!("<dt>{words}</dt><dd><a class=\"value\" href=\"{url}\""));
    }
}

/// SECURITY: registration, by the pages as by the command line.
#[tokio::test]
async fn hostile_values_are_refused_at_their_field() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    for (field, value) in [
        ("name", "a\u{202e}b"),
        ("name", "a\0b"),
        ("name", &"x".repeat(101)),
        ("allowed_origins", "https://*foo.com"),
        ("allowed_origins", "https://a.com/x"),
        ("allowed_origins", "null"),
        ("allowed_origins", "http://site.example"),
        ("allowed_origins", "javascript:alert(1)"),
        ("redirect_uris", "http://a.com/cb"),
        ("redirect_uris", "javascript:alert(1)"),
        ("redirect_uris", "data:text/html,x"),
        ("redirect_uris", "https://user@a.com/cb"),
        ("redirect_uris", "https://*.a.com/cb"),
        ("redirect_uris", "//a.com/cb"),
        ("privacy_url", "data:text/html,x"),
        ("terms_url", "https://a.com/\"><script>"),
    ] {
        let mut fields = GOOD.to_vec();
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let page = fill(&mut admin, NEW, &fields).await;
        page.assert_page(422, &format!("id=\"{field}-wrong\""));
        assert!(!page.body.contains("\"><script>"), "{field}");
    }
    let unknown = [&GOOD[..], &[("scope.root", "on")]].concat();
    fill(&mut admin, NEW, &unknown).await.assert_page(422, "id=\"scopes-wrong\"");
    assert_eq!(stored(&platform).await, 2);
}

#[tokio::test]
async fn what_people_typed_runs_nowhere() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let mut fields = GOOD.to_vec();
    fields[0] = ("name", "<script>alert(1)</script>");
    let page = fill(&mut admin, NEW, &fields).await.location().to_owned();
    for page in [page.as_str(), LIST] {
        let page = admin.get(page).await;
        assert!(!page.body.contains("<script>alert"), "{}", page.body);
        assert!(page.body.contains("<bdi>&#60;script&#62;alert(1)"), "{}", page.body);
    }
}

/// Whatever may be registered can be changed by the form, and more is told at its field and kept.
#[tokio::test]
async fn as_much_as_may_be_registered_fits_into_the_form() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let uris = |count: usize| {
        (0..count).map(|i| format!("https://a.com/%2F{i:0>400}/?a=b&c=d")).collect::<Vec<_>>().join("\r\n")
    };
    let (most, more) = (uris(27), uris(50));
    let mut fields: Vec<(&str, &str)> = as_it_is();
    fields[2] = ("redirect_uris", &most);
    fill(&mut admin, EDIT, &fields).await.location();
    assert_eq!(
        platform.count("select count(*) from application_redirect_uris where client_id = 'acmeclient'").await,
        27
    );
    fields[2] = ("redirect_uris", &more);
    let page = fill(&mut admin, EDIT, &fields).await;
    page.assert_page(422, "id=\"redirect_uris-wrong\">Together they are longer than 12000 characters");
    page.assert_page(422, &more.replace("\r\n", "\n").replace('&', "&#38;"));
}

fn as_it_is() -> Vec<(&'static str, &'static str)> {
    vec![
        ("name", "Acme Toolbar"),
        (
            "allowed_origins",
            "https://www.acme.example\nhttps://shop.acme.example\nhttp://customer.localhost:8001",
        ),
        ("redirect_uris", "https://www.acme.example/signed-in?from=latchkey\nhttp://127.0.0.1:3000/cb"),
        ("scope.org:read", "on"),
        ("scope.member:read", "on"),
        ("scope.project:write", "on"),
        ("scope.event:write", "on"),
        ("scope.openid", "on"),
        ("response_type.token", "on"),
        ("response_type.code", "on"),
    ]
}

#[tokio::test]
async fn the_form_shows_what_is_and_saved_as_it_is_ends_nothing() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let page = admin.get(EDIT).await;
    page.assert_page(200, "value=\"Acme Toolbar\"");
    page.assert_page(200, "http://127.0.0.1:3000/cb\n");
    let saved = send(&mut admin, &page, EDIT, &as_it_is()).await;
    assert_eq!(saved.location(), format!("{SHOW}?saved=yes"));
    assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200);
    admin.get(SHOW).await.assert_page(200, "id=\"live\">1 person, 1 active token<");
}

/// What is taken away is taken away at once.
#[tokio::test]
async fn what_stands_on_what_is_taken_away_ends_at_the_next_request() {
    for (field, without) in [
        ("allowed_origins", "https://shop.acme.example\nhttp://customer.localhost:8001"),
        ("scope.project:write", ""),
    ] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        let elsewhere = Asking::new().with("origin", ACME_LOCAL).with("scope", "org:read");
        let elsewhere = Person::signed_in(&platform, BOTH).await.token(&elsewhere).await;
        assert_eq!(Site::new(&platform, &token).from(None).get("/api/0/").await.status, 200);
        let mut fields = as_it_is();
        fields.retain(|(name, _)| *name != field);
        if !without.is_empty() {
            fields.push((field, without));
        }
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        fill(&mut admin, EDIT, &fields).await.location();
        Site::new(&platform, &token).from(None).get("/api/0/").await.assert_api_error(401, "invalid_token");
        let stays = Site::new(&platform, &elsewhere).from(Some(ACME_LOCAL)).get("/api/0/").await;
        assert_eq!(stays.status, 200, "{field}");
    }
}

#[tokio::test]
async fn of_two_admins_who_change_it_at_once_the_later_one_is_told() {
    let platform = Platform::new().await;
    let mut one = Person::signed_in(&platform, ADMIN).await;
    let mut other = Person::signed_in(&platform, OWNER).await;
    let (first, second) = (one.get(EDIT).await, other.get(EDIT).await);
    let renamed = |name| {
        let mut fields = as_it_is();
        fields[0] = ("name", name);
        fields
    };
    send(&mut one, &first, EDIT, &renamed("By one")).await.location();
    let told = send(&mut other, &second, EDIT, &renamed("By the other")).await;
    told.assert_page(409, "Somebody else changed this application while you did");
    told.assert_page(409, "value=\"By the other\"");
    assert_eq!(platform.text("select name from applications where client_id = 'acmeclient'").await, "By one");
    // Who saves again after that means it.
    send(&mut other, &told, EDIT, &renamed("By the other")).await.location();
    assert_eq!(
        platform.text("select name from applications where client_id = 'acmeclient'").await,
        "By the other"
    );
    let changes = platform
        .texts("select actor_id from audit_log where action = 'application.changed' order by id")
        .await;
    assert_eq!(changes, ["arno", "ada"]);
}

#[tokio::test]
async fn whose_session_ended_in_the_middle_of_a_form_finds_what_they_typed() {
    for (path, extra) in [(NEW, None), (EDIT, Some(("homepage_url", "https://www.acme.example/about")))] {
        let platform = Platform::new().await;
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        let form = admin.get(path).await;
        platform.execute("update sessions set ended_at = 1").await;
        let mut fields = as_it_is();
        fields[0] = ("name", "Typed with care");
        fields.extend(extra);
        let login = send(&mut admin, &form, path, &fields).await.location().to_owned();
        assert!(login.starts_with("/login/?next=%2Forganizations%2Facme%2Fapplications%2F"), "{login}");
        let csrf = admin.get(&login).await.field("csrf");
        let next = url::Url::parse(&format!("https://x{login}")).unwrap();
        let next = next.query_pairs().next().unwrap().1.into_owned();
        let login = [("csrf", csrf.as_str()), ("next", &next), ("email", ADMIN), ("password", PASSWORD)];
        let back = admin.post("/login/", &login).await.location().to_owned();
        let page = admin.get(&back).await;
        page.assert_page(200, "id=\"kept\"");
        page.assert_page(200, "value=\"Typed with care\"");
        page.assert_page(200, "name=\"scope.project:write\" checked");
        let (path_back, _) = back.split_once('?').unwrap();
        assert_eq!(path_back, path);
        // Another browser is not shown it, and nothing was saved.
        let mut other = Person::signed_in(&platform, OWNER).await;
        assert!(!other.get(&back).await.body.contains("Typed with care"));
        assert_eq!(platform.count("select count(*) from applications where name like 'Typed%'").await, 0);
        send(&mut admin, &page, path, &fields).await.location();
        assert_eq!(platform.count("select count(*) from applications where name like 'Typed%'").await, 1);
        platform.advance(3601);
        latchkey_server::retention::sweep(&platform.app).await.unwrap();
        assert_eq!(platform.count("select count(*) from kept_forms").await, 0);
    }
}

/// What the form says of a response type that is taken away: no more, and no less.
#[tokio::test]
async fn without_codes_nothing_is_refreshed_and_what_is_out_already_runs_out() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let tokens = platform.tokens(MEMBER).await;
    let form = admin.get(EDIT).await;
    form.assert_page(200, "tokens that are out already work until they expire, for up to an hour");
    assert!(!admin.get(NEW).await.body.contains("for up to an hour"));
    let mut fields = as_it_is();
    fields.retain(|(name, _)| *name != "response_type.code");
    send(&mut admin, &form, EDIT, &fields).await.location();
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "unauthorized_client");
    let site = Site::new(&platform, &tokens.access);
    assert_eq!(site.get("/api/0/").await.status, 200);
    platform.advance(3600);
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");
}

/// SECURITY: a site or an address that is added inherits nothing, not even from itself.
#[tokio::test]
async fn what_was_allowed_is_forgotten_with_the_site_or_the_address_it_was_allowed_on() {
    let shop = Asking::new().with("origin", "https://shop.acme.example");
    for (field, without, falls, stays) in [
        ("allowed_origins", "https://shop.acme.example", Asking::new(), [shop.clone(), Asking::redirect()]),
        ("redirect_uris", "http://127.0.0.1:3000/cb", Asking::redirect(), [shop, Asking::new()]),
    ] {
        let platform = Platform::new().await;
        let mut person = Person::signed_in(&platform, MEMBER).await;
        let own_page = Asking::new().with("origin", crate::support::PLATFORM);
        let loopback = Asking::redirect().with("redirect_uri", "http://127.0.0.1:49152/cb");
        for asking in [&falls, &stays[0], &stays[1], &own_page, &loopback] {
            person.token(asking).await;
        }
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        let mut fields = as_it_is();
        fill(&mut admin, EDIT, &fields).await.location();
        assert_eq!(platform.count("select count(*) from consents").await, 5, "{field}");
        fields.retain(|(name, _)| *name != field);
        fields.push((field, without));
        fill(&mut admin, EDIT, &fields).await.location();
        let gone = "select count(*) from consents where requesting_origin || redirect_uri = ";
        let gone = match field {
            "redirect_uris" => format!("{gone} '{ACME_SITE}{}'", crate::support::ACME_REDIRECT),
            _ => format!("{gone} '{ACME_SITE}{}'", Asking::callback(APP)),
        };
        assert_eq!(platform.count(&gone).await, 0, "{field}");
        assert_eq!(platform.count("select count(*) from consents").await, 4, "{field}");
        fill(&mut admin, EDIT, &as_it_is()).await.location();
        person.ask(&falls).await.assert_page(200, "id=\"allow\"");
        for asking in stays.iter().chain([&own_page]) {
            assert_eq!(person.ask(asking).await.status, 303, "{field}");
        }
    }
}

#[tokio::test]
async fn a_person_is_told_of_no_site_that_was_taken_away() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.token(&Asking::new()).await;
    person.token(&Asking::new().with("origin", "https://shop.acme.example")).await;
    let site = format!("<li class=\"site\">{ACME_SITE}</li>");
    person.get("/account/applications/").await.assert_page(200, &site);
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let mut fields = as_it_is();
    fields[1] = ("allowed_origins", "https://shop.acme.example");
    fill(&mut admin, EDIT, &fields).await.location();
    let page = person.get("/account/applications/").await;
    page.assert_page(200, "<li class=\"site\">https://shop.acme.example</li>");
    assert!(!page.body.contains(ACME_SITE), "{}", page.body);
}

/// How many people use an application is no measure of the work that its admins' changes are.
#[tokio::test]
async fn however_many_sign_ins_end_at_once_the_log_names_their_number() {
    for path in [EDIT, "/organizations/acme/applications/acmeclient/disable/", DELETE] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        // Half of them by the callback, half of them each on a port of its own.
        platform
            .execute(
                "insert into grants (id, client_id, organization_id, user_id, session_id, redirect_uri, callback_at,
                                     requesting_origin, scopes, created_at, expires_at)
                 with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
                 select 'g' || i, g.client_id, g.organization_id, g.user_id, g.session_id,
                        case i % 2 when 1 then g.redirect_uri else 'http://127.0.0.1:' || (i + 1024) || '/cb' end,
                        case i % 2 when 1 then g.callback_at end,
                        case i % 2 when 1 then g.requesting_origin else 'http://127.0.0.1:' || (i + 1024) end,
                        g.scopes, g.created_at, g.expires_at
                 from n, grants g",
            )
            .await;
        platform
            .execute(&format!(
                "insert into access_tokens (id, token_hash, last_four, grant_id, scopes, created_at, expires_at)
                 select 't' || g.id, {}, 'abcd', g.id, g.scopes, g.created_at, g.expires_at
                 from grants g where g.id like 'g%' and not exists (select 1 from access_tokens where grant_id = g.id)",
                platform.database.random()
            ))
            .await;
        platform.database.analyze().await;
        let live = "select count(*) from access_tokens where revoked_at is null";
        assert!(platform.count(live).await >= 20_000);
        let last = platform.count("select max(id) from audit_log").await;
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        if path == EDIT {
            let mut fields = as_it_is();
            fields[1] = ("allowed_origins", "https://shop.acme.example");
            fields[2] = ("redirect_uris", "");
            fill(&mut admin, EDIT, &fields).await.location();
        } else {
            press(&mut admin, path, path).await.location();
        }
        assert_eq!(platform.count(live).await, 0, "{path}");
        Site::new(&platform, &token).from(None).get("/api/0/").await.assert_api_error(401, "invalid_token");
        let written = format!("select count(*) from audit_log where id > {last}");
        assert!(platform.count(&written).await < 5, "{path}");
        let ended = "select client_id || ' ' || user_id || ' ' || occurrences || ' ' || detail
                     from audit_log where action = 'grant.revoked'";
        assert_eq!(platform.texts(ended).await, ["acmeclient max 20001 {\"people\":1}"], "{path}");
    }
}

#[tokio::test]
async fn of_the_forms_that_were_left_so_many_are_kept() {
    let platform = Platform::new().await;
    let mut nobody = Person::new(&platform);
    nobody.get("/login/").await;
    let csrf = nobody.csrf("applications of acme");
    for i in 0..7 {
        let name = format!("form-{i}");
        let login = nobody.post(NEW, &[("csrf", csrf.as_str()), ("name", &name)]).await.location().to_owned();
        assert!(login.contains("%3Fkept%3D"), "{login}");
        platform.advance(1);
    }
    let kept = platform.texts("select fields from kept_forms order by expires_at").await;
    assert_eq!(kept, [2, 3, 4, 5, 6].map(|i| format!("name=form-{i}")), "the latest of the browser");
    platform
        .execute(&format!(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 9995)
             insert into kept_forms (id_hash, browser_hash, path, fields, expires_at)
             select {}, {}, '/', '', 4000000000 from n",
            platform.database.bytes("'i' || i"),
            platform.database.bytes("'b' || i")
        ))
        .await;
    let mut other = Person::new(&platform);
    other.get("/login/").await;
    let csrf = other.csrf("applications of acme");
    let login = other.post(NEW, &[("csrf", csrf.as_str()), ("name", "late")]).await.location().to_owned();
    assert_eq!(login, "/login/?next=%2Forganizations%2Facme%2Fapplications%2Fnew%2F", "nothing is kept");
    assert_eq!(platform.count("select count(*) from kept_forms").await, 10_000);
}

/// There is one writer: who may not have it never waits for it, nor lets others wait.
#[tokio::test]
async fn whoever_may_change_nothing_is_turned_away_without_the_writer() {
    let platform = Platform::new().await;
    let mut nobody = Person::new(&platform);
    nobody.get("/login/").await;
    let mut member = Person::signed_in(&platform, MEMBER).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let writer = platform.write().await;
    let members = "/organizations/acme/members/";
    for path in [
        NEW.to_owned(),
        EDIT.to_owned(),
        format!("{SHOW}disable/"),
        format!("{SHOW}enable/"),
        format!("{SHOW}delete/"),
        members.to_owned(),
        format!("{members}max/role/"),
        format!("{members}max/remove/"),
        format!("{members}invitations/open/revoke/"),
        format!("/invitations/{}/", "a".repeat(43)),
    ] {
        let forged = [("csrf", "x")];
        admin.post(&path, &forged).await.assert_error_page(403, "The form does not come from this page");
        nobody.post(&path, &forged).await.assert_error_page(403, "The form does not come from this page");
        let purpose = if path.contains("members") { "members of acme" } else { "applications of acme" };
        if path.starts_with("/organizations") {
            let csrf = member.csrf(purpose);
            let answer = member.post(&path, &[("csrf", csrf.as_str())]).await;
            answer.assert_error_page(403, "This is for admins and owners of the organization");
        }
        // What these were sent is kept.
        if ![NEW, EDIT, members].contains(&path.as_str()) {
            let invitation = format!("invitation {}", "a".repeat(43));
            let csrf = nobody.csrf(if path.starts_with("/invitations") { &invitation } else { purpose });
            let answer = nobody.post(&path, &[("csrf", csrf.as_str())]).await;
            assert!(answer.location().starts_with("/login/?next="), "{path}");
        }
    }
    for origin in [None, Some("https://evil.example"), Some(PLATFORM)] {
        for (method, path, body) in [
            (Method::POST, "/api/0/organizations/acme/api-applications/", "{}"),
            (Method::PUT, "/api/0/organizations/acme/api-applications/acmeclient/", "{}"),
            (Method::DELETE, "/api/0/organizations/acme/api-applications/acmeclient/", ""),
        ] {
            let mut request =
                Request::builder().method(method).uri(path).header("content-type", "application/json");
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = platform.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, 403, "{origin:?} {path}: {}", answer.body);
        }
    }
    drop(writer);
}

async fn press(person: &mut Person, page: &str, path: &str) -> Answer {
    let csrf = person.get(page).await.csrf(path);
    person.post(path, &[("csrf", &csrf)]).await
}

#[tokio::test]
async fn disabling_and_deleting_say_what_ends_and_end_it_at_once() {
    for (word, action) in [("disable/", "application.disabled"), ("delete/", "application.removed")] {
        let platform = Platform::new().await;
        let token = platform.token(MEMBER).await;
        let mut admin = Person::signed_in(&platform, ADMIN).await;
        let ask = format!("{SHOW}{word}");
        admin.get(&ask).await.assert_page(200, "1 person is signed in with it, with 1 active token");
        assert_eq!(Site::new(&platform, &token).get("/api/0/").await.status, 200, "asking ends nothing");
        press(&mut admin, &ask, &ask).await.location();
        Site::new(&platform, &token).from(None).get("/api/0/").await.assert_api_error(401, "invalid_token");
        let ask = Person::signed_in(&platform, MEMBER).await.ask(&Asking::new()).await;
        ask.assert_error_page(400, "client_id is not one of an active application");
        assert_eq!(
            platform.count(&format!("select count(*) from audit_log where action = '{action}'")).await,
            1
        );
    }
}

#[tokio::test]
async fn an_application_that_is_enabled_again_begins_anew() {
    let platform = Platform::new().await;
    let token = platform.token(MEMBER).await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let (disable, enable) = (format!("{SHOW}disable/"), format!("{SHOW}enable/"));
    press(&mut admin, &disable, &disable).await.location();
    admin.get(SHOW).await.assert_page(200, "id=\"disabled\"");
    assert_eq!(press(&mut admin, SHOW, &enable).await.location(), SHOW);
    Site::new(&platform, &token).get("/api/0/").await.assert_api_error(401, "invalid_token");
    assert_eq!(platform.whole_token(MEMBER).await.len(), token.len());
}

#[tokio::test]
async fn what_is_disabled_or_enabled_already_stays_so_and_is_no_entry() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let state = "select coalesce(cast(disabled_at as text), '') || ' ' || revision from applications
                 where client_id = 'acmeclient'";
    let (disable, enable) = (format!("{SHOW}disable/"), format!("{SHOW}enable/"));
    let csrf = admin.get(NEW).await.csrf(NEW);
    let form = [("csrf", csrf.as_str())];
    for path in [&enable, &disable, &enable] {
        assert_eq!(admin.post(path, &form).await.location(), SHOW);
        let stays = platform.text(state).await;
        platform.advance(1);
        assert_eq!(admin.post(path, &form).await.location(), SHOW);
        assert_eq!(platform.text(state).await, stays, "{path}");
    }
    let entries =
        "select action from audit_log where action in ('application.disabled', 'application.enabled')";
    assert_eq!(platform.texts(entries).await, ["application.disabled", "application.enabled"]);
}

#[tokio::test]
async fn a_site_that_asked_and_is_not_registered_is_shown_and_added_only_when_saved() {
    let platform = Platform::new().await;
    for origin in ["https://new.acme.example", "https://new.acme.example", "null", ACME_SITE, GLOBEX_SITE] {
        let site = Site::new(&platform, "").with(None).from(Some(origin));
        site.get("/toolbar/acmeclient/status/").await;
    }
    platform.app.refused_origins.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let page = admin.get(SHOW).await;
    page.assert_page(200, "<p class=\"name value\">https://new.acme.example</p>\n<p class=\"muted\"><span class=\"badge off\">Unverified</span> 2 times");
    assert_eq!(page.body.matches("Unverified").count(), 2);
    let add = format!("{EDIT}?add_origin=https%3A%2F%2Fnew.acme.example");
    assert!(page.body.contains(&add), "{}", page.body);
    let form = admin.get(&add).await;
    form.assert_page(
        200,
        "<strong class=\"value\">https://new.acme.example</strong> asked for this application",
    );
    form.assert_page(200, "could do with their tokens what the scopes below allow");
    let new = "select count(*) from application_origins where origin = 'https://new.acme.example'";
    assert_eq!(platform.count(new).await, 0);
    let mut fields = as_it_is();
    fields[1] = ("allowed_origins", "https://www.acme.example\nhttps://new.acme.example");
    // Whoever corrects something else is told again, as long as the site stands in the list.
    let asked = form.field("asked");
    let again = |origins| [("asked", asked.as_str()), ("name", ""), ("allowed_origins", origins)];
    let told = send(&mut admin, &form, EDIT, &again("https://new.acme.example")).await;
    told.assert_page(
        422,
        "<strong class=\"value\">https://new.acme.example</strong> asked for this application",
    );
    assert_eq!(told.field("asked"), "https://new.acme.example");
    let without = send(&mut admin, &form, EDIT, &again("https://www.acme.example")).await;
    assert!(!without.body.contains("id=\"asked\""), "{}", without.body);
    send(&mut admin, &form, EDIT, &fields).await.location();
    assert_eq!(platform.count(new).await, 1);
    assert!(!admin.get(SHOW).await.body.contains("new.acme.example</p>"));
}

#[tokio::test]
async fn of_the_sites_that_asked_so_many_are_kept() {
    let platform = Platform::new().await;
    for i in 0..500 {
        platform.app.refused_origins.note(APP, &format!("https://a{i}.example"));
    }
    platform.app.refused_origins.note("nobody", "https://a.example");
    platform.app.refused_origins.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    assert_eq!(platform.count("select count(*) from refused_origins").await, 20);
    platform.advance(60);
    platform.app.refused_origins.note(APP, "https://latest.example");
    platform.app.refused_origins.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    assert_eq!(platform.count("select count(*) from refused_origins").await, 20);
    let latest = "select origin from refused_origins order by last_at desc limit 1";
    assert_eq!(platform.text(latest).await, "https://latest.example");
}

#[tokio::test]
async fn a_flood_of_sites_pushes_out_none_that_asks_often_and_none_of_another_organization_s() {
    let platform = Platform::new().await;
    let flush = async || {
        platform.app.refused_origins.flush(&platform.app.store, &platform.app.clock).await.unwrap();
    };
    let note = |client_id, origin: &str| platform.app.refused_origins.note(client_id, origin);
    for _ in 0..3 {
        note(APP, "https://real.example");
    }
    flush().await;
    for i in 0..3000 {
        if i % 100 == 0 {
            platform.advance(60);
            flush().await;
        }
        note(APP, &format!("https://a{i}.example"));
    }
    note(GLOBEX_APP, "https://globex.example");
    flush().await;
    let kept = |client_id| format!("select origin from refused_origins where client_id = '{client_id}'");
    assert_eq!(platform.texts(&kept(GLOBEX_APP)).await, ["https://globex.example"]);
    let of_acme = platform.texts(&kept(APP)).await;
    assert!(of_acme.len() == 20 && of_acme.contains(&"https://real.example".to_owned()), "{of_acme:?}");
}

#[tokio::test]
async fn the_link_from_a_site_leads_an_admin_to_the_form_and_nobody_else_anywhere() {
    let platform = Platform::new().await;
    let link = "/toolbar/acmeclient/setup/?origin=https%3A%2F%2Fnew.acme.example";
    let form = format!("{EDIT}?add_origin=https%3A%2F%2Fnew.acme.example");
    assert_eq!(Person::signed_in(&platform, ADMIN).await.get(link).await.location(), form);
    let login = anonymous(&platform, link).await.location().to_owned();
    assert!(login.starts_with("/login/?next=%2Ftoolbar%2Facmeclient%2Fsetup%2F"), "{login}");
    let unknown = "/toolbar/nobody/setup/?origin=https%3A%2F%2Fnew.acme.example";
    let mut outsider = Person::signed_in(&platform, OUTSIDER).await;
    let (theirs, none) = (outsider.get(link).await, outsider.get(unknown).await);
    assert_eq!((theirs.status, theirs.body), (404, none.body));
    assert_eq!(
        anonymous(&platform, unknown).await.status,
        303,
        "nobody who is signed out learns which there are"
    );
    for wrong in ["", "?origin=null", "?origin=javascript%3Ax", "?origin=https%3A%2F%2Fa.com%2Fx"] {
        let answer = Person::signed_in(&platform, ADMIN)
            .await
            .get(&format!("/toolbar/acmeclient/setup/{wrong}"))
            .await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn the_application_is_tried_from_a_page_of_the_platform_s_own() {
    let platform = Platform::new().await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let page = admin.get(&format!("{SHOW}try/")).await;
    page.assert_page(200, "Try <bdi>Acme Toolbar</bdi>");
    let policy = page.header("content-security-policy").unwrap();
    for part in [
        "script-src 'self' 'wasm-unsafe-eval'",
        "frame-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    let asking = Asking::new().with("origin", crate::support::PLATFORM);
    let token = admin.token(&asking).await;
    let own = Site::new(&platform, &token).from(Some(crate::support::PLATFORM));
    assert_eq!(own.get("/api/0/").await.status, 200);
    // Another application's callback is no way to it.
    let foreign = asking.with("redirect_uri", &Asking::callback(GLOBEX_APP));
    assert_eq!(admin.ask(&foreign).await.status, 400);
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let platform = Platform::new().await;
    platform
        .execute(
            "insert into applications (client_id, organization_id, name, scopes, response_types, created_at)
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 60)
             select 'c' || (100 + i), 'org-acme', 'Number ' || i, 'org:read', 'token', 1 from n",
        )
        .await;
    let mut admin = Person::signed_in(&platform, ADMIN).await;
    let first = admin.get(LIST).await;
    assert_eq!(first.body.matches("<li>\n<div class=\"what\">").count(), 50);
    let next = first.link("next");
    let second = admin.get(&next).await;
    assert_eq!(second.body.matches("<li>\n<div class=\"what\">").count(), 11);
    assert!(!second.body.contains("id=\"next\""));
    assert_eq!(second.link("first"), LIST);
    // Where nothing comes any more, it is not that there is nothing.
    let beyond = admin.get(&format!("{LIST}?after=zzz")).await;
    beyond.assert_page(200, "Nothing comes after this.");
    assert_eq!(beyond.link("first"), LIST);
    assert!(!beyond.body.contains("Nothing is registered yet"));
}
