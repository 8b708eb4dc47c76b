//! What is remembered of tokens, until something of it is known to have changed.
//!
//! So many tokens and no more. What several tokens stand on is kept once, and known by its id: a change of an
//! application is one flag, however many tokens stand on it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use quick_cache::sync::Cache as Tokens;

use crate::{
    standing::{Application, Member, Part, Shared, Standing},
    token::Digest256,
};

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A token, by its digest.
    Token([u8; 32]),
    /// An application, by its client id.
    Application(String),
    /// An organization, by its id.
    Organization(String),
    /// A person, by their id, and all that they are anywhere.
    User(String),
    /// What a person is in an organization.
    Membership {
        /// The organization's id.
        organization_id: String,
        /// The person's id.
        user_id: String,
    },
    /// Something, and nobody can tell what.
    Anything,
}

/// Tokens, and what they stand on.
#[derive(Debug)]
pub struct Cache {
    tokens: Option<Tokens<[u8; 32], Arc<Standing>>>,
    parts: Mutex<Parts>,
    /// How often something changed: what was read before a change is not kept after it.
    epoch: AtomicU64,
    /// How often an application or an organization changed.
    applications_epoch: AtomicU64,
}

/// The moment at which a reader began to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch(u64);

impl Cache {
    /// A cache of so many tokens; of none where that is 0.
    pub fn new(capacity: usize) -> Self {
        Self {
            tokens: (capacity > 0).then(|| Tokens::new(capacity)),
            parts: Mutex::default(),
            epoch: AtomicU64::new(0),
            applications_epoch: AtomicU64::new(0),
        }
    }

    /// The moment, to be taken before anything is read that is to be kept.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// The moment as far as applications and organizations go.
    pub fn applications_epoch(&self) -> Epoch {
        Epoch(self.applications_epoch.load(Ordering::Acquire))
    }

    /// What is known of a token.
    pub fn get(&self, token: &Digest256) -> Option<Arc<Standing>> {
        let tokens = self.tokens.as_ref()?;
        let standing = tokens.get(token.as_array())?;
        if standing.is_fresh() {
            return Some(standing);
        }
        tokens.remove(token.as_array());
        None
    }

    /// Keeps what was read since `epoch`, unless something changed in between: then it may be old already.
    pub fn keep(&self, epoch: Epoch, token: &Digest256, mut standing: Standing) -> Arc<Standing> {
        let Some(tokens) = &self.tokens else { return Arc::new(standing) };
        // Held until it is kept: a change waits, and then finds it.
        let mut parts = self.parts();
        if self.epoch() != epoch {
            return Arc::new(standing);
        }
        parts.share(&mut standing);
        let standing = Arc::new(standing);
        tokens.insert(*token.as_array(), standing.clone());
        standing
    }

    /// Forgets what these changes touch.
    pub fn apply(&self, changes: &[Change]) {
        if changes.is_empty() {
            return;
        }
        let parts = self.parts();
        self.epoch.fetch_add(1, Ordering::AcqRel);
        let concerns_applications = |change: &Change| {
            matches!(change, Change::Application(_) | Change::Organization(_) | Change::Anything)
        };
        if changes.iter().any(concerns_applications) {
            self.applications_epoch.fetch_add(1, Ordering::AcqRel);
        }
        for change in changes {
            match change {
                Change::Token(digest) => {
                    if let Some(tokens) = &self.tokens {
                        tokens.remove(digest);
                    }
                }
                Change::Application(client_id) => parts.forget_application(client_id),
                Change::Organization(id) => parts.forget_organization(id),
                Change::User(id) => parts.forget_member(id, None),
                Change::Membership { organization_id, user_id } => {
                    parts.forget_member(user_id, Some(organization_id));
                }
                Change::Anything => {
                    if let Some(tokens) = &self.tokens {
                        tokens.clear();
                    }
                    parts.forget_everything();
                }
            }
        }
    }

    /// How many tokens are kept.
    pub fn len(&self) -> usize {
        self.tokens.as_ref().map_or(0, Tokens::len)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        // Nothing in here is left half done by a panic.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tokens stand on, as long as any does.
#[derive(Debug, Default)]
struct Parts {
    /// By client id.
    applications: HashMap<Box<str>, Weak<Part<Application>>>,
    /// By the person's id: one for each organization.
    members: HashMap<Box<str>, Vec<Weak<Part<Member>>>>,
    /// How many there may be before those are looked for that nothing stands on any more.
    most: usize,
}

/// How many parts are not worth looking through.
const FEW: usize = 1024;

impl Parts {
    /// Puts the one copy in the place of each part.
    fn share(&mut self, standing: &mut Standing) {
        self.tidy();
        let application = &mut standing.application;
        let known = self.applications.entry(application.client_id.clone()).or_default();
        match Shared::upgrade(known).filter(|known| **known == **application) {
            Some(same) => *application = same,
            None => replace(known, application),
        }
        let member = &mut standing.member;
        let of_person = self.members.entry(member.user_id.clone()).or_default();
        let position = of_person.iter().position(|known| {
            Shared::upgrade(known).is_some_and(|known| known.organization_id == member.organization_id)
        });
        match position.and_then(|at| of_person.get_mut(at)) {
            Some(known) => match Shared::upgrade(known).filter(|known| **known == **member) {
                Some(same) => *member = same,
                None => replace(known, member),
            },
            None => of_person.push(member.downgrade()),
        }
    }

    fn forget_application(&self, client_id: &str) {
        self.applications.get(client_id).and_then(Shared::upgrade).inspect(Shared::make_stale);
    }

    fn forget_organization(&self, id: &str) {
        let of_organization = |application: &Shared<Application>| *application.organization.id == *id;
        self.applications
            .values()
            .filter_map(Shared::upgrade)
            .filter(of_organization)
            .for_each(|application| application.make_stale());
    }

    fn forget_member(&self, user_id: &str, organization_id: Option<&str>) {
        let is_meant =
            |member: &Shared<Member>| organization_id.is_none_or(|id| *member.organization_id == *id);
        self.members
            .get(user_id)
            .into_iter()
            .flatten()
            .filter_map(Shared::upgrade)
            .filter(is_meant)
            .for_each(|member| member.make_stale());
    }

    fn forget_everything(&self) {
        self.applications
            .values()
            .filter_map(Shared::upgrade)
            .for_each(|application| application.make_stale());
        self.members.values().flatten().filter_map(Shared::upgrade).for_each(|member| member.make_stale());
    }

    /// Drops what nothing stands on any more, whenever there is twice as much as the last time.
    fn tidy(&mut self) {
        if self.applications.len() + self.members.len() < self.most.max(FEW) {
            return;
        }
        self.applications.retain(|_, application| Shared::upgrade(application).is_some());
        self.members.retain(|_, of_person| {
            of_person.retain(|member| Shared::upgrade(member).is_some());
            !of_person.is_empty()
        });
        self.most = 2 * (self.applications.len() + self.members.len());
    }
}

/// What was read now is what counts from now on: of two readers that saw different things one saw a change that is on
/// its way here, and that will make whatever stands here stale once more.
fn replace<T>(known: &mut Weak<Part<T>>, read: &Shared<T>) {
    if let Some(other) = Shared::upgrade(known) {
        other.make_stale();
    }
    *known = read.downgrade();
}

#[cfg(test)]
mod tests {
    use latchkey_protocol::scope::{Role, Scopes};

    use super::*;
    use crate::standing::Organization;

    fn digest(number: u8) -> Digest256 {
        Digest256::of(&[number])
    }

    fn standing(client_id: &str, user_id: &str) -> Standing {
        let organization =
            Organization { id: "o1".into(), slug: "acme".into(), name: "Acme".into(), disabled_at: None };
        Standing {
            token_id: "t1".into(),
            scopes: Scopes::ALL,
            created_at: 0,
            expires_at: 10,
            is_revoked: false,
            application: Shared::new(Application {
                client_id: client_id.into(),
                origins: Box::default(),
                disabled_at: None,
                organization,
            }),
            member: Shared::new(Member {
                user_id: user_id.into(),
                name: "Ada".into(),
                email: Some("ada@example.org".into()),
                disabled_at: None,
                organization_id: "o1".into(),
                role: Some(Role::Member),
            }),
        }
    }

    /// Tokens 1 and 2 of application a and persons x and y, token 3 of application b and person x.
    fn filled() -> Cache {
        let cache = Cache::new(100);
        for (number, client_id, user_id) in [(1, "a", "x"), (2, "a", "y"), (3, "b", "x")] {
            cache.keep(cache.epoch(), &digest(number), standing(client_id, user_id));
        }
        cache
    }

    fn known(cache: &Cache) -> Vec<u8> {
        (1..=3).filter(|number| cache.get(&digest(*number)).is_some()).collect()
    }

    #[test]
    fn a_change_touches_what_stands_on_it_and_nothing_else() {
        let membership = |organization: &str, user: &str| Change::Membership {
            organization_id: organization.into(),
            user_id: user.into(),
        };
        for (change, left) in [
            (Change::Token(*digest(2).as_array()), vec![1, 3]),
            (Change::Application("a".into()), vec![3]),
            (Change::Organization("o1".into()), vec![]),
            (Change::User("x".into()), vec![2]),
            (membership("o1", "y"), vec![1, 3]),
            (Change::Anything, vec![]),
            (Change::Token(*digest(9).as_array()), vec![1, 2, 3]),
            (Change::Application("c".into()), vec![1, 2, 3]),
            (Change::Organization("o2".into()), vec![1, 2, 3]),
            (Change::User("z".into()), vec![1, 2, 3]),
            (membership("o2", "x"), vec![1, 2, 3]),
        ] {
            let cache = filled();
            cache.apply(std::slice::from_ref(&change));
            assert_eq!(known(&cache), left, "{change:?}");
        }
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let cache = Cache::new(100);
        let epoch = cache.epoch();
        cache.apply(&[Change::Token(*digest(1).as_array())]);
        cache.keep(epoch, &digest(1), standing("a", "x"));
        assert_eq!(cache.len(), 0);
        cache.keep(cache.epoch(), &digest(1), standing("a", "x"));
        assert_eq!(known(&cache), [1]);
    }

    #[test]
    fn a_part_that_was_read_anew_counts_for_every_token() {
        let cache = filled();
        let mut disabled = standing("a", "x");
        disabled.application =
            Shared::new(Application { disabled_at: Some(1), ..(*disabled.application).clone() });
        cache.keep(cache.epoch(), &digest(4), disabled);
        assert_eq!(known(&cache), [3], "1 and 2 stood on what the application was before");
        assert!(cache.get(&digest(4)).is_some());
    }

    #[test]
    fn tokens_share_what_they_stand_on() {
        let cache = filled();
        let [one, two, three] = [1, 2, 3].map(|number| cache.get(&digest(number)).unwrap());
        let same = |a: &Application, b: &Application| std::ptr::eq(a, b);
        assert!(same(&one.application, &two.application) && !same(&one.application, &three.application));
        assert!(std::ptr::eq::<Member>(&*one.member, &*three.member));
    }

    #[test]
    fn there_are_never_more_than_were_asked_for_and_their_parts_go_with_them() {
        let cache = Cache::new(50);
        for number in 0..5000u32 {
            let (client_id, user_id) = (format!("app{number}"), format!("user{number}"));
            cache.keep(cache.epoch(), &Digest256::of(&number.to_be_bytes()), standing(&client_id, &user_id));
        }
        assert!(cache.len() <= 50, "{}", cache.len());
        let parts = cache.parts();
        assert!(parts.applications.len() + parts.members.len() <= FEW, "{}", parts.applications.len());
    }

    #[test]
    fn a_cache_of_nothing_keeps_nothing() {
        let cache = Cache::new(0);
        cache.keep(cache.epoch(), &digest(1), standing("a", "x"));
        assert!(cache.get(&digest(1)).is_none() && cache.is_empty());
    }
}
