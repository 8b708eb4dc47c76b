//! The gate's decision: a plain function of what the store says now.
#![warn(clippy::wildcard_enum_match_arm, reason = "a decision says what happens in every case")]

use latchkey_protocol::scope::Scopes;

use crate::{OrganizationRule, Refusal, Rule, Standing, clock::UnixSeconds};

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
pub fn decide(standing: &Standing, asked: &Asked<'_>) -> Result<Scopes, Refusal> {
    if !standing.holds(asked.now) {
        return Err(Refusal::InvalidToken);
    }
    let application = &standing.application;
    let runs_on = |origin: &str| application.origins.iter().any(|own| **own == *origin);
    if asked.origin.is_some_and(|origin| origin != asked.platform && !runs_on(origin)) {
        return Err(Refusal::OriginNotAllowed);
    }
    let organization = &application.organization;
    match (asked.rule.organization, asked.named) {
        (OrganizationRule::Own, None) => {}
        (OrganizationRule::InPath(_), Some(named))
            if *named == *organization.slug || *named == *organization.id => {}
        // A foreign organization and one that does not exist are the same answer: nothing is looked up to tell them
        // apart. A rule that does not fit its path lets nobody through.
        (OrganizationRule::InPath(_), Some(_) | None) | (OrganizationRule::Own, Some(_)) => {
            return Err(Refusal::WrongOrganization);
        }
    }
    let role = standing.member.role.ok_or(Refusal::MembershipRequired)?;
    let scopes = standing.scopes.intersection(role.scopes());
    match asked.rule.scope {
        Some(scope) if !scopes.grants(scope) => Err(Refusal::InsufficientScope(scope)),
        Some(_) | None => Ok(scopes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::{Application, Member, Organization, Shared};
    use latchkey_protocol::scope::{Role, Scope};

    fn application() -> Application {
        Application {
            client_id: "c1".into(),
            origins: Box::new(["https://a.com".into()]),
            disabled_at: None,
            organization: Organization {
                id: "o1".into(),
                slug: "acme".into(),
                name: "Acme".into(),
                disabled_at: None,
            },
        }
    }

    fn member(role: Option<Role>) -> Member {
        Member {
            user_id: "u1".into(),
            name: "Ada".into(),
            email: Some("ada@example.org".into()),
            disabled_at: None,
            organization_id: "o1".into(),
            role,
        }
    }

    fn standing() -> Standing {
        Standing {
            token_id: "t1".into(),
            scopes: Scopes::of(&[Scope::ProjectWrite]),
            created_at: 10,
            expires_at: 200,
            is_revoked: false,
            application: Shared::new(application()),
            member: Shared::new(member(Some(Role::Member))),
        }
    }

    fn with_role(role: Option<Role>) -> Standing {
        Standing { member: Shared::new(member(role)), ..standing() }
    }

    const PROJECTS: Rule = Rule::of("/{organization}/projects", Some(Scope::ProjectRead));
    const OWN: Rule = Rule::of("/", None);

    fn asked(rule: Rule, named: Option<&'static str>) -> Asked<'static> {
        Asked { rule, named, origin: None, platform: "https://p.example", now: 100 }
    }

    #[test]
    fn a_live_token_opens_its_organization_by_slug_and_by_id() {
        for named in ["acme", "o1"] {
            let scopes = decide(&standing(), &asked(PROJECTS, Some(named))).unwrap();
            assert_eq!(scopes.to_list(), "project:read", "a member's role narrows project:write");
        }
        assert!(decide(&standing(), &asked(OWN, None)).is_ok());
    }

    #[test]
    fn whatever_a_token_stands_on_must_be_active() {
        let disabled = Application { disabled_at: Some(1), ..application() };
        let organization = Organization { disabled_at: Some(1), ..application().organization };
        let closed = Application { organization, ..application() };
        let gone = Member { disabled_at: Some(1), ..member(Some(Role::Member)) };
        for standing in [
            Standing { expires_at: 100, ..standing() },
            Standing { is_revoked: true, ..standing() },
            Standing { application: Shared::new(disabled), ..standing() },
            Standing { application: Shared::new(closed), ..standing() },
            Standing { member: Shared::new(gone), ..standing() },
        ] {
            assert!(
                matches!(decide(&standing, &asked(PROJECTS, Some("acme"))), Err(Refusal::InvalidToken)),
                "{standing:?}"
            );
        }
    }

    #[test]
    fn an_origin_is_the_platforms_the_applications_or_refused() {
        let from = |origin| Asked { origin: Some(origin), ..asked(PROJECTS, Some("acme")) };
        assert!(decide(&standing(), &from("https://p.example")).is_ok());
        assert!(decide(&standing(), &from("https://a.com")).is_ok());
        for origin in [
            "https://b.com",
            "https://a.com/",
            "https://p.example.evil.example",
            "https://p.example/",
            "null",
            "",
        ] {
            assert!(matches!(decide(&standing(), &from(origin)), Err(Refusal::OriginNotAllowed)), "{origin}");
        }
    }

    #[test]
    fn another_organization_and_none_at_all_are_the_same_refusal() {
        for named in ["globex", "o2", "ACME", "acme ", "", "acme/", "O1"] {
            let refused = decide(&standing(), &asked(PROJECTS, Some(named)));
            assert!(matches!(refused, Err(Refusal::WrongOrganization)), "{named}");
        }
    }

    #[test]
    fn a_rule_that_does_not_fit_its_path_lets_nobody_through() {
        assert!(matches!(decide(&standing(), &asked(PROJECTS, None)), Err(Refusal::WrongOrganization)));
        assert!(matches!(decide(&standing(), &asked(OWN, Some("acme"))), Err(Refusal::WrongOrganization)));
    }

    #[test]
    fn a_member_who_left_is_refused() {
        assert!(matches!(decide(&with_role(None), &asked(OWN, None)), Err(Refusal::MembershipRequired)));
    }

    #[test]
    fn a_scope_counts_as_the_role_is_now() {
        let write = Rule { scope: Some(Scope::ProjectWrite), ..PROJECTS };
        let refused = decide(&standing(), &asked(write, Some("acme")));
        assert!(matches!(refused, Err(Refusal::InsufficientScope(Scope::ProjectWrite))));
        let admin = with_role(Some(Role::Admin));
        assert!(decide(&admin, &asked(write, Some("acme"))).is_ok());
        let events = Rule { scope: Some(Scope::EventRead), ..PROJECTS };
        assert!(decide(&admin, &asked(events, Some("acme"))).is_err());
    }

    /// Every way in which one thing is wrong and everything else is right, and everything at once: the first reason in
    /// the documented order is told (Clerk CVE-2026-42349 was a compound condition that nobody had tabled).
    #[test]
    fn the_first_reason_in_the_documented_order_is_told() {
        for wrong in 0u8..32 {
            let [token, origin, path, left, scope] = [0, 1, 2, 3, 4].map(|bit| wrong & (1 << bit) != 0);
            let standing = Standing {
                is_revoked: token,
                member: Shared::new(member((!left).then_some(Role::Admin))),
                ..standing()
            };
            let asked = Asked {
                rule: Rule {
                    scope: Some(if scope { Scope::EventRead } else { Scope::ProjectRead }),
                    ..PROJECTS
                },
                named: Some(if path { "globex" } else { "acme" }),
                origin: Some(if origin { "https://b.com" } else { "https://a.com" }),
                platform: "https://p.example",
                now: 100,
            };
            let code = decide(&standing, &asked).map_or_else(|refusal| refusal.answer().code, |_| "passed");
            let expected = match (token, origin, path, left, scope) {
                (true, ..) => "invalid_token",
                (_, true, ..) => "origin_not_allowed",
                (_, _, true, ..) => "wrong_organization",
                (_, _, _, true, _) => "membership_required",
                (_, _, _, _, true) => "insufficient_scope",
                _ => "passed",
            };
            assert_eq!(code, expected, "{wrong:05b}");
        }
    }
}
