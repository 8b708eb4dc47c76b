//! `GET /oauth/authorize/`: what is checked, in which order, and who is told.

use axum::{body::Body, http::Request};

use crate::support::{
    ACME_LOCAL, ACME_REDIRECT, ACME_SITE, APP, Asking, GLOBEX_APP, GLOBEX_REDIRECT, GLOBEX_SITE,
    LOCAL_REDIRECT, MEMBER, OUTSIDER, PLATFORM, Person, Platform, anonymous,
};

/// Asks signed in and signed out: both see the same error page, nobody is sent anywhere, nothing is kept.
async fn assert_page_error(platform: &Platform, asking: &Asking, begins: &str) {
    for mut person in [Person::new(platform), Person::signed_in(platform, MEMBER).await] {
        person.ask(asking).await.assert_error_page(400, begins);
    }
    assert_eq!(platform.issued().await, (0, 0));
    assert_eq!(platform.count("select count(*) from transactions").await, 0);
}

#[tokio::test]
async fn an_application_that_is_missing_or_unknown_is_told_on_a_page() {
    let platform = Platform::new().await;
    assert_page_error(&platform, &Asking::new().without("client_id"), "client_id is missing").await;
    assert_page_error(&platform, &Asking::new().with("client_id", ""), "client_id is missing").await;
    for unknown in ["nobody", "ACMECLIENT", "acmeclient ", "' or 1=1 --"] {
        assert_page_error(&platform, &Asking::new().with("client_id", unknown), "client_id is not one of")
            .await;
    }
}

#[tokio::test]
async fn a_disabled_application_is_told_on_a_page() {
    let platform = Platform::new().await;
    platform.execute("update applications set disabled_at = 1 where client_id = 'acmeclient'").await;
    assert_page_error(&platform, &Asking::new(), "client_id is not one of an active application").await;
    assert_page_error(&platform, &Asking::new().with("prompt", "none"), "client_id is not one of").await;
}

#[tokio::test]
async fn an_application_of_a_disabled_organization_is_told_on_a_page() {
    let platform = Platform::new().await;
    platform.execute("update organizations set disabled_at = 1 where slug = 'acme'").await;
    assert_page_error(&platform, &Asking::new(), "client_id is not one of an active application").await;
}

#[tokio::test]
async fn a_redirect_that_is_not_registered_is_told_on_a_page() {
    let platform = Platform::new().await;
    for given in [
        "https://evil.example/".to_owned(),
        format!("{ACME_REDIRECT}&x=1"),
        format!("{ACME_REDIRECT}/"),
        format!("{ACME_REDIRECT}#"),
        "http://www.acme.example/signed-in?from=latchkey".into(),
        "https://WWW.acme.example/signed-in?from=latchkey".into(),
        "https://www.acme.example@evil.example/signed-in?from=latchkey".into(),
        "javascript:alert(1)".into(),
        GLOBEX_REDIRECT.into(),
        Asking::callback(GLOBEX_APP),
        Asking::callback(APP).trim_end_matches('/').into(),
        format!("{PLATFORM}/login/"),
        "x".repeat(2049),
    ] {
        let asking = Asking::new().with("redirect_uri", &given);
        assert_page_error(&platform, &asking, "redirect_uri is").await;
        assert_page_error(&platform, &asking.with("prompt", "none"), "redirect_uri is").await;
    }
}

#[tokio::test]
async fn a_redirect_may_be_left_out_where_exactly_one_is_registered() {
    let platform = Platform::new().await;
    let asking = Asking::new().without("redirect_uri").without("origin");
    assert_page_error(&platform, &asking, "redirect_uri is missing").await;
    let asking = asking.with("client_id", GLOBEX_APP).with("prompt", "none");
    let answer = anonymous(&platform, &asking.path()).await;
    assert_eq!(answer.response_to(GLOBEX_REDIRECT)["error"], "login_required");
}

#[tokio::test]
async fn the_port_of_a_loopback_address_may_vary_and_nothing_else() {
    let platform = Platform::new().await;
    let asking = Asking::redirect().with("prompt", "none");
    for given in [LOCAL_REDIRECT, "http://127.0.0.1:49152/cb", "http://127.0.0.1/cb"] {
        let answer = anonymous(&platform, &asking.clone().with("redirect_uri", given).path()).await;
        assert_eq!(answer.response_to(given)["error"], "login_required");
    }
    for given in ["http://127.0.0.1:3000/cb/", "http://localhost:3000/cb", "http://127.0.0.1:0/cb"] {
        let asking = asking.clone().with("redirect_uri", given);
        assert_page_error(&platform, &asking, "redirect_uri is not one").await;
    }
}

#[tokio::test]
async fn the_callback_needs_an_origin_that_the_application_runs_on() {
    let platform = Platform::new().await;
    assert_page_error(&platform, &Asking::new().without("origin"), "origin is missing").await;
    for malformed in ["null", "*", "https://www.acme.example/", "www.acme.example", "http://www.acme.example"]
    {
        assert_page_error(&platform, &Asking::new().with("origin", malformed), "origin is not the origin")
            .await;
    }
    for foreign in
        [GLOBEX_SITE, "https://evil.example", "https://acme.example", ACME_SITE.trim_end_matches('e')]
    {
        assert_page_error(&platform, &Asking::new().with("origin", foreign), "origin is not among").await;
    }
}

#[tokio::test]
async fn a_response_type_that_is_missing_or_unknown_is_told_on_a_page() {
    let platform = Platform::new().await;
    assert_page_error(&platform, &Asking::new().without("response_type"), "response_type is missing").await;
    for unknown in ["id_token", "token id_token", "TOKEN", "none"] {
        let asking = Asking::redirect().with("response_type", unknown);
        assert_page_error(&platform, &asking, "response_type is not one").await;
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_the_documented_order() {
    let platform = Platform::new().await;
    let wrong = ["client_id", "redirect_uri", "origin", "response_type", "scope"];
    let mut asking = wrong.iter().fold(Asking::new(), |asking, name| asking.with(name, "wrong"));
    for (name, right, begins) in [
        ("client_id", APP, "client_id"),
        ("redirect_uri", &Asking::callback(APP), "redirect_uri"),
        ("origin", ACME_SITE, "origin"),
        ("response_type", "token", "response_type"),
    ] {
        assert_page_error(&platform, &asking, begins).await;
        asking = asking.with(name, right);
    }
    anonymous(&platform, &asking.path()).await.assert_error_page(400, "scope");
}

#[tokio::test]
async fn no_parameter_stands_twice() {
    let platform = Platform::new().await;
    for name in Asking::new().with("scope", "org:read").with("prompt", "none").with("x", "1").names() {
        let path = format!("{}&{name}=acmeclient", Asking::new().with(&name, "acmeclient").path());
        anonymous(&platform, &path).await.assert_error_page(400, "A parameter is given more than once");
    }
    let hidden = format!("{}&%63lient_id=other", Asking::new().path());
    anonymous(&platform, &hidden).await.assert_error_page(400, "A parameter is given more than once");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_not_repaired() {
    let platform = Platform::new().await;
    let many: String = (0..70).map(|i| format!("&p{i}=1")).collect();
    for tail in ["&x=%", "&x=%2", "&x=%zz", "&x=%ff", "&%c3%28=1", &many] {
        let path = Asking::new().path() + tail;
        anonymous(&platform, &path).await.assert_error_page(400, "The parameters cannot be read");
    }
}

#[tokio::test]
async fn a_query_is_bounded() {
    let platform = Platform::new().await;
    let path = format!("{}&x={}", Asking::new().path(), "x".repeat(17 * 1024));
    anonymous(&platform, &path).await.assert_error_page(400, "The parameters cannot be read");
}

#[tokio::test]
async fn an_error_is_told_on_a_page_with_a_link_while_nobody_is_signed_in() {
    let platform = Platform::new().await;
    for (name, value, says, error) in [
        ("scope", "org:everything", "scope holds a scope that is unknown", "invalid_scope"),
        ("scope", "project:admin", "scope holds a scope that is unknown or beyond", "invalid_scope"),
        ("prompt", "maybe", "prompt is not one of", "invalid_request"),
        ("prompt", "none login", "prompt is not one of", "invalid_request"),
    ] {
        let asking = Asking::new().with(name, value);
        let page = anonymous(&platform, &asking.path()).await;
        page.assert_error_page(400, says);
        let link = page.link("back");
        let answer = Person::signed_in(&platform, MEMBER).await.ask(&asking).await;
        assert_eq!(link, answer.location(), "who is signed in is sent where the link leads");
        let response = answer.response_to(&Asking::callback(APP));
        assert_eq!((response["error"].as_str(), response["state"].as_str()), (error, "s1"));
    }
}

#[tokio::test]
async fn a_redirected_error_says_exactly_what_it_should() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let answer = person.ask(&Asking::new().with("scope", "org:everything")).await;
    assert_eq!(
        answer.location(),
        "https://platform.example/toolbar/acmeclient/callback/#error=invalid_scope&error_description=A%20scope\
         %20is%20unknown%2C%20or%20beyond%20what%20this%20application%20may%20ask%20for.&state=s1\
         &iss=https%3A%2F%2Fplatform.example&client_id=acmeclient&origin=https%3A%2F%2Fwww.acme.example"
    );
    assert_eq!((answer.body.as_str(), answer.header("set-cookie")), ("", None));
    assert_eq!(platform.issued().await, (0, 0));
}

#[tokio::test]
async fn a_response_to_a_registered_redirect_names_no_origin() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let refused = person.ask(&Asking::redirect().with("scope", "profile")).await;
    let granted = person.allow(&Asking::redirect()).await;
    for answer in [refused, granted] {
        let response = answer.response_to(ACME_REDIRECT);
        assert_eq!((response["iss"].as_str(), response["client_id"].as_str()), (PLATFORM, APP));
        assert_eq!(response.get("origin"), None);
    }
}

#[tokio::test]
async fn a_granted_response_holds_the_token_in_the_fragment_and_nothing_else() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    let response = person.allow(&Asking::new()).await.response_to(&Asking::callback(APP));
    let token = &response["access_token"];
    assert!(token.starts_with("lkat_") && token.len() == 54, "{token}");
    let handle = &response["handle"];
    assert_eq!(handle.len(), 43, "what the frame's own session is made of");
    let expected = [
        ("access_token", token.as_str()),
        ("client_id", APP),
        ("expires_in", "3600"),
        ("handle", handle),
        ("iss", PLATFORM),
        ("origin", ACME_SITE),
        ("scope", "org:read member:read project:read event:write openid"),
        ("state", "s1"),
        ("token_type", "Bearer"),
    ];
    assert_eq!(response, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[tokio::test]
async fn a_request_without_a_scope_gets_the_maximum_narrowed_to_the_role() {
    let platform = Platform::new().await;
    for (email, asked, granted) in [
        (MEMBER, "", "org:read member:read project:read event:write openid"),
        (MEMBER, "project:write org:read", "org:read project:read"),
        (MEMBER, "project:read", "project:read"),
        ("arno@example.org", "", "org:read member:read project:write event:write openid"),
        ("ada@example.org", "event:write  event:read", "event:write"),
    ] {
        let mut person = Person::signed_in(&platform, email).await;
        let answer = person.allow(&Asking::new().with("scope", asked)).await;
        assert_eq!(answer.response_to(&Asking::callback(APP))["scope"], granted, "{email} {asked}");
    }
}

#[tokio::test]
async fn a_request_that_a_role_leaves_nothing_of_is_an_invalid_scope() {
    let platform = Platform::new().await;
    platform
        .execute("update applications set scopes = 'org:read openid' where client_id = 'acmeclient'")
        .await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    assert_eq!(person.ask(&Asking::new().with("scope", "openid")).await.status, 200, "belongs to every role");
    platform.execute("update applications set scopes = 'org:read' where client_id = 'acmeclient'").await;
    let page = person.ask(&Asking::new().with("scope", "org:write")).await;
    assert_eq!(page.response_to(&Asking::callback(APP))["error"], "invalid_scope");
}

#[tokio::test]
async fn showing_a_page_creates_nothing_but_the_transaction() {
    let platform = Platform::new().await;
    for mut person in [
        Person::new(&platform),
        Person::signed_in(&platform, MEMBER).await,
        Person::signed_in(&platform, OUTSIDER).await,
    ] {
        for asking in [Asking::new(), Asking::redirect(), Asking::new().with("origin", ACME_LOCAL)] {
            person.ask(&asking).await;
        }
    }
    assert_eq!(platform.issued().await, (0, 0));
    assert_eq!(platform.count("select count(*) from transactions").await, 9);
}

#[tokio::test]
async fn a_head_request_issues_nothing() {
    let platform = Platform::new().await;
    let mut person = Person::signed_in(&platform, MEMBER).await;
    person.allow(&Asking::new()).await;
    let before = platform.issued().await;
    let head = Request::head(Asking::new().path()).body(Body::empty()).unwrap();
    assert_eq!(person.send(head).await.status, 405);
    assert_eq!(platform.issued().await, before);
}

/// `HEAD` is refused as well: it would do what `GET` does.
#[tokio::test]
async fn another_method_is_told_the_two_that_there_are() {
    let platform = Platform::new().await;
    for method in ["HEAD", "PUT", "DELETE", "OPTIONS"] {
        let request = Request::builder().method(method).uri(Asking::new().path());
        let answer = platform.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET,POST")), "{method}");
    }
}
