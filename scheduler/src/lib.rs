//! Everything that happens by itself: holds expire, payments in doubt are settled, aborted launches are unwound, money goes back, mails
//! are sent. Acts on time and on events through commands, like anyone else; what may happen is decided by the domain.
//!
//! - [`payment`]: takes a payment through a [`payment::Gateway`]; used by the customer service too.
//! - [`notification`], [`letter`]: mails, one per cause and recipient.
//! - [`mailbox`]: where they end up in development.

pub mod address;
mod job;
pub mod letter;
pub mod mailbox;
mod mongo;
pub mod notification;
pub mod payment;
pub mod policies;
mod reaction;
mod timer;

pub use address::{AddressBook, AddressError, Person};
pub use mailbox::Mailbox;
pub use notification::{Mailer, Notifications};

use commands::{Executor, clock::Clock};
use futures::{StreamExt, stream::FuturesUnordered};
use mongodb::Database;
use nats::Feed;
use payment::Gateway;
use reaction::{Reacted, Reactions};
use sqlx::PgPool;
use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Display,
    future::Future,
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;
use vault::Vault;

/// How long events are gathered before they are reacted to.
const REACT_EVERY: Duration = Duration::from_millis(25);
/// How long they are gathered at most while many wait for answers to commands.
const REACT_EVERY_IN_RUSH: Duration = Duration::from_millis(500);
/// How long no jobs are begun, and no mails, at most while many wait for answers to commands.
pub(crate) const RUSH_REST_MAX: Duration = Duration::from_millis(500);
/// How many jobs run at the same time, or groups of jobs that are done together.
const JOBS_MAX: usize = 8;
/// How many jobs are taken at once, to be done one after another; far fewer than can be done while they are left to us.
const TAKEN_MAX: usize = 64;
/// How many finished jobs are recorded together while others go on.
const DONE_MAX: usize = 32;
/// How often due jobs, mails and deliveries are looked for when nothing wakes the loop that does them.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a loop rests after a failure of a server behind it.
const REST: Duration = Duration::from_secs(1);

/// Brings the scheduler's own tables up to date. They share the table of migrations with the event store, which is migrated first.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator.run(pool).await
}

/// Everything the scheduler works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// Puts commands.
    pub executor: Executor,
    /// The database of the event store; it also has the timers and the jobs.
    pub pool: PgPool,
    /// The log.
    pub feed: Feed,
    /// The system data: notifications.
    pub mongo: Database,
    /// The payment provider.
    pub gateway: Arc<dyn Gateway>,
    /// The mail server.
    pub mailer: Mailer,
    /// Seals letters.
    pub vault: Vault,
    /// Names and addresses.
    pub addresses: Arc<dyn AddressBook>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Works until `stop`. Several may run at once, in any processes: what two of them do is done once.
pub async fn run(scheduler: Scheduler, stop: CancellationToken) {
    let jobs_queued = Notify::new();
    let mails_queued = Notify::new();
    tokio::join!(
        fire_timers(&scheduler, &stop),
        react(&scheduler, &jobs_queued, &stop),
        do_jobs(&scheduler, &jobs_queued, &mails_queued, &stop),
        take_deliveries(&scheduler, &stop),
        send_mails(&scheduler, &mails_queued, &stop),
    );
}

/// `work` until it is done or `stop`; none when stopped.
async fn until<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = stop.cancelled() => None,
        done = work => Some(done),
    }
}

async fn rest(stop: &CancellationToken, doing: &str, error: impl Display) {
    if !stop.is_cancelled() {
        tracing::warn!("Could not {doing}, trying on: {error:#}");
        until(stop, sleep(REST)).await;
    }
}

async fn fire_timers(scheduler: &Scheduler, stop: &CancellationToken) {
    let Scheduler { executor, pool, clock, .. } = scheduler;
    loop {
        let looked = until(stop, timer::fire_due(executor, pool, &**clock)).await;
        let pause = match looked {
            None => return,
            Some(Ok((_, left))) if left > 0 => timer::LOOK_EVERY,
            Some(Ok(_)) => match until(stop, timer::next_look(pool, &**clock)).await {
                None => return,
                Some(pause) => pause,
            },
            Some(Err(error)) => {
                rest(stop, "fire the timers", error).await;
                continue;
            }
        };
        if until(stop, sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn react(scheduler: &Scheduler, jobs_queued: &Notify, stop: &CancellationToken) {
    let mut reactions = None;
    loop {
        let outcome = until(stop, async {
            let reading = match &mut reactions {
                Some(reading) => reading,
                none => none.insert(Reactions::resume(scheduler.pool.clone(), &scheduler.feed).await?),
            };
            reading.react_on(scheduler.feed.rush()).await
        })
        .await;
        match outcome {
            None => return,
            Some(Ok(Reacted::Jobs(count))) => {
                if count > 0 {
                    jobs_queued.notify_one();
                }
                // What comes meanwhile is one transaction, not one each.
                if until(stop, scheduler.feed.rush().rest(REACT_EVERY, REACT_EVERY_IN_RUSH)).await.is_none() {
                    return;
                }
            }
            Some(Ok(Reacted::Overtaken)) => reactions = None,
            Some(Err(error)) => {
                reactions = None;
                rest(stop, "react to the log", error).await;
            }
        }
    }
}

async fn do_jobs(scheduler: &Scheduler, jobs_queued: &Notify, mails_queued: &Notify, stop: &CancellationToken) {
    let Scheduler { pool, clock, feed, .. } = scheduler;
    let rush = feed.rush();
    let mut running = FuturesUnordered::new();
    let mut waiting = VecDeque::new();
    let mut ours: BTreeSet<i64> = BTreeSet::new();
    let mut finished: Vec<i64> = Vec::new();
    let mut look = true;
    let mut turns = interval(LOOK_EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_cancelled() {
        if look && waiting.is_empty() && (running.is_empty() || !rush.is_on()) {
            // Only where none of ours would stand still meanwhile: they may hold what others wait for.
            if running.is_empty() && until(stop, rush.rest(Duration::ZERO, RUSH_REST_MAX)).await.is_none() {
                break;
            }
            // Not cut off by `stop`: what was taken without our knowing would wait until it counts as abandoned.
            match job::take(pool, clock.now(), TAKEN_MAX).await {
                Ok(jobs) => {
                    look = jobs.len() == TAKEN_MAX;
                    ours.extend(jobs.iter().map(job::Job::id));
                    waiting.extend(job::grouped(jobs));
                }
                Err(error) => rest(stop, "take jobs", error).await,
            }
        }
        while running.len() < JOBS_MAX
            && let Some(jobs) = waiting.pop_front()
        {
            running.push(job::run(jobs, scheduler));
        }
        if finished.len() >= DONE_MAX || running.is_empty() {
            record(pool, &mut finished, &mut ours).await;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = running.next() => {
                for (id, done) in ended {
                    if done {
                        finished.push(id);
                    } else {
                        ours.remove(&id);
                    }
                }
                mails_queued.notify_one();
            }
            () = jobs_queued.notified() => look = true,
            _ = turns.tick() => {
                look = true;
                record(pool, &mut finished, &mut ours).await;
            }
        }
    }
    drop(running);
    record(pool, &mut finished, &mut ours).await;
    if !ours.is_empty() {
        let ours: Vec<i64> = ours.into_iter().collect();
        if let Err(error) = job::let_go(pool, &ours, clock.now()).await {
            tracing::warn!("{} jobs were left taken; they run after a while: {error}", ours.len());
        }
    }
}

/// Records that jobs are done, all in one statement.
async fn record(pool: &PgPool, finished: &mut Vec<i64>, ours: &mut BTreeSet<i64>) {
    if finished.is_empty() {
        return;
    }
    if let Err(error) = job::done(pool, finished).await {
        tracing::warn!("{} jobs were not recorded as done; they run again: {error}", finished.len());
    }
    for id in finished.drain(..) {
        ours.remove(&id);
    }
}

async fn take_deliveries(scheduler: &Scheduler, stop: &CancellationToken) {
    loop {
        match until(stop, job::take_deliveries(scheduler)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(error)) => rest(stop, "take in answers of the payment provider", error).await,
        }
        if until(stop, sleep(LOOK_EVERY)).await.is_none() {
            return;
        }
    }
}

async fn send_mails(scheduler: &Scheduler, mails_queued: &Notify, stop: &CancellationToken) {
    let Scheduler { mongo, vault, mailer, addresses, clock, feed, .. } = scheduler;
    let notifications = Notifications::new(mongo, vault.clone());
    while let Some(Err(error)) = until(stop, notifications.index()).await {
        rest(stop, "index the notifications", error).await;
    }
    loop {
        let woken = async {
            tokio::select! { () = mails_queued.notified() => {}, () = sleep(LOOK_EVERY) => {} }
        };
        if until(stop, woken).await.is_none() {
            return;
        }
        // Not cut off by `stop` between two steps of one mail, or a mail that was sent would count as uncertain.
        if let Err(error) = notification::send_due(&notifications, mailer, &**addresses, &**clock, feed.rush(), stop).await {
            rest(stop, "send mails", error).await;
        }
    }
}
