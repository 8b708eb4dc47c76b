//! `latchkey region …`: at the centre what a region is given, and in a region from where.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    applications::registration,
    cli::{CliError, Context, options::Options, organizations, read, taken},
    store::{
        self, DatabaseUrl, PostgresUrl, Unit,
        regions::Region,
        subscriptions::{self, SubscriptionError},
    },
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// At the centre: make a region that a database far away can subscribe to.
    Publish {
        /// Its name: lower-case letters, digits and hyphens.
        name: String,
    },
    /// At the centre: the regions there are, and how far behind each is.
    List,
    /// At the centre: put an organization into a region. Where it was before, nothing is known of it any more.
    Assign {
        /// The organization, by its slug.
        #[arg(long, value_name = "SLUG")]
        organization: String,
        /// The region.
        name: String,
    },
    /// At the centre: take an organization out of its region.
    Release {
        /// The organization, by its slug.
        #[arg(long, value_name = "SLUG")]
        organization: String,
    },
    /// At the centre: take a region away in which there is no organization, with the log that is kept for it.
    Remove {
        /// Its name.
        name: String,
    },
    /// In a region, as a superuser of its database: follow what the centre publishes under this name.
    Subscribe {
        /// The region.
        name: String,
        /// The centre's database, as the region's server reaches it: postgres://role:password@host/database. The role
        /// needs REPLICATION, and SELECT in the schema regional alone
        #[arg(long, value_name = "URL")]
        from: String,
    },
    /// In a region: follow it no longer, forget what came, and let the centre drop the log that it keeps.
    Unsubscribe {
        /// Do not ask the centre: `latchkey region remove` drops the log there.
        #[arg(long)]
        without_centre: bool,
    },
}

/// Brings the database up to date if it is a region's, as its owner. False where it is a centre's, or where nobody can tell:
/// whoever opens it then says why.
pub(super) async fn migrate(options: &Options) -> Result<bool, CliError> {
    let DatabaseUrl::Postgres(database) = options.database()? else { return Ok(false) };
    match subscriptions::touch(&database).await {
        Err(SubscriptionError::Engine(_)) => Ok(false),
        touched => touched.map_err(|problem| failed(problem, &database)),
    }
}

/// Runs what is done in a region, whose database nobody else opens. `None` for what is done at the centre.
pub(super) async fn run_there(database: &PostgresUrl, command: &Command) -> Option<Result<Value, CliError>> {
    Some(match command {
        Command::Subscribe { name, from } => subscribe(database, name, from).await,
        Command::Unsubscribe { without_centre } => {
            let removed = subscriptions::remove(database, *without_centre).await;
            let removed = removed.map_err(|problem| failed(problem, database));
            removed.map(|outlet| json!({ "unsubscribed": outlet, "slot_dropped": !without_centre }))
        }
        Command::Publish { .. }
        | Command::List
        | Command::Assign { .. }
        | Command::Release { .. }
        | Command::Remove { .. } => return None,
    })
}

async fn subscribe(database: &PostgresUrl, name: &str, from: &str) -> Result<Value, CliError> {
    let name = read("NAME", name, registration::slug)?;
    // What is wrong with it is said without it: there may be a password in it.
    let from = match from.parse() {
        Ok(DatabaseUrl::Postgres(url)) => url,
        Ok(DatabaseUrl::Sqlite(_)) => {
            let wanted =
                "--from names the centre's database on a server, as postgres://role:password@host/database";
            return Err(CliError::Refused(wanted.to_owned()));
        }
        Err(problem) => return Err(CliError::Refused(format!("--from: {problem}"))),
    };
    let subscribed = subscriptions::insert(database, &name, &from).await;
    subscribed.map_err(|problem| failed(problem, database))?;
    Ok(json!({ "region": name, "subscribed": true, "from": from.to_string() }))
}

/// What went wrong, and what to do. PostgreSQL's own words name the server and the role, and never a password.
fn failed(problem: SubscriptionError, database: &PostgresUrl) -> CliError {
    let next = match &problem {
        SubscriptionError::Engine(error) => match error.as_database_error().and_then(|error| error.code()) {
            // insufficient_privilege
            Some(code) if code == "42501" => {
                ". To make and drop a subscription takes a superuser of the region's database"
            }
            // connection_failure, and what PostgreSQL 15 says where it cannot reach the other server.
            Some(code) if matches!(&*code, "08006" | "08001") => {
                ". The region's server must reach the centre's, which must let the role in on its database; to \
                 unsubscribe without it there is --without-centre"
            }
            _ => "",
        },
        _ => "",
    };
    CliError::Refused(format!("{database}: {problem}{next}"))
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Value, CliError> {
    let now = context.clock.now();
    match command {
        Command::Publish { name } => {
            let name = read("NAME", &name, registration::slug)?;
            let mut unit = context.write().await?;
            if store::regions::find_log_level(&mut unit).await? != "logical" {
                return Err(CliError::Refused(
                    "the database's server writes too little into its log for regions: set wal_level = logical in its \
                     postgresql.conf, and start it again"
                        .to_owned(),
                ));
            }
            store::regions::insert(&mut unit, &name, now).await.map_err(taken("a region", &name))?;
            unit.commit().await?;
            Ok(json!({ "region": name, "published": true }))
        }
        Command::List => {
            let regions = store::regions::list(&mut context.store.read().await?).await?;
            Ok(json!({ "regions": regions.iter().map(shown).collect::<Vec<_>>() }))
        }
        Command::Assign { organization, name } => {
            let mut unit = context.write().await?;
            find(&mut unit, &name).await?;
            move_to(unit, &organization, Some(&name)).await
        }
        Command::Release { organization } => move_to(context.write().await?, &organization, None).await,
        Command::Remove { name } => remove(context, &name).await,
        // They were run before this.
        Command::Subscribe { .. } | Command::Unsubscribe { .. } => Ok(Value::Null),
    }
}

fn shown(region: &Region) -> Value {
    json!({
        "name": region.name,
        "organizations": region.organizations,
        "subscribed": region.is_subscribed,
        "connected": region.is_connected,
        "behind_bytes": region.behind_bytes,
        "log_lost": region.is_log_lost,
    })
}

async fn find(unit: &mut Unit, name: &str) -> Result<Region, CliError> {
    let found = store::regions::find(unit, name).await?;
    found.ok_or_else(|| {
        CliError::Unknown("region", name.to_owned(), "make one with `latchkey region publish`")
    })
}

async fn move_to(mut unit: Unit, slug: &str, name: Option<&str>) -> Result<Value, CliError> {
    let organization = organizations::find(&mut unit, slug).await?;
    let moved = store::regions::touch(&mut unit, &organization.id, name).await?;
    unit.commit().await?;
    Ok(json!({ "organization": slug, "region": name, "moved": moved }))
}

async fn remove(context: &Context, name: &str) -> Result<Value, CliError> {
    let region = find(&mut context.store.read().await?, name).await?;
    if region.organizations > 0 {
        return Err(CliError::Refused(format!(
            "there are {} organizations in the region {name:?}: put each into another one with `latchkey region \
             assign`, or into none with `latchkey region release`",
            region.organizations
        )));
    }
    if region.is_connected {
        return Err(CliError::Refused(format!(
            "the region {name:?} is connected: run `latchkey region unsubscribe` there first"
        )));
    }
    if region.is_subscribed {
        // Before the rest, and by itself: it is no part of a transaction.
        let dropped = store::regions::remove_slot(&mut context.write().await?, name).await;
        dropped.map_err(|error| {
            CliError::Refused(format!(
                "the log that is kept for the region {name:?} cannot be dropped: {error}. Run `select \
                 pg_drop_replication_slot('latchkey_{}')` as a superuser of the database, or it grows for ever",
                name.replace('-', "_")
            ))
        })?;
    }
    let mut unit = context.write().await?;
    store::regions::remove(&mut unit, name).await?;
    unit.commit().await?;
    Ok(json!({ "region": name, "removed": true }))
}
