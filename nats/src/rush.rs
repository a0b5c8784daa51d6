//! Who follows the log gives way to who waits for an answer in the same process: how many wait, a rest that lasts while they are many,
//! and how much to take on at once meanwhile. Who counts as waiting is said by who answers.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
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
/// How long there have to be fewer before the rush counts as over: their number goes up and down by the millisecond.
const LULL: Duration = Duration::from_millis(25);
/// How many are a rush here.
static MANY: LazyLock<usize> =
    LazyLock::new(|| WAITING_PER_PROCESSOR * std::thread::available_parallelism().map_or(1, std::num::NonZero::get));

/// How many wait for an answer of this process. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Rush(Arc<AtomicUsize>);

/// One who waits, until this is dropped.
#[derive(Debug)]
pub struct Waiting(Rush);

impl Rush {
    /// Counts one more.
    #[must_use]
    pub fn wait(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::Relaxed);
        Waiting(self.clone())
    }

    /// Whether so many wait that others should not take processors from them.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= *MANY
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
        let mut over_at = Instant::now();
        loop {
            let now = Instant::now();
            if self.is_on() {
                over_at = now + LULL;
            }
            if now >= over_at.min(until) {
                return;
            }
            sleep_until(until.min(now + LOOK_EVERY)).await;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
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
