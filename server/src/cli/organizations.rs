//! `latchkey org …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    applications::registration,
    cli::{CliError, Context, read, taken},
    store::{self, Unit, organizations::Organization},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add an organization.
    Add {
        /// Its name in paths: lower-case letters, digits and hyphens.
        #[arg(long)]
        slug: String,
        /// Its name for people.
        #[arg(long)]
        name: String,
    },
    /// Disable an organization: its applications and tokens stop working at once.
    Disable {
        /// Its name in paths.
        #[arg(long)]
        slug: String,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    match command {
        Command::Add { slug, name } => {
            let slug = read("--slug", &slug, registration::slug)?;
            let name = read("--name", &name, registration::name)?;
            let organization = Organization { id: context.entropy.id()?, slug, name, disabled_at: None };
            let mut unit = context.write().await?;
            let added = store::organizations::insert(&mut unit, &organization, context.clock.now()).await;
            added.map_err(taken("an organization with the slug", &organization.slug))?;
            unit.commit().await?;
            Ok(json!({ "id": organization.id, "slug": organization.slug, "name": organization.name }))
        }
        Command::Disable { slug } => {
            let mut unit = context.write().await?;
            let organization = find(&mut unit, &slug).await?;
            store::organizations::revoke(&mut unit, &organization.id, context.clock.now()).await?;
            unit.commit().await?;
            Ok(json!({ "id": organization.id, "slug": organization.slug, "disabled": true }))
        }
    }
}

/// The organization with this slug, or an error that names it.
pub(super) async fn find(unit: &mut Unit, slug: &str) -> Result<Organization, CliError> {
    let found = store::organizations::find_by_slug(unit, slug).await?;
    found.ok_or_else(|| CliError::Unknown("organization", slug.to_owned(), "add one with `latchkey org add`"))
}
