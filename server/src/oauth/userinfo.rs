//! `/oauth/userinfo/` (OpenID Connect Core §5.3): the person, to who holds a token with scope `openid`.
//!
//! It lies behind the gate like the API: a person who left, or a site that is not the application's, is refused here
//! as well.

use axum::{
    Extension, Json,
    response::{IntoResponse, Response},
};

use crate::{gate::Authorized, oauth::id_token::Person};

/// Describes the person.
pub async fn get(Extension(authorized): Extension<Authorized>) -> Response {
    let person = authorized.member();
    let email = person.email.as_deref();
    Json(Person::shown(authorized.scopes(), &person.user_id, &person.name, email)).into_response()
}
