//! What clients discover (RFC 8414, OpenID Connect Discovery, RFC 9728).

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::support::{PLATFORM, Platform, anonymous};

async fn document(platform: &Platform, path: &str) -> Value {
    let request = Request::get(path).header("origin", "https://anybody.example").body(Body::empty()).unwrap();
    let answer = platform.send(request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    answer.json()
}

#[tokio::test]
async fn the_authorization_server_says_exactly_what_it_does() {
    let platform = Platform::new().await;
    let expected = json!({
        "issuer": PLATFORM,
        "authorization_endpoint": "https://platform.example/oauth/authorize/",
        "token_endpoint": "https://platform.example/oauth/token/",
        "revocation_endpoint": "https://platform.example/oauth/revoke/",
        "introspection_endpoint": "https://platform.example/oauth/introspect/",
        "userinfo_endpoint": "https://platform.example/oauth/userinfo/",
        "jwks_uri": "https://platform.example/oauth/jwks/",
        "scopes_supported": [
            "org:read", "org:write", "org:admin", "member:read", "member:write", "member:admin",
            "project:read", "project:write", "project:admin", "event:read", "event:write", "event:admin",
            "openid", "profile", "email",
        ],
        "response_types_supported": ["code", "token"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": ["authorization_code", "refresh_token", "implicit"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "claims_supported": [
            "iss", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "sub", "name", "email",
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        assert_eq!(document(&platform, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn the_protected_resource_names_its_authorization_server() {
    let platform = Platform::new().await;
    let described = document(&platform, "/.well-known/oauth-protected-resource").await;
    assert_eq!(described["resource"], PLATFORM);
    assert_eq!(described["authorization_servers"], json!([PLATFORM]));
    assert_eq!(described["bearer_methods_supported"], json!(["header"]));
    assert_eq!(described["scopes_supported"].as_array().unwrap().len(), 15);
}

/// What the document names is there: nothing of it is a 404.
#[tokio::test]
async fn every_address_it_names_is_answered() {
    let platform = Platform::new().await;
    let described = document(&platform, "/.well-known/openid-configuration").await;
    let mut addresses = 0;
    for (name, value) in described.as_object().unwrap() {
        let Some(path) =
            value.as_str().and_then(|url| url.strip_prefix(PLATFORM)).filter(|path| !path.is_empty())
        else {
            continue;
        };
        let answer = anonymous(&platform, path).await;
        assert!([200, 400, 401, 405].contains(&answer.status), "{name}: {}", answer.status);
        addresses += 1;
    }
    assert_eq!(addresses, 6);
    let answer = platform
        .send(
            Request::builder()
                .method(Method::POST)
                .uri("/.well-known/openid-configuration")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    answer.assert_api_error(405, "method_not_allowed");
}
