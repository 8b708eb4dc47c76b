//! The gate: the middleware through which every API request passes.
//!
//! bearer → token → application → user → organization → origin → path → membership → scope. One query, nothing
//! remembered: what changed a moment ago, here or in another process, is what the next request is judged by.

pub mod bearer;
mod challenge;
pub mod decision;

use axum::{
    extract::{RawPathParams, Request, State, rejection::RawPathParamsRejection},
    http::{header, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::MethodRouter,
};
use latchkey_protocol::scope::{Scope, Scopes};

use crate::{
    clock::UnixSeconds,
    gate::decision::Asked,
    http::error::{ApiError, Error},
    state::App,
    store,
};

/// The path parameter that names an organization, by slug or by id.
pub const ORGANIZATION: &str = "organization";

/// Which organization a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationRule {
    /// The path names it.
    InPath,
    /// It is the token's own.
    Own,
}

/// What a route asks of a token.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Which organization the route is about.
    pub organization: OrganizationRule,
    /// The scope it needs; `None` where any token will do.
    pub scope: Option<Scope>,
}

/// Who passed, and with what.
#[derive(Debug, Clone)]
pub struct Authorized {
    /// The token's id.
    pub token_id: String,
    /// The application.
    pub client_id: String,
    /// The person.
    pub user_id: String,
    /// Their name.
    pub user_name: String,
    /// Their e-mail address.
    pub user_email: String,
    /// The scoping organization.
    pub organization_id: String,
    /// Its slug.
    pub organization_slug: String,
    /// Its name.
    pub organization_name: String,
    /// What the token may do now: never more than the person's role.
    pub scopes: Scopes,
    /// When the token expires.
    pub expires_at: UnixSeconds,
}

/// Puts the gate before a route. There is no other way into the API's router, so a route without a rule does not
/// compile.
pub fn guard(app: &App, rule: Rule, route: MethodRouter<App>) -> MethodRouter<App> {
    route.layer(from_fn_with_state((app.clone(), rule), pass))
}

async fn pass(
    State((app, rule)): State<(App, Rule)>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    // A path that cannot be read names no organization, which no rule that asks for one lets through.
    let parameters = parameters.ok();
    let mut parameters = parameters.iter().flatten();
    let named = parameters.find(|(name, _)| *name == ORGANIZATION).map(|(_, value)| value.to_owned());
    match authorize(&app, rule, named.as_deref(), &parts).await {
        Ok(authorized) => {
            tracing::info!(
                token = authorized.token_id,
                client_id = authorized.client_id,
                organization = authorized.organization_id,
                user = authorized.user_id,
                "api call"
            );
            parts.extensions.insert(authorized);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => {
            tracing::info!(%error, "api call refused");
            let challenge = challenge::of(&error, &app.config);
            let mut response = ApiError(error).into_response();
            if let Some(challenge) = challenge {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
    }
}

async fn authorize(app: &App, rule: Rule, named: Option<&str>, request: &Parts) -> Result<Authorized, Error> {
    let token = bearer::read(&request.headers, request.uri.query())?;
    let origin = match request.headers.get(header::ORIGIN) {
        // An origin that cannot be read is one that is in no registration.
        Some(origin) => Some(origin.to_str().map_err(|_| Error::OriginNotAllowed)?),
        None => None,
    };
    let mut unit = app.store.read().await?;
    let facts = store::tokens::find(&mut unit, &token.digest(), origin).await?.ok_or(Error::InvalidToken)?;
    let asked = Asked { rule, named, origin, platform: app.config.public_url.as_str(), now: app.clock.now() };
    let scopes = decision::decide(&facts, &asked)?;
    Ok(Authorized {
        token_id: facts.token_id,
        client_id: facts.client_id,
        user_id: facts.user_id,
        user_name: facts.user_name,
        user_email: facts.user_email,
        organization_id: facts.organization_id,
        organization_slug: facts.organization_slug,
        organization_name: facts.organization_name,
        scopes,
        expires_at: facts.expires_at,
    })
}
