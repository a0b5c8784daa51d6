//! Publishes the log to JetStream in order, each event at its own position. Nothing depends on it being there: after any doubt it asks the
//! stream where it is, and a stream that is lost, cut or a stranger's is filled anew from Postgres.

use crate::guards::{Guard, Step, Trial};
use nats::{Bus, BusError, Envelope, Feed, FeedError, bus::KEPT_EVENTS_MAX};
use std::{sync::Arc, time::Duration};
use tokio::{select, sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

/// How many events are published before the stream's acks are all awaited.
const BATCH_EVENTS: usize = 2_000;
/// The pause after a failure; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause between tries.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often an idle relay checks that the stream is still there and whole.
const CHECK_EVERY: Duration = Duration::from_secs(2);

/// How far the log goes, with its last events as the sequencer has them in hand: a relay that keeps up need not read them again.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) position: u64,
    pub(super) events: Arc<[Envelope]>,
}

#[derive(Debug, thiserror::Error)]
enum Doubt {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Feed(#[from] FeedError),
}

/// Relays up to each head it is told, until `stop`.
pub(super) async fn run(feed: Feed, bus: &Bus, mut heads: watch::Receiver<Head>, stop: &CancellationToken, trial: &Trial) {
    let mut pause = PAUSE_MIN;
    while !stop.is_cancelled() {
        let relayed = select! {
            relayed = relay(&feed, bus, &mut heads, trial) => relayed,
            () = stop.cancelled() => return,
        };
        match relayed {
            Ok(()) => return,
            Err(Doubt::Bus(BusError::Down)) => tracing::debug!("NATS is down; readers use Postgres"),
            Err(doubt) => tracing::warn!("Relaying starts over: {doubt}"),
        }
        select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
        // Told heads and failures alternate; only a row of failures slows it down.
        pause = if bus.connected() { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
    }
}

/// Publishes until something is doubtful. Returns when there will be no more heads.
async fn relay(feed: &Feed, bus: &Bus, heads: &mut watch::Receiver<Head>, trial: &Trial) -> Result<(), Doubt> {
    let head = heads.borrow().position;
    let mut published = open(feed, bus, head, trial).await?;
    loop {
        let Head { position: head, events: newest } = heads.borrow_and_update().clone();
        while published < head {
            let page;
            let events = match behind(published, &newest) {
                Some(events) => events,
                None => {
                    page = feed.page(published, BATCH_EVENTS).await?;
                    &page
                }
            };
            let Some(last) = events.last() else { break };
            let last = last.position;
            #[cfg(debug_assertions)]
            if trial.ends_at(Step::HalfPublished) && events.len() > 1 {
                bus.publish(&events[..events.len() / 2]).await?;
                trial.reach(Step::HalfPublished);
                bus.publish(&events[events.len() / 2..]).await?;
                published = last;
                continue;
            }
            bus.publish(events).await?;
            trial.reach(Step::Published);
            published = last;
            trial.reach(Step::PublishedNoted);
            #[allow(clippy::cast_precision_loss)] // a figure for people
            metrics::gauge!("astro_relay_position").set(published as f64);
        }
        select! {
            changed = heads.changed() => if changed.is_err() { return Ok(()) },
            () = sleep(CHECK_EVERY) => {
                let stands = bus.head().await?;
                if stands != Some(published) {
                    tracing::warn!(position = published, "The stream stands at {stands:?}");
                    published = open(feed, bus, head, trial).await?;
                }
            }
        }
    }
}

/// Those of the sequencer's last events that stand behind `published`; none where others come before them. A page may have held more than
/// the head of then: what it had of these is left out.
fn behind(published: u64, newest: &[Envelope]) -> Option<&[Envelope]> {
    let new = &newest[newest.partition_point(|event| event.position <= published)..];
    new.first().is_some_and(|first| first.position == published + 1).then_some(new)
}

/// Makes sure that the stream is there and is ours; says up to where it is filled.
async fn open(feed: &Feed, bus: &Bus, head: u64, trial: &Trial) -> Result<u64, Doubt> {
    if let Some(last) = bus.head().await? {
        if is_ours(feed, bus, last, head, trial).await? {
            return Ok(last);
        }
        tracing::warn!(position = head, "The stream ends at {last} with another event than the log; it is made anew");
        bus.delete().await?;
    }
    let first = (head + 1).saturating_sub(KEPT_EVENTS_MAX).max(1);
    bus.create(first).await?;
    trial.reach(Step::StreamMade);
    tracing::info!(position = head, "The stream is filled from {first}");
    Ok(first - 1)
}

/// Whether the last event of the stream is the one that the log has there.
async fn is_ours(feed: &Feed, bus: &Bus, last: u64, head: u64, trial: &Trial) -> Result<bool, Doubt> {
    if last == 0 || !trial.guards.has(Guard::OwnStream) {
        return Ok(true);
    }
    // One that stood still knows less than the log: its successor may have published meanwhile.
    if last > head && last > feed.head().await? {
        return Ok(false);
    }
    let stored = match bus.event_id_at(last).await {
        // An empty stream that starts later has no message at its last sequence; filling it goes on from there.
        Err(BusError::Nothing { .. }) => return Ok(true),
        stored => stored?,
    };
    let ours = feed.page(last - 1, 1).await?.first().map(|event| event.event_id);
    Ok(stored.is_some() && stored == ours)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::behind;
    use nats::Envelope;
    use serde_json::json;
    use uuid::Uuid;

    #[test]
    fn what_is_in_hand_is_published_once_and_without_a_hole() {
        let id = Uuid::nil();
        let event = |position: u64| {
            json!({
                "position": position, "event_id": id, "stream_type": "launch", "stream_id": "a", "sequence": position, "event_type": "repriced",
                "event_version": 1, "recorded_at": "2026-01-01T00:00:00Z", "command_id": id, "correlation_id": id, "actor": "system", "payload": {},
            })
        };
        let newest: Vec<Envelope> = (5..=8).map(|position| serde_json::from_value(event(position)).unwrap()).collect();
        let positions = |published| behind(published, &newest).map(|events| events.iter().map(|event| event.position).collect::<Vec<_>>());
        assert_eq!(positions(3), None, "4 is missing: the log has it");
        assert_eq!(positions(4), Some(vec![5, 6, 7, 8]));
        assert_eq!(positions(6), Some(vec![7, 8]), "a page had 5 and 6 already");
        assert_eq!(positions(8), None);
    }
}
