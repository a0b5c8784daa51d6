//! A stream that nobody asks for does not stay in memory, and nothing depends on whether it did.

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

/// How many states of [`Counted`] are in memory.
static STATES: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct Counter;

impl Counter {
    fn new() -> Self {
        STATES.fetch_add(1, Ordering::SeqCst);
        Self
    }
}
impl Default for Counter {
    fn default() -> Self {
        Self::new()
    }
}
impl Clone for Counter {
    fn clone(&self) -> Self {
        Self::new()
    }
}
impl Drop for Counter {
    fn drop(&mut self) {
        STATES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A cabin whose states are counted as they come and go.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counted {
    cabin: Cabin,
    #[serde(skip)]
    _counter: Counter,
}

impl Decider for Counted {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_stream_leaves_memory_and_is_read_again_for_the_next_command() {
    world(async |world| {
        let limits = Limits { shards: 1, sweep_every: Duration::from_millis(5), ..Limits::default() };
        let (kept, dropped) = (Id(1), Id(2));
        let keeping = world.executor_with(limits.clone());
        let dropping = world.executor_with(Limits { idle_after: Duration::from_millis(50), ..limits });
        for (executor, id) in [(&keeping, kept), (&dropping, dropped)] {
            executor.execute::<Counted>(&id, Command::Open { seats: 2 }, &ask()).await.unwrap();
            executor.execute::<Counted>(&id, take("a"), &ask()).await.unwrap();
        }
        until("the idle stream is dropped", async || STATES.load(Ordering::SeqCst) == 1).await;

        // Which of them is read again shows when the store says something else than the memory: `b` has the seat there.
        world.tamper("UPDATE events SET payload = replace(payload::text, '\"a\"', '\"b\"')::json WHERE event_type = 'taken'").await;
        let again = dropping.execute::<Counted>(&dropped, take("b"), &ask()).await.unwrap();
        assert_eq!((again.events, again.at.sequence), (vec![], 2), "it sits there already, as the store says");
        let hot = keeping.execute::<Counted>(&kept, take("b"), &ask()).await.unwrap();
        assert_eq!(hot.events, [Event::Taken { seat: 1, who: "b".to_owned(), until: None }], "what is not idle is still in memory");

        let next = dropping.execute::<Counted>(&dropped, take("c"), &ask()).await.unwrap();
        assert_eq!((next.events, next.at.sequence), (vec![Event::Taken { seat: 1, who: "c".to_owned(), until: None }], 3));
        until("it is dropped again", async || STATES.load(Ordering::SeqCst) == 1).await;
        let refused = dropping.execute::<Counted>(&dropped, take("d"), &ask()).await;
        assert_eq!(refused, Err(Failure::Refused(Refusal::Full { seats: 2 })));
    })
    .await;
}
