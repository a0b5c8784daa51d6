//! A rocket: whose it is, how far it goes and what its cabin is.

use crate::{
    Decider, Named,
    id::{RocketId, SupplierId},
    seat::Cabin,
    text::Line,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where a launch goes, nearest first; also how far a rocket reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Destination {
    /// Above 100 km and back.
    Suborbital,
    /// Low Earth orbit.
    LowEarth,
    /// A space station.
    Station,
    /// Around the Moon.
    Moon,
    /// Mars.
    Mars,
}

impl Destination {
    /// Every destination, nearest first.
    pub const ALL: [Self; 5] = [Self::Suborbital, Self::LowEarth, Self::Station, Self::Moon, Self::Mars];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suborbital => "suborbital",
            Self::LowEarth => "low_earth",
            Self::Station => "station",
            Self::Moon => "moon",
            Self::Mars => "mars",
        }
    }
    /// As shown.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Suborbital => "Suborbital",
            Self::LowEarth => "Low Earth Orbit",
            Self::Station => "Station",
            Self::Moon => "Moon",
            Self::Mars => "Mars",
        }
    }
}

/// What is known of a rocket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// As shown.
    pub name: Line,
    /// The model, where it differs from the name.
    pub model: Option<Line>,
    /// The farthest destination it reaches.
    pub range: Destination,
    /// Its seats.
    pub cabin: Cabin,
}

/// What may be asked of a rocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Brings it into service.
    Add {
        /// Whose.
        supplier: SupplierId,
        /// What it is.
        build: Build,
        /// When.
        now: Timestamp,
    },
    /// Corrects what is known of it; launches already scheduled keep their cabin.
    Update {
        /// What it is now.
        build: Build,
        /// When.
        now: Timestamp,
    },
    /// Takes it out of service.
    Retire {
        /// When.
        now: Timestamp,
    },
}

/// What has happened to a rocket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// In service.
    Added {
        /// Whose.
        supplier: SupplierId,
        /// What it is.
        build: Build,
        /// When.
        at: Timestamp,
    },
    /// Corrected.
    Updated {
        /// What it is now.
        build: Build,
        /// When.
        at: Timestamp,
    },
    /// Out of service.
    Retired {
        /// When.
        at: Timestamp,
    },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::Updated { .. } => "updated",
            Self::Retired { .. } => "retired",
        }
    }
}

/// Why a rocket refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// There is already one with this id.
    #[error("the rocket is already in service")]
    AlreadyAdded,
    /// There is none with this id.
    #[error("there is no such rocket")]
    Unknown,
    /// It is out of service.
    #[error("the rocket is retired")]
    Retired,
}

/// Where a rocket stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rocket {
    /// Not in service yet.
    #[default]
    Unknown,
    /// In service.
    Active {
        /// Whose.
        supplier: SupplierId,
        /// What it is.
        build: Build,
    },
    /// Out of service.
    Retired {
        /// Whose it was.
        supplier: SupplierId,
        /// What it was.
        build: Build,
    },
}

impl Decider for Rocket {
    type Id = RocketId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "rocket";

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match (self, command) {
            (Self::Unknown, Command::Add { supplier, build, now }) => {
                Ok(vec![Event::Added { supplier: *supplier, build: build.clone(), at: *now }])
            }
            (Self::Active { supplier: owner, build: known }, Command::Add { supplier, build, .. })
                if (owner, known) == (supplier, build) =>
            {
                Ok(vec![])
            }
            (Self::Active { .. } | Self::Retired { .. }, Command::Add { .. }) => Err(Refusal::AlreadyAdded),
            (Self::Active { build: known, .. }, Command::Update { build, .. }) if known == build => Ok(vec![]),
            (Self::Active { .. }, Command::Update { build, now }) => Ok(vec![Event::Updated { build: build.clone(), at: *now }]),
            (Self::Active { .. }, Command::Retire { now }) => Ok(vec![Event::Retired { at: *now }]),
            (Self::Retired { .. }, Command::Retire { .. }) => Ok(vec![]),
            (Self::Retired { .. }, Command::Update { .. }) => Err(Refusal::Retired),
            (Self::Unknown, Command::Update { .. } | Command::Retire { .. }) => Err(Refusal::Unknown),
        }
    }

    fn evolve(self, event: &Event) -> Self {
        match (self, event) {
            (_, Event::Added { supplier, build, .. }) => Self::Active { supplier: *supplier, build: build.clone() },
            (Self::Active { supplier, .. }, Event::Updated { build, .. }) => Self::Active { supplier, build: build.clone() },
            (Self::Active { supplier, build }, Event::Retired { .. }) => Self::Retired { supplier, build },
            (other @ (Self::Unknown | Self::Retired { .. }), Event::Updated { .. } | Event::Retired { .. }) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    #[test]
    fn destinations_are_ordered_by_distance_and_stored_by_word() {
        assert!(Destination::ALL.is_sorted());
        for destination in Destination::ALL {
            assert_eq!(serde_json::to_value(destination).expect("a word"), destination.as_str());
        }
    }

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    fn supplier(n: u128) -> SupplierId {
        SupplierId(uuid::Uuid::from_u128(n))
    }
    fn build(rows: u8) -> Build {
        Build {
            name: Line::new("Atlas V 551").expect("a line"),
            model: None,
            range: Destination::Station,
            cabin: Cabin::new(rows, 4, std::collections::BTreeSet::new()).expect("a cabin"),
        }
    }
    fn add(n: u128, rows: u8) -> Command {
        Command::Add { supplier: supplier(n), build: build(rows), now: AT }
    }
    fn added() -> Event {
        Event::Added { supplier: supplier(1), build: build(6), at: AT }
    }
    fn retired() -> Event {
        Event::Retired { at: AT }
    }

    #[test]
    fn a_rocket_is_added_once() {
        given::<Rocket>([]).when(add(1, 6)).then([added()]);
        given::<Rocket>([added()]).when(add(1, 6)).then_nothing();
        given::<Rocket>([added()]).when(add(1, 5)).then_refused(Refusal::AlreadyAdded);
        given::<Rocket>([added()]).when(add(2, 6)).then_refused(Refusal::AlreadyAdded);
        given::<Rocket>([added(), retired()]).when(add(1, 6)).then_refused(Refusal::AlreadyAdded);
    }

    #[test]
    fn a_rocket_is_updated_while_in_service() {
        let update = |rows| Command::Update { build: build(rows), now: AT };
        given::<Rocket>([]).when(update(5)).then_refused(Refusal::Unknown);
        given::<Rocket>([added()]).when(update(6)).then_nothing();
        given::<Rocket>([added()]).when(update(5)).then([Event::Updated { build: build(5), at: AT }]);
        given::<Rocket>([added(), retired()]).when(update(5)).then_refused(Refusal::Retired);
        let updated = given::<Rocket>([added(), Event::Updated { build: build(5), at: AT }]).0;
        assert_eq!(updated, Rocket::Active { supplier: supplier(1), build: build(5) });
    }

    #[test]
    fn a_rocket_retires_once() {
        let retire = || Command::Retire { now: AT };
        given::<Rocket>([]).when(retire()).then_refused(Refusal::Unknown);
        given::<Rocket>([added()]).when(retire()).then([retired()]);
        given::<Rocket>([added(), retired()]).when(retire()).then_nothing();
    }
}
