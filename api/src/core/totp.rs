//! Codes of a second factor (RFC 6238: SHA-1, six digits, 30 seconds) and recovery codes. Whose they are is left to `account`.

use super::session::digest;
use aws_lc_rs::{hmac, rand};
use jiff::Timestamp;
use qrcode::{QrCode, render::svg};

/// Bytes of a secret.
const SECRET_BYTES: usize = 20;
/// How long a code is shown, in seconds.
const STEP_SECONDS: i64 = 30;
/// How many steps a clock may be off, each way.
const STEPS_OFF_MAX: i64 = 1;
/// Digits of a code.
const DIGITS: usize = 6;
/// How many recovery codes one gets.
const RECOVERY_CODES: usize = 10;
/// Bytes of one: 80 bits, so that their hashes need no salt.
const RECOVERY_BYTES: usize = 10;
/// The smallest side of the picture, in pixels of its own.
const PICTURE_SIDE_MIN: u32 = 240;
const BASE_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes)?;
    Ok(bytes)
}

/// A fresh secret.
pub(crate) fn secret() -> anyhow::Result<[u8; SECRET_BYTES]> {
    random()
}

/// RFC 4648, without padding: the lengths used here need none.
#[must_use]
pub fn base_32(bytes: &[u8]) -> String {
    let mut text = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE_32[(held >> bits) as usize & 31]));
        }
    }
    text
}

/// What an app scans. `label` names the account in the app's list.
pub(crate) fn uri(secret: &[u8], label: &str) -> String {
    let mut safe = String::new();
    for byte in label.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'@' => safe.push(char::from(byte)),
            _ => safe.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("otpauth://totp/Astro%20Bookings:{safe}?secret={}&issuer=Astro%20Bookings", base_32(secret))
}

/// The picture of `uri`, SVG.
pub(crate) fn picture(uri: &str) -> anyhow::Result<String> {
    let code = QrCode::new(uri.as_bytes())?;
    Ok(code.render::<svg::Color<'_>>().min_dimensions(PICTURE_SIDE_MIN, PICTURE_SIDE_MIN).build())
}

/// The code of a step.
fn code(secret: &[u8], step: i64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 15);
    let number = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// The step `text` is the code of at `now`, one step off at most.
#[must_use]
pub fn step_of(secret: &[u8], text: &str, now: Timestamp) -> Option<i64> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() != DIGITS {
        return None;
    }
    let current = now.as_second().div_euclid(STEP_SECONDS);
    let same = |step: &i64| aws_lc_rs::constant_time::verify_slices_are_equal(code(secret, *step).as_bytes(), digits.as_bytes()).is_ok();
    (current - STEPS_OFF_MAX..=current + STEPS_OFF_MAX).find(same)
}

/// Fresh recovery codes, and their hashes to keep.
pub(crate) fn recovery_codes() -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let text = base_32(&random::<RECOVERY_BYTES>()?).to_lowercase();
        codes.push([&text[..4], &text[4..8], &text[8..12], &text[12..]].join("-"));
    }
    let hashes = codes.iter().map(|code| recovery_hash(code)).collect();
    Ok((codes, hashes))
}

/// The hash a recovery code is kept as, however it is typed.
#[must_use]
pub fn recovery_hash(code: &str) -> String {
    let bare: String = code.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    digest(&bare)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        let secret = b"12345678901234567890";
        for (second, digits) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")] {
            let now = Timestamp::from_second(second).unwrap();
            assert_eq!(step_of(secret, digits, now), Some(second / 30), "{second}");
        }
        assert_eq!(base_32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn a_code_is_good_one_step_before_and_after() {
        let (secret, step) = ([3; SECRET_BYTES], 1_000_000);
        let digits = code(&secret, step);
        let at = |step: i64| Timestamp::from_second(step * STEP_SECONDS).unwrap();
        for now in [step - 1, step, step + 1] {
            assert_eq!(step_of(&secret, &digits, at(now)), Some(step));
        }
        for now in [step - 2, step + 2] {
            assert_eq!(step_of(&secret, &digits, at(now)), None);
        }
        assert_eq!(step_of(&secret, &format!("{} {}", &digits[..3], &digits[3..]), at(step)), Some(step), "as apps show it");
        for bad in ["", "12345", "1234567", "١٢٣٤٥٦"] {
            assert_eq!(step_of(&secret, bad, at(step)), None, "{bad}");
        }
    }

    #[test]
    fn recovery_codes_differ_and_are_typed_as_one_likes() {
        let (codes, hashes) = recovery_codes().unwrap();
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), 10);
        assert_eq!(recovery_hash(&codes[0].to_uppercase().replace('-', " ")), hashes[0]);
        assert!(!hashes.iter().any(|hash| codes.contains(hash)));
    }

    #[test]
    fn the_picture_holds_what_an_app_needs() {
        let uri = uri(b"12345678901234567890", "ada lovelace@example.org");
        assert_eq!(
            uri,
            "otpauth://totp/Astro%20Bookings:ada%20lovelace@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Astro%20Bookings"
        );
        assert!(picture(&uri).unwrap().contains("<svg"));
    }
}
