//! `latchkey project …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    applications::registration,
    cli::{CliError, Context, organizations, read, taken},
    store::{self, projects::Project},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a project to an organization.
    Add {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The project's name in paths.
        #[arg(long)]
        slug: String,
        /// The project's name for people.
        #[arg(long)]
        name: String,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let Command::Add { org, slug, name } = command;
    let slug = read("--slug", &slug, registration::slug)?;
    let name = read("--name", &name, registration::name)?;
    let project = Project { id: context.entropy.id()?, slug, name };
    let mut unit = context.write().await?;
    let organization = organizations::find(&mut unit, &org).await?;
    let added = store::projects::insert(&mut unit, &organization.id, &project, context.clock.now()).await;
    added.map_err(taken("a project with the slug", &project.slug))?;
    unit.commit().await?;
    Ok(json!({
        "id": project.id,
        "organization": organization.slug,
        "slug": project.slug,
        "name": project.name,
    }))
}
