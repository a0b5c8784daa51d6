//! Snapshots are a cache: they make a long stream load as fast as a short one, and nothing else depends on them.

use crate::{
    cabin::{Cabin, Command, Id},
    world::{World, ask, take, until, world},
};
use commands::{
    Executor, Limits,
    audit::{self, At},
};
use futures::future::join_all;
use rand::{Rng, SeedableRng, rngs::StdRng};
use sqlx::Executor as _;

fn limits() -> Limits {
    Limits { shards: 1, snapshot_every_events: 10, snapshot_check_one_in: 0, ..Limits::default() }
}

/// `cabin-1` with `events` events, and a snapshot of it at least at `events - 10`.
async fn long_stream(world: &World, events: u32) -> Executor {
    let executor = world.executor_with(limits());
    executor.execute::<Cabin>(&Id(1), Command::Open { seats: 40 }, &ask()).await.unwrap();
    for n in 2..=events {
        executor.execute::<Cabin>(&Id(1), take(n), &ask()).await.unwrap();
        // One is due at every tenth, or soon after where the last is not yet written.
        if n % 10 == 5 {
            until("there is a snapshot", async || {
                world.count("SELECT COALESCE(max(version), 0) FROM snapshots").await >= i64::from(n - n % 10)
            })
            .await;
        }
    }
    executor
}

/// What the stream adds up to, read in full.
async fn truth(world: &World) -> (Cabin, u64) {
    let replayed = audit::replay_as::<Cabin>(&world.pool, "cabin-1", At::Now).await.unwrap();
    (serde_json::from_value(replayed.state).unwrap(), replayed.version)
}

async fn loaded(executor: &Executor) -> (Cabin, u64) {
    let loaded = executor.load::<Cabin>(&Id(1)).await.unwrap();
    (loaded.state, loaded.version)
}

/// Gives seat 0 of the stored snapshot to somebody who never took it.
const FORGE: &str = "UPDATE snapshots SET state = jsonb_set(state::jsonb, '{seats,0}', '\"nobody\"')::json";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_is_read_from_its_snapshot_on() {
    world(async |world| {
        let writer = long_stream(world, 35).await;
        assert_eq!(loaded(&writer).await, truth(world).await);
        assert_eq!(loaded(&world.executor()).await, truth(world).await);
        // That it was used shows when it says something else than the events.
        world.pool.execute(FORGE).await.unwrap();
        let reader = world.executor_with(limits());
        let forged = loaded(&reader).await;
        assert_eq!((forged.0.seats[0].as_deref(), forged.1), (Some("nobody"), 35));
        let done = reader.execute::<Cabin>(&Id(1), take("x"), &ask()).await.unwrap();
        assert_eq!(done.at.sequence, 36, "and what is behind it is read too");
        // Emptied, it is missed by nobody.
        world.pool.execute("TRUNCATE snapshots").await.unwrap();
        assert_eq!(loaded(&world.executor()).await, truth(world).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_cannot_be_used_is_left_aside() {
    world(async |world| {
        long_stream(world, 25).await;
        for spoil in [
            "UPDATE snapshots SET state = '{\"seats\": 7}'",
            "UPDATE snapshots SET state = '[]'",
            // Of a form of the state that this program does not have, with what would be a wrong state for this one.
            "UPDATE snapshots SET state_version = 2, state = '{\"seats\": []}'",
            // Ahead of its stream.
            "UPDATE snapshots SET state_version = 1, version = 1000, state = '{\"seats\": []}'",
        ] {
            world.pool.execute(spoil).await.unwrap();
            assert_eq!(loaded(&world.executor_with(limits())).await, truth(world).await, "{spoil}");
            let left = world.executor_with(Limits { snapshot_every_events: 1_000_000, ..limits() });
            let done = left.execute::<Cabin>(&Id(1), take(spoil), &ask()).await.unwrap();
            assert_eq!((done.events.len(), done.at.sequence), (1, truth(world).await.1), "{spoil}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_snapshot_is_found_and_thrown_away() {
    world(async |world| {
        long_stream(world, 35).await;
        world.pool.execute(FORGE).await.unwrap();
        let checking = world.executor_with(Limits { snapshot_check_one_in: 1, snapshot_every_events: 1_000_000, ..limits() });
        checking.execute::<Cabin>(&Id(1), take("x"), &ask()).await.unwrap();
        until("the snapshot is gone", async || world.count("SELECT count(*) FROM snapshots").await == 0).await;
        until("the stream is read anew", async || loaded(&checking).await == truth(world).await).await;
        checking.execute::<Cabin>(&Id(1), take("y"), &ask()).await.unwrap();
        assert_eq!(loaded(&checking).await, truth(world).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_snapshot_stays() {
    world(async |world| {
        long_stream(world, 35).await;
        let checking = world.executor_with(Limits { snapshot_check_one_in: 1, snapshot_every_events: 1_000_000, ..limits() });
        let made_at = "SELECT extract(epoch FROM max(made_at))::bigint FROM snapshots";
        let before = world.count(made_at).await;
        checking.execute::<Cabin>(&Id(1), take("x"), &ask()).await.unwrap();
        // The shard ends only when its check has ended.
        drop(checking);
        assert_eq!((world.count("SELECT count(*) FROM snapshots").await, world.count(made_at).await), (1, before));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_becomes_of_snapshots_the_state_is_what_the_events_add_up_to() {
    world(async |world| {
        let mut dice = StdRng::seed_from_u64(3);
        let every = |events| Limits { snapshot_every_events: events, snapshot_check_one_in: 2, ..limits() };
        let mut executors = [world.executor_with(every(3)), world.executor_with(every(7))];
        executors[0].execute::<Cabin>(&Id(1), Command::Open { seats: 60 }, &ask()).await.unwrap();
        for round in 0..25 {
            // Both processes write at once, so that batches are void now and then, and snapshots of what never was would show.
            let asks: Vec<_> = (0..12).map(|n| (ask(), n, dice.random_range(0..60_u32))).collect();
            join_all(asks.iter().map(|(ask, n, seat)| {
                let command = if seat % 3 == 0 { Command::Leave { seat: *seat } } else { take(format!("{round}-{seat}")) };
                executors[n % 2].execute::<Cabin>(&Id(1), command, ask)
            }))
            .await;
            match dice.random_range(0..4) {
                0 => executors[round % 2] = world.executor_with(every(dice.random_range(1..9))),
                1 => {
                    world.pool.execute("DELETE FROM snapshots WHERE version % 2 = 0").await.unwrap();
                }
                _ => {}
            }
            assert_eq!(loaded(&world.executor()).await, truth(world).await, "round {round}");
        }
        assert!(truth(world).await.1 > 100);
        // Every one that is left says what the events up to it add up to.
        let (version, state): (i64, serde_json::Value) =
            sqlx::query_as("SELECT version, state FROM snapshots").fetch_one(&world.pool).await.unwrap();
        let sequencing = world.sequence(None);
        world.settle(truth(world).await.1).await;
        sequencing.stop().await;
        let then = audit::replay_as::<Cabin>(&world.pool, "cabin-1", At::Position(version as u64)).await.unwrap();
        assert_eq!((then.version, then.state), (version as u64, state));
    })
    .await;
}
