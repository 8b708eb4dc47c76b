//! Two organizations against everything: whatever one of them asks for, by whatever name, nothing of the other's is
//! read and nothing is written.
//!
//! The routes come out of the table and the store's functions out of its source, so that a new one is held to this
//! without a line here, or fails until somebody has said what it is to be held to.

mod routes;
mod store;

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{Line, Platform};

/// Everything in the database that is an organization's: by table, every row that names the organization, or something
/// that does.
async fn rows_of(platform: &Platform, organization_id: &str) -> BTreeMap<String, BTreeSet<Line>> {
    // What belongs to the organization and has an id by which other rows name it.
    let mut named = BTreeSet::from([organization_id.to_owned()]);
    for (table, id) in
        [("projects", "id"), ("applications", "client_id"), ("grants", "id"), ("resource_servers", "id")]
    {
        let sql = format!("select {id} from {table} where organization_id = '{organization_id}'");
        named.extend(platform.texts(&sql).await);
    }
    let mut found = BTreeMap::new();
    for table in platform.database.tables().await {
        // People and their sessions belong to no organization, and what the gate hears of is not kept.
        if ["users", "sessions", "gate_changes"].contains(&table.as_str()) {
            continue;
        }
        let mut lines = lines(platform, &table).await;
        lines.retain(|line| match table.as_str() {
            // An entry is in one organization's log, whatever it names.
            "audit_log" => line.get(1).is_some_and(|organization| organization == organization_id),
            _ => line.iter().any(|text| named.contains(text)),
        });
        if !lines.is_empty() {
            found.insert(table, lines);
        }
    }
    found
}

async fn lines(platform: &Platform, table: &str) -> BTreeSet<Line> {
    platform.database.lines(table).await.into_iter().collect()
}

/// Every word of an organization's that nobody outside it may read: its ids, slugs and names.
async fn words_of(platform: &Platform, slug: &str) -> Vec<String> {
    let organization = format!("(select id from organizations where slug = '{slug}')");
    let mut words = vec![];
    for sql in [
        format!("select id from organizations where slug = '{slug}'"),
        format!("select name from organizations where slug = '{slug}'"),
        format!("select id from projects where organization_id = {organization}"),
        format!("select name from projects where organization_id = {organization}"),
        format!("select client_id from applications where organization_id = {organization}"),
        format!("select name from applications where organization_id = {organization}"),
        format!("select id from grants where organization_id = {organization}"),
        format!(
            "select t.id from access_tokens t join grants g on g.id = t.grant_id and g.organization_id = {organization}"
        ),
    ] {
        words.extend(platform.texts(&sql).await);
    }
    words
}

#[tokio::test]
async fn the_rows_of_an_organization_are_found_where_they_are() {
    let platform = Platform::new().await;
    platform.token(crate::support::MEMBER).await;
    let found = rows_of(&platform, crate::support::ACME.0).await;
    let tables: Vec<_> = found.keys().map(String::as_str).collect();
    let expected = [
        "access_tokens",
        "application_origins",
        "application_redirect_uris",
        "applications",
        "audit_log",
        "consents",
        "frame_sessions",
        "grants",
        "memberships",
        "organizations",
        "projects",
    ];
    assert_eq!(tables, expected);
    assert_eq!((found["projects"].len(), found["memberships"].len()), (2, 4));
}
