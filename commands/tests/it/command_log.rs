//! The same command id gets the same answer, for ever.

use crate::{
    cabin::{Cabin, Command, Id, Refusal},
    world::{ask, ask_as, take, world},
};
use commands::{Failure, Limits};
use futures::future::join_all;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_used_for_something_else_is_refused() {
    world(async |world| {
        let (here, there) = (world.executor(), world.executor());
        let key = Uuid::new_v4();
        here.execute::<Cabin>(&Id(1), Command::Open { seats: 3 }, &ask_as(key, 1)).await.unwrap();
        for executor in [&here, &there] {
            let other_request = executor.execute::<Cabin>(&Id(1), take("a"), &ask_as(key, 2)).await;
            assert_eq!(other_request, Err(Failure::KeyReused));
            let other_stream = executor.execute::<Cabin>(&Id(2), Command::Open { seats: 3 }, &ask_as(key, 1)).await;
            assert_eq!(other_stream, Err(Failure::KeyReused));
        }
        assert_eq!(world.count("SELECT count(*) FROM events").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_an_answer_too_and_stays() {
    world(async |world| {
        let (here, there) = (world.executor(), world.executor());
        here.execute::<Cabin>(&Id(1), Command::Open { seats: 0 }, &ask()).await.unwrap();
        let (refused, nothing) = (Uuid::new_v4(), Uuid::new_v4());
        let full = Err(Failure::Refused(Refusal::Full { seats: 0 }));
        assert_eq!(here.execute::<Cabin>(&Id(1), take("a"), &ask_as(refused, 1)).await, full);
        here.execute::<Cabin>(&Id(1), Command::Open { seats: 5 }, &ask()).await.unwrap();
        for executor in [&here, &there] {
            assert_eq!(
                executor.execute::<Cabin>(&Id(1), take("a"), &ask_as(refused, 1)).await,
                full,
                "there is room now, but not for this command"
            );
        }
        here.execute::<Cabin>(&Id(1), take("a"), &ask()).await.unwrap();
        let first = here.execute::<Cabin>(&Id(1), take("a"), &ask_as(nothing, 1)).await.unwrap();
        assert_eq!((first.events.len(), first.at.sequence, first.repeated), (0, 3, false));
        here.execute::<Cabin>(&Id(1), Command::Leave { seat: 0 }, &ask()).await.unwrap();
        let again = there.execute::<Cabin>(&Id(1), take("a"), &ask_as(nothing, 1)).await.unwrap();
        assert_eq!((again.events.len(), again.at.sequence, again.repeated), (0, 3, true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_amid_others_costs_the_others_nothing() {
    world(async |world| {
        // One shard, so that repeats and new commands meet in one batch; a new executor remembers none of the keys.
        let limits = Limits { shards: 1, ..Limits::default() };
        let first = world.executor_with(limits.clone());
        first.execute::<Cabin>(&Id(1), Command::Open { seats: 1_000 }, &ask()).await.unwrap();
        let keys: Vec<Uuid> = (0..50).map(|_| Uuid::new_v4()).collect();
        for key in &keys {
            first.execute::<Cabin>(&Id(1), take(key), &ask_as(*key, 1)).await.unwrap();
        }
        let second = world.executor_with(limits);
        let mixed = keys.iter().flat_map(|key| [*key, Uuid::new_v4()]).map(|key| {
            let second = second.clone();
            tokio::spawn(async move { second.execute::<Cabin>(&Id(1), take(key), &ask_as(key, 1)).await.unwrap() })
        });
        let answers: Vec<_> = join_all(mixed).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().filter(|answer| answer.repeated).count(), 50);
        assert!(answers.iter().all(|answer| answer.events.len() == 1));
        assert_eq!(world.count("SELECT count(*) FROM events").await, 101);
    })
    .await;
}
