//! `/oauth/authorize/` (RFC 6749 §3.1).
//!
//! `GET` with a client's parameters begins a request; `GET` with `transaction` goes on with one after a login;
//! `POST` brings the person's decision and nothing else.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;

use crate::{
    directory::session,
    http::{
        browser::Browser,
        error::{Error, PageError},
        origin_check::{read_form, require_token},
        parameters::Parameters,
    },
    oauth::{
        consent,
        decision::{Facts, Next, decide},
        issue::{Authority, Issued, issue},
        request::{Invalid, Request},
        response::{self, RedirectError},
        transaction::{self, Shown, Transaction},
    },
    state::App,
    store::{
        self, Unit, applications::Application, consents::Subject, organizations::Organization,
        sessions::Session,
    },
};

/// The path, for forms and redirects.
pub const PATH: &str = "/oauth/authorize/";

/// Begins a request, or goes on with one.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.read().await?;
    let session = session::current(&app, &mut unit, &headers).await?;
    if let Some(id) = parameters.get("transaction") {
        let transaction = Transaction::find(&app, &mut unit, &browser, id).await?;
        let client = Client::require(&mut unit, &transaction.request.client_id).await?;
        return proceed(&app, unit, &browser, transaction, &client, session.as_ref()).await;
    }
    let client = Client::require(&mut unit, parameters.require("client_id")?).await?;
    match Request::validate(&parameters, &client.application, &app.config) {
        Ok(request) => {
            let transaction = Transaction::begin(&app, request)?;
            proceed(&app, unit, &browser, transaction, &client, session.as_ref()).await
        }
        Err(Invalid::Page(error)) => Err(error.into()),
        Err(Invalid::Redirect { error, target, state, prompt_none }) => {
            let client_id = &client.application.client_id;
            let location = response::refusal(&app.config, client_id, &target, state.as_deref(), error);
            if session.is_some() || prompt_none {
                return Ok(Redirect::to(&location).into_response());
            }
            // RFC 9700 §4.11.2: nobody is sent anywhere by a link alone before they are known here.
            let (name, problem) = match error {
                RedirectError::InvalidScope => {
                    ("scope", "holds a scope that is unknown or beyond what this application may ask for")
                }
                _ => ("prompt", "is not one of none, login and consent"),
            };
            Err(PageError { error: Error::parameter(name, problem), back: Some(location) })
        }
    }
}

/// Takes the person's decision: `transaction`, `csrf`, `decision`. Whatever else the form holds is ignored.
pub async fn post(
    State(app): State<App>,
    browser: Browser,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    let form = read_form(&headers, &body, &app.config.public_url)?;
    let allowed = match form.require("decision")? {
        "approve" => true,
        "deny" => false,
        _ => return Err(Error::parameter("decision", "is neither approve nor deny").into()),
    };
    let mut unit = app.store.write().await?;
    let transaction = Transaction::find(&app, &mut unit, &browser, form.require("transaction")?).await?;
    let shown = transaction.shown.clone().ok_or(Error::TransactionClosed)?;
    require_token(&form, &browser, &consent::csrf_purpose(&transaction.id, &shown.user_id))?;
    let Some(session) = session::current(&app, &mut unit, &headers).await? else {
        // Signed out meanwhile: the page is shown again after the login.
        return Ok(Redirect::to(&transaction::address("/login/", &transaction.id)).into_response());
    };
    // Who decides is who saw the page.
    if session.user_id != shown.user_id {
        return Err(Error::TransactionClosed.into());
    }
    transaction.consume(&app, &mut unit).await?;
    let request = &transaction.request;
    if !allowed {
        let client = Client::require(&mut unit, &request.client_id).await?;
        if !request.target.is_still_registered(&client.application) {
            return Err(Error::TransactionClosed.into());
        }
        unit.commit().await?;
        return Ok(refuse(&app, request, RedirectError::AccessDenied));
    }
    // What was on the page, though the person's role may hold more by now.
    let authority = Authority { scopes: shown.scopes, ..authority(request, &session) };
    let issued = match issue(&app, &mut unit, authority).await {
        Ok(issued) => issued,
        // They left while they decided: nothing is kept of this, and the page offers another account.
        Err(Error::NotAMember) => {
            let client = Client::require(&mut unit, &request.client_id).await?;
            return Ok(tell_not_a_member(&app, &transaction, &client, &session));
        }
        Err(error) => return Err(error.into()),
    };
    let before = store::consents::find(&mut unit, subject(request, &session)).await?.unwrap_or_default();
    let allowed = before.union(issued.scopes);
    store::consents::insert(&mut unit, subject(request, &session), allowed, app.clock.now()).await?;
    unit.commit().await?;
    Ok(grant(&app, request, &issued))
}

/// An active application of an active organization.
pub struct Client {
    /// The application.
    pub application: Application,
    /// Its organization.
    pub organization: Organization,
}

impl Client {
    /// Finds it, or says so on a page: RFC 6749 §4.2.2.1 forbids to redirect for a client that is not valid.
    pub async fn require(unit: &mut Unit, client_id: &str) -> Result<Self, Error> {
        Self::find(unit, client_id)
            .await?
            .ok_or(Error::parameter("client_id", "is not one of an active application"))
    }

    /// Finds it, if application and organization are active.
    pub async fn find(unit: &mut Unit, client_id: &str) -> Result<Option<Self>, Error> {
        let application = store::applications::find(unit, client_id).await?;
        let Some(application) = application.filter(|found| found.disabled_at.is_none()) else {
            return Ok(None);
        };
        let organization = store::organizations::find(unit, &application.organization_id).await?;
        let organization = organization.filter(|found| found.disabled_at.is_none());
        Ok(organization.map(|organization| Self { application, organization }))
    }
}

/// Does what is decided now.
async fn proceed(
    app: &App,
    mut unit: Unit,
    browser: &Browser,
    transaction: Transaction,
    client: &Client,
    session: Option<&Session>,
) -> Result<Response, PageError> {
    let request = &transaction.request;
    if !request.target.is_still_registered(&client.application) {
        return Err(
            Error::parameter("redirect_uri", "is not one that is registered for this application").into()
        );
    }
    let facts = facts(&mut unit, &transaction, client, session).await?;
    drop(unit);
    match (decide(request, &facts), session) {
        (Next::Refuse(error), _) => {
            let mut unit = app.store.write().await?;
            transaction.consume(app, &mut unit).await?;
            unit.commit().await?;
            Ok(refuse(app, request, error))
        }
        (Next::Grant(scopes), Some(session)) => {
            let mut unit = app.store.write().await?;
            transaction.consume(app, &mut unit).await?;
            let issued = issue(app, &mut unit, Authority { scopes, ..authority(request, session) }).await?;
            unit.commit().await?;
            Ok(grant(app, request, &issued))
        }
        (Next::Ask(scopes), Some(session)) => {
            keep(app, &transaction, browser, Some(&Shown { user_id: session.user_id.clone(), scopes }))
                .await?;
            let page = consent::ask(browser, &transaction, client, session, scopes);
            Ok((browser.remember(CookieJar::new()), page).into_response())
        }
        (Next::TellNotAMember, Some(session)) => {
            keep(app, &transaction, browser, None).await?;
            let page = tell_not_a_member(app, &transaction, client, session);
            Ok((browser.remember(CookieJar::new()), page).into_response())
        }
        (Next::LogIn | Next::Grant(_) | Next::Ask(_) | Next::TellNotAMember, _) => {
            keep(app, &transaction, browser, None).await?;
            let login = Redirect::to(&transaction::address("/login/", &transaction.id));
            Ok((browser.remember(CookieJar::new()), login).into_response())
        }
    }
}

async fn facts(
    unit: &mut Unit,
    transaction: &Transaction,
    client: &Client,
    session: Option<&Session>,
) -> Result<Facts, Error> {
    let (mut role, mut remembered) = (None, None);
    if let Some(session) = session {
        role = store::memberships::find(unit, &client.organization.id, &session.user_id).await?;
        remembered = store::consents::find(unit, subject(&transaction.request, session)).await?;
    }
    Ok(Facts {
        authenticated_at: session.map(|session| session.authenticated_at),
        role,
        remembered,
        maximum: client.application.scopes,
        asks_always: client.application.asks_always_at.is_some(),
        requested_at: transaction.created_at,
    })
}

async fn keep(
    app: &App,
    transaction: &Transaction,
    browser: &Browser,
    shown: Option<&Shown>,
) -> Result<(), Error> {
    let mut unit = app.store.write().await?;
    transaction.keep(app, &mut unit, browser, shown).await?;
    Ok(unit.commit().await?)
}

fn tell_not_a_member(app: &App, transaction: &Transaction, client: &Client, session: &Session) -> Response {
    let request = &transaction.request;
    let (target, state) = (&request.target, request.state.as_deref());
    let back = response::refusal(&app.config, &request.client_id, target, state, RedirectError::AccessDenied);
    consent::tell_not_a_member(transaction, client, session, back)
}

fn grant(app: &App, request: &Request, issued: &Issued) -> Response {
    response::granted(&app.config, &request.client_id, &request.target, request.state.as_deref(), issued)
}

fn refuse(app: &App, request: &Request, error: RedirectError) -> Response {
    response::refused(&app.config, &request.client_id, &request.target, request.state.as_deref(), error)
}

fn authority<'a>(request: &'a Request, session: &'a Session) -> Authority<'a> {
    Authority {
        client_id: &request.client_id,
        user_id: &session.user_id,
        session_id: &session.id,
        target: &request.target,
        scopes: request.scopes,
    }
}

fn subject<'a>(request: &'a Request, session: &'a Session) -> Subject<'a> {
    Subject {
        user_id: &session.user_id,
        client_id: &request.client_id,
        requesting_origin: request.target.requesting_origin.as_str(),
        redirect_uri: &request.target.redirect_uri,
    }
}
