//! What is presented as a token.

use latchkey_server::secret::{AccessToken, AuthorizationCode, RefreshToken};

pub(crate) fn run(text: &str) {
    let read = |text: &str| {
        [
            AccessToken::parse(text).map(|token| token.expose().to_owned()),
            RefreshToken::parse(text).map(|token| token.expose().to_owned()),
            AuthorizationCode::parse(text).map(|code| code.expose().to_owned()),
        ]
    };
    let found: Vec<String> = read(text).into_iter().flatten().collect();
    assert!(found.len() <= 1, "one kind is not taken for another");
    let Some(kept) = found.first() else { return };
    assert_eq!((kept.as_str(), kept.len()), (text, 54));
    assert!(kept.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    // The checksum covers every character: no other one in its place is taken.
    for at in 0..kept.len() {
        let mut bytes = kept.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        let changed = String::from_utf8(bytes).expect("letters");
        assert!(read(&changed).iter().all(Option::is_none), "{at}");
    }
}
