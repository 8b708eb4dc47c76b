//! `GET /api/0/organizations/{organization}/members/`.

use axum::{Extension, Json, extract::State};
use serde::Serialize;

use crate::{gate::Authorized, http::error::ApiError, state::App, store};

/// A member of the organization.
#[derive(Debug, Serialize)]
pub struct Member {
    /// The person's id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
    /// `member`, `admin` or `owner`.
    pub role: String,
}

/// Lists the members of the token's organization, by name.
pub async fn list(
    State(app): State<App>,
    Extension(authorized): Extension<Authorized>,
) -> Result<Json<Vec<Member>>, ApiError> {
    let mut unit = app.store.read().await?;
    let members = store::memberships::list(&mut unit, &authorized.organization().id).await?;
    let members = members.into_iter().map(|member| Member {
        id: member.user_id,
        name: member.name,
        email: member.email,
        role: member.role,
    });
    Ok(Json(members.collect()))
}
