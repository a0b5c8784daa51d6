//! The log in order, never with a gap: from JetStream where it can, from Postgres for everything else. Folding it is left to the readers.

use crate::{Bus, Envelope, Moment, Rush, bus::Messages};
use futures::{FutureExt, StreamExt};
use serde_json::value::RawValue;
use sqlx::{PgPool, Row, postgres::PgRow};
use std::time::Duration;
use tokio::{
    task::unconstrained,
    time::{Instant, sleep_until, timeout, timeout_at},
};

/// The most events one read of Postgres returns.
pub const PAGE_EVENTS_MAX: usize = 5_000;
/// How long JetStream may be silent before Postgres is asked whether there is news.
const SILENCE_MAX: Duration = Duration::from_millis(500);
/// How often Postgres is asked when there is no JetStream.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// How long JetStream may take to start delivering, for readers wait meanwhile.
const ATTACH_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long to leave JetStream alone after it failed.
const REATTACH_AFTER: Duration = Duration::from_secs(2);
/// How often in a row Postgres may be ahead of a silent consumer before that is made anew.
const OUTRUN_MAX: u32 = 2;
/// How many events a consumer surely holds ready where there are more: half of what it asks JetStream for at once.
const READY_EVENTS: usize = 250;
/// How long more may take to come, once what was ready is read.
const MORE_WAIT_MAX: Duration = Duration::from_millis(20);

/// The log could not be read. What the bus does is no error here: it is gone round.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The log itself has a hole. This never happens unless someone damaged the table.
    #[error("the log has no position {expected}: found {found}")]
    Gap {
        /// The position that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// Postgres failed.
    #[error("read the log: {0}")]
    Database(#[from] sqlx::Error),
}

/// Reads the log of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed {
    pool: PgPool,
    bus: Option<Bus>,
    rush: Rush,
    /// Whether what JetStream delivers has to be dense.
    holes_checked: bool,
}

/// Events in the columns that [`envelope`] reads.
macro_rules! events {
    ($which:literal) => {
        concat!(
            "SELECT position, event_id, stream_type, stream_id, sequence, event_type, event_version, recorded_at, command_id, \
                correlation_id, causation_id, actor, payload::text FROM recorded ",
            $which
        )
    };
}

const PAGE: &str = events!("WHERE position > $1 AND position <= $2 ORDER BY position");
const AT: &str = events!("WHERE position = ANY($1) ORDER BY position");
const OF_STREAM: &str = events!("WHERE stream_type = $1 AND stream_id = $2 AND position > $3 ORDER BY sequence LIMIT $4");

impl Feed {
    /// A feed over the database of the log, and the bus if there is one.
    #[must_use]
    pub fn new(pool: PgPool, bus: Option<Bus>) -> Self {
        Self { pool, bus, rush: Rush::default(), holes_checked: true }
    }

    /// The same, whose followers give way while there is a rush.
    #[must_use]
    pub fn giving_way_in(self, rush: Rush) -> Self {
        Self { rush, ..self }
    }

    /// In which its followers give way.
    #[must_use]
    pub fn rush(&self) -> &Rush {
        &self.rush
    }

    /// One that takes what JetStream delivers as it comes: for the test that proves that this would not do.
    #[cfg(debug_assertions)]
    #[doc(hidden)]
    #[must_use]
    pub fn without_hole_check(self) -> Self {
        Self { holes_checked: false, ..self }
    }

    /// The bus it uses, if any.
    #[must_use]
    pub fn bus(&self) -> Option<&Bus> {
        self.bus.as_ref()
    }

    /// Up to `limit` (at most [`PAGE_EVENTS_MAX`]) events after `after`, from Postgres, checked to be dense.
    pub async fn page(&self, after: u64, limit: usize) -> Result<Vec<Envelope>, FeedError> {
        let limit = limit.clamp(1, PAGE_EVENTS_MAX) as i64;
        // Positions are dense, so a range is as good as a LIMIT, and the planner knows its size.
        let from = i64::try_from(after).unwrap_or(i64::MAX - limit);
        let rows = sqlx::query(PAGE).bind(from).bind(from + limit).fetch_all(&self.pool).await?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            let event = envelope(row)?;
            let expected = after + events.len() as u64 + 1;
            if event.position != expected {
                return Err(FeedError::Gap { expected, found: event.position });
            }
            events.push(event);
        }
        if events.is_empty() {
            // Nothing in the range, yet the log goes on behind it: that is a hole, not an end.
            let head = self.head().await?;
            let range_end = u64::try_from(from + limit).unwrap_or_default();
            if head > range_end {
                return Err(FeedError::Gap { expected: after + 1, found: head });
            }
        }
        Ok(events)
    }

    /// Up to `limit` (at most [`PAGE_EVENTS_MAX`]) events of one stream that stand behind `after`, in order, from Postgres.
    pub async fn of_stream(&self, stream_type: &str, stream_id: &str, after: u64, limit: usize) -> Result<Vec<Envelope>, FeedError> {
        let rows = sqlx::query(OF_STREAM)
            .bind(stream_type)
            .bind(stream_id)
            .bind(i64::try_from(after).unwrap_or(i64::MAX))
            .bind(limit.clamp(1, PAGE_EVENTS_MAX) as i64)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(envelope).collect::<Result<_, _>>()?)
    }

    /// The events at `positions` (at most [`PAGE_EVENTS_MAX`]), in order, from Postgres. Those the log does not have are left out.
    pub async fn at(&self, positions: &[u64]) -> Result<Vec<Envelope>, FeedError> {
        let positions: Vec<i64> = positions.iter().take(PAGE_EVENTS_MAX).filter_map(|position| i64::try_from(*position).ok()).collect();
        let rows = sqlx::query(AT).bind(positions).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(envelope).collect::<Result<_, _>>()?)
    }

    /// The last sequenced position; 0 when the log is empty.
    pub async fn head(&self) -> Result<u64, FeedError> {
        let head: Option<i64> = sqlx::query_scalar("SELECT max(position) FROM log").fetch_one(&self.pool).await?;
        Ok(head.unwrap_or_default().try_into().unwrap_or_default())
    }

    /// How long ago the event at `position` was recorded, by the database's clock; `None` where the log does not go so far.
    pub async fn age(&self, position: u64) -> Result<Option<Duration>, FeedError> {
        let age: Option<f64> =
            sqlx::query_scalar("SELECT extract(epoch FROM clock_timestamp() - recorded_at)::float8 FROM recorded WHERE position = $1")
                .bind(i64::try_from(position).unwrap_or(i64::MAX))
                .fetch_optional(&self.pool)
                .await?;
        Ok(age.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    /// How long ago the oldest event was recorded that has no place in the log yet; `None` when all that is committed has one.
    pub async fn waiting(&self) -> Result<Option<Duration>, FeedError> {
        let age: Option<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM clock_timestamp() - e.recorded_at)::float8 FROM events e \
             WHERE e.xid >= (SELECT s.settled_to FROM sequencer s) AND (SELECT l.position FROM log l WHERE l.event_row = e.id LIMIT 1) IS NULL \
             ORDER BY e.xid LIMIT 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(age.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default()))
    }

    /// Where an event of a stream stands in the log; `None` while it is not sequenced.
    pub async fn position_of(&self, stream_type: &str, stream_id: &str, sequence: u64) -> Result<Option<u64>, FeedError> {
        let position: Option<i64> = sqlx::query_scalar(
            "SELECT l.position FROM events e JOIN log l ON l.event_row = e.id WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND e.sequence = $3",
        )
        .bind(stream_type)
        .bind(stream_id)
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .fetch_optional(&self.pool)
        .await?;
        Ok(position.and_then(|position| position.try_into().ok()))
    }

    /// The same, waiting until the event is sequenced; `None` when it was not by `deadline`.
    pub async fn await_position(
        &self,
        stream_type: &str,
        stream_id: &str,
        sequence: u64,
        deadline: Instant,
    ) -> Result<Option<u64>, FeedError> {
        let mut pause = Duration::from_millis(2);
        loop {
            if let Some(position) = self.position_of(stream_type, stream_id, sequence).await? {
                return Ok(Some(position));
            }
            if Instant::now() + pause > deadline {
                return Ok(None);
            }
            sleep_until(Instant::now() + pause).await;
            pause = (pause * 2).min(POLL_EVERY);
        }
    }

    /// Follows the log from behind `after`.
    #[must_use]
    pub fn follow(&self, after: u64) -> Follower {
        Follower { feed: self.clone(), after, live: None, attach_at: Instant::now(), outrun: 0 }
    }
}

/// An event from the first columns of a row: those of the view `recorded`, from `position` to `payload` as text, without `traceparent`.
pub fn envelope(row: &PgRow) -> Result<Envelope, sqlx::Error> {
    let number = |column: usize| -> Result<u64, sqlx::Error> {
        row.try_get::<i64, _>(column)?.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
    };
    Ok(Envelope {
        position: number(0)?,
        event_id: row.try_get(1)?,
        stream_type: row.try_get(2)?,
        stream_id: row.try_get(3)?,
        sequence: number(4)?,
        event_type: row.try_get(5)?,
        event_version: row.try_get::<i32, _>(6)?.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        recorded_at: row.try_get::<Moment, _>(7)?.0,
        command_id: row.try_get(8)?,
        correlation_id: row.try_get(9)?,
        causation_id: row.try_get(10)?,
        actor: row.try_get(11)?,
        payload: RawValue::from_string(row.try_get(12)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
    })
}

/// Reads the log as it grows.
pub struct Follower {
    feed: Feed,
    after: u64,
    live: Option<Messages>,
    attach_at: Instant,
    outrun: u32,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("after", &self.after).field("live", &self.live.is_some()).finish_non_exhaustive()
    }
}

enum Heard {
    Events(Vec<Envelope>),
    Silence,
    Lost,
}

impl Follower {
    /// The position of the last event returned.
    #[must_use]
    pub fn after(&self) -> u64 {
        self.after
    }

    /// Whether it reads from JetStream now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// The next events, at most `max`, in dense order; empty when none came within `wait`. Given up before it is done it may have passed
    /// events over: then follow anew.
    pub async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Envelope>, FeedError> {
        let max = max.max(1);
        let deadline = Instant::now() + wait;
        loop {
            if self.live.is_none() {
                let page = self.page(max).await?;
                // The end of the log was reached: under a steady load there is never a moment without new events.
                if page.len() < max {
                    self.attach().await;
                }
                if !page.is_empty() {
                    return Ok(page);
                }
            }
            let pause = if self.live.is_some() { SILENCE_MAX } else { POLL_EVERY };
            let until = deadline.min(Instant::now() + pause);
            match self.hear(max, until).await {
                Heard::Events(events) => return Ok(events),
                Heard::Lost => self.live = None,
                Heard::Silence if self.live.is_some() => {
                    let page = self.page(max).await?;
                    if !page.is_empty() {
                        self.outrun += 1;
                        if self.outrun > OUTRUN_MAX {
                            self.live = None;
                        }
                        return Ok(page);
                    }
                }
                Heard::Silence => {}
            }
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
        }
    }

    async fn page(&mut self, max: usize) -> Result<Vec<Envelope>, FeedError> {
        let page = self.feed.page(self.after, max).await?;
        self.after += page.len() as u64;
        Ok(page)
    }

    /// Tries to read from JetStream on; where that fails Postgres goes on serving.
    async fn attach(&mut self) {
        let Some(bus) = &self.feed.bus else { return };
        if Instant::now() < self.attach_at {
            return;
        }
        self.outrun = 0;
        match timeout(ATTACH_WAIT_MAX, bus.messages(self.after)).await {
            Ok(Ok(messages)) => {
                self.live = Some(messages);
                return;
            }
            Ok(Err(error)) => tracing::debug!(position = self.after, "Following the log from Postgres: {error:#}"),
            Err(_) => tracing::debug!(position = self.after, "Following the log from Postgres: NATS does not answer"),
        }
        self.attach_at = Instant::now() + REATTACH_AFTER;
    }

    /// What JetStream delivers by `until`. A hole, a stranger or an error ends the consumer, and Postgres takes over.
    async fn hear(&mut self, max: usize, until: Instant) -> Heard {
        let Some(messages) = &mut self.live else {
            sleep_until(until).await;
            return Heard::Silence;
        };
        let mut events: Vec<Envelope> = Vec::new();
        let mut more_until = None;
        let mut lost = false;
        while events.len() < max {
            let next = if events.is_empty() {
                let Ok(next) = timeout_at(until, messages.next()).await else { break };
                next
            } else if let Some(next) = unconstrained(messages.next()).now_or_never() {
                // What is ready is ready, whatever share of time this task has had: else a batch would end at some hundred events.
                next
            } else if events.len() >= READY_EVENTS {
                // Who rested would else fall behind, by what came meanwhile and was not held ready.
                let until = *more_until.get_or_insert_with(|| Instant::now() + MORE_WAIT_MAX);
                let Ok(next) = timeout_at(until, messages.next()).await else { break };
                next
            } else {
                break;
            };
            let event = next.and_then(Result::ok).and_then(|message| serde_json::from_slice::<Envelope>(&message.payload).ok());
            match event {
                Some(event) if event.position == self.after + 1 || (event.position > self.after && !self.feed.holes_checked) => {
                    self.after = event.position;
                    events.push(event);
                }
                // Already read from Postgres.
                Some(event) if event.position <= self.after => {}
                Some(_) | None => {
                    lost = true;
                    break;
                }
            }
        }
        if lost {
            self.live = None;
        }
        if !events.is_empty() {
            self.outrun = 0;
            Heard::Events(events)
        } else if lost {
            Heard::Lost
        } else {
            Heard::Silence
        }
    }
}
