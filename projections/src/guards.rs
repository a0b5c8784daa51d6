//! What keeps the views right whatever happens, each with a switch, so that tests can show what it is there for. Only a debug build can
//! turn one off, or end a projector or a rebuild at one of its steps as a crash would.

use crate::store::{Store, StoreFault};
use nats::Envelope;
use std::{fmt, sync::Arc};
#[cfg(debug_assertions)]
use std::{
    panic::resume_unwind,
    sync::atomic::{AtomicU32, Ordering},
};

/// The guards. All are on.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// A document is written only by a newer event.
    pub(crate) newer_only: bool,
    /// Nothing is written for an epoch that is over.
    pub(crate) fence: bool,
    /// An event is folded into a document only once.
    pub(crate) once: bool,
    /// How far a view is, is written after its documents.
    pub(crate) positions_last: bool,
    /// Events that do not follow on each other are read again.
    pub(crate) holes: bool,
    /// A batch is written only behind the one before it.
    pub(crate) in_turn: bool,
    /// A read waits for what its reader has done.
    pub(crate) wait: bool,
    /// A version that is behind the one in use does not replace it.
    pub(crate) behind: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self { newer_only: true, fence: true, once: true, positions_last: true, holes: true, in_turn: true, wait: true, behind: true }
    }
}

#[cfg(debug_assertions)]
#[allow(missing_docs)]
impl Guards {
    #[must_use]
    pub fn without_newer_only(self) -> Self {
        Self { newer_only: false, ..self }
    }
    #[must_use]
    pub fn without_fence(self) -> Self {
        Self { fence: false, ..self }
    }
    #[must_use]
    pub fn without_once(self) -> Self {
        Self { once: false, ..self }
    }
    #[must_use]
    pub fn without_positions_last(self) -> Self {
        Self { positions_last: false, ..self }
    }
    #[must_use]
    pub fn without_holes(self) -> Self {
        Self { holes: false, ..self }
    }
    #[must_use]
    pub fn without_in_turn(self) -> Self {
        Self { in_turn: false, ..self }
    }
    #[must_use]
    pub fn without_wait(self) -> Self {
        Self { wait: false, ..self }
    }
    #[must_use]
    pub fn without_behind(self) -> Self {
        Self { behind: false, ..self }
    }
}

/// Turns one store into another, which fails in between.
type Wrap = Arc<dyn Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync>;
/// Turns what was delivered into what a broken bus would deliver.
type Deliver = Arc<dyn Fn(Vec<Envelope>) -> Vec<Envelope> + Send + Sync>;

/// Whether a write fails between its documents and its positions.
type Break = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where a projector or a rebuild may end, each right behind what it names.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The projector has opened the views where they stand.
    Opened,
    /// A batch is folded; nothing of it is written.
    Folded,
    /// Which streams are set aside is written (in Postgres not committed); in MongoDB no document of the batch is.
    SetAside,
    /// Documents are written; how far they are is not (in Postgres nothing is committed).
    DocumentsWritten,
    /// All of a batch is written; nobody is told.
    Written,
    /// Readers of the process are told; nothing is announced on the bus.
    Told,
    /// A stream that was set aside is folded again; nothing of it is written.
    Replayed,
    /// It is written, too.
    TakenUp,
    /// A rebuild has made an empty version.
    VersionMade,
    /// The version is filled from the log.
    VersionFilled,
    /// It is compared with the one in use.
    VersionCompared,
    /// It is in use; nobody has heard of that.
    Switched,
    /// Everyone has; the oldest version is still there.
    SwitchHeard,
}

impl Step {
    /// The steps of a projector.
    pub const OF_PROJECTOR: [Self; 8] =
        [Self::Opened, Self::Folded, Self::SetAside, Self::DocumentsWritten, Self::Written, Self::Told, Self::Replayed, Self::TakenUp];
    /// The steps of a rebuild.
    pub const OF_REBUILD: [Self; 5] = [Self::VersionMade, Self::VersionFilled, Self::VersionCompared, Self::Switched, Self::SwitchHeard];
}

/// What a test does to a projector. Nothing, unless a debug build says so.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct Trial {
    pub(crate) guards: Guards,
    pub(crate) store: Option<Wrap>,
    pub(crate) deliver: Option<Deliver>,
    pub(crate) between: Option<Break>,
    /// The step it ends at, and how often it still comes there.
    #[cfg(debug_assertions)]
    ending: Option<(Step, Arc<AtomicU32>)>,
}

impl Trial {
    /// Whether a test does anything.
    #[cfg(debug_assertions)]
    pub(crate) fn is_on(&self) -> bool {
        self.ending.is_some() || self.between.is_some() || self.guards != Guards::default()
    }
    #[cfg(not(debug_assertions))]
    pub(crate) fn is_on(&self) -> bool {
        false
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

    /// Fails if a test says so; stands where a process may end within a write.
    pub(crate) fn between(&self) -> Result<(), StoreFault> {
        if self.between.as_ref().is_some_and(|fails| fails()) {
            return Err(StoreFault::Refused("what comes next, as a test asked".to_owned()));
        }
        Ok(())
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial").field("guards", &self.guards).finish_non_exhaustive()
    }
}

#[cfg(debug_assertions)]
#[allow(missing_docs)]
impl Trial {
    #[must_use]
    pub fn guards(self, guards: Guards) -> Self {
        Self { guards, ..self }
    }
    #[must_use]
    pub fn store(self, wrap: impl Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync + 'static) -> Self {
        Self { store: Some(Arc::new(wrap)), ..self }
    }
    #[must_use]
    pub fn deliver(self, deliver: impl Fn(Vec<Envelope>) -> Vec<Envelope> + Send + Sync + 'static) -> Self {
        Self { deliver: Some(Arc::new(deliver)), ..self }
    }
    #[must_use]
    pub fn fail_between(self, fails: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { between: Some(Arc::new(fails)), ..self }
    }
    /// Ends the task when it comes to `step` for the `nth` time, without another word. Whoever joins it gets the step.
    #[must_use]
    pub fn ending_at(self, step: Step, nth: u32) -> Self {
        Self { ending: Some((step, Arc::new(AtomicU32::new(nth)))), ..self }
    }
    pub(crate) fn ends_at(&self, step: Step) -> bool {
        self.ending.as_ref().is_some_and(|(end, _)| *end == step)
    }
}
