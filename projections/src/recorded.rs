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

impl Recorded {
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

/// A stored event as this program understands it. Its parts are folded together, all or none.
#[derive(Debug)]
pub(crate) enum Read {
    /// The usual case: it means one event.
    One(Recorded),
    /// An old form that means several events, or none.
    Many(Envelope, Vec<Recorded>),
    /// It cannot be read, and why, without any of its contents; its stream is set aside.
    Unreadable(Envelope, String),
}

impl Read {
    /// Reads a stored event.
    pub(crate) fn new(envelope: Envelope) -> Self {
        match AnyEvent::read(&envelope.stream_type, &envelope.event_type, envelope.event_version, envelope.payload.get()) {
            Ok(mut events) => match (events.pop(), events.is_empty()) {
                (Some(event), true) => Self::One(Recorded { envelope, event }),
                (last, _) => {
                    let parts = events.into_iter().chain(last).map(|event| Recorded { envelope: envelope.clone(), event }).collect();
                    Self::Many(envelope, parts)
                }
            },
            // The source may quote the payload, which may hold personal data.
            Err(error) => Self::Unreadable(envelope, error.to_string()),
        }
    }

    /// Where it stands.
    pub(crate) fn envelope(&self) -> &Envelope {
        match self {
            Self::One(recorded) => &recorded.envelope,
            Self::Many(envelope, _) | Self::Unreadable(envelope, _) => envelope,
        }
    }

    /// What it means now, in order; nothing when it cannot be read.
    pub(crate) fn parts(&self) -> &[Recorded] {
        match self {
            Self::One(recorded) => std::slice::from_ref(recorded),
            Self::Many(_, parts) => parts,
            Self::Unreadable(..) => &[],
        }
    }
}
