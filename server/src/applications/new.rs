//! `/organizations/{organization}/applications/new/`: registers an application.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    applications::{
        draft::Draft,
        form::{self, FormPage, Notice, Problems},
        pages::{csrf_purpose, list_path, path, refuse, sender, visitor},
    },
    directory::admin::Admin,
    http::{
        browser::Browser,
        error::PageError,
        form::PageForm,
        kept_form,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store,
};

/// Shows the form: empty, or as it was left by somebody who had to sign in again.
pub async fn get(
    State(app): State<App>,
    Path(slug): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let kept = kept_form::find(&app, &mut unit, &visit).await?;
    let notice = kept.is_some().then_some(Notice::SignedInAgain);
    let draft = kept.as_ref().map_or_else(form::empty, form::read);
    let page = show(&admin, &visit.browser, &draft, Problems::default(), notice);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// Takes the form.
pub async fn post(
    State(app): State<App>,
    Path(slug): Path<String>,
    sent: PageForm,
) -> Result<Response, PageError> {
    let (mut unit, admin) = match sender(&app, &sent, &slug).await {
        Ok(sender) => sender,
        Err(error) => return Err(refuse(&app, &sent, error).await),
    };
    let draft = form::read(&sent.parameters);
    if let Some(accepted) = form::accept(&sent.parameters, &draft) {
        let problems = Problems(accepted.read().err().unwrap_or_default());
        return Ok(show(&admin, &sent.browser, &accepted, problems, Some(Notice::Accepted)));
    }
    let details = match draft.read() {
        Ok(details) => details,
        Err(problems) => {
            return Ok(show(&admin, &sent.browser, &draft, Problems(problems), Some(Notice::Wrong)));
        }
    };
    let now = app.clock.now();
    let application = details.register(app.entropy.id()?, admin.organization.id, now);
    store::applications::insert(&mut unit, &application, now).await?;
    unit.commit().await?;
    Ok(Redirect::to(&path(&slug, &application.client_id, "?registered=yes")).into_response())
}

fn show(
    admin: &Admin,
    browser: &Browser,
    draft: &Draft,
    problems: Problems,
    notice: Option<Notice>,
) -> Response {
    let slug = &admin.organization.slug;
    let page = FormPage {
        workspace: Workspace::of_organization(admin, browser, Place::Applications),
        action: format!("{}new/", list_path(slug)),
        back: list_path(slug),
        csrf: browser.csrf(&csrf_purpose(slug)),
        changes: None,
        revision: 0,
        draft,
        problems,
        notice,
        asked: None,
    };
    page.respond()
}
