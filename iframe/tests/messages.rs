//! The messages as JavaScript values, in both directions, and what is not a message: `messages.js` says what has the
//! shape of one, the core what its words mean.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::{JSON, Uint8Array};
use latchkey_iframe::message::{self, Heard, ToFrame};
use latchkey_protocol::{
    error::ErrorCode,
    frame::{Corner, FromWindow, Hello, ResponseType, Tokens, literals},
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(module = "/messages.js")]
extern "C" {
    #[wasm_bindgen(js_name = readFromWindow)]
    fn shape_of_window(data: &JsValue) -> JsValue;

    #[wasm_bindgen(js_name = readToFrame)]
    fn shape_of_port(data: &JsValue) -> JsValue;

    #[wasm_bindgen(js_name = readCall)]
    fn read_call(data: &JsValue) -> JsValue;

    #[wasm_bindgen(js_name = readSession)]
    fn read_session(data: &JsValue, expires_at: f64) -> JsValue;

    #[wasm_bindgen(variadic)]
    fn write(kind: &str, values: Vec<JsValue>) -> JsValue;
}

fn read_from_window(data: &JsValue) -> Option<Heard> {
    message::read_from_window(&shape_of_window(data))
}

fn read_to_frame(data: &JsValue) -> Option<ToFrame> {
    message::read_to_frame(&shape_of_port(data))
}

fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

fn text(value: &JsValue) -> String {
    JSON::stringify(value).unwrap().into()
}

const SESSION: &str = r#"{"organization":{"id":"o1","slug":"acme","name":"Acme"},"user":{"id":"u1","name":"Ada"},"scopes":["org:read","project:read"],"expires_at":1790000000000}"#;

#[wasm_bindgen_test]
fn every_literal_of_the_sdk_and_of_the_sign_in_window_is_read() {
    let hello = Hello {
        version: 1,
        client_id: "c1".into(),
        scope: "org:read".into(),
        response_type: ResponseType::Token,
        tokens: Tokens::Page,
    };
    assert_eq!(read_from_window(&json(literals::HELLO)), Some(Heard::Hello(hello)));
    let response = FromWindow::Response { version: 1, response: "error=e&state=s".into() };
    assert_eq!(read_from_window(&json(literals::RESPONSE)), Some(Heard::Window(response)));
    let alive = Heard::Window(FromWindow::Alive { version: 1 });
    assert_eq!(read_from_window(&json(literals::ALIVE)), Some(alive));
    // The calls, at the places of `None`, are read where they are made: see `calls.js`.
    let messages = [
        Some(ToFrame::Began { state: "s1".into() }),
        Some(ToFrame::Ended { state: "s1".into(), code: ErrorCode::PopupClosed }),
        Some(ToFrame::SignedOut { expired: false }),
        Some(ToFrame::Page { path: "/checkout/".into() }),
        Some(ToFrame::Response {
            state: "s".into(),
            response: "error=e&state=s".into(),
            redirect_uri: Some("https://a.com/back".into()),
        }),
        None,
        None,
        None,
        Some(ToFrame::Placed { corner: Corner::TopLeft }),
        Some(ToFrame::Adopt { access_token: "lkat_1".into(), expires_in: 3600, replaces: true }),
    ];
    assert_eq!(messages.len(), literals::TO_FRAME.len());
    for (message, literal) in messages.into_iter().zip(literals::TO_FRAME) {
        let call = read_call(&json(literal));
        assert_eq!(call.is_undefined(), message.is_some(), "{literal}");
        if message.is_none() {
            assert_eq!(text(&call), literal);
        }
        assert_eq!(read_to_frame(&json(literal)), message, "{literal}");
    }
    let short = json(r#"{"type":"response","state":"s","response":"error=e&state=s"}"#);
    let response =
        ToFrame::Response { state: "s".into(), response: "error=e&state=s".into(), redirect_uri: None };
    assert_eq!(read_to_frame(&short), Some(response));
}

#[wasm_bindgen_test]
fn every_message_is_written_as_its_literal() {
    let texts = |texts: &[&str]| texts.iter().map(|text| JsValue::from_str(text)).collect::<Vec<_>>();
    let numbers =
        |numbers: &[f64]| numbers.iter().map(|number| JsValue::from_f64(*number)).collect::<Vec<_>>();
    assert_eq!(text(&write("latchkey.received", numbers(&[1.0]))), literals::RECEIVED);
    let messages = [
        ("welcome", numbers(&[1.0])),
        ("prepared", texts(&["s1", "n1", "c1"])),
        ("signing_in", texts(&["s1"])),
        ("answered", texts(&["s1"])),
        ("signed_in", vec!["s1".into(), "lkat_1".into(), json(SESSION)]),
        ("renewed", vec![JsValue::NULL, json(SESSION)]),
        ("failed", texts(&["s1", "access_denied", "No thanks"])),
        ("ended", vec![JsValue::NULL]),
        ("sign_out", Vec::new()),
        ("resize", numbers(&[360.0, 48.0])),
        ("head", vec![1.into(), 200.into(), json(r#"[["content-type","application/json"]]"#)]),
        ("chunk", vec![1.into(), Uint8Array::from(&b"hi"[..]).into()]),
        ("end", numbers(&[1.0])),
        ("broken", vec![1.into(), "network_error".into(), "No answer".into()]),
        ("place", texts(&["bottom-left"])),
        ("move", numbers(&[-3.0, 4.0])),
        ("drop", Vec::new()),
    ];
    assert_eq!(messages.len(), literals::FROM_FRAME.len());
    for ((kind, values), literal) in messages.into_iter().zip(literals::FROM_FRAME) {
        assert_eq!(text(&write(kind, values)), literal);
    }
    // The core says three values of every message, whatever it has.
    let more = vec![JsValue::NULL, JsValue::UNDEFINED, JsValue::UNDEFINED];
    assert_eq!(text(&write("ended", more)), literals::FROM_FRAME[7]);
}

#[wasm_bindgen_test]
fn a_session_reads_back() {
    assert_eq!(text(&read_session(&json(SESSION), 1_790_000_000_000.0)), SESSION);
    for wrong in ["null", "{}", r#"{"organization":{},"user":{},"scopes":[],"expires_at":1}"#] {
        assert!(read_session(&json(wrong), 1.0).is_undefined(), "{wrong}");
    }
    for time in [f64::NAN, f64::INFINITY] {
        assert!(read_session(&json(SESSION), time).is_undefined());
    }
}

#[wasm_bindgen_test]
fn what_is_no_message_is_refused() {
    for value in
        [JsValue::UNDEFINED, JsValue::NULL, JsValue::TRUE, JsValue::from(1), JsValue::from("signed_out")]
    {
        assert_eq!(read_to_frame(&value), None);
        assert!(read_call(&value).is_undefined());
        assert_eq!(read_from_window(&value), None);
    }
    let fetch = |part: &str| {
        let whole = literals::TO_FRAME[5];
        let name = &part[..part.find(':').unwrap() + 1];
        let start = whole.find(name).unwrap();
        let next = [",\"method\"", ",\"path\"", ",\"headers\"", ",\"body\"", "}"];
        let ends = next.iter().filter_map(|next| whole[start..].find(next));
        let end = start + ends.filter(|end| *end > 0).min().unwrap();
        format!("{}{part}{}", &whole[..start], &whole[end..])
    };
    let many = format!("\"headers\":[{}]", vec![r#"["a","b"]"#; 65].join(","));
    for wrong in [
        "[]",
        "{}",
        r#"["signed_out"]"#,
        r#"{"type":["signed_out"]}"#,
        r#"{"type":{"toString":"signed_out"}}"#,
        r#"{"type":"SIGNED_OUT"}"#,
        r#"{"type":"signed_out ","expired":false}"#,
        r#"{"type":"__proto__"}"#,
        r#"{"type":"constructor"}"#,
        r#"{"__proto__":{"type":"signed_out"}}"#,
        r#"{"type":"signed_out","expired":false,"__proto__":{}}"#,
        r#"{"type":"signed_out"}"#,
        r#"{"type":"signed_out","expired":null}"#,
        r#"{"type":"signed_out","expired":0}"#,
        r#"{"type":"signed_out","expired":"false"}"#,
        r#"{"type":"signed_out","__proto__":{"expired":false}}"#,
        r#"{"type":"signed_in","access_token":"t"}"#,
        r#"{"type":"began"}"#,
        r#"{"type":"began","state":1}"#,
        r#"{"type":"began","state":null}"#,
        r#"{"type":"began","__proto__":{"state":"s"}}"#,
        r#"{"type":"began","state":"s","more":true}"#,
        r#"{"type":"ended","state":"s"}"#,
        r#"{"type":"ended","state":"s","code":null}"#,
        r#"{"type":"ended","state":"s","code":"because"}"#,
        r#"{"type":"page","path":["/"]}"#,
        r#"{"type":"response"}"#,
        r#"{"type":"response","response":"r","redirect_uri":"u"}"#,
        r#"{"type":"response","state":"s","response":{}}"#,
        r#"{"type":"response","state":["s"],"response":"r"}"#,
        r#"{"type":"response","state":"s","response":"r","redirect_uri":null}"#,
        r#"{"type":"response","state":"s","response":"r","redirect_uri":"u","origin":"https://evil.example"}"#,
        r#"{"type":"pull"}"#,
        r#"{"type":"pull","id":"1"}"#,
        r#"{"type":"pull","id":1.5}"#,
        r#"{"type":"cancel","id":-1}"#,
        r#"{"type":"cancel","id":4294967296}"#,
        r#"{"type":"placed","corner":"middle"}"#,
        r#"{"type":"placed","corner":["top-left"]}"#,
        r#"{"type":"adopt"}"#,
        r#"{"type":"adopt","access_token":"t","replaces":false}"#,
        r#"{"type":"adopt","access_token":"t","expires_in":1}"#,
        r#"{"type":"adopt","access_token":null,"expires_in":1,"replaces":false}"#,
        r#"{"type":"adopt","access_token":["t"],"expires_in":1,"replaces":false}"#,
        r#"{"type":"adopt","access_token":"t","expires_in":"1","replaces":false}"#,
        r#"{"type":"adopt","access_token":"t","expires_in":-1,"replaces":false}"#,
        r#"{"type":"adopt","access_token":"t","expires_in":1.5,"replaces":false}"#,
        r#"{"type":"adopt","access_token":"t","expires_in":1,"replaces":1}"#,
        r#"{"type":"adopt","access_token":"t","expires_in":1,"replaces":false,"session":{}}"#,
        r#"{"type":"latchkey.hello","version":1,"client_id":"c1","scope":"","response_type":"token","tokens":"page"}"#,
        &fetch(r#""id":null"#),
        &fetch(r#""method":null"#),
        &fetch(r#""path":{"href":"/"}"#),
        &fetch(r#""headers":null"#),
        &fetch(r#""headers":{}"#),
        &fetch(r#""headers":{"length":1,"0":["a","b"]}"#),
        &fetch(r#""headers":[["a"]]"#),
        &fetch(r#""headers":[["a","b","c"]]"#),
        &fetch(r#""headers":[["a",1]]"#),
        &fetch(r#""headers":["ab"]"#),
        &fetch(&many),
        &fetch(r#""body":"text""#),
        &fetch(r#""body":{"size":1,"type":""}"#),
    ] {
        assert_eq!(read_to_frame(&json(wrong)), None, "{wrong}");
        assert!(read_call(&json(wrong)).is_undefined(), "{wrong}");
    }
    for wrong in [
        r#"{"type":"latchkey.hello"}"#.to_owned(),
        r#"{"type":"latchkey.hello","version":1,"client_id":"c1","scope":""}"#.to_owned(),
        literals::HELLO.replace("1,", "\"1\","),
        literals::HELLO.replace("1,", "1.5,"),
        literals::HELLO.replace("1,", "-1,"),
        literals::HELLO.replace("\"c1\"", "{}"),
        literals::HELLO.replace("\"token\"", "\"id_token\""),
        literals::HELLO.replace("\"page\"", "\"both\""),
        literals::HELLO.replace("}", ",\"origin\":\"https://evil.example\"}"),
        format!("{{\"__proto__\":{}}}", literals::HELLO),
    ] {
        assert_eq!(read_from_window(&json(&wrong)), None, "{wrong}");
    }
    for wrong in [
        r#"{"type":"latchkey.response","version":1}"#,
        r#"{"type":"latchkey.response","version":1,"response":["r"]}"#,
        r#"{"type":"latchkey.alive"}"#,
        r#"{"type":"latchkey.alive","version":true}"#,
        r#"{"type":"latchkey.alive","version":1,"response":"r"}"#,
    ] {
        assert_eq!(read_from_window(&json(wrong)), None, "{wrong}");
    }
}
