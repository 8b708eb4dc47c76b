//! An organization's projects.

use serde_json::json;

use crate::{
    audit::Action,
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        statement,
    },
};

/// A project.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Project {
    /// Its id, for ever.
    pub id: String,
    /// Its name in paths, unique within its organization.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// Adds a project; [`StoreError::Conflict`] when the organization has one with this slug.
pub async fn insert(
    unit: &mut Unit,
    organization_id: &str,
    project: &Project,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    const INSERT: &str = "insert into projects (id, organization_id, slug, name, created_at)
                          values ($1, $2, $3, $4, $5)";
    statement!(unit, execute, INSERT, &project.id, organization_id, &project.slug, &project.name, now)?;
    let detail = json!({ "id": project.id, "slug": project.slug, "name": project.name });
    audit_log::insert(unit, &Entry::new(organization_id, Action::ProjectAdded), &detail).await
}

/// The organization's projects, by name.
pub async fn list(unit: &mut Unit, organization_id: &str) -> Result<Vec<Project>, StoreError> {
    const LIST: &str = "select id, slug, name from projects where organization_id = $1 order by name, id";
    statement!(unit, fetch_all Project, LIST, organization_id)
}
