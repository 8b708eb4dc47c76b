//! The one function that issues a credential.
//!
//! Whatever way leads here, everything is asked again, in the transaction that writes the row: the application, its
//! organization, the person, their membership, the site, the session. Nothing else can make a [`Grant`], and without
//! one the store takes no token.

use latchkey_protocol::{origin::Origin, scope::Scopes};

use crate::{
    clock::UnixSeconds,
    http::error::Error,
    oauth::{authorize::Client, decision::narrow, request::Target},
    secret::AccessToken,
    state::App,
    store::{self, Unit},
};

/// What a credential is issued on.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// The application that asked.
    pub client_id: &'a str,
    /// The person who allowed it.
    pub user_id: &'a str,
    /// The session in which they did.
    pub session_id: &'a str,
    /// Where the response goes, and for which site.
    pub target: &'a Target,
    /// What they allowed.
    pub scopes: Scopes,
}

/// A token, and what it turned out to be good for.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: AccessToken,
    /// Its lifetime in seconds.
    pub expires_in_secs: UnixSeconds,
    /// What it holds.
    pub scopes: Scopes,
}

/// The right to write one token's row. Only [`issue`] makes one.
#[derive(Debug)]
pub struct Grant {
    client_id: String,
    organization_id: String,
    user_id: String,
    session_id: String,
    requesting_origin: Origin,
    scopes: Scopes,
}

impl Grant {
    /// The application.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The scoping organization: the application's.
    pub fn organization_id(&self) -> &str {
        &self.organization_id
    }

    /// The person.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// The platform session it comes from.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// The site it is for.
    pub fn requesting_origin(&self) -> &Origin {
        &self.requesting_origin
    }

    /// What it holds.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }
}

/// Issues an access token, or says why not. The caller commits.
pub async fn issue(app: &App, unit: &mut Unit, authority: Authority<'_>) -> Result<Issued, Error> {
    let now = app.clock.now();
    let grant = check(unit, authority, now).await?;
    let token = AccessToken::generate(&app.entropy)?;
    let expires_in_secs = app.config.lifetimes.access_token_secs;
    store::tokens::insert(unit, &app.entropy.id()?, &token, &grant, now, now + expires_in_secs).await?;
    tracing::info!(
        client_id = grant.client_id,
        organization = grant.organization_id,
        user = grant.user_id,
        "access token issued"
    );
    Ok(Issued { token, expires_in_secs, scopes: grant.scopes })
}

async fn check(unit: &mut Unit, authority: Authority<'_>, now: UnixSeconds) -> Result<Grant, Error> {
    let Client { application, .. } = Client::require(unit, authority.client_id).await?;
    if !authority.target.is_still_registered(&application) {
        return Err(Error::parameter("redirect_uri", "is not one that is registered for this application"));
    }
    let user = store::users::find(unit, authority.user_id).await?;
    if user.is_none_or(|user| user.disabled_at.is_some())
        || !store::sessions::is_live(unit, authority.session_id, authority.user_id, now).await?
    {
        return Err(Error::TransactionClosed);
    }
    let role = store::memberships::find(unit, &application.organization_id, authority.user_id).await?;
    let role = role.ok_or(Error::NotAMember)?;
    let scopes = narrow(authority.scopes, application.scopes, role);
    if scopes.is_empty() {
        return Err(Error::TransactionClosed);
    }
    Ok(Grant {
        client_id: application.client_id,
        organization_id: application.organization_id,
        user_id: authority.user_id.to_owned(),
        session_id: authority.session_id.to_owned(),
        requesting_origin: authority.target.requesting_origin.clone(),
        scopes,
    })
}
