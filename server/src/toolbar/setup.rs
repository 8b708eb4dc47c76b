//! `GET /toolbar/{client_id}/setup/`: from a site that may not use the application to the form in which an admin of its
//! organization lets it.
//!
//! A site knows the client id and nothing of the organization, and whoever follows the link learns no more: who is no
//! admin there is told that there is nothing.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};

use crate::{
    applications::{pages, registration, show},
    directory::admin,
    http::{
        error::{Error, PageError},
        visit::Visit,
    },
    state::App,
    store,
};

/// The address of the link, for a site.
pub fn address(client_id: &str, origin: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("origin", origin).finish();
    format!("/toolbar/{client_id}/setup/?{query}")
}

/// Leads to the form, with the `origin` in the list, not saved yet.
pub async fn get(
    State(app): State<App>,
    Path(client_id): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let origin = registration::origin(visit.parameters.require("origin")?)
        .map_err(|_| Error::parameter("origin", "is not the origin of a site, such as https://a.com"))?;
    let mut unit = app.store.read().await?;
    let application = store::applications::find(&mut unit, &client_id).await?;
    let organization = match application {
        Some(application) => store::organizations::find(&mut unit, &application.organization_id).await?,
        None => None,
    };
    // Nobody who is signed out learns which there are.
    let slug = organization.map(|organization| organization.slug).unwrap_or_default();
    admin::require(&app, &mut unit, &visit.headers, &slug).await.map_err(|error| visit.refuse(error))?;
    let form = pages::path(&slug, &client_id, &show::edit_with(origin.as_str()));
    Ok(Redirect::to(&form).into_response())
}
