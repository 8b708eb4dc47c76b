//! What happens next with an authorization request: a plain function of what is known now.
#![warn(clippy::wildcard_enum_match_arm, reason = "a decision says what happens in every case")]

use latchkey_protocol::scope::{Role, Scopes};

use crate::{
    applications::ResponseType,
    clock::UnixSeconds,
    oauth::{
        request::{Prompt, Request},
        response::RedirectError,
    },
    store::consents::Remembered,
};

/// What is known now.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// When the person proved who they are, if anybody is signed in.
    pub authenticated_at: Option<UnixSeconds>,
    /// Their role in the application's organization, if they are a member.
    pub role: Option<Role>,
    /// What they allowed this application before, on this site and with this redirect.
    pub remembered: Option<Remembered>,
    /// Whether the session is of the person whose id_token the client sent along; true where it sent none.
    pub is_hinted: bool,
    /// The application's maximum now.
    pub maximum: Scopes,
    /// Whether the application asks every time.
    pub asks_always: bool,
    /// When the request came.
    pub requested_at: UnixSeconds,
    /// Whether that is now: nobody has signed in for it yet, though somebody may have in the same second.
    pub is_new: bool,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The person signs in, or signs in again.
    LogIn,
    /// The person is told that they are not a member.
    TellNotAMember,
    /// The person is asked for these scopes.
    Ask(Scopes),
    /// These scopes are granted.
    Grant(Scopes),
    /// The client is told.
    Refuse(RedirectError),
}

/// Decides.
pub fn decide(request: &Request, facts: &Facts) -> Next {
    // With prompt=none nothing is ever shown: what would be a page is an answer to the client.
    let silent = request.prompt == Prompt::None;
    let show = |page: Next, error: RedirectError| if silent { Next::Refuse(error) } else { page };

    let Some(authenticated_at) = facts.authenticated_at else {
        return show(Next::LogIn, RedirectError::LoginRequired);
    };
    let was_asked = !facts.is_new && authenticated_at >= facts.requested_at;
    if is_stale(request, authenticated_at, facts.requested_at, was_asked) {
        return show(Next::LogIn, RedirectError::LoginRequired);
    }
    // OpenID Connect Core §3.1.2.2: nothing for anybody but the person that the client means. Who signed in as another
    // one although they were asked to means it.
    if !facts.is_hinted {
        let error = RedirectError::LoginRequired;
        return if was_asked { Next::Refuse(error) } else { show(Next::LogIn, error) };
    }
    let Some(role) = facts.role else {
        return show(Next::TellNotAMember, RedirectError::AccessDenied);
    };
    let scopes = narrow(request.scopes, facts.maximum, role);
    if scopes.is_empty() {
        return Next::Refuse(RedirectError::InvalidScope);
    }
    if must_ask(request, facts, scopes) {
        return show(Next::Ask(scopes), RedirectError::ConsentRequired);
    }
    Next::Grant(scopes)
}

/// What can be granted of what was asked: nothing beyond the application, nothing beyond the role.
pub fn narrow(asked: Scopes, maximum: Scopes, role: Role) -> Scopes {
    asked.intersection(maximum).intersection(role.scopes())
}

/// Whether the person proves again who they are. Both count from when the request came, so that a login it asked for
/// is enough however long the person then takes.
fn is_stale(
    request: &Request,
    authenticated_at: UnixSeconds,
    requested_at: UnixSeconds,
    was_asked: bool,
) -> bool {
    let limit = |max_age| requested_at - max_age;
    (request.prompt.wants_login() && !was_asked)
        || request.max_age.map(limit).is_some_and(|limit| authenticated_at < limit)
}

fn must_ask(request: &Request, facts: &Facts, scopes: Scopes) -> bool {
    // Anything on the machine can listen on a loopback port: that somebody said yes there once proves nothing
    // (RFC 8252 §8.6).
    let on_loopback = request.target.requesting_origin.is_loopback();
    let lasts = request.response_type == ResponseType::Code;
    let covered = facts
        .remembered
        .is_some_and(|remembered| remembered.scopes.covers(scopes) && (remembered.with_refresh || !lasts));
    request.prompt.wants_consent() || facts.asks_always || on_loopback || !covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::request::Target;
    use latchkey_protocol::{origin::Origin, scope::Scope};

    const ASKED: Scopes = Scopes::of(&[Scope::OrgRead, Scope::ProjectRead]);

    fn request(prompt: Prompt, origin: &str) -> Request {
        Request {
            client_id: "c1".into(),
            response_type: ResponseType::Token,
            target: Target {
                redirect_uri: format!("{origin}/cb"),
                is_callback: false,
                requesting_origin: Origin::parse(origin).unwrap(),
            },
            scopes: ASKED,
            names_redirect: true,
            state: None,
            prompt,
            login_hint: None,
            max_age: None,
            code_challenge: None,
            nonce: None,
            hinted_user_id: None,
        }
    }

    fn facts() -> Facts {
        Facts {
            authenticated_at: Some(100),
            role: Some(Role::Member),
            remembered: Some(Remembered { scopes: ASKED, with_refresh: false }),
            is_hinted: true,
            maximum: Scopes::ALL,
            asks_always: false,
            requested_at: 200,
            is_new: false,
        }
    }

    #[test]
    fn each_case_leads_where_the_design_says() {
        use Next::*;
        use Prompt::{AsNeeded, Consent, Login, LoginAndConsent, None as Silent};
        let anonymous = Facts { authenticated_at: None, ..facts() };
        let fresh = Facts { authenticated_at: Some(200), ..facts() };
        let stranger = Facts { role: None, ..facts() };
        let unasked = Facts { remembered: None, ..facts() };
        let allowed = |scopes| Some(Remembered { scopes, with_refresh: false });
        let narrower = Facts { remembered: allowed(Scopes::of(&[Scope::OrgRead])), ..facts() };
        let wider = Facts { remembered: allowed(Scopes::ALL), ..facts() };
        let somebody_else = Facts { is_hinted: false, ..facts() };
        let still_somebody_else = Facts { is_hinted: false, ..fresh };
        let a_moment_ago = Facts { is_new: true, ..fresh };
        let somebody_else_a_moment_ago = Facts { is_new: true, ..still_somebody_else };
        let asks_always = Facts { asks_always: true, ..facts() };
        let shrunk = Facts { maximum: Scopes::of(&[Scope::EventRead]), ..facts() };
        let site = "https://a.com";
        let loopback = "http://localhost:3000";
        for (prompt, origin, facts, next) in [
            (AsNeeded, site, facts(), Grant(ASKED)),
            (Silent, site, facts(), Grant(ASKED)),
            (AsNeeded, site, wider, Grant(ASKED)),
            (AsNeeded, site, anonymous, LogIn),
            (Silent, site, anonymous, Refuse(RedirectError::LoginRequired)),
            (Login, site, facts(), LogIn),
            (LoginAndConsent, site, facts(), LogIn),
            (Login, site, fresh, Grant(ASKED)),
            (LoginAndConsent, site, fresh, Ask(ASKED)),
            (Login, site, a_moment_ago, LogIn),
            (LoginAndConsent, site, a_moment_ago, LogIn),
            (AsNeeded, site, a_moment_ago, Grant(ASKED)),
            (Silent, site, a_moment_ago, Grant(ASKED)),
            (AsNeeded, site, stranger, TellNotAMember),
            (Consent, site, stranger, TellNotAMember),
            (Silent, site, stranger, Refuse(RedirectError::AccessDenied)),
            (AsNeeded, site, somebody_else, LogIn),
            (Silent, site, somebody_else, Refuse(RedirectError::LoginRequired)),
            (AsNeeded, site, still_somebody_else, Refuse(RedirectError::LoginRequired)),
            (AsNeeded, site, somebody_else_a_moment_ago, LogIn),
            (AsNeeded, site, unasked, Ask(ASKED)),
            (Silent, site, unasked, Refuse(RedirectError::ConsentRequired)),
            (AsNeeded, site, narrower, Ask(ASKED)),
            (Consent, site, facts(), Ask(ASKED)),
            (AsNeeded, site, asks_always, Ask(ASKED)),
            (Silent, site, asks_always, Refuse(RedirectError::ConsentRequired)),
            (AsNeeded, loopback, facts(), Ask(ASKED)),
            (Silent, loopback, facts(), Refuse(RedirectError::ConsentRequired)),
            (AsNeeded, site, shrunk, Refuse(RedirectError::InvalidScope)),
        ] {
            assert_eq!(decide(&request(prompt, origin), &facts), next, "{prompt:?} {origin} {facts:?}");
        }
    }

    #[test]
    fn a_login_older_than_max_age_is_not_enough() {
        for (max_age, prompt, authenticated_at, next) in [
            (100, Prompt::AsNeeded, 100, Next::Grant(ASKED)),
            (99, Prompt::AsNeeded, 100, Next::LogIn),
            (99, Prompt::None, 100, Next::Refuse(RedirectError::LoginRequired)),
            (0, Prompt::AsNeeded, 199, Next::LogIn),
            (0, Prompt::AsNeeded, 200, Next::Grant(ASKED)),
            (i64::from(u32::MAX), Prompt::AsNeeded, 100, Next::Grant(ASKED)),
        ] {
            let request = Request { max_age: Some(max_age), ..request(prompt, "https://a.com") };
            let facts = Facts { authenticated_at: Some(authenticated_at), ..facts() };
            assert_eq!(decide(&request, &facts), next, "{max_age} {prompt:?} {authenticated_at}");
        }
    }

    /// The page for a token says "for one hour", the one for a code "for up to 90 days".
    #[test]
    fn what_was_allowed_for_a_token_is_asked_again_for_a_code_and_not_the_other_way_round() {
        for (response_type, with_refresh, next) in [
            (ResponseType::Token, false, Next::Grant(ASKED)),
            (ResponseType::Token, true, Next::Grant(ASKED)),
            (ResponseType::Code, false, Next::Ask(ASKED)),
            (ResponseType::Code, true, Next::Grant(ASKED)),
        ] {
            let request = Request { response_type, ..request(Prompt::AsNeeded, "https://a.com") };
            let remembered = Some(Remembered { scopes: ASKED, with_refresh });
            assert_eq!(
                decide(&request, &Facts { remembered, ..facts() }),
                next,
                "{response_type} {with_refresh}"
            );
        }
    }

    #[test]
    fn what_exceeds_the_role_is_narrowed_away() {
        let asked = Scopes::of(&[Scope::ProjectAdmin, Scope::OrgRead]);
        assert_eq!(narrow(asked, Scopes::ALL, Role::Member).to_list(), "org:read project:read");
        assert_eq!(narrow(asked, Scopes::ALL, Role::Admin).to_list(), "org:read project:admin");
        assert_eq!(narrow(asked, Scopes::of(&[Scope::ProjectWrite]), Role::Owner).to_list(), "project:write");
    }
}
