//! The platform's own sessions.

use axum::http::{HeaderMap, header};

use crate::{
    clock::UnixSeconds,
    directory::device::Device,
    http::{browser, error::Error},
    secret::Secret,
    state::App,
    store::{self, StoreError, Unit, grants::Selection, sessions::Session},
};

/// The secret that a request's cookie holds.
pub fn secret(headers: &HeaderMap) -> Option<Secret> {
    browser::secret(headers, browser::SESSION)
}

/// The live session that a request's cookie opens.
pub async fn current(app: &App, unit: &mut Unit, headers: &HeaderMap) -> Result<Option<Session>, Error> {
    let Some(secret) = secret(headers) else { return Ok(None) };
    Ok(store::sessions::find(unit, &secret.digest(), app.clock.now()).await?)
}

/// The person's own session. Whoever sends an `Authorization` wants to act by a token, which never manages what tokens
/// stand on, whatever cookies come along.
pub async fn require(app: &App, unit: &mut Unit, headers: &HeaderMap) -> Result<Session, Error> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(Error::SessionRequired);
    }
    current(app, unit, headers).await?.ok_or(Error::SessionRequired)
}

/// Signs a person in and returns the secret of the session's cookie.
///
/// The secret is new at every login (session fixation). The same person's session goes on under it, so that what
/// they allowed elsewhere lives on; another person's session ends, with all that came from it.
pub async fn open(
    app: &App,
    unit: &mut Unit,
    before: Option<&Session>,
    user_id: &str,
    device: &Device,
) -> Result<Secret, Error> {
    let now = app.clock.now();
    let expires_at = now + app.config.lifetimes.session_secs;
    let secret = Secret::generate(&app.entropy)?;
    match before {
        Some(session) if session.user_id == user_id => {
            store::sessions::touch(unit, &session.id, &secret.digest(), device, now, expires_at).await?;
            return Ok(secret);
        }
        Some(session) => close(app, unit, &session.id).await?,
        None => {}
    }
    let (id, digest) = (app.id_of_many()?, secret.digest());
    store::sessions::insert(unit, &id, &digest, user_id, device, now, expires_at).await?;
    Ok(secret)
}

/// Ends the session with this id and revokes every token that came from it.
pub async fn close(app: &App, unit: &mut Unit, id: &str) -> Result<(), Error> {
    let now = app.clock.now();
    store::sessions::revoke(unit, id, now).await?;
    let came_from_it = Selection::Session { session_id: id };
    store::grants::revoke(unit, came_from_it, now).await?;
    Ok(())
}

/// What ended with the sessions of a person.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// How many sessions nobody had ended before.
    pub sessions: u64,
    /// How many access tokens were revoked.
    pub tokens: u64,
}

/// Ends every session of a person and revokes everything that came from any of them: whoever signs out everywhere or
/// has another password wants nothing left that the old ones opened.
pub async fn close_all(unit: &mut Unit, user_id: &str, now: UnixSeconds) -> Result<Ended, StoreError> {
    let sessions = store::sessions::revoke_of_user(unit, user_id, now).await?;
    let theirs = Selection::Person { user_id };
    let tokens = store::grants::revoke(unit, theirs, now).await?.access_tokens;
    Ok(Ended { sessions, tokens })
}
