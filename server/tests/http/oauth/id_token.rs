//! The id_token and the keys it is verified with (OpenID Connect Core §2, RFC 7517).

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    ADMIN, APP, Asking, Form, GLOBEX_APP, GLOBEX_REDIRECT, MEMBER, NOW, PASSWORD, PLATFORM, Person, Platform,
    Tokens, anonymous,
};

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

async fn keys(platform: &Platform) -> Vec<Value> {
    let answer = anonymous(platform, "/oauth/jwks/").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")));
    answer.json()["keys"].as_array().unwrap().clone()
}

/// The claims, after the signature was verified with the published key that the header names.
async fn verified(platform: &Platform, token: &str) -> Value {
    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let named: Value = serde_json::from_slice(&decode(header)).unwrap();
    assert_eq!((&named["alg"], &named["typ"]), (&json!("RS256"), &json!("JWT")));
    let keys = keys(platform).await;
    let key = keys.iter().find(|key| key["kid"] == named["kid"]).expect("the key is published");
    let number = |name: &str| decode(key[name].as_str().unwrap());
    let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    let signed = format!("{header}.{claims}");
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature))
        .expect("a true signature");
    serde_json::from_slice(&decode(claims)).unwrap()
}

async fn tokens(platform: &Platform, asking: &Asking) -> Tokens {
    let code = Person::signed_in(platform, MEMBER).await.code(asking).await;
    Tokens::of(&platform.exchange(&Form::code(&code)).await)
}

async fn allow_identity(platform: &Platform) {
    platform.execute("update applications set scopes = 'org:read openid profile email'").await;
    platform.make_key().await;
}

#[tokio::test]
async fn it_says_who_signed_in_when_and_for_whom() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let asking = Asking::code().with("scope", "openid profile email").with("nonce", "n-0S6_WzA2Mj");
    let mut person = Person::signed_in(&platform, MEMBER).await;
    platform.advance(100);
    let code = person.code(&asking).await;
    platform.advance(10);
    let tokens = Tokens::of(&platform.exchange(&Form::code(&code)).await);
    let claims = verified(&platform, &tokens.id_token.unwrap()).await;
    let at_hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(tokens.access.as_bytes())[..16]);
    let expected = json!({
        "iss": PLATFORM, "aud": APP, "sub": "max", "name": "Max", "email": MEMBER, "nonce": "n-0S6_WzA2Mj",
        "auth_time": NOW, "iat": NOW + 110, "exp": NOW + 110 + 3600, "at_hash": at_hash,
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn it_shows_no_more_than_the_scopes_do() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let claims = verified(
        &platform,
        &tokens(&platform, &Asking::code().with("scope", "openid")).await.id_token.unwrap(),
    )
    .await;
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["at_hash", "aud", "auth_time", "exp", "iat", "iss", "sub"]);
}

#[tokio::test]
async fn without_openid_there_is_none() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let tokens = tokens(&platform, &Asking::code().with("scope", "org:read profile email")).await;
    assert_eq!(tokens.id_token, None);
}

#[tokio::test]
async fn a_published_key_shows_its_public_half_alone() {
    let platform = Platform::new().await;
    assert_eq!(keys(&platform).await.len(), 0);
    platform.make_key().await;
    platform.make_key().await;
    let keys = keys(&platform).await;
    assert_eq!(keys.len(), 1, "a second start makes no second key");
    let names: Vec<_> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!((decode(keys[0]["n"].as_str().unwrap()).len(), &keys[0]["e"]), (256, &json!("AQAB")));
    // PKCS #8 begins with a sequence; sealed it is noise.
    let sealed = platform.database.lines("signing_keys").await.remove(0).join(" ");
    assert!(
        sealed.len() > 2 * 1200 && !sealed.contains("2a864886f70d010101"),
        "the key's kind is not readable"
    );
}

#[tokio::test]
async fn a_new_key_signs_at_once_and_the_old_one_is_published_for_a_day() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let asking = Asking::code().with("scope", "openid");
    let before = tokens(&platform, &asking).await.id_token.unwrap();
    let app = &platform.app;
    let kid = app.signing_keys.rotate(&app.store, &app.clock, &app.entropy, false).await.unwrap();
    let after = tokens(&platform, &asking).await.id_token.unwrap();
    let header = String::from_utf8(decode(after.split('.').next().unwrap())).unwrap();
    assert!(header.contains(&kid), "{header}");
    verified(&platform, &before).await;
    verified(&platform, &after).await;
    platform.advance(24 * 3600);
    assert_eq!(keys(&platform).await.len(), 1);
    verified(&platform, &after).await;
}

#[tokio::test]
async fn a_key_under_another_secret_signs_nothing_and_issues_nothing() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    platform
        .execute(&format!("update signing_keys set sealed_key = {}", platform.database.bytes("'another'")))
        .await;
    let code = Person::signed_in(&platform, MEMBER).await.code(&Asking::code().with("scope", "openid")).await;
    platform.exchange(&Form::code(&code)).await.assert_api_error(500, "server_error");
    assert_eq!(platform.issued().await.0, 0);
    let app = &platform.app;
    let rotate = |forget| app.signing_keys.rotate(&app.store, &app.clock, &app.entropy, forget);
    assert!(
        rotate(false).await.is_err(),
        "it would be a key that nobody can use beside one that nobody can read"
    );
    rotate(true).await.unwrap();
    assert_eq!(platform.exchange(&Form::code(&code)).await.status, 200, "the code was not lost");
}

/// OpenID Connect Core §3.1.2.2: nothing for anybody but the person that the client means.
#[tokio::test]
async fn one_that_comes_back_as_a_hint_says_whose_session_counts() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let asking = Asking::code().with("scope", "openid");
    let hint = tokens(&platform, &asking).await.id_token.unwrap();
    let hinted = asking.clone().with("id_token_hint", &hint);
    let silent = hinted.clone().with("prompt", "none");
    let error = |answer: crate::support::Answer| {
        let (_, query) = answer.location().split_once('?').unwrap();
        let found = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "error");
        found.map(|(_, value)| value.into_owned())
    };
    let mut same = Person::signed_in(&platform, MEMBER).await;
    assert_eq!(error(same.ask(&silent).await), None, "a code at once");
    // Long after it expired (§3.1.2.2).
    platform.advance(7200);
    assert_eq!(error(same.ask(&silent).await), None);

    let mut other = Person::signed_in(&platform, ADMIN).await;
    other.code(&asking).await;
    platform.advance(1);
    assert_eq!(error(other.ask(&silent).await).as_deref(), Some("login_required"));
    let login = other.ask(&hinted).await.location().to_owned();
    let next = other.log_in(&login, ADMIN, PASSWORD).await.location().to_owned();
    assert_eq!(error(other.get(&next).await).as_deref(), Some("login_required"), "they mean it");
    platform.advance(1);
    let login = other.ask(&hinted).await.location().to_owned();
    let next = other.log_in(&login, MEMBER, PASSWORD).await.location().to_owned();
    assert_eq!(error(other.get(&next).await), None, "and as the one who was meant it goes on");
}

#[tokio::test]
async fn a_hint_that_this_server_did_not_sign_for_this_client_is_refused() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let asking = Asking::code().with("scope", "openid");
    let hint = tokens(&platform, &asking).await.id_token.unwrap();
    let [header, claims, signature] = hint.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = encode(json!({ "alg": "none", "typ": "JWT" }));
    let kid = serde_json::from_slice::<Value>(&decode(header)).unwrap()["kid"].clone();
    let other_alg = encode(json!({ "alg": "HS256", "kid": kid }));
    let admin = encode(json!({ "iss": PLATFORM, "aud": APP, "sub": "arno" }));
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for wrong in [
        "x".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{other_alg}.{claims}.{signature}"),
        format!("{header}.{admin}.{signature}"),
        hint.replace(signature, &signature.to_lowercase()),
    ] {
        let answer = person.ask(&asking.clone().with("id_token_hint", &wrong)).await;
        assert!(answer.location().contains("error=invalid_request"), "{wrong}: {}", answer.location());
        assert!(answer.location().contains("id_token_hint"), "{}", answer.location());
    }
    let other_client = Asking::code()
        .with("client_id", GLOBEX_APP)
        .with("redirect_uri", GLOBEX_REDIRECT)
        .with("scope", "openid")
        .with("id_token_hint", &hint);
    let answer = person.ask(&other_client).await;
    assert!(answer.location().contains("error=invalid_request"), "another client's: {}", answer.location());
    Person::new(&platform).ask(&other_client).await.assert_error_page(400, "id_token_hint is not");
}

/// Another server may have had this one's key: where two were one, or a database was copied.
#[tokio::test]
async fn a_hint_of_another_issuer_is_refused() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let mut unit = platform.app.store.read().await.unwrap();
    let signer = platform.app.signing_keys.current(&mut unit).await.unwrap();
    drop(unit);
    let mut person = Person::signed_in(&platform, MEMBER).await;
    for (issuer, told) in [
        (PLATFORM, "error=consent_required"),
        ("https://other.example", "error=invalid_request"),
        ("https://platform.example/", "error=invalid_request"),
        ("", "error=invalid_request"),
    ] {
        let hint = signer.sign("JWT", &json!({ "iss": issuer, "aud": APP, "sub": "max" })).unwrap();
        let silent = Asking::code().with("scope", "openid").with("prompt", "none");
        let answer = person.ask(&silent.with("id_token_hint", &hint)).await;
        assert!(answer.location().contains(told), "{issuer:?}: {}", answer.location());
    }
}

#[tokio::test]
async fn its_claims_are_the_ones_that_the_metadata_names() {
    let platform = Platform::new().await;
    allow_identity(&platform).await;
    let asking = Asking::code().with("scope", "openid profile email").with("nonce", "n");
    let claims = verified(&platform, &tokens(&platform, &asking).await.id_token.unwrap()).await;
    let described = anonymous(&platform, "/.well-known/openid-configuration").await.json();
    let mut named: Vec<_> =
        described["claims_supported"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    named.sort_unstable();
    let names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, named);
}
