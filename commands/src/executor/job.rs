//! A command on its way through a shard, with its decider's types erased, so that one shard serves all kinds of streams.

use super::{
    RETRY_AFTER,
    snapshot::{BYTES_PER_EVENT, Snapshot},
};
use crate::{
    Ask, Done, Failure, StoreError, StreamVersion,
    guards::{Guard, Guards},
    store::{self, Entry, Key, NewEvent, Rows, Stored},
};
use domain::{Decider, Named};
use std::{
    any::Any,
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    time::Instant,
};

/// The largest stored event, in bytes: well below what the bus takes in one message.
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// A folded stream.
pub(super) trait Hot: Send {
    /// Applies the event after the last one.
    fn fold(&mut self, key: &Key, event: &Stored<'_>) -> Result<(), StoreError>;
    fn version(&self) -> u64;
    /// The same stream before its first event.
    fn fresh(&self) -> Box<dyn Hot>;
    /// The version of the form its state has in snapshots.
    fn state_version(&self) -> i32;
    /// Becomes what a snapshot says. On an error nothing of it counts any more.
    fn restore(&mut self, version: u64, state: &str) -> serde_json::Result<()>;
    /// Whether a snapshot says the same.
    fn same(&self, state: &str) -> bool;
    /// A snapshot, if the stream has grown by so many events since the last one, and by enough to be worth its size.
    fn snapshot(&mut self, key: &Key, every_events: u64) -> Option<Snapshot>;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

#[derive(Clone, Default)]
pub(super) struct HotState<D> {
    pub(super) state: D,
    pub(super) version: u64,
    /// The version of the last snapshot.
    snapshot: u64,
    /// The size of the last snapshot, once it is written.
    snapshot_bytes: Arc<AtomicU64>,
}

impl<D: Decider> Hot for HotState<D> {
    fn fold(&mut self, key: &Key, event: &Stored<'_>) -> Result<(), StoreError> {
        event.fold::<D>(|| key.to_string(), &mut self.version, &mut self.state)
    }
    fn version(&self) -> u64 {
        self.version
    }
    fn fresh(&self) -> Box<dyn Hot> {
        Box::new(Self::default())
    }
    fn state_version(&self) -> i32 {
        D::STATE_VERSION.try_into().unwrap_or(i32::MAX)
    }
    fn restore(&mut self, version: u64, state: &str) -> serde_json::Result<()> {
        let snapshot_bytes = Arc::new(AtomicU64::new(state.len() as u64));
        *self = Self { state: serde_json::from_str(state)?, version, snapshot: version, snapshot_bytes };
        Ok(())
    }
    fn same(&self, state: &str) -> bool {
        let stored = serde_json::from_str::<D>(state).and_then(serde_json::to_value);
        stored.is_ok_and(|stored| serde_json::to_value(&self.state).is_ok_and(|state| state == stored))
    }
    fn snapshot(&mut self, key: &Key, every_events: u64) -> Option<Snapshot> {
        let bytes = self.snapshot_bytes.load(Ordering::Relaxed);
        if self.version - self.snapshot < every_events.max(bytes / BYTES_PER_EVENT) {
            return None;
        }
        self.snapshot = self.version;
        let (state, snapshot_bytes) = (self.state.clone(), self.snapshot_bytes.clone());
        Some(Snapshot {
            key: key.clone(),
            version: self.version,
            state_version: self.state_version(),
            state: Box::new(move || {
                let state = serde_json::to_string(&state)?;
                snapshot_bytes.store(state.len() as u64, Ordering::Relaxed);
                Ok(state)
            }),
        })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Why a command gets no outcome.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// Not done; ask again later.
    Busy,
    /// Not done, or not known.
    Unavailable(String),
}

/// What a shard needs to know of any command.
pub(super) struct Frame {
    pub(super) key: Key,
    pub(super) ask: Ask,
    pub(super) deadline: Instant,
    pub(super) attempts: u32,
    /// Whether the command log may have its outcome already, so that it must be asked before deciding.
    pub(super) check: bool,
    /// Whether the command log was asked and knew nothing.
    pub(super) checked: bool,
    actor: Arc<str>,
    traceparent: Option<Arc<str>>,
    _room: OwnedSemaphorePermit,
}

pub(super) trait Job: Send {
    fn frame(&self) -> &Frame;
    fn frame_mut(&mut self) -> &mut Frame;
    /// The stream before its first event.
    fn fresh(&self) -> Box<dyn Hot>;
    /// Decides on `hot`, moves it on, writes what follows into `rows`, and keeps the answer until it is committed.
    fn decide(&mut self, hot: &mut dyn Hot, rows: &mut Rows) -> Result<(), Trouble>;
    /// Answers before anything is committed: only without [`crate::guards::Guard::AnswerAfterCommit`].
    fn answer_early(&mut self);
    /// Committed: answers.
    fn done(self: Box<Self>);
    /// Answers with the outcome of an earlier request.
    fn repeat(self: Box<Self>, entry: &Entry, guards: Guards);
    fn fail(self: Box<Self>, trouble: Trouble);
}

type Answer<D> = Result<Done<<D as Decider>::Event>, Failure<<D as Decider>::Refusal>>;

pub(super) struct Put<D: Decider> {
    frame: Frame,
    command: D::Command,
    decided: Option<Answer<D>>,
    reply: Option<oneshot::Sender<Answer<D>>>,
}

impl<D: Decider> Put<D> {
    pub(super) fn new(
        key: Key,
        command: D::Command,
        ask: Ask,
        deadline: Instant,
        room: OwnedSemaphorePermit,
        reply: oneshot::Sender<Answer<D>>,
    ) -> Self {
        let actor = ask.actor.to_string().into();
        let traceparent = ask.traceparent.as_deref().map(Into::into);
        let frame = Frame { key, ask, deadline, attempts: 0, check: false, checked: false, actor, traceparent, _room: room };
        Self { frame, command, decided: None, reply: Some(reply) }
    }

    fn at(&self, sequence: u64) -> StreamVersion {
        let Key { stream_type, stream_id } = &self.frame.key;
        StreamVersion { stream_type: (*stream_type).to_owned(), stream_id: stream_id.to_string(), sequence }
    }

    fn answer(&mut self, answer: Answer<D>) {
        if let Some(reply) = self.reply.take() {
            // Who asked may have gone; the outcome is in the log all the same.
            let _ = reply.send(answer);
        }
    }
}

impl<D: Decider> Job for Put<D> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn frame_mut(&mut self) -> &mut Frame {
        &mut self.frame
    }

    fn fresh(&self) -> Box<dyn Hot> {
        Box::new(HotState::<D>::default())
    }

    fn decide(&mut self, hot: &mut dyn Hot, rows: &mut Rows) -> Result<(), Trouble> {
        let unwritable = |error: serde_json::Error| Trouble::Unavailable(format!("cannot be stored: {error}"));
        let Some(hot) = hot.as_any_mut().downcast_mut::<HotState<D>>() else {
            return Err(Trouble::Unavailable(format!("two deciders are named {}", D::NAME)));
        };
        let Frame { key, ask, actor, traceparent, .. } = &self.frame;
        let before = hot.version;
        let answer = match hot.state.decide(&self.command) {
            Ok(events) => {
                // All are written out before the first changes anything.
                let payloads = events.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>().map_err(unwritable)?;
                if let Some(large) = payloads.iter().find(|payload| payload.len() > EVENT_BYTES_MAX) {
                    return Err(Trouble::Unavailable(format!("an event of {} bytes is too large", large.len())));
                }
                for (event, payload) in events.iter().zip(payloads) {
                    hot.version += 1;
                    rows.event(NewEvent {
                        stream: key,
                        sequence: hot.version,
                        event_type: event.name(),
                        event_version: event.version(),
                        payload,
                        command_id: ask.command_id,
                        correlation_id: ask.correlation_id,
                        causation_id: ask.causation_id,
                        actor,
                        traceparent: traceparent.as_ref(),
                    });
                    hot.state = std::mem::take(&mut hot.state).evolve(event);
                }
                rows.command(ask.command_id, ask.request_hash, key, before, hot.version, None);
                Ok(Done { events, at: self.at(hot.version), repeated: false })
            }
            Err(refusal) => {
                let stored = serde_json::to_string(&refusal).map_err(unwritable)?;
                rows.command(ask.command_id, ask.request_hash, key, before, before, Some(stored));
                Err(Failure::Refused(refusal))
            }
        };
        self.decided = Some(answer);
        Ok(())
    }

    fn answer_early(&mut self) {
        if let Some(answer) = self.decided.clone() {
            self.answer(answer);
        }
    }

    fn done(mut self: Box<Self>) {
        let answer = self.decided.take().unwrap_or_else(|| Err(Failure::Unavailable("not decided".to_owned())));
        self.answer(answer);
    }

    fn repeat(mut self: Box<Self>, entry: &Entry, guards: Guards) {
        let Frame { key, ask, .. } = &self.frame;
        let same_request = entry.request_hash == ask.request_hash || !guards.has(Guard::RequestHash);
        let same = same_request && entry.stream_type == key.stream_type && entry.stream_id == *key.stream_id;
        let unreadable = |error: String| Failure::Unavailable(format!("the recorded outcome cannot be read: {error}"));
        let answer = match &entry.refusal {
            _ if !same => Err(Failure::KeyReused),
            Some(refusal) => Err(serde_json::from_str(refusal).map_or_else(|error| unreadable(error.to_string()), Failure::Refused)),
            None => {
                let mut events = Vec::with_capacity(entry.events.len());
                let mut read = entry
                    .events
                    .iter()
                    .map(|(event_type, version, payload)| store::read::<D>(event_type, *version, payload, |event| events.push(event)));
                match read.find_map(Result::err) {
                    None => Ok(Done { events, at: self.at(entry.last_sequence), repeated: true }),
                    Some(error) => Err(unreadable(error.to_string())),
                }
            }
        };
        self.answer(answer);
    }

    fn fail(mut self: Box<Self>, trouble: Trouble) {
        self.answer(Err(match trouble {
            Trouble::Busy => Failure::Busy { retry_after: RETRY_AFTER },
            Trouble::Unavailable(why) => Failure::Unavailable(why),
        }));
    }
}

/// Someone who wants to see a stream.
pub(super) trait Looking: Send {
    /// Shows the stream if it is hot.
    fn see(&mut self, hot: Option<&dyn Hot>);
    /// What was seen is committed, or else was never so.
    fn tell(self: Box<Self>, committed: bool);
}

/// What is answered: the way to look at a stream, for one that was not seen, what was seen at which version, and the room that the look takes
/// until it is over.
type Seen<T, F> = (F, Option<(T, u64)>, OwnedSemaphorePermit);

pub(super) struct Look<D, T, F> {
    look: F,
    seen: Option<(T, u64)>,
    room: OwnedSemaphorePermit,
    reply: oneshot::Sender<Seen<T, F>>,
    of: PhantomData<fn(&D)>,
}

impl<D, T, F> Look<D, T, F> {
    pub(super) fn new(look: F, room: OwnedSemaphorePermit, reply: oneshot::Sender<Seen<T, F>>) -> Self {
        Self { look, seen: None, room, reply, of: PhantomData }
    }
}

impl<D: Decider, T: Send, F: Fn(&D) -> T + Send> Looking for Look<D, T, F> {
    fn see(&mut self, hot: Option<&dyn Hot>) {
        let hot = hot.and_then(|hot| hot.as_any().downcast_ref::<HotState<D>>());
        self.seen = hot.map(|hot| ((self.look)(&hot.state), hot.version));
    }
    fn tell(self: Box<Self>, committed: bool) {
        // Who asked may have gone.
        let _ = self.reply.send((self.look, self.seen.filter(|_| committed), self.room));
    }
}
