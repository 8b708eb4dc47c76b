//! `/organizations/{organization}/applications/{client_id}/` `disable/`, `enable/` and `delete/`: what ends an
//! application, for a while or for ever, says first what stops working.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    applications::{
        change,
        pages::{csrf_purpose, find, list_path, path, sender, visitor},
    },
    http::{
        error::{Error, PageError},
        form::PageForm,
        page,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::{self, applications::Application, grants::Live},
};

#[derive(Template)]
#[template(path = "application-ending.html")]
struct EndingPage {
    workspace: Workspace,
    action: String,
    back: String,
    csrf: String,
    application: Application,
    live: Live,
    is_for_ever: bool,
}

/// Asks whether it is to be disabled.
pub async fn ask_disable(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    ask(&app, &slug, &client_id, &visit, false).await
}

/// Asks whether it is to be deleted.
pub async fn ask_delete(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    ask(&app, &slug, &client_id, &visit, true).await
}

async fn ask(
    app: &App,
    slug: &str,
    client_id: &str,
    visit: &Visit,
    is_for_ever: bool,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(app, &mut unit, visit, slug).await?;
    let application = find(&mut unit, &admin, client_id).await?;
    let now = app.clock.now();
    let live = store::grants::count_live(&mut unit, &admin.organization.id, client_id, now).await?;
    let page = EndingPage {
        workspace: Workspace::of_organization(&admin, &visit.browser, Place::Applications),
        action: path(slug, client_id, if is_for_ever { "delete/" } else { "disable/" }),
        back: path(slug, client_id, ""),
        csrf: visit.browser.csrf(&csrf_purpose(slug)),
        application,
        live,
        is_for_ever,
    };
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// Disables it.
pub async fn disable(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Redirect, PageError> {
    let now = app.clock.now();
    let (mut unit, admin) = sender(&app, &sent, &slug).await.map_err(|error| sent.refuse(error))?;
    let revoked = change::disable(&mut unit, &admin.organization.id, &client_id, now).await?;
    revoked.ok_or(Error::NotFound)?;
    unit.commit().await?;
    Ok(Redirect::to(&path(&slug, &client_id, "")))
}

/// Lets it work again.
pub async fn enable(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Redirect, PageError> {
    let page = path(&slug, &client_id, "");
    // There is no page at the form's own address to come back to.
    let sender = sender(&app, &sent, &slug).await;
    let (mut unit, admin) = sender.map_err(|error| PageError::to_sign_in(error, &page))?;
    if !store::applications::touch_enabled(&mut unit, &admin.organization.id, &client_id).await? {
        return Err(Error::NotFound.into());
    }
    unit.commit().await?;
    Ok(Redirect::to(&page))
}

/// Deletes it.
pub async fn delete(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Redirect, PageError> {
    let now = app.clock.now();
    let (mut unit, admin) = sender(&app, &sent, &slug).await.map_err(|error| sent.refuse(error))?;
    let revoked = change::remove(&mut unit, &admin.organization.id, &client_id, now).await?;
    revoked.ok_or(Error::NotFound)?;
    unit.commit().await?;
    Ok(Redirect::to(&list_path(&slug)))
}
