//! Any event of any stream, as readers of the whole log meet it.

use crate::{Decider, customer, launch, policy, rocket, slug, spaceport, supplier, upcast};

/// An event with the kind of stream it belongs to.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // one variant per kind of stream
pub enum AnyEvent {
    Supplier(supplier::Event),
    Spaceport(spaceport::Event),
    Rocket(rocket::Event),
    Slug(slug::Event),
    Launch(Box<launch::Event>),
    Customer(customer::Event),
    Policy(policy::Event),
}

/// The log holds what this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum UnknownEvent {
    /// No decider has this stream type.
    #[error("unknown stream type {0}")]
    StreamType(String),
    /// The payload is not an event of its stream type.
    #[error("unreadable {0} event")]
    Payload(String, #[source] serde_json::Error),
    /// An event of another name or version than this program writes, and no step leads here from it.
    #[error("no way to read {stream_type} event {event_type} of version {event_version}")]
    Form {
        /// The kind of stream.
        stream_type: String,
        /// The stored event type.
        event_type: String,
        /// The stored version.
        event_version: u32,
    },
}

impl AnyEvent {
    /// Reads a stored event in whatever form it was written. An old form may mean several events now, in order, or none; they stand or fall
    /// together, at the position of the one that is stored.
    pub fn read(stream_type: &str, event_type: &str, event_version: u32, payload: &str) -> Result<Vec<Self>, UnknownEvent> {
        fn all<D: Decider>(
            event_type: &str,
            event_version: u32,
            payload: &str,
            any: impl Fn(D::Event) -> AnyEvent,
        ) -> Result<Vec<AnyEvent>, UnknownEvent> {
            let mut events = Vec::with_capacity(1);
            upcast::each::<D>(event_type, event_version, payload, |event| events.push(any(event)))?;
            Ok(events)
        }
        match stream_type {
            supplier::Supplier::NAME => all::<supplier::Supplier>(event_type, event_version, payload, Self::Supplier),
            spaceport::Spaceport::NAME => all::<spaceport::Spaceport>(event_type, event_version, payload, Self::Spaceport),
            rocket::Rocket::NAME => all::<rocket::Rocket>(event_type, event_version, payload, Self::Rocket),
            slug::SlugClaim::NAME => all::<slug::SlugClaim>(event_type, event_version, payload, Self::Slug),
            launch::Launch::NAME => all::<launch::Launch>(event_type, event_version, payload, |event| Self::Launch(Box::new(event))),
            customer::Customer::NAME => all::<customer::Customer>(event_type, event_version, payload, Self::Customer),
            policy::Policy::NAME => all::<policy::Policy>(event_type, event_version, payload, Self::Policy),
            other => Err(UnknownEvent::StreamType(other.to_owned())),
        }
    }
}
