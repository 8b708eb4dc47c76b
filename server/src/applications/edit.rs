//! `/organizations/{organization}/applications/{client_id}/edit/`: changes an application.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    applications::{
        change,
        draft::Draft,
        form::{self, FormPage, Notice, Problems},
        pages::{csrf_purpose, find, path, refuse, sender, visitor},
        registration,
    },
    directory::admin::Admin,
    http::{
        browser::Browser,
        error::{Error, PageError},
        form::PageForm,
        kept_form,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::applications::Application,
};

/// The hidden field that names the site that asked, so that whoever corrects something else is still told.
const ASKED: &str = "asked";

/// Shows the form: as the application is, with the site `add_origin` in its list, or as it was left by somebody who had
/// to sign in again.
pub async fn get(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = visitor(&app, &mut unit, &visit, &slug).await?;
    let mut application = find(&mut unit, &admin, &client_id).await?;
    let mut draft = Draft::from(&application);
    let mut named = visit.parameters.get("add_origin");
    draft.allowed_origins.extend(asked(named, &application));
    let kept = kept_form::find(&app, &mut unit, &visit).await?;
    if let Some(kept) = &kept {
        draft = form::read(kept);
        named = kept.get(ASKED);
        // The state that they looked at, which may not be the one it is in.
        application.revision = revision(kept.get("revision"))?;
    }
    let notice = kept.is_some().then_some(Notice::SignedInAgain);
    let asked = asked(named, &application).filter(|asked| draft.allowed_origins.contains(asked));
    let page = show(&admin, &visit.browser, &application, &draft, Problems::default(), notice, asked);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// Takes the form.
pub async fn post(
    State(app): State<App>,
    Path((slug, client_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Response, PageError> {
    let (mut unit, admin) = match sender(&app, &sent, &slug).await {
        Ok(sender) => sender,
        Err(error) => return Err(refuse(&app, &sent, error).await),
    };
    let now_is = find(&mut unit, &admin, &client_id).await?;
    let looked_at = Application { revision: revision(sent.parameters.get("revision"))?, ..now_is.clone() };
    let draft = form::read(&sent.parameters);
    let show = |application: &Application, draft: &Draft, problems, notice| {
        let asked = asked(sent.parameters.get(ASKED), &now_is);
        let asked = asked.filter(|asked| draft.allowed_origins.contains(asked));
        Ok(show(&admin, &sent.browser, application, draft, Problems(problems), Some(notice), asked))
    };
    if let Some(accepted) = form::accept(&sent.parameters, &draft) {
        let problems = accepted.read().err().unwrap_or_default();
        return show(&looked_at, &accepted, problems, Notice::Accepted);
    }
    let details = match draft.read() {
        Ok(details) => details,
        Err(problems) => return show(&looked_at, &draft, problems, Notice::Wrong),
    };
    if change::replace(&mut unit, looked_at, details, app.clock.now()).await?.is_none() {
        // Saved again it takes the place of what is there now: whoever does that has been told.
        return show(&now_is, &draft, vec![], Notice::Outdated);
    }
    unit.commit().await?;
    Ok(Redirect::to(&path(&slug, &client_id, "?saved=yes")).into_response())
}

/// The site that is named as one that asked, where it is not registered already.
fn asked(named: Option<&str>, application: &Application) -> Option<String> {
    let asked = registration::origin(named?).ok()?;
    (!application.runs_on(&asked)).then(|| asked.to_string())
}

fn revision(text: Option<&str>) -> Result<i64, Error> {
    let revision = text.and_then(|text| text.parse().ok());
    revision.ok_or(Error::parameter("revision", "is not that of an application"))
}

fn show(
    admin: &Admin,
    browser: &Browser,
    application: &Application,
    draft: &Draft,
    problems: Problems,
    notice: Option<Notice>,
    asked: Option<String>,
) -> Response {
    let slug = &admin.organization.slug;
    let page = FormPage {
        workspace: Workspace::of_organization(admin, browser, Place::Applications),
        action: path(slug, &application.client_id, "edit/"),
        back: path(slug, &application.client_id, ""),
        csrf: browser.csrf(&csrf_purpose(slug)),
        changes: Some(&application.name),
        revision: application.revision,
        draft,
        problems,
        notice,
        asked,
    };
    page.respond()
}
