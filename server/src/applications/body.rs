//! An application in JSON, as a program sends it: some fields, or all.

use serde_json::{Map, Value};

use crate::{
    applications::{
        draft::{Draft, Field, Problem},
        form,
        registration::FieldError,
    },
    http::error::Error,
};

/// What a program sent.
#[derive(Debug)]
pub struct Body<'a> {
    fields: &'a Map<String, Value>,
}

impl<'a> Body<'a> {
    /// Takes an object in which every name is known.
    pub fn read(fields: &'a Map<String, Value>) -> Result<Self, Error> {
        for name in fields.keys() {
            if Field::parse(name).is_none() {
                return Err(Error::UnknownField(
                    "known are name, homepage_url, privacy_url, terms_url, allowed_origins, redirect_uris, scopes, \
                     response_types, asks_always and disabled; an application stays with its organization",
                ));
            }
        }
        Ok(Self { fields })
    }

    /// Whether it is to be disabled, where that was said.
    pub fn disabled(&self) -> Option<bool> {
        self.fields.get(Field::Disabled.as_str()).and_then(Value::as_bool)
    }

    /// The draft that this is, with what was left out as it was before, or as it is where nobody says.
    pub fn complete(&self, before: Option<Draft>) -> Result<Draft, Error> {
        let mut draft = before.unwrap_or_else(form::empty);
        let mut problems = vec![];
        for field in Field::ALL.iter().copied() {
            let Some(value) = self.fields.get(field.as_str()) else { continue };
            let set = match field {
                Field::Name => text(value, &mut draft.name),
                Field::HomepageUrl => text_or_null(value, &mut draft.homepage_url),
                Field::PrivacyUrl => text_or_null(value, &mut draft.privacy_url),
                Field::TermsUrl => text_or_null(value, &mut draft.terms_url),
                Field::AllowedOrigins => texts(value, &mut draft.allowed_origins),
                Field::RedirectUris => texts(value, &mut draft.redirect_uris),
                Field::Scopes => texts(value, &mut draft.scopes),
                Field::ResponseTypes => texts(value, &mut draft.response_types),
                Field::AsksAlways => yes_or_no(value).map(|asks_always| draft.asks_always = asks_always),
                Field::Disabled => yes_or_no(value).map(drop),
            };
            if let Err(expected) = set {
                problems.push(Problem { field, entry: None, error: FieldError::NotOfType(expected) });
            }
        }
        if problems.is_empty() { Ok(draft) } else { Err(Error::Fields(problems)) }
    }
}

fn text(value: &Value, into: &mut String) -> Result<(), &'static str> {
    value.as_str().ok_or("a text")?.clone_into(into);
    Ok(())
}

fn text_or_null(value: &Value, into: &mut String) -> Result<(), &'static str> {
    if value.is_null() {
        into.clear();
        return Ok(());
    }
    text(value, into).map_err(|_| "a text or null")
}

fn yes_or_no(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("true or false")
}

fn texts(value: &Value, into: &mut Vec<String>) -> Result<(), &'static str> {
    let list = value.as_array().and_then(|list| {
        list.iter().map(|entry| entry.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    *into = list.ok_or("a list of texts")?;
    Ok(())
}
