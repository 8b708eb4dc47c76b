//! What clients discover: `/.well-known/oauth-authorization-server` (RFC 8414 §3), `/.well-known/openid-configuration`
//! (OpenID Connect Discovery §4) and `/.well-known/oauth-protected-resource` (RFC 9728 §3).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use latchkey_protocol::{pkce, scope::Scopes};
use serde_json::{Value, json};

use crate::{
    config::Config,
    oauth::{id_token::Person, signing_keys::ALGORITHM, token::GRANT_TYPES},
    state::App,
};

/// For how long a client may remember it.
const CACHE: &str = "public, max-age=3600";

/// The path of the protected resource's description, which every challenge names (RFC 9728 §5.1).
pub const PROTECTED_RESOURCE: &str = "/.well-known/oauth-protected-resource";

/// What the authorization server does: one document for OAuth and OpenID Connect.
pub async fn authorization_server(State(app): State<App>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, CACHE)], Json(describe_server(&app.config)))
}

/// Where tokens for the API come from, and how they are sent.
pub async fn protected_resource(State(app): State<App>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, CACHE)], Json(describe_resource(&app.config)))
}

fn describe_server(config: &Config) -> Value {
    let mut claims = vec!["iss", "aud", "iat", "exp", "auth_time", "nonce", "at_hash"];
    claims.extend(Person::CLAIMS);
    let mut grant_types = GRANT_TYPES.to_vec();
    // RFC 6749 §4.2: the token in the fragment.
    grant_types.push("implicit");
    json!({
        "issuer": config.issuer(),
        "authorization_endpoint": config.url("/oauth/authorize/"),
        "token_endpoint": config.url("/oauth/token/"),
        "revocation_endpoint": config.url("/oauth/revoke/"),
        "introspection_endpoint": config.url("/oauth/introspect/"),
        "userinfo_endpoint": config.url("/oauth/userinfo/"),
        "jwks_uri": config.url("/oauth/jwks/"),
        "scopes_supported": Scopes::ALL.names(),
        "response_types_supported": ["code", "token"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": grant_types,
        // Applications are public clients.
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": [pkce::METHOD],
        // RFC 9207 §3.
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "claims_supported": claims,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

fn describe_resource(config: &Config) -> Value {
    json!({
        "resource": config.issuer(),
        "authorization_servers": [config.issuer()],
        "scopes_supported": Scopes::ALL.names(),
        "bearer_methods_supported": ["header"],
    })
}
