//! The form by which an application is registered and changed.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use latchkey_protocol::scope::Scope;

use crate::{
    applications::{
        ResponseType,
        draft::{DEFAULT_SCOPES, Draft, Field, Problem},
    },
    http::{error::capitalized, page, parameters::Parameters, workspace::Workspace},
};

/// What stands before a scope in the name of its box.
const SCOPE: &str = "scope.";
/// What stands before a response type in the name of its box.
const RESPONSE_TYPE: &str = "response_type.";
/// The button that takes what is offered in the place of what was typed.
const ACCEPT: &str = "accept";

/// The page with the form.
#[derive(Template)]
#[template(path = "application-form.html")]
pub struct FormPage<'a> {
    /// The frame around it.
    pub workspace: Workspace,
    /// Where the form leads.
    pub action: String,
    /// Where *Cancel* leads.
    pub back: String,
    /// The form's token.
    pub csrf: String,
    /// The application that is changed, by its name; a new one has none.
    pub changes: Option<&'a str>,
    /// The state that is changed.
    pub revision: i64,
    /// What stands in the fields.
    pub draft: &'a Draft,
    /// What is wrong with it.
    pub problems: Problems,
    /// What to know before the form is read.
    pub notice: Option<Notice>,
    /// A site that asked for the application and stands in the list, not saved yet.
    pub asked: Option<String>,
}

/// Why the form does not stand there as it was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Something is wrong with it.
    Wrong,
    /// What was offered stands in its place, and is not saved yet.
    Accepted,
    /// The person signed in again.
    SignedInAgain,
    /// Somebody changed the application in between.
    Outdated,
}

/// What is wrong with the fields.
#[derive(Debug, Default)]
pub struct Problems(pub Vec<Problem>);

/// What is wrong, for the page.
pub struct Told {
    /// The line of a list, counted from 1.
    pub line: Option<usize>,
    /// In words.
    pub words: String,
    /// What is offered instead: for the button, and in words.
    pub offer: Option<(String, String)>,
}

impl Told {
    /// In words, as a sentence begins.
    pub fn sentence(&self) -> String {
        capitalized(&self.words)
    }
}

impl Problems {
    /// Of the field with this name.
    pub fn of(&self, name: &str) -> Vec<Told> {
        let of_field = self.0.iter().filter(|problem| problem.field.as_str() == name);
        let told = of_field.map(|problem| Told {
            line: problem.entry.map(|entry| entry + 1),
            words: problem.error.to_string(),
            offer: problem
                .suggestion()
                .zip(problem.entry)
                .map(|(offer, entry)| (format!("{entry} {offer}"), offer.to_owned())),
        });
        told.collect()
    }

    /// The ids of what says so, each after a space, for what the field is described by.
    pub fn ids_of(&self, name: &str) -> String {
        let ids = (1..=self.of(name).len()).map(|number| match number {
            1 => format!(" {name}-wrong"),
            number => format!(" {name}-wrong-{number}"),
        });
        ids.collect()
    }

    /// Whether anything is wrong with it.
    pub fn are_of(&self, name: &str) -> bool {
        self.0.iter().any(|problem| problem.field.as_str() == name)
    }
}

impl FormPage<'_> {
    /// Shows it.
    pub fn respond(&self) -> Response {
        let status = match self.notice {
            Some(Notice::Wrong) => StatusCode::UNPROCESSABLE_ENTITY,
            Some(Notice::Outdated) => StatusCode::CONFLICT,
            Some(Notice::Accepted | Notice::SignedInAgain) | None => StatusCode::OK,
        };
        page::respond_enhanced(status, self)
    }

    fn scopes(&self) -> &'static [Scope] {
        Scope::ALL
    }

    fn has_scope(&self, scope: &Scope) -> bool {
        self.draft.scopes.iter().any(|name| name == scope.as_str())
    }

    fn has_response_type(&self, name: &str) -> bool {
        self.draft.response_types.iter().any(|chosen| chosen == name)
    }
}

/// What an empty form shows.
pub fn empty() -> Draft {
    Draft {
        scopes: DEFAULT_SCOPES.names().into_iter().map(str::to_owned).collect(),
        response_types: vec![ResponseType::Token.as_str().to_owned()],
        ..Draft::default()
    }
}

/// Reads the form's fields.
pub fn read(parameters: &Parameters) -> Draft {
    let text = |field: Field| parameters.get(field.as_str()).unwrap_or_default();
    let lines = |field: Field| {
        let lines = text(field).lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    let boxes = |prefix: &str| {
        let checked = parameters.iter().filter_map(|(name, _)| name.strip_prefix(prefix));
        checked.map(str::to_owned).collect()
    };
    Draft {
        name: text(Field::Name).to_owned(),
        homepage_url: text(Field::HomepageUrl).to_owned(),
        privacy_url: text(Field::PrivacyUrl).to_owned(),
        terms_url: text(Field::TermsUrl).to_owned(),
        allowed_origins: lines(Field::AllowedOrigins),
        redirect_uris: lines(Field::RedirectUris),
        scopes: boxes(SCOPE),
        response_types: boxes(RESPONSE_TYPE),
        asks_always: parameters.get(Field::AsksAlways.as_str()).is_some(),
    }
}

/// The draft with what the person chose of what was offered, where they did: the button names the line and the text.
pub fn accept(parameters: &Parameters, draft: &Draft) -> Option<Draft> {
    let (entry, offer) = parameters.get(ACCEPT)?.split_once(' ')?;
    let mut draft = draft.clone();
    *draft.allowed_origins.get_mut(entry.parse::<usize>().ok()?)? = offer.to_owned();
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_it_was_filled_in() {
        let form = "name=Shop&allowed_origins=https%3A%2F%2Fa.com%0D%0A%0D%0A+https%3A%2F%2Fb.com+&scope.org:read=on\
                    &response_type.code=on&asks_always=on&revision=3";
        let draft = read(&Parameters::parse(form).unwrap());
        assert_eq!(draft.allowed_origins, ["https://a.com", "https://b.com"]);
        assert_eq!((draft.scopes, draft.response_types), (vec!["org:read".into()], vec!["code".into()]));
        assert!(draft.asks_always && draft.redirect_uris.is_empty());
    }

    #[test]
    fn what_is_offered_takes_the_place_of_the_line_it_is_offered_for() {
        let draft =
            Draft { allowed_origins: vec!["https://a.com".into(), "https://b.com/x".into()], ..empty() };
        let accepted = accept(&Parameters::parse("accept=1+https%3A%2F%2Fb.com").unwrap(), &draft).unwrap();
        assert_eq!(accepted.allowed_origins, ["https://a.com", "https://b.com"]);
        for nothing in ["", "accept=", "accept=2+x", "accept=x+y", "accept=1"] {
            assert_eq!(accept(&Parameters::parse(nothing).unwrap(), &draft), None, "{nothing:?}");
        }
    }
}
