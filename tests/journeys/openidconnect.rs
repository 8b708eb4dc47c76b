//! The crate openidconnect, as a program with no secret uses it.

use anyhow::{Context, Result, ensure};
use http::{Request, header};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalProviderMetadata, AuthorizationCode, ClientId, CsrfToken,
    IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata,
    RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, TokenResponse,
    core::{
        CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
        CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
        CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
        CoreSubjectIdentifierType, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    clients::{allow, check, task},
    https::Https,
    journey::journeys,
};

/// What the crate's own metadata has no place for (RFC 8414 §2, RFC 9207 §3).
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Further {
    revocation_endpoint: RevocationUrl,
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Further {}

type Metadata = ProviderMetadata<
    Further,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What the API answers to this token.
async fn call(https: &Https, api: &str, token: &AccessToken) -> Result<(u16, Value)> {
    let request = Request::get(api).header(header::AUTHORIZATION, format!("Bearer {}", token.secret()));
    let answer = https.send(request.body(Vec::new())?).await?;
    Ok((answer.status().as_u16(), serde_json::from_slice(answer.body())?))
}

journeys! {
    fn openidconnect_signs_in_refreshes_and_revokes(journey) on TlsByAddress {
        let task = task(journey).await?;
        let text = |name: &str| task[name].as_str().unwrap_or_default().to_owned();
        let https = Https::trusting(journey.stage.authority())?;
        let http = |request| https.send(request);

        let metadata = Metadata::discover_async(IssuerUrl::new(text("issuer"))?, &http).await?;
        let issuer = metadata.issuer().clone();
        let further = metadata.additional_metadata().clone();
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(text("clientId")), None)
            .set_redirect_uri(RedirectUrl::new(text("redirectUri"))?)
            .set_revocation_url(further.revocation_endpoint);

        let verifier = PkceCodeVerifier::new(text("verifier"));
        let (authorize, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                {
                    let state = text("state");
                    move || CsrfToken::new(state)
                },
                {
                    let nonce = text("nonce");
                    move || Nonce::new(nonce)
                },
            )
            .add_scopes(text("scope").split(' ').map(|scope| Scope::new(scope.to_owned())))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        let arrived: url::Url = allow(journey, authorize.as_str()).await?.parse()?;
        let parameter = |name| arrived.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        ensure!(parameter("state").as_ref() == Some(state.secret()), "the state is another");
        ensure!(further.authorization_response_iss_parameter_supported, "there is no promise of iss");
        ensure!(parameter("iss").as_ref() == Some(&*issuer), "the issuer is another");

        let code = AuthorizationCode::new(parameter("code").context("no code")?);
        let tokens = client.exchange_code(code)?.set_pkce_verifier(verifier).request_async(&http).await?;
        let id_token = tokens.id_token().context("no id_token")?;
        let checked = client.id_token_verifier();
        let claims = id_token.claims(&checked, &nonce)?;
        let actual = AccessTokenHash::from_token(
            tokens.access_token(), id_token.signing_alg()?, id_token.signing_key(&checked)?)?;
        ensure!(claims.access_token_hash() == Some(&actual), "the id_token is of another access token");

        let of_whom = Some(claims.subject().clone());
        let person: CoreUserInfoClaims =
            client.user_info(tokens.access_token().clone(), of_whom)?.request_async(&http).await?;
        let (_, projects) = call(&https, &text("api"), tokens.access_token()).await?;

        let first = tokens.refresh_token().context("no refresh token")?;
        let refresh = async |token: &RefreshToken| {
            anyhow::Ok(client.exchange_refresh_token(token)?.request_async(&http).await)
        };
        let refreshed = refresh(first).await??;
        let next = refreshed.refresh_token().context("no refresh token")?;
        let (renewed, _) = call(&https, &text("api"), refreshed.access_token()).await?;

        client.revoke_token(CoreRevocableToken::RefreshToken(next.clone()))?.request_async(&http).await?;
        let (_, refused) = call(&https, &text("api"), refreshed.access_token()).await?;
        let refusal = match refresh(next).await? {
            Err(RequestTokenError::ServerResponse(response)) => response.error().as_ref().to_owned(),
            other => anyhow::bail!("it was not refused: {other:?}"),
        };

        let slugs: Vec<_> = projects.as_array().into_iter().flatten().map(|one| &one["slug"]).collect();
        check(journey, &json!({
            "issuers": [issuer],
            "name": person.name().and_then(|name| name.get(None)),
            "email": person.email(),
            "scope": tokens.scopes().map(|all| all.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(" ")),
            "projects": slugs,
            "rotated": next.secret() != first.secret(),
            "renewed": renewed,
            "revoked": [refused["error"], refusal],
        }))?;
    }
}
