//! Answers in JSON.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::http::error::{ApiError, Error};

/// How long most answers of the API are at most, in bytes: what is longer takes a little longer.
const MOSTLY: usize = 512;

/// A value, as JSON. axum's own grows its buffer again and again, and writes into it byte by byte.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(MOSTLY);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => {
                const KIND: HeaderValue = HeaderValue::from_static("application/json");
                ([(header::CONTENT_TYPE, KIND)], body).into_response()
            }
            Err(error) => ApiError(Error::Internal(std::sync::Arc::new(error))).into_response(),
        }
    }
}
