//! `POST /oauth/introspect/` (RFC 7662): what a token is now, for a resource server that is registered with a secret.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use latchkey_gate::{Source, Standing, decision};
use latchkey_protocol::oauth::{BEARER, decode};
use serde::Serialize;

use crate::{
    clock::UnixSeconds,
    gate::{OrganizationRule, Rule},
    http::{
        error::{ApiError, Error},
        form::Form,
    },
    secret::{AccessToken, Secret},
    state::App,
    store::{
        Unit,
        resource_servers::{self, ResourceServer},
    },
};

/// What any token must be good for: its own organization, and no scope in particular.
const ANY: Rule = Rule { organization: OrganizationRule::Own, scope: None };
/// The longest credentials that are looked at, in bytes.
const MAX_CREDENTIALS: usize = 512;

/// The answer (RFC 7662 §2.2). Without anything else in it, the token is not one to be accepted: whether there never
/// was such a token, or it expired, or was revoked, or is somebody else's, or its person left, is not told.
#[derive(Debug, Default, Serialize)]
pub struct Introspection {
    active: bool,
    #[serde(flatten)]
    token: Option<Described>,
}

/// A token that counts.
#[derive(Debug, Serialize)]
struct Described {
    scope: String,
    client_id: String,
    token_type: &'static str,
    exp: UnixSeconds,
    iat: UnixSeconds,
    sub: String,
    iss: String,
    /// The scoping organization: what the token opens, and nothing else.
    organization_id: String,
    organization_slug: String,
    organization_name: String,
    /// The token's id, for logs; never the token.
    jti: String,
    /// What the person is in the organization now. The scopes are narrowed to it already.
    role: &'static str,
    /// The person.
    name: String,
    /// A region does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The sites that the application runs on: a request from any other one is to be refused.
    origins: Vec<String>,
}

/// Describes the token that the parameter `token` holds.
pub async fn post(State(app): State<App>, form: Form) -> Result<Json<Introspection>, ApiError> {
    let mut unit = app.store.look().await?;
    let server = authenticate(&mut unit, &form.headers).await?;
    let token = form.parameters.require("token")?;
    // A refresh token is nothing that a resource server accepts, so it is told of access tokens alone.
    let Some(token) = AccessToken::parse(token) else { return Ok(Json(Introspection::default())) };
    drop(unit);
    let source = app.gate.source();
    let standing = match source.recall(&token) {
        Some(known) => Some(known),
        None => source.find(&token).await?,
    };
    Ok(Json(standing.and_then(|standing| describe(&app, &server, &standing)).unwrap_or_default()))
}

/// Who asks, by HTTP Basic (RFC 6749 §2.3.1).
async fn authenticate(unit: &mut Unit, headers: &HeaderMap) -> Result<ResourceServer, Error> {
    const REFUSED: Error = Error::InvalidClient("the id or the secret of the resource server is not right");
    let (id, secret) = credentials(headers).ok_or(REFUSED)?;
    let server = resource_servers::find(unit, &id).await?;
    // In constant time, whether there is such a server or not.
    let stored = server.as_ref().map_or([0; 32].as_slice(), |server| &server.secret_hash);
    let is_right = secret.digest().matches(stored);
    server.filter(|server| is_right && server.disabled_at.is_none()).ok_or(REFUSED)
}

fn credentials(headers: &HeaderMap) -> Option<(String, Secret)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let value = value.to_str().ok().filter(|value| value.len() <= MAX_CREDENTIALS)?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    // RFC 6749 §2.3.1: both are form-urlencoded before they are joined.
    let (id, secret) = text.split_once(':')?;
    // Not every database can be asked for a text with a NUL.
    let id = decode(id).ok().filter(|id| !id.contains('\0'))?;
    Some((id, Secret::new(decode(secret).ok()?)))
}

fn describe(app: &App, server: &ResourceServer, standing: &Standing) -> Option<Introspection> {
    let (application, member) = (&standing.application, &standing.member);
    let organization = &application.organization;
    if server.organization_id.as_deref().is_some_and(|own| *own != *organization.id) {
        return None;
    }
    let asked = decision::Asked {
        rule: ANY,
        named: None,
        origin: None,
        platform: app.config.issuer(),
        now: app.clock.now(),
    };
    let scopes = decision::decide(standing, &asked).ok()?;
    let token = Described {
        scope: scopes.to_list(),
        client_id: application.client_id.to_string(),
        token_type: BEARER,
        exp: standing.expires_at,
        iat: standing.created_at,
        sub: member.user_id.to_string(),
        iss: app.config.issuer().to_owned(),
        organization_id: organization.id.to_string(),
        organization_slug: organization.slug.to_string(),
        organization_name: organization.name.to_string(),
        jti: standing.token_id.to_string(),
        role: member.role?.as_str(),
        name: member.name.to_string(),
        email: member.email.as_deref().map(ToOwned::to_owned),
        origins: application.origins.iter().map(ToString::to_string).collect(),
    };
    Some(Introspection { active: true, token: Some(token) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn read(values: &[&str]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        credentials(&headers).map(|(id, secret)| (id, secret.expose().to_owned()))
    }

    #[test]
    fn credentials_come_in_one_basic_header() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let expected = Some(("id".to_owned(), "s:e c".to_owned()));
        assert_eq!(read(&[&basic("id:s%3Ae+c")]), expected);
        assert_eq!(read(&[&basic("id:s%3Ae+c").replace("Basic", "bAsIc")]), expected);
        let long = basic(&format!("id:{}", "x".repeat(600)));
        for wrong in [
            "",
            "Basic",
            "Basic !",
            "Basic aWQ",
            "Bearer aWQ6cw==",
            &basic("id:%zz"),
            &basic("i%00d:s"),
            &long,
        ] {
            assert_eq!(read(&[wrong]), None, "{wrong:.60}");
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[&basic("id:s"), &basic("id:s")]), None);
    }
}
