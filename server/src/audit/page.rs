//! `/organizations/{organization}/audit/`: the audit log, for the organization's admins.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use axum_extra::extract::cookie::CookieJar;
use url::form_urlencoded;

use crate::{
    audit::{Action, entry::Entry},
    clock::UnixSeconds,
    directory::admin::{self, Admin},
    http::{
        error::PageError,
        moment::Day,
        page, paging,
        parameters::Parameters,
        visit::Visit,
        workspace::{Place, Workspace},
    },
    state::App,
    store::{
        self, StoreError, Unit,
        audit_log::{self, Filter},
    },
};

/// How many entries stand on a page.
const PAGE: u32 = 50;
/// How many applications there are to choose from.
const MOST_CHOICES: u32 = 500;
/// How many people.
const MOST_PEOPLE: u32 = 200;
/// The longest id, in bytes.
const MAX_ID: usize = 64;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    workspace: Workspace,
    path: String,
    wrong: Vec<&'static str>,
    actions: Vec<Choice>,
    applications: Vec<Choice>,
    people: Vec<Choice>,
    since: String,
    is_filtered: bool,
    /// The latest of the same entries, where the page is a later one.
    latest: Option<String>,
    entries: Vec<Entry>,
    /// Where older entries stand.
    next: Option<String>,
}

/// One of the values of a filter.
struct Choice {
    value: String,
    words: String,
    is_chosen: bool,
}

/// Shows the entries that match, a page of them: `action`, `client_id`, `user_id` and `since` say which, `cursor` where
/// the page begins.
pub async fn get(
    State(app): State<App>,
    Path(slug): Path<String>,
    visit: Visit,
) -> Result<Response, PageError> {
    let mut unit = app.store.read().await?;
    let admin = admin::require(&app, &mut unit, &visit.headers, &slug).await;
    let admin = admin.map_err(|error| visit.refuse(error))?;
    let asked = Asked::read(&visit.parameters);
    let page = show(&mut unit, &admin, &visit, &asked).await?;
    let page = page::respond_enhanced(StatusCode::OK, &page);
    Ok((visit.browser.remember(CookieJar::new()), page).into_response())
}

/// What is asked of the log.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked<'a> {
    before: Option<i64>,
    action: Option<Action>,
    client_id: Option<&'a str>,
    user_id: Option<&'a str>,
    since: Option<Since<'a>>,
    /// What means nothing here, and is left out.
    wrong: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Since<'a> {
    iso: &'a str,
    moment: UnixSeconds,
}

impl<'a> Asked<'a> {
    fn read(parameters: &'a Parameters) -> Self {
        let mut wrong = vec![];
        let mut read = |name: &str, problem: &'static str, is_right: &dyn Fn(&str) -> bool| {
            let given = parameters.get(name)?;
            let right = is_right(given);
            if !right {
                wrong.push(problem);
            }
            right.then_some(given)
        };
        let action = read("action", "There is no such action.", &|name| Action::parse(name).is_some());
        let client_id = read("client_id", "There can be no such application.", &is_id);
        let user_id = read("user_id", "There can be no such person.", &is_id);
        let since =
            read("since", "The day is none: write it as year, month and day, such as 2027-01-15.", &|iso| {
                Day::begin(iso).is_some()
            });
        let before = read("cursor", "There is no such page: these are the latest entries.", &|cursor| {
            cursor_of(cursor).is_some()
        });
        Self {
            before: before.and_then(cursor_of),
            action: action.and_then(Action::parse),
            client_id,
            user_id,
            since: since.and_then(|iso| Some(Since { iso, moment: Day::begin(iso)? })),
            wrong,
        }
    }

    fn filter(&self) -> Filter<'a> {
        Filter {
            before: self.before,
            since: self.since.map(|since| since.moment),
            action: self.action,
            client_id: self.client_id,
            user_id: self.user_id,
            // One more tells whether there is another page.
            limit: PAGE + 1,
        }
    }

    fn is_filtered(&self) -> bool {
        self.action.is_some() || self.client_id.is_some() || self.user_id.is_some() || self.since.is_some()
    }

    /// The address of the page of these entries that begins there, or of the first.
    fn address(&self, path: &str, cursor: Option<&str>) -> String {
        let filters = [
            ("action", self.action.map(Action::as_str)),
            ("client_id", self.client_id),
            ("user_id", self.user_id),
            ("since", self.since.map(|since| since.iso)),
            ("cursor", cursor),
        ];
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(filters.into_iter().filter_map(|(name, value)| Some((name, value?))));
        format!("{path}?{}", query.finish())
    }
}

fn cursor_of(text: &str) -> Option<i64> {
    text.parse().ok().filter(|cursor| *cursor > 0)
}

/// Whether it can be an id. What cannot be one is not shown again.
fn is_id(text: &str) -> bool {
    let is_of_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text.len() <= MAX_ID && text.bytes().all(is_of_id)
}

async fn show(
    unit: &mut Unit,
    admin: &Admin,
    visit: &Visit,
    asked: &Asked<'_>,
) -> Result<AuditPage, StoreError> {
    let organization = &admin.organization;
    let path = format!("/organizations/{}/audit/", organization.slug);
    let rows = audit_log::list_named(unit, &organization.id, &asked.filter()).await?;
    let (rows, cursor) = paging::cut(rows, PAGE, |named| named.row.id.to_string());
    // An id that nothing stands under is whatever somebody typed: it is not shown again.
    let is_known = !rows.is_empty();
    let applications = store::applications::list_names(unit, &organization.id, MOST_CHOICES).await?;
    let members = store::memberships::list_after(unit, &organization.id, "", MOST_PEOPLE).await?;
    let people =
        members.into_iter().map(|member| (member.user_id, format!("{} ({})", member.name, member.email)));
    Ok(AuditPage {
        workspace: Workspace::of_organization(admin, &visit.browser, Place::Audit),
        wrong: asked.wrong.clone(),
        actions: actions(asked.action),
        applications: choices(applications.into_iter(), asked.client_id, is_known),
        people: choices(people, asked.user_id, is_known),
        since: asked.since.map_or_else(String::new, |since| since.iso.to_owned()),
        is_filtered: asked.is_filtered(),
        latest: asked.before.map(|_| asked.address(&path, None)),
        entries: rows.into_iter().map(Entry::from).collect(),
        next: cursor.map(|cursor| asked.address(&path, Some(&cursor))),
        path,
    })
}

fn actions(chosen: Option<Action>) -> Vec<Choice> {
    let mut all: Vec<_> = Action::ALL
        .iter()
        .map(|action| Choice {
            value: action.as_str().to_owned(),
            words: action.words().to_owned(),
            is_chosen: Some(*action) == chosen,
        })
        .collect();
    all.sort_by(|one, other| one.words.cmp(&other.words));
    all
}

/// What there is to choose from; where something else was chosen that is known, such as who has left, that too.
fn choices(all: impl Iterator<Item = (String, String)>, chosen: Option<&str>, is_known: bool) -> Vec<Choice> {
    let is_chosen = |value: &str| chosen == Some(value);
    let mut all: Vec<_> =
        all.map(|(value, words)| Choice { is_chosen: is_chosen(&value), value, words }).collect();
    if let Some(chosen) = chosen
        && is_known
        && !all.iter().any(|choice| choice.is_chosen)
    {
        all.push(Choice { value: chosen.to_owned(), words: chosen.to_owned(), is_chosen: true });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_is_named_and_left_out() {
        for (query, wrong) in [
            ("", 0),
            ("action=&client_id=&user_id=&since=&cursor=", 0),
            ("action=token.issued&client_id=c1&user_id=u-1&since=2027-01-15&cursor=7", 0),
            ("action=token.issue", 1),
            ("client_id=%3Cscript%3E&user_id=a+b", 2),
            ("since=yesterday&cursor=-1", 2),
            ("cursor=99999999999999999999", 1),
            ("since=2027-02-30", 1),
        ] {
            let parameters = Parameters::parse(query).unwrap();
            assert_eq!(Asked::read(&parameters).wrong.len(), wrong, "{query}");
        }
        let parameters = Parameters::parse(&format!("user_id={}", "a".repeat(MAX_ID + 1))).unwrap();
        let asked = Asked::read(&parameters);
        assert!(asked.user_id.is_none() && !asked.is_filtered());
    }

    #[test]
    fn the_next_page_is_of_the_same_entries() {
        let query = "action=token.issued&client_id=c1&user_id=u1&since=2027-01-15&cursor=";
        let parameters = Parameters::parse(&format!("{query}90")).unwrap();
        assert_eq!(Asked::read(&parameters).address("/a/", Some("40")), format!("/a/?{query}40"));
        assert_eq!(Asked::default().address("/a/", Some("40")), "/a/?cursor=40");
        assert_eq!(Asked::default().address("/a/", None), "/a/?");
    }
}
