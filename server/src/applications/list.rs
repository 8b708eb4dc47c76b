//! `/organizations/{organization}/applications/`: what the organization has registered.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    applications::pages::{list_path, visitor},
    http::{
        error::PageError,
        page, paging,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::{self, applications::Application},
};

/// How many stand on a page.
const PAGE: u32 = 50;

#[derive(Template)]
#[template(path = "applications.html")]
struct ListPage {
    workspace: Workspace,
    path: String,
    applications: Vec<Application>,
    is_later_page: bool,
    /// Where the next page begins.
    after: Option<String>,
}

/// Leads from the organization to its applications.
pub async fn home(Path(slug): Path<String>) -> Redirect {
    // A slug of ours is written in letters that are safe in a path; what is not leads nowhere.
    let is_slug = slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    Redirect::to(&if is_slug { list_path(&slug) } else { "/".to_owned() })
}

/// Shows the page that begins after the client id `after`.
pub async fn get(
    State(app): State<App>,
    Path(slug): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let after = visit.parameters.get("after").unwrap_or_default();
    let is_later_page = !after.is_empty();
    let found = store::applications::list(&mut unit, &admin.organization.id, after, PAGE + 1).await?;
    let (applications, after) = paging::cut(found, PAGE, |application| application.client_id.clone());
    let page = ListPage {
        workspace: Workspace::of_organization(&admin, &visit.browser, Place::Applications),
        path: list_path(&slug),
        applications,
        is_later_page,
        after,
    };
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}
