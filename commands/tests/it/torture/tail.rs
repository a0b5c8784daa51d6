//! The tail of the log: slow and rolled-back transactions, and streams with holes.

use super::{Verdict, dice, guarded, long, soon};
use crate::world::{World, append_raw};
use commands::{audit, guards::Guards, sequence};
use futures::future::join_all;
use rand::Rng;
use sqlx::Acquire;
use std::time::{Duration, Instant};

/// How long a naive tail may take to pass over a transaction that is open.
const OVERTAKEN_WITHIN: Duration = Duration::from_millis(500);

guarded!(every_committed_event_gets_a_place, slow_and_rolled_back_transactions_lose_nothing, a_naive_tail_misses_events, SettledTail);

/// Sixteen writers that dawdle and roll back.
async fn every_committed_event_gets_a_place(world: &World, guards: Guards) -> Verdict {
    const WRITERS: u64 = 16;
    let rounds = 12 * long();
    let sequencing = world.sequence_with(guards, None);
    let pool = commands::connect(&world.url, 20).await.unwrap();
    // One that is surely overtaken, before chance has its say.
    let mut slow = pool.begin().await.unwrap();
    append_raw(&mut slow, "slow", 1).await;
    append_raw(&mut pool.acquire().await.unwrap(), "quick", 1).await;
    let deadline = Instant::now() + OVERTAKEN_WITHIN;
    while world.feed().head().await.unwrap() == 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    slow.commit().await.unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut dice = dice(writer);
            let mut version = 0;
            for _ in 0..rounds {
                let count = dice.random_range(1..=3);
                let mut connection = pool.acquire().await.unwrap();
                let mut transaction = connection.begin().await.unwrap();
                for n in 1..=count {
                    append_raw(&mut transaction, &format!("w{writer}"), version + n).await;
                }
                // How long a writer takes is what the test is about.
                tokio::time::sleep(Duration::from_millis(dice.random_range(0..8))).await;
                if dice.random_bool(0.3) {
                    transaction.rollback().await.unwrap();
                } else {
                    transaction.commit().await.unwrap();
                    version += count;
                }
            }
            version
        })
    });
    let written: u64 = join_all(writers).await.into_iter().map(Result::unwrap).sum::<u64>() + 2;
    pool.close().await;
    let placed = async || world.count("SELECT count(*) FROM log").await as u64;
    let whole = soon(async || placed().await == written).await;
    let report = audit::verify(&world.pool, 1).await.unwrap();
    sequencing.task.abort();
    match report.first_bad {
        _ if !whole => Err(format!("{} of {written} events have a place", placed().await)),
        Some(bad) => Err(bad.why),
        None => Ok(()),
    }
}

guarded!(no_event_without_its_predecessor, a_stream_with_a_hole_stops_the_log, without_the_check_a_hole_is_passed_over, Contiguity);

async fn no_event_without_its_predecessor(world: &World, guards: Guards) -> Verdict {
    let mut connection = world.pool.acquire().await.unwrap();
    append_raw(&mut connection, "whole", 1).await;
    for sequence in [1, 2, 4] {
        append_raw(&mut connection, "holed", sequence).await;
    }
    let sequencing = world.sequence_with(guards, None);
    soon(async || sequence::status(&world.pool).await.unwrap().stopped.is_some() || world.feed().head().await.unwrap() == 4).await;
    sequencing.task.abort();
    let widows = "SELECT count(*) FROM recorded r WHERE sequence > 1 AND NOT EXISTS (\
        SELECT FROM recorded p WHERE p.stream_id = r.stream_id AND p.sequence = r.sequence - 1 AND p.position < r.position)";
    match world.count(widows).await {
        0 => Ok(()),
        widows => Err(format!("{widows} events stand in the log without their predecessors")),
    }
}
