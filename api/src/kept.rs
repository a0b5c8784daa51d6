//! Answers that are kept for a moment, so that what every request needs is not asked of a server each time.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Values by key, each at most as old as said, and so many at most.
#[derive(Debug)]
pub struct Kept<K, V> {
    values: Mutex<HashMap<K, (V, Instant)>>,
    time: Duration,
    max: usize,
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    /// Keeps values for `time`, at most `max` of them.
    #[must_use]
    pub fn new(time: Duration, max: usize) -> Self {
        Self { values: Mutex::default(), time, max }
    }

    /// What is kept under `key` and not too old.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).filter(|(_, since)| since.elapsed() < self.time).map(|(value, _)| value.clone())
    }

    /// Keeps `value`. When there is no room, everything too old goes, and then everything.
    pub fn put(&self, key: K, value: V) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= self.max {
            values.retain(|_, (_, since)| since.elapsed() < self.time);
        }
        if values.len() >= self.max {
            values.clear();
        }
        values.insert(key, (value, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_as_long_and_as_many_as_said() {
        let kept = Kept::new(Duration::from_secs(60), 2);
        kept.put(1, 'a');
        kept.put(2, 'b');
        assert_eq!((kept.get(&1), kept.get(&2), kept.get(&3)), (Some('a'), Some('b'), None));
        kept.put(3, 'c');
        assert_eq!((kept.get(&1), kept.get(&3)), (None, Some('c')));
        let gone = Kept::new(Duration::ZERO, 2);
        gone.put(1, 'a');
        assert_eq!(gone.get(&1), None);
    }
}
