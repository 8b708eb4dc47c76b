//! The command line. Commands other than `serve` print one JSON object and may run beside a live server, which is
//! judged by the same file at its next request.

mod applications;
mod audit;
mod backups;
mod keys;
mod members;
mod migrate;
mod options;
mod organizations;
mod projects;
mod regions;
mod resource_servers;
mod secret;
mod serve;
mod tokens;
mod users;

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use serde_json::Value;

use crate::{
    applications::registration::FieldError,
    audit::By,
    cli::options::Options,
    clock::Clock,
    directory::password::PasswordError,
    gateway::{guarded, upstream},
    http::error::Error,
    oauth::signing_keys::KeyError,
    secret::{Entropy, NoEntropy},
    state::StartError,
    store::{DatabaseUrl, DatabaseUrlError, Store, StoreError, Unit},
};

/// "Log in with us" for every organization of a platform.
#[derive(Debug, Parser)]
#[command(name = "latchkey", version, about, long_about = None, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Kind),
    /// People.
    #[command(subcommand)]
    User(users::Command),
    /// Organizations.
    #[command(subcommand)]
    Org(organizations::Command),
    /// Who belongs to which organization.
    #[command(subcommand)]
    Member(members::Command),
    /// Projects of an organization.
    #[command(subcommand)]
    Project(projects::Command),
    /// Applications of an organization.
    #[command(subcommand)]
    App(applications::Command),
    /// Access and refresh tokens.
    #[command(subcommand)]
    Token(tokens::Command),
    /// Servers that may ask what a token is.
    #[command(subcommand)]
    ResourceServer(resource_servers::Command),
    /// Regions, which answer the gate's questions far from the centre.
    #[command(subcommand)]
    Region(regions::Command),
    /// The audit log of an organization.
    #[command(subcommand)]
    Audit(audit::Command),
    /// The key that signs id_tokens.
    #[command(subcommand)]
    Key(keys::Command),
    /// Bring the database's schema up to date.
    Migrate(migrate::Target),
    /// Copy an embedded database into a file, while it serves.
    Backup {
        /// The file, which is not there yet.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a backup where --database says, and no database is.
    Restore {
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
}

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// An option has a value that is not acceptable.
    #[error("{option} {value:?}: {problem}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        problem: FieldError,
    },
    /// An option is needed that nobody gave.
    #[error(
        "{0} is missing: give it on the line, as {1} in the environment, or in the file that --config names"
    )]
    Missing(&'static str, &'static str),
    /// There is nothing of this name.
    #[error("there is no {0} {1:?}; {2}")]
    Unknown(&'static str, String, &'static str),
    /// There is one already.
    #[error("there is already {0} {1:?}")]
    Taken(&'static str, String),
    /// The request makes no sense, or would leave something broken.
    #[error("{0}")]
    Refused(String),
    /// The database cannot be opened.
    #[error("cannot open the database {url}: {source}. {}", url.next())]
    Open {
        /// Where it is.
        url: DatabaseUrl,
        /// Why.
        source: StoreError,
    },
    /// The text does not name a database.
    #[error("--database {0:?}: {1}")]
    Database(String, DatabaseUrlError),
    /// The file of settings cannot be read.
    #[error("cannot read the settings {path}: {problem}", path = .path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}. Stop what listens there, or choose another address with --listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The database did not answer.
    #[error("the database failed: {0}")]
    Store(#[from] StoreError),
    /// The password is not acceptable.
    #[error("{0}")]
    Password(#[from] PasswordError),
    /// The machine has no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A backend is not described as one can be.
    #[error("upstream {0:?}: {1}")]
    Upstream(String, upstream::Problem),
    /// Paths behind a proxy are not described as they can be.
    #[error("guarded {0:?}: {1}")]
    Guarded(String, guarded::Problem),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Something that pages and commands share failed.
    #[error(transparent)]
    Shared(#[from] Error),
}

/// What every command works with.
struct Context {
    store: Store,
    clock: Clock,
    entropy: Entropy,
}

impl Context {
    async fn open(options: &Options) -> Result<Self, CliError> {
        let url = options.database()?;
        let store = Store::open(&url).await.map_err(|source| CliError::Open { url, source })?;
        Ok(Self { store, clock: Clock::System, entropy: Entropy::System })
    }

    /// Writes as whoever runs the command line, however much others write at the time: nobody does it again for them.
    async fn write(&self) -> Result<Unit, StoreError> {
        self.store.write_alone(By::command(self.clock.now())).await
    }
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Where a build has two of them the library chooses none, and ends the process for it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(value)) => match writeln!(std::io::stdout(), "{value}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error.into()),
        },
        Err(error) => fail(&error),
    }
}

fn fail(error: &CliError) -> ExitCode {
    // Where not even this can be written there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "latchkey: {error}");
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<Option<Value>, CliError> {
    let options = cli.options.with_settings()?;
    // These open the database in their own way.
    match &cli.command {
        Command::Migrate(target) => {
            if let Some(to) = target.url()? {
                return migrate::run(&options, target, &to).await.map(Some);
            }
            if let Some(done) = migrate::take_back(&options, target).await? {
                return Ok(Some(done));
            }
            if regions::migrate(&options).await? {
                return Ok(Some(serde_json::json!({ "migrated": true })));
            }
        }
        Command::Serve(kind) => return serve::run(&options, kind).await.map(|()| None),
        Command::Region(command) => {
            let region = options.server_database()?;
            if let Some(done) = regions::run_there(&region, command).await {
                return done.map(Some);
            }
        }
        Command::Backup { to } => return backups::back_up(&options, to).await.map(Some),
        Command::Restore { from } => return backups::restore(&options, from).await.map(Some),
        _ => {}
    }
    let context = Context::open(&options).await?;
    let value = match cli.command {
        Command::Audit(command) => {
            let exported = audit::run(&context, command).await;
            context.store.close().await;
            return exported.map(|()| None);
        }
        Command::User(command) => users::run(&context, command).await,
        Command::Org(command) => organizations::run(&context, command).await,
        Command::Member(command) => members::run(&context, command).await,
        Command::Project(command) => projects::run(&context, command).await,
        Command::App(command) => applications::run(&context, command).await,
        Command::Token(command) => tokens::run(&context, command).await,
        Command::ResourceServer(command) => resource_servers::run(&context, command).await,
        Command::Region(command) => regions::run(&context, command).await,
        Command::Key(command) => keys::run(&context, &options, command).await,
        // Opening it was all there is to do.
        Command::Migrate(_) | Command::Serve(_) | Command::Backup { .. } | Command::Restore { .. } => {
            Ok(serde_json::json!({ "migrated": true }))
        }
    };
    context.store.close().await;
    value.map(Some)
}

/// Reads an option by a rule of registration; the error names the option and shows what was given.
fn read<T>(
    option: &'static str,
    value: &str,
    rule: impl Fn(&str) -> Result<T, FieldError>,
) -> Result<T, CliError> {
    rule(value).map_err(|problem| CliError::Option { option, value: value.to_owned(), problem })
}

/// A path in the same folder, under the same name with this at its end.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// What a conflict in the store means to who gave the name that is taken.
fn taken(what: &'static str, name: &str) -> impl FnOnce(StoreError) -> CliError {
    move |error| match error {
        StoreError::Conflict => CliError::Taken(what, name.to_owned()),
        other => other.into(),
    }
}
