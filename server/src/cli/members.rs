//! `latchkey member …`

use clap::{Subcommand, ValueEnum};
use latchkey_protocol::scope::Role;
use serde_json::{Value, json};

use crate::{
    cli::{CliError, Context, organizations, users},
    clock::UnixSeconds,
    config::Lifetimes,
    http::error::Error,
    members::{
        invitation::{self, InviteError, Wish},
        membership::{self, Authority, Change},
    },
    store::{self, StoreError, Unit, organizations::Organization, users::User},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a person a member of an organization.
    Add {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
        /// What they may do there.
        #[arg(long)]
        role: RoleOption,
    },
    /// Give a member another role: their tokens follow it at once.
    Role {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
        /// What they may do there from now on.
        #[arg(long)]
        role: RoleOption,
    },
    /// List the members of an organization, and the invitations that are open.
    List {
        /// The organization's slug.
        #[arg(long)]
        org: String,
    },
    /// Invite a person: prints the link, which works once, for an account with this address.
    Invite {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
        /// What they become.
        #[arg(long)]
        role: RoleOption,
    },
    /// Withdraw an invitation: its link does nothing any more.
    Uninvite {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
    },
    /// End a membership: the tokens that stood on it stop working at once.
    Remove {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
    },
}

/// A role, as the line names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RoleOption {
    /// Reads, and works on events.
    Member,
    /// Does everything but make owners.
    Admin,
    /// Does everything.
    Owner,
}

impl From<RoleOption> for Role {
    fn from(option: RoleOption) -> Self {
        match option {
            RoleOption::Member => Self::Member,
            RoleOption::Admin => Self::Admin,
            RoleOption::Owner => Self::Owner,
        }
    }
}

/// How many are read at once.
const BATCH: u32 = 200;

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let now = context.clock.now();
    let mut unit = context.write().await?;
    match command {
        Command::Add { org, email, role } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let user = users::find(&mut unit, &email).await?;
            let role = Role::from(role);
            let added = membership::add(&mut unit, &organization.id, &user, role, now).await;
            added.map_err(|error| match error {
                StoreError::Conflict => CliError::Refused(format!(
                    "{:?} is already a member of {org:?}; give them another role with `latchkey member role`",
                    user.email
                )),
                other => other.into(),
            })?;
            unit.commit().await?;
            Ok(json!({ "organization": organization.slug, "email": user.email, "role": role.as_str() }))
        }
        Command::Role { org, email, role } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let user = users::find(&mut unit, &email).await?;
            let change = Change { from: None, to: role.into() };
            let changed =
                membership::change_role(&mut unit, &organization.id, &user.id, change, Authority::Command);
            changed.await.map_err(|error| refused(error, &organization, &user))?;
            unit.commit().await?;
            Ok(json!({ "organization": organization.slug, "email": user.email, "role": change.to.as_str() }))
        }
        Command::List { org } => {
            let organization = organizations::find(&mut unit, &org).await?;
            list(&mut unit, &organization, now).await
        }
        Command::Invite { org, email, role } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let wish = Wish {
                organization_id: &organization.id,
                email: &email,
                role: role.into(),
                authority: Authority::Command,
                invited_by: None,
            };
            let lasts = Lifetimes::default().invitation_secs;
            let invited = invitation::invite(&mut unit, &context.entropy, wish, now, lasts).await;
            let invited = invited.map_err(|error| not_invited(error, &email))?;
            unit.commit().await?;
            Ok(json!({
                "organization": organization.slug,
                "email": invited.invitation.email,
                "role": invited.invitation.role.as_str(),
                "expires_at": invited.invitation.expires_at,
                "token": invited.token.expose(),
                "path": invitation::path(invited.token.expose()),
            }))
        }
        Command::Uninvite { org, email } => {
            let organization = organizations::find(&mut unit, &org).await?;
            if !store::invitations::revoke_of_email(&mut unit, &organization.id, &email).await? {
                return Err(CliError::Unknown(
                    "open invitation of",
                    email,
                    "`latchkey member list` prints those that there are",
                ));
            }
            unit.commit().await?;
            Ok(json!({ "organization": organization.slug, "email": email, "withdrawn": true }))
        }
        Command::Remove { org, email } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let user = users::find(&mut unit, &email).await?;
            let removed =
                membership::remove(&mut unit, &organization.id, &user.id, Authority::Command, now).await;
            let revoked = removed.map_err(|error| refused(error, &organization, &user))?;
            unit.commit().await?;
            Ok(json!({
                "organization": organization.slug,
                "email": user.email,
                "removed": true,
                "tokens_revoked": revoked.access_tokens,
            }))
        }
    }
}

async fn list(unit: &mut Unit, organization: &Organization, now: UnixSeconds) -> Result<Value, CliError> {
    let (mut members, mut after) = (vec![], String::new());
    loop {
        let batch = store::memberships::list_after(unit, &organization.id, &after, BATCH).await?;
        let Some(last) = batch.last() else { break };
        after.clone_from(&last.user_id);
        members.extend(batch.iter().map(|member| {
            json!({
                "id": member.user_id,
                "name": member.name,
                "email": member.email,
                "role": member.role,
                "disabled": member.disabled_at.is_some(),
            })
        }));
    }
    let open = store::invitations::list(unit, &organization.id, now).await?;
    let open = open.iter().map(|invitation| {
        json!({
            "email": invitation.email,
            "role": invitation.role.as_str(),
            "expires_at": invitation.expires_at,
        })
    });
    let open: Vec<_> = open.collect();
    Ok(json!({ "organization": organization.slug, "members": members, "invitations": open }))
}

/// What the rules say, for who knows the people by their addresses.
fn refused(error: Error, organization: &Organization, user: &User) -> CliError {
    let (email, org) = (&user.email, &organization.slug);
    match error {
        Error::NotFound => CliError::Refused(format!("{email:?} is not a member of {org:?}")),
        Error::LastOwner => CliError::Refused(format!(
            "{email:?} is the last owner of {org:?}; make somebody else an owner first, with `latchkey member role`"
        )),
        other => other.into(),
    }
}

fn not_invited(error: InviteError, email: &str) -> CliError {
    match error {
        InviteError::Address(problem) => {
            CliError::Option { option: "--email", value: email.to_owned(), problem }
        }
        InviteError::Other(error) => error.into(),
        InviteError::Member | InviteError::TooMany => {
            CliError::Refused(format!("--email {email:?}: {error}"))
        }
    }
}
