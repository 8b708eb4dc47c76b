//! `latchkey app …`

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    applications::{
        change,
        draft::{Draft, Field, Problem},
        form,
    },
    cli::{CliError, Context, organizations},
    store::{self, Unit, applications::Application},
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
        /// A site it runs on, such as https://www.example.org; may stand several times. Without one it needs a
        /// --redirect-uri.
        #[arg(long = "origin")]
        origins: Vec<String>,
        #[command(flatten)]
        more: More,
    },
    /// List the applications of an organization.
    List {
        /// The organization's slug.
        #[arg(long)]
        org: String,
    },
    /// Show an application.
    Show {
        /// Its client id.
        #[arg(long)]
        client_id: String,
    },
    /// Change an application: what is not named stays as it is. Sign-ins that stand on what is taken away end at once.
    Update {
        /// Its client id.
        #[arg(long)]
        client_id: String,
        /// Its name for people.
        #[arg(long)]
        name: Option<String>,
        /// A site it runs on, in place of those it has; may stand several times; empty for none.
        #[arg(long = "origin")]
        origins: Vec<String>,
        #[command(flatten)]
        more: More,
    },
    /// Disable an application: its tokens stop working at once.
    Disable {
        /// Its client id.
        #[arg(long)]
        client_id: String,
    },
    /// Let a disabled application work again.
    Enable {
        /// Its client id.
        #[arg(long)]
        client_id: String,
    },
    /// Delete an application, with all that was issued to it: its client id never works again.
    Delete {
        /// Its client id.
        #[arg(long)]
        client_id: String,
    },
}

/// What may be said of an application.
#[derive(Debug, Args)]
pub(super) struct More {
    /// Where its authorization responses may go, besides the platform's own callback; may stand several times; empty
    /// for none.
    #[arg(long = "redirect-uri")]
    redirect_uris: Vec<String>,
    /// A scope of its maximum; may stand several times [default: org:read member:read project:read event:read]
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// A response type it may ask for, token or code; may stand several times [default: token]
    #[arg(long = "response-type")]
    response_types: Vec<String>,
    /// Whether every sign-in asks for consent.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    asks_always: Option<bool>,
    /// A page about it; empty for none.
    #[arg(long)]
    homepage_url: Option<String>,
    /// A page with its privacy policy; empty for none.
    #[arg(long)]
    privacy_url: Option<String>,
    /// A page with its terms; empty for none.
    #[arg(long)]
    terms_url: Option<String>,
}

impl More {
    /// The draft with what was said in the place of what was.
    fn put_into(self, origins: Vec<String>, draft: Draft) -> Draft {
        let or = |said: Vec<String>, was| if said.is_empty() { was } else { said };
        let or_none = |said: Vec<String>, was| if said == [""] { vec![] } else { or(said, was) };
        Draft {
            allowed_origins: or_none(origins, draft.allowed_origins),
            redirect_uris: or_none(self.redirect_uris, draft.redirect_uris),
            scopes: or(self.scopes, draft.scopes),
            response_types: or(self.response_types, draft.response_types),
            asks_always: self.asks_always.unwrap_or(draft.asks_always),
            homepage_url: self.homepage_url.unwrap_or(draft.homepage_url),
            privacy_url: self.privacy_url.unwrap_or(draft.privacy_url),
            terms_url: self.terms_url.unwrap_or(draft.terms_url),
            name: draft.name,
        }
    }
}

/// How many are read at once.
const BATCH: u32 = 200;

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let now = context.clock.now();
    let mut unit = context.write().await?;
    match command {
        Command::Add { org, name, origins, more } => {
            let draft = more.put_into(origins, Draft { name, ..form::empty() });
            let details = draft.read().map_err(|problems| refused(&draft, &problems))?;
            let organization = organizations::find(&mut unit, &org).await?;
            let application = details.register(context.entropy.id()?, organization.id, now);
            store::applications::insert(&mut unit, &application, now).await?;
            unit.commit().await?;
            Ok(described(&application, &organization.slug))
        }
        Command::List { org } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let (mut all, mut after) = (vec![], String::new());
            loop {
                let batch = store::applications::list(&mut unit, &organization.id, &after, BATCH).await?;
                let Some(last) = batch.last() else { break };
                after.clone_from(&last.client_id);
                all.extend(batch.iter().map(|application| described(application, &organization.slug)));
            }
            Ok(json!({ "organization": organization.slug, "applications": all }))
        }
        Command::Show { client_id } => {
            let (application, slug) = find(&mut unit, &client_id).await?;
            let live =
                store::grants::count_live(&mut unit, &application.organization_id, &client_id, now).await?;
            let mut shown = described(&application, &slug);
            shown["live"] = json!(live);
            Ok(shown)
        }
        Command::Update { client_id, name, origins, more } => {
            let (application, slug) = find(&mut unit, &client_id).await?;
            let before = Draft::from(&application);
            let name = name.unwrap_or_else(|| before.name.clone());
            let draft = more.put_into(origins, Draft { name, ..before });
            let details = draft.read().map_err(|problems| refused(&draft, &problems))?;
            let changed = change::replace(&mut unit, application, details, now).await?;
            let changed = changed.ok_or_else(|| unknown(client_id))?;
            unit.commit().await?;
            Ok(described(&changed, &slug))
        }
        Command::Disable { client_id } => {
            let (application, _) = find(&mut unit, &client_id).await?;
            change::disable(&mut unit, &application.organization_id, &client_id, now).await?;
            unit.commit().await?;
            Ok(json!({ "client_id": client_id, "disabled": true }))
        }
        Command::Enable { client_id } => {
            let (application, _) = find(&mut unit, &client_id).await?;
            store::applications::touch_enabled(&mut unit, &application.organization_id, &client_id).await?;
            unit.commit().await?;
            Ok(json!({ "client_id": client_id, "disabled": false }))
        }
        Command::Delete { client_id } => {
            let (application, _) = find(&mut unit, &client_id).await?;
            let revoked = change::remove(&mut unit, &application.organization_id, &client_id, now).await?;
            unit.commit().await?;
            let tokens = revoked.unwrap_or_default().access_tokens;
            Ok(json!({ "client_id": client_id, "deleted": true, "tokens_revoked": tokens }))
        }
    }
}

/// The application, and its organization's slug.
async fn find(unit: &mut Unit, client_id: &str) -> Result<(Application, String), CliError> {
    let found = store::applications::find(unit, client_id).await?;
    let application = found.ok_or_else(|| unknown(client_id.to_owned()))?;
    let organization = store::organizations::find(unit, &application.organization_id).await?;
    Ok((application, organization.map(|organization| organization.slug).unwrap_or_default()))
}

fn unknown(client_id: String) -> CliError {
    CliError::Unknown(
        "application",
        client_id,
        "`latchkey app list` prints the client ids of an organization",
    )
}

fn described(application: &Application, slug: &str) -> Value {
    json!({
        "client_id": application.client_id,
        "organization": slug,
        "name": application.name,
        "homepage_url": application.homepage_url,
        "privacy_url": application.privacy_url,
        "terms_url": application.terms_url,
        "allowed_origins": application.origins,
        "redirect_uris": application.redirect_uris,
        "scopes": application.scopes.names(),
        "response_types": application.response_types.names(),
        "asks_always": application.asks_always_at.is_some(),
        "disabled": application.disabled_at.is_some(),
    })
}

/// The first of what is wrong, by the option's name; the line is corrected one option at a time.
fn refused(draft: &Draft, problems: &[Problem]) -> CliError {
    let Some(Problem { field, entry, error }) = problems.first() else {
        return CliError::Refused("the application is not acceptable".to_owned());
    };
    let (option, given): (_, &[String]) = match field {
        Field::Name => ("--name", std::slice::from_ref(&draft.name)),
        Field::HomepageUrl => ("--homepage-url", std::slice::from_ref(&draft.homepage_url)),
        Field::PrivacyUrl => ("--privacy-url", std::slice::from_ref(&draft.privacy_url)),
        Field::TermsUrl => ("--terms-url", std::slice::from_ref(&draft.terms_url)),
        Field::AllowedOrigins => ("--origin", &draft.allowed_origins),
        Field::RedirectUris => ("--redirect-uri", &draft.redirect_uris),
        Field::Scopes => ("--scope", &draft.scopes),
        Field::ResponseTypes => ("--response-type", &draft.response_types),
        Field::AsksAlways => ("--asks-always", &[]),
        Field::Disabled => ("disable", &[]),
    };
    let value = entry.map_or_else(|| given.last(), |entry| given.get(entry)).cloned().unwrap_or_default();
    CliError::Option { option, value, problem: error.clone() }
}
