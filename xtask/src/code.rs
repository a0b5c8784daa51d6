//! `cargo xtask code`: the present code of a demo account's second factor (RFC 6238: SHA-1, 30 s, 6 digits), as an authenticator app shows it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::instance;
use crate::paths::Paths;
use crate::step::print_line;

/// How long a code counts.
const STEP_SECONDS: u64 = 30;
/// Codes are below this: six digits.
const CODES: u32 = 1_000_000;

pub(crate) fn run(paths: &Paths, role: &str) -> Result<()> {
    let run = instance::read_run(&paths.data)?.context("nothing runs here: start it with `cargo xtask up`")?;
    let Some(account) = run.demo.iter().find(|account| account.role == role || account.email == role) else {
        let roles: Vec<&str> = run.demo.iter().map(|account| account.role.as_str()).collect();
        bail!("there is no demo account {role}; there are {}", roles.join(", "));
    };
    let secret = account.totp_secret.as_ref().with_context(|| format!("the account of the {role} has no second factor"))?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    print_line(&format!("{:06}", code(&from_base_32(secret).context("the secret is not base 32")?, seconds / STEP_SECONDS)?));
    Ok(())
}

fn code(secret: &[u8], step: u64) -> Result<u32> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret)?;
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0x0f);
    let bytes: [u8; 4] = digest[offset..offset + 4].try_into()?;
    Ok((u32::from_be_bytes(bytes) & 0x7fff_ffff) % CODES)
}

fn from_base_32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0u32, 0u8, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5 | u32::from(value)) & 0xfff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = from_base_32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!(secret, b"12345678901234567890");
        for (seconds, expected) in [(59, 287_082), (1_111_111_109, 81_804), (1_234_567_890, 5_924), (20_000_000_000, 353_130)] {
            assert_eq!(code(&secret, seconds / STEP_SECONDS).unwrap(), expected);
        }
        assert!(from_base_32("a1").is_none());
    }
}
