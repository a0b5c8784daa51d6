//! Data keys kept unwrapped for a few seconds, so that a page does not ask for each. How long is how long an erasure elsewhere may go
//! unnoticed here.

use crate::{PersonId, cipher::DataKey};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// For how long: an erasure is felt everywhere within five seconds.
const HELD_FOR: Duration = Duration::from_secs(3);
/// How many.
const HELD_MAX: usize = 10_000;

/// The keys at hand; wiped when they are dropped.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<PersonId, (Arc<DataKey>, Instant)>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<PersonId, (Arc<DataKey>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, person: PersonId) -> Option<Arc<DataKey>> {
        let mut keys = self.lock();
        let (key, read_at) = keys.get(&person)?;
        if read_at.elapsed() < HELD_FOR {
            return Some(key.clone());
        }
        keys.remove(&person);
        None
    }

    /// Keeps a key that was asked for at `read_at`: what happens while the answer is on its way counts.
    pub(crate) fn put(&self, person: PersonId, key: Arc<DataKey>, read_at: Instant) {
        let mut keys = self.lock();
        if keys.len() >= HELD_MAX {
            keys.retain(|_, (_, read_at)| read_at.elapsed() < HELD_FOR);
        }
        if keys.len() >= HELD_MAX {
            keys.clear();
        }
        keys.insert(person, (key, read_at));
    }

    pub(crate) fn forget(&self, person: PersonId) {
        self.lock().remove(&person);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use uuid::Uuid;
    use zeroize::Zeroizing;

    #[test]
    fn a_key_is_held_for_a_few_seconds_and_few_are() {
        let (held, key) = (Held::default(), Arc::new(Zeroizing::new([1; 32])));
        let person = |n: usize| PersonId(Uuid::from_u128(n as u128));
        let now = Instant::now();
        held.put(person(0), key.clone(), now.checked_sub(HELD_FOR).unwrap());
        assert!(held.get(person(0)).is_none());
        for n in 1..=HELD_MAX + 1 {
            held.put(person(n), key.clone(), now);
            assert!(held.lock().len() <= HELD_MAX);
        }
        assert!(held.get(person(HELD_MAX + 1)).is_some());
        held.forget(person(HELD_MAX + 1));
        assert!(held.get(person(HELD_MAX + 1)).is_none());
    }
}
