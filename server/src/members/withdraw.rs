//! `POST /organizations/{organization}/members/invitations/{invitation_id}/revoke/`: withdraws an invitation.

use axum::{
    extract::{Path, State},
    response::Redirect,
};

use crate::{
    http::{
        error::{Error, PageError},
        form::PageForm,
    },
    members::pages::{list_path, sender},
    state::App,
    store,
};

/// Withdraws it: its link does nothing any more. An admin may withdraw what an owner sent: nobody is made anything by
/// that.
pub async fn post(
    State(app): State<App>,
    Path((slug, invitation_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Redirect, PageError> {
    let list = list_path(&slug);
    // There is no page at the form's own address to come back to.
    let sender = sender(&app, &sent, &slug).await;
    let (mut unit, admin) = sender.map_err(|error| PageError::to_sign_in(error, &list))?;
    if !store::invitations::revoke(&mut unit, &admin.organization.id, &invitation_id).await? {
        return Err(Error::NotFound.into());
    }
    unit.commit().await?;
    Ok(Redirect::to(&format!("{list}?done=withdrawn")))
}
