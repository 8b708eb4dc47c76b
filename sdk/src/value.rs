//! Reading and writing plain JavaScript values.
//!
//! A getter answers `None` for whatever is not of the wanted shape: what comes from another window is never trusted.

use alloc::{string::String, vec::Vec};

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::prelude::*;

/// A property; `undefined` where there is none, or nothing it could be read from.
pub fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &JsValue::from_str(name)).unwrap_or(JsValue::UNDEFINED)
}

/// A property that is there: neither `undefined` nor `null`.
pub fn present(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = get(object, name);
    if value.is_undefined() || value.is_null() { None } else { Some(value) }
}

/// A property that is a text.
pub fn text(object: &JsValue, name: &str) -> Option<String> {
    get(object, name).as_string()
}

/// A property that is a finite number.
pub fn number(object: &JsValue, name: &str) -> Option<f64> {
    get(object, name).as_f64().filter(|number| number.is_finite())
}

/// A property that is a whole number.
pub fn whole(object: &JsValue, name: &str) -> Option<u32> {
    number(object, name)
        .map(|number| number as u32)
        .filter(|whole| number(object, name) == Some(f64::from(*whole)))
}

/// A property that is an array of texts.
pub fn texts(object: &JsValue, name: &str) -> Option<Vec<String>> {
    get(object, name).dyn_into::<Array>().ok()?.iter().map(|item| item.as_string()).collect()
}

/// An object with these properties.
pub fn object(properties: &[(&str, &str)]) -> Object {
    let object = Object::new();
    for (name, value) in properties {
        set(&object, name, &JsValue::from_str(value));
    }
    object
}

/// Sets a property of an object of our own.
pub fn set(object: &JsValue, name: &str, value: &JsValue) {
    let _ = Reflect::set(object, &JsValue::from_str(name), value);
}
