//! A supplier (launch agency): who it is and how to reach it.

use crate::{Decider, Named, id::SupplierId, passenger::Email, text::Line};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of a supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// As registered.
    pub legal_name: Line,
    /// As shown.
    pub display_name: Line,
    /// One line about it, where given.
    pub description: Option<Line>,
    /// Where mail to the supplier goes; none means that none is sent.
    pub contact: Option<Email>,
    /// Country or state code.
    pub country: Line,
}

/// What may be asked of a supplier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens the account of a new supplier.
    Register {
        /// Who it is.
        profile: Profile,
        /// When.
        now: Timestamp,
    },
    /// Corrects the profile.
    Update {
        /// Who it is now.
        profile: Profile,
        /// When.
        now: Timestamp,
    },
}

/// What has happened to a supplier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The supplier exists.
    Registered {
        /// Who it is.
        profile: Profile,
        /// When.
        at: Timestamp,
    },
    /// The profile changed.
    Updated {
        /// Who it is now.
        profile: Profile,
        /// When.
        at: Timestamp,
    },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Registered { .. } => "registered",
            Self::Updated { .. } => "updated",
        }
    }
}

/// Why a supplier refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// There is already one with this id.
    #[error("the supplier is already registered")]
    AlreadyRegistered,
    /// There is none with this id.
    #[error("there is no such supplier")]
    Unknown,
}

/// Where a supplier stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Supplier {
    /// Not registered.
    #[default]
    Unknown,
    /// Registered.
    Active {
        /// Who it is.
        profile: Profile,
    },
}

impl Decider for Supplier {
    type Id = SupplierId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "supplier";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Unknown, Command::Register { profile, now }) => Ok(vec![Event::Registered { profile: profile.clone(), at: *now }]),
            (Self::Active { profile: known }, Command::Register { profile, .. }) if known == profile => Ok(vec![]),
            (Self::Active { .. }, Command::Register { .. }) => Err(Refusal::AlreadyRegistered),
            (Self::Unknown, Command::Update { .. }) => Err(Refusal::Unknown),
            (Self::Active { profile: known }, Command::Update { profile, .. }) if known == profile => Ok(vec![]),
            (Self::Active { .. }, Command::Update { profile, now }) => Ok(vec![Event::Updated { profile: profile.clone(), at: *now }]),
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match event {
            Event::Registered { profile, .. } | Event::Updated { profile, .. } => Self::Active { profile: profile.clone() },
        }
    }
}
