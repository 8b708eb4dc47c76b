//! Signing in by leaving the page and coming back: what the tab keeps meanwhile.
//!
//! It is kept in storage of this tab alone, so that two tabs keep apart, under one key for each application; and it
//! is used up by being read. `index.js` knows both the key and the record.

use alloc::string::String;

use crate::options::Options;

impl Options {
    /// The key of the pending request.
    pub fn pending_key(&self) -> String {
        let mut key = String::from("latchkey.");
        key.push_str(&self.client_id);
        key
    }

    /// What is kept: the platform the request went to, and its `state`.
    pub fn pending(&self, state: &str) -> String {
        let mut pending = self.platform.clone();
        pending.push(' ');
        pending.push_str(state);
        pending
    }

    /// The `state` of what was kept, if it is for this platform.
    pub fn pending_state<'a>(&self, pending: &'a str) -> Option<&'a str> {
        pending.strip_prefix(&*self.platform)?.strip_prefix(' ').filter(|state| !state.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use crate::options::{Given, Page};

    #[test]
    fn what_is_kept_is_read_back_for_the_same_platform_alone() {
        let check = |platform: &str| {
            let given =
                Given { client_id: Some("c1".into()), platform: Some(platform.into()), ..Given::default() };
            given.check(&Page { origin: "https://shop.example", address: "https://shop.example/", platform })
        };
        let options = check("https://p.example").unwrap();
        let other = check("https://p.example:8443").unwrap();
        let pending = options.pending("s1");
        assert_eq!(options.pending_key(), "latchkey.c1");
        assert_eq!(options.pending_state(&pending), Some("s1"));
        assert_eq!(other.pending_state(&pending), None);
        for wrong in ["", "s1", "https://p.example", "https://p.example ", "https://p.examples1"] {
            assert_eq!(options.pending_state(wrong), None, "{wrong}");
        }
    }
}
