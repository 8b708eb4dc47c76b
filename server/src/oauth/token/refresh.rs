//! `grant_type=refresh_token` (RFC 6749 §6), with rotation (RFC 9700 §4.14.2).

use latchkey_protocol::scope::Scopes;

use crate::{
    audit::By,
    clock::UnixSeconds,
    http::{error::Error, form::Form},
    oauth::{
        issue::{Authority, Rotation, issue},
        token::Granted,
    },
    secret::RefreshToken,
    state::App,
    store::{
        Unit,
        grants::{self, Given, Selection},
        refresh_tokens::{self, Row},
    },
};

/// What a presented token is now.
enum Standing {
    /// It is the last of its line.
    Last,
    /// It was replaced a moment ago, by this one, which nobody has used: the answer was lost, or two asked at once.
    Repeated(RefreshToken),
    /// It was replaced, and what replaced it was used, or should have been: two hold the line.
    Reused,
}

/// Exchanges a refresh token for the next tokens of its grant.
pub async fn redeem(app: &App, mut unit: Unit, client_id: &str, form: &Form) -> Result<Granted, Error> {
    let parameters = &form.parameters;
    // A text that cannot be a refresh token costs no query.
    let token = parameters.require("refresh_token")?;
    let token = RefreshToken::parse(token).ok_or(Error::InvalidGrant)?;
    let asked = match parameters.get("scope") {
        Some(list) => Some(Scopes::parse(list).map_err(|_| Error::InvalidScope)?),
        None => None,
    };
    let (_, given, _) = find(&mut unit, &token, client_id, asked, app.clock.now()).await?;
    drop(unit);
    app.throttle.refresh(&given.id).await?;

    // Again, in the transaction that issues: another may have presented it in between.
    let mut unit = app.store.write(By::application(client_id, form.address, app.clock.now())).await?;
    let now = app.clock.now();
    let (row, given, scopes) = find(&mut unit, &token, client_id, asked, now).await?;
    let successor = match standing(&token, &row, now, app.config.lifetimes.refresh_grace_secs) {
        Standing::Last => None,
        Standing::Repeated(successor) => Some(successor),
        Standing::Reused => {
            grants::revoke(&mut unit, Selection::One { id: &given.id }, now).await?;
            unit.commit().await?;
            tracing::warn!(
                grant = given.id,
                client_id,
                "a refresh token was used again: its grant is revoked"
            );
            return Err(Error::InvalidGrant);
        }
    };
    let authority = Authority { scopes, ..Authority::from(&given) };
    let rotation = Rotation { parent: &token, row: &row, successor, ends_at: given.expires_at };
    let tokens = issue(app, &mut unit, authority, rotation).await?;
    unit.commit().await?;
    Ok(Granted { tokens, id_token: None })
}

/// The token, its grant and the scopes that are asked for, if it is presented by who holds it and the grant stands.
async fn find(
    unit: &mut Unit,
    token: &RefreshToken,
    client_id: &str,
    asked: Option<Scopes>,
    now: UnixSeconds,
) -> Result<(Row, Given, Scopes), Error> {
    let row = refresh_tokens::find(unit, &token.digest()).await?.ok_or(Error::InvalidGrant)?;
    let given = grants::find(unit, &row.grant_id).await?.ok_or(Error::InvalidGrant)?;
    // RFC 6749 §6: bound to the client it was issued to.
    if given.client_id != client_id || given.revoked_at.is_some() {
        return Err(Error::InvalidGrant);
    }
    // One that was replaced is looked at for as long as the line may live: that it is used again says that two hold it.
    if (row.used_at.is_none() && row.expires_at <= now) || given.expires_at <= now {
        return Err(Error::InvalidGrant);
    }
    // RFC 6749 §6: the same scopes or fewer.
    let scopes = asked.filter(|asked| !asked.is_empty()).unwrap_or(given.scopes);
    if given.scopes.covers(scopes) { Ok((row, given, scopes)) } else { Err(Error::InvalidScope) }
}

fn standing(token: &RefreshToken, row: &Row, now: UnixSeconds, grace_secs: UnixSeconds) -> Standing {
    match row.used_at {
        None => Standing::Last,
        Some(used_at) if now - used_at <= grace_secs => {
            Rotation::open(token, row).map_or(Standing::Reused, Standing::Repeated)
        }
        Some(_) => Standing::Reused,
    }
}
