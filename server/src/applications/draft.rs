//! What somebody sends of an application, whichever way it comes: by a page, by the API, by the command line.
//!
//! All of it is read at once, so that whoever sent it is told everything that is wrong with it, at the field.

use latchkey_protocol::{
    origin::Origin,
    scope::{Scope, Scopes},
};
use serde_json::{Value, json};

use crate::{
    applications::{
        ResponseType, ResponseTypes,
        registration::{self, FieldError, MAX_ENTRIES, MAX_TOGETHER},
    },
    clock::UnixSeconds,
    store::applications::Application,
};

/// What an application may do that does not say.
pub const DEFAULT_SCOPES: Scopes =
    Scopes::of(&[Scope::OrgRead, Scope::MemberRead, Scope::ProjectRead, Scope::EventRead]);

/// An application as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Its name for people.
    pub name: String,
    /// What it is about; empty for nowhere.
    pub homepage_url: String,
    /// What becomes of people's data; empty for nowhere.
    pub privacy_url: String,
    /// On what terms it is used; empty for nowhere.
    pub terms_url: String,
    /// The sites it runs on.
    pub allowed_origins: Vec<String>,
    /// Where its authorization responses may go, besides the platform's callback.
    pub redirect_uris: Vec<String>,
    /// The most that its tokens may do, a list of scopes in each.
    pub scopes: Vec<String>,
    /// The response types it may ask for.
    pub response_types: Vec<String>,
    /// Whether every sign-in shows the consent page.
    pub asks_always: bool,
}

/// An application as it can be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Details {
    /// Its name for people.
    pub name: String,
    /// What it is about.
    pub homepage_url: Option<String>,
    /// What becomes of people's data.
    pub privacy_url: Option<String>,
    /// On what terms it is used.
    pub terms_url: Option<String>,
    /// The sites it runs on.
    pub origins: Vec<Origin>,
    /// Where its authorization responses may go, besides the platform's callback.
    pub redirect_uris: Vec<String>,
    /// The most that its tokens may do.
    pub scopes: Scopes,
    /// The response types it may ask for.
    pub response_types: ResponseTypes,
    /// Whether every sign-in shows the consent page.
    pub asks_always: bool,
}

/// A field of an application, by its name in the API and in forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Its name for people.
    Name,
    /// What it is about.
    HomepageUrl,
    /// What becomes of people's data.
    PrivacyUrl,
    /// On what terms it is used.
    TermsUrl,
    /// The sites it runs on.
    AllowedOrigins,
    /// Where its authorization responses may go.
    RedirectUris,
    /// The most that its tokens may do.
    Scopes,
    /// The response types it may ask for.
    ResponseTypes,
    /// Whether every sign-in shows the consent page.
    AsksAlways,
    /// Whether it is disabled: programs say it beside what is registered, and it is no part of that.
    Disabled,
}

impl Field {
    /// Every one of them, in the order in which forms show them.
    pub const ALL: &[Self] = &[
        Self::Name,
        Self::HomepageUrl,
        Self::PrivacyUrl,
        Self::TermsUrl,
        Self::AllowedOrigins,
        Self::RedirectUris,
        Self::Scopes,
        Self::ResponseTypes,
        Self::AsksAlways,
        Self::Disabled,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::HomepageUrl => "homepage_url",
            Self::PrivacyUrl => "privacy_url",
            Self::TermsUrl => "terms_url",
            Self::AllowedOrigins => "allowed_origins",
            Self::RedirectUris => "redirect_uris",
            Self::Scopes => "scopes",
            Self::ResponseTypes => "response_types",
            Self::AsksAlways => "asks_always",
            Self::Disabled => "disabled",
        }
    }

    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.as_str() == name)
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which.
    pub field: Field,
    /// The entry of a list, counted from 0.
    pub entry: Option<usize>,
    /// What is wrong, and what would be accepted.
    pub error: FieldError,
}

impl Problem {
    /// What would be accepted instead, where that can be told from what was typed.
    pub fn suggestion(&self) -> Option<&str> {
        match &self.error {
            FieldError::UrlNotOrigin(origin)
            | FieldError::NoScheme(origin)
            | FieldError::UseHttps(origin) => Some(origin),
            _ => None,
        }
    }
}

/// What is wrong, by the names of the fields, for programs.
pub fn by_field(problems: &[Problem]) -> Value {
    let mut fields = serde_json::Map::new();
    for problem in problems {
        let told = json!({
            "entry": problem.entry,
            "problem": problem.error.to_string(),
            "suggestion": problem.suggestion(),
        });
        let all = fields.entry(problem.field.as_str()).or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            all.push(told);
        }
    }
    Value::Object(fields)
}

/// Collects what is wrong while it reads.
#[derive(Default)]
struct Reader(Vec<Problem>);

impl Reader {
    fn one<T>(&mut self, field: Field, read: Result<T, FieldError>) -> Option<T> {
        read.map_err(|error| self.0.push(Problem { field, entry: None, error })).ok()
    }

    /// An address that may be left out.
    fn address(&mut self, field: Field, text: &str) -> Option<String> {
        let text = text.trim();
        if text.is_empty() { None } else { self.one(field, registration::web_address(text)) }
    }

    /// Every entry of a list; the same value twice is one, and an empty line is none.
    fn all<T: PartialEq>(
        &mut self,
        field: Field,
        entries: &[String],
        rule: impl Fn(&str) -> Result<T, FieldError>,
    ) -> Vec<T> {
        let mut all = Vec::new();
        if entries.len() > MAX_ENTRIES {
            self.0.push(Problem { field, entry: None, error: FieldError::TooMany(MAX_ENTRIES) });
            return all;
        }
        if entries.iter().map(String::len).sum::<usize>() > MAX_TOGETHER {
            self.0.push(Problem { field, entry: None, error: FieldError::TooLongTogether(MAX_TOGETHER) });
            return all;
        }
        for (at, text) in entries.iter().enumerate() {
            match rule(text) {
                Ok(value) if all.contains(&value) => {}
                Ok(value) => all.push(value),
                Err(error) => self.0.push(Problem { field, entry: Some(at), error }),
            }
        }
        all
    }
}

impl Draft {
    /// Holds it to the rules of registration.
    pub fn read(&self) -> Result<Details, Vec<Problem>> {
        let mut reader = Reader::default();
        let name = reader.one(Field::Name, registration::name(&self.name));
        let homepage_url = reader.address(Field::HomepageUrl, &self.homepage_url);
        let privacy_url = reader.address(Field::PrivacyUrl, &self.privacy_url);
        let terms_url = reader.address(Field::TermsUrl, &self.terms_url);
        let origins = reader.all(Field::AllowedOrigins, &self.allowed_origins, registration::origin);
        let redirect_uris = reader.all(Field::RedirectUris, &self.redirect_uris, registration::redirect_uri);
        // Without either it could be used nowhere.
        if self.allowed_origins.is_empty() && self.redirect_uris.is_empty() {
            reader.0.push(Problem { field: Field::AllowedOrigins, entry: None, error: FieldError::Nowhere });
        }
        let scopes = reader.all(Field::Scopes, &self.scopes, |list| {
            Scopes::parse(list).map_err(|_| FieldError::UnknownScope)
        });
        let scopes = scopes.into_iter().fold(Scopes::NONE, Scopes::union);
        let response_types = reader.all(Field::ResponseTypes, &self.response_types, |name| {
            ResponseType::parse(name).ok_or(FieldError::UnknownResponseType)
        });
        let response_types = ResponseTypes::of(&response_types);
        for (field, is_empty) in
            [(Field::Scopes, scopes.is_empty()), (Field::ResponseTypes, response_types.is_none())]
        {
            if is_empty && !reader.0.iter().any(|problem| problem.field == field) {
                reader.0.push(Problem { field, entry: None, error: FieldError::NoneChosen });
            }
        }
        match (name, response_types) {
            (Some(name), Some(response_types)) if reader.0.is_empty() => Ok(Details {
                name,
                homepage_url,
                privacy_url,
                terms_url,
                origins,
                redirect_uris,
                scopes,
                response_types,
                asks_always: self.asks_always,
            }),
            _ => {
                reader.0.sort_by_key(|problem| (problem.field, problem.entry));
                Err(reader.0)
            }
        }
    }
}

impl From<&Application> for Draft {
    fn from(application: &Application) -> Self {
        let text = |url: &Option<String>| url.clone().unwrap_or_default();
        Self {
            name: application.name.clone(),
            homepage_url: text(&application.homepage_url),
            privacy_url: text(&application.privacy_url),
            terms_url: text(&application.terms_url),
            allowed_origins: application.origins.iter().map(ToString::to_string).collect(),
            redirect_uris: application.redirect_uris.clone(),
            scopes: application.scopes.names().into_iter().map(str::to_owned).collect(),
            response_types: application.response_types.names().into_iter().map(str::to_owned).collect(),
            asks_always: application.asks_always_at.is_some(),
        }
    }
}

impl Details {
    /// A new application of an organization.
    pub fn register(self, client_id: String, organization_id: String, now: UnixSeconds) -> Application {
        Application {
            client_id,
            organization_id,
            name: self.name,
            scopes: self.scopes,
            response_types: self.response_types,
            asks_always_at: self.asks_always.then_some(now),
            disabled_at: None,
            homepage_url: self.homepage_url,
            privacy_url: self.privacy_url,
            terms_url: self.terms_url,
            revision: 1,
            origins: self.origins,
            redirect_uris: self.redirect_uris,
        }
    }

    /// The application, with these in the place of its own.
    pub fn replace(self, application: Application, now: UnixSeconds) -> Application {
        let asks_always_at = self.asks_always.then_some(application.asks_always_at.unwrap_or(now));
        let Application { client_id, organization_id, disabled_at, revision, .. } = application;
        Application {
            disabled_at,
            revision,
            asks_always_at,
            ..self.register(client_id, organization_id, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        Draft {
            name: "Toolbar".into(),
            allowed_origins: vec!["https://a.com".into()],
            scopes: vec!["org:read".into()],
            response_types: vec!["token".into()],
            ..Draft::default()
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_form() {
        let draft = Draft {
            name: " ".into(),
            homepage_url: "ftp://a.com".into(),
            privacy_url: "javascript:alert(1)".into(),
            allowed_origins: vec!["https://a.com".into(), "https://b.com/x".into()],
            redirect_uris: vec!["https://a.com/#x".into()],
            scopes: vec!["org:read".into(), "root".into()],
            ..Draft::default()
        };
        let problems = draft.read().unwrap_err();
        let told: Vec<_> = problems.iter().map(|p| (p.field.as_str(), p.entry, &p.error)).collect();
        let suggested = FieldError::UrlNotOrigin("https://b.com".into());
        assert_eq!(
            told,
            [
                ("name", None, &FieldError::Empty),
                ("homepage_url", None, &FieldError::NotAWebAddress),
                ("privacy_url", None, &FieldError::NotAWebAddress),
                ("allowed_origins", Some(1), &suggested),
                ("redirect_uris", Some(0), &FieldError::Fragment),
                ("scopes", Some(1), &FieldError::UnknownScope),
                ("response_types", None, &FieldError::NoneChosen),
            ]
        );
    }

    #[test]
    fn an_application_that_could_be_used_nowhere_is_refused() {
        let nowhere = Draft { allowed_origins: vec![], ..draft() };
        let problem = Problem { field: Field::AllowedOrigins, entry: None, error: FieldError::Nowhere };
        assert_eq!(nowhere.read(), Err(vec![problem]));
        let by_redirect = Draft { redirect_uris: vec!["https://a.com/cb".into()], ..nowhere };
        assert!(by_redirect.read().is_ok());
    }

    #[test]
    fn more_entries_than_an_application_may_have_are_one_problem() {
        let many = (0..=MAX_ENTRIES).map(|i| format!("https://a{i}.com")).collect();
        let problems = Draft { allowed_origins: many, ..draft() }.read().unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].error, FieldError::TooMany(MAX_ENTRIES));
    }

    #[test]
    fn what_would_not_fit_into_a_form_is_one_problem() {
        let long = |count: usize| (0..count).map(|i| format!("https://a.com/{i:0>400}")).collect::<Vec<_>>();
        assert!(Draft { redirect_uris: long(28), ..draft() }.read().is_ok());
        let problems = Draft { redirect_uris: long(30), ..draft() }.read().unwrap_err();
        let told = Problem {
            field: Field::RedirectUris,
            entry: None,
            error: FieldError::TooLongTogether(MAX_TOGETHER),
        };
        assert_eq!(problems, [told]);
    }

    #[test]
    fn what_is_registered_is_a_draft_that_reads_as_itself() {
        let details = Draft {
            homepage_url: "https://a.com/about".into(),
            redirect_uris: vec!["https://a.com/cb?x=%2F".into()],
            asks_always: true,
            ..draft()
        }
        .read()
        .unwrap();
        let application = details.clone().register("c1".into(), "o1".into(), 5);
        assert_eq!(Draft::from(&application).read(), Ok(details.clone()));
        let changed = details.clone().replace(Application { revision: 7, ..application }, 9);
        assert_eq!((changed.revision, changed.asks_always_at), (7, Some(5)));
    }

    #[test]
    fn every_field_is_read_by_its_name() {
        for field in Field::ALL {
            assert_eq!(Field::parse(field.as_str()), Some(*field));
        }
        assert_eq!(Field::parse("organization_id"), None);
    }
}
