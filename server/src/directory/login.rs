//! `/login/`: where a person proves who they are.

use askama::Template;
use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;
use url::form_urlencoded;

use crate::{
    audit::By,
    directory::{
        attempt::{self, Attempt, Refusal},
        device::Device,
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
    next: Option<&'a str>,
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

/// A page that asks for a login first and is gone on to after it.
///
/// It is a path of our own pages, in the letters that those are written in: whatever a browser makes of it, it leads
/// nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination(String);

/// Where the pages begin that somebody may be sent back to.
const PAGES: [&str; 4] = ["/account/", "/invitations/", "/organizations/", "/toolbar/"];
/// The longest address of a page, in bytes.
const MAX_DESTINATION: usize = 2048;

impl Destination {
    /// Reads an address that somebody sent.
    fn parse(text: &str) -> Option<Self> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_');
        let is_of_query = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%=&+".contains(&byte);
        let fits = text.len() <= MAX_DESTINATION
            && PAGES.iter().any(|page| path.starts_with(page))
            && !path.contains("//")
            && path.bytes().all(is_of_path)
            && query.bytes().all(is_of_query);
        fits.then(|| Self(text.to_owned()))
    }
}

/// Sends somebody who is signed out to the login, and from there to the page that they wanted.
pub fn before(address: &str) -> Redirect {
    Redirect::to(&address_before(address))
}

/// The address of the login that leads to the page that somebody wanted.
pub fn address_before(address: &str) -> String {
    let next = form_urlencoded::Serializer::new(String::new()).append_pair("next", address).finish();
    format!("/login/?{next}")
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
        Ok(Self { continuing, destination: parameters.get("next").and_then(Destination::parse) })
    }

    fn next(&self) -> String {
        match (&self.continuing, &self.destination) {
            (Some(continuing), _) => transaction::address(authorize::PATH, &continuing.transaction.id),
            (None, Some(Destination(address))) => address.clone(),
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
    let PageForm { parameters, browser, headers, address, .. } = sent;
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
    let secret =
        session::open(app, &mut unit, before.as_ref(), &user.id, &Device::of(address, headers)).await?;
    unit.commit().await?;
    Ok(Some(secret))
}

fn form(browser: &Browser, purpose: &Purpose, email: &str, error: Option<Refusal>) -> Response {
    let status = error.map_or(StatusCode::OK, Refusal::status);
    let continuing = purpose.continuing.as_ref();
    let next = purpose.destination.as_ref().map(|Destination(address)| address.as_str());
    let targets = continuing.map(|continuing| form_targets(&continuing.transaction.request.target));
    let page = LoginPage { continuing, email, next, csrf: browser.csrf(CSRF_PURPOSE), error };
    let page = match targets {
        Some(targets) => page::respond_in_window(status, &page, &targets),
        None => page::respond(status, &page, &[]),
    };
    (browser.remember(CookieJar::new()), page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SECURITY: a login leads to a page of ours and nowhere else.
    #[test]
    fn a_login_leads_to_a_page_of_ours_or_home() {
        for page in [
            "/account/password/",
            "/organizations/acme/applications/",
            "/organizations/acme/applications/c1/edit/?add_origin=https%3A%2F%2Fa.com&kept=x",
            "/invitations/abc_-9/",
        ] {
            assert_eq!(Destination::parse(page), Some(Destination(page.into())), "{page}");
        }
        for nowhere in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "https:evil.example",
            "https://evil.example/account/",
            "account/",
            "/account",
            "/account//evil.example",
            "/account/\\evil",
            "/account/../oauth/authorize/",
            "/account/%2e%2e/",
            "/account/%5cevil",
            "/account/;x",
            "/account/\t/evil",
            "/account/?a#b",
            "/account/?a=//evil",
            "/login/",
            "/oauth/authorize/?client_id=x",
            "/logout/",
            " /account/",
        ] {
            assert_eq!(Destination::parse(nowhere), None, "{nowhere:?}");
        }
        assert_eq!(Destination::parse(&format!("/account/{}", "a".repeat(MAX_DESTINATION))), None);
    }
}
