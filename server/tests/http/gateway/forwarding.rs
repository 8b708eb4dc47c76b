//! What goes on, and what comes back.

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use axum::{
    body::{Body, Bytes},
    http::{Method, Request, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::BodyExt;
use latchkey_server::gateway::{
    guarded::Guarded,
    upstream::{Settings, Upstream},
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Backend, before, before_with, site};
use crate::support::{ACME, ACME_SITE, APP, MEMBER, NOW, PEER, PLATFORM, Platform, Site, anonymous};

const PATH: &str = "/api/0/organizations/acme/issues/";

/// A request of a site's with these headers.
fn request(token: &str, method: Method, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

/// The header and the claims of an assertion whose signature one of the published keys verifies.
async fn verified(platform: &Platform, assertion: &str) -> (Value, Value) {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let [header, claims, signature] = assertion.split('.').collect::<Vec<_>>().try_into().unwrap();
    let parsed: Value = serde_json::from_slice(&decode(header)).unwrap();
    let keys = anonymous(platform, "/oauth/jwks/").await.json();
    let key =
        keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == parsed["kid"]).unwrap().clone();
    let public = RsaPublicKeyComponents {
        n: decode(key["n"].as_str().unwrap()),
        e: decode(key["e"].as_str().unwrap()),
    };
    let signed = format!("{header}.{claims}");
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature)).unwrap();
    (parsed, serde_json::from_slice(&decode(claims)).unwrap())
}

#[tokio::test]
async fn the_backend_learns_who_it_is_in_words_and_signed() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let answer = site(&platform).await.get(&format!("{PATH}?status=open&page=%2F")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "issues"));
    let asked = backend.only();
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("GET", "/api/0/organizations/acme/issues/?status=open&page=%2F")
    );
    let header = |name: &str| asked.headers.get(name).map(|value| value.to_str().unwrap());
    for (name, value) in [
        ("latchkey-user", "max"),
        ("latchkey-organization", ACME.0),
        ("latchkey-application", APP),
        ("latchkey-scopes", "org:read event:write openid"),
        ("latchkey-role", "member"),
        ("x-forwarded-for", PEER),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "platform.example"),
        ("host", backend.url().trim_start_matches("http://")),
    ] {
        assert_eq!(header(name), Some(value), "{name}");
    }
    let (head, claims) = verified(&platform, header("latchkey-assertion").unwrap()).await;
    assert_eq!((&head["alg"], &head["typ"]), (&json!("RS256"), &json!("latchkey-assertion+jwt")));
    let expected = json!({
        "iss": PLATFORM, "aud": backend.url(), "sub": "max", "iat": NOW, "exp": NOW + 60, "client_id": APP,
        "organization_id": ACME.0, "organization_slug": ACME.1, "role": "member",
        "scope": "org:read event:write openid",
        "token_id": platform.text("select id from access_tokens").await,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn an_assertion_is_made_anew_in_time_and_whenever_it_would_say_something_else() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let site = site(&platform).await;
    let mut steps = vec![];
    for change in ["", "", "update memberships set role = 'admin' where user_id = 'max'", ""] {
        if !change.is_empty() {
            platform.execute(change).await;
        }
        assert_eq!(site.get(PATH).await.status, 200);
        steps.push(backend.asked().pop().unwrap().headers["latchkey-assertion"].clone());
    }
    assert!(steps[0] == steps[1] && steps[1] != steps[2] && steps[2] == steps[3]);
    for (secs, same) in [(29, true), (1, false)] {
        platform.advance(secs);
        assert_eq!(site.get(PATH).await.status, 200);
        let assertion = backend.asked().pop().unwrap().headers["latchkey-assertion"].clone();
        assert_eq!(assertion == steps[3], same, "{secs}");
    }
    // At the end of the token's time it ends with the token.
    platform.advance(3599 - 30);
    assert_eq!(site.get(PATH).await.status, 200);
    let assertion = backend.asked().pop().unwrap().headers["latchkey-assertion"].to_str().unwrap().to_owned();
    assert_eq!(verified(&platform, &assertion).await.1["exp"], NOW + 3600);
}

#[tokio::test]
async fn what_a_client_says_under_our_names_or_for_us_alone_goes_no_further() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let token = platform.token(MEMBER).await;
    let sent = [
        ("latchkey-user", "ada"),
        ("Latchkey_User", "ada"),
        ("latchkey-organization", "org-globex"),
        ("latchkey-assertion", "x.y.z"),
        ("latchkey-admin", "1"),
        ("latchkey.user", "ada"),
        ("x-original-url", "/api/0/organizations/globex/issues/"),
        ("x-rewrite-url", "/api/0/organizations/globex/issues/"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "DELETE"),
        ("x-forwarded-user", "ada"),
        ("x-forwarded-prefix", "/globex"),
        ("x_forwarded_for", "203.0.113.9"),
        ("true-client-ip", "203.0.113.9"),
        ("x-client-ip", "203.0.113.9"),
        ("remote-user", "ada"),
        ("x-remote-user", "ada"),
        ("cookie", "__Host-session=secret"),
        ("origin", ACME_SITE),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-host", "evil.example"),
        ("x-real-ip", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("te", "trailers"),
        ("upgrade", "websocket"),
        ("proxy-authorization", "Basic eDp5"),
        ("if-none-match", "\"1\""),
        ("x-own", "kept"),
    ];
    let answer = platform.send(request(&token, Method::GET, PATH, &sent)).await;
    assert_eq!(answer.status, 200);
    let asked = backend.only();
    let mut names: Vec<_> = asked.headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "host",
        "if-none-match",
        "latchkey-application",
        "latchkey-assertion",
        "latchkey-organization",
        "latchkey-role",
        "latchkey-scopes",
        "latchkey-user",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-own",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (asked.headers["latchkey-user"].as_bytes(), asked.headers["x-forwarded-for"].as_bytes()),
        (b"max".as_slice(), PEER.as_bytes())
    );
    assert_eq!(asked.headers.get_all("latchkey-user").iter().count(), 1);
    assert!(asked.headers.values().all(|value| !value.to_str().unwrap().contains(&token)));
}

#[tokio::test]
async fn a_path_goes_on_byte_for_byte() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let site = site(&platform).await;
    for path in [
        "/api/0/organizations/acme/issues",
        "/api/0/organizations/acme/issues/",
        "/api/0/organizations/org-acme/issues/7/comments/?a=b&a=c&d=%2e%2e%2f",
        "/api/0/organizations/acme/issues/caf%C3%A9/x%20y",
        "/api/0/organizations/acme/issues/a:b@c,d",
    ] {
        assert_eq!(site.get(path).await.status, 200, "{path}");
        assert_eq!(backend.asked().pop().unwrap().path, path);
    }
}

#[tokio::test]
async fn what_comes_back_acts_on_nothing_of_the_platform_s() {
    let hostile = || {
        let response = Response::builder()
            .status(202)
            .header("content-type", "text/html; charset=utf-8")
            .header("etag", "\"1\"")
            .header("x-total", "7")
            .header("link", "</next>; rel=\"next\"")
            .header("cache-control", "public, s-maxage=60, max-age=5")
            .header("vary", "accept");
        [
            ("set-cookie", "__Host-session=evil; Path=/; Secure"),
            ("access-control-allow-origin", "*"),
            ("access-control-allow-credentials", "true"),
            ("content-security-policy", "default-src *"),
            ("service-worker-allowed", "/"),
            ("clear-site-data", "\"cookies\""),
            ("strict-transport-security", "max-age=0"),
            ("refresh", "0; url=https://evil.example"),
            ("alt-svc", "h3=\":443\""),
            ("www-authenticate", "Basic realm=\"x\""),
            ("x-content-type-options", "none"),
            ("x-frame-options", "ALLOWALL"),
            ("referrer-policy", "unsafe-url"),
            ("latchkey-user", "ada"),
            ("server", "secret/1.0"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("x-debug", "stack"),
        ]
        .into_iter()
        .fold(response, |response, (name, value)| response.header(name, value))
        .body(Body::from("<script>alert(1)</script>"))
        .unwrap()
    };
    let backend = Backend::answering(hostile).await;
    let platform = before(&backend).await;
    let answer = site(&platform).await.get(PATH).await;
    assert_eq!((answer.status, answer.body.as_str()), (202, "<script>alert(1)</script>"));
    let mut headers: Vec<_> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    headers.retain(|(name, _)| *name != "date");
    headers.sort_unstable();
    let expected = [
        ("access-control-allow-origin", ACME_SITE),
        (
            "access-control-expose-headers",
            "accept-ranges,age,allow,cache-control,content-disposition,content-encoding,content-language,\
             content-length,content-range,content-type,date,etag,expires,last-modified,link,location,retry-after,vary,\
             warning,www-authenticate,x-total",
        ),
        ("cache-control", "private, max-age=5"),
        ("content-length", "25"),
        (
            "content-security-policy",
            "sandbox; default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        ("content-type", "text/html; charset=utf-8"),
        ("etag", "\"1\""),
        ("link", "</next>; rel=\"next\""),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("referrer-policy", "same-origin"),
        ("strict-transport-security", "max-age=63072000"),
        ("vary", "accept"),
        ("vary", "authorization"),
        ("vary", "origin, access-control-request-headers"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("x-permitted-cross-domain-policies", "none"),
        ("x-total", "7"),
    ];
    assert_eq!(headers, expected);
}

/// The first part of the answer is there before the second one is even made, and so is the request's.
#[tokio::test]
async fn bodies_go_by_as_they_come_both_ways() {
    let (parts, received) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    let received = std::sync::Arc::new(std::sync::Mutex::new(Some(received)));
    let backend = Backend::answering(move || {
        let received = received.lock().unwrap().take().unwrap();
        Response::new(Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(received)))
    })
    .await;
    let platform = before(&backend).await;
    let token = platform.token(MEMBER).await;
    let (upload, sent) = mpsc::channel::<Result<Bytes, std::io::Error>>(4);
    let mut asking = request(&token, Method::POST, PATH, &[]);
    *asking.body_mut() = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(sent));
    upload.send(Ok("one ".into())).await.unwrap();
    let answering = tokio::spawn(platform.stream(asking));
    upload.send(Ok("two".into())).await.unwrap();
    drop(upload);
    let answer = answering.await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body();
    for part in ["a", "b"] {
        parts.send(Ok(part.into())).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame, part);
    }
    drop(parts);
    assert!(body.frame().await.is_none());
    assert_eq!(backend.only().body, b"one two");
}

#[tokio::test]
async fn a_head_request_is_one_and_keeps_the_length() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let answer = site(&platform).await.send(Method::HEAD, PATH, String::new()).await;
    assert_eq!((answer.status, answer.body.as_str(), answer.header("content-length")), (200, "", Some("6")));
    assert_eq!(backend.only().method, "HEAD");
}

#[tokio::test]
async fn a_site_may_use_every_method_and_header_that_the_backend_takes() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let answer = Site::new(&platform, "").preflight("PATCH", PATH).await;
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,HEAD,POST,PUT,PATCH,DELETE"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization"));
    assert!(backend.asked().is_empty());
}

#[tokio::test]
async fn our_own_routes_go_before_a_backend_s() {
    let backend = Backend::new().await;
    let platform = before_with(&backend, |upstream| Upstream {
        guarded: Guarded { prefix: "/api/0/organizations/{organization}".into(), ..upstream.guarded },
        ..upstream
    })
    .await;
    let site = site(&platform).await;
    assert!(site.get("/api/0/organizations/acme/").await.body.contains("Acme Rockets"));
    assert!(backend.asked().is_empty());
    assert_eq!(site.get("/api/0/organizations/acme/anything/").await.body, "issues");
}

/// However two backends' paths lie to one another and to ours, the server starts, and of several the one that says the most
/// about a path is asked.
#[tokio::test]
async fn each_backend_is_asked_for_its_own_and_told_so() {
    let (one, two, three) = (Backend::new().await, Backend::new().await, Backend::new().await);
    let upstream = |backend: &Backend, prefix: &str| {
        let settings = Settings { prefix: prefix.into(), ..Settings::at(&backend.url()) };
        Upstream::read(&settings).unwrap()
    };
    let platform = Platform::before(vec![
        upstream(&one, "/v1"),
        upstream(&two, "/v1/{organization}"),
        upstream(&three, "/v1/acme/issues"),
        upstream(&one, "/api/0/organizations/{organization}/members/roles"),
        upstream(&two, "/api/0/issues"),
    ])
    .await;
    let token = platform.token(MEMBER).await;
    let site = Site::new(&platform, &token).from(Some(ACME_SITE));
    for (path, backend) in [
        ("/v1/", &one),
        ("/v1/acme", &two),
        ("/v1/acme/things/7", &two),
        ("/v1/acme/issues", &three),
        ("/v1/acme/issues/7/", &three),
        ("/api/0/organizations/acme/members/roles/", &one),
        ("/api/0/issues", &two),
    ] {
        let before: Vec<_> = [&one, &two, &three].map(|backend| backend.asked().len()).into();
        assert_eq!(site.get(path).await.status, 200, "{path}");
        let asked = backend.asked().pop().unwrap();
        assert_eq!(asked.path, path);
        let all: usize = [&one, &two, &three].map(|backend| backend.asked().len()).iter().sum();
        assert_eq!(all, before.iter().sum::<usize>() + 1);
        // What was signed for one of them says nothing to another.
        let assertion = asked.headers["latchkey-assertion"].to_str().unwrap();
        assert_eq!(verified(&platform, assertion).await.1["aud"], backend.url(), "{path}");
    }
    site.get("/v1/globex").await.assert_api_error(403, "wrong_organization");
    assert!(site.get("/api/0/organizations/acme/members/").await.body.contains("max"));
    // A site that nobody registered reads nothing of it, and nothing of a refusal.
    for path in ["/v1/acme", "/v1/globex"] {
        let answer = site.clone().from(Some("https://nobody.example")).get(path).await;
        answer.assert_api_error(403, "origin_not_allowed");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let preflight =
            Site::new(&platform, "").from(Some("https://nobody.example")).preflight("GET", path).await;
        assert_eq!(preflight.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn a_renamed_organization_is_another_assertion() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let site = site(&platform).await;
    let path = "/api/0/organizations/org-acme/issues/";
    assert_eq!(site.get(path).await.status, 200);
    platform.execute("update organizations set slug = 'acme-rockets' where id = 'org-acme'").await;
    assert_eq!(site.get(path).await.status, 200);
    let assertion = backend.asked().pop().unwrap().headers["latchkey-assertion"].to_str().unwrap().to_owned();
    assert_eq!(verified(&platform, &assertion).await.1["organization_slug"], "acme-rockets");
}

/// hyper would take it for a request without one.
#[tokio::test]
async fn a_body_of_unknown_length_goes_on_whatever_the_method() {
    let backend = Backend::new().await;
    let platform = before(&backend).await;
    let token = platform.token(MEMBER).await;
    for method in [Method::GET, Method::POST] {
        let mut asking = request(&token, method.clone(), PATH, &[]);
        let parts = ["one ", "two"].map(|part| Ok::<_, std::io::Error>(Bytes::from(part)));
        *asking.body_mut() = Body::from_stream(tokio_stream::iter(parts));
        assert_eq!(platform.send(asking).await.status, 200);
        assert_eq!(backend.asked().pop().unwrap().body, b"one two", "{method}");
    }
}
