//! Reading plain JavaScript values.
//!
//! A getter answers `None` for whatever is not of the wanted shape: what comes from another window is never trusted.
//! The bindings are our own, since those of js-sys and web-sys leave more behind in the module than is used of them.

use alloc::{string::String, vec::Vec};

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// An object, as far as reading it goes.
    type Object;

    #[wasm_bindgen(method, structural, indexing_getter)]
    fn property(this: &Object, name: &str) -> JsValue;

    #[wasm_bindgen(method, structural, indexing_getter)]
    fn item(this: &Object, index: u32) -> JsValue;

    #[wasm_bindgen(js_namespace = Array, js_name = isArray)]
    fn is_array(value: &JsValue) -> bool;
}

/// A property; `undefined` where there is none, or nothing it could be read from.
pub fn get(object: &JsValue, name: &str) -> JsValue {
    if object.is_object() { object.unchecked_ref::<Object>().property(name) } else { JsValue::UNDEFINED }
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
    let number = number(object, name)?;
    let whole = number as u32;
    if f64::from(whole) == number { Some(whole) } else { None }
}

/// A property that is an array of texts.
pub fn texts(object: &JsValue, name: &str) -> Option<Vec<String>> {
    let array = get(object, name);
    if !is_array(&array) {
        return None;
    }
    let mut texts = Vec::new();
    for index in 0..whole(&array, "length")? {
        texts.push(array.unchecked_ref::<Object>().item(index).as_string()?);
    }
    Some(texts)
}
