//! Reading and writing plain JavaScript values, by hand: reflection would cost more bytes than all that is said with it.
//!
//! What comes from another window is never trusted: a reader answers `None` for whatever is not of the wanted shape. The
//! bindings are our own, since those of js-sys leave more behind in the module than is used of them.

use std::cell::Cell;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Object)]
    type Plain;

    #[wasm_bindgen(constructor, js_class = "Object")]
    fn new() -> Plain;

    #[wasm_bindgen(static_method_of = Plain, js_class = "Object")]
    fn keys(object: &JsValue) -> List;

    #[wasm_bindgen(method, structural, indexing_getter)]
    fn property(this: &Plain, name: &str) -> JsValue;

    #[wasm_bindgen(method, structural, indexing_setter)]
    fn set_property(this: &Plain, name: &str, value: &JsValue);

    #[wasm_bindgen(js_name = Array)]
    type List;

    #[wasm_bindgen(constructor, js_class = "Array")]
    fn new_list() -> List;

    #[wasm_bindgen(static_method_of = List, js_class = "Array", js_name = isArray)]
    fn is_array(value: &JsValue) -> bool;

    #[wasm_bindgen(method, getter)]
    fn length(this: &List) -> u32;

    #[wasm_bindgen(method, structural, indexing_getter)]
    fn item(this: &List, index: u32) -> JsValue;

    #[wasm_bindgen(method)]
    fn push(this: &List, item: &JsValue);
}

/// The properties of an object that came from elsewhere.
pub struct Fields<'a> {
    object: &'a Plain,
    read: Cell<u32>,
}

impl<'a> Fields<'a> {
    /// `None` for what is no object, or an array.
    pub fn of(value: &'a JsValue) -> Option<Self> {
        let is_plain = value.is_object() && !List::is_array(value);
        is_plain.then(|| Self { object: value.unchecked_ref(), read: Cell::new(0) })
    }

    /// A property; `undefined` where there is none.
    pub fn get(&self, name: &str) -> JsValue {
        self.read.set(self.read.get() + 1);
        self.object.property(name)
    }

    /// A property that is a text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).as_string()
    }

    /// A property that may be absent, and is a text where it is not.
    pub fn optional_text(&self, name: &str) -> Option<Option<String>> {
        let value = self.object.property(name);
        if value.is_undefined() {
            return Some(None);
        }
        self.read.set(self.read.get() + 1);
        value.as_string().map(Some)
    }

    /// A property that is a whole number.
    pub fn whole(&self, name: &str) -> Option<u32> {
        let number = self.get(name).as_f64()?;
        let whole = number as u32;
        (f64::from(whole) == number).then_some(whole)
    }

    /// A property that is an array of at most so many of these.
    pub fn list<T>(&self, name: &str, most: u32, read: impl Fn(&JsValue) -> Option<T>) -> Option<Vec<T>> {
        list(&self.get(name), most, read)
    }

    /// The value that was read, if nothing else was in the object: a closed protocol has no other properties.
    pub fn end<T>(&self, value: T) -> Option<T> {
        (Plain::keys(self.object).length() == self.read.get()).then_some(value)
    }
}

/// An array of at most so many of these.
pub fn list<T>(value: &JsValue, most: u32, read: impl Fn(&JsValue) -> Option<T>) -> Option<Vec<T>> {
    if !List::is_array(value) {
        return None;
    }
    let list: &List = value.unchecked_ref();
    let length = list.length();
    if length > most {
        return None;
    }
    (0..length).map(|index| read(&list.item(index))).collect()
}

/// An object in the making.
pub struct Draft(Plain);

impl Draft {
    /// An object with a `type`.
    pub fn of(kind: &str) -> Self {
        Self::default().text("type", kind)
    }

    /// An object that is there, to be added to.
    pub fn on(object: JsValue) -> Self {
        Self(object.unchecked_into())
    }

    /// With one more property.
    #[must_use]
    pub fn with(self, name: &str, value: &JsValue) -> Self {
        self.0.set_property(name, value);
        self
    }

    /// With a text.
    #[must_use]
    pub fn text(self, name: &str, value: &str) -> Self {
        self.with(name, &JsValue::from_str(value))
    }

    /// With a text, or null.
    #[must_use]
    pub fn nullable(self, name: &str, value: Option<&str>) -> Self {
        self.with(name, &value.map_or(JsValue::NULL, JsValue::from_str))
    }

    /// With a number.
    #[must_use]
    pub fn number(self, name: &str, value: impl Into<f64>) -> Self {
        self.with(name, &JsValue::from_f64(value.into()))
    }

    /// The object.
    pub fn done(self) -> JsValue {
        self.0.into()
    }
}

impl Default for Draft {
    fn default() -> Self {
        Self(Plain::new())
    }
}

/// An array of these.
pub fn array(items: impl IntoIterator<Item = JsValue>) -> JsValue {
    let list = List::new_list();
    for item in items {
        list.push(&item);
    }
    list.into()
}
