//! `/account/password/`: another password, which ends whatever the old one opened.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    audit::By,
    directory::{
        attempt::{self, Attempt, Refusal},
        device::Device,
        login,
        password::{self, MAX_PASSWORD, MIN_PASSWORD, PasswordError},
        session,
    },
    http::{
        address::ClientAddress,
        browser::{self, Browser},
        error::PageError,
        form::PageForm,
        page,
        parameters::Parameters,
        workspace::{Place, Workspace},
    },
    secret::Secret,
    state::App,
    store::{self, sessions::Session},
};

/// What the form's CSRF token is good for.
const CSRF_PURPOSE: &str = "password";
/// What the proof is good for that the page brings when it says that it is done: nobody else can make it say so.
const DONE_PURPOSE: &str = "password changed";
/// The form, and where it leads.
const PATH: &str = "/account/password/";

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage<'a> {
    workspace: Workspace,
    email: &'a str,
    csrf: String,
    is_done: bool,
    problem: Option<Problem>,
}

/// Why the password is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    TooShort,
    TooLong,
    Same,
    Current(Refusal),
}

impl Problem {
    fn status(self) -> StatusCode {
        match self {
            Self::TooShort | Self::TooLong | Self::Same => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Current(refusal) => refusal.status(),
        }
    }

    fn is_of_current(self) -> bool {
        self == Self::Current(Refusal::Wrong)
    }

    fn is_of_new(self) -> bool {
        matches!(self, Self::TooShort | Self::TooLong | Self::Same)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooShort => {
                write!(f, "The new password is too short: it needs at least {MIN_PASSWORD} characters.")
            }
            Self::TooLong => {
                write!(f, "The new password is too long: it can have at most {MAX_PASSWORD} bytes.")
            }
            Self::Same => f.write_str("The new password is the current one. Choose another."),
            Self::Current(Refusal::Wrong) => {
                f.write_str("The current password is not right. Type it again, and the new one.")
            }
            Self::Current(refusal) => refusal.fmt(f),
        }
    }
}

/// Shows the form.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.read().await?;
    let Some(session) = session::current(&app, &mut unit, &headers).await? else {
        return Ok(login::before(PATH).into_response());
    };
    let is_done = browser.accepts(DONE_PURPOSE, parameters.get("done").unwrap_or_default());
    Ok(form(&browser, &session, is_done, None))
}

/// Takes `current_password` and `new_password`.
pub async fn post(State(app): State<App>, sent: PageForm) -> Result<Response, PageError> {
    sent.require_token(CSRF_PURPOSE)?;
    let PageForm { parameters, browser, headers, address, .. } = sent;
    let read = |name| Secret::new(parameters.get(name).unwrap_or_default());
    let (current, new) = (read("current_password"), read("new_password"));

    let mut unit = app.store.read().await?;
    let Some(session) = session::current(&app, &mut unit, &headers).await? else {
        return Ok(login::before(PATH).into_response());
    };
    let user = store::users::find(&mut unit, &session.user_id).await?;
    drop(unit);
    let stored = user.map(|user| user.password_hash);

    let refuse = |problem: Problem| {
        let page = form(&browser, &session, false, Some(problem));
        if let Problem::Current(refusal) = problem { refusal.mark(page) } else { page }
    };
    if let Some(problem) = problem(&current, &new) {
        return Ok(refuse(problem));
    }
    let attempt = attempt::verify(&app, address, &session.email, current, stored.clone()).await?;
    let (Attempt::Right, Some(stored)) = (&attempt, stored) else {
        let refusal = if let Attempt::Refused(refusal) = attempt { refusal } else { Refusal::Wrong };
        return Ok(refuse(Problem::Current(refusal)));
    };
    let hash = match app.passwords.hash(new, &app.entropy).await {
        Err(PasswordError::Overloaded) => return Ok(refuse(Problem::Current(Refusal::Overloaded))),
        hash => hash?,
    };
    match replace(&app, &headers, &session, address, &stored, &hash).await? {
        Some(secret) => {
            let cookie = browser::cookie(browser::SESSION, secret.expose().to_owned());
            let done = format!("{PATH}?done={}", browser.csrf(DONE_PURPOSE));
            Ok((browser.remember(CookieJar::new()).add(cookie), Redirect::to(&done)).into_response())
        }
        None => Ok(login::before(PATH).into_response()),
    }
}

/// What is wrong with the new password, before anything is computed.
fn problem(current: &Secret, new: &Secret) -> Option<Problem> {
    match password::check(new) {
        Err(PasswordError::TooShort) => Some(Problem::TooShort),
        Err(_) => Some(Problem::TooLong),
        Ok(()) => new.matches(current.expose()).then_some(Problem::Same),
    }
}

/// Writes the password, ends every session, and opens one for this browser, whose secret it returns; `None` where
/// the session or the password that was verified is not the one there is any more.
async fn replace(
    app: &App,
    headers: &HeaderMap,
    session: &Session,
    address: ClientAddress,
    stored: &str,
    hash: &str,
) -> Result<Option<Secret>, PageError> {
    let by = By::person(&session.user_id, address, app.clock.now());
    let mut unit = app.store.write(by).await?;
    let now = session::current(app, &mut unit, headers).await?;
    if now.is_none_or(|now| now.id != session.id)
        || !store::users::touch_password(&mut unit, &session.user_id, stored, hash).await?
    {
        return Ok(None);
    }
    let device = Device::of(address, headers);
    let ended = session::close_all(&mut unit, &session.user_id, app.clock.now()).await?;
    let secret = session::open(app, &mut unit, None, &session.user_id, &device).await?;
    unit.commit().await?;
    tracing::info!(
        user = session.user_id,
        sessions = ended.sessions,
        tokens = ended.tokens,
        "password changed"
    );
    Ok(Some(secret))
}

fn form(browser: &Browser, session: &Session, is_done: bool, problem: Option<Problem>) -> Response {
    let status = problem.map_or(StatusCode::OK, Problem::status);
    let page = PasswordPage {
        workspace: Workspace::of_person(session, browser, Place::Password),
        email: &session.email,
        csrf: browser.csrf(CSRF_PURPOSE),
        is_done,
        problem,
    };
    (browser.remember(CookieJar::new()), page::respond_enhanced(status, &page)).into_response()
}
