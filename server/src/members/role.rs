//! `POST /organizations/{organization}/members/{user_id}/role/`: gives a member another role.

use axum::{
    extract::{Path, State},
    response::Redirect,
};
use latchkey_protocol::scope::Role;

use crate::{
    http::{
        error::{Error, PageError},
        form::PageForm,
    },
    members::{
        membership::{self, Change},
        pages::{self, list_path, sender},
    },
    state::App,
};

/// Takes the form of a member's row: `was` is the role that it showed.
pub async fn post(
    State(app): State<App>,
    Path((slug, user_id)): Path<(String, String)>,
    sent: PageForm,
) -> Result<Redirect, PageError> {
    let list = list_path(&slug);
    // There is no page at the form's own address to come back to.
    let sender = sender(&app, &sent, &slug).await;
    let (mut unit, admin) = sender.map_err(|error| PageError::to_sign_in(error, &list))?;
    let change = Change {
        from: Some(pages::role(&sent.parameters, "was")?),
        to: pages::role(&sent.parameters, "role")?,
    };
    let (organization, authority) = (&admin.organization.id, admin.authority());
    match membership::change_role(&mut unit, organization, &user_id, change, authority).await {
        Ok(()) => unit.commit().await?,
        Err(Error::Outdated) => return Ok(Redirect::to(&format!("{list}?done=outdated"))),
        Err(error) => return Err(error.into()),
    }
    // Who made themselves a member has left these pages.
    let is_out = user_id == admin.session.user_id && change.to == Role::Member;
    Ok(Redirect::to(&if is_out { "/".to_owned() } else { format!("{list}?done=role") }))
}
