//! An entry of the audit log, told to people.

use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::{
    audit::Action,
    http::{error::capitalized, moment::Minute},
    store::audit_log::{Named, Row},
};

/// As much of one detail is shown, in characters.
const MAX_TEXT: usize = 300;

/// An entry, as the page shows it.
#[derive(Debug)]
pub struct Entry {
    /// When.
    pub at: Minute,
    /// What.
    pub what: String,
    /// How often, where that is more than once.
    pub times: Option<i64>,
    /// Who.
    pub who: Party,
    /// The application it is about, where that is not who did it.
    pub application: Option<Party>,
    /// The person it is about, where that is not who did it.
    pub person: Option<Party>,
    /// From where.
    pub address: Option<String>,
    /// Whatever else there is to say.
    pub details: Vec<Detail>,
}

/// Somebody or something that an entry names.
#[derive(Debug, PartialEq, Eq)]
pub struct Party {
    /// Its name, or its id where nothing has the name any more.
    pub name: String,
    /// A person's e-mail address.
    pub email: Option<String>,
    /// The query that leaves what names it alone.
    pub query: Option<String>,
}

/// Something else there is to say.
#[derive(Debug, PartialEq, Eq)]
pub struct Detail {
    /// Of what.
    pub label: String,
    /// In a few words.
    pub text: String,
}

impl From<Named> for Entry {
    fn from(named: Named) -> Self {
        let Named { row, actor_name, actor_email, application_name, person_name, person_email } = named;
        let is_actor = |kind: &str, id: &Option<String>| row.actor_kind == kind && row.actor_id == *id;
        let application = row.client_id.clone().filter(|_| !is_actor("application", &row.client_id));
        let person = row.user_id.clone().filter(|_| !is_actor("person", &row.user_id));
        Self {
            at: Minute::of(row.created_at),
            what: Action::parse(&row.action).map_or(row.action.clone(), |action| action.words().to_owned()),
            times: (row.occurrences > 1).then_some(row.occurrences),
            who: who(&row, actor_name, actor_email),
            application: application.map(|id| Party::of("client_id", id, application_name, None)),
            person: person.map(|id| Party::of("user_id", id, person_name, person_email)),
            details: details(&row.detail),
            address: row.address,
        }
    }
}

fn who(row: &Row, name: Option<String>, email: Option<String>) -> Party {
    match (row.actor_kind.as_str(), row.actor_id.clone()) {
        ("person", Some(id)) => Party::of("user_id", id, name, email),
        ("application", Some(id)) => Party::of("client_id", id, name, None),
        ("command", _) => Party::without_id("Command line"),
        ("server", _) => Party::without_id("Server"),
        (kind, _) => Party::without_id(kind),
    }
}

impl Party {
    fn of(parameter: &str, id: String, name: Option<String>, email: Option<String>) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair(parameter, &id).finish();
        Self { name: name.unwrap_or(id), email, query: Some(query) }
    }

    fn without_id(name: &str) -> Self {
        Self { name: name.to_owned(), email: None, query: None }
    }
}

/// What a detail's JSON says. What cannot be read says nothing: the entry stands all the same.
fn details(json: &str) -> Vec<Detail> {
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { return vec![] };
    match (fields.get("before"), fields.get("after")) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => changed(before, after),
        _ => fields.iter().filter_map(|(name, value)| Detail::of(name, value)).collect(),
    }
}

/// What is another one after than before.
fn changed(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Detail> {
    let words = |name: &str, value: Option<&Value>| {
        value.and_then(|value| text(name, value)).unwrap_or_else(|| "none".to_owned())
    };
    let differing = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let told = differing.map(|(name, value)| Detail {
        label: label(name),
        text: format!("{}, before: {}", words(name, Some(value)), words(name, before.get(name))),
    });
    told.collect()
}

impl Detail {
    fn of(name: &str, value: &Value) -> Option<Self> {
        Some(Self { label: label(name), text: text(name, value)? })
    }
}

fn label(name: &str) -> String {
    capitalized(&name.replace('_', " "))
}

fn text(name: &str, value: &Value) -> Option<String> {
    let told = match value {
        Value::Null => return None,
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_i64().filter(|_| name.ends_with("_at")) {
            Some(moment) => Minute::of(moment).words,
            None => number.to_string(),
        },
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => join(items.iter().filter_map(|item| text(name, item))),
        Value::Object(fields) => join(
            fields
                .iter()
                .filter_map(|(name, value)| Some(format!("{}: {}", label(name), text(name, value)?))),
        ),
    };
    Some(bounded(told))
}

fn join(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join(", ")
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(json: &str) -> Vec<(String, String)> {
        details(json).into_iter().map(|Detail { label, text }| (label, text)).collect()
    }

    fn told_as(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(label, text)| ((*label).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn a_detail_is_told_in_words() {
        for (json, expected) in [
            (r#"{"role":"admin"}"#, &[("Role", "admin")][..]),
            (r#"{"expires_at":1800000000}"#, &[("Expires at", "15 January 2027, 08:00 UTC")]),
            (r#"{"with_refresh":true,"scope":null}"#, &[("With refresh", "yes")]),
            (r#"{"scopes":["org:read","openid"]}"#, &[("Scopes", "org:read, openid")]),
            (r#"{"scopes":[],"count":3}"#, &[("Count", "3"), ("Scopes", "none")]),
            (r#"{"a":{"b":"c","d":[1]}}"#, &[("A", "B: c, D: 1")]),
            ("{}", &[]),
            ("", &[]),
            ("[1]", &[]),
            ("{", &[]),
        ] {
            assert_eq!(told(json), told_as(expected), "{json}");
        }
    }

    #[test]
    fn of_a_change_there_is_what_changed() {
        let json = r#"{"before":{"name":"Old","origins":["https://a.com"],"homepage_url":null,"same":1},
                       "after":{"name":"New","origins":[],"homepage_url":"https://b.com","same":1}}"#;
        let expected = [
            ("Homepage url", "https://b.com, before: none"),
            ("Name", "New, before: Old"),
            ("Origins", "none, before: https://a.com"),
        ];
        assert_eq!(told(json), told_as(&expected));
    }

    #[test]
    fn a_long_detail_is_cut() {
        let json = serde_json::json!({ "name": "ä".repeat(2 * MAX_TEXT) }).to_string();
        assert_eq!(told(&json), told_as(&[("Name", &format!("{}…", "ä".repeat(MAX_TEXT)))]));
    }
}
