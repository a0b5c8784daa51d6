//! Readers get the log in order and whole, whatever happens to the bus.

use crate::{
    cabin::{Cabin, Command, Id},
    world::{PATIENCE, World, ask, take, until, world},
};
use commands::Executor;
use futures::{StreamExt, stream};
use nats::{Bus, Envelope, Feed, FeedError, Follower};
use std::time::Duration;
use tokio::time::Instant;

/// As many at once as a shard surely takes.
const IN_FLIGHT: usize = 500;

async fn fill(executor: &Executor, from: usize, to: usize) {
    let taking = (from..to).map(|n| async move { executor.execute::<Cabin>(&Id(1), take(n), &ask()).await.unwrap() });
    stream::iter(taking).buffered(IN_FLIGHT).for_each(async |_| {}).await;
}

async fn open(world: &World) -> Executor {
    let executor = world.executor();
    executor.execute::<Cabin>(&Id(1), Command::Open { seats: 10_000 }, &ask()).await.unwrap();
    executor
}

/// Reads up to `to`, and checks that nothing is missing or twice.
async fn follow(follower: &mut Follower, to: u64) -> Vec<Envelope> {
    let deadline = Instant::now() + PATIENCE;
    let mut events: Vec<Envelope> = Vec::new();
    while follower.after() < to {
        assert!(Instant::now() < deadline, "stuck at {}", follower.after());
        let before = follower.after();
        let batch = follower.next_batch(100, Duration::from_millis(200)).await.unwrap();
        for (event, expected) in batch.iter().zip(before + 1..) {
            assert_eq!(event.position, expected);
        }
        assert_eq!(follower.after(), before + batch.len() as u64);
        events.extend(batch);
    }
    events
}

async fn relayed(bus: &Bus, position: u64) {
    until("the stream is filled", async || bus.head().await.unwrap() == Some(position)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_from_postgres_and_then_from_the_bus() {
    world(async |world| {
        let (bus, executor) = (world.bus().await, open(world).await);
        let sequencing = world.sequence(Some(bus.clone()));
        fill(&executor, 0, 300).await;
        relayed(&bus, 301).await;
        let mut follower = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        let past = follow(&mut follower, 301).await;
        assert!(follower.is_live(), "who got to the end of the log need not wait for silence there");
        fill(&executor, 300, 600).await;
        let news = follow(&mut follower, 601).await;
        assert!(follower.is_live(), "no need for Postgres");
        // The same from both sources, byte for byte.
        let stored = world.feed().page(0, 1_000).await.unwrap();
        let json = |events: &[Envelope]| serde_json::to_string(events).unwrap();
        assert_eq!(json(&[past, news].concat()), json(&stored));
        sequencing.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_looked_away_for_long_gets_much_at_once() {
    world(async |world| {
        let (bus, executor) = (world.bus().await, open(world).await);
        let sequencing = world.sequence(Some(bus.clone()));
        relayed(&bus, 1).await;
        let mut follower = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        follow(&mut follower, 1).await;
        assert_eq!(follower.next_batch(10, Duration::from_millis(20)).await.unwrap().len(), 0);
        fill(&executor, 0, 4_000).await;
        relayed(&bus, 4_001).await;
        let batch = follower.next_batch(5_000, PATIENCE).await.unwrap();
        assert!(follower.is_live(), "no need for Postgres");
        // JetStream delivers 500 ahead; what is read at once is not to end with the share of time that a task has.
        assert!(batch.len() >= 250, "only {} of 4 000 events", batch.len());
        sequencing.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_refills_a_stream_that_was_deleted() {
    world(async |world| {
        let (bus, executor) = (world.bus().await, open(world).await);
        let sequencing = world.sequence(Some(bus.clone()));
        fill(&executor, 0, 200).await;
        relayed(&bus, 201).await;
        let mut follower = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        follow(&mut follower, 201).await;
        follower.next_batch(10, Duration::from_millis(20)).await.unwrap();

        bus.delete().await.unwrap();
        fill(&executor, 200, 250).await;
        follow(&mut follower, 251).await;
        relayed(&bus, 251).await;
        for event in world.feed().page(0, 1_000).await.unwrap() {
            assert_eq!(bus.event_id_at(event.position).await.unwrap(), Some(event.event_id));
        }
        // And idle too.
        bus.delete().await.unwrap();
        relayed(&bus, 251).await;
        sequencing.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hole_in_the_stream_is_filled_from_postgres() {
    world(async |world| {
        let (bus, executor) = (world.bus().await, open(world).await);
        // Sequenced, but never relayed.
        let sequencing = world.sequence(None);
        fill(&executor, 0, 60).await;
        world.settle(61).await;
        bus.create(1).await.unwrap();
        let log = world.feed().page(0, 100).await.unwrap();
        bus.publish(&log[..20]).await.unwrap();
        let mut follower = Feed::new(world.pool.clone(), Some(bus.clone())).follow(0);
        follow(&mut follower, 61).await;
        follower.next_batch(10, Duration::from_millis(20)).await.unwrap();
        assert!(follower.is_live());

        // The stream goes on behind a hole.
        fill(&executor, 60, 100).await;
        world.settle(101).await;
        bus.delete().await.unwrap();
        bus.create(90).await.unwrap();
        bus.publish(&world.feed().page(89, 12).await.unwrap()).await.unwrap();
        follow(&mut follower, 101).await;

        // A stream that falls silent for good.
        fill(&executor, 100, 130).await;
        world.settle(131).await;
        follow(&mut follower, 131).await;
        sequencing.stop().await;
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_comes_next_is_published() {
    world(async |world| {
        let (bus, executor) = (world.bus().await, open(world).await);
        let sequencing = world.sequence(None);
        fill(&executor, 0, 30).await;
        world.settle(31).await;
        sequencing.stop().await;
        let log = world.feed().page(0, 100).await.unwrap();
        bus.create(1).await.unwrap();
        bus.publish(&log[..10]).await.unwrap();
        for wrong in [&log[..10], &log[11..]] {
            assert!(bus.publish(wrong).await.is_err());
            assert_eq!(bus.head().await.unwrap(), Some(10));
        }
        bus.publish(&log[10..]).await.unwrap();
        assert_eq!(bus.head().await.unwrap(), Some(31));
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bus_postgres_serves_alone() {
    world(async |world| {
        let executor = open(world).await;
        let sequencing = world.sequence(None);
        // Nobody listens there.
        let bus = Bus::connect("nats://127.0.0.1:1", &world.name).await.unwrap();
        for feed in [world.feed(), Feed::new(world.pool.clone(), Some(bus))] {
            let head = feed.head().await.unwrap();
            let mut follower = feed.follow(head);
            fill(&executor, head as usize * 100, head as usize * 100 + 50).await;
            follow(&mut follower, head + 50).await;
        }
        let feed = world.feed();
        let deadline = Instant::now() + PATIENCE;
        let last = feed.head().await.unwrap();
        assert_eq!(feed.await_position("cabin", "cabin-1", last, deadline).await.unwrap(), Some(last));
        assert_eq!(feed.position_of("cabin", "cabin-1", last + 1).await.unwrap(), None);
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_log_is_an_error_and_not_a_gap() {
    world(async |world| {
        let executor = open(world).await;
        let sequencing = world.sequence(None);
        fill(&executor, 0, 20).await;
        world.settle(21).await;
        sequencing.stop().await;
        world.tamper("DELETE FROM log WHERE position = 8").await;
        let feed = world.feed();
        assert!(matches!(feed.page(0, 100).await, Err(FeedError::Gap { expected: 8, found: 9 })));
        assert!(matches!(feed.page(7, 1).await, Err(FeedError::Gap { expected: 8, .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hints_reach_who_listens() {
    world(async |world| {
        let bus = world.bus().await;
        let mut hints = bus.listen("view.launches.*").await.unwrap();
        bus.flush().await.unwrap();
        bus.notify("view.launches.a-b", "42").await.unwrap();
        let hint = tokio::time::timeout(PATIENCE, hints.next()).await.unwrap().unwrap();
        assert_eq!((&*hint.topic, &hint.payload[..]), ("view.launches.a-b", &b"42"[..]));
    })
    .await;
}
