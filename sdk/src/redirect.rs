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
    use crate::options::Given;

    #[test]
    fn what_is_kept_is_read_back_for_the_same_platform_alone() {
        let given = |platform: &str| Given {
            client_id: Some("c1".into()),
            platform: Some(platform.into()),
            ..Given::default()
        };
        let options = given("https://p.example").check("https://shop.example", "/").unwrap();
        let other = given("https://p.example:8443").check("https://shop.example", "/").unwrap();
        let pending = options.pending("s1");
        assert_eq!(options.pending_key(), "latchkey.c1");
        assert_eq!(options.pending_state(&pending), Some("s1"));
        assert_eq!(other.pending_state(&pending), None);
        for wrong in ["", "s1", "https://p.example", "https://p.example ", "https://p.examples1"] {
            assert_eq!(options.pending_state(wrong), None, "{wrong}");
        }
    }
}
