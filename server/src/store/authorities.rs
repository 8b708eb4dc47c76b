//! What a request is decided by, and a credential issued on, all of it in one look: it is asked again whenever one is
//! issued.

use latchkey_protocol::scope::Role;

use crate::{
    clock::UnixSeconds,
    secret::Digest256,
    store::{
        StoreError, Unit,
        applications::{self, Application},
        consents::{self, Remembered, Subject},
        memberships,
        organizations::Organization,
        sessions::{self, Session},
        statement,
    },
};

/// An active application of an active organization, and what a person is to it.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The application.
    pub application: Application,
    /// Whether the person is there, and not disabled.
    pub has_active_user: bool,
    /// Whether the session is that person's and was not ended. One that merely expired counts: what was allowed in it
    /// may outlive it.
    pub has_unended_session: bool,
    /// What the person is in the application's organization.
    pub role: Option<Role>,
    /// What they allowed it there, if anything.
    pub remembered: Option<Remembered>,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    application: applications::Row,
    organization_disabled_at: Option<UnixSeconds>,
    active_user_id: Option<String>,
    unended_session_id: Option<String>,
    role: Option<String>,
    allowed_scopes: Option<String>,
    refresh_allowed_at: Option<UnixSeconds>,
}

const FIND: &str = applications::select!(
    ", o.disabled_at as organization_disabled_at, u.id as active_user_id, s.id as unended_session_id, m.role,
       c.scopes as allowed_scopes, c.refresh_allowed_at",
    "join organizations o on o.id = a.organization_id
     left join users u on u.id = $2 and u.disabled_at is null
     left join sessions s on s.id = $3 and s.user_id = $2 and s.ended_at is null
     left join memberships m on m.organization_id = a.organization_id and m.user_id = $2
     left join consents c on c.user_id = $2 and c.client_id = $1 and c.requesting_origin = $4 and c.redirect_uri = $5
     where a.client_id = $1"
);

/// An active application of an active organization, and who asks there.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The application.
    pub application: Application,
    /// Its organization.
    pub organization: Organization,
    /// The person, where somebody is signed in.
    pub person: Option<Person>,
}

/// Somebody who is signed in, and what they are to an application.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their session.
    pub session: Session,
    /// What they are in the application's organization.
    pub role: Option<Role>,
    /// What they allowed it, wherever that was: a line for each consent.
    allowed: String,
}

impl Person {
    /// What they allowed there, if anything.
    pub fn remembered(&self, subject: Subject<'_>) -> Result<Option<Remembered>, StoreError> {
        let there = format!("{} {} ", subject.requesting_origin, subject.redirect_uri);
        let allowed = self.allowed.lines().find_map(|line| line.strip_prefix(&there)?.split_once(' '));
        let Some((how, list)) = allowed else { return Ok(None) };
        let scopes = applications::scopes(list, "consents.scopes")?;
        Ok(Some(Remembered { scopes, with_refresh: how == "refresh" }))
    }
}

#[derive(sqlx::FromRow)]
struct AskedRow {
    #[sqlx(flatten)]
    active: applications::ActiveRow,
    session_id: Option<String>,
    authenticated_at: Option<UnixSeconds>,
    user_id: Option<String>,
    user_name: Option<String>,
    user_email: Option<String>,
    role: Option<String>,
    allowed: Option<String>,
}

// Where the response goes is known when the application is, so that every consent comes along, as one text: neither an
// origin nor a redirect URI holds a space.
const ASK: &str = applications::select_active!(
    ", s.id as session_id, s.authenticated_at, u.id as user_id, u.name as user_name, u.email as user_email, m.role,
       (select string_agg(c.requesting_origin || ' ' || c.redirect_uri
                          || case when c.refresh_allowed_at is null then ' once ' else ' refresh ' end || c.scopes, '
')
        from consents c where c.user_id = u.id and c.client_id = a.client_id) as allowed",
    concat!(
        "left join sessions s on ",
        sessions::is_live!("$2", "$3"),
        " left join users u on ",
        sessions::is_active_owner!(),
        " left join memberships m on m.organization_id = a.organization_id and m.user_id = u.id"
    )
);

/// The statements that are put together, for the test that every engine knows them.
#[cfg(test)]
pub(super) fn composed() -> [&'static str; 2] {
    [FIND, ASK]
}

/// The application with this client id and its organization, if both are active, and who has a live session by this
/// secret, if anybody has.
pub async fn ask(
    unit: &mut Unit,
    client_id: &str,
    secret: Option<&Digest256>,
    now: UnixSeconds,
) -> Result<Option<Asked>, StoreError> {
    let secret = secret.map(Digest256::as_bytes);
    let Some(row) = statement!(unit, fetch_optional AskedRow, ASK, client_id, secret, now)? else {
        return Ok(None);
    };
    let (application, organization) = row.active.read()?;
    let session = || {
        Some(Session {
            id: row.session_id?,
            user_id: row.user_id?,
            name: row.user_name?,
            email: row.user_email?,
            authenticated_at: row.authenticated_at?,
        })
    };
    let person = match session() {
        Some(session) => Some(Person {
            session,
            role: row.role.as_deref().map(memberships::role).transpose()?,
            allowed: row.allowed.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Some(Asked { application, organization, person }))
}

/// The application of a subject, if it and its organization are active, and how it stands with the person and their
/// session.
pub async fn find(
    unit: &mut Unit,
    subject: Subject<'_>,
    session_id: &str,
) -> Result<Option<Authority>, StoreError> {
    let Subject { user_id, client_id, requesting_origin, redirect_uri } = subject;
    let found = statement!(
        unit,
        fetch_optional Row,
        FIND,
        client_id,
        user_id,
        session_id,
        requesting_origin,
        redirect_uri
    )?;
    let Some(row) = found else { return Ok(None) };
    let application = Application::try_from(row.application)?;
    if application.disabled_at.is_some() || row.organization_disabled_at.is_some() {
        return Ok(None);
    }
    let remembered = row.allowed_scopes.map(|list| consents::remembered(&list, row.refresh_allowed_at));
    Ok(Some(Authority {
        application,
        has_active_user: row.active_user_id.is_some(),
        has_unended_session: row.unended_session_id.is_some(),
        role: row.role.as_deref().map(memberships::role).transpose()?,
        remembered: remembered.transpose()?,
    }))
}
