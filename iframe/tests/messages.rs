//! The messages as JavaScript values, in both directions, and what is not a message.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::JSON;
use latchkey_iframe::port::{decode, encode};
use latchkey_protocol::{
    error::ErrorCode,
    frame::{FromCallback, FromFrame, Hello, Prepared, ToCallback, ToFrame, literals},
};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

fn text(value: &JsValue) -> String {
    JSON::stringify(value).unwrap().into()
}

#[wasm_bindgen_test]
fn every_literal_of_the_sdk_and_the_callback_page_is_read() {
    let hello = Hello::Hello { version: 1, client_id: "c1".into(), scope: "org:read".into() };
    assert_eq!(decode(&json(literals::HELLO)), Some(hello));
    let response = FromCallback::Response { version: 1, response: "error=e&state=s".into() };
    assert_eq!(decode(&json(literals::RESPONSE)), Some(response));
    let messages = [
        ToFrame::Began { state: "s1".into() },
        ToFrame::Ended { state: "s1".into(), code: ErrorCode::PopupClosed },
        ToFrame::SignedOut {},
        ToFrame::Page { path: "/checkout/".into() },
    ];
    for (message, literal) in messages.into_iter().zip(literals::TO_FRAME) {
        assert_eq!(decode(&json(literal)), Some(message));
    }
}

#[wasm_bindgen_test]
fn every_message_is_written_as_its_literal() {
    let received = encode(&ToCallback::Received { version: 1 }).unwrap();
    assert_eq!(text(&received), literals::RECEIVED);
    let messages = [
        FromFrame::Welcome { version: 1 },
        FromFrame::Prepared(Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c1".into() }),
        FromFrame::SigningIn {},
        FromFrame::Answered {},
    ];
    for (message, literal) in messages.iter().zip(literals::FROM_FRAME) {
        assert_eq!(text(&encode(message).unwrap()), literal);
    }
    let failed = FromFrame::Failed { code: ErrorCode::AccessDenied, description: Some("No thanks".into()) };
    assert_eq!(text(&encode(&failed).unwrap()), literals::FROM_FRAME[5]);
}

#[wasm_bindgen_test]
fn what_is_no_message_is_refused() {
    for value in
        [JsValue::UNDEFINED, JsValue::NULL, JsValue::TRUE, JsValue::from(1), JsValue::from("signed_out")]
    {
        assert_eq!(decode::<ToFrame>(&value), None);
        assert_eq!(decode::<Hello>(&value), None);
        assert_eq!(decode::<FromCallback>(&value), None);
    }
    for wrong in [
        "[]",
        "{}",
        r#"["signed_out"]"#,
        r#"{"type":["signed_out"]}"#,
        r#"{"type":"SIGNED_OUT"}"#,
        r#"{"__proto__":{"type":"signed_out"}}"#,
        r#"{"type":"signed_in","access_token":"t"}"#,
        r#"{"type":"began"}"#,
        r#"{"type":"began","state":1}"#,
        r#"{"type":"began","state":"s","more":true}"#,
        r#"{"type":"ended","state":"s","code":"because"}"#,
    ] {
        assert_eq!(decode::<ToFrame>(&json(wrong)), None, "{wrong}");
    }
    for wrong in [
        r#"{"type":"latchkey.hello"}"#,
        r#"{"type":"latchkey.hello","version":1,"client_id":"c1"}"#,
        r#"{"type":"latchkey.hello","version":"1","client_id":"c1","scope":""}"#,
        r#"{"type":"latchkey.hello","version":1.5,"client_id":"c1","scope":""}"#,
        r#"{"type":"latchkey.hello","version":-1,"client_id":"c1","scope":""}"#,
        r#"{"type":"latchkey.hello","version":1,"client_id":{},"scope":""}"#,
        r#"{"__proto__":{"type":"latchkey.hello","version":1,"client_id":"c1","scope":""}}"#,
    ] {
        assert_eq!(decode::<Hello>(&json(wrong)), None, "{wrong}");
    }
    assert_eq!(decode::<FromCallback>(&json(r#"{"type":"latchkey.response","version":1}"#)), None);
}
