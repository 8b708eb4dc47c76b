//! Organizations.

use latchkey_protocol::scope::Role;
use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        memberships, statement,
    },
};

/// An organization.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Organization {
    /// Its id, for ever.
    pub id: String,
    /// Its name in paths.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Since when nothing of it works.
    pub disabled_at: Option<UnixSeconds>,
}

/// An organization of a person's, and what they are in it.
#[derive(Debug, Clone)]
pub struct Belonging {
    /// The organization.
    pub organization: Organization,
    /// Their role.
    pub role: Role,
}

#[derive(sqlx::FromRow)]
struct BelongingRow {
    #[sqlx(flatten)]
    organization: Organization,
    role: String,
}

/// Adds an organization; [`StoreError::Conflict`] when the slug is taken.
pub async fn insert(
    unit: &mut Unit,
    organization: &Organization,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into organizations (id, slug, name, created_at) values ($1, $2, $3, $4)";
    statement!(unit, execute, INSERT, &organization.id, &organization.slug, &organization.name, now)?;
    let entry = Entry::new(&organization.id, Action::OrganizationAdded);
    audit_log::insert(unit, &entry, &json!({ "slug": organization.slug, "name": organization.name })).await
}

/// The organization with this slug.
pub async fn find_by_slug(unit: &mut Unit, slug: &str) -> Result<Option<Organization>, StoreError> {
    const FIND_BY_SLUG: &str = "select id, slug, name, disabled_at from organizations where slug = $1";
    statement!(unit, fetch_optional Organization, FIND_BY_SLUG, slug)
}

/// The organization with this id.
pub async fn find(unit: &mut Unit, id: &str) -> Result<Option<Organization>, StoreError> {
    const FIND: &str = "select id, slug, name, disabled_at from organizations where id = $1";
    statement!(unit, fetch_optional Organization, FIND, id)
}

/// The active organizations of which a person is a member, by name.
pub async fn list_of_member(unit: &mut Unit, user_id: &str) -> Result<Vec<Belonging>, StoreError> {
    const LIST_OF_MEMBER: &str = "select o.id, o.slug, o.name, o.disabled_at, m.role
                                  from organizations o join memberships m on m.organization_id = o.id
                                  where m.user_id = $1 and o.disabled_at is null
                                  order by o.name, o.id";
    let rows = statement!(unit, fetch_all BelongingRow, LIST_OF_MEMBER, user_id)?;
    let read =
        |BelongingRow { organization, role }| Ok(Belonging { organization, role: memberships::role(&role)? });
    rows.into_iter().map(read).collect()
}

/// Disables an organization, from now on.
pub async fn revoke(unit: &mut Unit, id: &str, now: UnixSeconds) -> Result<(), StoreError> {
    const REVOKE: &str = "update organizations set disabled_at = coalesce(disabled_at, $2) where id = $1";
    if statement!(unit, execute, REVOKE, id, now)? == 0 {
        return Ok(());
    }
    audit_log::insert(unit, &Entry::new(id, Action::OrganizationDisabled), &json!({})).await
}

/// The slugs of the organizations of which this person is an owner, and nobody who is active.
pub async fn list_without_owner(unit: &mut Unit, user_id: &str) -> Result<Vec<String>, StoreError> {
    const LIST_WITHOUT_OWNER: &str =
        "select o.slug from organizations o
         join memberships m on m.organization_id = o.id and m.user_id = $1 and m.role = 'owner'
         where not exists (select 1 from memberships other join users u on u.id = other.user_id
                           where other.organization_id = o.id and other.role = 'owner' and u.disabled_at is null)
         order by o.slug";
    let slugs = statement!(unit, fetch_all(String,), LIST_WITHOUT_OWNER, user_id)?;
    Ok(slugs.into_iter().map(|(slug,)| slug).collect())
}
