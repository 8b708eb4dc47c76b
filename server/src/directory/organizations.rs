//! `GET /api/0/`, `/api/0/organizations/` and `/api/0/organizations/{organization}/`.

use axum::{Extension, Json};
use latchkey_protocol::frame::{Organization, User};
use serde::Serialize;

use crate::{clock::UnixSeconds, gate::Authorized};

/// What a token is, for who holds it.
#[derive(Debug, Serialize)]
pub struct TokenInfo {
    /// The application it was issued to.
    pub client_id: String,
    /// The one organization it opens.
    pub organization: Organization,
    /// The person.
    pub user: User,
    /// What it may do now.
    pub scopes: Vec<&'static str>,
    /// When it expires, in seconds since the Unix epoch.
    pub expires_at: UnixSeconds,
}

/// Describes the token that the request came with.
pub async fn token(Extension(authorized): Extension<Authorized>) -> Json<TokenInfo> {
    let organization = own(&authorized);
    Json(TokenInfo {
        organization,
        scopes: authorized.scopes().names(),
        client_id: authorized.application().client_id.to_string(),
        user: User {
            id: authorized.member().user_id.to_string(),
            name: authorized.member().name.to_string(),
        },
        expires_at: authorized.expires_at(),
    })
}

/// The organizations that the token opens: exactly its own.
pub async fn list(Extension(authorized): Extension<Authorized>) -> Json<[Organization; 1]> {
    Json([own(&authorized)])
}

/// The organization of the path, which the gate has found to be the token's.
pub async fn get(Extension(authorized): Extension<Authorized>) -> Json<Organization> {
    Json(own(&authorized))
}

fn own(authorized: &Authorized) -> Organization {
    let latchkey_gate::standing::Organization { id, slug, name, .. } = authorized.organization();
    Organization { id: id.to_string(), slug: slug.to_string(), name: name.to_string() }
}
