//! The messages as JavaScript values, in both directions, and what is not a message.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::{JSON, Uint8Array};
use latchkey_iframe::message::{
    FromFrame, ToFrame, read_from_window, read_hello, read_session, read_to_frame, write_from_frame,
    write_received, write_session,
};
use latchkey_protocol::{
    error::ErrorCode,
    frame::{
        Corner, FromWindow, Hello, Organization, Prepared, Received, ResponseType, Session, Tokens, User,
        literals,
    },
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

fn session() -> Session {
    Session {
        organization: Organization { id: "o1".into(), slug: "acme".into(), name: "Acme".into() },
        user: User { id: "u1".into(), name: "Ada".into() },
        scopes: vec!["org:read".into(), "project:read".into()],
        expires_at: 1_790_000_000_000.0,
    }
}

#[wasm_bindgen_test]
fn every_literal_of_the_sdk_and_of_the_sign_in_window_is_read() {
    let hello = Hello {
        version: 1,
        client_id: "c1".into(),
        scope: "org:read".into(),
        response_type: ResponseType::Token,
        tokens: Tokens::Page,
    };
    assert_eq!(read_hello(&json(literals::HELLO)), Some(hello));
    let response = FromWindow::Response { version: 1, response: "error=e&state=s".into() };
    assert_eq!(read_from_window(&json(literals::RESPONSE)), Some(response));
    assert_eq!(read_from_window(&json(literals::ALIVE)), Some(FromWindow::Alive { version: 1 }));
    let messages = [
        ToFrame::Began { state: "s1".into() },
        ToFrame::Ended { state: "s1".into(), code: ErrorCode::PopupClosed },
        ToFrame::SignedOut,
        ToFrame::Page { path: "/checkout/".into() },
        ToFrame::Response {
            response: "error=e&state=s".into(),
            redirect_uri: Some("https://a.com/back".into()),
        },
        ToFrame::Fetch {
            id: 1,
            method: "GET".into(),
            path: "projects/".into(),
            headers: vec![("accept".into(), "application/json".into())],
            body: None,
        },
        ToFrame::Pull { id: 1 },
        ToFrame::Cancel { id: 1 },
        ToFrame::Placed { corner: Corner::TopLeft },
    ];
    assert_eq!(messages.len(), literals::TO_FRAME.len());
    for (message, literal) in messages.into_iter().zip(literals::TO_FRAME) {
        assert_eq!(read_to_frame(&json(literal)), Some(message), "{literal}");
    }
    let short = json(r#"{"type":"response","response":"error=e&state=s"}"#);
    let response = ToFrame::Response { response: "error=e&state=s".into(), redirect_uri: None };
    assert_eq!(read_to_frame(&short), Some(response));
}

#[wasm_bindgen_test]
fn every_message_is_written_as_its_literal() {
    let received = write_received(Received { version: 1 });
    assert_eq!(text(&received), literals::RECEIVED);
    let messages = [
        FromFrame::Welcome { version: 1 },
        FromFrame::Prepared(Prepared { state: "s1".into(), nonce: "n1".into(), code_challenge: "c1".into() }),
        FromFrame::SigningIn,
        FromFrame::Answered,
        FromFrame::SignedIn { access_token: Some("lkat_1".into()), session: Box::new(session()) },
        FromFrame::Renewed { access_token: None, session: Box::new(session()) },
        FromFrame::Failed { code: ErrorCode::AccessDenied, description: Some("No thanks".into()) },
        FromFrame::Ended { code: None },
        FromFrame::SignOut,
        FromFrame::Resize { width: 360, height: 48 },
        FromFrame::Head {
            id: 1,
            status: 200,
            headers: vec![("content-type".into(), "application/json".into())],
        },
        FromFrame::Chunk { id: 1, data: Uint8Array::from(&b"hi"[..]) },
        FromFrame::End { id: 1 },
        FromFrame::Broken { id: 1, code: ErrorCode::NetworkError },
        FromFrame::Place { corner: Corner::BottomLeft },
        FromFrame::Move { dx: -3, dy: 4 },
        FromFrame::Drop,
    ];
    assert_eq!(messages.len(), literals::FROM_FRAME.len());
    for (message, literal) in messages.iter().zip(literals::FROM_FRAME) {
        assert_eq!(text(&write_from_frame(message)), literal);
    }
}

#[wasm_bindgen_test]
fn a_session_reads_back() {
    assert_eq!(read_session(&write_session(&session()), None), Some(session()));
    for wrong in ["null", "{}", r#"{"organization":{},"user":{},"scopes":[],"expires_at":1}"#] {
        assert_eq!(read_session(&json(wrong), None), None);
    }
}

#[wasm_bindgen_test]
fn what_is_no_message_is_refused() {
    for value in
        [JsValue::UNDEFINED, JsValue::NULL, JsValue::TRUE, JsValue::from(1), JsValue::from("signed_out")]
    {
        assert_eq!(read_to_frame(&value), None);
        assert_eq!(read_hello(&value), None);
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
        r#"{"type":"signed_out "}"#,
        r#"{"type":"__proto__"}"#,
        r#"{"type":"constructor"}"#,
        r#"{"__proto__":{"type":"signed_out"}}"#,
        r#"{"type":"signed_out","__proto__":{}}"#,
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
        r#"{"type":"response","response":{}}"#,
        r#"{"type":"response","response":"r","redirect_uri":null}"#,
        r#"{"type":"response","response":"r","redirect_uri":"u","origin":"https://evil.example"}"#,
        r#"{"type":"pull"}"#,
        r#"{"type":"pull","id":"1"}"#,
        r#"{"type":"pull","id":1.5}"#,
        r#"{"type":"cancel","id":-1}"#,
        r#"{"type":"cancel","id":4294967296}"#,
        r#"{"type":"placed","corner":"middle"}"#,
        r#"{"type":"placed","corner":["top-left"]}"#,
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
        assert_eq!(read_hello(&json(&wrong)), None, "{wrong}");
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
