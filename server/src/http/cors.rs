//! Which answers another site may read.
//!
//! A bearer route's preflight and its errors are readable by every registered origin, so that a 401 reaches the
//! site as what it is; its data goes to the application's own origins alone, which is the gate's decision, not this
//! file's. No answer ever allows credentials.

use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use latchkey_gate::cache::Epoch;
use quick_cache::sync::Cache;
use tower_http::cors::{AllowHeaders, AllowOrigin, Any, CorsLayer};

use crate::{gateway::response::PASSED_ON, state::App, store};

/// How long a browser may remember a preflight's answer. The request that follows is checked all the same.
const MAX_AGE: Duration = Duration::from_secs(600);

/// How many origins are remembered.
const MOST_KNOWN: usize = 10_000;

/// For routes that take a bearer token, or a token as a parameter.
pub fn registered_origins(app: &App) -> CorsLayer {
    let app = app.clone();
    CorsLayer::new()
        .allow_origin(AllowOrigin::async_predicate(move |origin: HeaderValue, _| async move {
            is_registered(&app, &origin).await
        }))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([header::WWW_AUTHENTICATE, header::RETRY_AFTER])
        .max_age(MAX_AGE)
}

/// For what a backend answers: whatever it passes on may be read.
pub fn forwarded(app: &App) -> CorsLayer {
    let own = app.config.upstreams.iter().flat_map(|upstream| upstream.response_headers.clone());
    let exposed = PASSED_ON.into_iter().chain([header::WWW_AUTHENTICATE]).chain(own);
    registered_origins(app)
        .allow_methods([Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(exposed.collect::<Vec<_>>())
}

/// For documents that are public anyway.
pub fn any_origin() -> CorsLayer {
    CorsLayer::new().allow_origin(Any).allow_methods([Method::GET]).allow_headers(Any).max_age(MAX_AGE)
}

/// The origins of active applications that were asked for lately.
#[derive(Debug)]
pub struct KnownOrigins(Cache<String, Epoch>);

impl Default for KnownOrigins {
    fn default() -> Self {
        Self(Cache::new(MOST_KNOWN))
    }
}

/// `null` and what cannot be read are in no registration; a store that does not answer allows nothing.
async fn is_registered(app: &App, origin: &HeaderValue) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    // Taken before anything is read: what changes after that makes what was read count for nothing.
    let epoch = app.gate.source().applications_epoch();
    if epoch.is_some() && app.origins.0.get(origin) == epoch {
        return true;
    }
    let found = async {
        let mut unit = app.store.look().await?;
        store::applications::has_origin(&mut unit, origin).await
    };
    let is_registered = found.await.unwrap_or(false);
    if let (true, Some(epoch)) = (is_registered, epoch) {
        app.origins.0.insert(origin.to_owned(), epoch);
    }
    is_registered
}
