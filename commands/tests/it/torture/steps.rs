//! The sequencer and its relay end at each of their steps, by name, as a crash would end them; who comes after goes on.

use super::relay::{follow, mirrors_the_log, open};
use crate::{
    cabin::{Cabin, Id},
    world::{PATIENCE, World, ask, take, world},
};
use commands::{
    Executor, audit,
    guards::{Step, Trial},
};
use futures::future::join_all;
use nats::{Bus, Feed};
use sqlx::Executor as _;
use tokio::time::Instant;

/// How many events wait when a sequencer starts.
const BACKLOG: u64 = 20;
/// How many are written at a time while it runs.
const BURST: u64 = 8;

/// Takes `count` seats, all at once.
async fn write(executor: &Executor, written: &mut u64, count: u64) {
    let asks: Vec<_> = (*written..*written + count).map(|n| (n, ask())).collect();
    for done in join_all(asks.iter().map(|(n, ask)| executor.execute::<Cabin>(&Id(1), take(n), ask))).await {
        assert_eq!(done.unwrap().events.len(), 1);
    }
    *written += count;
}

/// That it ended where it should: how far log and stream are says so. `before` is where both were, and `bus` has one that was made if any.
async fn stands_as_named(world: &World, bus: &Bus, step: Step, before: u64) {
    let (log, stream) = (world.feed().head().await.unwrap(), bus.head().await.unwrap());
    let is_so = match step {
        Step::LeaseTaken | Step::EventsChosen => log == before && stream.unwrap_or_default() <= before,
        Step::PositionsWritten => log > before && stream.unwrap_or_default() <= before,
        Step::StreamMade => stream == Some(0),
        Step::HalfPublished => stream.is_some_and(|stream| before < stream && stream < log),
        Step::Published | Step::PublishedNoted => stream.is_some_and(|stream| before < stream && stream <= log),
    };
    assert!(is_so, "{step:?}: the log is at {log} and the stream at {stream:?}; before both were at {before}");
}

/// Nothing is lost, nothing is there twice, the chain holds, and the stream is the log.
async fn is_whole(world: &World, bus: &Bus, written: u64) {
    world.settle(written).await;
    mirrors_the_log(world, bus, written).await;
    let report = audit::verify(&world.pool, 1).await.unwrap();
    assert_eq!((report.checked, report.head, report.first_bad), (written, written, None));
    assert_eq!(world.count("SELECT count(*) FROM events").await as u64, written);
    assert_eq!(world.count("SELECT count(*) - count(DISTINCT event_row) FROM log").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequencer_that_ends_at_any_of_its_steps_leaves_the_log_and_the_stream_whole() {
    world(async |world| {
        let (bus, executor, mut written) = (world.bus().await, open(world).await, 1);
        let mut reader = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        for step in Step::ALL {
            // The first two come once for each sequencer.
            let times = if matches!(step, Step::LeaseTaken | Step::StreamMade) { 1 } else { 3 };
            for nth in 1..=times {
                if step == Step::StreamMade {
                    world.end_bus(&bus).await;
                }
                let before = world.feed().head().await.unwrap();
                write(&executor, &mut written, BACKLOG).await;
                let ending = world.sequence_with(Trial::ending_at(step, nth), Some(bus.clone()));
                let deadline = Instant::now() + PATIENCE;
                while !ending.task.is_finished() {
                    assert!(Instant::now() < deadline, "it does not come to {step:?} {nth} times");
                    if nth > 1 {
                        write(&executor, &mut written, BURST).await;
                    }
                    tokio::task::yield_now().await;
                }
                let ended = ending.task.await.unwrap_err().into_panic().downcast::<Step>().unwrap();
                assert_eq!(*ended, step);
                if nth == 1 {
                    stands_as_named(world, &bus, step, before).await;
                }
                // As if the lease had run out; how long that takes is another test's.
                world.pool.execute("UPDATE sequencer SET lease_until = '-infinity'").await.unwrap();
                let next = world.sequence(Some(bus.clone()));
                is_whole(world, &bus, written).await;
                follow(&mut reader, written).await.unwrap();
                next.stop().await;
            }
        }
        world.end_bus(&bus).await;
    })
    .await;
}
