//! `latchkey token …`

use std::io::Read;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    cli::{CliError, Context, organizations, users},
    clock::UnixSeconds,
    secret::{AccessToken, RefreshToken},
    store::{
        Unit,
        applications::{self, Application},
        grants::{self, Selection},
        refresh_tokens, tokens,
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Revoke one token, or all that an application, an organization, a person holds; those that match everything
    /// that is given.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).multiple(true),
    group = ArgGroup::new("one").multiple(false).conflicts_with("all"),
    group = ArgGroup::new("all").multiple(true),
)]
pub(super) struct Revoke {
    /// Read one access or refresh token from standard input. A refresh token ends with all that was issued beside it.
    #[arg(long, groups = ["which", "one"])]
    token_stdin: bool,
    /// The access token's id, as the log names it.
    #[arg(long, groups = ["which", "one"])]
    id: Option<String>,
    /// Those of an application.
    #[arg(long, groups = ["which", "all"])]
    client_id: Option<String>,
    /// Those for an organization, by its slug.
    #[arg(long, groups = ["which", "all"])]
    org: Option<String>,
    /// Those of a person, by their e-mail address.
    #[arg(long, groups = ["which", "all"])]
    email: Option<String>,
}

/// A token of either kind.
enum Token {
    Access(AccessToken),
    Refresh(RefreshToken),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let Command::Revoke(revoke) = command;
    // Before the database is written to: whoever types the token takes their time, and others write meanwhile.
    let token = if revoke.token_stdin { Some(token()?) } else { None };
    let now = context.clock.now();
    let mut unit = context.write().await?;
    let revoked = match (token, &revoke.id) {
        (Some(Token::Refresh(token)), _) => revoke_line(&mut unit, &token, now).await?,
        (Some(Token::Access(token)), _) => {
            tokens::revoke_one(&mut unit, None, Some(&token.digest()), now).await?.into()
        }
        (None, Some(id)) => tokens::revoke_one(&mut unit, Some(id), None, now).await?.into(),
        (None, None) => revoke_all(&mut unit, &revoke, now).await?,
    };
    unit.commit().await?;
    Ok(json!({ "revoked": revoked }))
}

async fn revoke_line(unit: &mut Unit, token: &RefreshToken, now: UnixSeconds) -> Result<u64, CliError> {
    let Some(row) = refresh_tokens::find(unit, &token.digest()).await? else { return Ok(0) };
    Ok(grants::revoke(unit, Selection::One { id: &row.grant_id }, now).await?.access_tokens)
}

async fn revoke_all(unit: &mut Unit, revoke: &Revoke, now: UnixSeconds) -> Result<u64, CliError> {
    let application = match &revoke.client_id {
        Some(client_id) => Some(applications::find(unit, client_id).await?.ok_or_else(|| {
            CliError::Unknown("application", client_id.clone(), "`latchkey app add` prints its client_id")
        })?),
        None => None,
    };
    let organization = match &revoke.org {
        Some(org) => Some(organizations::find(unit, org).await?),
        None => None,
    };
    let user = match &revoke.email {
        Some(email) => Some(users::find(unit, email).await?),
        None => None,
    };
    let application = application.as_ref();
    let organization_id = organization.as_ref().map(|organization| organization.id.as_str());
    // An application is of one organization: with another one it has nothing.
    if application.zip(organization_id).is_some_and(|(application, id)| application.organization_id != id) {
        return Ok(0);
    }
    let user_id = user.as_ref().map(|user| user.id.as_str());
    let theirs = match (application, organization_id, user_id) {
        (Some(Application { client_id, .. }), _, Some(user_id)) => Selection::Allowed { user_id, client_id },
        (Some(Application { client_id, organization_id, .. }), _, None) => {
            Selection::Application { organization_id, client_id }
        }
        (None, Some(organization_id), Some(user_id)) => Selection::Member { organization_id, user_id },
        (None, Some(organization_id), None) => Selection::Organization { organization_id },
        (None, None, Some(user_id)) => Selection::Person { user_id },
        // The command line asks for one of them.
        (None, None, None) => return Ok(0),
    };
    Ok(grants::revoke(unit, theirs, now).await?.access_tokens)
}

fn token() -> Result<Token, CliError> {
    let mut text = String::new();
    std::io::stdin().take(256).read_to_string(&mut text)?;
    let text = text.trim();
    let access = AccessToken::parse(text).map(Token::Access);
    access.or_else(|| RefreshToken::parse(text).map(Token::Refresh)).ok_or_else(|| {
        CliError::Refused(
            "standard input does not hold an access token (lkat_…) or a refresh token (lkrt_…)".to_owned(),
        )
    })
}
