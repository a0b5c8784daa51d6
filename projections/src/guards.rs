//! What keeps the views right whatever happens, each with a switch, so that tests can show what it is there for. Only a debug build can
//! turn one off.

use crate::store::{Store, StoreFault};
use nats::Envelope;
use std::{fmt, sync::Arc};

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
}

impl Default for Guards {
    fn default() -> Self {
        Self { newer_only: true, fence: true, once: true, positions_last: true, holes: true }
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
}

/// Turns one store into another, which fails in between.
type Wrap = Arc<dyn Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync>;
/// Turns what was delivered into what a broken bus would deliver.
type Deliver = Arc<dyn Fn(Vec<Envelope>) -> Vec<Envelope> + Send + Sync>;

/// Whether a write fails between its documents and its positions.
type Break = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a test does to a projector. Nothing, unless a debug build says so.
#[doc(hidden)]
#[derive(Clone, Default)]
pub struct Trial {
    pub(crate) guards: Guards,
    pub(crate) store: Option<Wrap>,
    pub(crate) deliver: Option<Deliver>,
    pub(crate) between: Option<Break>,
}

impl Trial {
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
}
