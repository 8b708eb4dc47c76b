//! `GET /toolbar/{client_id}/callback/` and `…/callback/frame/`: where an authorization response arrives.
//!
//! The page itself knows nothing: a token is in the fragment, which no server sees, and a code in a query that nothing
//! here reads. Its script hands the response to this application's own frames, or to the site that asked. The second one
//! is for those that leave the token to their frame: it hands nothing to a site, and what a person allowed there is not
//! allowed to the site's page.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use latchkey_protocol::frame::Tokens;

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
    tokens: &'static str,
    assets: String,
}

/// Shows the page for those who want the token themselves.
pub async fn get(State(app): State<App>, Path(client_id): Path<String>) -> Result<Response, PageError> {
    show(&app, &client_id, Tokens::Page).await
}

/// Shows the page for those whose frame keeps the token.
pub async fn get_for_frame(
    State(app): State<App>,
    Path(client_id): Path<String>,
) -> Result<Response, PageError> {
    show(&app, &client_id, Tokens::Frame).await
}

async fn show(app: &App, client_id: &str, tokens: Tokens) -> Result<Response, PageError> {
    client(app, client_id).await?;
    let issuer = app.config.issuer();
    let page = CallbackPage { client_id, issuer, tokens: tokens.as_str(), assets: assets::base() };
    Ok(page::respond_scripted(&page))
}
