//! `/login/`: where a person proves who they are.

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
        session,
    },
    http::{
        address::ClientAddress,
        browser::{self, Browser},
        error::{Error, PageError},
        form::PageForm,
        page,
        parameters::Parameters,
    },
    oauth::{
        authorize,
        client::Client,
        consent::form_targets,
        transaction::{self, Transaction},
    },
    secret::Secret,
    state::App,
    store::{self, Unit, users::User},
};

/// What the login form's CSRF token is good for.
const CSRF_PURPOSE: &str = "login";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    /// The authorization request that the login is for.
    continuing: Option<&'a Continuing>,
    email: &'a str,
    /// Where the login leads, where that is not home.
    next: Option<&'static str>,
    csrf: String,
    error: Option<Refusal>,
}

/// An authorization request that goes on after the login.
struct Continuing {
    transaction: Transaction,
    application: String,
}

impl Continuing {
    async fn find(
        app: &App,
        unit: &mut Unit,
        browser: &Browser,
        parameters: &Parameters,
    ) -> Result<Option<Self>, Error> {
        let Some(id) = parameters.get("transaction") else { return Ok(None) };
        let transaction = Transaction::find(app, unit, browser, id).await?;
        let client = Client::require(unit, &transaction.request.client_id).await?;
        Ok(Some(Self { transaction, application: client.application.name }))
    }

    fn site(&self) -> &str {
        self.transaction.request.target.requesting_origin.as_str()
    }

    fn id(&self) -> &str {
        self.transaction.id.expose()
    }
}

/// The pages that ask for a login first and are gone on to after it. It is a closed list of names: no address that
/// somebody sends leads anywhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// What the person allowed.
    Applications,
    /// The person's password.
    Password,
}

impl Destination {
    const ALL: [Self; 2] = [Self::Applications, Self::Password];

    const fn name(self) -> &'static str {
        match self {
            Self::Applications => "applications",
            Self::Password => "password",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Applications => "/account/applications/",
            Self::Password => "/account/password/",
        }
    }

    fn find(parameters: &Parameters) -> Option<Self> {
        let name = parameters.get("next")?;
        Self::ALL.into_iter().find(|destination| destination.name() == name)
    }
}

/// Sends somebody who is signed out to the login, and from there to where they wanted.
pub fn before(destination: Destination) -> Redirect {
    Redirect::to(&format!("/login/?next={}", destination.name()))
}

/// What comes after the login: an authorization request before everything else.
struct Purpose {
    continuing: Option<Continuing>,
    destination: Option<Destination>,
}

impl Purpose {
    async fn find(
        app: &App,
        unit: &mut Unit,
        browser: &Browser,
        parameters: &Parameters,
    ) -> Result<Self, Error> {
        let continuing = Continuing::find(app, unit, browser, parameters).await?;
        Ok(Self { continuing, destination: Destination::find(parameters) })
    }

    fn next(&self) -> String {
        match (&self.continuing, self.destination) {
            (Some(continuing), _) => transaction::address(authorize::PATH, &continuing.transaction.id),
            (None, Some(destination)) => destination.path().to_owned(),
            (None, None) => "/".to_owned(),
        }
    }
}

/// Shows the form.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.read().await?;
    let purpose = Purpose::find(&app, &mut unit, &browser, &parameters).await?;
    let hint = purpose
        .continuing
        .as_ref()
        .and_then(|continuing| continuing.transaction.request.login_hint.as_deref());
    Ok(form(&browser, &purpose, hint.unwrap_or_default(), None))
}

/// Takes `email` and `password`.
pub async fn post(State(app): State<App>, sent: PageForm) -> Result<Response, PageError> {
    sent.require_token(CSRF_PURPOSE)?;
    let PageForm { parameters, browser, headers, address } = sent;
    let email = parameters.get("email").unwrap_or_default();
    let password = parameters.get("password").unwrap_or_default();

    let mut unit = app.store.read().await?;
    let purpose = Purpose::find(&app, &mut unit, &browser, &parameters).await?;
    let user = store::users::find_by_email(&mut unit, email).await?.filter(|user| user.disabled_at.is_none());
    drop(unit);

    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let attempt = attempt::verify(&app, address, email, Secret::new(password), stored).await?;
    let refusal = match (attempt, user) {
        (Attempt::Right, Some(user)) => match enter(&app, &headers, address, &user).await? {
            Some(secret) => {
                let cookie = browser::cookie(browser::SESSION, secret.expose().to_owned());
                let jar = browser.remember(CookieJar::new()).add(cookie);
                return Ok((jar, Redirect::to(&purpose.next())).into_response());
            }
            None => Refusal::Wrong,
        },
        // One answer for an unknown address, a wrong password and a disabled account.
        (Attempt::Right, None) => Refusal::Wrong,
        (Attempt::Refused(refusal), _) => refusal,
    };
    Ok(refusal.mark(form(&browser, &purpose, email, Some(refusal))))
}

/// Opens the session and returns its secret; `None` where the account was disabled, or got another password, while
/// the one that was verified was worked on: what that ended must not begin again.
async fn enter(
    app: &App,
    headers: &HeaderMap,
    address: ClientAddress,
    user: &User,
) -> Result<Option<Secret>, PageError> {
    let mut unit = app.store.write(By::person(&user.id, address, app.clock.now())).await?;
    let now = store::users::find(&mut unit, &user.id).await?;
    if now.is_none_or(|now| now.disabled_at.is_some() || now.password_hash != user.password_hash) {
        return Ok(None);
    }
    // One that was ended meanwhile is not gone on with.
    let before = session::current(app, &mut unit, headers).await?;
    let secret = session::open(app, &mut unit, before.as_ref(), &user.id).await?;
    unit.commit().await?;
    Ok(Some(secret))
}

fn form(browser: &Browser, purpose: &Purpose, email: &str, error: Option<Refusal>) -> Response {
    let status = error.map_or(StatusCode::OK, Refusal::status);
    let continuing = purpose.continuing.as_ref();
    let next = purpose.destination.map(Destination::name);
    let targets = continuing.map(|continuing| form_targets(&continuing.transaction.request.target));
    let page = LoginPage { continuing, email, next, csrf: browser.csrf(CSRF_PURPOSE), error };
    let page = page::respond(status, &page, &targets.unwrap_or_default());
    (browser.remember(CookieJar::new()), page).into_response()
}
