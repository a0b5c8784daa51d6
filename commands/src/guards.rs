//! The guards that keep the log right, and a way for tests to take one away: a test of a guard proves something only if it fails without
//! it. Likewise a test may end the sequencer at any of its steps, as a crash would. A release build has no such ways.

#[cfg(debug_assertions)]
use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

/// What one guard holds off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// An append whose stream has moved on is refused. Without: it goes behind whatever is there.
    VersionCheck,
    /// The same command id does once. Without: every request is a new command.
    CommandLog,
    /// A command id is for one request. Without: another one under it gets the answer of the first.
    RequestHash,
    /// Nobody is answered before the commit. Without: at once.
    AnswerAfterCommit,
    /// A refusal counts only if nobody else has written meanwhile. Without: always.
    RefusalRecheck,
    /// Only settled transactions get positions. Without: whatever is visible behind the last id.
    SettledTail,
    /// One whose lease was taken writes no more. Without: it goes on.
    Fencing,
    /// A stream with a hole stops the log. Without: it goes on behind the hole.
    Contiguity,
    /// A stream on the bus that ends otherwise than the log is made anew. Without: it is filled up from where it ends.
    OwnStream,
}

/// The guards in force: all of them, except in a test.
#[derive(Debug, Clone, Copy, Default)]
pub struct Guards {
    off: Option<Guard>,
}

impl Guards {
    /// All but one: for the test that proves that one.
    #[cfg(debug_assertions)]
    #[must_use]
    pub const fn without(guard: Guard) -> Self {
        Self { off: Some(guard) }
    }

    pub(crate) fn has(self, guard: Guard) -> bool {
        !cfg!(debug_assertions) || self.off != Some(guard)
    }
}

/// Where the sequencer and its relay may end, each right behind what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The lease is taken; nothing is done with it yet.
    LeaseTaken,
    /// Events are chosen; their positions are not written.
    EventsChosen,
    /// Positions are written; the relay is not told.
    PositionsWritten,
    /// The stream on the bus is made; nothing is in it.
    StreamMade,
    /// One half of a batch is published.
    HalfPublished,
    /// A batch is published; the relay does not know it yet.
    Published,
    /// The relay knows how far it is.
    PublishedNoted,
}

impl Step {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 7] = [
        Self::LeaseTaken,
        Self::EventsChosen,
        Self::PositionsWritten,
        Self::StreamMade,
        Self::HalfPublished,
        Self::Published,
        Self::PublishedNoted,
    ];
}

/// What a test does to a sequencer: nothing, unless a debug build says so.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    pub(crate) guards: Guards,
    /// The step it ends at, and how often it still comes there.
    #[cfg(debug_assertions)]
    ending: Option<(Step, Arc<AtomicU32>)>,
}

impl From<Guards> for Trial {
    fn from(guards: Guards) -> Self {
        Self { guards, ..Self::default() }
    }
}

impl Trial {
    /// Ends the task when it comes to `step` for the `nth` time, without another word. Whoever joins it gets the step.
    #[cfg(debug_assertions)]
    #[must_use]
    pub fn ending_at(step: Step, nth: u32) -> Self {
        Self { ending: Some((step, Arc::new(AtomicU32::new(nth)))), ..Self::default() }
    }

    /// Whether this is where it shall end, sooner or later.
    #[cfg(debug_assertions)]
    pub(crate) fn ends_at(&self, step: Step) -> bool {
        self.ending.as_ref().is_some_and(|(end, _)| *end == step)
    }

    /// Says that `step` is reached.
    #[cfg(debug_assertions)]
    pub(crate) fn reach(&self, step: Step) {
        if let Some((end, left)) = &self.ending
            && *end == step
            && left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            resume_unwind(Box::new(step));
        }
    }

    #[cfg(not(debug_assertions))]
    #[inline]
    pub(crate) fn reach(&self, _: Step) {}
}
