//! The audit log. An entry is written by the function that makes the change, for whom the unit acts.

use serde_json::Value;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{StoreError, Unit, statement},
};

/// An entry, as far as the unit does not know it: who, from where and when is the unit's.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// In which organization.
    pub organization_id: &'a str,
    /// What.
    pub action: Action,
    /// The application it is about.
    pub client_id: Option<&'a str>,
    /// The person it is about.
    pub user_id: Option<&'a str>,
    /// How often.
    pub occurrences: u32,
}

impl<'a> Entry<'a> {
    /// An entry that is about the organization itself.
    pub const fn new(organization_id: &'a str, action: Action) -> Self {
        Self { organization_id, action, client_id: None, user_id: None, occurrences: 1 }
    }

    /// About an application.
    #[must_use]
    pub const fn of_application(self, client_id: &'a str) -> Self {
        Self { client_id: Some(client_id), ..self }
    }

    /// About a person.
    #[must_use]
    pub const fn of_person(self, user_id: &'a str) -> Self {
        Self { user_id: Some(user_id), ..self }
    }
}

/// An entry that was written.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    /// Of two entries the later one has the greater.
    pub id: i64,
    /// When.
    pub created_at: UnixSeconds,
    /// What.
    pub action: String,
    /// Who: its kind.
    pub actor_kind: String,
    /// Who: its id.
    pub actor_id: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// The application it is about.
    pub client_id: Option<String>,
    /// The person it is about.
    pub user_id: Option<String>,
    /// A JSON object.
    pub detail: String,
    /// How often.
    pub occurrences: i64,
}

/// An entry, with the names of whom it names, as far as they are still there.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Named {
    /// The entry.
    #[sqlx(flatten)]
    pub row: Row,
    /// The name of the person or application who did it.
    pub actor_name: Option<String>,
    /// That person's e-mail address.
    pub actor_email: Option<String>,
    /// The name of the application it is about.
    pub application_name: Option<String>,
    /// The name of the person it is about.
    pub person_name: Option<String>,
    /// Their e-mail address.
    pub person_email: Option<String>,
}

/// Which entries: those that match everything that is given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    /// Older than the one with this id.
    pub before: Option<i64>,
    /// Not before this moment.
    pub since: Option<UnixSeconds>,
    /// Of this kind.
    pub action: Option<Action>,
    /// About this application.
    pub client_id: Option<&'a str>,
    /// About this person.
    pub user_id: Option<&'a str>,
    /// At most so many.
    pub limit: u32,
}

/// Writes an entry.
pub async fn insert(unit: &mut Unit, entry: &Entry<'_>, detail: &Value) -> Result<(), StoreError> {
    const INSERT: &str = "insert into audit_log
                              (organization_id, created_at, action, actor_kind, actor_id, address, client_id, user_id,
                               detail, occurrences)
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let by = unit.by()?.clone();
    statement!(
        unit,
        later,
        INSERT,
        entry.organization_id,
        by.now,
        entry.action.as_str(),
        by.actor.kind(),
        by.actor.id(),
        by.address.map(|address| address.to_string()),
        entry.client_id,
        entry.user_id,
        detail.to_string(),
        i64::from(entry.occurrences)
    )?;
    Ok(())
}

/// Writes an entry for every organization of a person.
pub(super) async fn insert_of_member(
    unit: &mut Unit,
    action: Action,
    user_id: &str,
) -> Result<(), StoreError> {
    const LIST: &str = "select organization_id from memberships where user_id = $1 order by organization_id";
    for (organization_id,) in statement!(unit, fetch_all(String,), LIST, user_id)? {
        let entry = Entry::new(&organization_id, action).of_person(user_id);
        insert(unit, &entry, &Value::Object(serde_json::Map::new())).await?;
    }
    Ok(())
}

/// A page of a log, found by `$lead`, which an index holds in the order of the page.
macro_rules! page {
    ($lead:literal) => {
        concat!(
            "select id, created_at, action, actor_kind, actor_id, address, client_id, user_id, detail, occurrences
             from audit_log
             where organization_id = $1 and id < $2 and ",
            $lead,
            "  and ($3 is null or created_at >= $3) and ($4 is null or action = $4)
               and ($5 is null or client_id = $5)
             order by id desc limit $7"
        )
    };
}

/// The statement for what is given: whatever names the fewest entries leads.
const fn statement_for(filter: &Filter<'_>) -> &'static str {
    match filter {
        Filter { user_id: Some(_), .. } => page!("user_id = $6"),
        Filter { client_id: Some(_), .. } => page!("client_id = $5"),
        Filter { action: Some(_), .. } => page!("action = $4"),
        _ => page!("true"),
    }
}

/// A page, with the names. It is cut before any name is looked up. The applications are the organization's own: it may
/// have written down the client id of another's.
macro_rules! named {
    ($($page:expr),+) => {
        concat!(
            "select l.id, l.created_at, l.action, l.actor_kind, l.actor_id, l.address, l.client_id, l.user_id, l.detail,
                    l.occurrences, coalesce(doer.name, doing.name) as actor_name, doer.email as actor_email,
                    application.name as application_name, person.name as person_name, person.email as person_email
             from (",
            $($page),+,
            ") l
             left join users doer on l.actor_kind = 'person' and doer.id = l.actor_id
             left join applications doing on l.actor_kind = 'application' and doing.client_id = l.actor_id
                 and doing.organization_id = $1
             left join applications application on application.client_id = l.client_id
                 and application.organization_id = $1
             left join users person on person.id = l.user_id
             order by l.id desc"
        )
    };
}

/// The same with names. Of a person there is a page of what is about them, and one of what they did: of both together, the
/// latest.
const fn named_statement_for(filter: &Filter<'_>) -> &'static str {
    match filter {
        Filter { user_id: Some(_), .. } => named!(
            "select * from (",
            page!("user_id = $6"),
            ") about union select * from (",
            page!("actor_id = $6 and actor_kind = 'person'"),
            ") by_them order by id desc limit $7"
        ),
        Filter { client_id: Some(_), .. } => named!(page!("client_id = $5")),
        Filter { action: Some(_), .. } => named!(page!("action = $4")),
        _ => named!(page!("true")),
    }
}

/// The statements that are put together, for the test that every engine knows them.
#[cfg(test)]
pub(super) fn composed() -> Vec<&'static str> {
    let none = Filter::default();
    let (client_id, user_id, action) = (Some("c"), Some("u"), Some(Action::TokenRefused));
    [none, Filter { user_id, ..none }, Filter { client_id, ..none }, Filter { action, ..none }]
        .iter()
        .flat_map(|filter| [statement_for(filter), named_statement_for(filter)])
        .collect()
}

/// The entries of an organization, the latest first.
pub async fn list(
    unit: &mut Unit,
    organization_id: &str,
    filter: &Filter<'_>,
) -> Result<Vec<Row>, StoreError> {
    statement!(
        unit,
        fetch_all Row,
        statement_for(filter),
        organization_id,
        filter.before.unwrap_or(i64::MAX),
        filter.since,
        filter.action.map(Action::as_str),
        filter.client_id,
        filter.user_id,
        i64::from(filter.limit)
    )
}

/// The entries of an organization with their names, the latest first. Of a person there is what they did, too, and not
/// only what is about them.
pub async fn list_named(
    unit: &mut Unit,
    organization_id: &str,
    filter: &Filter<'_>,
) -> Result<Vec<Named>, StoreError> {
    statement!(
        unit,
        fetch_all Named,
        named_statement_for(filter),
        organization_id,
        filter.before.unwrap_or(i64::MAX),
        filter.since,
        filter.action.map(Action::as_str),
        filter.client_id,
        filter.user_id,
        i64::from(filter.limit)
    )
}

/// Deletes entries that are older than this, at most so many.
pub async fn sweep(unit: &mut Unit, before: UnixSeconds, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from audit_log where id in
                             (select id from audit_log where created_at < $1 limit $2)";
    statement!(unit, execute, SWEEP, before, most)
}

/// Deletes refusals of which an organization has more than it keeps, the oldest first, at most so many.
pub async fn sweep_refusals(unit: &mut Unit, kept: i64, most: i64) -> Result<u64, StoreError> {
    const SWEEP: &str = "delete from audit_log where id in
                             (select l.id from organizations o
                              join audit_log l on l.organization_id = o.id and l.action = $1
                              where l.id <= (select k.id from audit_log k
                                             where k.organization_id = o.id and k.action = $1
                                             order by k.id desc limit 1 offset $2)
                              limit $3)";
    statement!(unit, execute, SWEEP, Action::TokenRefused.as_str(), kept, most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::By,
        store::{DatabaseUrl, Store, plan},
    };

    #[tokio::test]
    async fn a_page_is_found_by_an_index_whatever_it_is_of() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("latchkey.db"))).await.unwrap();
        let mut unit = store.write(By::server(0)).await.unwrap();
        let (client_id, user_id, action) = (Some("c"), Some("u"), Some(Action::TokenRefused));
        let none = Filter::default();
        for (filter, index, column) in [
            (none, "audit_log_by_organization", ""),
            (Filter { action, ..none }, "audit_log_by_action", " AND action=?"),
            (Filter { client_id, ..none }, "audit_log_by_application", " AND client_id=?"),
            (Filter { client_id, action, ..none }, "audit_log_by_application", " AND client_id=?"),
            (Filter { user_id, ..none }, "audit_log_by_person", " AND user_id=?"),
            (Filter { user_id, client_id, action, ..none }, "audit_log_by_person", " AND user_id=?"),
        ] {
            let sql = sqlx::AssertSqlSafe(format!("explain query plan {}", statement_for(&filter)));
            let plan = statement!(unit, fetch_all(i64, i64, i64, String), sql).unwrap();
            let plan: Vec<_> = plan.into_iter().map(|(_, _, _, step)| step).collect();
            let wanted = format!("SEARCH audit_log USING INDEX {index} (organization_id=?{column} AND id<?)");
            assert_eq!(plan, [wanted], "{filter:?}");
        }
    }

    #[tokio::test]
    async fn a_page_with_names_is_found_by_the_same_indexes() {
        let (client_id, user_id, action) = (Some("c"), Some("u"), Some(Action::TokenRefused));
        let none = Filter::default();
        let person = [
            "audit_log_by_person (organization_id=? AND user_id=?",
            "audit_log_by_actor (organization_id=? AND actor_id=?",
        ];
        for (filter, indexes) in [
            (none, &["audit_log_by_organization (organization_id=?"][..]),
            (Filter { action, ..none }, &["audit_log_by_action (organization_id=? AND action=?"]),
            (Filter { client_id, ..none }, &["audit_log_by_application (organization_id=? AND client_id=?"]),
            (Filter { user_id, ..none }, &person),
            (Filter { user_id, client_id, action, ..none }, &person),
        ] {
            let steps = plan::steps(named_statement_for(&filter)).await;
            let of_log: Vec<_> = steps.iter().filter(|step| step.contains("audit_log")).collect();
            let wanted: Vec<_> = indexes.iter().map(|index| format!("{index} AND id<?)")).collect();
            assert_eq!(of_log, wanted.iter().collect::<Vec<_>>(), "{filter:?}: {steps:?}");
            let joined: Vec<_> = steps.iter().filter(|step| step.contains("sqlite_autoindex")).collect();
            assert_eq!(joined.len(), 4, "{filter:?}: {steps:?}");
        }
    }
}
