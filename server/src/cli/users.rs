//! `latchkey user …`

use std::io::Read;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    applications::registration,
    cli::{CliError, Context, read, taken},
    directory::{
        password::{MAX_PASSWORD, Passwords},
        session,
    },
    secret::Secret,
    store::{self, Unit, users::User},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a person. The password is read from standard input.
    Add {
        /// Their e-mail address.
        #[arg(long)]
        email: String,
        /// Their name.
        #[arg(long)]
        name: String,
        /// Read the password from standard input: it never stands on the line, where others can see it.
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Give a person another password: all their sessions and tokens end. It is read from standard input.
    Password {
        /// Their e-mail address.
        #[arg(long)]
        email: String,
        /// Read the password from standard input: it never stands on the line, where others can see it.
        #[arg(long, required = true)]
        password_stdin: bool,
    },
    /// Disable a person: their sessions and tokens stop working at once.
    Disable {
        /// Their e-mail address.
        #[arg(long)]
        email: String,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    match command {
        Command::Add { email, name, password_stdin: _ } => {
            let email = read("--email", &email, registration::email)?;
            let name = read("--name", &name, registration::name)?;
            let passwords = Passwords::new(&context.entropy, 1)?;
            let password_hash = passwords.hash(password()?, &context.entropy).await?;
            let user = User { id: context.entropy.id()?, email, name, password_hash, disabled_at: None };
            let mut unit = context.write().await?;
            let added = store::users::insert(&mut unit, &user, context.clock.now()).await;
            added.map_err(taken("an account with the address", &user.email))?;
            unit.commit().await?;
            Ok(json!({ "id": user.id, "email": user.email, "name": user.name }))
        }
        Command::Password { email, password_stdin: _ } => {
            let passwords = Passwords::new(&context.entropy, 1)?;
            let hash = passwords.hash(password()?, &context.entropy).await?;
            let mut unit = context.write().await?;
            let user = find(&mut unit, &email).await?;
            store::users::touch_password(&mut unit, &user.id, &user.password_hash, &hash).await?;
            let ended = session::close_all(&mut unit, &user.id, context.clock.now()).await?;
            unit.commit().await?;
            Ok(json!({
                "id": user.id,
                "email": user.email,
                "sessions_ended": ended.sessions,
                "tokens_revoked": ended.tokens,
            }))
        }
        Command::Disable { email } => {
            let mut unit = context.write().await?;
            let user = find(&mut unit, &email).await?;
            store::users::revoke(&mut unit, &user.id, context.clock.now()).await?;
            // It may have to be done at once, so it is done; but whoever does it is told what is left to do.
            let ownerless = store::organizations::list_without_owner(&mut unit, &user.id).await?;
            unit.commit().await?;
            Ok(json!({
                "id": user.id,
                "email": user.email,
                "disabled": true,
                "organizations_without_owner": ownerless,
            }))
        }
    }
}

/// The person with this address, or an error that names it.
pub(super) async fn find(unit: &mut Unit, email: &str) -> Result<User, CliError> {
    let user = store::users::find_by_email(unit, email).await?;
    user.ok_or_else(|| CliError::Unknown("user", email.to_owned(), "add one with `latchkey user add`"))
}

/// The first line of standard input.
fn password() -> Result<Secret, CliError> {
    let mut text = String::new();
    std::io::stdin().take(MAX_PASSWORD as u64 + 3).read_to_string(&mut text)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}
