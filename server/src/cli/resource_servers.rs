//! `latchkey resource-server …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    applications::registration,
    cli::{CliError, Context, organizations, read},
    secret::Secret,
    store,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register a server that may ask at /oauth/introspect/ what a token is. Its secret is printed once.
    Add {
        /// Its name for people.
        #[arg(long)]
        name: String,
        /// The organization whose tokens alone it is told of, by its slug [default: every organization]
        #[arg(long)]
        org: Option<String>,
    },
    /// Disable a resource server: it is told nothing from now on.
    Disable {
        /// Its id.
        #[arg(long)]
        id: String,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    match command {
        Command::Add { name, org } => {
            let name = read("--name", &name, registration::name)?;
            let (id, secret) = (context.entropy.id()?, Secret::generate(&context.entropy)?);
            let mut unit = context.write().await?;
            let organization = match &org {
                Some(slug) => Some(organizations::find(&mut unit, slug).await?),
                None => None,
            };
            let only = organization.as_ref().map(|organization| organization.id.as_str());
            let now = context.clock.now();
            store::resource_servers::insert(&mut unit, &id, &name, &secret.digest(), only, now).await?;
            unit.commit().await?;
            Ok(json!({ "id": id, "secret": secret.expose(), "name": name, "organization": org }))
        }
        Command::Disable { id } => {
            let mut unit = context.write().await?;
            if !store::resource_servers::revoke(&mut unit, &id, context.clock.now()).await? {
                let next = "`latchkey resource-server add` prints its id";
                return Err(CliError::Unknown("resource server", id, next));
            }
            unit.commit().await?;
            Ok(json!({ "id": id, "disabled": true }))
        }
    }
}
