//! What a token stands on, as it is now: the application, its organization, the person, their role.
//!
//! Tokens of one application share one description of it, and so do tokens of one person: a token by itself is small.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use compact_str::CompactString;
use latchkey_protocol::scope::{Role, Scopes};

use crate::clock::UnixSeconds;

/// All that the gate asks about a token.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The token's id, for logs; never the token. Ours fit into the text itself.
    pub token_id: CompactString,
    /// What was granted.
    pub scopes: Scopes,
    /// When it was issued.
    pub created_at: UnixSeconds,
    /// When it expires.
    pub expires_at: UnixSeconds,
    /// Whether it is revoked, or the grant it was issued on.
    pub is_revoked: bool,
    /// The application it was issued to.
    pub application: Shared<Application>,
    /// The person it was issued for.
    pub member: Shared<Member>,
}

/// An application, and the organization that owns it for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its public id.
    pub client_id: Box<str>,
    /// The sites it runs on.
    pub origins: Box<[Box<str>]>,
    /// Since when it is disabled.
    pub disabled_at: Option<UnixSeconds>,
    /// The organization: the scoping organization of every token of it.
    pub organization: Organization,
}

/// An organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: Box<str>,
    /// Its slug.
    pub slug: Box<str>,
    /// Its name.
    pub name: Box<str>,
    /// Since when it is disabled.
    pub disabled_at: Option<UnixSeconds>,
}

/// A person, and what they are in the organization of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Their id.
    pub user_id: Box<str>,
    /// Their name.
    pub name: Box<str>,
    /// Their e-mail address. A region does not know it.
    pub email: Option<Box<str>>,
    /// Since when they are disabled.
    pub disabled_at: Option<UnixSeconds>,
    /// The organization.
    pub organization_id: Box<str>,
    /// Their role there; `None` when they are not a member of it any more.
    pub role: Option<Role>,
}

impl Standing {
    /// Whether the token is good at all, whoever asks for whatever.
    pub fn holds(&self, now: UnixSeconds) -> bool {
        let is_live = !self.is_revoked && now < self.expires_at;
        is_live
            && self.application.disabled_at.is_none()
            && self.application.organization.disabled_at.is_none()
            && self.member.disabled_at.is_none()
    }

    /// Whether nothing of it is known to have changed.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.application.is_stale() && !self.member.is_stale()
    }
}

/// What several tokens stand on. Who learns that it changed says so once, and no token stands on it any more.
#[derive(Debug)]
pub struct Shared<T>(Arc<Part<T>>);

#[derive(Debug)]
pub(crate) struct Part<T> {
    value: T,
    is_stale: AtomicBool,
}

impl<T> Shared<T> {
    /// Describes something as it is now.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Part { value, is_stale: AtomicBool::new(false) }))
    }

    fn is_stale(&self) -> bool {
        self.0.is_stale.load(Ordering::Acquire)
    }

    pub(crate) fn downgrade(&self) -> std::sync::Weak<Part<T>> {
        Arc::downgrade(&self.0)
    }

    pub(crate) fn upgrade(part: &std::sync::Weak<Part<T>>) -> Option<Self> {
        part.upgrade().map(Self).filter(|shared| !shared.is_stale())
    }

    pub(crate) fn make_stale(&self) {
        self.0.is_stale.store(true, Ordering::Release);
    }
}

// Not derived: what is shared need not be copied.
impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}
