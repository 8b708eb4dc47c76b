//! `/invitations/{token}/`: where the link of an invitation leads.

use askama::Template;
use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;
use latchkey_protocol::scope::Role;

use crate::{
    applications,
    audit::By,
    directory::{login, session},
    http::{
        browser::Browser,
        error::PageError,
        form::PageForm,
        page::{self, ErrorPage},
        visit::Visit,
    },
    members::{
        invitation::{self, Open, Standing},
        pages::words,
    },
    state::App,
    store::{StoreError, Unit, sessions::Session},
};

/// The path's last part, or why it cannot be read.
type Token = Result<Path<String>, PathRejection>;

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    standing: Standing,
    organization: &'a str,
    role_words: &'static str,
    /// Whom it is for.
    invited: &'a str,
    /// Who is signed in.
    email: &'a str,
    action: String,
    csrf: String,
    /// Where another account signs in.
    switch: String,
}

/// What a form's CSRF token is good for: this invitation.
fn csrf_purpose(token: &str) -> String {
    format!("invitation {token}")
}

/// Shows what the link is for; who is signed out signs in first.
pub async fn get(State(app): State<App>, token: Token, visit: Visit) -> Result<Response, PageError> {
    let token = read(token);
    let mut unit = app.store.read().await?;
    let Some(open) = Open::find(&mut unit, &token, app.clock.now()).await? else { return Ok(gone()) };
    let session = session::require(&app, &mut unit, &visit.headers).await;
    let session = session.map_err(|error| PageError::to_sign_in(error, &invitation::path(&token)))?;
    let page = show(&mut unit, &open, &session, &visit.browser, &token).await?;
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// Accepts it. Where there is nothing to accept, the page says why, as it does before.
pub async fn post(State(app): State<App>, token: Token, sent: PageForm) -> Result<Response, PageError> {
    let token = read(token);
    sent.require_token(&csrf_purpose(&token))?;
    let to_sign_in = |error| PageError::to_sign_in(error, &invitation::path(&token));
    // Nobody who is signed out takes the one writer.
    session::require(&app, &mut app.store.read().await?, &sent.headers).await.map_err(to_sign_in)?;
    let now = app.clock.now();
    let mut unit = app.store.write(By::server(now)).await?;
    let session = session::require(&app, &mut unit, &sent.headers).await.map_err(to_sign_in)?;
    let Some(open) = Open::find(&mut unit, &token, now).await? else { return Ok(gone()) };
    if open.standing(&mut unit, &session).await? != Standing::Theirs {
        return Ok(show(&mut unit, &open, &session, &sent.browser, &token).await?);
    }
    unit.act_for(By::person(&session.user_id, sent.address, now));
    open.accept(&mut unit, &session, now).await?;
    unit.commit().await?;
    Ok(Redirect::to(&onward(&open)).into_response())
}

/// What the path says, where it says anything that could be a token.
fn read(token: Token) -> String {
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let is_token = token.len() == 43 && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_token { token } else { String::new() }
}

/// Where somebody goes on who is what the invitation makes of them.
fn onward(open: &Open) -> String {
    match open.invitation.role {
        Role::Admin | Role::Owner => applications::pages::list_path(&open.organization.slug),
        Role::Member => "/".to_owned(),
    }
}

async fn show(
    unit: &mut Unit,
    open: &Open,
    session: &Session,
    browser: &Browser,
    token: &str,
) -> Result<Response, StoreError> {
    let standing = open.standing(unit, session).await?;
    let status = match standing {
        Standing::Theirs | Standing::AlreadyMember => StatusCode::OK,
        Standing::ForAnother => StatusCode::FORBIDDEN,
    };
    let action = invitation::path(token);
    let page = InvitationPage {
        standing,
        organization: &open.organization.name,
        role_words: words(open.invitation.role),
        invited: &open.invitation.email,
        email: &session.email,
        csrf: browser.csrf(&csrf_purpose(token)),
        switch: login::address_before(&action),
        action,
    };
    Ok(page::respond(status, &page, &[]))
}

/// One answer for an invitation that is unknown, used, withdrawn, too old, or to an organization that is disabled.
fn gone() -> Response {
    let page = ErrorPage {
        title: "This invitation can't be used",
        message: "It was used already, was withdrawn or replaced, or is too old".to_owned(),
        next: "Ask an admin of the organization for another one, and open its link as it is. If you have accepted this \
               one, you are a member: sign in and go on.",
        back: None,
        site: None,
    };
    page::respond(StatusCode::NOT_FOUND, &page, &[])
}
