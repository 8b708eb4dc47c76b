//! Whatever comes out of a window or a port of the page in a real browser is a message, whole, or nothing.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use js_sys::Array;
use latchkey_protocol::{VERSION, error::ErrorCode};
use proptest::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::*;

mod values;

use values::{Is, Shape, Value, anything, fits, hold, messages, shape_of};

wasm_bindgen_test_configure!(run_in_browser);

/// The module below imports this one by its name, so it has to lie beside it.
#[wasm_bindgen(module = "/errors.js")]
extern "C" {
    #[wasm_bindgen(thread_local_v2, js_name = CODES)]
    static CODES: Array;
}

#[wasm_bindgen(module = "/messages.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = readMessage)]
    fn read_message(data: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = isWindowMessage)]
    fn is_window_message(data: &JsValue, kind: &str) -> Result<bool, JsValue>;
}

fn is_code(value: &Value) -> bool {
    ErrorCode::ALL.iter().any(|code| value.as_text() == Some(code.as_str()))
}

fn is_session(value: &Value) -> bool {
    let (organization, user) = (value.get("organization"), value.get("user"));
    is_finite(value.get("expires_at"))
        && value.get("scopes").is_list_of(Value::is_text)
        && ["id", "slug", "name"].iter().all(|name| organization.get(name).is_text())
        && ["id", "name"].iter().all(|name| user.get(name).is_text())
}

fn is_finite(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.is_finite())
}

fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    let properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
    Value::Object { is_bare: false, properties }
}

fn session() -> Value {
    let (text, number) = (Value::text, Value::Number);
    object([
        ("organization", object([("id", text("o1")), ("slug", text("acme")), ("name", text("Acme"))])),
        ("user", object([("id", text("u1")), ("name", text("Ada"))])),
        ("scopes", Value::List(vec![text("org:read")])),
        ("expires_at", number(4e12)),
    ])
}

const fn is_absent(value: &Value) -> bool {
    matches!(value, Value::Undefined | Value::Null)
}

fn is_filled(value: &Value) -> bool {
    value.as_text().is_some_and(|text| !text.is_empty())
}

const TEXT: Is = Is { fits: Value::is_text, example: || Value::text("") };
const FILLED: Is = Is { fits: is_filled, example: || Value::text("s1") };
const WHOLE: Is = Is { fits: Value::is_whole, example: || Value::Number(1.0) };
const FINITE: Is = Is { fits: is_finite, example: || Value::Number(-0.5) };
const CODE: Is = Is { fits: is_code, example: || Value::text("access_denied") };
const SESSION: Is = Is { fits: is_session, example: session };
const BYTES: Is = Is { fits: |value| matches!(value, Value::Bytes(_)), example: || Value::Bytes(vec![1]) };
const HEADERS: Is = Is {
    fits: Value::is_headers,
    example: || Value::List(vec![Value::List(vec![Value::text("a"), Value::text("b")])]),
};
const MAYBE_TEXT: Is = Is { fits: |value| is_absent(value) || value.is_text(), example: || Value::Null };
const MAYBE_FILLED: Is = Is { fits: |value| is_absent(value) || is_filled(value), example: || Value::Null };
const MAYBE_CODE: Is = Is { fits: |value| is_absent(value) || is_code(value), example: || Value::Undefined };

/// What the frame says.
const FROM_FRAME: &[Shape] = &[
    ("welcome", &[("version", WHOLE)]),
    ("prepared", &[("state", FILLED), ("nonce", TEXT), ("code_challenge", TEXT)]),
    ("signing_in", &[("state", FILLED)]),
    ("answered", &[("state", FILLED)]),
    ("signed_in", &[("state", FILLED), ("access_token", MAYBE_FILLED), ("session", SESSION)]),
    ("renewed", &[("access_token", MAYBE_FILLED), ("session", SESSION)]),
    ("failed", &[("state", MAYBE_FILLED), ("code", CODE), ("description", MAYBE_TEXT)]),
    ("ended", &[("code", MAYBE_CODE)]),
    ("sign_out", &[]),
    ("resize", &[("width", WHOLE), ("height", WHOLE)]),
    ("head", &[("id", WHOLE), ("status", WHOLE), ("headers", HEADERS)]),
    ("chunk", &[("id", WHOLE), ("data", BYTES)]),
    ("end", &[("id", WHOLE)]),
    ("broken", &[("id", WHOLE), ("code", CODE), ("description", MAYBE_TEXT)]),
    ("place", &[("corner", TEXT)]),
    ("move", &[("dx", FINITE), ("dy", FINITE)]),
    ("drop", &[]),
];

const VERSIONED: Is = Is {
    fits: |value| matches!(value, Value::Number(number) if *number == f64::from(VERSION)),
    example: || Value::Number(VERSION.into()),
};

/// What the platform's pages say.
const FROM_WINDOW: &[Shape] = &[
    ("latchkey.response", &[("version", VERSIONED)]),
    ("latchkey.alive", &[("version", VERSIONED)]),
    ("latchkey.received", &[("version", VERSIONED)]),
];

#[wasm_bindgen_test]
fn whatever_comes_over_the_port_is_a_whole_message_or_nothing() {
    assert_eq!(CODES.with(Array::length) as usize, ErrorCode::ALL.len());
    let values = prop_oneof![2 => messages(FROM_FRAME), 1 => anything(FROM_FRAME)];
    hold(values, |value| {
        let data = value.to_js();
        let read = read_message(&data).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
        let is_message = shape_of(&value, FROM_FRAME).is_some_and(|(_, properties)| fits(&value, properties));
        prop_assert_eq!(read.is_object(), is_message);
        prop_assert_eq!(&read, if is_message { &data } else { &JsValue::UNDEFINED });
        Ok(())
    });
}

#[wasm_bindgen_test]
fn whatever_comes_from_a_window_is_of_this_version_or_nothing() {
    let values = prop_oneof![2 => messages(FROM_WINDOW), 1 => anything(FROM_WINDOW)];
    hold(values, |value| {
        for shape @ (kind, properties) in FROM_WINDOW {
            let read = is_window_message(&value.to_js(), kind.trim_start_matches("latchkey."))
                .map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
            let is_message =
                shape_of(&value, std::slice::from_ref(shape)).is_some() && fits(&value, properties);
            prop_assert_eq!(read, is_message, "{}", kind);
        }
        Ok(())
    });
}
