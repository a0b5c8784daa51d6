//! Answers: the same key does once and is answered alike, and what was answered is there.

use super::{PATIENCE, Verdict, dice, executor, guarded, long};
use crate::{
    cabin::{Cabin, Command, Event, Id},
    proxy::Proxy,
    world::{World, ask, ask_as, take, until, world},
};
use commands::{Executor, Failure, Limits, Wake, guards::Guards};
use futures::future::join_all;
use rand::Rng;
use sqlx::{Executor as _, Row};
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::mpsc;
use uuid::Uuid;

guarded!(one_key_does_once, one_key_fifty_times_at_once_does_once_and_answers_alike, without_the_command_log_a_key_does_more, CommandLog);

async fn one_key_does_once(world: &World, guards: Guards) -> Verdict {
    let executors = [executor(world, guards), executor(world, guards)];
    executors[0].execute::<Cabin>(&Id(1), Command::Open { seats: 20_000 }, &ask()).await.unwrap();
    let keys = 20 * long();
    for round in 0..keys {
        let key = Uuid::new_v4();
        let requests = (0..50).map(|n| {
            let executor = executors[n % 2].clone();
            // Each would take a seat of its own, were they not the same command.
            tokio::spawn(async move { executor.execute::<Cabin>(&Id(1), take(format!("{round}-{n}")), &ask_as(key, 1)).await })
        });
        let answers: Vec<_> = join_all(requests).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
        if !answers.iter().all(|answer| answer.events == answers[0].events && answer.at == answers[0].at) {
            return Err("two answers to one key".to_owned());
        }
        let first = answers.iter().filter(|answer| !answer.repeated).count();
        if first != 1 {
            return Err(format!("{first} first answers"));
        }
        let other = executors[round as usize % 2].execute::<Cabin>(&Id(1), take("x"), &ask_as(key, 2)).await;
        if other != Err(Failure::KeyReused) {
            return Err(format!("another request under the same key was answered {other:?}"));
        }
    }
    match world.count("SELECT count(*) FROM events").await as u64 {
        events if events == keys + 1 => Ok(()),
        events => Err(format!("{events} events of {keys} keys")),
    }
}

guarded!(
    a_key_is_for_one_request,
    another_request_under_a_used_key_is_refused,
    without_comparing_requests_another_one_gets_the_answer_of_the_first,
    RequestHash
);

/// Asked of the process that did the first, and of one that has not heard of it.
async fn a_key_is_for_one_request(world: &World, guards: Guards) -> Verdict {
    let executors = [executor(world, guards), executor(world, guards)];
    executors[0].execute::<Cabin>(&Id(1), Command::Open { seats: 20_000 }, &ask()).await.unwrap();
    for n in 0..20 * long() {
        let key = Uuid::new_v4();
        executors[0].execute::<Cabin>(&Id(1), take(n), &ask_as(key, 1)).await.unwrap();
        for executor in &executors {
            let other = executor.execute::<Cabin>(&Id(1), take("x"), &ask_as(key, 2)).await;
            if other != Err(Failure::KeyReused) {
                return Err(format!("another request under the same key was answered {other:?}"));
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_answered_alike_by_any_process() {
    world(async |world| {
        let proxy = Proxy::to(&world.url).await;
        let cut_off = Executor::start(commands::connect(&proxy.url(&world.url), 4).await.unwrap(), Wake::new(), Limits::default());
        let other = world.executor();
        cut_off.execute::<Cabin>(&Id(1), Command::Open { seats: 1_000 }, &ask()).await.unwrap();
        for round in 0..8 * long() {
            proxy.lose_the_next_answer();
            let ask = ask();
            let answer = cut_off.execute::<Cabin>(&Id(1), take(round), &ask).await.unwrap();
            assert!(proxy.has_lost_an_answer() && answer.repeated);
            let again = other.execute::<Cabin>(&Id(1), take("x"), &ask).await.unwrap();
            assert_eq!((again.events, again.at, again.repeated), (answer.events, answer.at, true));
        }
        assert_eq!(world.count("SELECT count(*) FROM events").await as u64, 8 * long() + 1);
    })
    .await;
}

guarded!(
    what_was_answered_is_there,
    an_acknowledged_command_survives_its_process,
    without_waiting_for_the_commit_answers_are_lost,
    AnswerAfterCommit
);

/// Processes that are killed under load, each with the connections it had.
async fn what_was_answered_is_there(world: &World, guards: Guards) -> Verdict {
    let mut dice = dice(11);
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    executor(world, guards).execute::<Cabin>(&Id(1), Command::Open { seats: 100_000 }, &ask()).await.unwrap();
    for round in 0..6 * long() {
        let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (tell, mut told) = mpsc::unbounded_channel();
        // What writes slowly is caught amid its writing.
        let mut lock = world.pool.begin().await.unwrap();
        let url = world.url.clone();
        process.spawn(async move {
            let pool = commands::connect(&url, 6).await.unwrap();
            let executor = Executor::start(pool, Wake::new(), Limits { guards, ..Limits::default() });
            for client in 0..8 {
                let (executor, tell) = (executor.clone(), tell.clone());
                tokio::spawn(async move {
                    for n in 0.. {
                        let who = format!("{round}-{client}-{n}");
                        if executor.execute::<Cabin>(&Id(1), take(&who), &ask()).await.is_ok() {
                            let _ = tell.send(who);
                        }
                    }
                });
            }
        });
        acknowledged.extend(tokio::time::timeout(PATIENCE, told.recv()).await.unwrap());
        lock.execute("LOCK TABLE events IN SHARE MODE").await.unwrap();
        tokio::time::sleep(Duration::from_millis(dice.random_range(0..40))).await;
        process.shutdown_background();
        let of_others = "pid <> pg_backend_pid() AND datname = current_database() AND wait_event_type = 'Lock'";
        let kill = format!("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {of_others}");
        world.count(&kill).await;
        until("what waited is gone", async || world.count(&format!("SELECT count(*) FROM pg_stat_activity WHERE {of_others}")).await == 0)
            .await;
        lock.rollback().await.unwrap();
        while let Ok(who) = told.try_recv() {
            acknowledged.insert(who);
        }
    }
    let rows = sqlx::query("SELECT payload->>'who' FROM events WHERE event_type = 'taken'").fetch_all(&world.pool).await.unwrap();
    let stored: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    let lost = acknowledged.difference(&stored).count();
    if lost == 0 { Ok(()) } else { Err(format!("{lost} of {} acknowledged commands are lost", acknowledged.len())) }
}

guarded!(nothing_is_refused_for_what_is_no_longer_so, a_refusal_is_never_stale, without_looking_again_a_refusal_is_stale, RefusalRecheck);

/// A seat is left through one process, and asked for through another that has not heard of it.
async fn nothing_is_refused_for_what_is_no_longer_so(world: &World, guards: Guards) -> Verdict {
    let (here, there) = (executor(world, guards), executor(world, guards));
    for n in 0..20 * long() {
        let id = Id(u32::try_from(n).unwrap());
        here.execute::<Cabin>(&id, Command::Open { seats: 1 }, &ask()).await.unwrap();
        here.execute::<Cabin>(&id, take("first"), &ask()).await.unwrap();
        there.execute::<Cabin>(&id, Command::Leave { seat: 0 }, &ask()).await.unwrap();
        match here.execute::<Cabin>(&id, take("second"), &ask()).await {
            Ok(done) if matches!(&done.events[..], [Event::Taken { .. }]) => {}
            other => return Err(format!("{other:?} where the only seat was free")),
        }
    }
    Ok(())
}
