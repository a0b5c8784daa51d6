//! Test support: given past events, when a command, then events or a refusal.

use crate::Decider;
use std::fmt::Debug;

/// Starts a scenario from past events.
pub fn given<D: Decider>(past: impl IntoIterator<Item = D::Event>) -> Given<D> {
    Given(past.into_iter().fold(D::default(), |state, event| state.evolve(&event)))
}

/// A state reached by past events.
#[derive(Debug)]
pub struct Given<D>(pub D);

/// The outcome of a command.
#[derive(Debug)]
pub struct Outcome<E, R>(Result<Vec<E>, R>);

impl<D: Decider> Given<D> {
    /// Puts a command to the state.
    #[allow(clippy::needless_pass_by_value)]
    #[must_use]
    pub fn when(self, command: D::Command) -> Outcome<D::Event, D::Refusal> {
        Outcome(self.0.decide(&command))
    }
}

impl<E: Debug + PartialEq, R: Debug + PartialEq> Outcome<E, R> {
    /// Expects exactly these events.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = E>) {
        assert_eq!(self.0, Ok(expected.into_iter().collect()));
    }
    /// Expects no change.
    #[track_caller]
    pub fn then_nothing(self) {
        assert_eq!(self.0, Ok(vec![]));
    }
    /// Expects this refusal.
    #[track_caller]
    pub fn then_refused(self, expected: R) {
        assert_eq!(self.0, Err(expected));
    }
    /// Expects a refusal of which `holds` is true.
    #[track_caller]
    pub fn then_refused_with(self, holds: impl FnOnce(&R) -> bool) {
        assert!(matches!(&self.0, Err(refusal) if holds(refusal)), "{:?}", self.0);
    }
    /// Expects events of which `holds` is true.
    #[track_caller]
    pub fn then_events_with(self, holds: impl FnOnce(&[E]) -> bool) {
        assert!(matches!(&self.0, Ok(events) if holds(events)), "{:?}", self.0);
    }
}
