//! `grant_type=authorization_code`.

use sha2::{Digest, Sha256};

use crate::support::{
    ACME_REDIRECT, Asking, Form, GLOBEX_APP, GLOBEX_REDIRECT, LOCAL_REDIRECT, MEMBER, OUTSIDER, Person,
    Platform, Site, Tokens, VERIFIER,
};

use super::a_code;

#[tokio::test]
async fn a_code_works_for_a_minute() {
    for (secs, status) in [(59, 200), (60, 400)] {
        let platform = Platform::new().await;
        let code = a_code(&platform).await;
        platform.advance(secs);
        assert_eq!(platform.exchange(&Form::code(&code)).await.status, status, "{secs}");
    }
}

/// Whoever presents it wrongly learns nothing and breaks nothing: the owner's exchange still works.
#[tokio::test]
async fn a_wrong_presentation_is_refused_and_harms_nothing() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    let right = Form::code(&code);
    let other = VERIFIER.replace('d', "e");
    for (name, value) in [
        ("code_verifier", other.as_str()),
        ("code_verifier", ""),
        ("code_verifier", &VERIFIER[..42]),
        ("code_verifier", &VERIFIER.repeat(3)),
        ("code_verifier", &format!("{VERIFIER}=")),
        ("code_verifier", &VERIFIER.to_uppercase()),
        ("code_verifier", crate::support::CHALLENGE),
        ("redirect_uri", ""),
        ("redirect_uri", LOCAL_REDIRECT),
        ("redirect_uri", &format!("{ACME_REDIRECT}/")),
        ("redirect_uri", "https://www.acme.example/signed-in"),
        ("client_id", GLOBEX_APP),
    ] {
        let answer = platform.exchange(&right.clone().with(name, value)).await;
        answer.assert_api_error(400, "invalid_grant");
        assert_eq!(platform.issued().await.0, 0, "{name}={value}");
    }
    platform.exchange(&right.clone().without("code")).await.assert_api_error(400, "invalid_request");
    assert_eq!(platform.exchange(&right).await.status, 200);
}

/// RFC 6749 §4.1.3: asked for again only where the request named it.
#[tokio::test]
async fn a_redirect_that_the_request_left_out_may_be_left_out_again() {
    for (redirect_uri, status) in [(None, 200), (Some(GLOBEX_REDIRECT), 200), (Some(ACME_REDIRECT), 400)] {
        let platform = Platform::new().await;
        let asking = Asking::code()
            .with("client_id", GLOBEX_APP)
            .without("redirect_uri")
            .with("scope", "project:read");
        let code = Person::signed_in(&platform, OUTSIDER).await.code(&asking).await;
        let mut form = Form::code(&code).with("client_id", GLOBEX_APP).without("redirect_uri");
        if let Some(redirect_uri) = redirect_uri {
            form = form.with("redirect_uri", redirect_uri);
        }
        assert_eq!(platform.exchange(&form).await.status, status, "{redirect_uri:?}");
    }
}

#[tokio::test]
async fn a_loopback_redirect_is_held_to_the_port_it_was_asked_with() {
    let platform = Platform::new().await;
    let asked = "http://127.0.0.1:49152/cb";
    let code =
        Person::signed_in(&platform, MEMBER).await.code(&Asking::code().with("redirect_uri", asked)).await;
    let form = Form::code(&code);
    for other in [LOCAL_REDIRECT, "http://127.0.0.1:49153/cb"] {
        let answer = platform.exchange(&form.clone().with("redirect_uri", other)).await;
        answer.assert_api_error(400, "invalid_grant");
    }
    assert_eq!(platform.exchange(&form.with("redirect_uri", asked)).await.status, 200);
}

#[tokio::test]
async fn a_code_can_be_used_once_and_a_second_use_ends_what_the_first_was_given() {
    let platform = Platform::new().await;
    let untouched = platform.tokens(MEMBER).await;
    let code = a_code(&platform).await;
    let tokens = Tokens::of(&platform.exchange(&Form::code(&code)).await);
    // Wrongly presented it harms nothing, used or not.
    let wrong = Form::code(&code).with("code_verifier", &VERIFIER.replace('d', "e"));
    platform.exchange(&wrong).await.assert_api_error(400, "invalid_grant");
    assert_eq!(Site::new(&platform, &tokens.access).get("/api/0/").await.status, 200);

    platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
    Site::new(&platform, &tokens.access).get("/api/0/").await.assert_api_error(401, "invalid_token");
    platform.refresh(&tokens.refresh).await.assert_api_error(400, "invalid_grant");
    assert_eq!(Site::new(&platform, &untouched.access).get("/api/0/").await.status, 200, "and nothing else");
}

/// Also long after it expired: two held code and verifier.
#[tokio::test]
async fn a_second_use_counts_however_late() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    let first = Tokens::of(&platform.exchange(&Form::code(&code)).await);
    platform.advance(24 * 3600);
    let second = platform.refreshed(&first.refresh).await;
    platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
    Site::new(&platform, &second.access).get("/api/0/").await.assert_api_error(401, "invalid_token");
}

#[tokio::test]
async fn of_two_hundred_exchanges_at_once_one_succeeds_and_its_tokens_are_dead() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    let attempts = (0..200).map(|_| {
        let (platform, form) = (platform.clone(), Form::code(&code));
        tokio::spawn(async move { platform.exchange(&form).await })
    });
    let mut succeeded = vec![];
    for attempt in attempts.collect::<Vec<_>>() {
        let answer = attempt.await.unwrap();
        if answer.status == 200 {
            succeeded.push(Tokens::of(&answer));
        } else {
            answer.assert_api_error(400, "invalid_grant");
        }
    }
    assert_eq!(succeeded.len(), 1);
    assert_eq!(platform.count("select count(*) from access_tokens").await, 1);
    assert_eq!(platform.count("select count(*) from refresh_tokens").await, 1);
    let site = Site::new(&platform, &succeeded[0].access);
    site.get("/api/0/").await.assert_api_error(401, "invalid_token");
    platform.refresh(&succeeded[0].refresh).await.assert_api_error(400, "invalid_grant");
}

/// RFC 7636 §4.1: short enough to be guessed, though its digest is the one that was sent.
#[tokio::test]
async fn a_verifier_that_is_too_short_is_refused_though_it_fits() {
    let platform = Platform::new().await;
    let challenge = latchkey_protocol::base64url::encode(&Sha256::digest(b"short"));
    let asking = Asking::code().with("code_challenge", &challenge);
    let code = Person::signed_in(&platform, MEMBER).await.code(&asking).await;
    let answer = platform.exchange(&Form::code(&code).with("code_verifier", "short")).await;
    answer.assert_api_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_grant_that_has_ended_gives_nothing_for_its_code() {
    let platform = Platform::new().await;
    let code = a_code(&platform).await;
    platform.execute("update grants set revoked_at = 1").await;
    platform.exchange(&Form::code(&code)).await.assert_api_error(400, "invalid_grant");
    assert_eq!(platform.issued().await.0, 0);
}
