//! The gate's decision: a plain function of what the store says now.
#![warn(clippy::wildcard_enum_match_arm, reason = "a decision says what happens in every case")]

use latchkey_protocol::scope::Scopes;

use crate::{
    clock::UnixSeconds,
    gate::{OrganizationRule, Rule},
    http::error::Error,
    store::tokens::Facts,
};

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What the route asks of a token.
    pub rule: Rule,
    /// The organization that the path names, by slug or by id.
    pub named: Option<&'a str>,
    /// The `Origin` header, where there is one.
    pub origin: Option<&'a str>,
    /// The platform's own origin.
    pub platform: &'a str,
    /// The moment.
    pub now: UnixSeconds,
}

/// Decides whether the request passes, and with which scopes. The first reason in the documented order is the one
/// that is told.
pub fn decide(facts: &Facts, asked: &Asked<'_>) -> Result<Scopes, Error> {
    let is_live = facts.revoked_at.is_none() && asked.now < facts.expires_at;
    let stands = facts.application_disabled_at.is_none()
        && facts.user_disabled_at.is_none()
        && facts.organization_disabled_at.is_none();
    if !is_live || !stands {
        return Err(Error::InvalidToken);
    }
    if asked.origin.is_some_and(|origin| origin != asked.platform) && !facts.runs_on_origin {
        return Err(Error::OriginNotAllowed);
    }
    match (asked.rule.organization, asked.named) {
        (OrganizationRule::Own, None) => {}
        (OrganizationRule::InPath, Some(named))
            if named == facts.organization_slug || named == facts.organization_id => {}
        // A foreign organization and one that does not exist are the same answer: nothing is looked up to tell them
        // apart. A rule that does not fit its path lets nobody through.
        (OrganizationRule::InPath, Some(_) | None) | (OrganizationRule::Own, Some(_)) => {
            return Err(Error::WrongOrganization);
        }
    }
    let role = facts.role.ok_or(Error::MembershipRequired)?;
    let scopes = facts.scopes.intersection(role.scopes());
    match asked.rule.scope {
        Some(scope) if !scopes.grants(scope) => Err(Error::InsufficientScope(scope)),
        Some(_) | None => Ok(scopes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_protocol::scope::{Role, Scope};

    fn facts() -> Facts {
        Facts {
            token_id: "t1".into(),
            scopes: Scopes::of(&[Scope::ProjectWrite]),
            created_at: 10,
            expires_at: 200,
            revoked_at: None,
            client_id: "c1".into(),
            application_disabled_at: None,
            runs_on_origin: false,
            user_id: "u1".into(),
            user_name: "Ada".into(),
            user_email: "ada@example.org".into(),
            user_disabled_at: None,
            organization_id: "o1".into(),
            organization_slug: "acme".into(),
            organization_name: "Acme".into(),
            organization_disabled_at: None,
            role: Some(Role::Member),
        }
    }

    const PROJECTS: Rule = Rule { organization: OrganizationRule::InPath, scope: Some(Scope::ProjectRead) };
    const OWN: Rule = Rule { organization: OrganizationRule::Own, scope: None };

    fn asked(rule: Rule, named: Option<&'static str>) -> Asked<'static> {
        Asked { rule, named, origin: None, platform: "https://p.example", now: 100 }
    }

    #[test]
    fn a_live_token_opens_its_organization_by_slug_and_by_id() {
        for named in ["acme", "o1"] {
            let scopes = decide(&facts(), &asked(PROJECTS, Some(named))).unwrap();
            assert_eq!(scopes.to_list(), "project:read", "a member's role narrows project:write");
        }
        assert!(decide(&facts(), &asked(OWN, None)).is_ok());
    }

    #[test]
    fn whatever_a_token_stands_on_must_be_active() {
        for facts in [
            Facts { expires_at: 100, ..facts() },
            Facts { revoked_at: Some(1), ..facts() },
            Facts { application_disabled_at: Some(1), ..facts() },
            Facts { user_disabled_at: Some(1), ..facts() },
            Facts { organization_disabled_at: Some(1), ..facts() },
        ] {
            assert!(
                matches!(decide(&facts, &asked(PROJECTS, Some("acme"))), Err(Error::InvalidToken)),
                "{facts:?}"
            );
        }
    }

    #[test]
    fn an_origin_is_the_platforms_the_applications_or_refused() {
        let from = |origin| Asked { origin: Some(origin), ..asked(PROJECTS, Some("acme")) };
        assert!(decide(&facts(), &from("https://p.example")).is_ok());
        for origin in ["https://a.com", "https://p.example.evil.example", "https://p.example/", "null", ""] {
            assert!(matches!(decide(&facts(), &from(origin)), Err(Error::OriginNotAllowed)), "{origin}");
        }
        assert!(decide(&Facts { runs_on_origin: true, ..facts() }, &from("https://a.com")).is_ok());
    }

    #[test]
    fn another_organization_and_none_at_all_are_the_same_refusal() {
        for named in ["globex", "o2", "ACME", "acme ", "", "acme/", "O1"] {
            let refused = decide(&facts(), &asked(PROJECTS, Some(named)));
            assert!(matches!(refused, Err(Error::WrongOrganization)), "{named}");
        }
    }

    #[test]
    fn a_rule_that_does_not_fit_its_path_lets_nobody_through() {
        assert!(matches!(decide(&facts(), &asked(PROJECTS, None)), Err(Error::WrongOrganization)));
        assert!(matches!(decide(&facts(), &asked(OWN, Some("acme"))), Err(Error::WrongOrganization)));
    }

    #[test]
    fn a_member_who_left_is_refused() {
        let left = Facts { role: None, ..facts() };
        assert!(matches!(decide(&left, &asked(OWN, None)), Err(Error::MembershipRequired)));
    }

    #[test]
    fn a_scope_counts_as_the_role_is_now() {
        let write = Rule { scope: Some(Scope::ProjectWrite), ..PROJECTS };
        let refused = decide(&facts(), &asked(write, Some("acme")));
        assert!(matches!(refused, Err(Error::InsufficientScope(Scope::ProjectWrite))));
        let admin = Facts { role: Some(Role::Admin), ..facts() };
        assert!(decide(&admin, &asked(write, Some("acme"))).is_ok());
        let events = Rule { scope: Some(Scope::EventRead), ..PROJECTS };
        assert!(decide(&admin, &asked(events, Some("acme"))).is_err());
    }
}
