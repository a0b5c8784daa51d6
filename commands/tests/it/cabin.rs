//! A small decider for the tests: a cabin with so many seats, of which anyone may take the next.

use domain::{
    Decider, Named,
    upcast::{OldForm, Step},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub u32);
impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cabin-{}", self.0)
    }
}

#[derive(Debug, Clone)]
pub enum Command {
    Open { seats: u32 },
    Take { who: String },
    Leave { seat: u32 },
    Panic,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Opened { seats: u32 },
    Taken { seat: u32, who: String },
    Left { seat: u32 },
}

impl Named for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "opened",
            Self::Taken { .. } => "taken",
            Self::Left { .. } => "left",
        }
    }
    fn version(&self) -> u32 {
        match self {
            Self::Opened { .. } => 3,
            Self::Taken { .. } | Self::Left { .. } => 1,
        }
    }
}

/// The first cabins had four seats in each row.
#[derive(Deserialize)]
struct OpenedV1 {
    rows: u32,
}
impl OldForm<Event> for OpenedV1 {
    const EVENT_TYPE: &'static str = "opened";
    const VERSION: u32 = 1;
    fn upcast(self) -> Vec<Event> {
        OpenedV2 { rows: self.rows, abreast: 4 }.upcast()
    }
}

#[derive(Deserialize)]
struct OpenedV2 {
    rows: u32,
    abreast: u32,
}
impl OldForm<Event> for OpenedV2 {
    const EVENT_TYPE: &'static str = "opened";
    const VERSION: u32 = 2;
    fn upcast(self) -> Vec<Event> {
        vec![Event::Opened { seats: self.rows * self.abreast }]
    }
}

/// What is `taken` now had another name.
#[derive(Deserialize)]
struct SatV1 {
    seat: u32,
    who: String,
}
impl OldForm<Event> for SatV1 {
    const EVENT_TYPE: &'static str = "sat";
    const VERSION: u32 = 1;
    fn upcast(self) -> Vec<Event> {
        vec![Event::Taken { seat: self.seat, who: self.who }]
    }
}

/// One event once, two now.
#[derive(Deserialize)]
struct MovedV1 {
    from: u32,
    to: u32,
    who: String,
}
impl OldForm<Event> for MovedV1 {
    const EVENT_TYPE: &'static str = "moved";
    const VERSION: u32 = 1;
    fn upcast(self) -> Vec<Event> {
        vec![Event::Left { seat: self.from }, Event::Taken { seat: self.to, who: self.who }]
    }
}

/// Means nothing any more.
#[derive(Deserialize)]
struct DustedV1 {}
impl OldForm<Event> for DustedV1 {
    const EVENT_TYPE: &'static str = "dusted";
    const VERSION: u32 = 1;
    fn upcast(self) -> Vec<Event> {
        vec![]
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    #[error("all {seats} seats are taken")]
    Full { seats: u32 },
    #[error("nobody sits there")]
    Empty,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cabin {
    pub seats: Vec<Option<String>>,
}

impl Cabin {
    pub fn taken(&self) -> usize {
        self.seats.iter().flatten().count()
    }

    fn take(&self, who: &str) -> Result<Vec<Event>, Refusal> {
        if self.seats.iter().flatten().any(|other| other == who) {
            return Ok(vec![]);
        }
        match self.seats.iter().position(Option::is_none) {
            Some(seat) => Ok(vec![Event::Taken { seat: seat as u32, who: who.to_owned() }]),
            None => Err(Refusal::Full { seats: self.seats.len() as u32 }),
        }
    }
}

impl Decider for Cabin {
    type Id = Id;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    const NAME: &'static str = "cabin";
    const OLD_FORMS: &'static [Step<Event>] =
        &[Step::from::<OpenedV1>(), Step::from::<OpenedV2>(), Step::from::<SatV1>(), Step::from::<MovedV1>(), Step::from::<DustedV1>()];

    fn decide(&self, command: &Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Open { seats } => Ok(vec![Event::Opened { seats: *seats }]),
            Command::Take { who } => self.take(who),
            Command::Leave { seat } if self.seats.get(*seat as usize).is_some_and(Option::is_some) => Ok(vec![Event::Left { seat: *seat }]),
            Command::Leave { .. } => Err(Refusal::Empty),
            Command::Panic => panic!("a rule with a mistake, on purpose"),
        }
    }

    fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::Opened { seats } => self.seats.resize(*seats as usize, None),
            Event::Taken { seat, who, .. } => self.seats[*seat as usize] = Some(who.clone()),
            Event::Left { seat } => self.seats[*seat as usize] = None,
        }
        self
    }
}
