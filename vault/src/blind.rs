//! Texts to find by without being read: HMAC-SHA256 under a key of its own, so that a new master key changes none.

use aws_lc_rs::hmac;
use domain::sealed::Blind;
use unicode_normalization::UnicodeNormalization;

/// Bytes of the digest that are kept: enough that no two texts meet.
const BLIND_BYTES: usize = 16;

/// The blind form of `text` among texts of its `kind`; upper and lower case and spaces around make no difference.
pub(crate) fn blind(key: &hmac::Key, kind: &str, text: &str) -> Blind {
    let mut context = hmac::Context::with_key(key);
    context.update(kind.as_bytes());
    context.update(&[0]);
    context.update(text.trim().to_lowercase().nfkc().collect::<String>().as_bytes());
    Blind::from_text(hex(&context.sign().as_ref()[..BLIND_BYTES]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blind_text_is_fixed_for_ever_and_says_nothing() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let email = blind(&key, "email", "Ada@Example.org ");
        assert_eq!(email, blind(&key, "email", "ada@example.org"));
        assert_ne!(email, blind(&key, "word", "ada@example.org"));
        assert_ne!(email, blind(&hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]), "email", "ada@example.org"));
        assert_eq!(email.as_str().len(), 2 * BLIND_BYTES);
    }
}
