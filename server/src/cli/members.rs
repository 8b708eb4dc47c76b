//! `latchkey member …`

use clap::{Subcommand, ValueEnum};
use latchkey_protocol::scope::Role;
use serde_json::{Value, json};

use crate::{
    cli::{CliError, Context, organizations, users},
    store::{self, StoreError, Unit, grants::Selection, organizations::Organization, users::User},
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

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let now = context.clock.now();
    let mut unit = context.write().await?;
    match command {
        Command::Add { org, email, role } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let user = users::find(&mut unit, &email).await?;
            let role = Role::from(role);
            let added = store::memberships::insert(&mut unit, &organization.id, &user.id, role, now).await;
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
            let role = Role::from(role);
            if role != Role::Owner {
                keep_an_owner(&mut unit, &organization, &user).await?;
            }
            if !store::memberships::touch(&mut unit, &organization.id, &user.id, role).await? {
                return Err(not_a_member(&organization, &user));
            }
            unit.commit().await?;
            Ok(json!({ "organization": organization.slug, "email": user.email, "role": role.as_str() }))
        }
        Command::Remove { org, email } => {
            let organization = organizations::find(&mut unit, &org).await?;
            let user = users::find(&mut unit, &email).await?;
            keep_an_owner(&mut unit, &organization, &user).await?;
            if !store::memberships::remove(&mut unit, &organization.id, &user.id).await? {
                return Err(not_a_member(&organization, &user));
            }
            let theirs = Selection::Member { organization_id: &organization.id, user_id: &user.id };
            let revoked = store::grants::revoke(&mut unit, theirs, now).await?.access_tokens;
            // Who comes back is asked again.
            store::consents::remove_of_member(&mut unit, &organization.id, &user.id).await?;
            unit.commit().await?;
            Ok(json!({
                "organization": organization.slug,
                "email": user.email,
                "removed": true,
                "tokens_revoked": revoked,
            }))
        }
    }
}

fn not_a_member(organization: &Organization, user: &User) -> CliError {
    CliError::Refused(format!("{:?} is not a member of {:?}", user.email, organization.slug))
}

/// Refuses to let the last active owner go.
async fn keep_an_owner(unit: &mut Unit, organization: &Organization, user: &User) -> Result<(), CliError> {
    let role = store::memberships::find(unit, &organization.id, &user.id).await?;
    let active = store::memberships::count_owners(unit, &organization.id).await?;
    let others = active - i64::from(user.disabled_at.is_none());
    if role == Some(Role::Owner) && others == 0 {
        let (email, org) = (&user.email, &organization.slug);
        return Err(CliError::Refused(format!(
            "{email:?} is the last owner of {org:?}; make somebody else an owner first, with `latchkey member role`"
        )));
    }
    Ok(())
}
