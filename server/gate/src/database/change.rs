//! A change as the database tells it.

use crate::cache::Change;

/// What changed. Whatever is not understood was written by a newer version than this one.
pub(super) fn read(subject: &str, key: &str, user_id: Option<&str>) -> Change {
    match (subject, user_id) {
        ("token", None) => digest(key).map_or(Change::Anything, Change::Token),
        ("application", None) => Change::Application(key.into()),
        ("organization", None) => Change::Organization(key.into()),
        ("user", None) => Change::User(key.into()),
        ("membership", Some(user_id)) => {
            Change::Membership { organization_id: key.into(), user_id: user_id.into() }
        }
        (_, Some(_) | None) => Change::Anything,
    }
}

/// The same as one line: `subject key`, and of a membership the person's id after another space.
pub(super) fn read_line(line: &str) -> Change {
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(subject), Some(key), user_id, None) => read(subject, key, user_id),
        _ => Change::Anything,
    }
}

/// A digest in hexadecimal digits.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_what_it_says_or_as_anything() {
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (subject, key) = (words.next().unwrap(), words.next().unwrap_or_default());
            let change = read_line(line);
            assert_eq!(change, read(subject, key, words.next()), "{line}");
            change
        };
        assert_eq!(line(&format!("token {}", "0f".repeat(32))), Change::Token([15; 32]));
        assert_eq!(line("application a"), Change::Application("a".into()));
        assert_eq!(line("organization o"), Change::Organization("o".into()));
        assert_eq!(line("user u"), Change::User("u".into()));
        let membership = Change::Membership { organization_id: "o".into(), user_id: "u".into() };
        assert_eq!(line("membership o u"), membership);
        for not_understood in ["token 0f", "token x", "planet o", "membership o", "application a b"] {
            assert_eq!(line(not_understood), Change::Anything, "{not_understood}");
        }
        for not_understood in ["", "anything", "membership o u v"] {
            assert_eq!(read_line(not_understood), Change::Anything, "{not_understood}");
        }
    }
}
