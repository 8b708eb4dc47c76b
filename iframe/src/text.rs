//! Texts put together. The standard library's ways are made for everything, and each weighs a kilobyte of every download.

/// These, one after the other.
pub(crate) fn join(parts: &[&str]) -> String {
    parts.iter().fold(String::new(), |mut text, part| {
        text.push_str(part);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another() {
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["a", "", "bc"]), "abc");
    }
}
