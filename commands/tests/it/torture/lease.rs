//! Two sequencers: one that lost its lease does nothing more, and one that is killed leaves the log whole.

use super::{Verdict, dice, guarded, long};
use crate::{
    cabin::{Cabin, Command, Id},
    world::{World, append_raw, ask, take, until, world},
};
use commands::{
    audit,
    guards::{Guard, Guards},
};
use rand::Rng;
use sqlx::Executor as _;
use std::time::Duration;

/// Longer than a sequencer takes for a few rounds.
const ROUNDS: Duration = Duration::from_millis(500);

guarded!(one_whose_lease_was_taken_writes_no_more, a_deposed_sequencer_is_fenced_off, without_fencing_a_deposed_sequencer_goes_on, Fencing);

/// That it writes is all that can be seen: each write moves the log on from the very position its writer knows, so one that goes on
/// unfenced can neither give a place twice nor break the chain (see the next test), only do the work of its successor.
async fn one_whose_lease_was_taken_writes_no_more(world: &World, guards: Guards) -> Verdict {
    let deposed = world.sequence_with(guards, None);
    append_raw(&mut world.pool.acquire().await.unwrap(), "s", 1).await;
    world.settle(1).await;
    // A successor that takes its time.
    world.pool.execute("UPDATE sequencer SET epoch = epoch + 1, lease_until = clock_timestamp() + interval '1 hour'").await.unwrap();
    append_raw(&mut world.pool.acquire().await.unwrap(), "s", 2).await;
    tokio::time::sleep(ROUNDS).await;
    if world.feed().head().await.unwrap() != 1 {
        deposed.task.abort();
        return Err("a sequencer whose lease was taken wrote to the log".to_owned());
    }
    world.pool.execute("UPDATE sequencer SET lease_until = '-infinity'").await.unwrap();
    world.settle(2).await;
    deposed.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deposed_sequencers_that_are_not_fenced_off_still_leave_the_log_whole() {
    world(async |world| {
        let (executor, unfenced) = (world.executor(), Guards::without(Guard::Fencing));
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 100_000 }, &ask()).await.unwrap();
        let mut sequencers = Vec::new();
        for n in 0..3 {
            sequencers.push(world.sequence_with(unfenced, None));
            until("one more leads", async || {
                // It takes the lease of the one before, which may just have renewed it, and which does not care.
                world.pool.execute("UPDATE sequencer SET lease_until = '-infinity'").await.unwrap();
                world.count("SELECT epoch FROM sequencer").await > n
            })
            .await;
        }
        for n in 0..200 * long() {
            executor.execute::<Cabin>(&Id(1), take(n), &ask()).await.unwrap();
        }
        let written = 1 + 200 * long();
        until("everything has its place", async || world.feed().head().await.unwrap() == written).await;
        for sequencer in sequencers {
            sequencer.kill().await;
        }
        let report = audit::verify(&world.pool, 1).await.unwrap();
        assert_eq!((report.checked, report.first_bad), (written, None));
        assert_eq!(world.count("SELECT count(*) - count(DISTINCT event_row) FROM log").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequencers_killed_at_any_moment_leave_the_log_whole() {
    world(async |world| {
        let mut dice = dice(7);
        let (executor, mut written) = (world.executor(), 1);
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 100_000 }, &ask()).await.unwrap();
        for round in 0..12 * long() {
            let sequencers = [world.sequence(None), world.sequence(None)];
            let kill_after = Duration::from_millis(dice.random_range(0..60));
            let writing = async {
                for n in 0..40 {
                    executor.execute::<Cabin>(&Id(1), take(format!("{round}-{n}")), &ask()).await.unwrap();
                }
            };
            let killing = async {
                tokio::time::sleep(kill_after).await;
                for sequencer in sequencers {
                    sequencer.kill().await;
                }
                // As if the lease had run out; how long that takes is another test's.
                world.pool.execute("UPDATE sequencer SET lease_until = '-infinity'").await.unwrap();
            };
            tokio::join!(writing, killing);
            written += 40;
        }
        let last = world.sequence(None);
        until("everything has its place", async || world.feed().head().await.unwrap() == written).await;
        last.stop().await;
        let report = audit::verify(&world.pool, 1).await.unwrap();
        assert_eq!((report.checked, report.first_bad), (written, None));
        assert_eq!(world.count("SELECT count(*) - count(DISTINCT event_row) FROM log").await, 0);
    })
    .await;
}
