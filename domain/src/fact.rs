//! Any event of any stream, as readers of the whole log meet it.

use crate::{Decider, customer, launch, policy, rocket, slug, spaceport, supplier};

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
}

impl AnyEvent {
    /// Reads a stored payload.
    pub fn parse(stream_type: &str, payload: &str) -> Result<Self, UnknownEvent> {
        let unreadable = |error| UnknownEvent::Payload(stream_type.to_owned(), error);
        match stream_type {
            supplier::Supplier::NAME => serde_json::from_str(payload).map(Self::Supplier).map_err(unreadable),
            spaceport::Spaceport::NAME => serde_json::from_str(payload).map(Self::Spaceport).map_err(unreadable),
            rocket::Rocket::NAME => serde_json::from_str(payload).map(Self::Rocket).map_err(unreadable),
            slug::SlugClaim::NAME => serde_json::from_str(payload).map(Self::Slug).map_err(unreadable),
            launch::Launch::NAME => serde_json::from_str(payload).map(Self::Launch).map_err(unreadable),
            customer::Customer::NAME => serde_json::from_str(payload).map(Self::Customer).map_err(unreadable),
            policy::Policy::NAME => serde_json::from_str(payload).map(Self::Policy).map_err(unreadable),
            other => Err(UnknownEvent::StreamType(other.to_owned())),
        }
    }
}
