//! What the two engines must have in common: the schema, every statement, and a way forward from every version. The half
//! that needs a server runs where `LATCHKEY_TEST_POSTGRES` names one.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection, migrate::Migrator,
    postgres::PgTypeInfo,
};

use super::{applications, audit_log, authorities, grants, postgres, sessions, sqlite};

/// A database of the server's that is there for one test.
struct Throwaway {
    server: String,
    name: String,
}

impl Throwaway {
    async fn new(name: &str) -> Option<(Self, PgConnection)> {
        let server = std::env::var("LATCHKEY_TEST_POSTGRES").ok()?;
        let name = format!("{name}_{}", std::process::id());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        connection.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        let connection = PgConnection::connect(url.as_str()).await.unwrap();
        Some((Self { server, name }, connection))
    }

    async fn end(self, connection: PgConnection) {
        connection.close().await.unwrap();
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        connection.execute(AssertSqlSafe(format!("drop database {}", self.name))).await.unwrap();
    }
}

async fn embedded() -> SqliteConnection {
    SqliteConnection::connect("sqlite::memory:").await.unwrap()
}

/// The migrations up to a version.
fn until(migrations: &Migrator, version: i64) -> Migrator {
    let kept: Vec<_> = migrations.iter().filter(|one| one.version <= version).cloned().collect();
    Migrator::with_migrations(kept)
}

/// A line for each column, key and index that both engines are to have: `table.column type null`, and so on.
async fn of_sqlite(connection: &mut SqliteConnection) -> BTreeSet<String> {
    const LINES: &str = "
        with tables as (select name from sqlite_master where type = 'table' and sql like '%strict')
        select t.name || '.' || c.name || ' ' || lower(c.type) || case when c.\"notnull\" = 1 then '' else ' null' end
        from tables t, pragma_table_info(t.name) c
        union all
        select t.name || '.' || c.name || ' default ' || c.dflt_value
        from tables t, pragma_table_info(t.name) c where c.dflt_value is not null
        union all
        select t.name || ' key ' || (select string_agg(name, ' ') from (select name from pragma_table_info(t.name)
                                                                    where pk > 0 order by pk))
        from tables t
        union all
        select t.name || ' unique ' || (select string_agg(name, ' ') from (select name from pragma_index_info(i.name)
                                                                       order by seqno))
        from tables t, pragma_index_list(t.name) i where i.origin = 'u'
        union all
        select t.name || ' index ' || i.name || ' ' ||
               (select string_agg(name, ' ') from (select name from pragma_index_info(i.name) order by seqno)) ||
               case when i.partial = 1 then ' partial' else '' end
        from tables t, pragma_index_list(t.name) i where i.origin = 'c'
        union all
        select t.name || ' refers to ' || f.\"table\" || ' by ' || string_agg(f.\"from\", ' ') || ' ' ||
               lower(f.on_delete)
        from tables t, pragma_foreign_key_list(t.name) f group by t.name, f.id, f.\"table\", f.on_delete";
    let lines: Vec<String> = sqlx::query_scalar(LINES).fetch_all(&mut *connection).await.unwrap();
    // By its own word for the same type.
    let lines = lines.into_iter().map(|line| line.replace(" integer", " bigint").replace(" blob", " bytea"));
    // Of its checks the engine keeps the text alone.
    const TABLES: &str = "select name, sql from sqlite_master where type = 'table' and sql like '%strict'";
    let tables: Vec<(String, String)> = sqlx::query_as(TABLES).fetch_all(connection).await.unwrap();
    let checks = tables.iter().flat_map(|(table, sql)| {
        let checks = sql.split("check (").skip(1).enumerate();
        checks.map(move |(number, rest)| {
            check(table, number, rest.split([')', '\n']).next().unwrap_or_default())
        })
    });
    lines.chain(checks).collect()
}

/// A line for the so manieth check of a table: the values that it names, which both engines write alike.
fn check(table: &str, number: usize, text: &str) -> String {
    let values: BTreeSet<_> = text.split('\'').skip(1).step_by(2).collect();
    format!("{table} check {number} {}", values.into_iter().collect::<Vec<_>>().join(" "))
}

async fn of_postgres(connection: &mut PgConnection) -> BTreeSet<String> {
    const LINES: &str = "
        with tables as (select oid, relname::text as name from pg_class
                        where relkind = 'r' and relnamespace = 'public'::regnamespace
                          and relname not like '\\_sqlx%'),
             columns as (select a.attrelid, a.attnum, a.attname::text as name, a.attnotnull,
                                format_type(a.atttypid, a.atttypmod) as type
                         from pg_attribute a where a.attnum > 0 and not a.attisdropped),
             keys as (select i.indrelid, i.indexrelid::regclass::text as name, i.indisprimary, i.indpred is not null as partial,
                             exists (select 1 from pg_constraint k
                                     where k.conindid = i.indexrelid and k.contype = 'u') as is_unique,
                             (select string_agg(c.name, ' ' order by n.at)
                              from unnest(i.indkey::int[]) with ordinality n (attnum, at)
                              join columns c on c.attrelid = i.indrelid and c.attnum = n.attnum) as columns
                      from pg_index i)
        select t.name || '.' || c.name || ' ' || c.type || case when c.attnotnull then '' else ' null' end
        from tables t join columns c on c.attrelid = t.oid
        union all
        select t.name || '.' || c.name || ' default ' || pg_get_expr(d.adbin, d.adrelid)
        from tables t join columns c on c.attrelid = t.oid
        join pg_attrdef d on d.adrelid = t.oid and d.adnum = c.attnum
        union all
        select t.name || case when k.indisprimary then ' key '
                              when k.is_unique then ' unique '
                              else ' index ' || k.name || ' ' end || k.columns ||
               case when k.partial then ' partial' else '' end
        from tables t join keys k on k.indrelid = t.oid
        union all
        select t.name || ' refers to ' || k.confrelid::regclass::text || ' by ' ||
               (select string_agg(c.name, ' ' order by n.at) from unnest(k.conkey) with ordinality n (attnum, at)
                join columns c on c.attrelid = k.conrelid and c.attnum = n.attnum) ||
               case k.confdeltype when 'c' then ' cascade' else ' no action' end
        from tables t join pg_constraint k on k.conrelid = t.oid and k.contype = 'f'";
    let lines: Vec<Option<String>> = sqlx::query_scalar(LINES).fetch_all(&mut *connection).await.unwrap();
    const CHECKS: &str = "
        select c.relname::text, row_number() over (partition by c.oid order by k.oid) - 1, pg_get_constraintdef(k.oid)
        from pg_constraint k join pg_class c on c.oid = k.conrelid
        where k.contype = 'c' and c.relnamespace = 'public'::regnamespace";
    let checks: Vec<(String, i64, String)> = sqlx::query_as(CHECKS).fetch_all(connection).await.unwrap();
    let checks = checks.iter().map(|(table, number, text)| check(table, *number as usize, text));
    lines.into_iter().flatten().chain(checks).collect()
}

/// The columns of texts that a server would order and compare by a language's rules, and not by their bytes as the embedded
/// engine does.
async fn by_a_language(connection: &mut PgConnection) -> Vec<String> {
    const COLUMNS: &str = "
        select c.relname || '.' || a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and c.relname not like '\\_sqlx%'
          and a.attnum > 0 and not a.attisdropped and a.atttypid = 'text'::regtype
          and a.attcollation <> '\"C\"'::regcollation";
    sqlx::query_scalar(COLUMNS).fetch_all(connection).await.unwrap()
}

/// What one engine has alone, and why.
const ALONE: [&str; 2] = [
    // Of the embedded engine changes are read; a server tells them.
    "gate_changes",
    // The one process of an embedded database counts in its memory.
    "counters",
];

#[tokio::test]
async fn both_engines_have_the_same_schema() {
    let Some((throwaway, mut server)) = Throwaway::new("schema").await else { return };
    let mut file = embedded().await;
    sqlite::MIGRATIONS.run(&mut file).await.unwrap();
    postgres::MIGRATIONS.run(&mut server).await.unwrap();
    let shared = |lines: BTreeSet<String>| -> BTreeSet<String> {
        let is_alone = |line: &String| ALONE.contains(&line.split(['.', ' ']).next().unwrap_or_default());
        lines.into_iter().filter(|line| !is_alone(line)).collect()
    };
    let (one, other) = (shared(of_sqlite(&mut file).await), shared(of_postgres(&mut server).await));
    assert!(one.len() > 150, "{one:#?}");
    for line in [
        "applications.revision default 1",
        "memberships check 0 admin member owner",
        "frame_sessions check 0 ",
    ] {
        assert!(one.contains(line), "{line}: {one:#?}");
    }
    let (left, right): (Vec<_>, Vec<_>) =
        (one.difference(&other).collect(), other.difference(&one).collect());
    assert!(left.is_empty() && right.is_empty(), "only the file: {left:#?}, only the server: {right:#?}");
    assert_eq!(by_a_language(&mut server).await, [""; 0]);
    throwaway.end(server).await;
}

/// The texts of all statements: what stands in the source as one text, and what is put together.
fn statements() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");
    let mut found: BTreeSet<String> = grants::composed().into_iter().map(str::to_owned).collect();
    found.extend(audit_log::composed().into_iter().map(str::to_owned));
    found.extend(applications::composed().into_iter().chain(authorities::composed()).map(str::to_owned));
    found.extend(sessions::composed().into_iter().map(str::to_owned));
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // Of these each is for one engine.
        if [
            "backups.rs",
            "mod.rs",
            "counters.rs",
            "gate_changes.rs",
            "moving.rs",
            "postgres.rs",
            "regions.rs",
            "schema.rs",
            "sqlite.rs",
            "subscriptions.rs",
        ]
        .contains(&name.as_str())
        {
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        found.extend(source.split('"').skip(1).step_by(2).filter(|text| is_whole(text)).map(str::to_owned));
    }
    found
}

fn is_whole(text: &str) -> bool {
    let verbs = ["select ", "insert into ", "update ", "delete from "];
    verbs.iter().any(|verb| text.starts_with(verb))
        && !text.trim_end().ends_with("where")
        && !text.ends_with(['(', ',', ' '])
}

#[tokio::test]
async fn every_statement_is_one_for_both_engines() {
    let all = statements();
    assert!(all.len() > 100, "{}", all.len());
    let mut file = embedded().await;
    sqlite::MIGRATIONS.run(&mut file).await.unwrap();
    for sql in &all {
        let prepared = file.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
        assert!(prepared.is_ok(), "{sql}: {:?}", prepared.err());
    }
    let Some((throwaway, mut server)) = Throwaway::new("statements").await else { return };
    postgres::MIGRATIONS.run(&mut server).await.unwrap();
    let [text, number] = ["text", "int8"].map(PgTypeInfo::with_name);
    let of_a_page = [&text, &number, &number, &text, &text, &text, &number].map(Clone::clone);
    for sql in &all {
        // A page of the audit log is given every filter, whichever of them it looks at.
        let types = if sql.contains("from audit_log") && sql.contains("$7") { &of_a_page[..] } else { &[] };
        let prepared = server.prepare_with(AssertSqlSafe(sql.clone()).into_sql_str(), types).await;
        assert!(prepared.is_ok(), "{sql}: {:?}", prepared.err());
    }
    throwaway.end(server).await;
}

/// Rows as the first version had them, of everything that somebody could still have.
const FIRST: &str = "
    insert into users (id, email, email_key, name, password_hash, created_at, disabled_at)
        values ('ada', 'Ada@x.org', 'ada@x.org', 'Ada', 'h', 1, null), ('eva', 'e@x.org', 'e@x.org', 'Eva', 'h', 1, 2);
    insert into organizations (id, slug, name, created_at) values ('o', 'acme', 'Acme', 1);
    insert into memberships (organization_id, user_id, role, created_at) values ('o', 'ada', 'owner', 1);
    insert into projects (id, organization_id, slug, name, created_at) values ('p', 'o', 'web', 'Web', 1);
    insert into applications (client_id, organization_id, name, scopes, response_types, created_at)
        values ('c', 'o', 'Toolbar', 'org:read', 'token', 1);
    insert into application_origins (client_id, origin) values ('c', 'https://a.example');
    insert into application_redirect_uris (client_id, redirect_uri) values ('c', 'https://a.example/cb');
    insert into sessions (id, secret_hash, user_id, authenticated_at, created_at, expires_at, ended_at)
        values ('s', 'BYTES', 'ada', 1, 1, 9, null), ('s2', 'OTHERS', 'eva', 1, 1, 9, 2);
    insert into transactions (id_hash, browser_hash, client_id, response_type, redirect_uri, requesting_origin, scopes,
                              created_at, expires_at)
        values ('BYTES', 'BYTES', 'c', 'token', 'u', 'https://a.example', 'org:read', 1, 9);
    insert into consents (user_id, client_id, requesting_origin, redirect_uri, scopes, created_at, updated_at)
        values ('ada', 'c', 'https://a.example', 'u', 'org:read', 1, 1);";
/// A token and one that was revoked, as the first version kept them.
const TOKENS_OF_FIRST: &str = "
    insert into access_tokens (id, token_hash, last_four, client_id, organization_id, user_id, session_id,
                               requesting_origin, scopes, created_at, expires_at, revoked_at)
        values ('t', 'BYTES', 'abcd', 'c', 'o', 'ada', 's', 'https://a.example', 'org:read', 1, 9, null),
               ('t2', 'OTHERS', 'efgh', 'c', 'o', 'ada', 's', 'https://a.example', 'org:read', 1, 9, 2);";
/// What somebody could have besides since a version, on either engine.
const SINCE: [(i64, &str); 4] = [
    (
        2,
        "insert into grants (id, client_id, organization_id, user_id, session_id, redirect_uri, requesting_origin, scopes,
                             created_at, expires_at, revoked_at)
             values ('t', 'c', 'o', 'ada', 's', 'u', 'https://a.example', 'org:read', 1, 9, null),
                    ('t2', 'c', 'o', 'ada', 's', 'u', 'https://a.example', 'org:read', 1, 9, 2);
         insert into access_tokens (id, token_hash, last_four, grant_id, scopes, created_at, expires_at, revoked_at)
             values ('t', 'BYTES', 'abcd', 't', 'org:read', 1, 9, null),
                    ('t2', 'OTHERS', 'efgh', 't2', 'org:read', 1, 9, 2);
         insert into authorization_codes (code_hash, grant_id, redirect_uri, code_challenge, nonce, authenticated_at,
                                          created_at, expires_at, used_at)
             values ('BYTES', 't', 'u', 'x', 'n', 1, 1, 9, 2), ('OTHERS', 't', null, 'x', null, 1, 1, 9, null);
         insert into refresh_tokens (id, token_hash, last_four, grant_id, created_at, expires_at, used_at, successor)
             values ('r', 'BYTES', 'ijkl', 't', 1, 9, 2, 'BYTES'), ('r2', 'OTHERS', 'mnop', 't', 2, 9, null, null);
         insert into signing_keys (id, modulus, exponent, sealed_key, created_at, retired_at)
             values ('k', 'm', 'AQAB', 'BYTES', 1, null), ('k2', 'm', 'AQAB', 'OTHERS', 1, 2);
         insert into resource_servers (id, name, secret_hash, organization_id, created_at)
             values ('v', 'API', 'BYTES', null, 1), ('v2', 'Its API', 'OTHERS', 'o', 1);
         update transactions set code_challenge = 'x', nonce = 'n', max_age = 3, redirect_given_at = 1,
                                 hinted_user_id = 'ada';
         update consents set refresh_allowed_at = 1;",
    ),
    (
        4,
        "insert into audit_log (id, organization_id, created_at, action, actor_kind, actor_id, address, client_id, user_id,
                                detail, occurrences)
             values (7, 'o', 1, 'token.issued', 'person', 'ada', '192.0.2.1', 'c', 'ada', '{}', 2);",
    ),
    (
        5,
        "update applications set homepage_url = 'h', privacy_url = 'p', terms_url = 't', revision = 3;
         insert into refused_origins (client_id, origin, first_at, last_at, occurrences)
             values ('c', 'https://b.example', 1, 2, 3);
         insert into invitations (id, token_hash, organization_id, email, email_key, role, invited_by, created_at,
                                  expires_at)
             values ('i', 'BYTES', 'o', 'Eva@x.org', 'eva@x.org', 'member', 'ada', 1, 9),
                    ('i2', 'OTHERS', 'o', 'max@x.org', 'max@x.org', 'admin', null, 1, 9);
         insert into kept_forms (id_hash, browser_hash, path, fields, expires_at) values ('BYTES', 'BYTES', '/p', '{}', 9);
         update sessions set address = '192.0.2.1', user_agent = 'A browser';
         update consents set last_used_at = 2;",
    ),
    (
        8,
        "insert into frame_sessions (id, grant_id, handle_hash, secret_hash, created_at, opened_at, expires_at)
             values ('f', 't', 'BYTES', 'BYTES', 1, 2, 9), ('f2', 't', 'OTHERS', null, 1, null, 9);",
    ),
];
/// What the first version kept of a token and every later one keeps of the grant that it stands on.
const GOES_TO_GRANTS: [&str; 5] =
    ["client_id", "organization_id", "user_id", "session_id", "requesting_origin"];
/// What has become of that.
const OF_GRANTS: &str = "
    select t.id || ' ' || g.client_id || ' ' || g.organization_id || ' ' || g.user_id || ' ' || g.session_id || ' ' ||
           g.requesting_origin || ' ' || coalesce(g.revoked_at, t.revoked_at, 0)
    from access_tokens t join grants g on g.id = t.grant_id order by t.id";
const EXPECTED: [&str; 2] = ["t c o ada s https://a.example 0", "t2 c o ada s https://a.example 2"];

/// Everything that somebody could have at a version. Bytes are written as the engine writes them.
fn rows(version: i64, bytes: [&str; 2]) -> String {
    let since = SINCE.iter().filter(|(since, _)| *since <= version).map(|(_, sql)| *sql);
    let tokens = if version == 1 { TOKENS_OF_FIRST } else { "" };
    let all: String = [FIRST, tokens].into_iter().chain(since).collect();
    all.replace("'BYTES'", bytes[0]).replace("'OTHERS'", bytes[1])
}

/// The columns of each table, in the order of the alphabet.
type Columns = BTreeMap<String, BTreeSet<String>>;

fn by_table(columns: Vec<(String, String)>) -> Columns {
    let mut all = Columns::new();
    for (table, column) in columns.into_iter().filter(|(table, _)| !ALONE.contains(&table.as_str())) {
        all.entry(table).or_default().insert(column);
    }
    all
}

const COLUMNS_OF_SQLITE: &str = "select t.name, c.name from sqlite_master t, pragma_table_info(t.name) c
                                 where t.type = 'table' and t.sql like '%strict'";
const COLUMNS_OF_POSTGRES: &str = "
    select table_name::text, column_name::text from information_schema.columns
    where table_schema = 'public' and table_name not like '\\_sqlx%'";

/// What is read of each table to see that it is the same before and after: of what was there all that will be.
fn readings(
    before: &Columns,
    newest: &Columns,
    as_text: impl Fn(&str) -> String,
) -> BTreeMap<String, String> {
    let reading = |(table, columns): (&String, &BTreeSet<String>)| {
        let kept: Vec<_> = columns.intersection(&newest[table]).map(|column| as_text(column)).collect();
        (table.clone(), format!("select {} from {table} order by 1", kept.join(" || ' ' || ")))
    };
    before.iter().map(reading).collect()
}

/// Which columns are there no longer, of the tables that there were.
fn gone<'a>(before: &'a Columns, newest: &'a Columns) -> BTreeSet<&'a str> {
    before
        .iter()
        .flat_map(|(table, columns)| columns.difference(&newest[table]))
        .map(String::as_str)
        .collect()
}

/// A forward step on one engine, whose connections have a type of their own.
macro_rules! forward {
    ($connection:expr, $migrations:expr, $version:expr, $bytes:expr, $columns:expr, $newest:expr, $as_text:expr) => {{
        let (connection, version, newest) = ($connection, $version, $newest);
        until($migrations, version).run(&mut *connection).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(rows(version, $bytes))).execute(&mut *connection).await.unwrap();
        let before = by_table(sqlx::query_as($columns).fetch_all(&mut *connection).await.unwrap());
        let expected = if version == 1 { BTreeSet::from(GOES_TO_GRANTS) } else { BTreeSet::new() };
        assert_eq!(gone(&before, newest), expected, "from {version}");
        let mut had = BTreeMap::new();
        let readings = readings(&before, newest, $as_text);
        for (table, sql) in &readings {
            let lines: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql.as_str())).fetch_all(&mut *connection).await.unwrap();
            assert!(!lines.is_empty(), "from {version}: nothing is in {table}");
            had.insert(table, lines);
        }
        $migrations.run(&mut *connection).await.unwrap();
        for (table, sql) in &readings {
            let lines: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(sql.as_str())).fetch_all(&mut *connection).await.unwrap();
            assert_eq!(lines, had[table], "from {version}: {table}");
        }
        let grants: Vec<String> = sqlx::query_scalar(OF_GRANTS).fetch_all(&mut *connection).await.unwrap();
        assert_eq!(grants, EXPECTED, "from {version}");
        let revision = sqlx::query_scalar("select revision from applications").fetch_one(&mut *connection);
        assert_eq!(revision.await.ok(), Some(if version < 5 { 1_i64 } else { 3 }), "from {version}");
    }};
}

#[tokio::test]
async fn from_every_version_there_is_a_way_forward_and_nothing_is_lost_on_it() {
    let mut file = embedded().await;
    sqlite::MIGRATIONS.run(&mut file).await.unwrap();
    let newest = by_table(sqlx::query_as(COLUMNS_OF_SQLITE).fetch_all(&mut file).await.unwrap());
    for one in sqlite::MIGRATIONS.iter() {
        let (mut file, bytes) = (embedded().await, ["x'00ff'", "x'00fe'"]);
        let as_text = |column: &str| format!("quote({column})");
        forward!(&mut file, &sqlite::MIGRATIONS, one.version, bytes, COLUMNS_OF_SQLITE, &newest, as_text);
    }
    for one in postgres::MIGRATIONS.iter() {
        let Some((throwaway, mut server)) = Throwaway::new(&format!("forward_{}", one.version)).await else {
            return;
        };
        let bytes = ["'\\x00ff'", "'\\x00fe'"];
        let as_text = |column: &str| format!("coalesce({column}::text, 'null')");
        forward!(
            &mut server,
            &postgres::MIGRATIONS,
            one.version,
            bytes,
            COLUMNS_OF_POSTGRES,
            &newest,
            as_text
        );
        throwaway.end(server).await;
    }
}

/// Versions are counted alike, as far as both engines have something to change.
#[test]
fn the_migrations_of_both_engines_have_the_same_names() {
    let names = |migrations: &Migrator| -> Vec<(i64, String)> {
        migrations.iter().map(|one| (one.version, one.description.to_string())).collect()
    };
    let (file, mut server) = (names(&sqlite::MIGRATIONS), names(&postgres::MIGRATIONS));
    server.retain(|(_, name)| !["counters", "notifications", "regions"].contains(&name.as_str()));
    assert_eq!(file, server);
}
