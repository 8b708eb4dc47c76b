//! `latchkey token …`

use std::io::Read;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    cli::{CliError, Context, organizations, users},
    secret::AccessToken,
    store::{self, tokens::Selection},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Revoke the access tokens that match everything that is given.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub(super) struct Revoke {
    /// Read one token from standard input.
    #[arg(long, group = "which")]
    token_stdin: bool,
    /// The token's id, as the log names it.
    #[arg(long, group = "which")]
    id: Option<String>,
    /// Those of an application.
    #[arg(long, group = "which")]
    client_id: Option<String>,
    /// Those for an organization, by its slug.
    #[arg(long, group = "which")]
    org: Option<String>,
    /// Those of a person, by their e-mail address.
    #[arg(long, group = "which")]
    email: Option<String>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let Command::Revoke(revoke) = command;
    let mut selection = Selection { id: revoke.id, client_id: revoke.client_id, ..Selection::default() };
    // Before the database is written to: whoever types the token takes their time, and others write meanwhile.
    if revoke.token_stdin {
        selection.token_hash = Some(token()?.digest().as_bytes().to_vec());
    }
    let mut unit = context.store.write().await?;
    if let Some(client_id) = &selection.client_id
        && store::applications::find(&mut unit, client_id).await?.is_none()
    {
        return Err(CliError::Unknown(
            "application",
            client_id.clone(),
            "`latchkey app add` prints its client_id",
        ));
    }
    if let Some(org) = revoke.org {
        selection.organization_id = Some(organizations::find(&mut unit, &org).await?.id);
    }
    if let Some(email) = revoke.email {
        selection.user_id = Some(users::find(&mut unit, &email).await?.id);
    }
    let revoked = store::tokens::revoke_selected(&mut unit, &selection, context.clock.now()).await?;
    unit.commit().await?;
    Ok(json!({ "revoked": revoked }))
}

fn token() -> Result<AccessToken, CliError> {
    let mut text = String::new();
    std::io::stdin().take(256).read_to_string(&mut text)?;
    AccessToken::parse(text.trim())
        .ok_or_else(|| CliError::Refused("standard input does not hold an access token (lkat_…)".to_owned()))
}
