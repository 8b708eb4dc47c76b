//! `GET /toolbar/{client_id}/status/`: may this site use this application, and if not, why?
//!
//! A frame that the browser refuses to show cannot say so itself; this can, to any site that asks.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use latchkey_protocol::{VERSION, error::ErrorCode};
use serde::Serialize;

use crate::{
    applications::registration,
    clock::UnixSeconds,
    config::Opener,
    http::{error::ApiError, parameters::Parameters},
    oauth::{client::Client, request::Target},
    state::App,
    toolbar::setup,
};

/// Whether a response may go to the address that was asked about.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum RedirectUri {
    Registered,
    Unregistered,
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct Status<'a> {
    /// Whether the site may use the application.
    allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorCode>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_description: Option<&'static str>,
    /// The site, as its browser names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    /// Where an admin lets the site use the application.
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_url: Option<String>,
    /// Only where the request names one, and the application is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<RedirectUri>,
    /// Whether the sign-in window will still know its opener when it is back from the platform's login.
    opener: Opener,
    /// The version of the messages that this platform's pages speak.
    version: u32,
    /// The platform's clock, for whoever wonders about their own: tokens end by this one.
    now: UnixSeconds,
}

/// Answers for the origin that the browser names.
pub async fn get(
    State(app): State<App>,
    Path(client_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default())?;
    let mut unit = app.store.look().await?;
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    // A page of the platform's own: its browser names no origin with a GET, and says this, which no script can.
    let is_own = headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin");
    let origin = origin.or_else(|| is_own.then(|| app.config.issuer()));
    let client = Client::find(&mut unit, &client_id).await?;
    let redirect_uri = client.as_ref().zip(parameters.get("redirect_uri")).map(|(client, asked)| {
        let is_registered = Target::is_registered(asked, &client.application, &app.config);
        if is_registered { RedirectUri::Registered } else { RedirectUri::Unregistered }
    });
    let error = match client {
        Some(client) => {
            let runs_there = |origin| client.application.origins.iter().any(|own| own.as_str() == origin);
            let allowed = origin.is_some_and(|origin| origin == app.config.issuer() || runs_there(origin));
            if !allowed && let Some(origin) = origin {
                app.refused_origins.note(&client_id, origin);
            }
            (!allowed).then_some(ErrorCode::OriginNotAllowed)
        }
        None => Some(ErrorCode::UnknownClient),
    };
    let refused_site = origin
        .filter(|origin| error == Some(ErrorCode::OriginNotAllowed) && registration::origin(origin).is_ok());
    let status = Status {
        allowed: error.is_none(),
        error,
        error_description: error.map(ErrorCode::hint),
        origin,
        setup_url: refused_site.map(|origin| app.config.url(&setup::address(&client_id, origin))),
        redirect_uri,
        opener: app.config.opener,
        version: VERSION,
        now: app.clock.now(),
    };
    let mut response = Json(status).into_response();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
    Ok(response)
}
