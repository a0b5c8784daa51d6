//! Slows down guessing of passwords and codes: failures are counted for the account and for the address they come from, or, on a device the
//! account signed in from before, for that device alone, so that nobody is locked out there by others. Kept in memory: each process
//! counts for itself.

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
/// How many counters are remembered; the longest untouched is dropped first.
const REMEMBERED_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// Counts failures.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<Counter, Failures>>);

fn wait(count: u32) -> u64 {
    match count.checked_sub(FREE_FAILURES) {
        None => 0,
        Some(over) => 1_u64.checked_shl(over).unwrap_or(WAIT_SECONDS_MAX).min(WAIT_SECONDS_MAX),
    }
}

/// What is counted for: a digest of what it is, such as an account.
pub type Counter = [u8; 32];

impl Throttle {
    /// Counts a try as a failure before it is made, so that many at once gain nothing; fails while one of the counters has to wait. Whoever gets
    /// in says so afterwards.
    pub fn begin(&self, counters: &[Counter], now: Timestamp) -> Answer<()> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until =
            counters.iter().filter_map(|counter| known.get(counter)).map(|known| known.last + Duration::from_secs(wait(known.count)));
        if let Some(until) = until.max()
            && now < until
        {
            let left = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            let wait = seconds(left.as_millis().div_ceil(1000));
            let message = format!("Too many failed attempts. Wait {wait} and try again.");
            return Err(ApiError::new(Code::TooManyRequests, message).retry_after(left));
        }
        for counter in counters {
            if known.len() >= REMEMBERED_MAX && !known.contains_key(counter) {
                make_room(&mut known, now);
            }
            let failures = known.entry(*counter).or_insert(Failures { count: 0, last: now });
            if now.duration_since(failures.last) >= FORGET_AFTER {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
        Ok(())
    }

    /// Takes back what [`Throttle::begin`] counted: the try was no failure.
    pub fn forgive(&self, counters: &[Counter]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for counter in counters {
            if let Some(failures) = known.get_mut(counter) {
                failures.count = failures.count.saturating_sub(1);
            }
        }
    }

    /// Forgets the failures of one who got in.
    pub fn succeeded(&self, counter: &Counter) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(counter);
    }
}

fn make_room(known: &mut HashMap<Counter, Failures>, now: Timestamp) {
    known.retain(|_, failures| now.duration_since(failures.last) < FORGET_AFTER);
    if known.len() >= REMEMBERED_MAX
        && let Some(oldest) = known.iter().min_by_key(|(_, failures)| failures.last).map(|(counter, _)| *counter)
    {
        known.remove(&oldest);
    }
}

/// How many mails one address may be sent at the word of strangers, within [`FORGET_AFTER`].
const MAILS_MAX: u32 = 4;

/// Bounds the mails that strangers can cause.
#[derive(Debug, Default)]
pub struct Mails(Mutex<HashMap<Counter, Failures>>);

impl Mails {
    /// Whether one more may go there; counts it.
    pub fn allow(&self, address: Counter, now: Timestamp) -> bool {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.len() >= REMEMBERED_MAX && !sent.contains_key(&address) {
            make_room(&mut sent, now);
        }
        // `last` stays at the first mail: the hour begins there.
        let known = sent.entry(address).or_insert(Failures { count: 0, last: now });
        if now.duration_since(known.last) >= FORGET_AFTER {
            *known = Failures { count: 0, last: now };
        }
        known.count = known.count.saturating_add(1);
        known.count <= MAILS_MAX
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
        for _ in 0..5 {
            assert!(throttle.begin(&[key], now).is_ok());
        }
        for wait in [1, 2, 4, 8] {
            assert_eq!(throttle.begin(&[key], now).unwrap_err().code(), Code::TooManyRequests);
            assert!(throttle.begin(&[[2; 32]], now).is_ok());
            throttle.succeeded(&[2; 32]);
            now += Duration::from_secs(wait);
            assert!(throttle.begin(&[key], now).is_ok());
        }
        for _ in 0..10 {
            now += Duration::from_secs(WAIT_SECONDS_MAX);
            assert!(throttle.begin(&[key], now).is_ok());
        }
        assert!(throttle.begin(&[key], now + Duration::from_secs(899)).is_err());
        assert!(throttle.begin(&[key, [3; 32]], now + Duration::from_secs(899)).is_err(), "one of them is enough");
        throttle.succeeded(&key);
        assert!(throttle.begin(&[key, [3; 32]], now).is_ok());
    }

    #[test]
    fn what_was_no_failure_does_not_count() {
        let (throttle, key) = (Throttle::default(), [1; 32]);
        for _ in 0..50 {
            throttle.begin(&[key], Timestamp::UNIX_EPOCH).unwrap();
            throttle.forgive(&[key]);
        }
    }

    #[test]
    fn strangers_cause_few_mails() {
        let (mails, now) = (Mails::default(), Timestamp::UNIX_EPOCH);
        assert_eq!((0..10).filter(|_| mails.allow([1; 32], now)).count(), 4);
        assert!(mails.allow([2; 32], now) && mails.allow([1; 32], now + FORGET_AFTER));
    }
}
