//! Work that follows from events, tried until it is done. Every job looks at the state as it is and may run twice, late or after a
//! restart: its commands have ids that follow from the event, the payment provider and the notifications know ours.

mod write;

use crate::{
    Scheduler,
    payment::{self, Answer, GatewayError, RefundOrder, Standing},
    reaction,
};
use commands::{Ask, Failure};
use domain::{
    Actor,
    booking::{PaymentState, RefundState, Stage},
    customer::{self, Customer},
    id::{BookingId, CustomerId, LaunchId, PaymentId, RefundId},
    launch::{Command, Launch, Refusal},
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use nats::Moment;
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row};
use std::time::Duration;
use uuid::Uuid;

/// How long after it was begun a payment without an answer counts as in doubt.
pub(crate) const DOUBT_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// How long a payment the provider has never heard of may still be on its way.
const ON_ITS_WAY_MAX: SignedDuration = SignedDuration::from_secs(120);
/// How long a job is left to who took it before another may.
const TAKEN_FOR: SignedDuration = SignedDuration::from_secs(60);
/// How long to wait after the first failure; each further one doubles it.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);
/// After so many tries a job is shown as stuck; it is tried on.
const STUCK_AFTER: i32 = 10;
/// How many jobs of one group ask the streams at the same time.
const TOGETHER_MAX: usize = 8;
/// How many bookings of an aborted launch are cancelled at the same time.
const CANCELLING_MAX: usize = 8;
/// How many answers are taken from the provider at once.
const DELIVERIES_MAX: usize = 100;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum Work {
    /// End every booking of an aborted launch.
    CancelBookings { launch: LaunchId },
    /// Ask the provider what became of a payment, if nobody knows yet.
    SettlePayment { launch: LaunchId, booking: BookingId, payment: PaymentId, initiated_at: Timestamp },
    /// Give money back.
    PayRefund { launch: LaunchId, booking: BookingId, refund: RefundId },
    /// Count a booking for its customer, or no longer.
    CountTrip { launch: LaunchId, booking: BookingId, customer: CustomerId },
    /// Finish what the erasure of a customer began.
    Forget { customer: CustomerId },
    /// Write to whom the event at this position concerns.
    Write { position: u64 },
    /// React to the event at this position, which could not be read when its turn came.
    React { position: u64 },
}

impl Work {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::CancelBookings { .. } => "cancel_bookings",
            Self::SettlePayment { .. } => "settle_payment",
            Self::PayRefund { .. } => "pay_refund",
            Self::CountTrip { .. } => "count_trip",
            Self::Forget { .. } => "forget",
            Self::Write { .. } => "write",
            Self::React { .. } => "react",
        }
    }
}

/// A job that is ours for a while.
#[derive(Debug)]
pub(crate) struct Job {
    id: i64,
    work: Work,
    cause: Uuid,
    correlation: Uuid,
    attempts: i32,
}

/// Why a job is not done yet; it is tried again.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotYet(String);

impl NotYet {
    fn because(why: impl std::fmt::Display) -> Self {
        Self(why.to_string())
    }
}

/// Takes up to `limit` jobs that are due.
pub(crate) async fn take(pool: &PgPool, now: Timestamp, limit: usize) -> Result<Vec<Job>, sqlx::Error> {
    let rows = sqlx::query(
        // An array, so that the limit holds: joined, the subquery may run once for each job there is, and find others each time.
        "UPDATE scheduler.jobs SET run_at = $2, attempts = attempts + 1 \
         WHERE id = ANY(ARRAY(SELECT id FROM scheduler.jobs WHERE run_at <= $1 ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)) \
         RETURNING id, work::text, cause, correlation, attempts",
    )
    .bind(Moment(now))
    .bind(Moment(now + TAKEN_FOR))
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            let work = serde_json::from_str(row.try_get(1)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Job { id: row.try_get(0)?, work, cause: row.try_get(2)?, correlation: row.try_get(3)?, attempts: row.try_get(4)? })
        })
        .collect()
}

/// Lets go of jobs that were taken and not done, so that they need not wait for whoever comes next.
pub(crate) async fn let_go(pool: &PgPool, jobs: &[i64], now: Timestamp) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE scheduler.jobs SET run_at = $2 WHERE id = ANY($1)").bind(jobs).bind(Moment(now)).execute(pool).await?;
    Ok(())
}

/// Records that jobs are done. One that is not recorded runs again; nor is the disk waited for.
pub(crate) async fn done(pool: &PgPool, jobs: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM scheduler.jobs USING (SELECT set_config('synchronous_commit', 'off', true)) AS lax WHERE id = ANY($1)")
        .bind(jobs)
        .execute(pool)
        .await?;
    Ok(())
}

/// Puts together what is done together: to write about events costs as much for one as for many, and the commands that count trips share
/// an append. What failed before is tried alone.
pub(crate) fn grouped(jobs: Vec<Job>) -> impl Iterator<Item = Vec<Job>> {
    let (mut writes, mut trips, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for job in jobs {
        match job.work {
            Work::Write { .. } if job.attempts == 1 => writes.push(job),
            Work::CountTrip { .. } if job.attempts == 1 => trips.push(job),
            _ => groups.push(vec![job]),
        }
    }
    groups.into_iter().chain([trips, writes]).filter(|group| !group.is_empty())
}

/// Does jobs of one group, or records when to try them again; says which are done.
pub(crate) async fn run(jobs: Vec<Job>, scheduler: &Scheduler) -> Vec<(i64, bool)> {
    let positions: Option<Vec<u64>> =
        jobs.iter().map(|job| if let Work::Write { position } = job.work { Some(position) } else { None }).collect();
    let outcomes = match positions {
        Some(positions) => write::write(scheduler, &positions).await,
        None => {
            let works: Vec<_> = jobs.iter().map(|job| job.work(scheduler)).collect();
            stream::iter(works).buffered(TOGETHER_MAX).collect().await
        }
    };
    let mut settled = Vec::with_capacity(jobs.len());
    for (job, outcome) in jobs.into_iter().zip(outcomes) {
        settled.push(job.settle(scheduler, outcome).await);
    }
    settled
}

impl Job {
    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    /// Records when to try again unless the work is done; says whether it is.
    async fn settle(self, scheduler: &Scheduler, outcome: Result<(), NotYet>) -> (i64, bool) {
        let Err(NotYet(why)) = outcome else { return (self.id, true) };
        let doubled = RETRY_AFTER * 2_u32.saturating_pow(u32::try_from(self.attempts - 1).unwrap_or_default().min(16));
        let wait = doubled.min(RETRY_AFTER_MAX);
        if self.attempts >= STUCK_AFTER {
            tracing::error!(job.kind = self.work.kind(), cause = %self.cause, "Job is stuck after {} tries: {why}", self.attempts);
        } else {
            tracing::warn!(job.kind = self.work.kind(), cause = %self.cause, "Job is tried again in {} s: {why}", wait.as_secs());
        }
        let recorded = sqlx::query("UPDATE scheduler.jobs SET run_at = $2, error = $3 WHERE id = $1")
            .bind(self.id)
            .bind(Moment(scheduler.clock.now() + wait))
            .bind(why)
            .execute(&scheduler.pool)
            .await;
        if let Err(error) = recorded {
            tracing::warn!(job.kind = self.work.kind(), "The outcome of a job was not recorded; it runs again: {error}");
        }
        (self.id, false)
    }

    async fn work(&self, scheduler: &Scheduler) -> Result<(), NotYet> {
        match &self.work {
            Work::CancelBookings { launch } => self.cancel_bookings(scheduler, *launch).await,
            Work::SettlePayment { launch, booking, payment, initiated_at } => {
                settle_payment(scheduler, *launch, *booking, *payment, *initiated_at).await
            }
            Work::PayRefund { launch, booking, refund } => self.pay_refund(scheduler, *launch, *booking, *refund).await,
            Work::CountTrip { launch, booking, customer } => self.count_trip(scheduler, *launch, *booking, *customer).await,
            Work::Forget { customer } => scheduler.addresses.forget(*customer).await.map_err(NotYet::because),
            Work::Write { position } => write::write(scheduler, &[*position]).await.into_iter().collect(),
            Work::React { position } => react(scheduler, *position).await,
        }
    }

    fn ask(&self, name: &str) -> Ask {
        Ask::because_of(self.cause, self.correlation, Actor::Scheduler, name)
    }

    async fn cancel_bookings(&self, scheduler: &Scheduler, launch: LaunchId) -> Result<(), NotYet> {
        let open = see(scheduler, &launch, open_bookings).await?;
        let cancelling = open.into_iter().map(|booking| async move {
            let command = Command::CancelForAbort { booking, refund: RefundId::derived(booking.0, "abort"), now: scheduler.clock.now() };
            execute(scheduler, &launch, command, &self.ask(&format!("cancel_for_abort:{booking}"))).await
        });
        let outcomes: Vec<Result<(), NotYet>> = stream::iter(cancelling).buffer_unordered(CANCELLING_MAX).collect().await;
        outcomes.into_iter().collect::<Result<(), NotYet>>()?;
        match see(scheduler, &launch, |state| open_bookings(state).len()).await? {
            0 => Ok(()),
            left => Err(NotYet(format!("{left} bookings of the aborted launch are still open"))),
        }
    }

    async fn pay_refund(&self, scheduler: &Scheduler, launch: LaunchId, booking: BookingId, refund: RefundId) -> Result<(), NotYet> {
        let known = see(scheduler, &launch, move |state| state.manifest()?.bookings.get(&booking)?.refunds.get(&refund).cloned()).await?;
        let Some(known) = known else { return Err(NotYet("the launch knows no such refund".to_owned())) };
        if known.state == RefundState::Paid {
            return Ok(());
        }
        let order = RefundOrder { refund, payment: known.payment, amount: known.amount };
        match tokio::time::timeout(payment::ANSWER_WAIT_MAX, scheduler.gateway.refund(&order)).await {
            Ok(Ok(refunded)) => {
                let command = Command::SettleRefund { booking, refund, reference: refunded.reference, now: scheduler.clock.now() };
                execute(scheduler, &launch, command, &self.ask("settle_refund")).await
            }
            Ok(Err(GatewayError::Declined { reason })) => {
                let command = Command::FailRefund { booking, refund, reason: reason.clone(), now: scheduler.clock.now() };
                execute(scheduler, &launch, command, &self.ask(&format!("fail_refund:{}", self.attempts))).await?;
                Err(NotYet(format!("the provider did not give the money back: {reason}")))
            }
            Ok(Err(GatewayError::Unknown(why))) => Err(NotYet(why)),
            Err(_) => Err(NotYet("the payment provider does not answer".to_owned())),
        }
    }

    /// Makes the customer's trips say what the booking says. Looks again afterwards: the booking may have been cancelled meanwhile, and
    /// the job for that may have run before this one.
    async fn count_trip(&self, scheduler: &Scheduler, launch: LaunchId, booking: BookingId, customer: CustomerId) -> Result<(), NotYet> {
        let mut counted = None;
        loop {
            let counts = see(scheduler, &launch, move |state| {
                let known = state.manifest().and_then(|manifest| manifest.bookings.get(&booking));
                known.is_some_and(|known| matches!(known.stage, Stage::Confirmed { .. }))
            })
            .await?;
            if counted == Some(counts) {
                return Ok(());
            }
            let now = scheduler.clock.now();
            let (name, command) = if counts {
                ("record_trip", customer::Command::RecordTrip { booking, now })
            } else {
                ("drop_trip", customer::Command::DropTrip { booking, now })
            };
            match scheduler.executor.execute::<Customer>(&customer, command, &self.ask(name)).await {
                Ok(_) => {}
                Err(Failure::Refused(customer::Refusal::Unknown)) => {
                    tracing::warn!(customer.id = %customer, "A booking's customer is not registered; no trip is counted");
                    return Ok(());
                }
                Err(failure) => return Err(NotYet::because(failure)),
            }
            counted = Some(counts);
        }
    }
}

fn open_bookings(launch: &Launch) -> Vec<BookingId> {
    let bookings = launch.manifest().map(|manifest| &manifest.bookings);
    bookings
        .into_iter()
        .flatten()
        .filter(|(_, booking)| matches!(booking.stage, Stage::Held { .. } | Stage::Confirmed { .. }))
        .map(|(id, _)| *id)
        .collect()
}

async fn see<T: Send + 'static>(
    scheduler: &Scheduler,
    launch: &LaunchId,
    look: impl Fn(&Launch) -> T + Send + 'static,
) -> Result<T, NotYet> {
    scheduler.executor.see(launch, look).await.map_err(NotYet::because)
}

/// Puts a command that the state asked for. A refusal means that the state has moved on, and asking again would change nothing.
async fn execute(scheduler: &Scheduler, launch: &LaunchId, command: Command, ask: &Ask) -> Result<(), NotYet> {
    match scheduler.executor.execute::<Launch>(launch, command, ask).await {
        Ok(_) => Ok(()),
        Err(Failure::Refused(refusal)) => {
            tracing::warn!(launch.id = %launch, "A command of the scheduler was refused: {refusal}");
            Ok(())
        }
        Err(failure) => Err(NotYet::because(failure)),
    }
}

async fn react(scheduler: &Scheduler, position: u64) -> Result<(), NotYet> {
    let happened = scheduler.feed.at(&[position]).await.map_err(NotYet::because)?;
    let event = happened.first().ok_or_else(|| NotYet(format!("the log has no position {position}")))?;
    reaction::react_late(&scheduler.pool, event).await.map_err(NotYet::because)
}

async fn settle_payment(
    scheduler: &Scheduler,
    launch: LaunchId,
    booking: BookingId,
    payment: PaymentId,
    initiated_at: Timestamp,
) -> Result<(), NotYet> {
    let state = see(scheduler, &launch, move |state| payment::state_of(state, booking, payment)).await?;
    if state != Some(PaymentState::Initiated) {
        return Ok(());
    }
    let answer = match tokio::time::timeout(payment::ANSWER_WAIT_MAX, scheduler.gateway.look_up(payment)).await {
        Ok(Ok(Standing::Answered(answer))) => answer,
        Ok(Ok(Standing::NotFound)) if scheduler.clock.now().duration_since(initiated_at) < ON_ITS_WAY_MAX => {
            return Err(NotYet("the provider has not heard of the payment yet".to_owned()));
        }
        Ok(Ok(Standing::NotFound)) => Answer::Declined { reason: "never_arrived".to_owned() },
        Ok(Err(error)) => return Err(NotYet::because(error)),
        Err(_) => return Err(NotYet("the payment provider does not answer".to_owned())),
    };
    record(scheduler, launch, booking, payment, &answer).await
}

async fn record(scheduler: &Scheduler, launch: LaunchId, booking: BookingId, payment: PaymentId, answer: &Answer) -> Result<(), NotYet> {
    let Scheduler { executor, clock, .. } = scheduler;
    match payment::record(executor, &**clock, launch, booking, payment, answer, Actor::Scheduler).await {
        Ok(_) => Ok(()),
        Err(Failure::Refused(Refusal::PaymentDeclined)) => {
            // Money without a booking: nothing here may decide what to do about it.
            tracing::error!(payment.id = %payment, launch.id = %launch, "The provider took money for a payment that was recorded as declined");
            Ok(())
        }
        Err(Failure::Refused(refusal)) => {
            tracing::error!(payment.id = %payment, launch.id = %launch, "An answer of the payment provider was refused: {refusal}");
            Ok(())
        }
        Err(failure) => Err(NotYet::because(failure)),
    }
}

/// Takes in the answers the provider delivers by itself.
pub(crate) async fn take_deliveries(scheduler: &Scheduler) -> Result<(), NotYet> {
    for delivery in scheduler.gateway.deliveries(DELIVERIES_MAX).await.map_err(NotYet::because)? {
        let (booking, payment) = (delivery.booking, delivery.payment);
        let state = see(scheduler, &delivery.launch, move |state| payment::state_of(state, booking, payment)).await?;
        if state == Some(PaymentState::Initiated) {
            record(scheduler, delivery.launch, delivery.booking, delivery.payment, &delivery.answer).await?;
        }
        scheduler.gateway.acknowledge(&delivery).await.map_err(NotYet::because)?;
        tracing::info!(payment.id = %delivery.payment, "Took in an answer the payment provider delivered by itself");
    }
    Ok(())
}
