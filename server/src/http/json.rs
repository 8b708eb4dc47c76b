//! A JSON object that a page of the platform's own sent.

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::{
    http::{
        address::ClientAddress,
        error::{ApiError, Error},
    },
    state::App,
};

/// An object, with what came with it.
#[derive(Debug)]
pub struct JsonForm {
    /// What was sent.
    pub object: Map<String, Value>,
    /// The request's headers.
    pub headers: HeaderMap,
    /// Where it comes from.
    pub address: ClientAddress,
}

impl FromRequest<App> for JsonForm {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, Self::Rejection> {
        let headers = request.headers().clone();
        let address = ClientAddress::of(request.extensions(), &headers, app)?;
        // A form of another site's can't say this without asking first.
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            return Err(Error::NotAnObject.into());
        }
        let body = Bytes::from_request(request, app).await.map_err(|_| Error::TooLarge)?;
        let Unrepeated(object) = serde_json::from_slice(&body).map_err(|_| Error::NotAnObject)?;
        Ok(Self { object, headers, address })
    }
}

/// An object in which no name stands twice: of two readers each might take another one.
struct Unrepeated(Map<String, Value>);

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Unrepeated;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unrepeated, A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = entries.next_entry()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Unrepeated(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_says_everything_once() {
        let read =
            |text| serde_json::from_str::<Unrepeated>(text).map(|Unrepeated(object)| object.len()).ok();
        assert_eq!(read(r#"{"a":1,"b":[1,2]}"#), Some(2));
        for wrong in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, "[]", "1", "null", "{", "{} {}", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
