//! Deciding and appending: one winner, no half answers, nothing decided on what is no longer so.

use crate::{
    cabin::{Cabin, Command, Event, Id, Refusal},
    proxy::Proxy,
    world::{World, append_stored, ask, ask_as, take, until, world},
};
use commands::{Executor, Failure, Limits, StoreError, Wake};
use cqrs_es::persist::PersistedEventRepository;
use domain::{
    id::LaunchId,
    slug::{self, SlugClaim},
};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use sqlx::Executor as _;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Long enough for anything to be answered that is not held up.
const MOMENT: Duration = Duration::from_millis(300);
/// What is held up by a lock takes longer: so long Postgres lets it wait.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Waits until so many statements wait for a lock.
async fn until_held_up(world: &World, statements: i64) {
    let held_up = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("statements wait for a lock", async || world.count(held_up).await == statements).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_through_two_executors_sell_each_seat_once() {
    world(async |world| {
        let executors = [world.executor(), world.executor()];
        executors[0].execute::<Cabin>(&Id(1), Command::Open { seats: 1_000 }, &ask()).await.unwrap();
        let writers = (0..64).map(|writer| {
            let executor = executors[writer % 2].clone();
            tokio::spawn(async move {
                let mut sold = Vec::new();
                for n in 0..17 {
                    match executor.execute::<Cabin>(&Id(1), take(format!("{writer}-{n}")), &ask()).await {
                        Ok(done) => match &done.events[..] {
                            [Event::Taken { seat, .. }] => sold.push((*seat, done.at.sequence)),
                            other => panic!("{other:?}"),
                        },
                        Err(Failure::Refused(Refusal::Full { seats: 1_000 })) => {}
                        Err(failure) => panic!("{failure}"),
                    }
                }
                sold
            })
        });
        let sold: Vec<_> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(sold.len(), 1_000);
        assert_eq!(sold.iter().map(|(seat, _)| *seat).collect::<BTreeSet<_>>().len(), 1_000, "each seat once");
        assert_eq!(sold.iter().map(|(_, at)| *at).collect::<BTreeSet<_>>(), (2..=1_001).collect(), "one event per version");
        assert_eq!(world.count("SELECT count(*) FROM events").await, 1_001);
        assert_eq!(world.count("SELECT count(*) FROM command_log").await, 64 * 17 + 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_commands_share_one_commit() {
    world(async |world| {
        let executor = world.executor();
        let commands = (0..400).map(|n| {
            let executor = executor.clone();
            async move { executor.execute::<Cabin>(&Id(n), Command::Open { seats: 1 }, &ask()).await.unwrap() }
        });
        join_all(commands).await;
        assert_eq!(world.count("SELECT count(*) FROM events").await, 400);
        let commits = world.count("SELECT count(DISTINCT xid) FROM events").await;
        assert!(commits < 100, "400 commands took {commits} commits");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_waits_for_the_commit_it_depends_on() {
    world(async |world| {
        let executor = world.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 1 }, &ask()).await.unwrap();
        let mut lock = world.pool.begin().await.unwrap();
        lock.execute("LOCK TABLE events IN SHARE MODE").await.unwrap();
        let first = tokio::spawn({
            let executor = executor.clone();
            async move { executor.execute::<Cabin>(&Id(1), take("first"), &ask()).await }
        });
        until_held_up(world, 1).await;
        let (second_ask, second_executor) = (ask(), executor.clone());
        let mut second = tokio::spawn(async move { second_executor.execute::<Cabin>(&Id(1), take("second"), &second_ask).await });
        assert!(tokio::time::timeout(MOMENT, &mut second).await.is_err(), "refused because of a seat that may never be sold");
        lock.rollback().await.unwrap();
        assert_eq!(first.await.unwrap().unwrap().events.len(), 1);
        assert_eq!(second.await.unwrap(), Err(Failure::Refused(Refusal::Full { seats: 1 })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_decided_again_when_another_process_has_written() {
    world(async |world| {
        let (here, there) = (world.executor(), world.executor());
        here.execute::<Cabin>(&Id(1), Command::Open { seats: 1 }, &ask()).await.unwrap();
        here.execute::<Cabin>(&Id(1), take("first"), &ask()).await.unwrap();
        there.execute::<Cabin>(&Id(1), Command::Leave { seat: 0 }, &ask()).await.unwrap();
        // Here the cabin still looks full.
        let taken = here.execute::<Cabin>(&Id(1), take("second"), &ask()).await.unwrap();
        assert_eq!(taken.at.sequence, 4);
        // The same for a command that would change nothing.
        there.execute::<Cabin>(&Id(1), Command::Leave { seat: 0 }, &ask()).await.unwrap();
        let again = here.execute::<Cabin>(&Id(1), take("second"), &ask()).await.unwrap();
        assert_eq!((again.events.len(), again.at.sequence), (1, 6));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_commands_are_told_to_come_back() {
    world(async |world| {
        let executor = world.executor_with(Limits { shards: 1, mailbox_commands: 3, ..Limits::default() });
        let mut lock = world.pool.begin().await.unwrap();
        lock.execute("LOCK TABLE events IN SHARE MODE").await.unwrap();
        let mut answers: FuturesUnordered<_> = (0..10)
            .map(|n| {
                let executor = executor.clone();
                tokio::spawn(async move { executor.execute::<Cabin>(&Id(n), Command::Open { seats: 1 }, &ask()).await })
            })
            .collect();
        for _ in 0..7 {
            let turned_away = answers.next().await.unwrap().unwrap();
            assert!(matches!(turned_away, Err(Failure::Busy { .. })), "{turned_away:?}");
        }
        lock.rollback().await.unwrap();
        while let Some(answer) = answers.next().await {
            answer.unwrap().unwrap();
        }
        executor.execute::<Cabin>(&Id(99), Command::Open { seats: 1 }, &ask()).await.unwrap();
        assert_eq!(world.count("SELECT count(*) FROM events").await, 4);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_is_turned_away_without_room_and_given_up_without_an_answer_in_time() {
    world(async |world| {
        let limits = Limits { shards: 1, mailbox_commands: 2, deadline: Duration::from_secs(1), ..Limits::default() };
        let executor = world.executor_with(limits);
        until("the stream is hot", async || executor.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.is_ok()).await;
        let (mut lock, before) = (world.pool.begin().await.unwrap(), executor.load::<Cabin>(&Id(1)).await.unwrap().version);
        lock.execute("LOCK TABLE events IN SHARE MODE").await.unwrap();
        let taking = tokio::spawn({
            let executor = executor.clone();
            async move { executor.execute::<Cabin>(&Id(1), take("a"), &ask()).await }
        });
        until_held_up(world, 1).await;
        // The first waits for the batch that it would see, and takes the last room; the second has none.
        let (late, busy) = tokio::join!(executor.load::<Cabin>(&Id(1)), executor.see(&Id(2), Cabin::taken));
        assert!(matches!(&late, Err(StoreError::Database(sqlx::Error::Io(_)))), "{late:?}");
        assert!(matches!(&busy, Err(StoreError::Busy)), "{busy:?}");
        assert!(matches!(taking.await.unwrap(), Err(Failure::Unavailable(_))));
        lock.rollback().await.unwrap();
        until("there is room again", async || executor.load::<Cabin>(&Id(1)).await.is_ok_and(|loaded| loaded.version == before + 1)).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_a_cold_stream_nor_a_snapshot_holds_up_a_hot_one() {
    world(async |world| {
        world.executor().execute::<Cabin>(&Id(2), Command::Open { seats: 1 }, &ask()).await.unwrap();
        let executor = world.executor_with(Limits { shards: 1, ..Limits::default() });
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 200 }, &ask()).await.unwrap();
        let asks: Vec<_> = (2..=95).map(|n| (n, ask())).collect();
        join_all(asks.iter().map(|(n, ask)| executor.execute::<Cabin>(&Id(1), take(n), ask))).await;
        // No stream can be read from its snapshot now, and no snapshot be written.
        let mut lock = world.pool.begin().await.unwrap();
        lock.execute("LOCK TABLE snapshots IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let cold = tokio::spawn({
            let executor = executor.clone();
            async move { executor.execute::<Cabin>(&Id(2), take("cold"), &ask()).await }
        });
        until_held_up(world, 1).await;
        let taking = async |from: u64, to: u64| {
            for n in from..=to {
                assert_eq!(executor.execute::<Cabin>(&Id(1), take(n), &ask()).await.unwrap().at.sequence, n);
            }
        };
        tokio::time::timeout(LOCK_WAIT / 2, taking(96, 105)).await.expect("the hot stream waits for the cold one or for its snapshot");
        // Now both wait: the snapshot is the one of the hundredth event.
        until_held_up(world, 2).await;
        tokio::time::timeout(LOCK_WAIT / 2, taking(106, 110)).await.expect("the hot stream waits for its snapshot");
        assert!(!cold.is_finished());
        lock.rollback().await.unwrap();
        assert_eq!(cold.await.unwrap().unwrap().at.sequence, 2);
        until("the snapshot is there", async || world.count("SELECT count(*) FROM snapshots WHERE version = 100").await == 1).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_is_told_in_time_and_may_ask_again() {
    world(async |world| {
        world.executor().execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        let executor = world.executor_with(Limits { deadline: Duration::from_millis(200), ..Limits::default() });
        let mut lock = world.pool.begin().await.unwrap();
        lock.execute("LOCK TABLE events IN SHARE MODE").await.unwrap();
        let (ask, asked_at) = (ask(), Instant::now());
        let late = executor.execute::<Cabin>(&Id(1), take("a"), &ask).await;
        assert!(matches!(late, Err(Failure::Unavailable(_) | Failure::Busy { .. })), "{late:?}");
        assert!(asked_at.elapsed() < LOCK_WAIT / 2, "{:?}", asked_at.elapsed());
        lock.rollback().await.unwrap();
        until("the same key has its outcome", async || match executor.execute::<Cabin>(&Id(1), take("a"), &ask).await {
            Ok(done) => {
                assert_eq!((done.events.len(), done.at.sequence), (1, 2));
                true
            }
            Err(_) => false,
        })
        .await;
        assert_eq!(world.count("SELECT count(*) FROM events").await, 2, "it was done once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_overtaken_too_often_is_told_to_come_back() {
    world(async |world| {
        let executor = world.executor_with(Limits { attempts: 1, ..Limits::default() });
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        // Another process is about to write what comes next, and what comes after that.
        let rival = async |sequence| {
            let mut rival = world.pool.begin().await.unwrap();
            let left = ("left", 1, r#"{"type":"left","seat":0}"#);
            append_stored(&mut rival, ("cabin", "cabin-1"), sequence, left, Uuid::new_v4()).await;
            let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *rival).await.unwrap();
            (rival, process)
        };
        let (rivals, ask) = ([rival(2).await, rival(3).await], ask());
        let taking = tokio::spawn({
            let (executor, ask) = (executor.clone(), ask.clone());
            async move { executor.execute::<Cabin>(&Id(1), take("a"), &ask).await }
        });
        for (rival, process) in rivals {
            let held_up = format!("SELECT count(*) FROM pg_stat_activity WHERE {process} = ANY(pg_blocking_pids(pid))");
            until("the command is held up by its rival", async || world.count(&held_up).await == 1).await;
            rival.commit().await.unwrap();
        }
        let overtaken = taking.await.unwrap();
        assert!(matches!(overtaken, Err(Failure::Busy { .. })), "{overtaken:?}");
        assert_eq!(world.count("SELECT count(*) FROM command_log").await, 1, "nothing was done");
        let done = executor.execute::<Cabin>(&Id(1), take("a"), &ask).await.unwrap();
        assert_eq!((done.at.sequence, done.repeated), (4, false));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_panics_costs_only_itself() {
    world(async |world| {
        let executor = world.executor_with(Limits { shards: 1, ..Limits::default() });
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        let (before, panics, after) = tokio::join!(
            async { executor.execute::<Cabin>(&Id(1), take("a"), &ask()).await },
            async { executor.execute::<Cabin>(&Id(1), Command::Panic, &ask()).await },
            async { executor.execute::<Cabin>(&Id(1), take("b"), &ask()).await },
        );
        assert!(matches!(panics, Err(Failure::Unavailable(_))));
        assert_eq!(BTreeSet::from([before.unwrap().at.sequence, after.unwrap().at.sequence]), BTreeSet::from([2, 3]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loads_what_is_committed_here_and_elsewhere() {
    world(async |world| {
        let (here, there) = (world.executor(), world.executor());
        let none = here.load::<Cabin>(&Id(1)).await.unwrap();
        assert_eq!((none.version, none.state), (0, Cabin::default()));
        here.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        there.execute::<Cabin>(&Id(1), take("a"), &ask()).await.unwrap();
        let loaded = here.load::<Cabin>(&Id(1)).await.unwrap();
        assert_eq!((loaded.version, loaded.state.taken()), (2, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_whose_connection_is_killed_is_done_once() {
    world(async |world| {
        let executor = world.executor();
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        let mut lock = world.pool.begin().await.unwrap();
        lock.execute("LOCK TABLE events IN SHARE MODE").await.unwrap();
        let taking = tokio::spawn(async move { executor.execute::<Cabin>(&Id(1), take("a"), &ask()).await });
        until("the append is killed", async || {
            world
                .count(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'",
                )
                .await
                > 0
        })
        .await;
        lock.rollback().await.unwrap();
        assert_eq!(taking.await.unwrap().unwrap().at.sequence, 2);
        assert_eq!(world.count("SELECT count(*) FROM events").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_gone_is_told_and_not_waited_for() {
    world(async |world| {
        let proxy = Proxy::to(&world.url).await;
        let pool = commands::connect(&proxy.url(&world.url), 4).await.unwrap();
        let executor = Executor::start(pool, Wake::new(), Limits::default());
        executor.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        proxy.close();
        for id in [Id(1), Id(2)] {
            let answer = executor.execute::<Cabin>(&id, take("a"), &ask()).await;
            assert!(matches!(answer, Err(Failure::Unavailable(_))), "{answer:?}");
        }
        proxy.open();
        until("it is back", async || executor.execute::<Cabin>(&Id(1), take("a"), &ask()).await.is_ok()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_is_one_that_postgres_es_reads() {
    world(async |world| {
        let executor = world.executor();
        let slug: slug::Slug = "falcon-9-ksc-moon-2031-01-01".parse().unwrap();
        let launch = LaunchId(Uuid::from_u128(7));
        let claim = slug::Command::Claim { launch };
        executor.execute::<SlugClaim>(&slug, claim.clone(), &ask()).await.unwrap();
        let repeated = executor.execute::<SlugClaim>(&slug, claim, &ask_as(Uuid::from_u128(1), 1)).await.unwrap();
        assert_eq!((repeated.events.len(), repeated.at.to_string()), (0, format!("slug/{slug}@1")));
        let repository = postgres_es::PostgresEventRepository::new(world.pool.clone());
        let events = repository.get_events::<commands::aggregate::Decided<SlugClaim>>(slug.as_str()).await.unwrap();
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!((&*event.aggregate_type, event.sequence, &*event.event_type, &*event.event_version), ("slug", 1, "claimed", "1"));
        assert_eq!(event.payload, serde_json::json!({ "type": "claimed", "launch": launch }));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_cannot_be_edited() {
    world(async |world| {
        world.executor().execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask()).await.unwrap();
        for sql in ["UPDATE events SET payload = '{}'", "DELETE FROM events", "TRUNCATE command_log", "DELETE FROM log"] {
            let error = world.pool.execute(sql).await.unwrap_err();
            assert!(error.to_string().contains("are kept as they are"), "{sql}: {error}");
        }
        let mut app = world.pool.begin().await.unwrap();
        app.execute("SET LOCAL ROLE astro_app").await.unwrap();
        let error = app.execute("UPDATE events SET payload = '{}'").await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    })
    .await;
}
