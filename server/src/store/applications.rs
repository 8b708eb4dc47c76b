//! Applications: the OAuth public clients of organizations.

use latchkey_protocol::{origin::Origin, scope::Scopes};
use serde_json::{Value, json};

use crate::{
    applications::{ResponseType, ResponseTypes},
    audit::Action,
    clock::UnixSeconds,
    store::{
        StoreError, Unit,
        audit_log::{self, Entry},
        organizations::Organization,
        statement,
    },
};

/// An application with what it may do.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its public id.
    pub client_id: String,
    /// The organization that owns it, for ever.
    pub organization_id: String,
    /// Its name for people.
    pub name: String,
    /// The most that its tokens may do.
    pub scopes: Scopes,
    /// The response types it may ask for.
    pub response_types: ResponseTypes,
    /// Set where every sign-in shows the consent page.
    pub asks_always_at: Option<UnixSeconds>,
    /// Since when it does not work.
    pub disabled_at: Option<UnixSeconds>,
    /// What it is about, for who is asked to allow it.
    pub homepage_url: Option<String>,
    /// What becomes of people's data.
    pub privacy_url: Option<String>,
    /// On what terms it is used.
    pub terms_url: Option<String>,
    /// Counts its changes.
    pub revision: i64,
    /// The sites it runs on.
    pub origins: Vec<Origin>,
    /// Where its authorization responses may go, besides the platform's callback.
    pub redirect_uris: Vec<String>,
}

/// Its columns, and its addresses: none holds a space.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    client_id: String,
    organization_id: String,
    name: String,
    scopes: String,
    response_types: String,
    asks_always_at: Option<UnixSeconds>,
    disabled_at: Option<UnixSeconds>,
    homepage_url: Option<String>,
    privacy_url: Option<String>,
    terms_url: Option<String>,
    revision: i64,
    origins: Option<String>,
    redirect_uris: Option<String>,
}

impl TryFrom<Row> for Application {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            scopes: scopes(&row.scopes, "applications.scopes")?,
            response_types: ResponseTypes::parse(&row.response_types)
                .ok_or(StoreError::Unreadable("applications.response_types"))?,
            origins: words(row.origins.as_deref())
                .map(Origin::parse)
                .collect::<Result<_, _>>()
                .map_err(|_| StoreError::Unreadable("application_origins.origin"))?,
            redirect_uris: words(row.redirect_uris.as_deref()).map(str::to_owned).collect(),
            client_id: row.client_id,
            organization_id: row.organization_id,
            name: row.name,
            asks_always_at: row.asks_always_at,
            disabled_at: row.disabled_at,
            homepage_url: row.homepage_url,
            privacy_url: row.privacy_url,
            terms_url: row.terms_url,
            revision: row.revision,
        })
    }
}

fn words(list: Option<&str>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().split_ascii_whitespace()
}

/// Reads a column that holds a space-delimited list of scopes.
pub(crate) fn scopes(list: &str, column: &'static str) -> Result<Scopes, StoreError> {
    Scopes::parse(list).map_err(|_| StoreError::Unreadable(column))
}

/// Adds an application with its origins and redirect URIs.
pub async fn insert(unit: &mut Unit, application: &Application, now: UnixSeconds) -> Result<(), StoreError> {
    const INSERT: &str = "insert into applications
                              (client_id, organization_id, name, scopes, response_types, asks_always_at, created_at,
                               homepage_url, privacy_url, terms_url, revision)
                          values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    statement!(
        unit,
        execute,
        INSERT,
        &application.client_id,
        &application.organization_id,
        &application.name,
        application.scopes.to_list(),
        application.response_types.to_list(),
        application.asks_always_at,
        now,
        &application.homepage_url,
        &application.privacy_url,
        &application.terms_url,
        application.revision
    )?;
    add_addresses(unit, application).await?;
    let entry = Entry::new(&application.organization_id, Action::ApplicationAdded);
    let entry = entry.of_application(&application.client_id);
    audit_log::insert(unit, &entry, &described(application)).await
}

/// Adds the sites and redirect URIs that are not there yet.
async fn add_addresses(unit: &mut Unit, application: &Application) -> Result<(), StoreError> {
    const INSERT_ORIGIN: &str =
        "insert into application_origins (client_id, origin) values ($1, $2) on conflict do nothing";
    const INSERT_REDIRECT: &str = "insert into application_redirect_uris (client_id, redirect_uri) values ($1, $2) on conflict do nothing";
    for origin in &application.origins {
        statement!(unit, execute, INSERT_ORIGIN, &application.client_id, origin.as_str())?;
    }
    for redirect_uri in &application.redirect_uris {
        statement!(unit, execute, INSERT_REDIRECT, &application.client_id, redirect_uri)?;
    }
    Ok(())
}

/// All that an organization says of its application, for the audit log: in the order in which it is read back, as
/// another order is no change.
fn described(application: &Application) -> Value {
    let mut origins: Vec<_> = application.origins.iter().map(Origin::as_str).collect();
    let mut redirect_uris: Vec<_> = application.redirect_uris.iter().collect();
    origins.sort_unstable();
    redirect_uris.sort_unstable();
    json!({
        "name": application.name,
        "homepage_url": application.homepage_url,
        "privacy_url": application.privacy_url,
        "terms_url": application.terms_url,
        "origins": origins,
        "redirect_uris": redirect_uris,
        "scopes": application.scopes.names(),
        "response_types": application.response_types.to_list(),
        "asks_always": application.asks_always_at.is_some(),
    })
}

/// Puts another state of an application in the place of the one that was looked at, `application.revision`, and says
/// which revision it is in now: the same where nothing is another. `None` where what was looked at is not the state it
/// is in, or the application is not its organization's.
pub async fn touch(unit: &mut Unit, application: &Application) -> Result<Option<i64>, StoreError> {
    const TOUCH: &str = "update applications
                         set name = $4, scopes = $5, response_types = $6, asks_always_at = $7, homepage_url = $8,
                             privacy_url = $9, terms_url = $10, revision = revision + 1
                         where client_id = $1 and organization_id = $2 and revision = $3";
    const REMOVE_ORIGIN: &str = "delete from application_origins where client_id = $1 and origin = $2";
    const REMOVE_REDIRECT: &str =
        "delete from application_redirect_uris where client_id = $1 and redirect_uri = $2";
    let client_id = &application.client_id;
    let organization_id = &application.organization_id;
    let before = find_of_organization(unit, organization_id, client_id).await?;
    let Some(before) = before.filter(|before| before.revision == application.revision) else {
        return Ok(None);
    };
    let detail = json!({ "before": described(&before), "after": described(application) });
    if detail["before"] == detail["after"] {
        return Ok(Some(before.revision));
    }
    let touched = statement!(
        unit,
        execute,
        TOUCH,
        client_id,
        organization_id,
        application.revision,
        &application.name,
        application.scopes.to_list(),
        application.response_types.to_list(),
        application.asks_always_at,
        &application.homepage_url,
        &application.privacy_url,
        &application.terms_url
    )?;
    if touched == 0 {
        return Ok(None);
    }
    for origin in before.origins.iter().filter(|origin| !application.origins.contains(origin)) {
        statement!(unit, execute, REMOVE_ORIGIN, client_id, origin.as_str())?;
    }
    for redirect_uri in before.redirect_uris.iter().filter(|uri| !application.redirect_uris.contains(uri)) {
        statement!(unit, execute, REMOVE_REDIRECT, client_id, redirect_uri)?;
    }
    add_addresses(unit, application).await?;
    let entry = Entry::new(organization_id, Action::ApplicationChanged).of_application(client_id);
    audit_log::insert(unit, &entry, &detail).await?;
    Ok(Some(application.revision + 1))
}

/// A statement that finds what [`Row`] holds of applications, called `a`: besides, where from, and which.
macro_rules! select {
    ($besides:expr, $from:expr) => {
        concat!(
            "select a.client_id, a.organization_id, a.name, a.scopes, a.response_types, a.asks_always_at, a.disabled_at,
                    a.homepage_url, a.privacy_url, a.terms_url, a.revision,
                    (select string_agg(origin, ' ' order by origin) from application_origins ao
                     where ao.client_id = a.client_id) as origins,
                    (select string_agg(redirect_uri, ' ' order by redirect_uri) from application_redirect_uris ar
                     where ar.client_id = a.client_id) as redirect_uris ",
            $besides,
            " from applications a ",
            $from
        )
    };
}
pub(super) use select;

/// A statement that finds what [`ActiveRow`] holds of the application with the client id `$1` and its organization, if
/// both are active: besides, and with which joins.
macro_rules! select_active {
    ($besides:literal, $joins:expr) => {
        $crate::store::applications::select!(
            concat!(", o.slug as organization_slug, o.name as organization_name", $besides),
            concat!(
                "join organizations o on o.id = a.organization_id ",
                $joins,
                " where a.client_id = $1 and a.disabled_at is null and o.disabled_at is null"
            )
        )
    };
}
pub(super) use select_active;

const FIND: &str = select!("", "where a.client_id = $1");
const FIND_ACTIVE: &str = select_active!("", "");
const LIST: &str =
    select!("", "where a.organization_id = $1 and a.client_id > $2 order by a.client_id limit $3");

/// The statements that are put together, for the test that every engine knows them.
#[cfg(test)]
pub(super) fn composed() -> [&'static str; 3] {
    [FIND, FIND_ACTIVE, LIST]
}

/// The application with this client id, active or not.
pub async fn find(unit: &mut Unit, client_id: &str) -> Result<Option<Application>, StoreError> {
    statement!(unit, fetch_optional Row, FIND, client_id)?.map(Application::try_from).transpose()
}

/// An application with its organization, of which both are active.
#[derive(sqlx::FromRow)]
pub(super) struct ActiveRow {
    #[sqlx(flatten)]
    application: Row,
    organization_slug: String,
    organization_name: String,
}

impl ActiveRow {
    pub(super) fn read(self) -> Result<(Application, Organization), StoreError> {
        let application = Application::try_from(self.application)?;
        let organization = Organization {
            id: application.organization_id.clone(),
            slug: self.organization_slug,
            name: self.organization_name,
            disabled_at: None,
        };
        Ok((application, organization))
    }
}

/// The application with this client id and its organization, if both are active.
pub async fn find_active(
    unit: &mut Unit,
    client_id: &str,
) -> Result<Option<(Application, Organization)>, StoreError> {
    statement!(unit, fetch_optional ActiveRow, FIND_ACTIVE, client_id)?.map(ActiveRow::read).transpose()
}

/// The organization's application with this client id, active or not: another organization's is none.
pub async fn find_of_organization(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
) -> Result<Option<Application>, StoreError> {
    let found = find(unit, client_id).await?;
    Ok(found.filter(|application| application.organization_id == organization_id))
}

/// The organization's applications by client id, at most so many after this one.
pub async fn list(
    unit: &mut Unit,
    organization_id: &str,
    after: &str,
    most: u32,
) -> Result<Vec<Application>, StoreError> {
    let rows = statement!(unit, fetch_all Row, LIST, organization_id, after, i64::from(most))?;
    rows.into_iter().map(Application::try_from).collect()
}

/// The client ids and names of the organization's applications, by name, at most so many: to choose one of them.
pub async fn list_names(
    unit: &mut Unit,
    organization_id: &str,
    most: u32,
) -> Result<Vec<(String, String)>, StoreError> {
    const LIST_NAMES: &str = "select client_id, name from applications where organization_id = $1
                              order by name, client_id limit $2";
    statement!(unit, fetch_all(String, String), LIST_NAMES, organization_id, i64::from(most))
}

/// Whether any active application of an active organization runs on this origin.
pub async fn has_origin(unit: &mut Unit, origin: &str) -> Result<bool, StoreError> {
    const HAS_ORIGIN: &str = "select count(*) from application_origins ao
                              join applications a on a.client_id = ao.client_id
                              join organizations o on o.id = a.organization_id
                              where ao.origin = $1 and a.disabled_at is null and o.disabled_at is null";
    Ok(statement!(unit, fetch_one(i64,), HAS_ORIGIN, origin)?.0 > 0)
}

/// Disables an application of the organization, from now on, or leaves it as it is where it is disabled; the caller
/// revokes its grants. False when it has none with this client id.
pub async fn revoke(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
    now: UnixSeconds,
) -> Result<bool, StoreError> {
    const REVOKE: &str = "update applications
                          set disabled_at = $3, revision = revision + 1
                          where client_id = $2 and organization_id = $1 and disabled_at is null
                          returning name";
    let revoked = statement!(unit, fetch_optional(String,), REVOKE, organization_id, client_id, now)?;
    Ok(log_named(unit, Action::ApplicationDisabled, organization_id, client_id, revoked).await?
        || find_of_organization(unit, organization_id, client_id).await?.is_some())
}

/// Lets a disabled application of the organization work again, or leaves it as it is where it does. False when it has
/// none with this client id.
pub async fn touch_enabled(
    unit: &mut Unit,
    organization_id: &str,
    client_id: &str,
) -> Result<bool, StoreError> {
    const TOUCH_ENABLED: &str = "update applications set disabled_at = null, revision = revision + 1
                                 where client_id = $2 and organization_id = $1 and disabled_at is not null
                                 returning name";
    let enabled = statement!(unit, fetch_optional(String,), TOUCH_ENABLED, organization_id, client_id)?;
    Ok(log_named(unit, Action::ApplicationEnabled, organization_id, client_id, enabled).await?
        || find_of_organization(unit, organization_id, client_id).await?.is_some())
}

/// Deletes an application of the organization, with all that was ever issued and allowed to it. False when it has none
/// with this client id.
pub async fn remove(unit: &mut Unit, organization_id: &str, client_id: &str) -> Result<bool, StoreError> {
    const REMOVE: &str =
        "delete from applications where client_id = $2 and organization_id = $1 returning name";
    let removed = statement!(unit, fetch_optional(String,), REMOVE, organization_id, client_id)?;
    log_named(unit, Action::ApplicationRemoved, organization_id, client_id, removed).await
}

/// Writes down what was done to the application of this name, and says whether there was one to do it to.
async fn log_named(
    unit: &mut Unit,
    action: Action,
    organization_id: &str,
    client_id: &str,
    name: Option<(String,)>,
) -> Result<bool, StoreError> {
    let Some((name,)) = name else { return Ok(false) };
    let entry = Entry::new(organization_id, action).of_application(client_id);
    audit_log::insert(unit, &entry, &json!({ "name": name })).await?;
    Ok(true)
}

impl Application {
    /// Whether it may ask for this response type.
    pub fn allows(&self, response_type: ResponseType) -> bool {
        self.response_types.contains(response_type)
    }

    /// Whether it runs on this origin, exactly.
    pub fn runs_on(&self, origin: &Origin) -> bool {
        self.origins.contains(origin)
    }

    /// What the organization says of it elsewhere: the words for each link, and the link.
    pub fn links(&self) -> Vec<(&'static str, &str)> {
        let links = [
            ("Homepage", &self.homepage_url),
            ("Privacy policy", &self.privacy_url),
            ("Terms of service", &self.terms_url),
        ];
        links.into_iter().filter_map(|(words, url)| Some((words, url.as_deref()?))).collect()
    }
}
