//! Values as JavaScript has them: whatever may come out of a window or a port, and messages of which parts are wrong.

use std::collections::BTreeMap;

use js_sys::{Array, BigInt, Date, Map, Math, Object, Reflect, Uint8Array};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner},
};
use wasm_bindgen::{JsCast, JsValue};

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    BigInt(u64),
    Text(String),
    Bytes(Vec<u8>),
    Date,
    Map,
    List(Vec<Self>),
    /// With its own properties; one without a prototype, too.
    Object {
        is_bare: bool,
        properties: BTreeMap<String, Self>,
    },
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// The value of an object's own property.
    pub(crate) fn get(&self, name: &str) -> &Self {
        match self {
            Self::Object { properties, .. } => properties.get(name).unwrap_or(&Self::Undefined),
            _ => &Self::Undefined,
        }
    }

    /// The text that it is.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn is_text(&self) -> bool {
        self.as_text().is_some()
    }

    /// A whole number of 32 bits.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self, Self::Number(number) if number.fract() == 0.0 && (0.0..4_294_967_296.0).contains(number))
    }

    /// A list, every member of which is such a value.
    pub(crate) fn is_list_of(&self, fits: impl Fn(&Self) -> bool) -> bool {
        matches!(self, Self::List(members) if members.iter().all(fits))
    }

    /// Names and values, in order.
    pub(crate) fn is_headers(&self) -> bool {
        self.is_list_of(|pair| {
            pair.is_list_of(Self::is_text) && matches!(pair, Self::List(pair) if pair.len() == 2)
        })
    }

    pub(crate) fn to_js(&self) -> JsValue {
        match self {
            Self::Undefined => JsValue::UNDEFINED,
            Self::Null => JsValue::NULL,
            Self::Bool(value) => (*value).into(),
            Self::Number(value) => (*value).into(),
            Self::BigInt(value) => BigInt::from(*value).into(),
            Self::Text(value) => value.into(),
            Self::Bytes(bytes) => Uint8Array::from(bytes.as_slice()).into(),
            Self::Date => Date::new_0().into(),
            Self::Map => Map::new().into(),
            Self::List(members) => members.iter().map(Self::to_js).collect::<Array>().into(),
            Self::Object { is_bare, properties } => {
                let object =
                    if *is_bare { Object::create(JsValue::NULL.unchecked_ref()) } else { Object::new() };
                for (name, value) in properties {
                    // A property by the name of `__proto__` is one like every other.
                    let property = Object::new();
                    Reflect::set(&property, &"value".into(), &value.to_js()).unwrap();
                    Reflect::set(&property, &"enumerable".into(), &true.into()).unwrap();
                    Object::define_property(&object, &name.into(), &property);
                }
                object.into()
            }
        }
    }
}

/// What a property of a message may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Is {
    /// What is right.
    pub(crate) fits: fn(&Value) -> bool,
    /// A value that is.
    pub(crate) example: fn() -> Value,
}

/// A type of message, and its properties.
pub(crate) type Shape = (&'static str, &'static [(&'static str, Is)]);

/// The shape whose type a value names.
pub(crate) fn shape_of<'a>(value: &Value, shapes: &'a [Shape]) -> Option<&'a Shape> {
    shapes.iter().find(|(kind, _)| value.get("type").as_text() == Some(kind))
}

/// Whether every property is what it has to be.
pub(crate) fn fits(value: &Value, properties: &[(&str, Is)]) -> bool {
    properties.iter().all(|(name, is)| (is.fits)(value.get(name)))
}

/// Texts that mean something, here or to JavaScript.
const WORDS: &[&str] = &[
    "",
    "*",
    "null",
    "type",
    "state",
    "version",
    "code",
    "session",
    "id",
    "data",
    "headers",
    "token",
    "page",
    "frame",
    "access_denied",
    "popup_closed",
    "top-left",
    "bottom-right",
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "length",
    "then",
];

const NUMBERS: &[f64] =
    &[0.0, -0.0, 1.0, -1.0, 0.5, 1e300, 4_294_967_295.0, 4_294_967_296.0, f64::NAN, f64::INFINITY];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(WORDS).prop_map(str::to_owned),
        vec(any::<char>(), 0..6).prop_map(|letters| letters.into_iter().collect()),
    ]
}

fn scalar(shapes: &'static [Shape]) -> impl Strategy<Value = Value> {
    let kind = select(shapes).prop_map(|(kind, _)| kind.to_owned());
    prop_oneof![
        Just(Value::Undefined),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![select(NUMBERS), any::<f64>()].prop_map(Value::Number),
        any::<u64>().prop_map(Value::BigInt),
        prop_oneof![text(), kind].prop_map(Value::Text),
        vec(any::<u8>(), 0..4).prop_map(Value::Bytes),
        Just(Value::Date),
        Just(Value::Map),
    ]
}

/// Anything at all, which may name one of these types.
pub(crate) fn anything(shapes: &'static [Shape]) -> impl Strategy<Value = Value> {
    scalar(shapes).prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            (any::<bool>(), btree_map(text(), inner, 0..5))
                .prop_map(|(is_bare, properties)| Value::Object { is_bare, properties }),
        ]
    })
}

/// Texts in lists, as headers are.
fn lists() -> impl Strategy<Value = Value> {
    let texts = vec(text().prop_map(Value::Text), 0..4).prop_map(Value::List);
    vec(texts, 0..3).prop_map(Value::List)
}

/// Messages, most of which have some part that they must not have, or lack one.
pub(crate) fn messages(shapes: &'static [Shape]) -> impl Strategy<Value = Value> {
    let change = || (text(), any::<Index>(), prop_oneof![3 => Just(true), 1 => Just(false)]);
    let value = option::weighted(0.8, prop_oneof![2 => scalar(shapes), 2 => anything(shapes), 1 => lists()]);
    (select(shapes), any::<bool>(), vec((change(), value), 0..3)).prop_map(
        |((kind, parts), is_bare, changes)| {
            let whole = parts.iter().map(|(name, is)| ((*name).to_owned(), (is.example)()));
            let mut properties = BTreeMap::from_iter(whole);
            properties.insert("type".to_owned(), Value::text(kind));
            let names = Vec::from_iter(properties.keys().cloned());
            for ((other, which, is_own), value) in changes {
                let name = if is_own { which.get(&names).clone() } else { other };
                match value {
                    Some(value) => properties.insert(name, value),
                    None => properties.remove(&name),
                };
            }
            Value::Object { is_bare, properties }
        },
    )
}

/// Holds some thousand values to a property, others each time; a failure names the smallest value that it was found with.
pub(crate) fn hold(
    values: impl Strategy<Value = Value>,
    property: impl Fn(Value) -> Result<(), TestCaseError>,
) {
    let seed: [u8; 32] = core::array::from_fn(|_| (Math::random() * 256.0) as u8);
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let config = Config { cases: 8_000, ..Config::default() };
    if let Err(error) = TestRunner::new_with_rng(config, random).run(&values, property) {
        panic!("{error}");
    }
}
