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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    fn profile(name: &str) -> Profile {
        let line = |text: &str| Line::new(text).expect("a line");
        Profile { legal_name: line(name), display_name: line(name), description: None, contact: None, country: line("US") }
    }
    fn registered() -> Event {
        Event::Registered { profile: profile("Starway"), at: AT }
    }

    #[test]
    fn a_supplier_registers_once() {
        let register = |name| Command::Register { profile: profile(name), now: AT };
        given::<Supplier>([]).when(register("Starway")).then([registered()]);
        given::<Supplier>([registered()]).when(register("Starway")).then_nothing();
        given::<Supplier>([registered()]).when(register("Other")).then_refused(Refusal::AlreadyRegistered);
    }

    #[test]
    fn a_supplier_corrects_its_profile() {
        let update = |name| Command::Update { profile: profile(name), now: AT };
        given::<Supplier>([]).when(update("Starway")).then_refused(Refusal::Unknown);
        given::<Supplier>([registered()]).when(update("Starway")).then_nothing();
        let updated = Event::Updated { profile: profile("Starway II"), at: AT };
        given::<Supplier>([registered()]).when(update("Starway II")).then([updated.clone()]);
        given::<Supplier>([registered(), updated]).when(update("Starway II")).then_nothing();
    }
}
