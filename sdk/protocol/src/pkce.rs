//! Proof Key for Code Exchange (RFC 7636): which texts can be a verifier or a challenge at all.

/// The one method that is taken (RFC 9700 §2.1.1): with `plain` whoever reads the request can redeem the code.
pub const METHOD: &str = "S256";

/// Whether a text can be a code verifier: 43 to 128 unreserved characters (RFC 7636 §4.1).
pub fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

/// Whether a text can be a code challenge: 43 to 128 unreserved characters (RFC 7636 §4.2). Padding, as in base64,
/// is not among them.
pub fn is_challenge(text: &str) -> bool {
    is_verifier(text)
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        // RFC 7636 Appendix B.
        assert!(is_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(is_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(is_verifier(&"~.".repeat(64)) && is_verifier(&"a".repeat(43)));
        for wrong in ["", &"a".repeat(42), &"a".repeat(129)] {
            assert!(!is_verifier(wrong) && !is_challenge(wrong), "{wrong}");
        }
        for character in ['=', '+', '/', ' ', '%', '\n', '\0', 'é', '"'] {
            let wrong = "a".repeat(43) + character.encode_utf8(&mut [0; 4]);
            assert!(!is_verifier(&wrong) && !is_challenge(&wrong), "{wrong}");
        }
    }
}
