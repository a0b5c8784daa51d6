//! Follows the log, queues the work that events ask for and sets their timers, in one transaction with how far it has read: every event is
//! acted on, and what was queued twice is queued once. What cannot be read is left to a job, which tries it again. Doing the work is left to
//! the jobs, and what is due to the timers. Unlike a projection this is never rebuilt.

use crate::job::{DOUBT_AFTER, Work};
use commands::timers::{self, Timer};
use domain::{
    AnyEvent, Decider, customer,
    launch::{Event, Launch},
};
use jiff::Timestamp;
use nats::{Envelope, Feed, FeedError, Follower, Moment, Rush, transaction::begin};
use sqlx::{PgConnection, PgPool};
use std::time::Duration;
use uuid::Uuid;

/// The name under which the position is kept.
const NAME: &str = "scheduler";
/// Nobody waits for the disk: where a crash takes the last of it, it takes position and jobs together, and the same events are read again.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off";
/// How many events are read at once.
const BATCH_EVENTS_MAX: usize = 1_000;
/// How long to wait for events before looking whether to stop.
const BATCH_WAIT_MAX: Duration = Duration::from_secs(1);

/// Reacting failed; nothing was skipped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReactionError {
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error("queue what follows from the log: {0}")]
    Database(#[from] sqlx::Error),
    #[error("event {position} cannot be read: {error}")]
    Unreadable { position: u64, error: domain::UnknownEvent },
    #[error("write a job down: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// Reads on from where the last one stopped.
pub(crate) struct Reactions {
    pool: PgPool,
    follower: Follower,
    position: u64,
}

impl Reactions {
    pub(crate) async fn resume(pool: PgPool, feed: &Feed) -> Result<Self, ReactionError> {
        sqlx::query("INSERT INTO scheduler.reactions (name) VALUES ($1) ON CONFLICT DO NOTHING").bind(NAME).execute(&pool).await?;
        let position: i64 =
            sqlx::query_scalar("SELECT position FROM scheduler.reactions WHERE name = $1").bind(NAME).fetch_one(&pool).await?;
        let position = u64::try_from(position).unwrap_or_default();
        Ok(Self { follower: feed.follow(position), position, pool })
    }

    /// Reacts to the next events; says how many jobs that made, or that another process was here first.
    pub(crate) async fn react_on(&mut self, rush: &Rush) -> Result<Reacted, ReactionError> {
        let events = self.follower.next_batch(rush.portion(BATCH_EVENTS_MAX), BATCH_WAIT_MAX).await?;
        let Some(last) = events.last().map(|event| event.position) else { return Ok(Reacted::Jobs(0)) };
        let mut asked = Asked::default();
        for envelope in &events {
            match asked.add(envelope) {
                // Left to a job, so that it holds up no other stream.
                Err(ReactionError::Unreadable { position, .. }) => {
                    asked.jobs.push(envelope, 0, &Work::React { position }, Timestamp::UNIX_EPOCH)?;
                }
                added => added?,
            }
        }
        let mut transaction = begin(&self.pool, BEGIN).await?;
        let moved = sqlx::query("UPDATE scheduler.reactions SET position = $3 WHERE name = $1 AND position = $2")
            .bind(NAME)
            .bind(i64::try_from(self.position).unwrap_or(i64::MAX))
            .bind(i64::try_from(last).unwrap_or(i64::MAX))
            .execute(&mut *transaction)
            .await?;
        if moved.rows_affected() != 1 {
            return Ok(Reacted::Overtaken);
        }
        asked.write(&mut transaction).await?;
        transaction.commit().await?;
        self.position = last;
        Ok(Reacted::Jobs(asked.jobs.keys.len()))
    }
}

/// Reacts to an event that could not be read when its turn came.
pub(crate) async fn react_late(pool: &PgPool, envelope: &Envelope) -> Result<(), ReactionError> {
    let mut asked = Asked::default();
    asked.add(envelope)?;
    let mut transaction = begin(pool, BEGIN).await?;
    asked.write(&mut transaction).await?;
    Ok(transaction.commit().await?)
}

/// What became of a batch.
pub(crate) enum Reacted {
    /// So many jobs were queued.
    Jobs(usize),
    /// The position is elsewhere than we left it.
    Overtaken,
}

/// What an event asks for, and when. Pure.
fn react(envelope: &Envelope, event: &AnyEvent) -> Vec<(Work, Timestamp)> {
    if let (AnyEvent::Customer(customer::Event::Erased { at }), Ok(customer)) = (event, envelope.stream_id.parse()) {
        return vec![(Work::Forget { customer }, *at)];
    }
    let (AnyEvent::Launch(event), Ok(launch)) = (event, envelope.stream_id.parse()) else { return vec![] };
    let write = Work::Write { position: envelope.position };
    match &**event {
        Event::Aborted { at, .. } => vec![(Work::CancelBookings { launch }, *at)],
        Event::PaymentInitiated { booking, payment, at, .. } => {
            vec![(Work::SettlePayment { launch, booking: *booking, payment: *payment, initiated_at: *at }, *at + DOUBT_AFTER)]
        }
        Event::RefundRequested { booking, refund, at, .. } => {
            vec![(Work::PayRefund { launch, booking: *booking, refund: *refund }, *at)]
        }
        Event::BookingConfirmed { booking, customer, at, .. } | Event::BookingCancelled { booking, customer, at, .. } => {
            vec![(Work::CountTrip { launch, booking: *booking, customer: *customer }, *at), (write, *at)]
        }
        Event::PassengerCancelled { at, .. }
        | Event::RefundPaid { at, .. }
        | Event::HoldExpired { at, .. }
        | Event::Delayed { at, .. }
        | Event::ViabilityWarned { at, .. } => vec![(write, *at)],
        Event::Scheduled { .. }
        | Event::Repriced { .. }
        | Event::Confirmed { .. }
        | Event::Launched { .. }
        | Event::Failed { .. }
        | Event::SeatsHeld { .. }
        | Event::PassengersNamed { .. }
        | Event::PaymentCaptured { .. }
        | Event::PaymentDeclined { .. }
        | Event::RefundFailed { .. } => vec![],
    }
}

/// When the stream wants to be looked at again because of the event. Pure.
fn timers_of(envelope: &Envelope, event: &AnyEvent) -> Vec<Timer> {
    let AnyEvent::Launch(event) = event else { return vec![] };
    let timer = |timer: domain::Timer| Timer {
        stream_type: Launch::NAME.to_owned(),
        stream_id: envelope.stream_id.clone(),
        kind: timer.kind.to_owned(),
        subject: timer.subject,
        due_at: timer.due_at,
        event_id: envelope.event_id,
    };
    Launch::timers(event).into_iter().map(timer).collect()
}

/// What events ask for together.
#[derive(Default)]
struct Asked {
    jobs: Jobs,
    timers: Vec<Timer>,
}

impl Asked {
    /// Adds what one event asks for; nothing of it where it cannot be read.
    fn add(&mut self, envelope: &Envelope) -> Result<(), ReactionError> {
        let happened = AnyEvent::read(&envelope.stream_type, &envelope.event_type, envelope.event_version, envelope.payload.get())
            .map_err(|error| ReactionError::Unreadable { position: envelope.position, error })?;
        for (part, event) in happened.iter().enumerate() {
            for (work, run_at) in react(envelope, event) {
                self.jobs.push(envelope, part, &work, run_at)?;
            }
            self.timers.extend(timers_of(envelope, event));
        }
        Ok(())
    }

    async fn write(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.jobs.queue(connection).await?;
        timers::set(connection, &self.timers).await
    }
}

/// Jobs by column, as the statement takes them.
#[derive(Default)]
struct Jobs {
    kinds: Vec<&'static str>,
    keys: Vec<String>,
    works: Vec<String>,
    causes: Vec<Uuid>,
    correlations: Vec<Uuid>,
    run_at: Vec<Moment>,
}

impl Jobs {
    /// Adds work that follows from the `part`th of the events that the stored one means: one, unless it has an old form.
    fn push(&mut self, envelope: &Envelope, part: usize, work: &Work, run_at: Timestamp) -> Result<(), serde_json::Error> {
        self.works.push(serde_json::to_string(work)?);
        self.kinds.push(work.kind());
        let cause = envelope.event_id;
        self.keys.push(if part == 0 { cause.to_string() } else { format!("{cause}/{part}") });
        self.causes.push(envelope.event_id);
        self.correlations.push(envelope.correlation_id);
        self.run_at.push(Moment(run_at));
        Ok(())
    }

    async fn queue(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.keys.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO scheduler.jobs (kind, key, work, cause, correlation, run_at) \
             SELECT kind, key, work::json, cause, correlation, run_at \
             FROM UNNEST($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::timestamptz[]) \
                AS j(kind, key, work, cause, correlation, run_at) \
             ON CONFLICT (kind, key) DO NOTHING",
        )
        .bind(&self.kinds)
        .bind(&self.keys)
        .bind(&self.works)
        .bind(&self.causes)
        .bind(&self.correlations)
        .bind(&self.run_at)
        .execute(connection)
        .await?;
        Ok(())
    }
}
