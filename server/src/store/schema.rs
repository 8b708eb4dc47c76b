//! What the two engines must have in common: the schema, every statement, and a way forward from every version. The half
//! that needs a server runs where `LATCHKEY_TEST_POSTGRES` names one.

use std::collections::BTreeSet;

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection, migrate::Migrator,
    postgres::PgTypeInfo,
};

use super::{applications, audit_log, authorities, grants, postgres, sqlite};

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
    let lines: Vec<String> = sqlx::query_scalar(LINES).fetch_all(connection).await.unwrap();
    // By its own word for the same type.
    lines.into_iter().map(|line| line.replace(" integer", " bigint").replace(" blob", " bytea")).collect()
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
    let lines: Vec<Option<String>> = sqlx::query_scalar(LINES).fetch_all(connection).await.unwrap();
    lines.into_iter().flatten().collect()
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
    let (left, right): (Vec<_>, Vec<_>) =
        (one.difference(&other).collect(), other.difference(&one).collect());
    assert!(left.is_empty() && right.is_empty(), "only the file: {left:#?}, only the server: {right:#?}");
    throwaway.end(server).await;
}

/// The texts of all statements: what stands in the source as one text, and what is put together.
fn statements() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");
    let mut found: BTreeSet<String> = grants::composed().into_iter().map(str::to_owned).collect();
    found.extend(audit_log::composed().into_iter().map(str::to_owned));
    found.extend(applications::composed().into_iter().chain(authorities::composed()).map(str::to_owned));
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
    insert into users (id, email, email_key, name, password_hash, created_at)
        values ('ada', 'Ada@x.org', 'ada@x.org', 'Ada', 'h', 1);
    insert into organizations (id, slug, name, created_at) values ('o', 'acme', 'Acme', 1);
    insert into memberships (organization_id, user_id, role, created_at) values ('o', 'ada', 'owner', 1);
    insert into projects (id, organization_id, slug, name, created_at) values ('p', 'o', 'web', 'Web', 1);
    insert into applications (client_id, organization_id, name, scopes, response_types, created_at)
        values ('c', 'o', 'Toolbar', 'org:read', 'token', 1);
    insert into application_origins (client_id, origin) values ('c', 'https://a.example');
    insert into application_redirect_uris (client_id, redirect_uri) values ('c', 'https://a.example/cb');
    insert into sessions (id, secret_hash, user_id, authenticated_at, created_at, expires_at)
        values ('s', 'BYTES', 'ada', 1, 1, 9);
    insert into transactions (id_hash, browser_hash, client_id, response_type, redirect_uri, requesting_origin, scopes,
                              created_at, expires_at)
        values ('BYTES', 'BYTES', 'c', 'token', 'u', 'https://a.example', 'org:read', 1, 9);
    insert into consents (user_id, client_id, requesting_origin, redirect_uri, scopes, created_at, updated_at)
        values ('ada', 'c', 'https://a.example', 'u', 'org:read', 1, 1);";
/// A token, as the first version kept it, and as every later one does.
const TOKEN_OF_FIRST: &str = "
    insert into access_tokens (id, token_hash, last_four, client_id, organization_id, user_id, session_id,
                               requesting_origin, scopes, created_at, expires_at)
        values ('t', 'BYTES', 'abcd', 'c', 'o', 'ada', 's', 'https://a.example', 'org:read', 1, 9);";
const TOKEN: &str = "
    insert into grants (id, client_id, organization_id, user_id, session_id, redirect_uri, requesting_origin, scopes,
                        created_at, expires_at)
        values ('t', 'c', 'o', 'ada', 's', 'u', 'https://a.example', 'org:read', 1, 9);
    insert into access_tokens (id, token_hash, last_four, grant_id, scopes, created_at, expires_at)
        values ('t', 'BYTES', 'abcd', 't', 'org:read', 1, 9);";

/// What has become of it, in one line.
const KEPT: &str = "
    select u.name || ' ' || o.slug || ' ' || m.role || ' ' || p.slug || ' ' || a.name || ' ' || a.revision || ' ' ||
           ao.origin || ' ' || r.redirect_uri || ' ' || t.last_four || ' ' || g.session_id || ' ' || c.scopes || ' ' ||
           x.client_id
    from users u, organizations o, memberships m, projects p, applications a, application_origins ao,
         application_redirect_uris r, access_tokens t join grants g on g.id = t.grant_id, consents c, transactions x";
const EXPECTED: &str =
    "Ada acme owner web Toolbar 1 https://a.example https://a.example/cb abcd s org:read c";

fn rows(version: i64, bytes: &str) -> String {
    let token = if version == 1 { TOKEN_OF_FIRST } else { TOKEN };
    format!("{FIRST}{token}").replace("'BYTES'", bytes)
}

#[tokio::test]
async fn from_every_version_there_is_a_way_forward_and_nothing_is_lost_on_it() {
    for one in sqlite::MIGRATIONS.iter() {
        let mut file = embedded().await;
        until(&sqlite::MIGRATIONS, one.version).run(&mut file).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(rows(one.version, "x'00ff'"))).execute(&mut file).await.unwrap();
        sqlite::MIGRATIONS.run(&mut file).await.unwrap();
        let kept: String = sqlx::query_scalar(KEPT).fetch_one(&mut file).await.unwrap();
        assert_eq!(kept, EXPECTED, "from {}", one.version);
    }
    for one in postgres::MIGRATIONS.iter() {
        let Some((throwaway, mut server)) = Throwaway::new(&format!("forward_{}", one.version)).await else {
            return;
        };
        until(&postgres::MIGRATIONS, one.version).run(&mut server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(rows(one.version, "'\\x00ff'"))).execute(&mut server).await.unwrap();
        postgres::MIGRATIONS.run(&mut server).await.unwrap();
        let kept: String = sqlx::query_scalar(KEPT).fetch_one(&mut server).await.unwrap();
        assert_eq!(kept, EXPECTED, "from {}", one.version);
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
