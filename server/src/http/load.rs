//! So many requests at once, and none of them for too long: more are sent away before anything is done for them, with a
//! word when to come again.

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::time::timeout;

use crate::{
    http::{
        error::{ApiError, Error, PageError},
        parameters::MAX_LENGTH,
    },
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
    let limits = &app.config.limits;
    let (parts, body) = request.into_parts();
    // Before it takes a place: who sends slowly keeps nobody else out.
    let body = timeout(limits.body_time, to_bytes(body, MAX_LENGTH)).await.map_err(|_| Error::SlowBody)?;
    let body = Body::from(body.map_err(|_| Error::TooLarge)?);
    let _place = app.requests.try_acquire().map_err(|_| Error::Overloaded)?;
    let answer = next.run(Request::from_parts(parts, body));
    timeout(limits.request_time, answer).await.map_err(|_| Error::Overloaded)
}
