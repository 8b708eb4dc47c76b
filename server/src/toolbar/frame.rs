//! `GET /toolbar/{client_id}/`: the companion page, framed by the application's own sites and by nobody else.

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
#[template(path = "index.html")]
struct FramePage<'a> {
    client_id: &'a str,
    application: &'a str,
    origins: String,
    issuer: &'a str,
    assets: String,
}

/// Shows the page. A client id of no active application is a page that nobody may frame.
pub async fn get(State(app): State<App>, Path(client_id): Path<String>) -> Result<Response, PageError> {
    let client = client(&app, &client_id).await?;
    let origins: Vec<&str> = client.application.origins.iter().map(|origin| origin.as_str()).collect();
    // The platform's own pages frame it too: an admin tries the application there.
    let answered: Vec<&str> = [app.config.issuer()].into_iter().chain(origins.iter().copied()).collect();
    let page = FramePage {
        client_id: &client_id,
        application: &client.application.name,
        origins: answered.join(" "),
        issuer: app.config.issuer(),
        assets: assets::base(),
    };
    Ok(page::respond_framed(&page, &origins))
}
