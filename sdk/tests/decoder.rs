//! The hand-written decoder, against the wire and against what is not on it.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::JSON;
use latchkey_protocol::{
    error::ErrorCode,
    frame::{FromFrame, Organization, Prepared, Session, User, literals},
};
use latchkey_sdk::{
    api::Answer,
    message::{decode, decode_response},
    options::{Given, Options, Page},
    popup::{Sender, accept},
    session::Event,
    value::{texts, whole},
};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

#[wasm_bindgen_test]
fn every_literal_is_read_as_its_message() {
    let session = Session {
        organization: Organization { id: "o1".into(), slug: "acme".into(), name: "Acme".into() },
        user: User { id: "u1".into(), name: "Ada".into() },
        scopes: vec!["org:read".into(), "project:read".into()],
        expires_at: 1_790_000_000_000.0,
    };
    let messages = [
        FromFrame::Welcome { version: 1 },
        FromFrame::Prepared(Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c1".into() }),
        FromFrame::SigningIn {},
        FromFrame::Answered {},
        FromFrame::SignedIn { access_token: Some("lkat_1".into()), session: Box::new(session) },
        FromFrame::Failed { code: ErrorCode::AccessDenied, description: Some("No thanks".into()) },
        FromFrame::SignOut {},
        FromFrame::Resize { width: 360, height: 48 },
    ];
    let known = [0, 1, 2, 3, 4, 6, 8, 9].map(|index| literals::FROM_FRAME[index]);
    for (message, literal) in messages.into_iter().zip(known) {
        assert_eq!(decode(&json(literal)), Some(message), "{literal}");
    }
}

#[wasm_bindgen_test]
fn a_failure_may_come_without_words() {
    let failed = Some(FromFrame::Failed { code: ErrorCode::ServerError, description: None });
    assert_eq!(decode(&json(r#"{"type":"failed","code":"server_error"}"#)), failed);
    assert_eq!(decode(&json(r#"{"type":"failed","code":"server_error","description":null}"#)), failed);
}

#[wasm_bindgen_test]
fn what_is_no_message_is_refused() {
    for value in
        [JsValue::UNDEFINED, JsValue::NULL, JsValue::TRUE, JsValue::from(1), JsValue::from("welcome")]
    {
        assert_eq!(decode(&value), None, "{value:?}");
    }
    let session = r#""session":{"organization":{"id":"o","slug":"s","name":"n"},"user":{"id":"u","name":"n"},"scopes":[],"expires_at":1}"#;
    for wrong in [
        "[]",
        "{}",
        r#"["welcome"]"#,
        r#"{"type":null}"#,
        r#"{"type":["welcome"],"version":1}"#,
        r#"{"type":{"toString":1},"version":1}"#,
        r#"{"type":"WELCOME","version":1}"#,
        r#"{"type":"hasOwnProperty"}"#,
        r#"{"type":"constructor"}"#,
        r#"{"__proto__":{"type":"sign_out"}}"#,
        r#"{"type":"welcome"}"#,
        r#"{"type":"welcome","version":"1"}"#,
        r#"{"type":"welcome","version":1.5}"#,
        r#"{"type":"welcome","version":-1}"#,
        r#"{"type":"welcome","version":4294967296}"#,
        r#"{"type":"prepared","state":"","nonce":"n","code_challenge":"c"}"#,
        r#"{"type":"prepared","state":1,"nonce":"n","code_challenge":"c"}"#,
        r#"{"type":"prepared","state":"s","code_challenge":"c"}"#,
        r#"{"type":"prepared","state":"s","nonce":"n"}"#,
        r#"{"type":"failed"}"#,
        r#"{"type":"failed","code":"because"}"#,
        r#"{"type":"failed","code":"aborted","description":1}"#,
        r#"{"type":"resize","width":1}"#,
        r#"{"type":"resize","width":1,"height":null}"#,
        r#"{"type":"signed_in","access_token":"t"}"#,
        r#"{"type":"signed_in","access_token":"t","session":null}"#,
        r#"{"type":"signed_in","access_token":"t","session":"s"}"#,
        &format!(r#"{{"type":"signed_in","access_token":"",{session}}}"#),
        &format!(r#"{{"type":"signed_in",{session}}}"#),
        &format!(r#"{{"type":"signed_in","access_token":"t",{}}}"#, session.replace("\"slug\":\"s\",", "")),
        &format!(r#"{{"type":"signed_in","access_token":"t",{}}}"#, session.replace("[]", "\"org:read\"")),
        &format!(r#"{{"type":"signed_in","access_token":"t",{}}}"#, session.replace("[]", "[1]")),
        &format!(r#"{{"type":"signed_in","access_token":"t",{}}}"#, session.replace("[]", "{\"length\":0}")),
        &format!(r#"{{"type":"signed_in","access_token":"t",{}}}"#, session.replace(":1}", ":\"1\"}")),
    ] {
        assert_eq!(decode(&json(wrong)), None, "{wrong}");
    }
    assert!(decode(&json(&format!(r#"{{"type":"signed_in","access_token":"t",{session}}}"#))).is_some());
}

#[wasm_bindgen_test]
fn numbers_and_arrays_are_what_they_say() {
    let object = json(r#"{"whole":7,"half":7.5,"text":"7","list":["a","b"],"mixed":["a",null]}"#);
    assert_eq!(whole(&object, "whole"), Some(7));
    assert_eq!((whole(&object, "half"), whole(&object, "text"), whole(&object, "none")), (None, None, None));
    assert_eq!(texts(&object, "list"), Some(vec!["a".into(), "b".into()]));
    assert_eq!((texts(&object, "mixed"), texts(&object, "text")), (None, None));
}

const RESPONSE: &str = "access_token=lkat_1&token_type=Bearer&expires_in=3600&scope=org%3Aread&state=s1\
    &iss=https%3A%2F%2Fp.example&client_id=c1&origin=https%3A%2F%2Fshop.example";

fn options() -> Options {
    let given = Given {
        client_id: Some("c1".into()),
        platform: Some("https://p.example".into()),
        ..Given::default()
    };
    let page = Page {
        origin: "https://shop.example",
        address: "https://shop.example/",
        platform: "https://p.example",
    };
    given.check(&page).unwrap()
}

fn message(version: u32, response: &str) -> JsValue {
    json(&format!(r#"{{"type":"latchkey.response","version":{version},"response":"{response}"}}"#))
}

#[wasm_bindgen_test]
fn the_callback_pages_message_is_read_in_this_version_alone() {
    assert_eq!(decode_response(&json(literals::RESPONSE)).as_deref(), Some("error=e&state=s"));
    for wrong in [
        r#"{"type":"latchkey.response","version":2,"response":"x"}"#,
        r#"{"type":"latchkey.response","version":"1","response":"x"}"#,
        r#"{"type":"latchkey.response","response":"x"}"#,
        r#"{"type":"latchkey.response","version":1}"#,
        r#"{"type":"latchkey.response","version":1,"response":{}}"#,
        r#"{"type":"latchkey.received","version":1,"response":"x"}"#,
        r#"{"__proto__":{"type":"latchkey.response","version":1,"response":"x"}}"#,
    ] {
        assert_eq!(decode_response(&json(wrong)), None, "{wrong}");
    }
}

#[wasm_bindgen_test]
fn a_response_is_taken_from_the_platform_and_from_the_window_that_was_opened() {
    let take = |origin: &str, is_popup: bool, expected: Option<&str>| {
        let sender = Sender { origin, is_popup };
        accept(&options(), &sender, &message(1, RESPONSE), expected.map(Into::into)).is_some()
    };
    assert!(take("https://p.example", true, Some("s1")));
    assert!(!take("https://p.example", false, Some("s1")));
    assert!(!take("https://shop.example", true, Some("s1")));
    assert!(!take("https://p.example.evil.example", true, Some("s1")));
    assert!(!take("null", true, Some("s1")));
    assert!(!take("https://p.example", true, Some("s2")));
    assert!(!take("https://p.example", true, None));
}

#[wasm_bindgen_test]
fn an_answer_of_the_platform_allows_refuses_or_fails() {
    let status = |status: u32, body: &str| match (Answer { status, body: json(body) }).status() {
        Event::Allowed => None,
        Event::Refused(failure) => Some((failure.code, failure.message)),
        _ => panic!("an event of something else"),
    };
    let refused = |code, words: &str| Some((code, String::from(words)));
    assert_eq!(status(200, r#"{"allowed":true}"#), None);
    assert_eq!(
        status(200, r#"{"allowed":false,"error":"origin_not_allowed","error_description":"Add it."}"#),
        refused(ErrorCode::OriginNotAllowed, "Add it.")
    );
    assert_eq!(
        status(200, r#"{"allowed":false,"error":"unknown_client"}"#),
        refused(ErrorCode::UnknownClient, "")
    );
    for strange in [r#"{"allowed":"true"}"#, r#"{"allowed":1}"#, "{}", "[]", "null"] {
        assert_eq!(status(200, strange), refused(ErrorCode::ServerError, ""), "{strange}");
    }
    assert_eq!(status(500, r#"{"allowed":true}"#), refused(ErrorCode::ServerError, ""));
    assert_eq!(status(0, "null"), refused(ErrorCode::NetworkError, ""));
}
