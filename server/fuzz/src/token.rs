//! What is presented as a token.

use latchkey_server::secret::{AccessToken, AuthorizationCode, RefreshToken};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIXES: [&str; 3] = ["lkat_", "lkrt_", "lkac_"];
const RANDOM_LENGTH: usize = 43;

pub(crate) fn run(text: &str) -> bool {
    // No input finds its way to a right checksum by itself, so that one is made of every input.
    let made = completed(text);
    assert!(check(&made), "a right checksum is taken");
    for other in near(&made, text) {
        check(std::str::from_utf8(&other).expect("letters"));
    }
    check(text)
}

/// Holds a text to the format as it is documented: taken by the one kind it begins with, whole, or by none.
fn check(text: &str) -> bool {
    let read = [
        AccessToken::parse(text).map(|it| (it.expose().to_owned(), format!("{it:?}"))),
        RefreshToken::parse(text).map(|it| (it.expose().to_owned(), format!("{it:?}"))),
        AuthorizationCode::parse(text).map(|it| (it.expose().to_owned(), format!("{it:?}"))),
    ];
    let expected = PREFIXES.map(|prefix| is_token(prefix, text));
    for ((found, expected), prefix) in read.iter().zip(expected).zip(PREFIXES) {
        assert_eq!(found.is_some(), expected, "{prefix} {text:?}");
        if let Some((kept, shown)) = found {
            assert_eq!(kept, text, "byte for byte");
            assert_eq!(*shown, format!("{prefix}…"), "nothing of it is shown");
        }
    }
    expected.contains(&true)
}

fn is_token(prefix: &str, text: &str) -> bool {
    let Some(random) = text.strip_prefix(prefix) else { return false };
    random.len() == RANDOM_LENGTH + 6
        && random.bytes().all(|byte| ALPHABET.contains(&byte))
        && text.ends_with(&checksum(&text[..prefix.len() + RANDOM_LENGTH]))
}

/// A token made of what an input has to offer.
fn completed(text: &str) -> String {
    let prefix = PREFIXES[text.len() % PREFIXES.len()];
    let letters = text.chars().filter(char::is_ascii_alphanumeric);
    let random = letters.chain(std::iter::repeat('0')).take(RANDOM_LENGTH);
    let body: String = prefix.chars().chain(random).collect();
    let checksum = checksum(&body);
    body + &checksum
}

/// The typing errors at one place, which every input has somewhere else: a character too few, too many, another one,
/// or two exchanged.
fn near(token: &str, text: &str) -> [Vec<u8>; 5] {
    let sum: usize = text.bytes().map(usize::from).sum();
    let (at, next) = (sum % token.len(), (sum + 1) % token.len());
    let other = ALPHABET[(sum / token.len()) % ALPHABET.len()];
    let [mut fewer, mut more, mut another, mut upper, mut swapped] =
        [(); 5].map(|()| token.as_bytes().to_vec());
    fewer.remove(at);
    more.insert(at, other);
    another[at] = other;
    upper[at].make_ascii_uppercase();
    swapped.swap(at, next);
    [fewer, more, another, upper, swapped]
}

/// CRC-32, bit by bit (ISO 3309), in six base62 digits: written a second time, and differently from the server's.
fn checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let digit = |power| char::from(ALPHABET[(u64::from(!crc) / 62u64.pow(power) % 62) as usize]);
    (0..6).rev().map(digit).collect()
}
