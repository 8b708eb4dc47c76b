//! A list of scopes.

use latchkey_protocol::scope::{Role, Scope, Scopes};

pub(crate) fn run(list: &str) {
    let tokens: Vec<&str> = list.split(' ').filter(|token| !token.is_empty()).collect();
    match Scopes::parse(list) {
        Err(unknown) => {
            assert!(tokens.contains(&unknown.0) && Scope::parse(unknown.0).is_none());
        }
        Ok(set) => {
            assert!(tokens.iter().all(|token| set.names().contains(token)));
            assert!(set.names().iter().all(|name| tokens.contains(name)), "nothing is added");
            assert_eq!(Scopes::parse(&set.to_list()).ok(), Some(set));
            assert_eq!(set.reduced().implied(), set.implied(), "fewer names, the same scopes");
            assert!(set.covers(set) && set.implied().covers(set) && set.covers(set.implied()));
            for role in [Role::Member, Role::Admin, Role::Owner] {
                let narrowed = set.intersection(role.scopes());
                assert!(set.covers(narrowed) && role.scopes().covers(narrowed));
            }
            for scope in Scope::ALL {
                assert_eq!(set.grants(*scope), set.implied().names().contains(&scope.as_str()));
            }
        }
    }
}
