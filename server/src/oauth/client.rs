//! The client of a request: an application, which is public and has no secret (RFC 6749 §2.1).

use axum::http::header;

use crate::{
    http::{error::Error, form::Form, parameters::Parameters},
    store::{self, Unit, applications::Application, organizations::Organization},
};

/// What only a client with a secret sends: RFC 6749 §2.3.1, RFC 7521 §4.2.
const CREDENTIALS: [&str; 2] = ["client_secret", "client_assertion"];

/// What is said to a person of a client that is none, or none any more.
pub const INACTIVE: Error = Error::parameter("client_id", "is not one of an active application");

/// An active application of an active organization.
pub struct Client {
    /// The application.
    pub application: Application,
    /// Its organization.
    pub organization: Organization,
}

impl Client {
    /// Finds it, or says so on a page: RFC 6749 §4.2.2.1 forbids to redirect for a client that is not valid.
    pub async fn require(unit: &mut Unit, client_id: &str) -> Result<Self, Error> {
        Self::find(unit, client_id).await?.ok_or(INACTIVE)
    }

    /// Finds it, if application and organization are active.
    pub async fn find(unit: &mut Unit, client_id: &str) -> Result<Option<Self>, Error> {
        let found = store::applications::find_active(unit, client_id).await?;
        Ok(found.map(|(application, organization)| Self { application, organization }))
    }
}

/// What a public client sent to an endpoint of its own: it says who it is (RFC 6749 §3.2.1) and proves nothing.
///
/// A secret is refused and not ignored: who sends one believes that it protects something.
pub fn read(form: &Form) -> Result<(&Parameters, &str), Error> {
    let parameters = &form.parameters;
    let has_secret = CREDENTIALS.iter().any(|name| parameters.get(name).is_some());
    if has_secret || form.headers.contains_key(header::AUTHORIZATION) {
        return Err(Error::InvalidClient("an application is a public client and has no secret"));
    }
    let client_id = parameters.get("client_id").ok_or(Error::InvalidClient("the client_id is missing"))?;
    Ok((parameters, client_id))
}

/// The application that a request names, active or not: what it may do is asked where it is done.
pub async fn identify(unit: &mut Unit, client_id: &str) -> Result<Application, Error> {
    let found = store::applications::find(unit, client_id).await?;
    found.ok_or(Error::InvalidClient("the client_id is not one of an application"))
}
