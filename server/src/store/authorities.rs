//! What a credential is issued on, all of it in one look: it is asked again whenever one is issued.

use latchkey_protocol::scope::Role;

use crate::{
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        applications::{self, Application},
        consents::{self, Remembered, Subject},
        memberships, statement,
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

/// The statement that is put together, for the test that every engine knows it.
#[cfg(test)]
pub(super) fn composed() -> [&'static str; 1] {
    [FIND]
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
