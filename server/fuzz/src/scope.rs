//! A list of scopes.

use latchkey_protocol::scope::{Role, Scope, Scopes};

pub(crate) fn run(list: &str) -> bool {
    let tokens: Vec<&str> = list.split(' ').filter(|token| !token.is_empty()).collect();
    let known = |token: &&&str| Scope::ALL.iter().any(|scope| scope.as_str() == **token);
    let unknown = tokens.iter().find(|token| !known(token));
    match Scopes::parse(list) {
        Err(error) => {
            assert_eq!(Some(&error.0), unknown, "the first that is no scope");
            false
        }
        Ok(set) => {
            assert_eq!(unknown, None);
            check_names(set, &tokens);
            check_rights(set, &tokens);
            for role in [Role::Member, Role::Admin, Role::Owner] {
                check_pair(set, role.scopes());
            }
            let (some, others) = tokens.split_at(tokens.len() / 2);
            let [some, others] = [some, others].map(|half| Scopes::parse(&half.join(" ")).expect("known"));
            check_pair(some, others);
            check_pair(others, some);
            true
        }
    }
}

/// A set names what its list names, and reads back from its own list.
fn check_names(set: Scopes, tokens: &[&str]) {
    let named: Vec<&str> = Scope::ALL.iter().map(|it| it.as_str()).filter(|it| tokens.contains(it)).collect();
    assert_eq!(set.names(), named, "nothing is added, nothing is lost, nothing stands twice");
    assert_eq!(set.is_empty(), tokens.is_empty());
    assert_eq!(Scopes::parse(&set.to_list()).ok(), Some(set));
    assert_eq!(set.reduced().implied(), set.implied(), "fewer names, the same rights");
    assert!(set.reduced().names().len() <= set.names().len());
}

/// The hierarchy, by the words themselves: `admin` includes `write`, `write` includes `read`, within one resource.
fn check_rights(set: Scopes, tokens: &[&str]) {
    let level = |word| ["read", "write", "admin"].iter().position(|known| *known == word);
    for scope in Scope::ALL {
        let wanted = scope.as_str();
        let granted = tokens.iter().any(|token| match (token.split_once(':'), wanted.split_once(':')) {
            (Some((resource, held)), Some((of, needed))) => resource == of && level(held) >= level(needed),
            _ => *token == wanted,
        });
        assert_eq!(set.grants(*scope), granted, "{tokens:?} {wanted}");
        assert_eq!(set.implied().names().contains(&wanted), granted);
    }
}

/// What two sets have in common, and have together.
fn check_pair(some: Scopes, others: Scopes) {
    let (both, either) = (some.intersection(others), some.union(others));
    for scope in Scope::ALL {
        let (in_some, in_others) = (some.grants(*scope), others.grants(*scope));
        assert_eq!(both.grants(*scope), in_some && in_others);
        assert_eq!(either.grants(*scope), in_some || in_others);
    }
    assert_eq!(some.covers(others), others.iter().all(|scope| some.grants(scope)));
    assert!(some.covers(both) && others.covers(both) && either.covers(some) && either.covers(others));
}
