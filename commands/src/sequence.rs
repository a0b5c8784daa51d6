//! Gives every committed event its place in the log and puts it on the bus. One process does this at a time, by a lease with a fencing
//! epoch; the others stand by. Appending is the executor's; reading the result is the feed's (crate `nats`).

mod relay;
mod sequencer;

use self::relay::Head;
use crate::{
    Wake,
    guards::{Step, Trial},
    hash::Hash,
    wake::APPEND_HINT,
};
use futures::StreamExt;
use nats::{Bus, Feed, Rush};
use sqlx::{PgPool, Row};
use std::{convert::Infallible, time::Duration};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long a lease lasts that is not renewed; a standby takes over at most [`STAND_BY`] later.
const LEASE: Duration = Duration::from_secs(3);
/// How often the holder renews the lease when there is nothing to sequence.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// How often a standby tries to get the lease.
const STAND_BY: Duration = Duration::from_millis(500);
/// How long the sequencer sleeps without a wake-up.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// After a window the sequencer rests: otherwise every append would get a window of its own, and everyone behind a batch of its own.
const REST: Duration = Duration::from_millis(5);
/// How long it rests at most while many wait for answers to commands: what follows the log rests longer then.
const RUSH_REST_MAX: Duration = Duration::from_millis(25);
/// How soon it looks again when something is committed but held back by an older transaction that is still open.
const HELD_BACK_POLL: Duration = Duration::from_millis(3);
/// How soon a log that stopped is looked at again: a person may have mended it.
const STOPPED_POLL: Duration = Duration::from_secs(5);

/// Why leading ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("the lease went to another process")]
    Fenced,
    #[error("the event store failed")]
    Database(#[from] sqlx::Error),
    /// A stream has a hole: an event whose predecessor has no position. Nobody but a person can tell why.
    #[error("{stream} has no event {expected} before {found}: the log stops at {position}")]
    Gap {
        /// The stream, as `type/id`.
        stream: String,
        /// The sequence that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
        /// The last position given.
        position: u64,
    },
}

/// How often the holder of the lease measures how the log stands.
const MEASURE_EVERY: Duration = Duration::from_secs(1);
/// How long the log may be held back by an open transaction before that is warned of.
pub const HELD_BACK_WARN: Duration = Duration::from_secs(5);

/// Where the holder of the lease stands.
#[derive(Debug, Clone)]
struct Lead {
    epoch: i64,
    position: u64,
    hash: Hash,
    /// The transaction id, as text, below which everything is sequenced.
    settled_to: String,
}

/// Runs the sequencer and the relay, or stands by for them, until `stop`; gives way in `rush`. Where the log cannot go on nothing gets a place
/// any more: that is said to whoever asks for the [`Status`], and looked at again every 5 s.
pub async fn run(pool: PgPool, bus: Option<Bus>, wake: Wake, rush: Rush, stop: CancellationToken) {
    run_with(Trial::default(), pool, bus, wake, rush, stop).await;
}

/// The same with a guard taken away, or an end at some step, for tests.
#[doc(hidden)]
pub async fn run_with(trial: impl Into<Trial>, pool: PgPool, bus: Option<Bus>, wake: Wake, rush: Rush, stop: CancellationToken) {
    let (holder, trial) = (Uuid::new_v4(), trial.into());
    let hearing = hear(bus.clone(), wake.clone(), stop.clone());
    let leading = async {
        while !stop.is_cancelled() {
            let mut pause = STAND_BY;
            match acquire(&pool, holder).await {
                Ok(Some(lead)) => match lead_on(&pool, bus.as_ref(), &wake, &rush, lead, &stop, &trial).await {
                    Ok(()) => {}
                    Err(gap @ Ended::Gap { .. }) => {
                        tracing::error!("The log is broken: {gap}");
                        metrics::gauge!("astro_log_stopped").set(1.0);
                        pause = STOPPED_POLL;
                    }
                    Err(Ended::Fenced) => tracing::info!("Another process sequences now"),
                    Err(error @ Ended::Database(_)) => tracing::warn!("Sequencing pauses: {error}: {}", source(&error)),
                },
                // Who leads says how the log stands.
                Ok(None) => metrics::gauge!("astro_log_stopped").set(0.0),
                Err(error) => tracing::warn!("Cannot ask for the lease of the log: {error}"),
            }
            select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    };
    select! {
        () = leading => {}
        () = hearing => {}
    }
}

fn source(error: &dyn std::error::Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Turns hints from other processes into wake-ups here. Ends with `stop`.
async fn hear(bus: Option<Bus>, wake: Wake, stop: CancellationToken) {
    if let Some(bus) = bus {
        match bus.listen(APPEND_HINT).await {
            Ok(mut hints) => {
                while let Some(Some(_)) = stop.run_until_cancelled(hints.next()).await {
                    wake.ring_here();
                }
            }
            Err(error) => tracing::warn!("No hints of appends in other processes, polling only: {error}"),
        }
    }
    // Leading notices the stop by itself and may have things to finish.
    std::future::pending().await
}

/// Takes the lease if it is free. Each holder has an epoch of its own, and writes only under that.
async fn acquire(pool: &PgPool, holder: Uuid) -> Result<Option<Lead>, sqlx::Error> {
    let row = sqlx::query(
        "UPDATE sequencer SET epoch = epoch + 1, holder = $1, lease_until = clock_timestamp() + make_interval(secs => $2) \
         WHERE lease_until < clock_timestamp() RETURNING epoch, position, hash, settled_to::text",
    )
    .bind(holder)
    .bind(LEASE.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        let hash: Vec<u8> = row.try_get(2)?;
        Ok(Lead {
            epoch: row.try_get(0)?,
            position: row.try_get::<i64, _>(1)?.try_into().unwrap_or_default(),
            hash: hash.try_into().map_err(|_| sqlx::Error::Decode("the hash of the log is not 32 bytes".into()))?,
            settled_to: row.try_get(3)?,
        })
    })
    .transpose()
}

/// Gives the lease back, so that a successor need not wait for its end, with the reason why the log stops, if it does.
async fn release(pool: &PgPool, epoch: i64, stopped: Option<String>) {
    let given_back = "UPDATE sequencer SET lease_until = '-infinity', stopped = COALESCE($2, stopped) WHERE epoch = $1";
    let released = sqlx::query(given_back).bind(epoch).bind(stopped).execute(pool).await;
    if let Err(error) = released {
        tracing::debug!("The lease of the log runs out by itself: {error}");
    }
}

async fn lead_on(
    pool: &PgPool,
    bus: Option<&Bus>,
    wake: &Wake,
    rush: &Rush,
    lead: Lead,
    stop: &CancellationToken,
    trial: &Trial,
) -> Result<(), Ended> {
    trial.reach(Step::LeaseTaken);
    tracing::info!(epoch = lead.epoch, position = lead.position, "This process sequences the log");
    let _leads = wake.leads();
    let epoch = lead.epoch;
    let (head, heads) = watch::channel(Head { position: lead.position, ..Head::default() });
    let relaying = async {
        match bus {
            Some(bus) => relay::run(Feed::new(pool.clone(), None), bus, heads, stop, trial).await,
            None => stop.cancelled().await,
        }
    };
    let sequencing = sequence(sequencer::Sequencer::new(trial.clone()), pool, wake, rush, lead, &head, stop);
    tokio::pin!(relaying, sequencing);
    let ended = select! {
        ended = &mut sequencing => ended,
        () = &mut relaying => sequencing.await,
        never = watch_over(pool) => match never {},
    };
    let stopped = ended.as_ref().err().filter(|ended| matches!(ended, Ended::Gap { .. })).map(ToString::to_string);
    release(pool, epoch, stopped).await;
    ended
}

/// Measures how the log stands while this process leads, and warns of a transaction that holds it back. Never ends.
async fn watch_over(pool: &PgPool) -> Infallible {
    let mut warned_at: Option<Instant> = None;
    loop {
        sleep(MEASURE_EVERY).await;
        let Ok(status) = status(pool).await else { continue };
        #[allow(clippy::cast_precision_loss)] // figures for people
        metrics::gauge!("astro_log_unsequenced_events").set(status.unsequenced as f64);
        let age = status.oldest_writer.unwrap_or_default();
        metrics::gauge!("astro_log_oldest_writer_seconds").set(age.as_secs_f64());
        metrics::gauge!("astro_log_stopped").set(f64::from(u8::from(status.stopped.is_some())));
        if !status.held_back() {
            warned_at = None;
        } else if warned_at.is_none_or(|at| at.elapsed() >= HELD_BACK_WARN) {
            warned_at = Some(Instant::now());
            if let Ok(Some(writer)) = oldest_writer(pool).await {
                tracing::warn!(
                    position = status.position,
                    unsequenced = status.unsequenced,
                    "The log is held back by a transaction open for {} s: {writer}",
                    age.as_secs()
                );
            }
        }
    }
}

/// Who holds the log back, for a person who may end it with `pg_terminate_backend`.
async fn oldest_writer(pool: &PgPool) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT format('process %s of database %s, application %s', pid, datname, application_name) FROM pg_stat_activity \
         WHERE backend_xid IS NOT NULL ORDER BY xact_start LIMIT 1",
    )
    .fetch_optional(pool)
    .await
}

async fn sequence(
    mut sequencer: sequencer::Sequencer,
    pool: &PgPool,
    wake: &Wake,
    rush: &Rush,
    mut lead: Lead,
    head: &watch::Sender<Head>,
    stop: &CancellationToken,
) -> Result<(), Ended> {
    sequencer.adopt(pool, &mut lead).await?;
    let mut renewed_at = Instant::now();
    loop {
        let step = sequencer.step(pool, &mut lead).await?;
        let wrote = !step.events.is_empty();
        if wrote {
            renewed_at = Instant::now();
        } else if renewed_at.elapsed() >= RENEW_EVERY {
            sequencer.renew(pool, &lead).await?;
            renewed_at = Instant::now();
        }
        if head.borrow().position != lead.position {
            head.send_replace(Head { position: lead.position, events: step.events.into() });
            #[allow(clippy::cast_precision_loss)] // a figure for people
            metrics::gauge!("astro_log_position").set(lead.position as f64);
        }
        let pause = match step.rest {
            sequencer::Rest::More => continue,
            sequencer::Rest::HeldBack => HELD_BACK_POLL,
            sequencer::Rest::Nothing => POLL_EVERY,
        };
        if wrote {
            rush.rest(REST, RUSH_REST_MAX).await;
        }
        select! {
            () = sleep(pause) => {}
            () = wake.woken() => {}
            () = stop.cancelled() => {
                // What was committed before the stop gets its place, so far as it is settled.
                sequencer.step(pool, &mut lead).await?;
                return Ok(());
            }
        }
    }
}

/// How the log stands, for those who run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The last position given.
    pub position: u64,
    /// Which process sequences, by its own id; none when the lease has run out.
    pub holder: Option<Uuid>,
    /// How many holders there were.
    pub epoch: u64,
    /// Committed events that have no position yet.
    pub unsequenced: u64,
    /// How long the oldest open writing transaction of the cluster has been open; it holds the log back.
    pub oldest_writer: Option<Duration>,
    /// Why no event gets its place any more, as a sentence; none while the log goes on.
    pub stopped: Option<String>,
}

impl Status {
    /// Whether something waits for a transaction that has been open for longer than [`HELD_BACK_WARN`].
    #[must_use]
    pub fn held_back(&self) -> bool {
        self.unsequenced > 0 && self.oldest_writer.is_some_and(|age| age > HELD_BACK_WARN)
    }
}

/// How the log stands now.
pub async fn status(pool: &PgPool) -> Result<Status, sqlx::Error> {
    let row = sqlx::query(
        "SELECT s.position, CASE WHEN s.lease_until >= clock_timestamp() THEN s.holder END, s.epoch, \
            (SELECT count(*) FROM events e WHERE e.xid >= s.settled_to AND (SELECT l.position FROM log l WHERE l.event_row = e.id LIMIT 1) IS NULL), \
            (SELECT extract(epoch FROM max(clock_timestamp() - a.xact_start))::float8 FROM pg_stat_activity a WHERE a.backend_xid IS NOT NULL), s.stopped \
         FROM sequencer s",
    )
    .fetch_one(pool)
    .await?;
    let number = |column| Ok::<_, sqlx::Error>(row.try_get::<i64, _>(column)?.try_into().unwrap_or_default());
    Ok(Status {
        position: number(0)?,
        holder: row.try_get(1)?,
        epoch: number(2)?,
        unsequenced: number(3)?,
        oldest_writer: row.try_get::<Option<f64>, _>(4)?.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok()),
        stopped: row.try_get(5)?,
    })
}

/// The streams with an event of this type that has no place in the log yet and whose `field` is `value`: what no view can know of.
pub async fn ahead_of_the_log(
    pool: &PgPool,
    stream_type: &str,
    event_type: &str,
    field: &str,
    value: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT DISTINCT e.aggregate_id FROM sequencer s JOIN events e ON e.xid >= s.settled_to \
         WHERE (SELECT l.position FROM log l WHERE l.event_row = e.id LIMIT 1) IS NULL \
         AND e.aggregate_type = $1 AND e.event_type = $2 AND e.payload->>$3 = $4",
    )
    .bind(stream_type)
    .bind(event_type)
    .bind(field)
    .bind(value)
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_held_back_when_something_waits_for_an_old_transaction() {
        let status = |unsequenced, oldest_writer| {
            Status { position: 7, holder: None, epoch: 1, unsequenced, oldest_writer, stopped: None }.held_back()
        };
        let old = HELD_BACK_WARN + Duration::from_millis(1);
        assert!(status(1, Some(old)));
        assert!(!status(0, Some(old)), "nothing waits for it");
        assert!(!status(1, Some(HELD_BACK_WARN)), "not yet");
        assert!(!status(1, None));
    }
}
