//! What a route asks of a token: declared beside its path, before any request comes.

use std::borrow::Cow;

use latchkey_protocol::scope::Scope;
use percent_encoding::percent_decode_str;

/// The path segment that stands for an organization, by slug or by id.
pub const ORGANIZATION: &str = "{organization}";

/// Which organization a route is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrganizationRule {
    /// The path names it, in the segment with this number, counted from 0.
    InPath(usize),
    /// It is the token's own.
    Own,
}

/// What a route asks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Which organization the route is about.
    pub organization: OrganizationRule,
    /// The scope it needs; `None` where any token will do.
    pub scope: Option<Scope>,
}

impl Rule {
    /// The rule of a route with this path. Where a segment of it is `{organization}`, requests name the organization
    /// there and it must be the token's; where none is, the route is about the token's own.
    ///
    /// ```
    /// use latchkey_gate::{OrganizationRule, Rule};
    /// use latchkey_protocol::scope::Scope;
    ///
    /// const RULE: Rule = Rule::of("/api/organizations/{organization}/issues", Some(Scope::EventRead));
    /// assert_eq!(RULE.organization, OrganizationRule::InPath(2));
    /// ```
    pub const fn of(path: &str, scope: Option<Scope>) -> Self {
        Self { organization: organization(path), scope }
    }

    /// The organization that a request's path names, where the rule says that one does. A segment that is not UTF-8
    /// names none.
    pub fn named(self, path: &str) -> Option<Cow<'_, str>> {
        match self.organization {
            OrganizationRule::Own => None,
            OrganizationRule::InPath(number) => {
                let segment = path.strip_prefix('/')?.split('/').nth(number)?;
                percent_decode_str(segment).decode_utf8().ok()
            }
        }
    }
}

const fn organization(path: &str) -> OrganizationRule {
    let (path, wanted) = (path.as_bytes(), ORGANIZATION.as_bytes());
    let (mut at, mut number) = (1, 0);
    while at < path.len() {
        let mut length = 0;
        while at + length < path.len() && path[at + length] != b'/' {
            length += 1;
        }
        if same(path, at, length, wanted) {
            return OrganizationRule::InPath(number);
        }
        at += length + 1;
        number += 1;
    }
    OrganizationRule::Own
}

const fn same(path: &[u8], at: usize, length: usize, wanted: &[u8]) -> bool {
    if length != wanted.len() {
        return false;
    }
    let mut i = 0;
    while i < length {
        if path[at + i] != wanted[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_says_where_it_names_an_organization() {
        for (path, organization) in [
            ("/{organization}", OrganizationRule::InPath(0)),
            ("/api/0/organizations/{organization}", OrganizationRule::InPath(3)),
            ("/api/0/organizations/{organization}/", OrganizationRule::InPath(3)),
            ("/api/0/organizations/{organization}/issues/{issue}", OrganizationRule::InPath(3)),
            ("/api/0", OrganizationRule::Own),
            ("/", OrganizationRule::Own),
            ("", OrganizationRule::Own),
            ("/{organizations}", OrganizationRule::Own),
            ("/x{organization}", OrganizationRule::Own),
        ] {
            assert_eq!(Rule::of(path, None).organization, organization, "{path}");
        }
    }

    #[test]
    fn a_request_names_the_organization_in_that_segment_and_nowhere_else() {
        let rule = Rule::of("/o/{organization}/x", None);
        for (path, named) in [
            ("/o/acme/x", Some("acme")),
            ("/o/acme", Some("acme")),
            ("/o/acme%20b/x", Some("acme b")),
            ("/o/a%2fb/x", Some("a/b")),
            ("/o//acme", Some("")),
            ("/o/%ff/x", None),
            ("/o", None),
            ("o/acme", None),
            ("", None),
        ] {
            assert_eq!(rule.named(path).as_deref(), named, "{path}");
        }
        assert_eq!(Rule::of("/o", None).named("/o/acme"), None);
    }

    proptest! {
        #[test]
        fn any_path_names_its_own_segment(before in "[a-z]{1,5}", slug in "[a-z0-9-]{1,12}", after in "(/[a-z%/]{0,20})?") {
            let rule = Rule::of("/o/{organization}", None);
            let path = format!("/{before}/{slug}{after}");
            let named = rule.named(&path);
            prop_assert_eq!(named.as_deref(), Some(slug.as_str()));
        }

        #[test]
        fn any_text_is_read_without_a_panic(path in "\\PC{0,60}") {
            let _ = Rule::of(&path, None).named(&path);
            let _ = Rule::of("/{organization}", None).named(&path);
        }
    }
}
