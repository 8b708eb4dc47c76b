//! `grant_type=authorization_code` (RFC 6749 §4.1.3).

use latchkey_protocol::{base64url, pkce, scope::Scope};

use crate::{
    audit::By,
    http::{error::Error, form::Form, parameters::Parameters},
    oauth::{
        id_token,
        issue::{Authority, Exchange, issue},
        token::Granted,
    },
    secret::{AuthorizationCode, Secret},
    state::App,
    store::{
        Unit,
        authorization_codes::{self, Row},
        grants::{self, Given, Selection},
        users,
    },
};

/// Exchanges a code for the first tokens of its grant.
///
/// Who presents it with anything wrong is refused and harms nothing: the code still works for its owner. Who presents
/// it rightly a second time shows that two hold code and verifier, so what the first was given ends (RFC 6749 §4.1.2).
pub async fn redeem(app: &App, mut unit: Unit, client_id: &str, form: &Form) -> Result<Granted, Error> {
    let parameters = &form.parameters;
    // A text that cannot be a code costs no query.
    let code = AuthorizationCode::parse(parameters.require("code")?).ok_or(Error::InvalidGrant)?;
    let digest = code.digest();
    let row = authorization_codes::find(&mut unit, &digest).await?.ok_or(Error::InvalidGrant)?;
    let given = find_grant(&mut unit, &row).await?;
    drop(unit);
    check(&row, &given, client_id, parameters)?;

    let mut unit = app.store.write(By::application(client_id, form.address, app.clock.now())).await?;
    if !authorization_codes::consume(&mut unit, &digest, app.clock.now()).await? {
        if authorization_codes::is_used(&mut unit, &digest).await? {
            grants::revoke(&mut unit, Selection::One { id: &given.id }, app.clock.now()).await?;
            unit.commit().await?;
            tracing::warn!(grant = given.id, client_id, "a code was used again: its grant is revoked");
        }
        return Err(Error::InvalidGrant);
    }
    // Again, in the transaction that issues: a sign-out may have come in between.
    let given = find_grant(&mut unit, &row).await?;
    if given.revoked_at.is_some() {
        return Err(Error::InvalidGrant);
    }
    let tokens = issue(app, &mut unit, Authority::from(&given), Exchange).await?;
    let identity = match tokens.access.scopes.grants(Scope::OpenId) {
        true => Some((
            app.signing_keys.current(&mut unit).await?,
            users::find(&mut unit, &given.user_id).await?.ok_or(Error::InvalidGrant)?,
        )),
        false => None,
    };
    unit.commit().await?;
    let id_token = identity
        .map(|(signer, user)| id_token::sign(app, &signer, &given, &row, &user, &tokens.access))
        .transpose()?;
    Ok(Granted { tokens, id_token })
}

async fn find_grant(unit: &mut Unit, row: &Row) -> Result<Given, Error> {
    grants::find(unit, &row.grant_id).await?.ok_or(Error::InvalidGrant)
}

/// Whether the code is presented by who asked for it.
fn check(row: &Row, given: &Given, client_id: &str, parameters: &Parameters) -> Result<(), Error> {
    // RFC 6749 §4.1.3: issued to this client.
    if given.client_id != client_id {
        return Err(Error::InvalidGrant);
    }
    // RFC 6749 §4.1.3: the same redirect URI, where the request named one; where it did not, none but the one it meant.
    let redirect_uri = parameters.get("redirect_uri");
    let is_same = match &row.redirect_uri {
        Some(named) => redirect_uri == Some(named),
        None => redirect_uri.is_none_or(|uri| uri == given.target.redirect_uri),
    };
    if !is_same {
        return Err(Error::InvalidGrant);
    }
    // RFC 7636 §4.6: every code has a challenge, so every exchange needs its verifier.
    let verifier = parameters.get("code_verifier").filter(|verifier| pkce::is_verifier(verifier));
    let verifier = verifier.ok_or(Error::InvalidGrant)?;
    let challenge = base64url::encode(Secret::new(verifier).digest().as_bytes());
    if Secret::new(challenge).matches(&row.code_challenge) { Ok(()) } else { Err(Error::InvalidGrant) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_of_rfc_7636_appendix_b_comes_out() {
        let digest = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").digest();
        assert_eq!(base64url::encode(digest.as_bytes()), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
