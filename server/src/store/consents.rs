//! What people allowed.

use latchkey_protocol::scope::Scopes;

use crate::{
    clock::UnixSeconds,
    store::{StoreError, Unit, applications::scopes, statement},
};

/// What a consent is for: an origin or a redirect URI added later inherits nothing.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The person who allows.
    pub user_id: &'a str,
    /// The application that is allowed.
    pub client_id: &'a str,
    /// On which site.
    pub requesting_origin: &'a str,
    /// With responses to where.
    pub redirect_uri: &'a str,
}

/// What the person allowed there, if anything.
pub async fn find(unit: &mut Unit, subject: Subject<'_>) -> Result<Option<Scopes>, StoreError> {
    const FIND: &str = "select scopes from consents
                        where user_id = $1 and client_id = $2 and requesting_origin = $3 and redirect_uri = $4";
    let found = statement!(
        unit,
        fetch_optional(String,),
        FIND,
        subject.user_id,
        subject.client_id,
        subject.requesting_origin,
        subject.redirect_uri
    )?;
    found.map(|(list,)| scopes(&list, "consents.scopes")).transpose()
}

/// Remembers what the person allowed, in place of what they allowed before.
pub async fn insert(
    unit: &mut Unit,
    subject: Subject<'_>,
    scopes: Scopes,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into consents
                              (user_id, client_id, requesting_origin, redirect_uri, scopes, created_at, updated_at)
                          values ($1, $2, $3, $4, $5, $6, $6)
                          on conflict (user_id, client_id, requesting_origin, redirect_uri)
                          do update set scopes = excluded.scopes, updated_at = excluded.updated_at";
    statement!(
        unit,
        execute,
        INSERT,
        subject.user_id,
        subject.client_id,
        subject.requesting_origin,
        subject.redirect_uri,
        scopes.to_list(),
        now
    )?;
    Ok(())
}
