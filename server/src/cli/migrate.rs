//! `latchkey migrate`: the schema is brought up to date by opening the database; what is left is to move it elsewhere.

use std::{
    io::{self, Write, stderr},
    num::NonZeroU32,
    path::PathBuf,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::{
    cli::{CliError, options::Options, secret},
    http::assets::hex,
    store::{
        DatabaseUrl, PostgresUrl,
        moving::{self, MovingError, Progress, Stage},
    },
};

/// Rows that are read or written by one statement.
const BATCH: NonZeroU32 = NonZeroU32::MIN.saturating_add(1999);

#[derive(Debug, Args)]
pub(super) struct Target {
    /// Also move everything in it into an empty PostgreSQL database: postgres://user@host/database. No server can have it
    /// open meanwhile. Where it was broken off, the same command goes on
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Let servers start again on the embedded database, which has moved: what was done at the other place is not in it
    #[arg(long, conflicts_with = "to")]
    take_back: bool,
    /// How many rows are moved at once
    #[arg(long, hide = true, value_name = "NUMBER", requires = "to")]
    batch: Option<NonZeroU32>,
}

impl Target {
    /// Where to move it, if anywhere. What is wrong with the URL is said without it: there may be a password in it.
    pub(super) fn url(&self) -> Result<Option<PostgresUrl>, CliError> {
        let Some(text) = &self.to else { return Ok(None) };
        match text.parse() {
            Ok(DatabaseUrl::Postgres(url)) => Ok(Some(url)),
            Ok(DatabaseUrl::Sqlite(_)) => Err(CliError::Refused(
                "--to names a database on a server, as postgres://user@host/database".to_owned(),
            )),
            Err(problem) => Err(CliError::Refused(format!("--to: {problem}"))),
        }
    }
}

/// The file at which the database is, where it is an embedded one.
fn file(options: &Options, otherwise: &str) -> Result<PathBuf, CliError> {
    match options.database()? {
        DatabaseUrl::Sqlite(path) => Ok(path),
        DatabaseUrl::Postgres(url) => {
            Err(CliError::Refused(format!("{url} is on a PostgreSQL server already: {otherwise}")))
        }
    }
}

/// Takes the file back that has moved, if that is what is asked for.
pub(super) async fn take_back(options: &Options, target: &Target) -> Result<Option<Value>, CliError> {
    if !target.take_back {
        return Ok(None);
    }
    let path = file(options, "--take-back is for the file that it came from")?;
    let taken_back = moving::take_back(&path)
        .await
        .map_err(|problem| CliError::Refused(format!("cannot take {} back: {problem}", path.display())))?;
    tell(match taken_back {
        true => "servers start on it again: end those on the other database, of which nothing is known here",
        false => "it has not moved: servers start on it as before",
    });
    Ok(Some(json!({ "taken_back": taken_back })))
}

pub(super) async fn run(options: &Options, target: &Target, to: &PostgresUrl) -> Result<Value, CliError> {
    let database = file(options, "move it with pg_dump and pg_restore")?;
    let mut shown = Shown::new()?;
    let moved =
        moving::insert_all(&database, to, target.batch.unwrap_or(BATCH), |progress| shown.tell(progress));
    let moved = moved.await;
    shown.end();
    let moved = moved.map_err(|problem| match problem {
        MovingError::Closed(source) => {
            CliError::Open { url: DatabaseUrl::Postgres(to.clone()), source: source.into() }
        }
        MovingError::Source(_) | MovingError::InUse | MovingError::Damaged(_) => {
            CliError::Refused(format!("cannot move {}: {problem}", database.display()))
        }
        _ => CliError::Refused(format!("cannot move {} to {to}: {problem}", database.display())),
    })?;
    let tables: Map<_, _> = moved
        .iter()
        .map(|one| (one.table.clone(), json!({ "rows": one.rows, "sha256": hex(&one.sha256) })))
        .collect();
    tell(&format!("everything has moved to {to}, and is the same there"));
    tell(&secret::where_to_take_it(&database));
    if let Some(scripts) = options.scripts()?.filter(|folder| folder.exists()) {
        tell(&format!("sites have pinned scripts in {}: give it as --scripts", scripts.display()));
    }
    tell(&format!(
        "no server starts on {} any more: `latchkey migrate --take-back` undoes that",
        database.display()
    ));
    Ok(json!({ "moved": tables, "verified": true }))
}

/// For people, beside the object on standard output. Where nobody reads it, the object is still printed.
fn tell(text: &str) {
    let _ = writeln!(stderr(), "latchkey: {text}");
}

/// What people see of it: a bar on a terminal, and elsewhere a line for each table.
enum Shown {
    Bar(ProgressBar),
    Lines(Option<Stage>),
}

impl Shown {
    fn new() -> Result<Self, CliError> {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if bar.is_hidden() {
            return Ok(Self::Lines(None));
        }
        let style = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg} ({eta} left)");
        bar.set_style(style.map_err(io::Error::other)?);
        Ok(Self::Bar(bar))
    }

    fn tell(&mut self, progress: Progress<'_>) {
        let (doing, all) = match progress.stage {
            Stage::Looking => ("looking at", "looking whether the file is whole"),
            Stage::Reading => ("reading", "reading everything"),
            Stage::Moving => ("moving", "moving what is not there yet"),
            Stage::Checking => ("checking", "reading everything that is there"),
        };
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.overall.1);
                bar.set_position(progress.overall.0);
                bar.set_message(format!("{doing} {}", progress.table));
            }
            Self::Lines(stage) => {
                if stage.replace(progress.stage) != Some(progress.stage) {
                    tell(all);
                }
                if progress.stage == Stage::Moving && progress.is_done {
                    tell(&format!("{}: {} rows", progress.table, progress.rows));
                }
            }
        }
    }

    fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
