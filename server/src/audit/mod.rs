//! The audit log of an organization: who did what, when, from where.
//!
//! The store writes it, in the transaction of the change itself: whoever changes something says on whose behalf
//! ([`By`]) before they can, so that no change goes without its entry.

pub mod entry;
pub mod logs;
pub mod page;
pub mod refusals;

use std::net::IpAddr;

use crate::{clock::UnixSeconds, http::address::ClientAddress};

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An organization was added.
    OrganizationAdded,
    /// An organization was disabled, with all that it owns.
    OrganizationDisabled,
    /// What the gate knows of an organization is in another region from now on, or in none.
    OrganizationMoved,
    /// A person became a member.
    MemberAdded,
    /// A member has another role.
    MemberRoleChanged,
    /// A person is not a member any more.
    MemberRemoved,
    /// A member's account was disabled, here and everywhere.
    MemberDisabled,
    /// A project was added.
    ProjectAdded,
    /// An application was registered.
    ApplicationAdded,
    /// An application was changed.
    ApplicationChanged,
    /// An application was disabled.
    ApplicationDisabled,
    /// An application that was disabled works again.
    ApplicationEnabled,
    /// An application was deleted.
    ApplicationRemoved,
    /// A person was invited.
    InvitationAdded,
    /// An invitation was withdrawn.
    InvitationRevoked,
    /// A resource server of the organization was registered.
    ResourceServerAdded,
    /// A resource server of the organization was disabled.
    ResourceServerDisabled,
    /// A person allowed an application something, from now on.
    AuthorizationAllowed,
    /// What a person allowed an application is forgotten.
    AuthorizationEnded,
    /// An application was given a code.
    CodeIssued,
    /// An application was given an access token.
    TokenIssued,
    /// One access token was revoked.
    TokenRevoked,
    /// A grant was revoked, with every token of it.
    GrantRevoked,
    /// The gate refused a token.
    TokenRefused,
}

impl Action {
    /// Every one of them.
    pub const ALL: &[Self] = &[
        Self::OrganizationAdded,
        Self::OrganizationDisabled,
        Self::OrganizationMoved,
        Self::MemberAdded,
        Self::MemberRoleChanged,
        Self::MemberRemoved,
        Self::MemberDisabled,
        Self::ProjectAdded,
        Self::ApplicationAdded,
        Self::ApplicationChanged,
        Self::ApplicationDisabled,
        Self::ApplicationEnabled,
        Self::ApplicationRemoved,
        Self::InvitationAdded,
        Self::InvitationRevoked,
        Self::ResourceServerAdded,
        Self::ResourceServerDisabled,
        Self::AuthorizationAllowed,
        Self::AuthorizationEnded,
        Self::CodeIssued,
        Self::TokenIssued,
        Self::TokenRevoked,
        Self::GrantRevoked,
        Self::TokenRefused,
    ];

    /// Its name in the store, the API and the export.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrganizationAdded => "organization.added",
            Self::OrganizationDisabled => "organization.disabled",
            Self::OrganizationMoved => "organization.moved",
            Self::MemberAdded => "member.added",
            Self::MemberRoleChanged => "member.role_changed",
            Self::MemberRemoved => "member.removed",
            Self::MemberDisabled => "member.disabled",
            Self::ProjectAdded => "project.added",
            Self::ApplicationAdded => "application.added",
            Self::ApplicationChanged => "application.changed",
            Self::ApplicationDisabled => "application.disabled",
            Self::ApplicationEnabled => "application.enabled",
            Self::ApplicationRemoved => "application.removed",
            Self::InvitationAdded => "invitation.added",
            Self::InvitationRevoked => "invitation.revoked",
            Self::ResourceServerAdded => "resource_server.added",
            Self::ResourceServerDisabled => "resource_server.disabled",
            Self::AuthorizationAllowed => "authorization.allowed",
            Self::AuthorizationEnded => "authorization.ended",
            Self::CodeIssued => "code.issued",
            Self::TokenIssued => "token.issued",
            Self::TokenRevoked => "token.revoked",
            Self::GrantRevoked => "grant.revoked",
            Self::TokenRefused => "token.refused",
        }
    }

    /// What happened, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::OrganizationAdded => "Organization added",
            Self::OrganizationDisabled => "Organization disabled",
            Self::OrganizationMoved => "Organization moved to another region",
            Self::MemberAdded => "Member added",
            Self::MemberRoleChanged => "Role changed",
            Self::MemberRemoved => "Member removed",
            Self::MemberDisabled => "Account disabled",
            Self::ProjectAdded => "Project added",
            Self::ApplicationAdded => "Application registered",
            Self::ApplicationChanged => "Application changed",
            Self::ApplicationDisabled => "Application disabled",
            Self::ApplicationEnabled => "Application enabled",
            Self::ApplicationRemoved => "Application deleted",
            Self::InvitationAdded => "Invitation sent",
            Self::InvitationRevoked => "Invitation withdrawn",
            Self::ResourceServerAdded => "Resource server registered",
            Self::ResourceServerDisabled => "Resource server disabled",
            Self::AuthorizationAllowed => "Application allowed by a person",
            Self::AuthorizationEnded => "Application's access ended by a person",
            Self::CodeIssued => "Code issued",
            Self::TokenIssued => "Token issued",
            Self::TokenRevoked => "Token revoked",
            Self::GrantRevoked => "Sign-in ended",
            Self::TokenRefused => "Token refused",
        }
    }

    /// Reads its name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.as_str() == name)
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person in a session of their own, by their id.
    Person(String),
    /// An application with a code or a token, by its client id.
    Application(String),
    /// Whoever runs the command line.
    Command,
    /// The server by itself.
    Server,
}

/// On whose behalf something is done, from where, and when.
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// From where, if it came over the network.
    pub address: Option<IpAddr>,
    /// When.
    pub now: UnixSeconds,
}

impl By {
    /// A person in a session of their own.
    pub fn person(user_id: &str, address: ClientAddress, now: UnixSeconds) -> Self {
        Self { actor: Actor::Person(user_id.to_owned()), address: Some(address.address()), now }
    }

    /// An application with a code or a token.
    pub fn application(client_id: &str, address: ClientAddress, now: UnixSeconds) -> Self {
        Self { actor: Actor::Application(client_id.to_owned()), address: Some(address.address()), now }
    }

    /// Whoever runs the command line.
    pub fn command(now: UnixSeconds) -> Self {
        Self { actor: Actor::Command, address: None, now }
    }

    /// The server by itself.
    pub fn server(now: UnixSeconds) -> Self {
        Self { actor: Actor::Server, address: None, now }
    }
}

impl Actor {
    /// Its kind's name.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Person(_) => "person",
            Self::Application(_) => "application",
            Self::Command => "command",
            Self::Server => "server",
        }
    }

    /// Its id, where it has one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Person(id) | Self::Application(id) => Some(id),
            Self::Command | Self::Server => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_read_by_its_name() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(*action));
        }
        assert_eq!(Action::parse("token.issue"), None);
    }

    #[test]
    fn no_two_actions_are_told_in_the_same_words() {
        let words: std::collections::BTreeSet<_> = Action::ALL.iter().map(|action| action.words()).collect();
        assert_eq!(words.len(), Action::ALL.len());
    }
}
