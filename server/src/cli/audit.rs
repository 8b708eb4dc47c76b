//! `latchkey audit …`

use std::io::Write;

use clap::Subcommand;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    audit::logs::Logged,
    cli::{CliError, Context, organizations},
    clock::UnixSeconds,
    store::audit_log::{self, Filter},
};

/// How many entries are read at once: the server gets to write in between.
const BATCH: u32 = 1000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the audit log of an organization, the latest entry first: a JSON object on each line.
    Export {
        /// The organization's slug.
        #[arg(long)]
        org: String,
        /// Nothing before this moment: 2026-11-24T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<(), CliError> {
    let Command::Export { org, since } = command;
    let since = since.as_deref().map(moment).transpose()?;
    let mut unit = context.store.read().await?;
    let organization = organizations::find(&mut unit, &org).await?;
    drop(unit);
    let mut filter = Filter { since, limit: BATCH, ..Filter::default() };
    let mut out = std::io::stdout().lock();
    loop {
        let mut unit = context.store.read().await?;
        let rows = audit_log::list(&mut unit, &organization.id, &filter).await?;
        drop(unit);
        let Some(last) = rows.last() else { break };
        filter.before = Some(last.id);
        for row in rows {
            let entry = serde_json::to_string(&Logged::try_from(row)?).map_err(std::io::Error::from)?;
            writeln!(out, "{entry}")?;
        }
    }
    Ok(out.flush()?)
}

fn moment(text: &str) -> Result<UnixSeconds, CliError> {
    OffsetDateTime::parse(text, &Rfc3339).map(OffsetDateTime::unix_timestamp).map_err(|_| {
        CliError::Refused(format!("--since {text:?} is not a moment such as 2026-11-24T00:00:00Z (RFC 3339)"))
    })
}
