//! `latchkey key …`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    cli::{CliError, Context, options::Options, secret},
    oauth::signing_keys::SigningKeys,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Sign id_tokens with a new key from now on. The old one's public half stays published for a day.
    Rotate {
        /// Also where the old key cannot be read because its secret is lost: what it signed counts no more
        #[arg(long)]
        forget: bool,
    },
}

pub(super) async fn run(context: &Context, options: &Options, command: Command) -> Result<Value, CliError> {
    let Command::Rotate { forget } = command;
    let secret = secret::find_or_make(options, context, forget).await?;
    let keys = SigningKeys::new(&secret);
    let id = keys.rotate(&context.store, &context.clock, &context.entropy, forget).await?;
    Ok(json!({ "kid": id }))
}
