//! Devices an account signed in from: others' failures do not slow their owner down there. A device is no sign-in; it proves nothing else.
//! With another password, or once its hash is made anew with other parameters, all devices are strangers again.

use super::account::Account;
use crate::keys::{Keys, hex};
use aws_lc_rs::hmac;
use domain::id::AccountId;
use std::{fmt, sync::Arc};
use uuid::Uuid;

/// The cookie of a known device: `<account>.<device>.<mark>`.
pub const DEVICE_COOKIE: &str = "__Host-astro_device";
/// How long it is kept, in seconds; browsers keep none longer.
pub const DEVICE_SECONDS: i64 = 400 * 24 * 60 * 60;
/// The longest device told of a user agent, in characters.
const DEVICE_CHARACTERS_MAX: usize = 40;

/// Marks devices and knows them again.
#[derive(Clone)]
pub struct Devices(Arc<hmac::Key>);

impl fmt::Debug for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Devices(..)")
    }
}

impl Devices {
    /// With the keys of this installation.
    #[must_use]
    pub fn new(keys: &Keys) -> Self {
        Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &keys.derived("devices"))))
    }

    /// The cookie's value for a device of `account`; a fresh one where there was none.
    #[must_use]
    pub fn mark(&self, account: &Account, device: Option<Uuid>) -> String {
        self.marked(account.id(), account.password().unwrap_or_default(), device.unwrap_or_else(Uuid::new_v4))
    }

    fn marked(&self, account: AccountId, password: &str, device: Uuid) -> String {
        let said = format!("{account}.{device}");
        format!("{said}.{}", hex(hmac::sign(&self.0, signed(&said, password).as_bytes()).as_ref()))
    }

    /// The device, if the cookie is ours and for this account as it is now.
    #[must_use]
    pub fn known(&self, cookie: &str, account: &Account) -> Option<Uuid> {
        self.read(cookie, account.id(), account.password().unwrap_or_default())
    }

    fn read(&self, cookie: &str, account: AccountId, password: &str) -> Option<Uuid> {
        let (said, mark) = cookie.rsplit_once('.')?;
        let (owner, device) = said.split_once('.')?;
        let mark: Vec<u8> = (0..mark.len() / 2).map(|n| u8::from_str_radix(mark.get(2 * n..2 * n + 2)?, 16).ok()).collect::<Option<_>>()?;
        hmac::verify(&self.0, signed(said, password).as_bytes(), &mark).ok()?;
        (owner == account.to_string()).then(|| device.parse().ok())?
    }
}

/// What a mark covers: account, device, and the stored hash of the password.
fn signed(said: &str, password: &str) -> String {
    format!("{said}.{password}")
}

/// What a user agent is, in a few words people know; nothing that tells one person from another.
#[must_use]
pub fn device(user_agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name);
    let browser = first(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    let words = match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    };
    words.chars().take(DEVICE_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_device_is_known_for_its_account_only_and_cannot_be_made_up() {
        let devices = Devices(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &[7; 32])));
        let (ada, eve) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let cookie = devices.marked(ada, "hash", Uuid::from_u128(9));
        assert_eq!(devices.read(&cookie, ada, "hash"), Some(Uuid::from_u128(9)));
        assert_eq!(devices.read(&cookie, ada, "hash of another password"), None);
        assert_eq!(devices.read(&cookie, eve, "hash"), None);
        assert_eq!(devices.read(&cookie.replace(&ada.to_string(), &eve.to_string()), eve, "hash"), None);
        for bad in ["", ".", "..", "a.b.c", "ä.ö.üü", &cookie[..cookie.len() - 2]] {
            assert_eq!(devices.read(bad, ada, "hash"), None, "{bad}");
        }
    }

    #[test]
    fn a_device_is_told_in_words_people_know() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        assert_eq!(device(firefox), "Firefox on Linux");
        let edge = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0";
        assert_eq!(device(edge), "Edge on Windows");
        assert_eq!(device("<script>"), "Unknown device");
    }
}
