//! `latchkey app …`

use clap::Subcommand;
use latchkey_protocol::scope::{Scope, Scopes};
use serde_json::{Value, json};

use crate::{
    applications::{ResponseType, ResponseTypes, registration},
    cli::{CliError, Context, organizations, read},
    store::{self, applications::Application},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Register an application of an organization.
    Add {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The application's name for people.
        #[arg(long)]
        name: String,
        /// A site it runs on, such as https://www.example.org; may stand several times.
        #[arg(long = "origin", required = true)]
        origins: Vec<String>,
        /// Where its authorization responses may go, besides the platform's own callback; may stand several times.
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        /// A scope of its maximum; may stand several times [default: org:read member:read project:read event:read]
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// A response type it may ask for, token or code; may stand several times [default: token]
        #[arg(long = "response-type")]
        response_types: Vec<String>,
    },
    /// Disable an application: its tokens stop working at once.
    Disable {
        /// Its client id.
        #[arg(long)]
        client_id: String,
    },
}

/// What an application may do that does not say.
const DEFAULT_SCOPES: Scopes =
    Scopes::of(&[Scope::OrgRead, Scope::MemberRead, Scope::ProjectRead, Scope::EventRead]);

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    match command {
        Command::Add { org, name, origins, redirect_uris, scopes, response_types } => {
            let name = read("--name", &name, registration::name)?;
            let origins = read_all("--origin", &origins, registration::origin)?;
            let redirect_uris = read_all("--redirect-uri", &redirect_uris, registration::redirect_uri)?;
            let scopes = read_scopes(&scopes)?;
            let response_types = read_response_types(&response_types)?;
            let mut unit = context.write().await?;
            let organization = organizations::find(&mut unit, &org).await?;
            let application = Application {
                client_id: context.entropy.id()?,
                organization_id: organization.id,
                name,
                scopes,
                response_types,
                asks_always_at: None,
                disabled_at: None,
                origins,
                redirect_uris,
            };
            store::applications::insert(&mut unit, &application, context.clock.now()).await?;
            unit.commit().await?;
            Ok(json!({
                "client_id": application.client_id,
                "organization": organization.slug,
                "name": application.name,
                "allowed_origins": application.origins,
                "redirect_uris": application.redirect_uris,
                "scopes": application.scopes.names(),
                "response_types": application.response_types.to_list().split(' ').collect::<Vec<_>>(),
            }))
        }
        Command::Disable { client_id } => {
            let mut unit = context.write().await?;
            if !store::applications::revoke(&mut unit, &client_id, context.clock.now()).await? {
                return Err(CliError::Unknown(
                    "application",
                    client_id,
                    "`latchkey app add` prints its client_id",
                ));
            }
            unit.commit().await?;
            Ok(json!({ "client_id": client_id, "disabled": true }))
        }
    }
}

/// Reads every value of an option; the same value twice is one.
fn read_all<T: PartialEq>(
    option: &'static str,
    values: &[String],
    rule: impl Fn(&str) -> Result<T, registration::FieldError>,
) -> Result<Vec<T>, CliError> {
    if let Some(value) = values.get(registration::MAX_ENTRIES) {
        let problem = registration::FieldError::TooMany(registration::MAX_ENTRIES);
        return Err(CliError::Option { option, value: value.clone(), problem });
    }
    let mut all: Vec<T> = Vec::new();
    for value in values {
        let value = read(option, value, &rule)?;
        if !all.contains(&value) {
            all.push(value);
        }
    }
    Ok(all)
}

fn read_scopes(values: &[String]) -> Result<Scopes, CliError> {
    if values.is_empty() {
        return Ok(DEFAULT_SCOPES);
    }
    let all = values.iter().try_fold(Scopes::NONE, |all, list| {
        let scopes = Scopes::parse(list).map_err(|unknown| {
            let known = "the scopes are ".to_owned() + &Scopes::ALL.to_list();
            CliError::Refused(format!("--scope {:?} is not a scope; {known}", unknown.0))
        })?;
        Ok::<_, CliError>(all.union(scopes))
    })?;
    if all.is_empty() {
        return Err(CliError::Refused(
            "--scope \"\" names no scope: leave it out for the default".to_owned(),
        ));
    }
    Ok(all)
}

fn read_response_types(values: &[String]) -> Result<ResponseTypes, CliError> {
    let all = values.iter().map(|value| {
        ResponseType::parse(value).ok_or_else(|| {
            CliError::Refused(format!("--response-type {value:?} is not one of token and code"))
        })
    });
    let all = all.collect::<Result<Vec<_>, _>>()?;
    Ok(ResponseTypes::of(&all).unwrap_or_else(ResponseTypes::standard))
}
