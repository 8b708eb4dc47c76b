//! `/toolbar/{client_id}/session/`: the session that an application's frame keeps on one site (SECURITY 45a).
//!
//! The frame makes it of the handle that came with an authorization response; a cookie for that frame, that site and no
//! script holds it. It stands on the sign-in's grant: whatever ends that ends it, and so does leaving the organization,
//! or taking the site from the application's list. An access token makes none and none of this is for another site.
//!
//! A site may leave the token to its frame, so that no script of its pages sees one. The session of such a sign-in lies in
//! another cookie: a frame that hands tokens out asks for its own, and the browser does not even name that one's. Their
//! responses arrive at another callback, too, and each opens a session of its own kind alone.

pub mod token;

use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use latchkey_protocol::{frame::Tokens, origin::Origin};

use crate::{
    audit::By,
    clock::UnixSeconds,
    gate::Refusal,
    http::{
        address::ClientAddress,
        assets::hex,
        browser,
        error::{ApiError, Error},
        form::Form,
        origin_check::require_same_origin,
        parameters::Parameters,
    },
    oauth::{
        client::Client,
        issue::{Authority, FrameSession, issue},
        request::Target,
    },
    secret::{Digest256, Secret},
    state::App,
    store::{
        self, Unit, frame_sessions,
        grants::{self, Given, Selection},
    },
};

/// What the frame's script says and a form or a link cannot.
const HEADER: &str = "latchkey-frame";
/// The handle of what is to end, where the cookie may not have arrived. A secret is no part of an address.
const HANDLE: &str = "latchkey-handle";

/// The frame that asks: of this application, on this site.
struct Frame<'a> {
    client_id: &'a str,
    /// The origin of the page around it, which the browser vouched for to the frame.
    site: Origin,
    /// Who holds the token: the page as long as nothing is said.
    tokens: Tokens,
    /// Where the responses to its requests arrive.
    callback: String,
}

impl<'a> Frame<'a> {
    /// Reads who asks. `Origin` says that it is a page of the platform's own, the header that it is its script.
    fn read(
        app: &App,
        client_id: &'a str,
        headers: &HeaderMap,
        parameters: &Parameters,
    ) -> Result<Self, Error> {
        require_same_origin(headers, &app.config.public_url)?;
        if !headers.contains_key(header::ORIGIN) || headers.get(HEADER).is_none_or(|value| value != "1") {
            return Err(Error::Forged);
        }
        // Who wants to act by a token gets nothing that outlives it.
        if headers.contains_key(header::AUTHORIZATION) {
            return Err(Error::SessionRequired);
        }
        let site = Origin::parse(parameters.require("origin")?)
            .map_err(|_| Error::parameter("origin", "is not the origin of a site"))?;
        let tokens = Tokens::parse(parameters.get("tokens").unwrap_or(Tokens::Page.as_str()))
            .ok_or_else(|| Error::parameter("tokens", "is neither page nor frame"))?;
        let callback = app.config.callback(client_id, tokens);
        Ok(Self { client_id, site, tokens, callback })
    }

    /// The cookie's name: one for each application and site, so that two of one registrable domain, which share a
    /// browser's jar, keep apart; and for each of those who may hold the token. Digested, as a path may hold what a name
    /// may not.
    fn cookie(&self) -> String {
        let of = match self.tokens {
            Tokens::Page => format!("{}\n{}", self.client_id, self.site),
            Tokens::Frame => format!("{}\n{}\n{}", self.client_id, self.site, self.tokens.as_str()),
        };
        let digest = Digest256::of(of.as_bytes());
        format!("__Host-latchkey_frame_{}", hex(&digest.as_bytes()[..10]))
    }

    /// The session that the cookie opens, and its grant, if both are this frame's; nothing where the browser has no such
    /// cookie.
    async fn find(
        &self,
        unit: &mut Unit,
        headers: &HeaderMap,
        now: UnixSeconds,
    ) -> Result<Option<(Given, UnixSeconds)>, Error> {
        let Some(secret) = browser::secret(headers, &self.cookie()) else { return Ok(None) };
        let session = frame_sessions::find(unit, &secret.digest(), now).await?.ok_or(Error::SessionEnded)?;
        Ok(Some((self.require_own(unit, &session.grant_id).await?, session.expires_at)))
    }

    /// The grant, if it is this application's, for this very site, and whoever holds the token asked for it.
    async fn require_own(&self, unit: &mut Unit, grant_id: &str) -> Result<Given, Error> {
        let given = grants::find(unit, grant_id).await?.ok_or(Error::SessionEnded)?;
        let Target { redirect_uri, requesting_origin, .. } = &given.target;
        let is_own = given.client_id == self.client_id
            && *requesting_origin == self.site
            && *redirect_uri == self.callback;
        if is_own { Ok(given) } else { Err(Error::SessionEnded) }
    }
}

/// Makes a session of the `handle` that came to the callback, for the site at `origin`. The one that it takes the place
/// of in this browser ends, with every token of that sign-in: nothing would be left to end it.
pub async fn post(
    State(app): State<App>,
    Path(client_id): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    let frame = Frame::read(&app, &client_id, &form.headers, &form.parameters)?;
    let handle = Secret::new(form.parameters.require("handle")?).digest();
    // One that is of no use keeps nobody from writing.
    let mut unit = app.store.look().await?;
    find_handle(&frame, &mut unit, &handle, app.clock.now()).await?;
    drop(unit);
    let by = By::application(&client_id, form.address, app.clock.now());
    let mut unit = app.store.write(by).await?;
    let given = find_handle(&frame, &mut unit, &handle, app.clock.now()).await?;
    require_live(&mut unit, &given).await?;
    let session = FrameSession { handle: &handle, ends_at: given.expires_at };
    let issued = issue(&app, &mut unit, Authority::from(&given), session).await.map_err(over)?;
    if let Some(before) = find_standing(&frame, &mut unit, &form.headers, app.clock.now()).await?
        && before.id != given.id
    {
        grants::revoke(&mut unit, Selection::One { id: &before.id }, app.clock.now()).await?;
    }
    unit.commit().await?;
    let value = issued.secret.expose().to_owned();
    let cookie = browser::framed_cookie(frame.cookie(), value, issued.expires_in_secs);
    Ok((CookieJar::new().add(cookie), StatusCode::NO_CONTENT).into_response())
}

async fn find_handle(
    frame: &Frame<'_>,
    unit: &mut Unit,
    handle: &Digest256,
    now: UnixSeconds,
) -> Result<Given, Error> {
    let grant_id = frame_sessions::find_handle(unit, handle, now).await?.ok_or(Error::SessionEnded)?;
    frame.require_own(unit, &grant_id).await
}

/// The grant of the session that the browser has, if it has one and nobody ended it.
async fn find_standing(
    frame: &Frame<'_>,
    unit: &mut Unit,
    headers: &HeaderMap,
    now: UnixSeconds,
) -> Result<Option<Given>, Error> {
    let found = frame.find(unit, headers, now).await;
    standing(found.map(|found| found.map(|(given, _)| given)))
}

/// The grant of the session that is being made of a handle, or was made of it, if nobody ended it.
async fn find_begun(
    frame: &Frame<'_>,
    unit: &mut Unit,
    handle: &str,
    now: UnixSeconds,
) -> Result<Option<Given>, Error> {
    let digest = Secret::new(handle).digest();
    let Some(grant_id) = frame_sessions::find_grant(unit, &digest, now).await? else { return Ok(None) };
    standing(frame.require_own(unit, &grant_id).await.map(Some))
}

/// What nobody ended.
fn standing(found: Result<Option<Given>, Error>) -> Result<Option<Given>, Error> {
    match found {
        Ok(found) => Ok(found.filter(|given| given.revoked_at.is_none())),
        Err(Error::SessionEnded) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends the session, and with it every token that came of the sign-in. There is nothing to learn here: the answer is the
/// same whether there was one or not. The cookie stays and opens nothing: an answer that took it away could come after
/// somebody has signed in again, in another tab or on the next page, and take theirs.
pub async fn delete(
    State(app): State<App>,
    Path(client_id): Path<String>,
    address: ClientAddress,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let frame = Frame::read(&app, &client_id, &headers, &parameters)?;
    let now = app.clock.now();
    let mut unit = app.store.read().await?;
    let found = match headers.get(HANDLE).and_then(|handle| handle.to_str().ok()) {
        Some(handle) => find_begun(&frame, &mut unit, handle, now).await?,
        None => find_standing(&frame, &mut unit, &headers, now).await?,
    };
    drop(unit);
    if let Some(given) = found {
        let mut unit = app.store.write(By::person(&given.user_id, address, now)).await?;
        grants::revoke(&mut unit, Selection::One { id: &given.id }, now).await?;
        unit.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Refuses a grant that was revoked, with the reason where the person may know it.
async fn require_live(unit: &mut Unit, given: &Given) -> Result<(), Error> {
    if given.revoked_at.is_none() {
        return Ok(());
    }
    let Some(client) = Client::find(unit, &given.client_id).await? else { return Err(Error::SessionEnded) };
    let role = store::memberships::find(unit, &client.organization.id, &given.user_id).await?;
    Err(if role.is_none() { Error::NotAMember } else { Error::SessionEnded })
}

/// What a session stood on and stands on no more, in the words that the frame has for it.
fn over(error: Error) -> Error {
    match error {
        Error::Parameter { name: "redirect_uri", .. } => Refusal::OriginNotAllowed.into(),
        Error::Parameter { name: "client_id", .. } | Error::TransactionClosed => Error::SessionEnded,
        other => other,
    }
}
