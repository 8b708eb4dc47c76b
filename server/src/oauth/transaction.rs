//! An authorization request while it is being decided: kept on the server, so that nothing a browser sends later
//! can change it.

use latchkey_protocol::{origin::Origin, scope::Scopes};

use crate::{
    applications::ResponseType,
    clock::UnixSeconds,
    http::{browser::Browser, error::Error},
    oauth::request::{Prompt, Request, Target},
    secret::Secret,
    state::App,
    store::{self, StoreError, Unit, transactions::Row},
};

/// An authorization request that is being decided.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// The secret that stands in the pages' addresses and forms.
    pub id: Secret,
    /// The request, as it was validated.
    pub request: Request,
    /// When it began: a login before that is not one that `prompt=login` asked for.
    pub created_at: UnixSeconds,
    /// Who saw its consent page, and what that named.
    pub shown: Option<Shown>,
    /// Whether the store has it. One that is decided at once never gets there.
    is_stored: bool,
}

/// What a consent page was shown as: an answer to it allows that to that person, and nothing more.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Who saw it.
    pub user_id: String,
    /// The scopes it named.
    pub scopes: Scopes,
}

impl Transaction {
    /// Begins to decide a request. Nothing is stored yet.
    pub fn begin(app: &App, request: Request) -> Result<Self, Error> {
        let id = Secret::generate(&app.entropy)?;
        Ok(Self { id, request, created_at: app.clock.now(), shown: None, is_stored: false })
    }

    /// Finds the transaction that a page names, if this browser began it.
    pub async fn find(app: &App, unit: &mut Unit, browser: &Browser, id: &str) -> Result<Self, Error> {
        let id = Secret::new(id);
        let row = store::transactions::find(unit, &id.digest(), app.clock.now()).await?;
        let row =
            row.filter(|row| browser.digest().matches(&row.browser_hash)).ok_or(Error::TransactionClosed)?;
        let created_at = row.created_at;
        let shown = shown_of(&row)?;
        Ok(Self { id, request: request_of(row)?, created_at, shown, is_stored: true })
    }

    /// Whether the store has it already.
    pub fn is_stored(&self) -> bool {
        self.is_stored
    }

    /// Keeps the transaction until the person has decided. `shown` is its consent page, if that
    /// is shown now.
    pub async fn keep(
        &self,
        app: &App,
        unit: &mut Unit,
        browser: &Browser,
        shown: Option<&Shown>,
    ) -> Result<(), Error> {
        let id = self.id.digest();
        if !self.is_stored {
            store::transactions::insert(unit, &id, &self.row(app, browser, shown)).await?;
        } else if let Some(shown) = shown {
            store::transactions::touch(unit, &id, &shown.user_id, &shown.scopes.to_list()).await?;
        }
        Ok(())
    }

    /// Takes the transaction for good. Of any number of attempts one succeeds.
    pub async fn consume(&self, app: &App, unit: &mut Unit) -> Result<(), Error> {
        if self.is_stored && !store::transactions::consume(unit, &self.id.digest(), app.clock.now()).await? {
            return Err(Error::TransactionClosed);
        }
        Ok(())
    }

    fn row(&self, app: &App, browser: &Browser, shown: Option<&Shown>) -> Row {
        let Request {
            client_id,
            response_type,
            target,
            names_redirect,
            scopes,
            state,
            prompt,
            login_hint,
            max_age,
            code_challenge,
            nonce,
            hinted_user_id,
        } = self.request.clone();
        Row {
            browser_hash: browser.digest().as_bytes().to_vec(),
            client_id,
            response_type: response_type.as_str().into(),
            redirect_uri: target.redirect_uri,
            redirect_given_at: names_redirect.then_some(self.created_at),
            callback_at: target.is_callback.then_some(self.created_at),
            requesting_origin: target.requesting_origin.to_string(),
            scopes: scopes.to_list(),
            state,
            prompt: prompt.as_str().map(Into::into),
            login_hint,
            max_age,
            code_challenge,
            nonce,
            hinted_user_id,
            user_id: shown.map(|shown| shown.user_id.clone()),
            shown_scopes: shown.map(|shown| shown.scopes.to_list()),
            created_at: self.created_at,
            expires_at: self.created_at + app.config.lifetimes.transaction_secs,
        }
    }
}

fn shown_of(row: &Row) -> Result<Option<Shown>, StoreError> {
    let (Some(user_id), Some(list)) = (&row.user_id, &row.shown_scopes) else { return Ok(None) };
    let scopes = Scopes::parse(list).map_err(|_| StoreError::Unreadable("transactions.shown_scopes"))?;
    Ok(Some(Shown { user_id: user_id.clone(), scopes }))
}

fn request_of(row: Row) -> Result<Request, StoreError> {
    let unreadable = StoreError::Unreadable;
    Ok(Request {
        response_type: ResponseType::parse(&row.response_type)
            .ok_or(unreadable("transactions.response_type"))?,
        scopes: Scopes::parse(&row.scopes).map_err(|_| unreadable("transactions.scopes"))?,
        prompt: Prompt::parse(row.prompt.as_deref()).ok_or(unreadable("transactions.prompt"))?,
        target: Target {
            requesting_origin: Origin::parse(&row.requesting_origin)
                .map_err(|_| unreadable("transactions.requesting_origin"))?,
            is_callback: row.callback_at.is_some(),
            redirect_uri: row.redirect_uri,
        },
        names_redirect: row.redirect_given_at.is_some(),
        client_id: row.client_id,
        state: row.state,
        login_hint: row.login_hint,
        max_age: row.max_age,
        code_challenge: row.code_challenge,
        nonce: row.nonce,
        hinted_user_id: row.hinted_user_id,
    })
}

/// The address at which a transaction goes on.
pub fn address(path: &str, id: &Secret) -> String {
    format!("{path}?transaction={}", id.expose())
}
