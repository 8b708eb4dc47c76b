//! `GET /toolbar/{client_id}/callback/`: where an authorization response arrives, one page for each application.
//!
//! The page itself knows nothing: a token is in the fragment, which no server sees, and a code in a query that nothing
//! here reads. Its script hands the response to this application's own frame, or to the site that asked.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use crate::{
    http::{assets, error::PageError, page},
    state::App,
    toolbar::client,
};

#[derive(Template)]
#[template(path = "callback.html")]
struct CallbackPage<'a> {
    client_id: &'a str,
    issuer: &'a str,
    assets: String,
}

/// Shows the page.
pub async fn get(State(app): State<App>, Path(client_id): Path<String>) -> Result<Response, PageError> {
    client(&app, &client_id).await?;
    let page = CallbackPage { client_id: &client_id, issuer: app.config.issuer(), assets: assets::base() };
    Ok(page::respond_scripted(&page))
}
