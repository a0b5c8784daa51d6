//! Who asks for a command, under which id, and because of what. What is asked is the domain's.

use domain::Actor;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The frame of one command: the same `command_id` with the same `request_hash` gets the same answer for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Chosen by who asks, so that asking twice does once.
    pub command_id: Uuid,
    /// A digest of what was asked, to tell a repeat from a key used twice.
    pub request_hash: [u8; 32],
    /// Who asks.
    pub actor: Actor,
    /// What all commands and events of one undertaking share.
    pub correlation_id: Uuid,
    /// The command or event that led to this one.
    pub causation_id: Option<Uuid>,
    /// The W3C trace this belongs to, if there is one.
    pub traceparent: Option<String>,
}

impl Ask {
    /// A command from outside; it starts an undertaking of its own.
    #[must_use]
    pub fn new(command_id: Uuid, actor: Actor, request_hash: [u8; 32]) -> Self {
        Self { command_id, request_hash, actor, correlation_id: command_id, causation_id: None, traceparent: None }
    }

    /// A command that follows from `event_id`, the same each time: `name` says which of those that follow from it.
    #[must_use]
    pub fn because_of(event_id: Uuid, correlation_id: Uuid, actor: Actor, name: &str) -> Self {
        let command_id = Uuid::new_v5(&event_id, name.as_bytes());
        let request_hash = digest(&[event_id.as_bytes(), name.as_bytes()]);
        Self { command_id, request_hash, actor, correlation_id, causation_id: Some(event_id), traceparent: None }
    }

    /// A further command of the same undertaking, for instance on another stream; `name` is unique among the steps.
    #[must_use]
    pub fn step(&self, name: &str) -> Self {
        Self {
            command_id: Uuid::new_v5(&self.command_id, name.as_bytes()),
            request_hash: digest(&[&self.request_hash, name.as_bytes()]),
            causation_id: Some(self.command_id),
            ..self.clone()
        }
    }
}

/// SHA-256 over `parts` one after the other, for request hashes.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
