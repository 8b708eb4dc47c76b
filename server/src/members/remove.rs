//! `/organizations/{organization}/members/{user_id}/remove/`: ends a membership, and says first what stops working.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    directory::admin::visitor,
    http::{
        error::PageError,
        form::PageForm,
        page,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    members::{
        membership,
        pages::{csrf_purpose, list_path, sender},
    },
    state::App,
    store::{self, grants::Held},
};

#[derive(Template)]
#[template(path = "member-remove.html")]
struct RemovePage {
    workspace: Workspace,
    action: String,
    back: String,
    csrf: String,
    organization: String,
    name: String,
    email: String,
    is_you: bool,
    held: Held,
}

/// Asks.
pub async fn get(
    State(app): State<App>,
    Path((slug, user_id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let organization = &admin.organization;
    let member =
        membership::require_removable(&mut unit, &organization.id, &user_id, admin.authority()).await?;
    let held =
        store::grants::count_of_member(&mut unit, &organization.id, &member.id, app.clock.now()).await?;
    let back = list_path(&slug);
    let page = RemovePage {
        workspace: Workspace::of_organization(&admin, &visit.browser, Place::Members),
        action: format!("{back}{}/remove/", member.id),
        back,
        csrf: visit.browser.csrf(&csrf_purpose(&slug)),
        organization: organization.name.clone(),
        is_you: member.id == admin.session.user_id,
        name: member.name,
        email: member.email,
        held,
    };
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// Removes the member.
pub async fn post(
    State(app): State<App>,
    Path((slug, user_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Redirect, PageError> {
    let now = app.clock.now();
    let (mut unit, admin) = sender(&app, &sent, &slug).await.map_err(|error| sent.refuse(error))?;
    membership::remove(&mut unit, &admin.organization.id, &user_id, admin.authority(), now).await?;
    unit.commit().await?;
    let is_out = user_id == admin.session.user_id;
    Ok(Redirect::to(&if is_out { "/".to_owned() } else { format!("{}?done=removed", list_path(&slug)) }))
}
