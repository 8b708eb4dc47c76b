//! What came back.

use std::collections::BTreeMap;

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, response::Parts},
    response::Response,
};
use serde_json::Value;

use super::leak;

/// An answer, read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        Self::read(parts, body).await.expect("a whole answer")
    }

    /// `None` where it breaks off.
    pub(crate) async fn read(parts: Parts, body: Body) -> Option<Self> {
        let bytes = to_bytes(body, 1 << 24).await.ok()?;
        let body = String::from_utf8_lossy(&bytes).into_owned();
        let answer = Self { status: parts.status.as_u16(), headers: parts.headers, body };
        if let Some(told) = leak::in_answer(answer.status, &answer.headers, &answer.body) {
            panic!("{told}");
        }
        Some(answer)
    }

    /// A header that stands at most once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} stands twice");
        first
    }

    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.body);
        self.header("location").unwrap()
    }

    /// What an authorization response brings, read as a browser's `URLSearchParams` does; the address before the
    /// fragment is `redirect_uri`.
    #[track_caller]
    pub(crate) fn response_to(&self, redirect_uri: &str) -> BTreeMap<String, String> {
        let (address, fragment) = self.location().split_once('#').expect("a fragment");
        assert_eq!(address, redirect_uri);
        let pairs: Vec<_> = url::form_urlencoded::parse(fragment.as_bytes()).into_owned().collect();
        let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(map.len(), pairs.len(), "no parameter stands twice: {fragment}");
        map
    }

    /// A page of ours with this status that says this, and sends nobody anywhere.
    #[track_caller]
    pub(crate) fn assert_page(&self, status: u16, says: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("location"), None);
        assert_eq!(self.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(self.body.contains(says), "{says:?} is not in {}", self.body);
        assert!(!self.body.contains("postMessage") && !self.body.contains("http-equiv"), "{}", self.body);
    }

    /// An error page that begins with this.
    #[track_caller]
    pub(crate) fn assert_error_page(&self, status: u16, begins: &str) {
        self.assert_page(status, &format!("id=\"error\">{begins}"));
    }

    /// An error of the API, with nothing but its code and what it means.
    #[track_caller]
    pub(crate) fn assert_api_error(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.json()["error"].as_str()), (status, Some(code)), "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        let object = self.json();
        let names: Vec<_> = object.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["error", "error_description"]);
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The value of a form's hidden field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// The CSRF token of the form that leads there.
    #[track_caller]
    pub(crate) fn csrf(&self, action: &str) -> String {
        let start = format!("action=\"{action}\"");
        let (_, rest) =
            self.body.split_once(&start).unwrap_or_else(|| panic!("no {action} in {}", self.body));
        let (_, rest) = rest.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// The address of the link or button with this id.
    #[track_caller]
    pub(crate) fn link(&self, id: &str) -> String {
        let start = format!("id=\"{id}\" href=\"");
        let (_, rest) = self.body.split_once(&start).unwrap_or_else(|| panic!("no {id} in {}", self.body));
        unescape(rest.split_once('"').unwrap().0)
    }
}

fn unescape(text: &str) -> String {
    text.replace("&#38;", "&").replace("&amp;", "&").replace("&#39;", "'").replace("&quot;", "\"")
}
