//! The one function that issues a credential.
//!
//! Whatever way leads here, everything is asked again, in the transaction that writes the rows: the application, its
//! organization, the person, their membership, the site, the session. Nothing else can make a [`Grant`], and without
//! one the store takes no code and no token.

use latchkey_protocol::{frame::Tokens, scope::Scopes};

use crate::{
    audit::Action,
    clock::UnixSeconds,
    http::error::Error,
    oauth::{
        client,
        decision::narrow,
        request::{Remembrance, Target},
    },
    secret::{AccessToken, AuthorizationCode, Digest256, RefreshToken, Secret},
    state::App,
    store::{
        self, Unit, audit_log::Entry, authorization_codes, consents::Subject, frame_sessions, refresh_tokens,
    },
};

/// What a credential is issued on.
#[derive(Debug, Clone, Copy)]
pub struct Authority<'a> {
    /// The grant that stands already, where one does.
    pub grant_id: Option<&'a str>,
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

impl<'a> From<&'a store::grants::Given> for Authority<'a> {
    fn from(given: &'a store::grants::Given) -> Self {
        Self {
            grant_id: Some(&given.id),
            client_id: &given.client_id,
            user_id: &given.user_id,
            session_id: &given.session_id,
            target: &given.target,
            scopes: given.scopes,
        }
    }
}

/// The right to write the rows of credentials. Only [`issue`] makes one.
#[derive(Debug)]
pub struct Grant {
    id: String,
    client_id: String,
    organization_id: String,
    user_id: String,
    session_id: String,
    target: Target,
    scopes: Scopes,
}

impl Grant {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

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

    /// Where the response goes, and for which site.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What it holds.
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// An entry of the audit log about it.
    pub fn entry(&self, action: Action) -> Entry<'_> {
        Entry::new(&self.organization_id, action).of_application(&self.client_id).of_person(&self.user_id)
    }
}

/// A credential, or several that belong together.
pub trait Credential {
    /// Its name, for the log.
    const NAME: &'static str;
    /// What the client is given.
    type Issued;

    /// Writes its rows.
    fn write(
        self,
        app: &App,
        unit: &mut Unit,
        grant: &Grant,
    ) -> impl Future<Output = Result<Self::Issued, Error>> + Send;
}

/// Issues a credential, or says why not. The caller commits.
pub async fn issue<C: Credential>(
    app: &App,
    unit: &mut Unit,
    authority: Authority<'_>,
    credential: C,
) -> Result<C::Issued, Error> {
    Basis::find(unit, authority).await?.issue(app, unit, credential).await
}

/// What a credential is issued on, and what the database has of it: looked up and issued on in one transaction, for who
/// decides in between.
#[derive(Debug)]
pub struct Basis<'a> {
    authority: Authority<'a>,
    remembrance: Remembrance<'a>,
    found: store::authorities::Authority,
}

impl<'a> Basis<'a> {
    /// Looks it up, in the unit that issues.
    pub async fn find(unit: &mut Unit, authority: Authority<'a>) -> Result<Self, Error> {
        let remembrance = Remembrance::of(authority.client_id, authority.target);
        let subject = remembrance.subject(authority.user_id);
        let found = store::authorities::find(unit, subject, authority.session_id).await?;
        Ok(Self { authority, found: found.ok_or(client::INACTIVE)?, remembrance })
    }

    /// What the database has.
    pub fn found(&self) -> &store::authorities::Authority {
        &self.found
    }

    /// With other scopes.
    #[must_use]
    pub fn of_scopes(self, scopes: Scopes) -> Self {
        Self { authority: Authority { scopes, ..self.authority }, ..self }
    }

    /// Issues a credential, or says why not. The caller commits.
    pub async fn issue<C: Credential>(
        self,
        app: &App,
        unit: &mut Unit,
        credential: C,
    ) -> Result<C::Issued, Error> {
        let subject = self.remembrance.subject(self.authority.user_id);
        let grant = check(app, self.authority, self.found)?;
        let issued = credential.write(app, unit, &grant).await?;
        store::consents::touch(unit, subject, app.clock.now()).await?;
        let callback = |tokens| app.config.callback(subject.client_id, tokens);
        if subject.redirect_uri == callback(Tokens::Frame) {
            // The site leaves the token to its frame: what its pages were allowed no script of theirs gets any more.
            let page = callback(Tokens::Page);
            store::consents::remove(unit, Subject { redirect_uri: &page, ..subject }).await?;
        }
        tracing::info!(
            credential = C::NAME,
            grant = grant.id,
            client_id = grant.client_id,
            organization = grant.organization_id,
            user = grant.user_id,
            "issued"
        );
        Ok(issued)
    }
}

fn check(app: &App, authority: Authority<'_>, found: store::authorities::Authority) -> Result<Grant, Error> {
    let application = found.application;
    if !authority.target.is_still_registered(&application) {
        return Err(Error::parameter("redirect_uri", "is not one that is registered for this application"));
    }
    if !found.has_active_user || !found.has_unended_session {
        return Err(Error::TransactionClosed);
    }
    let role = found.role.ok_or(Error::NotAMember)?;
    let scopes = narrow(authority.scopes, application.scopes, role);
    if scopes.is_empty() {
        return Err(Error::TransactionClosed);
    }
    Ok(Grant {
        id: match authority.grant_id {
            Some(id) => id.to_owned(),
            None => app.id_of_many()?,
        },
        client_id: application.client_id,
        organization_id: application.organization_id,
        user_id: authority.user_id.to_owned(),
        session_id: authority.session_id.to_owned(),
        target: authority.target.clone(),
        scopes,
    })
}

/// An access token, and what it turned out to be good for.
#[derive(Debug)]
pub struct AccessIssued {
    /// The token.
    pub token: AccessToken,
    /// Its lifetime in seconds.
    pub expires_in_secs: UnixSeconds,
    /// What it holds.
    pub scopes: Scopes,
}

/// An access token that lives until the grant ends, or for its own lifetime if that is shorter.
async fn access(
    app: &App,
    unit: &mut Unit,
    grant: &Grant,
    ends_at: UnixSeconds,
) -> Result<AccessIssued, Error> {
    let now = app.clock.now();
    let token = AccessToken::from_random(&app.entropy.bytes()?);
    let expires_at = ends_at.min(now + app.config.lifetimes.access_token_secs);
    store::tokens::insert(unit, &app.id_of_many()?, &token, grant, now, expires_at).await?;
    Ok(AccessIssued { token, expires_in_secs: expires_at - now, scopes: grant.scopes })
}

/// What an authorization response brings.
#[derive(Debug)]
pub struct Brought<T> {
    /// The token or the code.
    pub credential: T,
    /// What the frame makes its own session of, where the response goes to the callback.
    pub handle: Option<Secret>,
}

/// A handle for the frame at whose callback the response arrives. A redirect URI of a site's own gets none: no frame
/// would see it first (SECURITY 45a).
async fn handle(app: &App, unit: &mut Unit, grant: &Grant) -> Result<Option<Secret>, Error> {
    if !grant.target.is_callback {
        return Ok(None);
    }
    let now = app.clock.now();
    let (id, handle) = (app.id_of_many()?, Secret::generate(&app.entropy)?);
    let expires_at = now + app.config.lifetimes.handle_secs;
    frame_sessions::insert(unit, &id, &handle.digest(), grant, now, expires_at).await?;
    Ok(Some(handle))
}

/// An access token for the fragment (RFC 6749 §4.2.2). No refresh token comes with it (RFC 6749 §4.2.2).
#[derive(Debug)]
pub struct Fragment;

impl Credential for Fragment {
    const NAME: &'static str = "access token";
    type Issued = Brought<AccessIssued>;

    async fn write(self, app: &App, unit: &mut Unit, grant: &Grant) -> Result<Self::Issued, Error> {
        let now = app.clock.now();
        let ends_at = now + app.config.lifetimes.access_token_secs;
        store::grants::insert(unit, grant, now, ends_at).await?;
        let credential = access(app, unit, grant, ends_at).await?;
        Ok(Brought { credential, handle: handle(app, unit, grant).await? })
    }
}

/// An authorization code (RFC 6749 §4.1.2), and what it is bound to.
#[derive(Debug)]
pub struct Code<'a> {
    /// The redirect URI, where the request named it.
    pub redirect_uri: Option<&'a str>,
    /// RFC 7636 §4.2, by S256.
    pub code_challenge: &'a str,
    /// For the id_token.
    pub nonce: Option<&'a str>,
    /// When the person proved who they are.
    pub authenticated_at: UnixSeconds,
}

impl Credential for Code<'_> {
    const NAME: &'static str = "code";
    type Issued = Brought<AuthorizationCode>;

    async fn write(self, app: &App, unit: &mut Unit, grant: &Grant) -> Result<Self::Issued, Error> {
        let now = app.clock.now();
        let expires_at = now + app.config.lifetimes.code_secs;
        let code = AuthorizationCode::from_random(&app.entropy.bytes()?);
        let row = authorization_codes::Row {
            grant_id: grant.id.clone(),
            redirect_uri: self.redirect_uri.map(str::to_owned),
            code_challenge: self.code_challenge.to_owned(),
            nonce: self.nonce.map(str::to_owned),
            authenticated_at: self.authenticated_at,
            expires_at,
        };
        store::grants::insert(unit, grant, now, expires_at).await?;
        authorization_codes::insert(unit, &code, grant, &row, now).await?;
        Ok(Brought { credential: code, handle: handle(app, unit, grant).await? })
    }
}

/// The session that a frame keeps, for the handle that came with the authorization response.
#[derive(Debug)]
pub struct FrameSession<'a> {
    /// The handle, which is used up.
    pub handle: &'a Digest256,
    /// When the grant would end without it.
    pub ends_at: UnixSeconds,
}

/// What the frame's cookie holds.
#[derive(Debug)]
pub struct FrameSessionIssued {
    /// Its value.
    pub secret: Secret,
    /// Its lifetime in seconds, which nothing extends.
    pub expires_in_secs: UnixSeconds,
}

impl Credential for FrameSession<'_> {
    const NAME: &'static str = "frame session";
    type Issued = FrameSessionIssued;

    async fn write(self, app: &App, unit: &mut Unit, grant: &Grant) -> Result<FrameSessionIssued, Error> {
        let now = app.clock.now();
        // Never longer than the session at the platform: until then a window would bring the same without a question.
        let platform_ends_at = store::sessions::find_end(unit, &grant.session_id).await?;
        let ends_at = now + app.config.lifetimes.frame_session_secs;
        let ends_at = platform_ends_at.map_or(now, |platform_ends_at| ends_at.min(platform_ends_at));
        let secret = Secret::generate(&app.entropy)?;
        if !frame_sessions::consume(unit, self.handle, grant, &secret.digest(), now, ends_at).await? {
            return Err(Error::SessionEnded);
        }
        store::grants::touch(unit, &grant.id, self.ends_at.max(ends_at)).await?;
        Ok(FrameSessionIssued { secret, expires_in_secs: ends_at - now })
    }
}

/// The next access token of a sign-in that goes on, for the session that a frame keeps.
#[derive(Debug)]
pub struct Renewal {
    /// When that session ends.
    pub ends_at: UnixSeconds,
}

impl Credential for Renewal {
    const NAME: &'static str = "access token for a frame session";
    type Issued = AccessIssued;

    async fn write(self, app: &App, unit: &mut Unit, grant: &Grant) -> Result<AccessIssued, Error> {
        access(app, unit, grant, self.ends_at).await
    }
}

/// What the token endpoint answers with (RFC 6749 §5.1).
#[derive(Debug)]
pub struct TokensIssued {
    /// The access token.
    pub access: AccessIssued,
    /// The refresh token that is good now.
    pub refresh: RefreshToken,
}

/// The first tokens of a grant, for its code (RFC 6749 §4.1.4).
#[derive(Debug)]
pub struct Exchange;

impl Credential for Exchange {
    const NAME: &'static str = "tokens for a code";
    type Issued = TokensIssued;

    async fn write(self, app: &App, unit: &mut Unit, grant: &Grant) -> Result<TokensIssued, Error> {
        let now = app.clock.now();
        // From here on the whole line ends at one moment, however often it is refreshed.
        let ends_at = now + app.config.lifetimes.refresh_total_secs;
        store::grants::touch(unit, &grant.id, ends_at).await?;
        let token = RefreshToken::from_random(&app.entropy.bytes()?);
        refresh(app, unit, grant, &token, ends_at).await?;
        Ok(TokensIssued { access: access(app, unit, grant, ends_at).await?, refresh: token })
    }
}

/// The next tokens of a grant, for its refresh token (RFC 6749 §6, rotation as in RFC 9700 §4.14.2).
#[derive(Debug)]
pub struct Rotation<'a> {
    /// The token that is replaced.
    pub parent: &'a RefreshToken,
    /// Its row.
    pub row: &'a refresh_tokens::Row,
    /// What replaced it before, where it is presented again.
    pub successor: Option<RefreshToken>,
    /// When the line ends.
    pub ends_at: UnixSeconds,
}

/// What the key that a successor is sealed under is good for.
const SUCCESSOR: &str = "the refresh token that replaces this one";

impl Rotation<'_> {
    /// What replaced a token, for who holds that token.
    pub fn open(parent: &RefreshToken, row: &refresh_tokens::Row) -> Option<RefreshToken> {
        let text = Secret::new(parent.expose()).sealing_key(SUCCESSOR).open(row.successor.as_ref()?)?;
        RefreshToken::parse(std::str::from_utf8(&text).ok()?)
    }
}

impl Credential for Rotation<'_> {
    const NAME: &'static str = "tokens for a refresh token";
    type Issued = TokensIssued;

    async fn write(self, app: &App, unit: &mut Unit, grant: &Grant) -> Result<TokensIssued, Error> {
        let token = match self.successor {
            Some(same) => same,
            None => {
                let token = RefreshToken::from_random(&app.entropy.bytes()?);
                let key = Secret::new(self.parent.expose()).sealing_key(SUCCESSOR);
                let sealed = key.seal(&app.entropy, token.expose().as_bytes())?;
                if !refresh_tokens::consume(unit, self.row, &sealed, app.clock.now()).await? {
                    return Err(Error::InvalidGrant);
                }
                refresh(app, unit, grant, &token, self.ends_at).await?;
                token
            }
        };
        Ok(TokensIssued { access: access(app, unit, grant, self.ends_at).await?, refresh: token })
    }
}

async fn refresh(
    app: &App,
    unit: &mut Unit,
    grant: &Grant,
    token: &RefreshToken,
    ends_at: UnixSeconds,
) -> Result<(), Error> {
    let now = app.clock.now();
    let expires_at = ends_at.min(now + app.config.lifetimes.refresh_idle_secs);
    refresh_tokens::insert(unit, &app.id_of_many()?, token, grant, now, expires_at).await?;
    Ok(())
}
