//! `/oauth/authorize/` (RFC 6749 §3.1).
//!
//! `GET` with a client's parameters begins a request; `GET` with `transaction` goes on with one after a login;
//! `POST` brings the person's decision and nothing else.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::CookieJar;
use latchkey_gate::bearer;
use latchkey_protocol::scope::{Role, Scopes};

use crate::{
    applications::ResponseType,
    audit::By,
    directory::session,
    gate::Refusal,
    http::{
        address::ClientAddress,
        browser::Browser,
        error::{Error, PageError},
        form::PageForm,
        parameters::Parameters,
    },
    oauth::{
        client::{self, Client},
        consent,
        decision::{Facts, Next, decide},
        id_token,
        issue::{Authority, Basis, Code, Fragment},
        request::{Invalid, Prompt, Request},
        response::{self, Recipient, RedirectError},
        signing_keys,
        transaction::{self, Shown, Transaction},
    },
    state::App,
    store::{
        self, StoreError, Unit,
        applications::Application,
        authorities::{Asked, Person},
        consents::Remembered,
        sessions::Session,
    },
};

/// The path, for forms and redirects.
pub const PATH: &str = "/oauth/authorize/";

/// Begins a request, or goes on with one.
pub async fn get(
    State(app): State<App>,
    browser: Browser,
    address: ClientAddress,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, PageError> {
    refuse_token(&headers)?;
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.look().await?;
    let asker = Asker { browser, address };
    if let Some(id) = parameters.get("transaction") {
        let transaction = Transaction::find(&app, &mut unit, &asker.browser, id).await?;
        let (client, person) = ask(&app, &mut unit, &transaction.request.client_id, &headers).await?;
        drop(unit);
        return proceed(&app, asker, transaction, &client, person.as_ref()).await;
    }
    let (client, person) = ask(&app, &mut unit, parameters.require("client_id")?, &headers).await?;
    match Request::validate(&parameters, &client.application, &app.config) {
        Ok(request) => {
            // OpenID Connect Core §3.1.2.1: who wants no page is shown none, whatever happens from here on.
            let silent = (request.prompt == Prompt::None).then(|| request.clone());
            let hint = parameters.get("id_token_hint");
            let answer = begin(&app, unit, asker, request, hint, &client, person.as_ref()).await;
            match (answer, silent) {
                (Err(PageError { error, .. }), Some(request)) => fail(&app, &request, error),
                (answer, _) => answer,
            }
        }
        Err(Invalid::Page(error)) => Err(error.into()),
        Err(Invalid::Redirect { error, target, state, response_type, prompt_none }) => {
            let client_id = &client.application.client_id;
            let recipient = Recipient { client_id, target: &target, state: state.as_deref(), response_type };
            tell(&app, recipient, error, person.is_some() || prompt_none)
        }
    }
}

/// The client, or why it is none (RFC 6749 §4.2.2.1 forbids to redirect for one that is not valid), and who asks, if
/// anybody is signed in.
async fn ask(
    app: &App,
    unit: &mut Unit,
    client_id: &str,
    headers: &HeaderMap,
) -> Result<(Client, Option<Person>), Error> {
    let secret = session::secret(headers).map(|secret| secret.digest());
    let asked = store::authorities::ask(unit, client_id, secret.as_ref(), app.clock.now()).await?;
    let Asked { application, organization, person } = asked.ok_or(client::INACTIVE)?;
    Ok((Client { application, organization }, person))
}

/// Begins to decide a request, and does what is decided at once.
async fn begin(
    app: &App,
    mut unit: Unit,
    asker: Asker,
    mut request: Request,
    hint: Option<&str>,
    client: &Client,
    person: Option<&Person>,
) -> Result<Response, PageError> {
    if let Some(hint) = hint {
        let keys = signing_keys::list(app, &mut unit).await?;
        let Some(hinted) = id_token::read_hint(&app.config, &keys, &request.client_id, hint) else {
            let error = RedirectError::InvalidRequest {
                name: "id_token_hint",
                problem: "is not an id_token that this server signed for this application",
            };
            let by_redirect = person.is_some() || request.prompt == Prompt::None;
            return tell(app, request.recipient(), error, by_redirect);
        };
        request.hinted_user_id = Some(hinted);
    }
    drop(unit);
    let transaction = Transaction::begin(app, request)?;
    proceed(app, asker, transaction, client, person).await
}

/// Tells a client that wants no page what kept it from its answer.
fn fail(app: &App, request: &Request, error: Error) -> Result<Response, PageError> {
    let Some(told) = RedirectError::of(&error) else { return Err(error.into()) };
    let mut answer = response::refused(&app.config, request.recipient(), told);
    error.leave_cause(&mut answer);
    Ok(answer)
}

/// Tells the client what is wrong with its request: by redirect, or, while nobody is known here, by a link
/// (RFC 9700 §4.11.2: nobody is sent anywhere by a link alone).
fn tell(
    app: &App,
    recipient: Recipient<'_>,
    error: RedirectError,
    by_redirect: bool,
) -> Result<Response, PageError> {
    let location = response::refusal(&app.config, recipient, error);
    if by_redirect {
        return Ok(Redirect::to(&location).into_response());
    }
    let site = recipient.target.requesting_origin.to_string();
    Err(PageError { error: error.as_error(), back: Some(location), site: Some(site), wanted: None })
}

/// A person decides here, in a session of their own; a token never allows another one, whatever cookies come along.
fn refuse_token(headers: &HeaderMap) -> Result<(), Error> {
    match bearer::read(headers, None) {
        Err(Refusal::TokenMissing) => Ok(()),
        Ok(_) | Err(_) => Err(Error::SessionRequired),
    }
}

/// Says what may be asked here, to whoever asks otherwise.
pub async fn method_not_allowed() -> impl IntoResponse {
    ([(header::ALLOW, "GET,POST")], PageError::from(Error::MethodNotAllowed))
}

/// Takes the person's decision: `transaction`, `csrf`, `decision`. Whatever else the form holds is ignored.
pub async fn post(State(app): State<App>, form: PageForm) -> Result<Response, PageError> {
    let PageForm { parameters, browser, headers, .. } = &form;
    refuse_token(headers)?;
    let allowed = match parameters.require("decision")? {
        "approve" => true,
        "deny" => false,
        _ => return Err(Error::parameter("decision", "is neither approve nor deny").into()),
    };
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    let transaction = Transaction::find(&app, &mut unit, browser, parameters.require("transaction")?).await?;
    let shown = transaction.shown.clone().ok_or(Error::TransactionClosed)?;
    form.require_token(&consent::csrf_purpose(&transaction.id, &shown.user_id))?;
    let Some(session) = session::current(&app, &mut unit, headers).await? else {
        // Signed out meanwhile: the page is shown again after the login.
        return Ok(Redirect::to(&transaction::address("/login/", &transaction.id)).into_response());
    };
    unit.act_for(By::person(&session.user_id, form.address, app.clock.now()));
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
        return Ok(response::refused(&app.config, request.recipient(), RedirectError::AccessDenied));
    }
    // What was on the page, though the person's role may hold more by now.
    let basis = Basis::find(&mut unit, authority(request, &session, shown.scopes)).await?;
    let before = basis.found().remembered;
    let granted = match grant(&app, &mut unit, request, &session, basis).await {
        Ok(granted) => granted,
        // They left while they decided: nothing is kept of this, and the page offers another account.
        Err(Error::NotAMember) => {
            let client = Client::require(&mut unit, &request.client_id).await?;
            return Ok(tell_not_a_member(&app, &transaction, &client, &session));
        }
        Err(error) => return Err(error.into()),
    };
    remember(&app, &mut unit, request, &session, before, shown.scopes).await?;
    unit.commit().await?;
    Ok(granted)
}

/// Who asks, as far as that is known of somebody who is not signed in.
struct Asker {
    browser: Browser,
    address: ClientAddress,
}

/// Does what is decided now.
async fn proceed(
    app: &App,
    asker: Asker,
    transaction: Transaction,
    client: &Client,
    person: Option<&Person>,
) -> Result<Response, PageError> {
    let request = &transaction.request;
    if !request.target.is_still_registered(&client.application) {
        return Err(
            Error::parameter("redirect_uri", "is not one that is registered for this application").into()
        );
    }
    let session = person.map(|person| &person.session);
    let known = match person {
        Some(person @ Person { session, role, .. }) => {
            let remembrance = request.remembered_as();
            let remembered = person.remembered(remembrance.subject(&session.user_id))?;
            Some(Known { session, role: *role, remembered })
        }
        None => None,
    };
    let mut next = decide(request, &facts(&transaction, &client.application, known));
    if let (Next::Grant(_), Some(session)) = (next, session) {
        if !transaction.is_stored() {
            app.throttle.begin(asker.address).await?;
        }
        let by = By::person(&session.user_id, asker.address, app.clock.now());
        let mut unit = app.store.write(by).await?;
        // Again, in the transaction that issues: what the person allowed once may have been ended meanwhile.
        let basis = Basis::find(&mut unit, authority(request, session, request.scopes)).await?;
        let found = basis.found();
        let known = Known { session, role: found.role, remembered: found.remembered };
        next = decide(request, &facts(&transaction, &found.application, Some(known)));
        if let Next::Grant(scopes) = next {
            transaction.consume(app, &mut unit).await?;
            let granted = grant(app, &mut unit, request, session, basis.of_scopes(scopes)).await?;
            unit.commit().await?;
            return Ok(granted);
        }
    }
    match (next, session) {
        (Next::Refuse(error), _) => {
            // What was never stored needs not be taken: whoever asks silently keeps nobody from writing.
            if transaction.is_stored() {
                let mut unit = app.store.write(By::server(app.clock.now())).await?;
                transaction.consume(app, &mut unit).await?;
                unit.commit().await?;
            }
            Ok(response::refused(&app.config, request.recipient(), error))
        }
        (Next::Ask(scopes), Some(session)) => {
            keep(app, &transaction, &asker, Some(&Shown { user_id: session.user_id.clone(), scopes }))
                .await?;
            let browser = &asker.browser;
            let page = consent::ask(browser, &transaction, client, session, scopes, &app.config.lifetimes);
            Ok((asker.browser.remember(CookieJar::new()), page).into_response())
        }
        (Next::TellNotAMember, Some(session)) => {
            keep(app, &transaction, &asker, None).await?;
            let page = tell_not_a_member(app, &transaction, client, session);
            Ok((asker.browser.remember(CookieJar::new()), page).into_response())
        }
        (Next::LogIn | Next::Grant(_) | Next::Ask(_) | Next::TellNotAMember, _) => {
            keep(app, &transaction, &asker, None).await?;
            let login = Redirect::to(&transaction::address("/login/", &transaction.id));
            Ok((asker.browser.remember(CookieJar::new()), login).into_response())
        }
    }
}

/// Somebody who is signed in, as far as it decides a request.
#[derive(Clone, Copy)]
struct Known<'a> {
    session: &'a Session,
    role: Option<Role>,
    remembered: Option<Remembered>,
}

/// What is known of a request, and of who is signed in, if anybody is.
fn facts(transaction: &Transaction, application: &Application, known: Option<Known<'_>>) -> Facts {
    Facts {
        authenticated_at: known.map(|known| known.session.authenticated_at),
        role: known.and_then(|known| known.role),
        remembered: known.and_then(|known| known.remembered),
        is_hinted: match (&transaction.request.hinted_user_id, known) {
            (Some(hinted), Some(known)) => *hinted == known.session.user_id,
            (Some(_) | None, _) => true,
        },
        maximum: application.scopes,
        asks_always: application.asks_always_at.is_some(),
        requested_at: transaction.created_at,
        is_new: !transaction.is_stored(),
    }
}

async fn keep(
    app: &App,
    transaction: &Transaction,
    asker: &Asker,
    shown: Option<&Shown>,
) -> Result<(), Error> {
    if !transaction.is_stored() {
        app.throttle.begin(asker.address).await?;
    }
    let mut unit = app.store.write(By::server(app.clock.now())).await?;
    transaction.keep(app, &mut unit, &asker.browser, shown).await?;
    Ok(unit.commit().await?)
}

fn tell_not_a_member(app: &App, transaction: &Transaction, client: &Client, session: &Session) -> Response {
    let recipient = transaction.request.recipient();
    let back = response::refusal(&app.config, recipient, RedirectError::AccessDenied);
    consent::tell_not_a_member(transaction, client, session, back)
}

/// What a request is granted on.
fn authority<'a>(request: &'a Request, session: &'a Session, scopes: Scopes) -> Authority<'a> {
    Authority {
        grant_id: None,
        client_id: &request.client_id,
        user_id: &session.user_id,
        session_id: &session.id,
        target: &request.target,
        scopes,
    }
}

/// Issues what the request asked for, and answers with it. The caller commits.
async fn grant(
    app: &App,
    unit: &mut Unit,
    request: &Request,
    session: &Session,
    basis: Basis<'_>,
) -> Result<Response, Error> {
    let recipient = request.recipient();
    Ok(match request.response_type {
        ResponseType::Code => {
            // No code is asked for without one, and none is issued without one.
            let code_challenge = request.code_challenge.as_deref();
            let code_challenge =
                code_challenge.ok_or(StoreError::Unreadable("transactions.code_challenge"))?;
            let code = Code {
                redirect_uri: request.names_redirect.then_some(&request.target.redirect_uri),
                code_challenge,
                nonce: request.nonce.as_deref(),
                authenticated_at: session.authenticated_at,
            };
            let code = basis.issue(app, unit, code).await?;
            response::with_code(&app.config, recipient, &code)
        }
        ResponseType::Token => {
            let issued = basis.issue(app, unit, Fragment).await?;
            response::with_token(&app.config, recipient, &issued)
        }
    })
}

/// Keeps what the person allowed, with what they allowed before.
async fn remember(
    app: &App,
    unit: &mut Unit,
    request: &Request,
    session: &Session,
    before: Option<Remembered>,
    shown: Scopes,
) -> Result<(), Error> {
    let remembrance = request.remembered_as();
    let subject = remembrance.subject(&session.user_id);
    let scopes = before.map_or(shown, |before| before.scopes.union(shown));
    let with_refresh = request.response_type == ResponseType::Code;
    store::consents::insert(unit, subject, Remembered { scopes, with_refresh }, app.clock.now()).await?;
    Ok(())
}
