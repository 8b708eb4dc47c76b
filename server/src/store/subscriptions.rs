//! Regions, where they are: a database that PostgreSQL's own replication keeps after the centre's, and nothing else writes
//! to. What the centre publishes is in [`super::regions`].

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, migrate::Migrator};

use super::{
    StoreError,
    postgres::{IS_CENTRE, IS_REGION, require_utf8},
    url::PostgresUrl,
};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/region");

/// Why a database does not become a region's, or does not cease to be one.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// The database did not do what it was told, or cannot be reached.
    #[error(transparent)]
    Engine(#[from] sqlx::Error),
    /// Its schema could not be brought up to date.
    #[error(transparent)]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// It holds what a centre does.
    #[error("this database is a centre's: give the region a database of its own")]
    Centre,
    /// It subscribes to something already.
    #[error("this database subscribes to {0} already: run `latchkey region unsubscribe` first")]
    Taken(String),
    /// It is no region's, whatever it subscribes to.
    #[error("this database is no region's")]
    NoRegion,
    /// It subscribes to nothing.
    #[error("this database subscribes to nothing")]
    Missing,
    /// The centre does not give it what it needs.
    #[error("{0}")]
    NotGiven(String),
}

impl From<StoreError> for SubscriptionError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Engine(error) => Self::Engine(error),
            other => Self::NotGiven(other.to_string()),
        }
    }
}

/// The subscription of this database, if it has one.
const FIND: &str = "select s.subname::text from pg_subscription s join pg_database d on d.oid = s.subdbid
                    where d.datname = current_database()";
/// What the statement that names the centre would leave in the server's log, with a password.
const QUIETLY: &str = "set log_statement = 'none'; set log_min_error_statement = 'panic';
                       set log_min_duration_statement = -1; set log_min_duration_sample = -1";
/// What was there before, and all that anybody remembers of it.
const EMPTY: &str = "
    truncate regional.organizations, regional.memberships, regional.users, regional.applications,
             regional.application_origins, regional.grants, regional.access_tokens, regional.resource_servers,
             regional.heartbeat, regional.gaps;
    select pg_notify('latchkey_gate', 'anything')";

/// Makes this database a region's, which follows what the centre publishes under this name. It begins with a copy, and is
/// not complete before that is.
pub async fn insert(to: &PostgresUrl, name: &str, from: &PostgresUrl) -> Result<(), SubscriptionError> {
    let centre = from.for_a_server()?;
    let mut connection = PgConnection::connect_with(&to.options()?).await?;
    require_utf8(&mut connection).await?;
    if sqlx::query_scalar(IS_CENTRE).fetch_one(&mut connection).await? {
        return Err(SubscriptionError::Centre);
    }
    if let Some(taken) = sqlx::query_scalar(FIND).fetch_optional(&mut connection).await? {
        return Err(SubscriptionError::Taken(taken));
    }
    let outlet = outlet(name);
    // Mostly it can be reached from here as well, and says more than the server would. What files it names are the server's.
    if let Ok(options) = from.options()
        && let Ok(mut centre) = PgConnection::connect_with(&options).await
    {
        require_given(&mut centre, name, &outlet).await?;
        centre.close().await?;
    }
    MIGRATIONS.run(&mut connection).await?;
    connection.execute(sqlx::raw_sql(EMPTY)).await?;
    connection.execute(sqlx::raw_sql(QUIETLY)).await?;
    let sql = format!(
        "create subscription {outlet} connection '{}' publication {outlet}",
        centre.replace('\'', "''")
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    // Where there is no publication the server only warns of it.
    let follows: bool = sqlx::query_scalar("select exists (select from pg_subscription_rel)")
        .fetch_one(&mut connection)
        .await?;
    if !follows {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("drop subscription {outlet}")))).await?;
        return Err(SubscriptionError::NotGiven(unpublished(name)));
    }
    Ok(connection.close().await?)
}

/// Brings the schema of a region's database up to date. False where it is none.
pub async fn touch(region: &PostgresUrl) -> Result<bool, SubscriptionError> {
    let mut connection = PgConnection::connect_with(&region.options()?).await?;
    let is_region = sqlx::query_scalar(IS_REGION).fetch_one(&mut connection).await?;
    if is_region {
        MIGRATIONS.run(&mut connection).await?;
    }
    connection.close().await?;
    Ok(is_region)
}

/// Ends it, and with it the log that the centre keeps for it; where the centre is gone, or is not to be asked, that is left
/// there. What this database holds is deleted.
pub async fn remove(from: &PostgresUrl, without_centre: bool) -> Result<String, SubscriptionError> {
    let mut connection = PgConnection::connect_with(&from.options()?).await?;
    let found: Option<String> = sqlx::query_scalar(FIND).fetch_optional(&mut connection).await?;
    let outlet = found.ok_or(SubscriptionError::Missing)?;
    if !sqlx::query_scalar(IS_REGION).fetch_one(&mut connection).await? {
        return Err(SubscriptionError::NoRegion);
    }
    let mut run = async |sql: String| connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop);
    if without_centre {
        run(format!("alter subscription \"{outlet}\" disable")).await?;
        run(format!("alter subscription \"{outlet}\" set (slot_name = none)")).await?;
    }
    run(format!("drop subscription \"{outlet}\"")).await?;
    run(EMPTY.to_owned()).await?;
    connection.close().await?;
    Ok(outlet)
}

/// The name of a region's publication, of its subscription, and of the slot that keeps the log for it. It is that of
/// `regional.outlet` at the centre.
fn outlet(name: &str) -> String {
    format!("latchkey_{}", name.replace('-', "_"))
}

fn unpublished(name: &str) -> String {
    format!("the centre publishes no region {name:?}: run `latchkey region publish {name}` there")
}

/// Asks the centre, as the role that will connect, for what that needs.
async fn require_given(centre: &mut PgConnection, name: &str, outlet: &str) -> Result<(), SubscriptionError> {
    const GIVEN: &str = "select current_setting('wal_level') = 'logical',
                                exists (select from pg_publication where pubname = $1),
                                (select rolreplication or rolsuper from pg_roles where rolname = current_user),
                                coalesce((select bool_and(has_schema_privilege(n.oid, 'usage')
                                                          and has_table_privilege(c.oid, 'select'))
                                          from pg_class c join pg_namespace n on n.oid = c.relnamespace
                                          where n.nspname = 'regional' and c.relkind = 'r'
                                            and c.relname <> 'regions'), false),
                                current_user::text,
                                (select coalesce(database, '') from pg_replication_slots where slot_name = $1)";
    let (level, published, replicates, reads, role, taken): (bool, bool, bool, bool, String, Option<String>) =
        sqlx::query_as(GIVEN).bind(outlet).fetch_one(centre).await?;
    if let Some(database) = taken {
        return Err(SubscriptionError::NotGiven(format!(
            "the centre's server keeps its log for a region {name:?} already, of the database {database:?}: run \
             `latchkey region unsubscribe` where it is subscribed or, where that is lost, `select \
             pg_drop_replication_slot('{outlet}')` at the centre"
        )));
    }
    let missing = match (level, published, replicates, reads) {
        (false, ..) => {
            "the centre's server writes too little into its log: set wal_level = logical there, and start \
                        it again"
                .to_owned()
        }
        (_, false, ..) => unpublished(name),
        (_, _, false, _) => {
            format!(
                "the role {role:?} may not replicate: run `alter role {role:?} replication` at the centre"
            )
        }
        (_, _, _, false) => format!(
            "the role {role:?} may not read the schema regional: run `grant usage on schema regional to {role:?}; \
             grant select on all tables in schema regional to {role:?}` at the centre"
        ),
        (true, true, true, true) => return Ok(()),
    };
    Err(SubscriptionError::NotGiven(missing))
}
