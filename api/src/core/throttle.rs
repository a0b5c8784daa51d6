//! Slows down guessing of passwords, per account and address. Kept in memory: each process counts for itself.

use crate::problem::{Answer, ApiError};
use contract::Code;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Failures that cost nothing.
const FREE_FAILURES: u32 = 5;
/// The longest wait, in seconds.
const WAIT_SECONDS_MAX: u64 = 900;
/// After so long without a failure everything is forgotten.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(1);
/// How many account-and-address pairs are remembered; the longest untouched is dropped first.
const REMEMBERED_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// Counts failures by a key that names account and address.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<[u8; 32], Failures>>);

fn wait(count: u32) -> u64 {
    match count.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(over) => 1_u64.checked_shl(over).unwrap_or(WAIT_SECONDS_MAX).min(WAIT_SECONDS_MAX),
    }
}

impl Throttle {
    /// Fails while `key` has to wait.
    pub fn check(&self, key: &[u8; 32], now: Timestamp) -> Answer<()> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let Some(known) = known else { return Ok(()) };
        let until = known.last + Duration::from_secs(wait(known.count));
        if now >= until {
            return Ok(());
        }
        let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        Err(ApiError::new(
            Code::TooManyRequests,
            format!("Too many failed attempts. Wait {} and try again.", seconds(left.as_millis().div_ceil(1000))),
        )
        .retry_after(left))
    }

    /// Notes a failure.
    pub fn failed(&self, key: [u8; 32], now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX && !known.contains_key(&key) {
            known.retain(|_, failures| now.duration_since(failures.last) < FORGET_AFTER);
            if known.len() >= REMEMBERED_MAX
                && let Some(oldest) = known.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| *key)
            {
                known.remove(&oldest);
            }
        }
        let failures = known.entry(key).or_insert(Failures { count: 0, last: now });
        if now.duration_since(failures.last) >= FORGET_AFTER {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// Forgets the failures of one who got in.
    pub fn succeeded(&self, key: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

fn seconds(count: u128) -> String {
    if count == 1 { "1 second".to_owned() } else { format!("{count} seconds") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn five_failures_are_free_then_waits_double() {
        let (throttle, key, mut now) = (Throttle::default(), [1; 32], Timestamp::UNIX_EPOCH);
        for _ in 0..4 {
            throttle.failed(key, now);
            assert!(throttle.check(&key, now).is_ok());
        }
        for wait in [1, 2, 4, 8] {
            throttle.failed(key, now);
            assert_eq!(throttle.check(&key, now).unwrap_err().code(), Code::TooManyRequests);
            assert!(throttle.check(&[2; 32], now).is_ok());
            now += Duration::from_secs(wait);
            assert!(throttle.check(&key, now).is_ok());
        }
        for _ in 0..40 {
            throttle.failed(key, now);
        }
        assert!(throttle.check(&key, now + Duration::from_secs(899)).is_err());
        assert!(throttle.check(&key, now + Duration::from_secs(900)).is_ok());
        throttle.succeeded(&key);
        assert!(throttle.check(&key, now).is_ok());
    }
}
