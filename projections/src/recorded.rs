//! An event of the log as folds meet it: where it stands, and what happened. Reading it as shown is left to the views.

use domain::AnyEvent;
use nats::Envelope;

/// A recorded event.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Where it stands in the log and who caused it.
    pub envelope: Envelope,
    /// What happened.
    pub event: AnyEvent,
}

/// An event this program cannot read; its stream is set aside.
#[derive(Debug)]
pub struct Unreadable {
    /// The event.
    pub envelope: Envelope,
    /// Why not, without any of its contents.
    pub why: String,
}

impl Recorded {
    /// Reads a stored event.
    pub fn read(envelope: Envelope) -> Result<Self, Box<Unreadable>> {
        match AnyEvent::parse(&envelope.stream_type, envelope.payload.get()) {
            Ok(event) => Ok(Self { envelope, event }),
            // The source may quote the payload, which may hold personal data.
            Err(error) => Err(Box::new(Unreadable { envelope, why: error.to_string() })),
        }
    }

    /// Its place in the log.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.envelope.position
    }

    /// Its stream's id.
    #[must_use]
    pub fn stream_id(&self) -> &str {
        &self.envelope.stream_id
    }
}
