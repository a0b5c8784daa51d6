//! What makes tampering visible: a hash over everything an event says, and a chain over those. Both can be recomputed from the stored rows alone.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// What the chain starts from, before position 1.
pub const GENESIS: Hash = [0; 32];

/// Everything the body hash of an event covers.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// Identifies the event.
    pub event_id: Uuid,
    /// The kind of stream.
    pub stream_type: &'a str,
    /// Which stream.
    pub stream_id: &'a str,
    /// Its place in the stream.
    pub sequence: u64,
    /// Its stored name.
    pub event_type: &'a str,
    /// The stored version of its form.
    pub event_version: &'a str,
    /// As stored, byte for byte.
    pub payload: &'a str,
    /// The command that caused it.
    pub command_id: Uuid,
    /// Its undertaking.
    pub correlation_id: Uuid,
    /// What led to the command.
    pub causation_id: Option<Uuid>,
    /// Who did it.
    pub actor: &'a str,
}

impl Body<'_> {
    /// SHA-256 over all parts in the order of the fields, each after its length in 8 bytes; a missing cause has length 0.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(self.event_id.as_bytes());
        part(self.stream_type.as_bytes());
        part(self.stream_id.as_bytes());
        part(&self.sequence.to_be_bytes());
        part(self.event_type.as_bytes());
        part(self.event_version.as_bytes());
        part(self.payload.as_bytes());
        part(self.command_id.as_bytes());
        part(self.correlation_id.as_bytes());
        part(self.causation_id.as_ref().map_or(&[][..], |id| &id.as_bytes()[..]));
        part(self.actor.as_bytes());
        hash.finalize().into()
    }
}

/// The link of the chain at `position`: SHA-256 over the link before it, the position, the time of recording in microseconds, and the
/// body. The time is the database's, so it cannot be part of the body, which is made before.
#[must_use]
pub fn link(previous: &Hash, position: u64, recorded_at: Timestamp, body: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(position.to_be_bytes());
    hash.update(recorded_at.as_microsecond().to_be_bytes());
    hash.update(body);
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const BODY: Body<'static> = Body {
        event_id: Uuid::from_u128(1),
        stream_type: "slug",
        stream_id: "a-b",
        sequence: 1,
        event_type: "claimed",
        event_version: "1",
        payload: r#"{"type":"claimed"}"#,
        command_id: Uuid::from_u128(2),
        correlation_id: Uuid::from_u128(3),
        causation_id: None,
        actor: "system",
    };

    #[test]
    fn the_hash_of_a_stored_event_is_fixed_for_ever() {
        // Computed by another program from the description above.
        assert_eq!(hex(BODY.hash()), "3c218abb7d6f9aadd30e6be83c81aa0a509eb4d9cf1f0b45e514d7b78f5b0db6");
        assert_eq!(
            hex(link(&GENESIS, 1, Timestamp::UNIX_EPOCH, &BODY.hash())),
            "3d0b2829a4834b908a82353036ccaa1bf1372ba7eec5e6552a3e29a2efd3afc0"
        );
    }

    #[test]
    fn moving_a_byte_from_one_part_to_the_next_changes_the_hash() {
        assert_ne!(Body { stream_type: "sluga", stream_id: "-b", ..BODY }.hash(), BODY.hash());
        assert_ne!(Body { causation_id: Some(Uuid::nil()), ..BODY }.hash(), BODY.hash());
    }
}
