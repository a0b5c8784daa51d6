//! A stream that nobody asks for does not stay in memory, nor one too many, and nothing depends on whether it did.

use crate::{
    cabin::{self, Cabin, Command, Event, Id, Refusal},
    world::{ask, take, until, world},
};
use commands::{Failure, Limits};
use domain::Decider;
use serde::{Deserialize, Serialize};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// How many states of [`Counted`] are in memory, for each of the tests.
static STATES: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

fn states<const TEST: usize>() -> usize {
    STATES[TEST].load(Ordering::SeqCst)
}

#[derive(Debug)]
struct Counter<const TEST: usize>;

impl<const TEST: usize> Counter<TEST> {
    fn new() -> Self {
        STATES[TEST].fetch_add(1, Ordering::SeqCst);
        Self
    }
}
impl<const TEST: usize> Default for Counter<TEST> {
    fn default() -> Self {
        Self::new()
    }
}
impl<const TEST: usize> Clone for Counter<TEST> {
    fn clone(&self) -> Self {
        Self::new()
    }
}
impl<const TEST: usize> Drop for Counter<TEST> {
    fn drop(&mut self) {
        STATES[TEST].fetch_sub(1, Ordering::SeqCst);
    }
}

/// A cabin whose states are counted as they come and go.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counted<const TEST: usize> {
    cabin: Cabin,
    #[serde(skip)]
    _counter: Counter<TEST>,
}

impl<const TEST: usize> Decider for Counted<TEST> {
    type Id = Id;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "counted";

    fn decide(&self, command: &cabin::Command) -> Result<Vec<Event>, Refusal> {
        self.cabin.decide(command)
    }
    fn evolve(mut self, event: &Event) -> Self {
        self.cabin = self.cabin.evolve(event);
        self
    }
}

/// Has `b` sit in the store where `a` sits in memory.
const B_FOR_A: &str = "UPDATE events SET payload = replace(payload::text, '\"a\"', '\"b\"')::json WHERE event_type = 'taken'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_stream_leaves_memory_and_is_read_again_for_the_next_command() {
    world(async |world| {
        let limits = Limits { shards: 1, sweep_every: Duration::from_millis(5), ..Limits::default() };
        let (kept, dropped) = (Id(1), Id(2));
        let keeping = world.executor_with(limits.clone());
        let dropping = world.executor_with(Limits { idle_after: Duration::from_millis(50), ..limits });
        for (executor, id) in [(&keeping, kept), (&dropping, dropped)] {
            executor.execute::<Counted<0>>(&id, Command::Open { seats: 2 }, &ask()).await.unwrap();
            executor.execute::<Counted<0>>(&id, take("a"), &ask()).await.unwrap();
        }
        until("the idle stream is dropped", async || states::<0>() == 1).await;

        // Which of them is read again shows when the store says something else than the memory.
        world.tamper(B_FOR_A).await;
        let again = dropping.execute::<Counted<0>>(&dropped, take("b"), &ask()).await.unwrap();
        assert_eq!((again.events, again.at.sequence), (vec![], 2), "it sits there already, as the store says");
        let hot = keeping.execute::<Counted<0>>(&kept, take("b"), &ask()).await.unwrap();
        assert_eq!(hot.events, [Event::Taken { seat: 1, who: "b".to_owned() }], "what is not idle is still in memory");

        let next = dropping.execute::<Counted<0>>(&dropped, take("c"), &ask()).await.unwrap();
        assert_eq!((next.events, next.at.sequence), (vec![Event::Taken { seat: 1, who: "c".to_owned() }], 3));
        until("it is dropped again", async || states::<0>() == 1).await;
        let refused = dropping.execute::<Counted<0>>(&dropped, take("d"), &ask()).await;
        assert_eq!(refused, Err(Failure::Refused(Refusal::Full { seats: 2 })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_too_many_streams_the_longest_unused_leaves_memory() {
    world(async |world| {
        let executor =
            world.executor_with(Limits { shards: 1, hot_streams: 2, sweep_every: Duration::from_millis(5), ..Limits::default() });
        for id in [Id(1), Id(2)] {
            executor.execute::<Counted<1>>(&id, Command::Open { seats: 3 }, &ask()).await.unwrap();
            executor.execute::<Counted<1>>(&id, take("a"), &ask()).await.unwrap();
        }
        executor.execute::<Counted<1>>(&Id(1), take("c"), &ask()).await.unwrap();
        assert_eq!(states::<1>(), 2);
        executor.execute::<Counted<1>>(&Id(3), Command::Open { seats: 3 }, &ask()).await.unwrap();
        until("one of the three is dropped", async || states::<1>() == 2).await;

        world.tamper(B_FOR_A).await;
        let used = executor.execute::<Counted<1>>(&Id(1), take("b"), &ask()).await.unwrap();
        assert_eq!(used.events.len(), 1, "in memory nobody of this name sits there");
        let unused = executor.execute::<Counted<1>>(&Id(2), take("b"), &ask()).await.unwrap();
        assert_eq!(unused.events, [], "it was read again");
    })
    .await;
}
