//! Texts put together. The standard library's ways are made for everything, and each weighs a kilobyte of every download.

/// These, one after the other.
pub(crate) fn join(parts: &[&str]) -> String {
    parts.iter().fold(String::new(), |mut text, part| {
        text.push_str(part);
        text
    })
}

/// A number as a person reads it.
pub(crate) fn decimal(number: u32) -> String {
    let (mut digits, mut rest) = (String::new(), number);
    loop {
        digits.insert(0, char::from(b'0' + (rest % 10) as u8));
        rest /= 10;
        if rest == 0 {
            return digits;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_do() {
        for number in [0, 9, 10, 128, 4_000_000_000] {
            assert_eq!(decimal(number), number.to_string());
        }
    }

    #[test]
    fn parts_follow_one_another() {
        assert_eq!(join(&[]), "");
        assert_eq!(join(&["a", "", "bc"]), "abc");
    }
}
