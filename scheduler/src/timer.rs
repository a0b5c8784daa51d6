//! Puts the commands that are due to the launches that asked for them. Does not decide: the launch looks at itself and may do nothing.

use crate::policies;
use commands::{
    Ask, Executor, Failure,
    clock::Clock,
    timers::{self, Timer},
};
use domain::{
    Actor, Decider,
    booking::Stage,
    id::{BookingId, LaunchId},
    launch::{self, Command, Launch, Refusal},
};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use sqlx::PgPool;
use std::time::Duration;

/// How many timers are taken at once.
const BATCH_TIMERS_MAX: i64 = 256;
/// How many of them are put to their launches at the same time.
const IN_FLIGHT_MAX: usize = 16;
/// The longest sleep between two looks: a clock may be set, and another process may add a timer.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The timers could not be looked at, or not all be fired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TimerError {
    #[error("read the timers")]
    Timers(#[from] sqlx::Error),
    #[error("read the policies")]
    Policies(#[from] commands::StoreError),
}

/// Fires what is due; says how many did and how many were left for later.
pub(crate) async fn fire_due(executor: &Executor, pool: &PgPool, clock: &dyn Clock) -> Result<(usize, usize), TimerError> {
    let (mut fired, mut left) = (0, 0);
    loop {
        let now = clock.now();
        let due = timers::due(pool, now, BATCH_TIMERS_MAX).await?;
        if due.is_empty() {
            return Ok((fired, left));
        }
        let policies = policies::in_force(executor).await?;
        let firing = due.into_iter().map(|timer| {
            let policies = &policies;
            async move { fire(executor, &timer, policies, now).await.then_some(timer) }
        });
        let outcomes: Vec<Option<Timer>> = stream::iter(firing).buffer_unordered(IN_FLIGHT_MAX).collect().await;
        let late = outcomes.iter().filter(|outcome| outcome.is_none()).count();
        let done: Vec<Timer> = outcomes.into_iter().flatten().collect();
        timers::fired(pool, &done, now).await?;
        fired += done.len();
        left += late;
        if late > 0 {
            return Ok((fired, left));
        }
    }
}

/// When to look again.
pub(crate) async fn next_look(pool: &PgPool, clock: &dyn Clock) -> Duration {
    let Ok(Some(next)) = timers::next_due(pool).await else { return LOOK_EVERY };
    Duration::try_from(next.duration_since(clock.now())).unwrap_or_default().clamp(Duration::from_millis(20), LOOK_EVERY)
}

/// Whether the timer has done its work.
async fn fire(executor: &Executor, timer: &Timer, policies: &domain::policy::Policies, now: Timestamp) -> bool {
    let Timer { stream_type, stream_id, kind, subject, due_at, event_id } = timer;
    let unknown = || {
        tracing::error!(stream = %format!("{stream_type}/{stream_id}"), "A timer of kind {kind} is not known here; it is left alone");
        false
    };
    if stream_type != Launch::NAME {
        return unknown();
    }
    let Ok(launch) = stream_id.parse::<LaunchId>() else { return unknown() };
    let command = match (kind.as_str(), subject.parse::<BookingId>()) {
        (launch::EXPIRE_HOLD, Ok(booking)) => match is_over(executor, launch, booking, now).await {
            Some(true) => Command::ExpireHold { booking, now },
            // Refusals are kept for ever under the command's id, so the launch is not asked too early.
            Some(false) | None => return false,
        },
        (launch::REVIEW_VIABILITY, _) => Command::ReviewViability { policies: Box::new(policies.clone()), now },
        _ => return unknown(),
    };
    let ask = Ask::because_of(*event_id, *event_id, Actor::Scheduler, &format!("{kind}:{subject}:{due_at}"));
    match executor.execute::<Launch>(&launch, command, &ask).await {
        Ok(done) => {
            if !done.repeated && !done.events.is_empty() {
                tracing::info!(launch.id = %launch, "Timer {kind} fired");
            }
            true
        }
        Err(Failure::Refused(Refusal::HoldNotOver { .. })) => false,
        Err(Failure::Refused(refusal)) => {
            tracing::warn!(launch.id = %launch, "Timer {kind} was refused: {refusal}");
            true
        }
        Err(failure) => {
            tracing::warn!(launch.id = %launch, "Timer {kind} is left for later: {failure}");
            false
        }
    }
}

/// Whether a hold's time is up, or it is no hold any more; none when the store does not answer.
async fn is_over(executor: &Executor, launch: LaunchId, booking: BookingId, now: Timestamp) -> Option<bool> {
    let look = move |state: &Launch| {
        let known = state.manifest().and_then(|manifest| manifest.bookings.get(&booking));
        !known.is_some_and(|known| matches!(known.stage, Stage::Held { release_at, .. } if now < release_at))
    };
    executor.see(&launch, look).await.ok()
}
