//! Whatever comes over the bus is an envelope or is not; one that is says the same when it is written and read again, and its event is
//! known or named as unknown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nats::Envelope;

fuzz_target!(|bytes: &[u8]| {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) else { return };
    let _ = nats::partition(&envelope.stream_id);
    let again: Envelope = serde_json::from_slice(&serde_json::to_vec(&envelope).expect("written")).expect("read again");
    assert_eq!((again.position, again.sequence, &again.stream_id), (envelope.position, envelope.sequence, &envelope.stream_id));
    assert_eq!(again.payload.get(), envelope.payload.get());
});
