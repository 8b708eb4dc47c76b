//! Whatever comes out of a window or a port of the frame in a real browser is a message, whole and with nothing besides,
//! or nothing.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test in a browser is no #[test] that clippy knows")]

use latchkey_iframe::message;
use latchkey_protocol::{
    error::ErrorCode,
    frame::{Corner, ResponseType, Tokens},
};
use proptest::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[path = "../../sdk/tests/values/mod.rs"]
mod values;

use values::{Is, Shape, Value, anything, fits, hold, messages, shape_of};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(module = "/messages.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = readFromWindow)]
    fn shape_of_window(data: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = readToFrame)]
    fn shape_of_port(data: &JsValue) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = readCall)]
    fn read_call(data: &JsValue) -> Result<JsValue, JsValue>;
}

const TEXT: Is = Is { fits: Value::is_text, example: || Value::text("s1") };
const WHOLE: Is = Is { fits: Value::is_whole, example: || Value::Number(1.0) };
const YES_OR_NO: Is = Is { fits: |value| matches!(value, Value::Bool(_)), example: || Value::Bool(false) };
const MAYBE_TEXT: Is = Is {
    fits: |value| value.is_text() || matches!(value, Value::Undefined),
    example: || Value::text("https://a.com/back"),
};
const HEADERS: Is = Is {
    fits: |value| value.is_headers() && matches!(value, Value::List(headers) if headers.len() <= 64),
    example: || Value::List(vec![Value::List(vec![Value::text("a"), Value::text("b")])]),
};
/// Nothing that is generated is a `Blob`.
const BODY: Is = Is { fits: |value| matches!(value, Value::Null), example: || Value::Null };
const CODE: Is = Is { fits: Value::is_text, example: || Value::text("popup_closed") };
const CORNER: Is = Is { fits: Value::is_text, example: || Value::text("top-left") };
const RESPONSE_TYPE: Is = Is { fits: Value::is_text, example: || Value::text("token") };
const TOKENS: Is = Is { fits: Value::is_text, example: || Value::text("page") };

const FROM_WINDOW: &[Shape] = &[
    (
        "latchkey.hello",
        &[
            ("version", WHOLE),
            ("client_id", TEXT),
            ("scope", TEXT),
            ("response_type", RESPONSE_TYPE),
            ("tokens", TOKENS),
        ],
    ),
    ("latchkey.response", &[("version", WHOLE), ("response", TEXT)]),
    ("latchkey.alive", &[("version", WHOLE)]),
];

const TO_FRAME: &[Shape] = &[
    ("began", &[("state", TEXT)]),
    ("ended", &[("state", TEXT), ("code", CODE)]),
    ("signed_out", &[("expired", YES_OR_NO)]),
    ("page", &[("path", TEXT)]),
    ("response", &[("state", TEXT), ("response", TEXT), ("redirect_uri", MAYBE_TEXT)]),
    ("placed", &[("corner", CORNER)]),
    ("adopt", &[("access_token", TEXT), ("expires_in", WHOLE), ("replaces", YES_OR_NO)]),
];

const CALLS: &[Shape] = &[
    ("fetch", &[("id", WHOLE), ("method", TEXT), ("path", TEXT), ("headers", HEADERS), ("body", BODY)]),
    ("pull", &[("id", WHOLE)]),
    ("cancel", &[("id", WHOLE)]),
];

/// Whether there is no other property.
fn is_closed(value: &Value, properties: &[(&str, Is)]) -> bool {
    let is_known = |name: &String| name == "type" || properties.iter().any(|(known, _)| known == name);
    matches!(value, Value::Object { properties, .. } if properties.keys().all(is_known))
}

/// Whether the words that stand for something stand for something that there is.
fn is_meant(value: &Value) -> bool {
    let word = |name: &str, is_known: fn(&str) -> bool| value.get(name).as_text().is_none_or(is_known);
    word("code", |code| ErrorCode::ALL.iter().any(|known| known.as_str() == code))
        && word("corner", |corner| Corner::parse(corner).is_some())
        && word("response_type", |kind| ResponseType::parse(kind).is_some())
        && word("tokens", |tokens| Tokens::parse(tokens).is_some())
}

/// Whether it is a message of these shapes, with exactly their properties.
fn is_message(value: &Value, shapes: &[Shape]) -> bool {
    shape_of(value, shapes)
        .is_some_and(|(_, properties)| fits(value, properties) && is_closed(value, properties))
}

/// Reads a value, and holds it to the shapes of such messages.
fn read(
    value: &Value,
    shapes: &[Shape],
    read: fn(&JsValue) -> Result<JsValue, JsValue>,
) -> Result<Option<JsValue>, TestCaseError> {
    let data = value.to_js();
    let read = read(&data).map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
    let is_message = is_message(value, shapes);
    prop_assert_eq!(read.is_object(), is_message);
    prop_assert_eq!(&read, if is_message { &data } else { &JsValue::UNDEFINED });
    Ok(is_message.then_some(read))
}

#[wasm_bindgen_test]
fn whatever_comes_over_the_port_is_a_whole_message_or_nothing() {
    let values = prop_oneof![2 => messages(TO_FRAME), 1 => messages(CALLS), 1 => anything(TO_FRAME)];
    hold(values, |value| {
        read(&value, CALLS, read_call)?;
        let heard = read(&value, TO_FRAME, shape_of_port)?.and_then(|shape| message::read_to_frame(&shape));
        prop_assert_eq!(heard.is_some(), is_message(&value, TO_FRAME) && is_meant(&value));
        Ok(())
    });
}

#[wasm_bindgen_test]
fn whatever_comes_from_a_window_is_a_whole_message_or_nothing() {
    let values = prop_oneof![2 => messages(FROM_WINDOW), 1 => anything(FROM_WINDOW)];
    hold(values, |value| {
        let heard =
            read(&value, FROM_WINDOW, shape_of_window)?.and_then(|shape| message::read_from_window(&shape));
        prop_assert_eq!(heard.is_some(), is_message(&value, FROM_WINDOW) && is_meant(&value));
        Ok(())
    });
}
