//! Deciding and appending: one winner, no half answers, nothing decided on what is no longer so.

use crate::{
    cabin::{Cabin, Command, Event, Id, Refusal},
    proxy::Proxy,
    world::{ask, ask_as, take, until, world},
};
use commands::{Executor, Failure, Limits, Wake};
use cqrs_es::persist::PersistedEventRepository;
use domain::{
    id::LaunchId,
    slug::{self, SlugClaim},
};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use sqlx::Executor as _;
use std::{collections::BTreeSet, time::Duration};
use uuid::Uuid;

/// Long enough for anything to be answered that is not held up.
const MOMENT: Duration = Duration::from_millis(300);

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
        until("the append waits", async || {
            world.count("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").await > 0
        })
        .await;
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
