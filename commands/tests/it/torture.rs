//! What must hold whatever happens, each with the guard that holds it: with all guards the property is found to hold, and with that one
//! taken away the same test finds it broken, or it would prove nothing.
//!
//! Seeded and short. `ASTRO_TORTURE=20` goes on twenty times as long.

mod answers;
mod history;
mod lease;
mod relay;
mod seats;
mod steps;
mod tail;

use crate::world::World;
use commands::{Executor, Limits, guards::Guards};
use rand::{SeedableRng, rngs::StdRng};
use std::time::Duration;
use tokio::time::Instant;

/// Whether a property was found to hold, or how it was broken.
type Verdict = Result<(), String>;

/// How many times as long as in CI.
fn long() -> u64 {
    std::env::var("ASTRO_TORTURE").map_or(1, |times| times.parse().unwrap())
}

fn dice(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn executor(world: &World, guards: Guards) -> Executor {
    world.executor_with(Limits { guards, ..Limits::default() })
}

/// How long something may take that may never come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whether it is so soon enough. Unlike `until` this is no failure: without its guard a property may be broken.
async fn soon(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if holds().await {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Two tests of one property: it holds, and it does not without its guard.
macro_rules! guarded {
    ($property:path, $holds:ident, $breaks:ident, $guard:ident) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $holds() {
            $crate::world::world(async |world| assert_eq!($property(world, commands::guards::Guards::default()).await, Ok(()))).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $breaks() {
            let without = commands::guards::Guards::without(commands::guards::Guard::$guard);
            $crate::world::world(async |world| {
                let broken = $property(world, without).await;
                assert!(broken.is_err(), "nothing is broken without this guard, so the test proves nothing");
            })
            .await;
        }
    };
}
use guarded;
