//! One recorded event as it travels: where it stands in the log, who caused it, and its payload as stored.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// In how many parts the log is dealt out. Fixed for ever: subjects and checkpoints depend on it.
pub const PARTITIONS: u8 = 16;

/// A recorded event with its place in the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// Its place in the log, dense from 1; also its sequence in JetStream.
    pub position: u64,
    /// Identifies the event for ever.
    pub event_id: Uuid,
    /// The kind of stream, for instance `launch`.
    pub stream_type: String,
    /// Which stream of that kind.
    pub stream_id: String,
    /// Its place in its stream, dense from 1.
    pub sequence: u64,
    /// The stored name of the event.
    pub event_type: String,
    /// The version of its stored form.
    pub event_version: u32,
    /// When the database recorded it.
    pub recorded_at: Timestamp,
    /// The command that caused it.
    pub command_id: Uuid,
    /// What all events of one undertaking share.
    pub correlation_id: Uuid,
    /// The command or event that led to the command, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Uuid>,
    /// Who did it, as text.
    pub actor: String,
    /// The event as stored, byte for byte.
    pub payload: Box<RawValue>,
}

impl Envelope {
    /// The subject it is published on, without the installation's prefix.
    #[must_use]
    pub fn subject(&self) -> String {
        subject(&self.stream_type, &self.event_type, &self.stream_id)
    }
}

/// Which of the [`PARTITIONS`] a stream belongs to: FNV-1a over its id. Fixed for ever.
#[must_use]
pub fn partition(stream_id: &str) -> u8 {
    let hash = stream_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // The low bits of FNV mix least; fold the high half in before taking them.
    let [.., low] = (hash ^ (hash >> 32)).to_be_bytes();
    low % PARTITIONS
}

/// `ev.<partition>.<stream type>.<event type>.<stream id>`
#[must_use]
pub fn subject(stream_type: &str, event_type: &str, stream_id: &str) -> String {
    format!("ev.{}.{stream_type}.{event_type}.{stream_id}", partition(stream_id))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn partitions_are_fixed_for_ever() {
        let partitions =
            ["", "a", "falcon-9-ksc-mars-2031-04-01", "0190b0de-7b6e-7c4e-8d3f-3c4b5a697887", "00000000-0000-0000-0000-000000000000"]
                .map(partition);
        assert_eq!(partitions, [1, 0, 9, 12, 3]);
    }

    #[test]
    fn partitions_are_even() {
        let mut counts = [0_u32; PARTITIONS as usize];
        for n in 0..16_000_u128 {
            counts[partition(&Uuid::from_u128(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).to_string()) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn travels_as_json_and_keeps_the_payload_byte_for_byte() {
        let wire = r#"{"position":7,"event_id":"0190b0de-7b6e-7c4e-8d3f-3c4b5a697887","stream_type":"launch","stream_id":"x","sequence":2,"event_type":"seats_held","event_version":1,"recorded_at":"2026-11-22T12:34:56.789012Z","command_id":"0190b0de-7b6e-7c4e-8d3f-3c4b5a697888","correlation_id":"0190b0de-7b6e-7c4e-8d3f-3c4b5a697889","actor":"scheduler","payload":{"b": 1,  "a":[ ]}}"#;
        let envelope: Envelope = serde_json::from_str(wire).unwrap();
        assert_eq!(envelope.payload.get(), r#"{"b": 1,  "a":[ ]}"#);
        assert_eq!(serde_json::to_string(&envelope).unwrap(), wire);
    }
}
