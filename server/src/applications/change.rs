//! What is done to an application, whichever way it is asked for: by a page, by the API, by the command line.
//!
//! What is taken away is taken away at once: every sign-in that stands on it ends in the same transaction, and what
//! people allowed there is forgotten.

use crate::{
    applications::draft::Details,
    clock::UnixSeconds,
    oauth::request::Target,
    store::{
        self, StoreError, Unit,
        applications::Application,
        grants::{Revoked, Selection},
    },
};

/// Puts these details in the place of those that were looked at. `None` where somebody changed them in between.
pub async fn replace(
    unit: &mut Unit,
    looked_at: Application,
    details: Details,
    now: UnixSeconds,
) -> Result<Option<Application>, StoreError> {
    let mut application = details.replace(looked_at, now);
    let Some(revision) = store::applications::touch(unit, &application).await? else { return Ok(None) };
    application.revision = revision;
    let Application { organization_id, client_id, .. } = &application;
    let mut fallen = store::grants::list_kinds(unit, organization_id, client_id, now).await?;
    fallen.retain(|kind| {
        !kind.target.is_still_registered(&application) || !application.scopes.covers(kind.scopes)
    });
    store::grants::revoke_kinds(unit, organization_id, client_id, &fallen, now).await?;
    // What is added again later is not what was allowed before.
    let mut forgotten = store::consents::list_targets(unit, organization_id, client_id).await?;
    forgotten.retain(|(requesting_origin, redirect_uri)| {
        !Target::remembered(client_id, requesting_origin, redirect_uri)
            .is_some_and(|target| target.is_still_registered(&application))
    });
    store::consents::remove_of_targets(unit, organization_id, client_id, &forgotten).await?;
    Ok(Some(application))
}

/// Disables an application of the organization, and revokes all that was issued to it: enabled again, it begins anew.
/// `None` where there is none with this client id.
pub async fn disable(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<Option<Revoked>, StoreError> {
    if !store::applications::revoke(unit, organization_id, client_id, now).await? {
        return Ok(None);
    }
    let its = Selection::Application { organization_id, client_id };
    Ok(Some(store::grants::revoke(unit, its, now).await?))
}

/// Deletes an application of the organization, with all that was issued to it and allowed it. `None` where there is
/// none with this client id.
pub async fn remove(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<Option<Revoked>, StoreError> {
    // First, so that the audit log says of every sign-in that it ended.
    let Some(revoked) = disable(unit, organization_id, client_id, now).await? else { return Ok(None) };
    store::applications::remove(unit, organization_id, client_id).await?;
    Ok(Some(revoked))
}
