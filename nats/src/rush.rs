//! Who follows the log gives way to who waits for an answer in the same process: how many wait, a rest that lasts while they are many,
//! and how much to take on at once meanwhile. Who counts as waiting is said by who answers.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// So many waiting for each processor are a rush: they keep the processors busy by themselves.
const WAITING_PER_PROCESSOR: usize = 4;
/// How many events who may fall behind takes at once in a rush.
const PORTION: usize = 128;
/// How often a rest looks whether the rush is over.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long there have to be fewer before the rush counts as over: their number goes up and down by the millisecond, as many are answered
/// together.
const LULL: Duration = Duration::from_millis(25);
/// How many are a rush here.
static MANY: LazyLock<usize> =
    LazyLock::new(|| WAITING_PER_PROCESSOR * std::thread::available_parallelism().map_or(1, std::num::NonZero::get));

/// How many wait for an answer of this process. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Rush(Arc<Count>);

#[derive(Debug)]
struct Count {
    waiting: AtomicUsize,
    begun: Instant,
    /// Until when the rush lasts though they are fewer: in milliseconds since `begun`.
    until: AtomicU64,
}

impl Default for Count {
    fn default() -> Self {
        Self { waiting: AtomicUsize::default(), begun: Instant::now(), until: AtomicU64::default() }
    }
}

impl Count {
    /// In milliseconds since `begun`.
    fn at(&self, moment: Instant) -> u64 {
        u64::try_from((moment - self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that there are, or were until now, so many.
    fn note(&self, waiting: usize) {
        if waiting >= *MANY {
            self.until.store(self.at(Instant::now() + LULL), Ordering::Relaxed);
        }
    }
}

/// One who waits, until this is dropped.
#[derive(Debug)]
pub struct Waiting(Rush);

impl Rush {
    /// Counts one more.
    #[must_use]
    pub fn wait(&self) -> Waiting {
        self.0.note(self.0.waiting.fetch_add(1, Ordering::Relaxed) + 1);
        Waiting(self.clone())
    }

    /// Whether so many wait, or did a moment ago, that others should not take processors from them.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let count = &self.0;
        count.waiting.load(Ordering::Relaxed) >= *MANY || count.at(Instant::now()) < count.until.load(Ordering::Relaxed)
    }

    /// How many events to take at once, for one who may fall behind and would else take `most`: in a rush it moves on, and leaves the
    /// processors to who waits.
    #[must_use]
    pub fn portion(&self, most: usize) -> usize {
        if self.is_on() { most.min(PORTION) } else { most }
    }

    /// So many waiting that it is a rush, until they are dropped: for tests.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    #[must_use]
    pub fn crowd(&self) -> Vec<Waiting> {
        (0..*MANY).map(|_| self.wait()).collect()
    }

    /// Rests for `least`, and for as long as the rush lasts then, but no longer than `most` in all: what follows the log falls behind in
    /// a rush, but does not stand still.
    pub async fn rest(&self, least: Duration, most: Duration) {
        let until = Instant::now() + most;
        if !least.is_zero() {
            sleep(least).await;
        }
        while self.is_on() && Instant::now() < until {
            sleep_until(until.min(Instant::now() + LOOK_EVERY)).await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let count = &self.0.0;
        count.note(count.waiting.fetch_sub(1, Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_millis(7);
    const MOST: Duration = Duration::from_millis(100);

    async fn rested(rush: &Rush) -> Duration {
        let since = Instant::now();
        rush.rest(LEAST, MOST).await;
        since.elapsed()
    }

    #[test]
    fn who_may_fall_behind_takes_little_at_once_in_a_rush() {
        let rush = Rush::default();
        assert_eq!(rush.portion(1_000), 1_000);
        let _crowd = rush.crowd();
        assert_eq!([1_000, 10].map(|most| rush.portion(most)), [PORTION, 10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rush_goes_on_while_many_are_answered_together() {
        let rush = Rush::default();
        drop(rush.crowd());
        sleep(LULL / 2).await;
        assert!(rush.is_on(), "they will be back");
        drop(rush.wait());
        sleep(LULL / 2).await;
        assert!(!rush.is_on(), "one alone is no rush");
    }

    #[tokio::test(start_paused = true)]
    async fn who_follows_rests_longer_in_a_rush_and_not_for_ever() {
        let rush = Rush::default();
        assert!((LEAST..MOST).contains(&rested(&rush).await), "nobody waits");
        let mut waiting = rush.crowd();
        waiting.pop();
        assert!((LEAST..MOST).contains(&rested(&rush).await), "one fewer than a rush");
        waiting.push(rush.clone().wait());
        assert!(rested(&rush).await >= MOST, "a rush that does not end");
        let ends_at = Duration::from_millis(40);
        let ending = async {
            sleep(ends_at).await;
            waiting.pop();
        };
        let (rest, ()) = tokio::join!(rested(&rush), ending);
        assert!(
            (ends_at + LULL - LOOK_EVERY..ends_at + LULL + 2 * LOOK_EVERY).contains(&rest),
            "a rush that ends after {ends_at:?} and then a lull: rested {rest:?}"
        );
    }
}
