//! The rules of Astro Bookings, pure: no I/O, clock, randomness, async or logging.
//! Storing, publishing and showing what is decided here is left to the other crates.

pub mod actor;
pub mod booking;
pub mod customer;
pub mod fact;
pub mod id;
pub mod launch;
pub mod money;
pub mod passenger;
pub mod policy;
pub mod rocket;
pub mod sealed;
pub mod seat;
pub mod slug;
pub mod spaceport;
pub mod spec;
pub mod supplier;
pub mod text;
pub mod upcast;

pub use actor::Actor;
pub use fact::{AnyEvent, UnknownEvent};
pub use money::Money;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::{Debug, Display};

/// One consistency boundary: which events a command causes, and what an event changes.
pub trait Decider: Default + Debug + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Names one stream of this kind; its text is the stored stream id.
    type Id: Display + Debug + Clone + Eq + Send + Sync + 'static;
    /// What someone asks for. Cloned when it has to be decided again after a conflict.
    type Command: Debug + Clone + Send + Sync + 'static;
    /// What has happened. Stored forever: variants are added, never edited.
    type Event: Named + Debug + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// Why a command is refused. Stored with the command's id, so that asking again gives the same answer.
    type Refusal: std::error::Error + Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The stored stream type; renaming it orphans history.
    const NAME: &'static str;

    /// How events are read that were written in forms of the past; none while every form is the first.
    const OLD_FORMS: &'static [upcast::Step<Self::Event>] = &[];

    /// The version of the state as this type stores it and folds it, kept in snapshots. Raise it whenever the same events would add up to
    /// something else, or be written otherwise: snapshots of other versions are not looked at.
    const STATE_VERSION: u32 = 1;

    /// Says which events `command` causes (none when it is already so), or why it is refused.
    fn decide(&self, command: &Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Applies one recorded event. Never fails: it already happened.
    #[must_use]
    fn evolve(self, event: &Self::Event) -> Self;
}

/// The stored name and form of an event.
pub trait Named {
    /// The stored event type; never rename.
    fn name(&self) -> &'static str;
    /// The version of the stored form, from 1.
    fn version(&self) -> u32 {
        1
    }
}

/// A wish to be woken: the scheduler puts the command of `kind` for `subject` to the stream at `due_at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// What to do then; one word of the stream's own.
    pub kind: &'static str,
    /// Which thing in the stream, for instance a booking id; unique with stream, kind and `due_at`.
    pub subject: String,
    /// When, at the earliest.
    pub due_at: Timestamp,
}
