//! `GET /api/0/organizations/{organization}/projects/`.

use axum::{Extension, Json, extract::State};
use serde::Serialize;

use crate::{gate::Authorized, http::error::ApiError, state::App, store};

/// A project of the organization.
#[derive(Debug, Serialize)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// Its name in paths.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// Lists the projects of the token's organization, by name.
pub async fn list(
    State(app): State<App>,
    Extension(authorized): Extension<Authorized>,
) -> Result<Json<Vec<Project>>, ApiError> {
    let mut unit = app.store.read().await?;
    let projects = store::projects::list(&mut unit, &authorized.organization().id).await?;
    let projects = projects.into_iter().map(|project| Project {
        id: project.id,
        slug: project.slug,
        name: project.name,
    });
    Ok(Json(projects.collect()))
}
