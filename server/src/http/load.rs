//! So many requests at once: more are sent away before anything is done for them, with a word when to come again.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::{
    http::error::{ApiError, Error, PageError},
    state::App,
};

/// Bounds the requests of people, who are told by a page.
pub async fn shed_page(State(app): State<App>, request: Request, next: Next) -> Result<Response, PageError> {
    Ok(shed(&app, request, next).await?)
}

/// Bounds the requests of programs, which are told by JSON.
pub async fn shed_api(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    Ok(shed(&app, request, next).await?)
}

async fn shed(app: &App, request: Request, next: Next) -> Result<Response, Error> {
    let _place = app.requests.try_acquire().map_err(|_| Error::Overloaded)?;
    Ok(next.run(request).await)
}
