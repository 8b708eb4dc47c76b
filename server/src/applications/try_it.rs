//! `/organizations/{organization}/applications/{client_id}/try/`: the real sign-in with this application, from a page of
//! the platform's own, step by step.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    applications::{
        ResponseType,
        pages::{find, path, visitor},
    },
    http::{
        assets,
        error::PageError,
        page,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::applications::Application,
};

#[derive(Template)]
#[template(path = "try-it.html")]
struct TryPage {
    workspace: Workspace,
    path: String,
    platform: String,
    application: Application,
    /// What the SDK asks for: tokens, where the application may.
    response_type: ResponseType,
    is_built: bool,
}

/// Shows the page.
pub async fn get(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let application = find(&mut unit, &admin, &client_id).await?;
    let page = TryPage {
        workspace: Workspace::of_organization(&admin, &visit.browser, Place::Applications),
        path: path(&slug, &client_id, ""),
        platform: app.config.issuer().to_owned(),
        response_type: if application.allows(ResponseType::Token) {
            ResponseType::Token
        } else {
            ResponseType::Code
        },
        is_built: assets::is_built(),
        application,
    };
    Ok((visit.browser.remember(CookieJar::new()), page::respond_as_site(&page)).into_response())
}
