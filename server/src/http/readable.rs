//! Addresses that cannot be read: what stands in a path for one of its parameters is UTF-8 without a NUL once it is
//! decoded, or there is nothing at the address. It is answered as any other address with nothing there.

use axum::{
    extract::{
        RawPathParams, Request,
        rejection::RawPathParamsRejection::{self, InvalidUtf8InPathParam},
    },
    middleware::Next,
    response::Response,
};

use crate::http::error::{ApiError, Error, PageError};

type Parameters = Result<RawPathParams, RawPathParamsRejection>;

/// Before a page.
pub async fn or_no_page(parameters: Parameters, request: Request, next: Next) -> Result<Response, PageError> {
    require(&parameters)?;
    Ok(next.run(request).await)
}

/// Before what answers with JSON.
pub async fn or_no_api(parameters: Parameters, request: Request, next: Next) -> Result<Response, ApiError> {
    require(&parameters)?;
    Ok(next.run(request).await)
}

fn require(parameters: &Parameters) -> Result<(), Error> {
    match parameters {
        Err(InvalidUtf8InPathParam(_)) => Err(Error::NotFound),
        Ok(parameters) if parameters.iter().any(|(_, value)| value.contains('\0')) => Err(Error::NotFound),
        Ok(_) | Err(_) => Ok(()),
    }
}
