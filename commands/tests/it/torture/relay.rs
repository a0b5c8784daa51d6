//! The relay and the feed: JetStream may lose anything, and the relay may die anywhere; readers get the log whole and in order.

use super::{Verdict, dice, guarded, long};
use crate::{
    cabin::{Cabin, Command, Id},
    own_nats::OwnNats,
    world::{PATIENCE, World, ask, take, until, world},
};
use commands::{Executor, Wake, guards::Guards, sequence};
use futures::StreamExt;
use nats::{Bus, Feed, Follower, Rush};
use rand::{Rng, rngs::StdRng};
use sqlx::Executor as _;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) async fn open(world: &World) -> Executor {
    let executor = world.executor();
    executor.execute::<Cabin>(&Id(1), Command::Open { seats: 100_000 }, &ask()).await.unwrap();
    executor
}

/// Takes `count` seats, one after the other, with a pause now and then.
async fn write(executor: &Executor, round: u64, count: u64, dice: &mut StdRng) {
    for n in 0..count {
        executor.execute::<Cabin>(&Id(1), take(format!("{round}-{n}")), &ask()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..3))).await;
    }
}

/// Waits until the stream is filled; then it has to hold the log, each event at its own position.
pub(super) async fn mirrors_the_log(world: &World, bus: &Bus, last: u64) {
    until("the stream is filled", async || bus.head().await.ok().flatten() == Some(last)).await;
    let log = world.feed().page(0, last as usize).await.unwrap();
    assert_eq!(log.len() as u64, last);
    for event in log {
        assert_eq!(bus.event_id_at(event.position).await.unwrap(), Some(event.event_id), "at {}", event.position);
    }
}

/// Reads up to `to`; says what is missing or twice.
pub(super) async fn follow(follower: &mut Follower, to: u64) -> Verdict {
    let deadline = Instant::now() + PATIENCE;
    while follower.after() < to {
        assert!(Instant::now() < deadline, "stuck at {}", follower.after());
        let before = follower.after();
        let batch = follower.next_batch(100, Duration::from_millis(200)).await.unwrap();
        for (event, expected) in batch.iter().zip(before + 1..) {
            if event.position != expected {
                return Err(format!("{} came where {expected} should", event.position));
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_killed_at_any_step_leaves_nothing_out() {
    world(async |world| {
        let (bus, executor, mut dice) = (world.bus().await, open(world).await, dice(5));
        let mut written = 1;
        for round in 0..15 * long() {
            let relay = world.sequence(Some(bus.clone()));
            let count = dice.random_range(5..30);
            let kill_after = Duration::from_millis(dice.random_range(0..80));
            let killing = async {
                tokio::time::sleep(kill_after).await;
                relay.kill().await;
                world.pool.execute("UPDATE sequencer SET lease_until = '-infinity'").await.unwrap();
            };
            tokio::join!(write(&executor, round, count, &mut dice), killing);
            written += count;
        }
        let last = world.sequence(Some(bus.clone()));
        world.settle(written).await;
        mirrors_the_log(world, &bus, written).await;
        last.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_deleted_or_cut_off_amid_writing_is_filled_again() {
    world(async |world| {
        let (bus, executor, mut dice) = (world.bus().await, open(world).await, dice(6));
        let relay = world.sequence(Some(bus.clone()));
        let mut reader = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        let (rounds, count) = (5 * long(), 60);
        for round in 0..rounds {
            let (kept, after) = (dice.random_range(0..=round * count), Duration::from_millis(dice.random_range(0..60)));
            let cut = dice.random_bool(0.5);
            let losing = async {
                tokio::time::sleep(after).await;
                // It may be in the middle of being made anew.
                if bus.head().await.ok().flatten().is_some() {
                    bus.delete().await.unwrap();
                }
                if cut {
                    // As after a crash of a server that had not synced: an older state of the same stream.
                    let older = world.feed().page(0, kept as usize + 1).await.unwrap();
                    if bus.create(1).await.is_ok() {
                        let _ = bus.publish(&older).await;
                    }
                }
            };
            let reading = follow(&mut reader, 1 + round * count);
            let (_, (), read) = tokio::join!(write(&executor, round, count, &mut dice), losing, reading);
            read.unwrap();
        }
        follow(&mut reader, 1 + rounds * count).await.unwrap();
        mirrors_the_log(world, &bus, 1 + rounds * count).await;
        relay.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_folder_is_deleted_amid_writing_is_filled_again() {
    world(async |world| {
        let mut nats = OwnNats::start("").await;
        let bus = Bus::connect(&nats.url(), &world.name).await.unwrap();
        let (executor, mut dice) = (open(world).await, dice(8));
        let relay = world.sequence(Some(bus.clone()));
        let mut reader = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        let (rounds, count) = (2 * long(), 120);
        for before in (1..).step_by(count as usize).take(rounds as usize) {
            mirrors_the_log(world, &bus, before).await;
            let losing = async {
                world.settle(before + count / 3).await;
                // It writes meanwhile.
                until("the folder is gone", async || std::fs::remove_dir_all(nats.store()).is_ok()).await;
                world.settle(before + count / 2).await;
                nats.kill();
                nats.restart().await;
            };
            let reading = follow(&mut reader, before + count);
            let ((), (), read) = tokio::join!(write(&executor, before, count, &mut dice), losing, reading);
            read.unwrap();
        }
        mirrors_the_log(world, &bus, 1 + rounds * count).await;
        relay.stop().await;
    })
    .await;
}

/// What the stream holds after Postgres was restored to an earlier state and went on differently.
async fn publish_strangers(world: &World, bus: &Bus, count: usize) {
    let mut strangers = world.feed().page(0, count).await.unwrap();
    for event in &mut strangers {
        event.event_id = Uuid::new_v4();
    }
    bus.create(1).await.unwrap();
    bus.publish(&strangers).await.unwrap();
}

guarded!(
    the_stream_is_the_log_and_no_other,
    a_stream_that_is_not_ours_is_made_anew,
    without_looking_whose_it_is_a_strangers_stream_goes_on,
    OwnStream
);

async fn the_stream_is_the_log_and_no_other(world: &World, guards: Guards) -> Verdict {
    log_of(world, 40).await;
    let bus = world.bus().await;
    publish_strangers(world, &bus, 25).await;
    let relay = world.sequence_with(guards, Some(bus.clone()));
    until("the stream is filled", async || bus.head().await.unwrap() == Some(40)).await;
    relay.stop().await;
    let mut strangers = 0;
    for event in world.feed().page(0, 40).await.unwrap() {
        strangers += usize::from(bus.event_id_at(event.position).await.unwrap() != Some(event.event_id));
    }
    world.end_bus(&bus).await;
    if strangers == 0 { Ok(()) } else { Err(format!("{strangers} events of the stream are not those of the log")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_stood_still_leaves_the_stream_of_its_successor_alone() {
    /// Longer than a relay looks at its stream, and longer than a successor looks at the lease.
    const WATCHED: Duration = Duration::from_secs(3);
    world(async |world| {
        log_of(world, 40).await;
        let executor = world.executor();
        let bus = world.bus().await;
        let (stand, standing) = tokio::sync::oneshot::channel::<()>();
        let (go, going) = std::sync::mpsc::channel::<()>();
        let stop = CancellationToken::new();
        let first = std::thread::spawn({
            let (url, bus, stop) = (world.url.clone(), bus.clone(), stop.clone());
            move || {
                // All it does is on one thread, so all of it stands still.
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                    let pool = commands::connect(&url, 4).await.unwrap();
                    let sequencing = tokio::spawn(sequence::run(pool, Some(bus), Wake::new(), Rush::default(), stop));
                    standing.await.unwrap();
                    going.recv().unwrap();
                    sequencing.await.unwrap();
                });
            }
        });
        until("the stream is filled", async || bus.head().await.unwrap() == Some(40)).await;
        stand.send(()).unwrap();
        let successor = world.sequence_with(Guards::default(), Some(bus.clone()));
        executor.execute::<Cabin>(&Id(1), take("later"), &ask()).await.unwrap();
        until("the successor has published", async || bus.head().await.unwrap() == Some(41)).await;
        go.send(()).unwrap();
        let lost = async { while bus.head().await.unwrap() == Some(41) {} };
        assert!(timeout(WATCHED, lost).await.is_err(), "the stream was made anew");
        stop.cancel();
        tokio::task::spawn_blocking(|| first.join().unwrap()).await.unwrap();
        successor.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_end_cannot_be_read_is_not_taken_for_ours() {
    world(async |world| {
        log_of(world, 40).await;
        // Who asks for a message is heard, and gets no answer.
        let stream = format!("{}_EVENTS", world.name.to_uppercase());
        let nats = OwnNats::start(&format!(r#"mappings {{ "$JS.API.STREAM.MSG.GET.{stream}": "{}.asked" }}"#, world.name)).await;
        let bus = Bus::connect(&nats.url(), &world.name).await.unwrap();
        publish_strangers(world, &bus, 25).await;
        let mut asked = bus.listen("asked").await.unwrap();
        bus.flush().await.unwrap();
        let relay = world.sequence(Some(bus.clone()));
        timeout(PATIENCE, asked.next()).await.unwrap().unwrap();
        nats.configure("mappings {}");
        mirrors_the_log(world, &bus, 40).await;
        relay.stop().await;
    })
    .await;
}

/// A sequenced log of so many events, of which nothing is relayed.
async fn log_of(world: &World, count: u64) {
    let executor = open(world).await;
    let sequencing = world.sequence(None);
    write(&executor, 0, count - 1, &mut dice(1)).await;
    world.settle(count).await;
    sequencing.stop().await;
}

/// For the properties of crate `nats`, which has switches of its own.
async fn verdicts(property: impl AsyncFn(&World, bool) -> Verdict) {
    world(async |world| {
        log_of(world, 40).await;
        assert_eq!(property(world, true).await, Ok(()));
        assert!(property(world, false).await.is_err(), "nothing is broken without this guard, so the test proves nothing");
        world.end_bus(&world.bus().await).await;
    })
    .await;
}

/// What does not come next must leave the stream as it is.
async fn an_event_is_stored_at_its_own_position_only(world: &World, guarded: bool) -> Verdict {
    let bus = world.bus().await;
    let publisher = if guarded { bus.clone() } else { bus.clone().without_expected_sequence() };
    world.end_bus(&bus).await;
    bus.create(1).await.unwrap();
    let log = world.feed().page(0, 40).await.unwrap();
    publisher.publish(&log[..10]).await.unwrap();
    // The relay believes it is further than the stream is, as after the stream lost its end.
    let refused = publisher.publish(&log[20..30]).await;
    match bus.head().await.unwrap() {
        Some(10) if refused.is_err() => Ok(()),
        head => Err(format!("the stream ends at {head:?}, which is not the place of what it ends with")),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_published_out_of_its_place() {
    verdicts(an_event_is_stored_at_its_own_position_only).await;
}

/// A reader that has read everything, when the stream goes on behind a hole.
async fn a_reader_misses_nothing(world: &World, guarded: bool) -> Verdict {
    let bus = world.bus().await;
    world.end_bus(&bus).await;
    let head = world.feed().head().await.unwrap();
    bus.create(head + 11).await.unwrap();
    let feed = Feed::new(world.pool.clone(), Some(bus.clone()));
    let mut follower = if guarded { feed } else { feed.without_hole_check() }.follow(head);
    follower.next_batch(10, Duration::from_millis(20)).await.unwrap();
    assert!(follower.is_live());
    let sequencing = world.sequence(None);
    write(&world.executor(), head, 20, &mut dice(2)).await;
    world.settle(head + 20).await;
    sequencing.stop().await;
    bus.publish(&world.feed().page(head + 10, 10).await.unwrap()).await.unwrap();
    follow(&mut follower, head + 20).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_stream_is_never_skipped() {
    verdicts(a_reader_misses_nothing).await;
}
