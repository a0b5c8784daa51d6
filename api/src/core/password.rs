//! Passwords: which are accepted, and their hashes. Whose they are is left to `account`.

use crate::{
    keys::Keys,
    problem::{Answer, ApiError},
};
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{Error, SaltString},
};
use contract::account::{PASSWORD_BYTES_MAX, PASSWORD_CHARACTERS_MIN, Role, STAFF_PASSWORD_CHARACTERS_MIN};
use std::{
    collections::HashSet,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
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
/// The longest part that a password may not be mere repetitions of, in characters.
const REPEATED_CHARACTERS_MAX: usize = 4;
/// The shortest word of a name or an address that counts as one's own, in characters.
const OWN_CHARACTERS_MIN: usize = 3;
/// How many characters a password must have beside one's own words.
const BESIDE_OWN_CHARACTERS_MIN: usize = 8;

/// Often used and breached passwords in lower case, one a line: those of 12 and more characters, and words that others are made of by adding
/// digits. From the lists of zxcvbn (MIT) and Django (BSD-3-Clause).
const COMMON: &str = include_str!("common.txt");

fn is_common(password: &str) -> bool {
    static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| COMMON.lines().collect());
    let bare = |c: char| !c.is_alphabetic();
    KNOWN.contains(password) || KNOWN.contains(password.trim_matches(bare)) || KNOWN.contains(password.trim_end_matches(bare))
}

/// One to four characters over and over.
fn is_repeated(password: &str) -> bool {
    let letters: Vec<char> = password.chars().collect();
    (1..=REPEATED_CHARACTERS_MAX).any(|length| letters.len() > length && letters[length..].iter().zip(&letters).all(|(a, b)| a == b))
}

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
        if password.len() > PASSWORD_BYTES_MAX {
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

/// Why a new password is not accepted, if so. Nothing is trimmed and any character counts. `own` is what one is called and where one is written to.
#[must_use]
pub fn refused(password: &str, role: Role, own: &[&str]) -> Option<String> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Some(format!("must be at most {PASSWORD_BYTES_MAX} bytes"));
    }
    let least = if role.is_staff() { STAFF_PASSWORD_CHARACTERS_MIN } else { PASSWORD_CHARACTERS_MIN };
    if password.chars().count() < least {
        return Some(format!("must have at least {least} characters"));
    }
    let lower = password.to_lowercase();
    if is_common(&lower) || is_repeated(&lower) {
        return Some("is too easy to guess; choose another".to_owned());
    }
    let words = own.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase);
    let mut words: Vec<String> = words.filter(|word| word.chars().count() >= OWN_CHARACTERS_MIN).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let beside = words.iter().fold(lower, |rest, word| rest.replace(word, ""));
    let beside = beside.chars().filter(|c| c.is_alphanumeric()).count();
    let own = !words.is_empty() && beside < BESIDE_OWN_CHARACTERS_MIN && beside < password.chars().filter(|c| c.is_alphanumeric()).count();
    own.then(|| "is made of your name or address; choose another".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use contract::Code;

    fn customers(password: &str) -> Option<String> {
        refused(password, Role::Customer, &["Ada Lovelace", "Ada@example.org"])
    }

    #[test]
    fn accepts_long_and_refuses_short_and_huge() {
        let long = "The quick brown fox jumps over the lazy dog, then naps. ".repeat(3);
        let of = |characters: usize| long.chars().take(characters).collect::<String>();
        for good in ["twelve chars", "пароль из слов", "  spaces count  ", &of(64), &of(128)] {
            assert_eq!(customers(good), None, "{good}");
        }
        assert!(customers("eleven char").unwrap().contains("12"));
        assert_eq!(customers(&long.repeat(7)[..1024]), None);
        assert!(customers(&long.repeat(7)[..1025]).unwrap().contains("1024"));
        assert!(refused("fourteen chars", Role::Operator, &[]).unwrap().contains("15"));
        assert_eq!(refused("fifteen chars, 15", Role::Operator, &[]), None);
    }

    #[test]
    fn common_and_own_passwords_are_refused() {
        for common in
            ["PassWord1234", "password123456", "1qaz2wsx3edc", "aaaaaaaaaaaaaaaa", "abcabcabcabcabc", "football123456!", "qwertyuiop123"]
        {
            assert!(customers(common).unwrap().contains("guess"), "{common}");
        }
        for own in ["ada@example.org", "Ada Lovelace 1815", "lovelace-ada-12"] {
            assert!(customers(own).unwrap().contains("your name"), "{own}");
        }
        assert_eq!(customers("ada adores airships"), None);
    }

    /// With keys of their own, which are needed no longer once they are read.
    fn passwords() -> Passwords {
        let folder = std::env::temp_dir().join(format!("astro-keys-{}", uuid::Uuid::new_v4()));
        let keys = Keys::load(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        Passwords::new(Arc::new(keys)).unwrap()
    }

    #[tokio::test]
    async fn checks_what_it_hashed_and_nothing_else() {
        let passwords = passwords();
        let stored = passwords.hash("correct horse").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(passwords.check("correct horse", Some(&stored)).await.unwrap(), Checked::Right);
        assert_eq!(passwords.check("correct horse ", Some(&stored)).await.unwrap(), Checked::Wrong);
        assert_eq!(passwords.check("correct horse", None).await.unwrap(), Checked::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_older_parameters_is_right_and_to_be_made_anew() {
        let passwords = passwords();
        let older = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB / 2, PASSES, LANES, None).unwrap());
        let salt = SaltString::encode_b64(&[7; SALT_BYTES]).unwrap();
        let stored = older.hash_password(&passwords.keys.peppered(b"correct horse"), &salt).unwrap().to_string();
        assert_eq!(passwords.check("correct horse", Some(&stored)).await.unwrap(), Checked::RightButOld);
        assert_eq!(passwords.check("wrong horse", Some(&stored)).await.unwrap(), Checked::Wrong);
    }

    #[tokio::test]
    async fn what_is_too_long_is_wrong_without_being_hashed() {
        let passwords = passwords();
        // Whatever is hashed meets what cannot be read; what is not, does not.
        let check = async |bytes| passwords.check(&"x".repeat(bytes), Some("no hash")).await;
        assert_eq!(check(PASSWORD_BYTES_MAX + 1).await.unwrap(), Checked::Wrong);
        assert_eq!(check(PASSWORD_BYTES_MAX).await.unwrap_err().code(), Code::Internal);
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more_and_go_on_when_there_is_room() {
        let passwords = passwords();
        let busy = passwords.running.clone().acquire_many_owned(HASHINGS_MAX.try_into().unwrap()).await.unwrap();
        let waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.run(|| Ok(())).await })
            })
            .collect();
        let count = || passwords.waiting.load(Ordering::Acquire);
        while count() < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert_eq!(passwords.hash("one more").await.unwrap_err().code(), Code::Unavailable);
        }
        assert_eq!(count(), WAITING_MAX, "who is turned away takes no place");
        drop(busy);
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
        assert_eq!(count(), 0);
        passwords.hash("one more").await.unwrap();
    }
}
