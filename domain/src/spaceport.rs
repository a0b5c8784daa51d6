//! A spaceport: where launches leave from, with its time zone and place on Earth.

use crate::{Decider, Named, id::SpaceportId, text::Line};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What is known of a spaceport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// As shown.
    pub name: Line,
    /// Town and country.
    pub location: Line,
    /// IANA time zone, such as `America/New_York`.
    pub zone: Line,
    /// Degrees north, negative in the south.
    pub latitude: f64,
    /// Degrees east, negative in the west.
    pub longitude: f64,
}

/// What may be asked of a spaceport.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Puts it on the map.
    Add {
        /// Where it is.
        place: Place,
        /// When.
        now: Timestamp,
    },
}

/// What has happened to a spaceport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// It is on the map.
    Added {
        /// Where it is.
        place: Place,
        /// When.
        at: Timestamp,
    },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
        }
    }
}

/// Why a spaceport refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "refusal", rename_all = "snake_case")]
pub enum Refusal {
    /// There is already one with this id and other details.
    #[error("the spaceport is already on the map")]
    AlreadyAdded,
    /// The coordinates are not on Earth.
    #[error("latitude is -90 to 90 and longitude -180 to 180 degrees")]
    NotOnEarth,
}

/// Where a spaceport stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum Spaceport {
    /// Not on the map.
    #[default]
    Unknown,
    /// On the map.
    Open {
        /// Where it is.
        place: Place,
    },
}

impl Decider for Spaceport {
    type Id = SpaceportId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "spaceport";

    fn decide(&self, Command::Add { place, now }: &Command) -> Result<Vec<Event>, Refusal> {
        if !(-90.0..=90.0).contains(&place.latitude) || !(-180.0..=180.0).contains(&place.longitude) {
            return Err(Refusal::NotOnEarth);
        }
        match self {
            Self::Unknown => Ok(vec![Event::Added { place: place.clone(), at: *now }]),
            Self::Open { place: known } if known == place => Ok(vec![]),
            Self::Open { .. } => Err(Refusal::AlreadyAdded),
        }
    }

    fn evolve(self, Event::Added { place, .. }: &Event) -> Self {
        Self::Open { place: place.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;
    fn place(latitude: f64, longitude: f64) -> Place {
        let line = |text: &str| Line::new(text).expect("a line");
        Place { name: line("Kourou"), location: line("French Guiana"), zone: line("America/Cayenne"), latitude, longitude }
    }
    fn add(latitude: f64, longitude: f64) -> Command {
        Command::Add { place: place(latitude, longitude), now: AT }
    }

    #[test]
    fn a_spaceport_is_added_once() {
        let added = Event::Added { place: place(5.2, -52.8), at: AT };
        given::<Spaceport>([]).when(add(5.2, -52.8)).then([added.clone()]);
        given::<Spaceport>([added.clone()]).when(add(5.2, -52.8)).then_nothing();
        given::<Spaceport>([added]).when(add(5.3, -52.8)).then_refused(Refusal::AlreadyAdded);
    }

    #[test]
    fn a_spaceport_is_on_earth() {
        for (latitude, longitude) in [(90.0, 180.0), (-90.0, -180.0)] {
            given::<Spaceport>([]).when(add(latitude, longitude)).then_events_with(|events| events.len() == 1);
        }
        for (latitude, longitude) in [(90.1, 0.0), (-90.1, 0.0), (0.0, 180.1), (0.0, -180.1), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            given::<Spaceport>([]).when(add(latitude, longitude)).then_refused(Refusal::NotOnEarth);
        }
    }
}
