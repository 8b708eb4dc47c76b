//! Scopes: the closed list, the hierarchy within a resource, and what a role holds.

use alloc::{string::String, vec::Vec};
use core::fmt;

macro_rules! scopes {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $token:literal, $words:literal;)*) => {
        /// One scope (RFC 6749 §3.3).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Scope { $($(#[$doc])* $name = $bit,)* }

        impl Scope {
            /// Every scope, in the order in which they are listed to people and in responses.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The scope-token of RFC 6749 §3.3.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $token,)* }
            }

            /// The scope in words, for the consent page.
            pub const fn words(self) -> &'static str {
                match self { $(Self::$name => $words,)* }
            }

            /// Reads one scope-token; `None` for one that is not in the list. Case matters (RFC 6749 §3.3).
            pub fn parse(token: &str) -> Option<Self> {
                match token { $($token => Some(Self::$name),)* _ => None }
            }
        }
    };
}

scopes! {
    /// Read the organization.
    OrgRead = 0, "org:read", "See the organization's name and settings";
    /// Change the organization.
    OrgWrite = 1, "org:write", "Change the organization's settings";
    /// Administer the organization.
    OrgAdmin = 2, "org:admin", "Administer the organization";
    /// Read the members.
    MemberRead = 3, "member:read", "See the organization's members, with their e-mail addresses and roles";
    /// Change members.
    MemberWrite = 4, "member:write", "Invite and change members";
    /// Remove members.
    MemberAdmin = 5, "member:admin", "Administer and remove members";
    /// Read the projects.
    ProjectRead = 6, "project:read", "See the organization's projects";
    /// Change projects.
    ProjectWrite = 7, "project:write", "Create and change projects";
    /// Remove projects.
    ProjectAdmin = 8, "project:admin", "Administer and remove projects";
    /// Read events.
    EventRead = 9, "event:read", "See events and issues";
    /// Change events.
    EventWrite = 10, "event:write", "Resolve and change events and issues";
    /// Remove events.
    EventAdmin = 11, "event:admin", "Remove events and issues";
    /// OpenID Connect sign-in.
    OpenId = 12, "openid", "Know that it is you";
    /// The person's name.
    Profile = 13, "profile", "See your name";
    /// The person's e-mail address.
    Email = 14, "email", "See your e-mail address";
}

/// The number of levels in a resource's hierarchy: read, write, admin.
const LEVELS: u16 = 3;
/// The four resources take the lowest bits, three to each.
const RESOURCE_BITS: u16 = 12;

/// A set of scopes, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u16);

impl Scopes {
    /// No scope.
    pub const NONE: Self = Self(0);
    /// `openid profile email`, which belong to every role.
    pub const IDENTITY: Self = Self::of(&[Scope::OpenId, Scope::Profile, Scope::Email]);
    /// Every scope there is.
    pub const ALL: Self = Self::of(Scope::ALL);

    /// The set of exactly these scopes.
    pub const fn of(scopes: &[Scope]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < scopes.len() {
            bits |= 1 << scopes[i] as u16;
            i += 1;
        }
        Self(bits)
    }

    /// Reads a space-delimited list (RFC 6749 §3.3). The error holds the first token that is not a scope.
    ///
    /// Tokens may repeat, and runs of spaces count as one: order and repetition carry no meaning in a set.
    pub fn parse(list: &str) -> Result<Self, UnknownScope<'_>> {
        list.split(' ').filter(|token| !token.is_empty()).try_fold(Self::NONE, |set, token| {
            Scope::parse(token).map(|scope| set.with(scope)).ok_or(UnknownScope(token))
        })
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u16)
    }

    /// Whether the set names no scope.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set grants this scope, by name or by the hierarchy.
    pub const fn grants(self, scope: Scope) -> bool {
        self.implied().0 & (1 << scope as u16) != 0
    }

    /// Whether the set grants every scope of the other, by name or by the hierarchy.
    pub const fn covers(self, other: Self) -> bool {
        other.0 & !self.implied().0 == 0
    }

    /// The set with all that the hierarchy adds: `admin` includes `write`, `write` includes `read`.
    #[must_use]
    pub const fn implied(self) -> Self {
        let (mut bits, mut level) = (self.0, 1);
        while level < LEVELS {
            let higher = bits & 0b110_110_110_110;
            bits |= higher >> 1;
            level += 1;
        }
        Self(bits)
    }

    /// What both sets grant, the hierarchy counted on both sides, written in the fewest names.
    ///
    /// `org:admin` ∩ `org:write` is `org:write`.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.implied().0 & other.implied().0).reduced()
    }

    /// What either set grants, written in the fewest names.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0).reduced()
    }

    /// The same rights in the fewest names: a level that a higher one includes is dropped.
    #[must_use]
    pub const fn reduced(self) -> Self {
        let (mut bits, mut bit) = (self.0, 0);
        while bit < RESOURCE_BITS {
            let write = bits & (1 << (bit + 1));
            let admin = bits & (1 << (bit + 2));
            if admin != 0 {
                bits &= !(0b11 << bit);
            } else if write != 0 {
                bits &= !(1 << bit);
            }
            bit += LEVELS;
        }
        Self(bits)
    }

    /// The scopes by name, in the list's order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.0 & (1 << *scope as u16) != 0)
    }

    /// The scope-tokens, for JSON arrays.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Scope::as_str).collect()
    }

    /// The set in words, as pages list it: what another scope of it includes is not told twice.
    pub fn words(self) -> Vec<&'static str> {
        self.reduced().iter().map(Scope::words).collect()
    }

    /// The space-delimited list of RFC 6749 §3.3.
    pub fn to_list(self) -> String {
        self.names().join(" ")
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::as_str)).finish()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

/// A token in a scope list that is not a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownScope<'a>(pub &'a str);

/// A member's role in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Role {
    /// Reads, and works on events.
    Member,
    /// Holds every scope.
    Admin,
    /// Holds every scope; only an owner may make, demote or remove an owner.
    Owner,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: &[Self] = &[Self::Member, Self::Admin, Self::Owner];

    /// The role's name on the command line, in the API and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// Reads a role's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == name)
    }

    /// The most that a token of a person with this role can do.
    pub const fn scopes(self) -> Scopes {
        match self {
            Self::Member => Scopes::of(&[
                Scope::OrgRead,
                Scope::MemberRead,
                Scope::ProjectRead,
                Scope::EventRead,
                Scope::EventWrite,
                Scope::OpenId,
                Scope::Profile,
                Scope::Email,
            ]),
            Self::Admin | Self::Owner => Scopes::ALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_list_of_scopes_is_the_documented_one() {
        assert_eq!(
            Scopes::ALL.to_list(),
            "org:read org:write org:admin member:read member:write member:admin project:read project:write \
             project:admin event:read event:write event:admin openid profile email"
        );
    }

    #[test]
    fn admin_includes_write_and_write_includes_read_within_one_resource_only() {
        let admin = Scopes::of(&[Scope::ProjectAdmin]);
        assert!(admin.grants(Scope::ProjectRead) && admin.grants(Scope::ProjectWrite));
        assert!(!admin.grants(Scope::EventRead) && !admin.grants(Scope::MemberAdmin));
        let write = Scopes::of(&[Scope::EventWrite]);
        assert!(write.grants(Scope::EventRead) && !write.grants(Scope::EventAdmin));
        assert!(!Scopes::IDENTITY.grants(Scope::OrgRead));
        assert!(!Scopes::of(&[Scope::OrgRead]).grants(Scope::OrgWrite));
    }

    #[test]
    fn a_member_reads_and_works_on_events_and_admins_hold_all() {
        assert_eq!(
            Role::Member.scopes().reduced().to_list(),
            "org:read member:read project:read event:write openid profile email"
        );
        assert_eq!(Role::Admin.scopes(), Scopes::ALL);
        assert_eq!(Role::Owner.scopes(), Scopes::ALL);
        assert_eq!(Role::parse("Owner"), None);
    }

    #[test]
    fn an_intersection_counts_the_hierarchy_on_both_sides() {
        let asked = Scopes::of(&[Scope::OrgAdmin, Scope::EventAdmin, Scope::ProjectRead]);
        assert_eq!(asked.intersection(Role::Member.scopes()).to_list(), "org:read project:read event:write");
    }

    #[test]
    fn a_list_names_its_first_unknown_token() {
        for (list, wrong) in [
            ("org:read org:everything", "org:everything"),
            ("ORG:READ", "ORG:READ"),
            ("org:read\torg:write", "org:read\torg:write"),
            ("org:read,org:write", "org:read,org:write"),
            ("\u{a0}org:read", "\u{a0}org:read"),
            ("org:reád", "org:reád"),
            ("openid\0", "openid\0"),
        ] {
            assert_eq!(Scopes::parse(list), Err(UnknownScope(wrong)), "{list:?}");
        }
        assert_eq!(Scopes::parse(""), Ok(Scopes::NONE));
        assert_eq!(Scopes::parse("  org:read  org:read "), Ok(Scopes::of(&[Scope::OrgRead])));
    }

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        (0u16..1 << 15).prop_map(Scopes)
    }

    proptest! {
        #[test]
        fn a_set_reads_back_from_its_list(set in any_scopes()) {
            let list = set.to_list();
            prop_assert_eq!(Scopes::parse(&list), Ok(set));
        }

        #[test]
        fn order_and_repetition_mean_nothing_and_one_unknown_token_spoils_the_list(
            mut names in prop::collection::vec(prop::sample::select(Scope::ALL), 0..20), unknown in "[a-z:]{1,8}",
        ) {
            let list = |names: &[Scope]| names.iter().map(|it| it.as_str()).collect::<Vec<_>>().join("  ");
            let set = names.iter().copied().collect::<Scopes>();
            let forwards = list(&names);
            names.reverse();
            let backwards = list(&names);
            prop_assert_eq!(Scopes::parse(&forwards), Ok(set));
            prop_assert_eq!(Scopes::parse(&backwards), Ok(set));
            prop_assume!(Scope::parse(&unknown).is_none());
            let spoilt = list(&names) + " " + &unknown;
            prop_assert_eq!(Scopes::parse(&spoilt), Err(UnknownScope(&unknown)));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,64}") {
            let _ = Scopes::parse(&text);
        }

        #[test]
        fn reducing_changes_no_right(set in any_scopes()) {
            prop_assert_eq!(set.reduced().implied(), set.implied());
        }

        #[test]
        fn an_intersection_grants_what_both_grant_and_nothing_else(a in any_scopes(), b in any_scopes()) {
            let both = a.intersection(b);
            for scope in Scope::ALL {
                prop_assert_eq!(both.grants(*scope), a.grants(*scope) && b.grants(*scope));
            }
        }

        #[test]
        fn a_set_covers_what_it_grants(a in any_scopes(), b in any_scopes()) {
            prop_assert_eq!(a.covers(b), b.iter().all(|scope| a.grants(scope)));
        }
    }
}
