//! Passwords: which are accepted, and their hashes. Whose they are is left to `account`.

use crate::{
    keys::Keys,
    problem::{Answer, ApiError},
};
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, SaltString},
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;

/// Memory of one hashing, in KiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Hashings at once: each takes a core and its memory.
const HASHINGS_MAX: usize = 2;
/// Hashings that may wait; more are told to come back.
const WAITING_MAX: usize = 64;
/// Bytes of a salt.
const SALT_BYTES: usize = 16;
/// The shortest password, in characters.
pub const CHARACTERS_MIN: usize = 12;
/// The longest password, in bytes: refused before it is hashed.
pub const BYTES_MAX: usize = 1024;

/// Often used passwords long enough to pass otherwise, in lower case.
const COMMON: &[&str] = &[
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456789012345",
    "1234567890123456",
    "012345678901",
    "0123456789012",
    "987654321098",
    "111111111111",
    "000000000000",
    "123123123123",
    "121212121212",
    "112233445566",
    "123321123321",
    "123456123456",
    "1234567890qwerty",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyuiop[]",
    "qwertyqwerty",
    "qwerty123456",
    "qwerty1234567",
    "qwertyuiopasdf",
    "asdfghjkl123",
    "asdfghjkl;'\\",
    "zxcvbnm12345",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "1qaz2wsx3edc4rfv",
    "q1w2e3r4t5y6",
    "qazwsxedcrfv",
    "abcdefghijkl",
    "abcdefghijklm",
    "abc123abc123",
    "abcd12345678",
    "a1b2c3d4e5f6",
    "aaaaaaaaaaaa",
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "password123!",
    "password1234!",
    "passw0rd1234",
    "p@ssw0rd1234",
    "p@ssword1234",
    "mypassword123",
    "newpassword1",
    "changeme1234",
    "changemenow1",
    "changeme123!",
    "letmein12345",
    "letmeinplease",
    "welcome12345",
    "welcome123!!",
    "iloveyou1234",
    "iloveyouforever",
    "iloveyou123!",
    "sunshine1234",
    "princess1234",
    "football1234",
    "baseball1234",
    "superman1234",
    "trustno1trustno1",
    "administrator",
    "admin1234567",
    "administrator1",
    "adminadminadmin",
    "rootrootroot",
    "test12345678",
    "testtesttest",
    "testpassword",
    "guestguest12",
    "default12345",
    "secret123456",
    "secretsecret",
    "correcthorsebatterystaple",
    "correct horse battery staple",
    "astrobookings",
    "astrobookings1",
    "astro bookings",
    "spaceship1234",
    "rocketman1234",
    "whatever1234",
    "nothing12345",
    "computer1234",
    "internet1234",
    "michael12345",
    "jennifer1234",
    "charlie12345",
    "liverpool123",
    "chelsea12345",
    "starwars1234",
    "pokemon12345",
    "minecraft1234",
    "blink182blink182",
    "dragon123456",
    "monkey123456",
    "shadow123456",
    "master123456",
    "killer123456",
];

/// Hashes and checks passwords, few at a time.
#[derive(Clone)]
pub struct Passwords {
    keys: Arc<Keys>,
    running: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Checked for accounts that do not exist, so that they take as long as those that do.
    stranger: Arc<str>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

fn argon2() -> Result<Argon2<'static>, argon2::Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, LANES, None)?))
}

fn hash(peppered: &[u8]) -> anyhow::Result<String> {
    let mut salt = [0; SALT_BYTES];
    aws_lc_rs::rand::fill(&mut salt)?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| anyhow::anyhow!("salt: {error}"))?;
    let hash = argon2().map(|argon2| argon2.hash_password(peppered, &salt));
    let hash = hash.map_err(|error| anyhow::anyhow!("argon2: {error}"))?.map_err(|error| anyhow::anyhow!("argon2: {error}"))?;
    Ok(hash.to_string())
}

fn verify(peppered: &[u8], stored: &str) -> anyhow::Result<Checked> {
    let parsed = PasswordHash::new(stored).map_err(|error| anyhow::anyhow!("stored hash: {error}"))?;
    match Argon2::default().verify_password(peppered, &parsed) {
        Ok(()) => {
            let params = Params::try_from(&parsed).map_err(|error| anyhow::anyhow!("stored hash: {error}"))?;
            let current = (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES);
            Ok(if current { Checked::Right } else { Checked::RightButOld })
        }
        Err(Error::Password) => Ok(Checked::Wrong),
        Err(error) => Err(anyhow::anyhow!("argon2: {error}")),
    }
}

/// What checking a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It is the one.
    Right,
    /// It is the one, hashed with parameters that have risen since: hash it again.
    RightButOld,
    /// It is not.
    Wrong,
}

impl Passwords {
    /// With the pepper of this installation. Hashes once, to have something to check strangers against.
    pub fn new(keys: Arc<Keys>) -> anyhow::Result<Self> {
        let mut random = [0; PEPPERED_BYTES];
        aws_lc_rs::rand::fill(&mut random)?;
        let stranger = hash(&random)?.into();
        Ok(Self { keys, running: Arc::new(Semaphore::new(HASHINGS_MAX)), waiting: Arc::default(), stranger })
    }

    /// The hash to store.
    pub async fn hash(&self, password: &str) -> Answer<String> {
        let peppered = self.keys.peppered(password.as_bytes());
        self.run(move || hash(&peppered)).await
    }

    /// Whether the password is that of the stored hash; without one, the same work is done for nothing.
    pub async fn check(&self, password: &str, stored: Option<&str>) -> Answer<Checked> {
        if password.len() > BYTES_MAX {
            return Ok(Checked::Wrong);
        }
        let peppered = self.keys.peppered(password.as_bytes());
        let known = stored.is_some();
        let stored = stored.map_or_else(|| self.stranger.clone(), Into::into);
        let checked = self.run(move || verify(&peppered, &stored)).await?;
        Ok(if known { checked } else { Checked::Wrong })
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> Answer<T> {
        let waiting = Waiting(self.waiting.clone());
        if waiting.0.fetch_add(1, Ordering::AcqRel) >= WAITING_MAX {
            return Err(ApiError::unavailable(anyhow::anyhow!("too many passwords wait to be hashed")));
        }
        let permit = self.running.clone().acquire_owned().await.map_err(ApiError::internal)?;
        drop(waiting);
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.map_err(ApiError::internal)?.map_err(ApiError::internal)
    }
}

/// Bytes of a peppered password.
const PEPPERED_BYTES: usize = 32;

struct Waiting(Arc<AtomicUsize>);
impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Why a new password is not accepted, if so. Nothing is trimmed and any character counts.
#[must_use]
pub fn refused(password: &str, email: &str) -> Option<String> {
    if password.len() > BYTES_MAX {
        return Some(format!("must be at most {BYTES_MAX} bytes"));
    }
    if password.chars().count() < CHARACTERS_MIN {
        return Some(format!("must have at least {CHARACTERS_MIN} characters"));
    }
    let lower = password.to_lowercase();
    let mut letters = lower.chars();
    let first = letters.next();
    let same = letters.all(|letter| Some(letter) == first);
    let own = !email.is_empty() && lower == email.to_lowercase();
    (same || own || COMMON.contains(&lower.as_str())).then(|| "is too easy to guess; choose another".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn accepts_long_and_refuses_short_huge_and_common() {
        assert_eq!(refused("twelve chars", ""), None);
        assert_eq!(refused(&"ab".repeat(64), ""), None);
        assert_eq!(refused("пароль из слов", ""), None);
        assert!(refused("eleven char", "").unwrap().contains("12"));
        assert!(refused(&"a b".repeat(400), "").unwrap().contains("1024"));
        for common in ["PassWord1234", "aaaaaaaaaaaaaaaa", "ada@example.org"] {
            assert!(refused(common, "Ada@example.org").unwrap().contains("guess"), "{common}");
        }
    }

    #[tokio::test]
    async fn checks_what_it_hashed_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("astro-keys-{}", uuid::Uuid::new_v4()));
        let passwords = Passwords::new(Arc::new(Keys::load(&folder).unwrap())).unwrap();
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(passwords.check("correct horse", Some(&stored)).await.unwrap(), Checked::Right);
        assert_eq!(passwords.check("correct horse ", Some(&stored)).await.unwrap(), Checked::Wrong);
        assert_eq!(passwords.check("correct horse", None).await.unwrap(), Checked::Wrong);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
