//! Every committed event gets its place, once, in an order that readers can rely on.

use crate::{
    cabin::{Cabin, Command, Id},
    world::{World, append_raw, ask, take, until, world},
};
use commands::{Wake, audit, sequence};
use futures::{StreamExt, future::join_all};
use nats::Rush;
use sqlx::Executor as _;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// So many looks for what is new, by an index that each asks up to three times, take an idle sequencer at least so long.
const LOOKS: i64 = 150;
const LOOKS_TAKE: Duration = Duration::from_millis(2_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_transaction_in_front_of_the_tail_is_not_missed() {
    world(async |world| {
        let sequencing = world.sequence(None);
        let mut slow = world.pool.begin().await.unwrap();
        append_raw(&mut slow, "slow", 1).await;
        append_raw(&mut world.pool.acquire().await.unwrap(), "quick", 1).await;

        // The control: a reader that goes by id alone is past the slow one when it commits.
        let naive: i64 = world.count("SELECT max(id) FROM events").await;
        until("the sequencer has seen that something is held back", async || {
            commands::sequence::status(&world.pool).await.unwrap().unsequenced == 1
        })
        .await;
        let status = commands::sequence::status(&world.pool).await.unwrap();
        assert!(status.holder.is_some() && status.oldest_writer.is_some_and(|age| age > Duration::ZERO), "{status:?}");
        assert_eq!(world.feed().head().await.unwrap(), 0, "nothing is given a place before the slow one");
        slow.commit().await.unwrap();
        assert_eq!(world.count(&format!("SELECT count(*) FROM events WHERE id > {naive}")).await, 0, "the control misses the slow one");

        world.settle(2).await;
        let streams: Vec<_> = world.feed().page(0, 10).await.unwrap().into_iter().map(|event| event.stream_id).collect();
        assert_eq!(streams, ["slow", "quick"]);
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_from_a_killed_sequencer_within_five_seconds() {
    world(async |world| {
        let first = world.sequence(None);
        let executor = world.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 9 }, &ask()).await.unwrap();
        world.settle(1).await;
        let second = world.sequence(None);
        first.kill().await;
        let killed = Instant::now();
        executor.execute::<Cabin>(&Id(1), take("a"), &ask()).await.unwrap();
        world.settle(2).await;
        assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
        assert_eq!(world.count("SELECT epoch FROM sequencer").await, 2);
        // One that ends in order leaves at once.
        let third = world.sequence(None);
        second.stop().await;
        until("the third leads", async || world.count("SELECT epoch FROM sequencer").await == 3).await;
        third.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sequencers_that_steal_the_lease_from_each_other_give_each_event_one_place() {
    world(async |world| {
        let sequencers = [world.sequence(None), world.sequence(None), world.sequence(None)];
        let executor = world.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 600 }, &ask()).await.unwrap();
        let thief = async {
            // The lease is taken away under whoever holds it, and whoever asks next gets it.
            for _ in 0..60 {
                world.pool.execute("UPDATE sequencer SET lease_until = '-infinity', epoch = epoch + 1").await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let writing = async {
            for round in 0..60 {
                join_all((0..10).map(|n| executor.execute::<Cabin>(&Id(1), take(format!("{round}-{n}")), Box::leak(Box::new(ask())))))
                    .await;
            }
        };
        tokio::join!(thief, writing);
        world.settle(601).await;
        let report = audit::verify(&world.pool, 1).await.unwrap();
        assert_eq!((report.checked, report.first_bad), (601, None));
        assert_eq!(world.count("SELECT count(*) - count(DISTINCT event_row) FROM log").await, 0);
        for sequencer in sequencers {
            sequencer.stop().await;
        }
    })
    .await;
}

/// Why the log stops.
async fn stopped(world: &World) -> Option<String> {
    sequence::status(&world.pool).await.unwrap().stopped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stops_loudly_at_a_stream_with_a_hole() {
    world(async |world| {
        let mut connection = world.pool.acquire().await.unwrap();
        for sequence in [1, 2] {
            append_raw(&mut connection, "holed", sequence).await;
        }
        let sequencing = world.sequence(None);
        world.settle(2).await;
        sequencing.stop().await;
        // Whether one saw the stream before or not, all say the same.
        append_raw(&mut connection, "holed", 4).await;
        let sequencing = world.sequence(None);
        until("the log stops", async || stopped(world).await.is_some()).await;
        assert_eq!(stopped(world).await.unwrap(), "raw/holed has no event 3 before 4: the log stops at 2");
        assert_eq!(world.feed().head().await.unwrap(), 2, "nothing behind the hole has a place");
        // Whoever mends it need not start anything anew.
        world.tamper("DELETE FROM events WHERE sequence = 4").await;
        append_raw(&mut connection, "holed", 3).await;
        world.settle(3).await;
        until("it is said no more", async || stopped(world).await.is_none()).await;
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_many_windows_is_sequenced_in_order() {
    world(async |world| {
        for block in 0..12_i64 {
            sqlx::query(
                "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, \
                    correlation_id, actor, body_hash) \
                 SELECT 'raw', 's' || (n % 7), $1 * 150 + n / 7 + 1, 'done', '1', '{}', gen_random_uuid(), gen_random_uuid(), \
                    gen_random_uuid(), 'system', '\\x00' FROM generate_series(0, 1049) n",
            )
            .bind(block)
            .execute(&world.pool)
            .await
            .unwrap();
        }
        let sequencing = world.sequence(None);
        world.settle(12 * 1_050).await;
        sequencing.stop().await;
        assert_eq!(
            world.count("SELECT count(*) FROM log l JOIN log m ON m.position = l.position + 1 WHERE m.event_row < l.event_row").await,
            0
        );
        assert_eq!(world.count("SELECT position FROM sequencer").await, 12_600);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_after_a_restore_into_a_cluster_that_counts_transactions_anew() {
    world(async |world| {
        let mut connection = world.pool.acquire().await.unwrap();
        for sequence in 1..=3 {
            append_raw(&mut connection, "old", sequence).await;
        }
        let sequencing = world.sequence(None);
        world.settle(3).await;
        sequencing.stop().await;
        // What a dump of a busier cluster leaves here: transaction ids of the future, some of them without a position.
        append_raw(&mut connection, "old", 4).await;
        world.tamper("UPDATE events SET xid = (id + 4000000000)::text::xid8").await;
        world.pool.execute("UPDATE sequencer SET settled_to = '4000000003'").await.unwrap();
        append_raw(&mut connection, "old", 5).await;

        let sequencing = world.sequence(None);
        world.settle(5).await;
        append_raw(&mut connection, "old", 6).await;
        world.settle(6).await;
        let places: BTreeSet<_> =
            world.feed().page(0, 10).await.unwrap().into_iter().map(|event| (event.position, event.sequence)).collect();
        assert_eq!(places, (1..=6).map(|n| (n, n)).collect());
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_cluster_left_comes_first_even_where_the_new_one_counts_between() {
    world(async |world| {
        let mut connection = world.pool.acquire().await.unwrap();
        for sequence in 1..=3 {
            append_raw(&mut connection, "old", sequence).await;
        }
        let sequencing = world.sequence(None);
        world.settle(3).await;
        sequencing.stop().await;
        // The last window of the old cluster ended below where the new one counts, and what came behind it is above.
        append_raw(&mut connection, "old", 4).await;
        world.tamper("UPDATE events SET xid = (id + 4000000000)::text::xid8 WHERE sequence = 4").await;
        append_raw(&mut connection, "old", 5).await;
        let sequencing = world.sequence(None);
        world.settle(5).await;
        append_raw(&mut connection, "old", 6).await;
        world.settle(6).await;
        let places: Vec<_> = world.feed().page(0, 10).await.unwrap().into_iter().map(|event| (event.position, event.sequence)).collect();
        assert_eq!(places, (1..=6).map(|n| (n, n)).collect::<Vec<_>>());
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_an_old_cluster_do_not_keep_the_sequencer_busy() {
    world(async |world| {
        append_raw(&mut world.pool.acquire().await.unwrap(), "old", 1).await;
        let sequencing = world.sequence(None);
        world.settle(1).await;
        sequencing.stop().await;
        world.tamper("UPDATE events SET xid = (id + 4000000000)::text::xid8").await;
        let sequencing = world.sequence(None);
        until("it leads", async || commands::sequence::status(&world.pool).await.unwrap().holder.is_some()).await;
        // Each look is a transaction; a sequencer that holds nothing back looks ten times a second.
        let looks = async || world.count("SELECT idx_scan FROM pg_stat_all_indexes WHERE indexrelname = 'events_xid'").await;
        let (before, began) = (looks().await, Instant::now());
        until("it has looked some times", async || looks().await >= before + LOOKS).await;
        assert!(began.elapsed() > LOOKS_TAKE, "{LOOKS} looks in {:?}", began.elapsed());
        sequencing.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_was_replaced_unawares_does_not_take_the_work_of_its_successor_for_a_hole() {
    world(async |world| {
        let replaced = world.sequence(None);
        append_raw(&mut world.pool.acquire().await.unwrap(), "s", 1).await;
        world.settle(1).await;
        // A successor came, gave the second event its place and went, and a third waits: all before the first looks again.
        let mut successor = world.pool.begin().await.unwrap();
        append_raw(&mut successor, "s", 2).await;
        successor.execute("INSERT INTO log SELECT 2, max(id), '\\x02' FROM events").await.unwrap();
        let came = "UPDATE sequencer SET epoch = epoch + 1, position = 2, lease_until = '-infinity'";
        successor.execute(came).await.unwrap();
        append_raw(&mut successor, "s", 3).await;
        successor.commit().await.unwrap();
        until("it goes on", async || stopped(world).await.is_some() || world.feed().head().await.unwrap() == 3).await;
        replaced.stop().await;
        assert_eq!(world.feed().head().await.unwrap(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_told_to_other_processes_only_while_another_one_sequences() {
    world(async |world| {
        let bus = world.bus().await;
        let mut hints = bus.listen("hint.append").await.unwrap();
        bus.flush().await.unwrap();
        let mut heard = async || tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap().unwrap().payload;
        let (wake, stop) = (Wake::over(bus.clone()), CancellationToken::new());
        wake.wake();
        assert_eq!(heard().await, "", "nobody sequences here");

        let sequencing = tokio::spawn(sequence::run(world.pool.clone(), Some(bus.clone()), wake.clone(), Rush::default(), stop.clone()));
        append_raw(&mut world.pool.acquire().await.unwrap(), "one", 1).await;
        world.settle(1).await;
        wake.wake();
        bus.notify("hint.append", "the next one").await.unwrap();
        assert_eq!(heard().await, "the next one");

        stop.cancel();
        sequencing.await.unwrap();
        wake.wake();
        assert_eq!(heard().await, "", "nobody sequences here any more");
        world.end_bus(&bus).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_get_their_places_in_a_rush_that_does_not_end() {
    world(async |world| {
        let (rush, stop) = (Rush::default(), CancellationToken::new());
        let _waiting = rush.crowd();
        let sequencing = tokio::spawn(sequence::run(world.pool.clone(), None, Wake::new(), rush, stop.clone()));
        for sequence in 1..=5 {
            append_raw(&mut world.pool.acquire().await.unwrap(), "one", sequence).await;
            world.settle(sequence).await;
        }
        stop.cancel();
        sequencing.await.unwrap();
    })
    .await;
}
