//! THE table: every path once, grouped by who may call it. A trailing slash is optional everywhere.

use std::time::Duration;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, Uri},
    middleware::from_fn,
    response::Response,
    routing::{MethodRouter, any, get, post},
};
use latchkey_protocol::scope::Scope;
use tower::{
    ServiceBuilder, ServiceExt,
    layer::util::{Identity, Stack},
    util::MapRequest,
};
use tower_http::{cors::CorsLayer, normalize_path::NormalizePath};

use crate::{
    account::{applications, authorizations, overview, password, sessions},
    applications::{api as api_applications, edit, ending, list, new, show, try_it},
    audit::{self, logs},
    directory::{home, login, logout, organizations, projects},
    gate::{Route, Rule, check, guard, link},
    gateway,
    http::{
        assets, cors,
        error::{ApiError, Error},
        exchange::ExchangeLayer,
        load, page,
        parameters::MAX_BODY,
        readable, script,
    },
    members::{self, accept, remove, role, withdraw},
    oauth::{authorize, introspect, metadata, revoke, signing_keys, token, userinfo},
    state::App,
    toolbar::{callback, frame, session, setup, status},
};

/// Everything the server answers.
pub type Answering = MapRequest<NormalizePath<Router>, fn(Request) -> Request>;

/// Everything the server answers.
pub fn service(app: &App) -> Answering {
    let router = if app.store.is_region() { region(app) } else { router(app) };
    MapRequest::new(NormalizePath::trim_trailing_slash(router), keep_sent_path)
}

/// The address as it was sent, where a slash at its end was taken away: a backend may make a difference there.
#[derive(Debug, Clone)]
pub struct SentPath(pub Uri);

fn keep_sent_path(mut request: Request) -> Request {
    if request.uri().path().ends_with('/') {
        let sent = SentPath(request.uri().clone());
        request.extensions_mut().insert(sent);
    }
    request
}

/// Where our own paths begin: none of these is ever a backend's.
pub const RESERVED: [&str; 13] = [
    "/account",
    "/assets",
    "/gate",
    "/healthz",
    "/invitations",
    "/login",
    "/logout",
    "/metrics",
    "/oauth",
    "/organizations",
    "/readyz",
    "/sdk",
    "/toolbar",
];

/// For a person's own session: the API's paths that no token opens.
pub const SESSION_API: [&str; 3] = [API_AUTHORIZATIONS, API_APPLICATIONS, API_APPLICATION];
const API_AUTHORIZATIONS: &str = "/api/0/api-authorizations";
const API_APPLICATIONS: &str = "/api/0/organizations/{organization}/api-applications";
const API_APPLICATION: &str = "/api/0/organizations/{organization}/api-applications/{client_id}";

fn router(app: &App) -> Router {
    Router::new()
        .merge(pages(app))
        .merge(documents())
        .merge(probes())
        .merge(clients(app))
        .merge(resource_servers(app))
        .merge(proxies())
        .merge(session_api(app))
        .merge(frames(app))
        .merge(api(app, |_| true))
        .layer(ServiceBuilder::new().layer(exchange(app)).layer(DefaultBodyLimit::max(MAX_BODY)))
        .fallback_service(elsewhere(app))
        .with_state(app.clone())
}

/// What a region answers: whoever asks what a token may, and nobody who wants one.
fn region(app: &App) -> Router {
    // Here no backend answers either where the platform does.
    let elsewhere =
        API.iter().filter(|route| !route.is_in_regions).map(|route| route.path).chain(SESSION_API);
    let elsewhere = elsewhere.fold(Router::new(), |router, path| router.route(path, any(not_here)));
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(link::ready))
        .route("/metrics", get(link::metrics))
        .method_not_allowed_fallback(method_not_allowed)
        .merge(resource_servers(app))
        .merge(proxies())
        .merge(api(app, |route| route.is_in_regions))
        .merge(elsewhere.layer(cors::registered_origins(app)))
        .layer(ServiceBuilder::new().layer(exchange(app)).layer(DefaultBodyLimit::max(MAX_BODY)))
        .fallback_service(elsewhere_in_region(app))
        .with_state(app.clone())
}

/// Around what we answer ourselves, behind the bound that each group has of its own, and that says more.
fn exchange(app: &App) -> ExchangeLayer {
    let limits = &app.config.limits;
    ExchangeLayer::new(app, Some(limits.body_time + limits.request_time + Duration::from_secs(1)))
}

/// For a person with a browser of their own: first-party cookies, forms held to their own page, no CORS.
fn pages(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(home::get))
        .route("/login", get(login::get).post(login::post))
        .route("/logout", post(logout::post))
        .route("/account", get(overview::get))
        .route("/account/applications", get(applications::get).post(applications::post))
        .route("/account/password", get(password::get).post(password::post))
        .route("/account/sessions", post(sessions::post))
        // HEAD must not run what GET may do here, which is to issue a token (RFC 9110 §9.3.2).
        .route(
            "/oauth/authorize",
            get(authorize::get)
                .head(authorize::method_not_allowed)
                .post(authorize::post)
                .fallback(authorize::method_not_allowed),
        )
        .merge(organization_pages())
        .route("/toolbar/{client_id}", get(frame::get))
        .route("/toolbar/{client_id}/setup", get(setup::get))
        .route("/toolbar/{client_id}/callback", get(callback::get))
        .route("/toolbar/{client_id}/callback/frame", get(callback::get_for_frame))
        .method_not_allowed_fallback(page::method_not_allowed)
        .layer(from_fn(readable::or_no_page))
        // Of an invitation that cannot be read its own page says that it cannot be used.
        .route("/invitations/{token}", get(accept::get).post(accept::post))
        .method_not_allowed_fallback(page::method_not_allowed)
        .layer(load::shed_page(app))
}

/// For an organization's admins.
fn organization_pages() -> Router<App> {
    const APPLICATIONS: &str = "/organizations/{organization}/applications";
    const APPLICATION: &str = "/organizations/{organization}/applications/{client_id}";
    const MEMBERS: &str = "/organizations/{organization}/members";
    Router::new()
        .route("/organizations/{organization}", get(list::home))
        .route("/organizations/{organization}/audit", get(audit::page::get))
        .route(APPLICATIONS, get(list::get))
        .route(&format!("{APPLICATIONS}/new"), get(new::get).post(new::post))
        .route(APPLICATION, get(show::get))
        .route(&format!("{APPLICATION}/edit"), get(edit::get).post(edit::post))
        .route(&format!("{APPLICATION}/try"), get(try_it::get))
        .route(&format!("{APPLICATION}/disable"), get(ending::ask_disable).post(ending::disable))
        .route(&format!("{APPLICATION}/enable"), post(ending::enable))
        .route(&format!("{APPLICATION}/delete"), get(ending::ask_delete).post(ending::delete))
        .route(MEMBERS, get(members::list::get).post(members::list::post))
        .route(&format!("{MEMBERS}/{{user_id}}/role"), post(role::post))
        .route(&format!("{MEMBERS}/{{user_id}}/remove"), get(remove::get).post(remove::post))
        .route(&format!("{MEMBERS}/invitations/{{invitation_id}}/revoke"), post(withdraw::post))
}

/// For anybody, on whatever site: nothing in them depends on who asks.
fn documents() -> Router<App> {
    Router::new()
        .route("/toolbar/{client_id}/status", get(status::get))
        .route("/assets/{digest}/{name}", get(assets::get))
        .route("/sdk", get(script::describe))
        .route("/sdk/{version}/{name}", get(script::get))
        .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server))
        .route("/.well-known/openid-configuration", get(metadata::authorization_server))
        .route(metadata::PROTECTED_RESOURCE, get(metadata::protected_resource))
        .route("/oauth/jwks", get(signing_keys::get))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(ServiceBuilder::new().layer(cors::any_origin()).layer(from_fn(readable::or_no_api)))
}

/// For whoever watches over the process.
fn probes() -> Router<App> {
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(method_not_allowed)
}

/// For applications, which say who they are in a parameter.
fn clients(app: &App) -> Router<App> {
    Router::new()
        .route("/oauth/token", post(token::post))
        .route("/oauth/revoke", post(revoke::post))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(ServiceBuilder::new().layer(cors::registered_origins(app)).layer(load::shed_api(app)))
}

/// For servers with a secret of their own: no browser calls these, so no site reads them.
fn resource_servers(app: &App) -> Router<App> {
    Router::new()
        .route("/oauth/introspect", post(introspect::post))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(load::shed_api(app))
}

/// For proxies of the platform's own: no site reads these.
fn proxies() -> Router<App> {
    Router::new()
        .route("/gate/check", any(check::by_headers))
        .route("/gate/check/path", any(check::by_path))
        .route("/gate/check/path/{*path}", any(check::by_path))
}

/// For a person's own session, from the platform's own pages: no token opens these, no site may read them.
fn session_api(app: &App) -> Router<App> {
    Router::new()
        .route(API_AUTHORIZATIONS, get(authorizations::get).delete(authorizations::delete))
        .route(API_APPLICATIONS, get(api_applications::list).post(api_applications::post))
        .route(
            API_APPLICATION,
            get(api_applications::get).put(api_applications::put).delete(api_applications::delete),
        )
        .method_not_allowed_fallback(method_not_allowed)
        .layer(ServiceBuilder::new().layer(load::shed_api(app)).layer(from_fn(readable::or_no_api)))
}

/// For an application's frame, which holds a session of its own there: no site reads these.
fn frames(app: &App) -> Router<App> {
    Router::new()
        .route("/toolbar/{client_id}/session", post(session::post).delete(session::delete))
        .route("/toolbar/{client_id}/session/token", post(session::token::post))
        .method_not_allowed_fallback(method_not_allowed)
        .layer(ServiceBuilder::new().layer(load::shed_api(app)).layer(from_fn(readable::or_no_api)))
}

/// For who holds a token, which comes in the header: every route through the gate, each with its rule.
fn api(app: &App, is_meant: fn(&ApiRoute) -> bool) -> Router<App> {
    API.iter()
        .filter(|route| is_meant(route))
        .fold(Router::new(), |router, route| {
            router.route(route.path, guard(app, route.rule(), (route.methods)()))
        })
        .method_not_allowed_fallback(method_not_allowed)
        .layer(ServiceBuilder::new().layer(cors::registered_origins(app)).layer(load::shed_api(app)))
}

/// Whatever is no path of ours, and so never comes before one: a backend's, for who holds a token, with the rules and the
/// bounds of its settings; or nothing.
fn elsewhere(app: &App) -> MethodRouter {
    // A site must be able to read that there is nothing: without CORS its browser says no more than that the network
    // failed.
    let no_api: MethodRouter = any(async || ApiError(Error::NotFound));
    behind(
        app,
        no_api.layer(around(exchange(app), cors::registered_origins(app))),
        any(page::not_found).layer(exchange(app)),
    )
}

/// The same of a region, which has no pages.
fn elsewhere_in_region(app: &App) -> MethodRouter {
    let nothing: MethodRouter = any(not_here);
    let nothing = nothing.layer(around(exchange(app), cors::registered_origins(app)));
    behind(app, nothing.clone(), nothing)
}

fn around(
    exchange: ExchangeLayer,
    cors: CorsLayer,
) -> ServiceBuilder<Stack<CorsLayer, Stack<ExchangeLayer, Identity>>> {
    ServiceBuilder::new().layer(exchange).layer(cors)
}

/// What the backends answer, and what is answered where there is none: below the API's paths, and anywhere else.
fn behind(app: &App, no_api: MethodRouter, no_page: MethodRouter) -> MethodRouter {
    let backends: MethodRouter = any(gateway::forward)
        .layer(around(ExchangeLayer::new(app, None), cors::forwarded(app)))
        .with_state(app.clone());
    let app = app.clone();
    any(async move |mut request: Request| -> Response {
        let path = request.uri().path();
        let found = if let Some(backend) = app.gateway.find(path).cloned() {
            request.extensions_mut().insert(Route(backend.upstream.guarded.prefix.clone()));
            request.extensions_mut().insert(backend);
            backends.clone().oneshot(request).await
        } else if path.starts_with("/api/") {
            no_api.clone().oneshot(request).await
        } else {
            no_page.clone().oneshot(request).await
        };
        found.unwrap_or_else(|never| match never {})
    })
}

/// A route of the API.
#[derive(Debug, Clone, Copy)]
pub struct ApiRoute {
    /// Its path, without the slash at its end.
    pub path: &'static str,
    /// The scope it needs; `None` where any token will do.
    pub scope: Option<Scope>,
    /// Whether a region answers it, which knows what a token stands on and nothing else.
    pub is_in_regions: bool,
    methods: fn() -> MethodRouter<App>,
}

impl ApiRoute {
    /// What it asks of a token. A path that names an organization is about that one, every other about the token's own.
    pub const fn rule(&self) -> Rule {
        Rule::of(self.path, self.scope)
    }
}

/// The API's routes, each with its rule.
pub const API: &[ApiRoute] = &[
    ApiRoute {
        path: "/oauth/userinfo",
        scope: Some(Scope::OpenId),
        // It tells an e-mail address.
        is_in_regions: false,
        // OpenID Connect Core §5.3.1: both methods.
        methods: || get(userinfo::get).post(userinfo::get),
    },
    ApiRoute { path: "/api/0", scope: None, is_in_regions: true, methods: || get(organizations::token) },
    ApiRoute {
        path: "/api/0/organizations",
        scope: Some(Scope::OrgRead),
        is_in_regions: true,
        methods: || get(organizations::list),
    },
    ApiRoute {
        path: "/api/0/organizations/{organization}",
        scope: Some(Scope::OrgRead),
        is_in_regions: true,
        methods: || get(organizations::get),
    },
    ApiRoute {
        path: "/api/0/organizations/{organization}/members",
        scope: Some(Scope::MemberRead),
        is_in_regions: false,
        methods: || get(members::api::list),
    },
    ApiRoute {
        path: "/api/0/organizations/{organization}/audit-logs",
        scope: Some(Scope::OrgAdmin),
        is_in_regions: false,
        methods: || get(logs::list),
    },
    ApiRoute {
        path: "/api/0/organizations/{organization}/projects",
        scope: Some(Scope::ProjectRead),
        is_in_regions: false,
        methods: || get(projects::list),
    },
];

/// The process runs.
async fn healthy() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// The process can answer: its store does.
async fn ready(State(app): State<App>) -> Result<StatusCode, ApiError> {
    let mut unit = app.store.read().await?;
    crate::store::organizations::find(&mut unit, "").await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn not_here() -> ApiError {
    ApiError(Error::NotHere)
}

async fn method_not_allowed() -> ApiError {
    ApiError(Error::MethodNotAllowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_api_has_no_slash_at_its_end() {
        for route in API {
            assert!(!route.path.ends_with('/'), "{}", route.path);
        }
    }
}
