//! `/login/`: where a person proves who they are.

use askama::Template;
use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    directory::{
        attempt::{self, Attempt, Refusal},
        session,
    },
    http::{
        address::ClientAddress,
        browser::{self, Browser},
        error::{Error, PageError},
        origin_check::{read_form, require_token},
        page,
        parameters::Parameters,
    },
    oauth::{
        authorize::{self, Client},
        consent::form_targets,
        transaction::{self, Transaction},
    },
    secret::Secret,
    state::App,
    store::{self, Unit, sessions::Session, users::User},
};

/// What the login form's CSRF token is good for.
const CSRF_PURPOSE: &str = "login";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    /// The authorization request that the login is for.
    continuing: Option<&'a Continuing>,
    email: &'a str,
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

/// Shows the form.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.read().await?;
    let continuing = Continuing::find(&app, &mut unit, &browser, &parameters).await?;
    let hint = continuing.as_ref().and_then(|continuing| continuing.transaction.request.login_hint.clone());
    Ok(form(&browser, continuing.as_ref(), hint.as_deref().unwrap_or_default(), None))
}

/// Takes `email` and `password`.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    address: ClientAddress,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let parameters = read_form(&headers, &body, &app.config.public_url)?;
    require_token(&parameters, &browser, CSRF_PURPOSE)?;
    let email = parameters.get("email").unwrap_or_default();
    let password = parameters.get("password").unwrap_or_default();

    let mut unit = app.store.read().await?;
    let continuing = Continuing::find(&app, &mut unit, &browser, &parameters).await?;
    let user = store::users::find_by_email(&mut unit, email).await?.filter(|user| user.disabled_at.is_none());
    let before = session::current(&app, &mut unit, &headers).await?;
    drop(unit);

    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let attempt = attempt::verify(&app, address, email, Secret::new(password), stored).await?;
    let refusal = match (attempt, user) {
        (Attempt::Right, Some(user)) => return enter(&app, &browser, continuing, before, &user).await,
        // One answer for an unknown address, a wrong password and a disabled account.
        (Attempt::Right, None) => Refusal::Wrong,
        (Attempt::Refused(refusal), _) => refusal,
    };
    Ok(refusal.mark(form(&browser, continuing.as_ref(), email, Some(refusal))))
}

/// Opens the session and leads on.
async fn enter(
    app: &App,
    browser: &Browser,
    continuing: Option<Continuing>,
    before: Option<Session>,
    user: &User,
) -> Result<Response, PageError> {
    let mut unit = app.store.write().await?;
    let secret = session::open(app, &mut unit, before.as_ref(), &user.id).await?;
    unit.commit().await?;
    let cookie = browser::cookie(browser::SESSION, secret.expose().to_owned());
    let next = match &continuing {
        Some(continuing) => transaction::address(authorize::PATH, &continuing.transaction.id),
        None => "/".to_owned(),
    };
    Ok((browser.remember(CookieJar::new()).add(cookie), Redirect::to(&next)).into_response())
}

fn form(browser: &Browser, continuing: Option<&Continuing>, email: &str, error: Option<Refusal>) -> Response {
    let status = error.map_or(StatusCode::OK, Refusal::status);
    let targets = continuing.map(|continuing| form_targets(&continuing.transaction.request.target));
    let page = LoginPage { continuing, email, csrf: browser.csrf(CSRF_PURPOSE), error };
    let page = page::respond(status, &page, &targets.unwrap_or_default());
    (browser.remember(CookieJar::new()), page).into_response()
}
