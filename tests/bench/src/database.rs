//! A database as a platform has one after a while: so many tokens, of applications of many organizations.
//!
//! Everything in it is computed from its number, so that the tokens themselves are known to whoever counts. The file is
//! kept between two runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Result, ensure};
use latchkey_gate::token::{AccessToken, Digest256, base62};
use sha2::{Digest, Sha256};
use sqlx::{
    Connection, QueryBuilder, Sqlite, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

/// Counted up whenever the rows are made in another way.
const RECIPE: i64 = 2;
/// How many rows one statement adds.
const BATCH: usize = 500;
/// One in so many tokens is revoked.
const REVOKED: usize = 20;
/// How long a token lives: no run finds one that has expired.
const LIFETIME_SECS: i64 = 10 * 365 * 24 * 3600;
/// What every token was granted.
pub(crate) const SCOPES: &str = "org:read member:read project:read event:write";

/// The resource server that may introspect: its id and its secret.
pub(crate) const RESOURCE_SERVER: (&str, &str) = ("bench", "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG");

/// A database with so many tokens.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) path: PathBuf,
    tokens: usize,
}

/// Somebody who is signed in to the platform, and allowed an application of their organization.
#[derive(Debug)]
pub(crate) struct Person {
    /// The secret of their session.
    pub(crate) session: String,
    /// The application.
    pub(crate) client_id: String,
    /// Where its responses go.
    pub(crate) redirect_uri: String,
}

/// A token, and what is around it.
#[derive(Debug)]
pub(crate) struct Token {
    /// Its id.
    pub(crate) id: String,
    /// The token itself.
    pub(crate) token: AccessToken,
    /// A site of its application.
    pub(crate) origin: String,
    /// Its organization's slug.
    pub(crate) organization: String,
    grant_id: String,
    client_id: String,
    organization_id: String,
    user_id: String,
    session_id: String,
}

impl Database {
    /// The database in this folder with so many tokens. It is made where there is none, or where its schema is not
    /// the server's any more.
    pub(crate) async fn find_or_make(server: &Path, folder: &Path, tokens: usize) -> Result<Self> {
        let database = Self { path: folder.join(format!("{tokens}-tokens.db")), tokens };
        let empty = folder.join("empty.db");
        remove(&empty)?;
        migrate(server, &empty)?;
        if !database.is_good(&empty).await.unwrap_or(false) {
            database.make(server).await?;
        }
        remove(&empty)?;
        Ok(database)
    }

    /// The tokens that are in one of these, without it.
    pub(crate) fn known(tokens: usize) -> Self {
        Self { path: PathBuf::new(), tokens }
    }

    async fn is_good(&self, empty: &Path) -> Result<bool> {
        if !self.path.exists() {
            return Ok(false);
        }
        let (mut own, mut empty) = (open(&self.path).await?, open(empty).await?);
        let recipe: i64 = sqlx::query_scalar("pragma user_version").fetch_one(&mut own).await?;
        let tokens: i64 =
            sqlx::query_scalar("select count(*) from access_tokens").fetch_one(&mut own).await?;
        let is_same = schema(&mut own).await? == schema(&mut empty).await?;
        own.close().await?;
        empty.close().await?;
        Ok(recipe == RECIPE && usize::try_from(tokens)? == self.tokens && is_same)
    }

    /// Makes it aside, so that one that is whole has its name.
    async fn make(&self, server: &Path) -> Result<()> {
        let aside = self.path.with_extension("new");
        remove(&self.path)?;
        remove(&aside)?;
        migrate(server, &aside)?;
        let options = SqliteConnectOptions::new()
            .filename(&aside)
            // Whoever is interrupted begins anew: there is nothing to be careful about.
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .pragma("cache_size", "-1000000")
            .foreign_keys(false);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        self.insert_directory(&mut connection, now).await?;
        self.insert_tokens(&mut connection, now).await?;
        let broken = sqlx::query("pragma foreign_key_check").fetch_all(&mut connection).await?;
        ensure!(broken.is_empty(), "{} rows refer to none", broken.len());
        sqlx::query("pragma user_version = 2").execute(&mut connection).await?;
        connection.close().await?;
        fs::rename(&aside, &self.path)?;
        remove(&aside)
    }

    fn users(&self) -> usize {
        (self.tokens / 100).clamp(10, 10_000)
    }

    fn organizations(&self) -> usize {
        (self.users() / 10).clamp(1, 1000)
    }

    async fn insert_directory(&self, connection: &mut SqliteConnection, now: i64) -> Result<()> {
        let mut transaction = connection.begin().await?;
        for number in 0..self.organizations() {
            sqlx::query("insert into organizations (id, slug, name, created_at) values ($1, $2, $3, $4)")
                .bind(id("organization", number))
                .bind(slug(number))
                .bind(format!("Organization {number}"))
                .bind(now)
                .execute(&mut *transaction)
                .await?;
        }
        for number in 0..2 * self.organizations() {
            let client_id = id("application", number);
            sqlx::query(
                "insert into applications (client_id, organization_id, name, scopes, response_types, created_at)
                 values ($1, $2, 'Toolbar', $3, 'token code', $4)",
            )
            .bind(&client_id)
            .bind(id("organization", number / 2))
            .bind(SCOPES)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            for origin in [origin(number), format!("https://staging-{number}.example")] {
                sqlx::query("insert into application_origins (client_id, origin) values ($1, $2)")
                    .bind(&client_id)
                    .bind(origin)
                    .execute(&mut *transaction)
                    .await?;
            }
            sqlx::query("insert into application_redirect_uris (client_id, redirect_uri) values ($1, $2)")
                .bind(&client_id)
                .bind(redirect_uri(number))
                .execute(&mut *transaction)
                .await?;
        }
        for number in 0..self.users() {
            let user_id = id("user", number);
            let email = format!("person-{number}@organization-{}.example", number % self.organizations());
            sqlx::query(
                "insert into users (id, email, email_key, name, password_hash, created_at)
                 values ($1, $2, $2, $3, 'none', $4)",
            )
            .bind(&user_id)
            .bind(email)
            .bind(format!("Person {number}"))
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "insert into memberships (organization_id, user_id, role, created_at)
                 values ($1, $2, 'member', $3)",
            )
            .bind(id("organization", number % self.organizations()))
            .bind(&user_id)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "insert into sessions (id, secret_hash, user_id, authenticated_at, created_at, expires_at)
                 values ($1, $2, $3, $4, $4, $5)",
            )
            .bind(id("session", number))
            .bind(Digest256::of(session(number).as_bytes()).as_bytes())
            .bind(&user_id)
            .bind(now)
            .bind(now + LIFETIME_SECS)
            .execute(&mut *transaction)
            .await?;
            let application = self.application_of(number);
            sqlx::query(
                "insert into consents (user_id, client_id, requesting_origin, redirect_uri, scopes, created_at,
                                       updated_at, refresh_allowed_at)
                 values ($1, $2, $3, $4, $5, $6, $6, $6)",
            )
            .bind(user_id)
            .bind(id("application", application))
            .bind(origin(application))
            .bind(redirect_uri(application))
            .bind(SCOPES)
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        }
        let (name, secret) = RESOURCE_SERVER;
        sqlx::query(
            "insert into resource_servers (id, name, secret_hash, created_at) values ($1, $1, $2, $3)",
        )
        .bind(name)
        .bind(Digest256::of(secret.as_bytes()).as_bytes())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    async fn insert_tokens(&self, connection: &mut SqliteConnection, now: i64) -> Result<()> {
        let mut transaction = connection.begin().await?;
        for first in (0..self.tokens).step_by(BATCH) {
            let numbers = first..self.tokens.min(first + BATCH);
            let tokens: Vec<Token> = numbers.clone().map(|number| self.token(number)).collect();
            let mut grants = QueryBuilder::<Sqlite>::new(
                "insert into grants (id, client_id, organization_id, user_id, session_id, redirect_uri, callback_at,
                                     requesting_origin, scopes, created_at, expires_at) ",
            );
            grants.push_values(&tokens, |mut row, token| {
                row.push_bind(&token.grant_id)
                    .push_bind(&token.client_id)
                    .push_bind(&token.organization_id)
                    .push_bind(&token.user_id)
                    .push_bind(&token.session_id)
                    .push_bind("https://platform.example/toolbar/callback/")
                    .push_bind(now)
                    .push_bind(&token.origin)
                    .push_bind(SCOPES)
                    .push_bind(now)
                    .push_bind(now + LIFETIME_SECS);
            });
            grants.build().execute(&mut *transaction).await?;
            let mut rows = QueryBuilder::<Sqlite>::new(
                "insert into access_tokens (id, token_hash, last_four, grant_id, scopes, created_at, expires_at,
                                            revoked_at) ",
            );
            rows.push_values(tokens.iter().zip(numbers), |mut row, (token, number)| {
                row.push_bind(&token.id)
                    .push_bind(token.token.digest().as_bytes().to_vec())
                    .push_bind(token.token.last_four())
                    .push_bind(&token.grant_id)
                    .push_bind(SCOPES)
                    .push_bind(now)
                    .push_bind(now + LIFETIME_SECS)
                    .push_bind(self.is_revoked(number).then_some(now));
            });
            rows.build().execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The first application of a person's organization.
    fn application_of(&self, user: usize) -> usize {
        2 * (user % self.organizations())
    }

    /// So many people.
    pub(crate) fn people(&self, most: usize) -> Vec<Person> {
        let person = |number| {
            let application = self.application_of(number);
            Person {
                session: session(number),
                client_id: id("application", application),
                redirect_uri: redirect_uri(application),
            }
        };
        (0..self.users().min(most)).map(person).collect()
    }

    fn token(&self, number: usize) -> Token {
        let user = number % self.users();
        let organization = user % self.organizations();
        let application = 2 * organization + number / self.users() % 2;
        Token {
            id: id("token", number),
            token: AccessToken::from_random(&hash("secret", number)),
            origin: origin(application),
            organization: slug(organization),
            grant_id: id("grant", number),
            client_id: id("application", application),
            organization_id: id("organization", organization),
            user_id: id("user", user),
            session_id: id("session", user),
        }
    }

    fn is_revoked(&self, number: usize) -> bool {
        (number + number / self.users()) % REVOKED == REVOKED - 1
    }

    /// Good tokens, so many as there are, from all over the file.
    pub(crate) fn spread(&self, most: usize) -> Vec<Token> {
        // A stride that has no divisor in common with how many there are meets each once.
        let stride = (self.tokens * 618 / 1000..).find(|stride| gcd(*stride, self.tokens) == 1).unwrap_or(1);
        let numbers = (0..self.tokens).map(|step| step * stride % self.tokens);
        self.those(numbers.filter(|number| !self.is_revoked(*number)), most)
    }

    /// Good tokens of as few people as can be.
    pub(crate) fn of_few_people(&self, most: usize) -> Vec<Token> {
        let of_person = |user| (user..self.tokens).step_by(self.users());
        let numbers = (0..self.users()).flat_map(of_person);
        self.those(numbers.filter(|number| !self.is_revoked(*number)), most)
    }

    /// Tokens that are revoked.
    pub(crate) fn revoked(&self, most: usize) -> Vec<Token> {
        self.those((0..self.tokens).filter(|number| self.is_revoked(*number)), most)
    }

    fn those(&self, numbers: impl Iterator<Item = usize>, most: usize) -> Vec<Token> {
        numbers.take(most).map(|number| self.token(number)).collect()
    }
}

fn gcd(one: usize, other: usize) -> usize {
    if other == 0 { one } else { gcd(other, one % other) }
}

fn hash(kind: &str, number: usize) -> [u8; 32] {
    Sha256::digest(format!("{kind} {number}")).into()
}

fn id(kind: &str, number: usize) -> String {
    base62(&hash(kind, number)).chars().take(22).collect()
}

fn slug(organization: usize) -> String {
    format!("organization-{organization}")
}

fn origin(application: usize) -> String {
    format!("https://site-{application}.example")
}

fn redirect_uri(application: usize) -> String {
    format!("{}/callback", origin(application))
}

fn session(user: usize) -> String {
    base62(&hash("session secret", user))
}

/// Removes a database and what lies beside it.
pub(crate) fn remove(path: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        if Path::new(&name).exists() {
            fs::remove_file(name)?;
        }
    }
    Ok(())
}

fn migrate(server: &Path, path: &Path) -> Result<()> {
    let output = Command::new(server).args(["migrate", "--database", &url(path)]).output()?;
    ensure!(output.status.success(), "latchkey migrate: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// The database as the server's options name it.
pub(crate) fn url(path: &Path) -> String {
    format!("sqlite://{}", path.display())
}

async fn open(path: &Path) -> Result<SqliteConnection> {
    Ok(SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?)
}

async fn schema(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>> {
    const FIND: &str = "select name, sql from sqlite_master where sql is not null order by name, sql";
    Ok(sqlx::query_as(FIND).fetch_all(connection).await?)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(tokens: &[Token]) -> HashSet<&str> {
        tokens.iter().map(|token| &*token.id).collect()
    }

    #[test]
    fn every_token_is_another_one_and_one_in_twenty_is_revoked() {
        for tokens in [100, 1000, 20_000] {
            let database = Database::known(tokens);
            let (good, revoked) = (database.spread(usize::MAX), database.revoked(usize::MAX));
            assert_eq!(ids(&good).len() + ids(&revoked).len(), tokens);
            assert!(ids(&good).is_disjoint(&ids(&revoked)));
            assert_eq!(revoked.len(), tokens / REVOKED);
            assert_eq!(ids(&database.of_few_people(usize::MAX)), ids(&good));
        }
    }

    #[test]
    fn few_people_hold_what_is_of_few_people() {
        let tokens = Database::known(20_000).of_few_people(900);
        let people: HashSet<&str> = tokens.iter().map(|token| &*token.user_id).collect();
        assert_eq!((tokens.len(), people.len()), (900, 10));
    }
}
