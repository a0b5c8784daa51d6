//! One shard: the streams hot in it, the batch being decided, and the batch being written. While one batch is on its way to disk the next
//! is decided on top of it; should the write fail, both are void and decided again from what is stored.
//!
//! Never waits: reading cold streams and the command log happens in tasks that report back.

use super::{
    Limits,
    job::{Hot, Job, Looking, Trouble},
    snapshot::{self, Cold, Restored, Snapshot},
};
use crate::{
    StoreError, Wake,
    guards::{Guard, Guards},
    store::{self, Appended, Key, Rows},
};
use futures::future::BoxFuture;
use rand::Rng;
use sqlx::{PgPool, Postgres, pool::PoolConnection};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use uuid::Uuid;

/// The most streams read in one query.
const LOAD_STREAMS_MAX: usize = 64;
/// How many finished commands a shard remembers, so that a repeat is looked up at once and does not spoil a batch.
const RECENT_COMMANDS_MAX: usize = 4_096;
/// How long an append may take before its outcome counts as unknown.
const APPEND_WAIT_MAX: Duration = Duration::from_secs(10);
/// The longest pause before a command is decided again.
const PAUSE_MAX: Duration = Duration::from_millis(64);
/// How often in a row the store may fail for a command before its caller is told.
const STORE_FAILURES_MAX: u32 = 3;
/// How many snapshots one shard writes at a time; what is due meanwhile waits.
const SNAPSHOT_WRITES_MAX: usize = 1;
/// Idle streams are looked for no more often than this, whatever the limits say.
const SWEEP_EVERY_MIN: Duration = Duration::from_millis(1);

pub(super) enum Message {
    Put(Box<dyn Job>),
    Look(Key, Box<dyn Looking>),
}

/// What a task of the shard reports.
enum Report {
    Loaded(Vec<Cold>, Vec<Restored>),
    NotLoaded(Vec<Key>, StoreError),
    /// Snapshots were compared with the truth; these streams had a wrong one.
    Wrong(Vec<Key>),
    Again(Vec<Box<dyn Job>>),
}

enum Slot {
    Ready { hot: Box<dyn Hot>, used_at: Instant },
    Loading(Vec<Box<dyn Job>>),
}

#[derive(Default)]
struct Batch {
    rows: Rows,
    jobs: Vec<Box<dyn Job>>,
    looks: Vec<Box<dyn Looking>>,
    /// Streams as they stood amid the batch, to be kept once that is committed.
    snapshots: Vec<Snapshot>,
}

/// The commands that are answered, newest last.
#[derive(Default)]
struct Recent {
    known: HashSet<Uuid>,
    order: VecDeque<Uuid>,
}

impl Recent {
    fn insert(&mut self, id: Uuid) {
        if self.known.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > RECENT_COMMANDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// A batch, how its append ended, and the connection if that is sound.
type Written = (Batch, Appended, Option<PoolConnection<Postgres>>);

pub(super) struct Shard {
    pool: PgPool,
    wake: Wake,
    limits: Limits,
    inbox: mpsc::UnboundedReceiver<Message>,
    reports: mpsc::UnboundedReceiver<Report>,
    reporter: mpsc::UnboundedSender<Report>,
    /// Tasks that have not reported yet.
    tasks: usize,
    slots: HashMap<Key, Slot>,
    cold: Vec<Cold>,
    snapshot_writes: Arc<Semaphore>,
    lookups: Vec<Box<dyn Job>>,
    next: Batch,
    writing: Option<BoxFuture<'static, Written>>,
    /// The connection of the last write, while the next follows at once: giving it back and taking another costs a round trip.
    connection: Option<PoolConnection<Postgres>>,
    /// The commands in the batch being decided and the one being written.
    flying: HashSet<Uuid>,
    /// Commands whose twin is flying.
    twins: Vec<Box<dyn Job>>,
    recent: Recent,
}

impl Shard {
    pub(super) fn new(pool: PgPool, wake: Wake, limits: Limits, inbox: mpsc::UnboundedReceiver<Message>) -> Self {
        let (reporter, reports) = mpsc::unbounded_channel();
        Self {
            pool,
            wake,
            limits,
            inbox,
            reports,
            reporter,
            tasks: 0,
            slots: HashMap::new(),
            cold: Vec::new(),
            snapshot_writes: Arc::new(Semaphore::new(SNAPSHOT_WRITES_MAX)),
            lookups: Vec::new(),
            next: Batch::default(),
            writing: None,
            connection: None,
            flying: HashSet::new(),
            twins: Vec::new(),
            recent: Recent::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut open = true;
        let mut messages = Vec::new();
        let mut sweep = interval(self.limits.sweep_every.max(SWEEP_EVERY_MIN));
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.start_loads();
            self.start_lookups();
            self.start_write();
            if !open && self.writing.is_none() && self.tasks == 0 {
                return;
            }
            let room = self.limits.batch_commands.saturating_sub(self.next.jobs.len());
            tokio::select! {
                biased;
                (batch, appended, connection) = async { match &mut self.writing { Some(writing) => writing.await, None => std::future::pending().await } } => {
                    self.writing = None;
                    self.connection = connection;
                    if matches!(&appended, Appended::Except(stale) if stale.is_empty()) {
                        // What was decided on top of it is sound: it is on its way before anyone is answered.
                        self.start_write();
                        self.send().await;
                    }
                    self.written(batch, appended);
                }
                Some(report) = self.reports.recv() => {
                    self.tasks -= 1;
                    self.reported(report);
                }
                received = self.inbox.recv_many(&mut messages, room), if open && room > 0 => {
                    open = received > 0;
                    let now = Instant::now();
                    for message in messages.drain(..) {
                        match message {
                            Message::Put(job) => self.admit(job, now),
                            Message::Look(key, look) => self.look(&key, look),
                        }
                    }
                }
                _ = sweep.tick() => self.sweep(Instant::now()),
            }
        }
    }

    /// Decides a command, or puts it where it has to wait.
    fn admit(&mut self, job: Box<dyn Job>, now: Instant) {
        let frame = job.frame();
        let id = frame.ask.command_id;
        if now >= frame.deadline {
            job.fail(Trouble::Busy);
        } else if self.flying.contains(&id) {
            self.twins.push(job);
        } else if frame.check || (!frame.checked && self.recent.known.contains(&id)) {
            self.lookups.push(job);
        } else if let Some(slot) = self.slots.get_mut(&frame.key) {
            match slot {
                Slot::Loading(waiting) => waiting.push(job),
                Slot::Ready { .. } => self.decide(job, now),
            }
        } else {
            self.cold.push(Cold { key: frame.key.clone(), hot: job.fresh() });
            self.slots.insert(frame.key.clone(), Slot::Loading(vec![job]));
        }
    }

    fn decide(&mut self, mut job: Box<dyn Job>, now: Instant) {
        let key = job.frame().key.clone();
        let Some(Slot::Ready { hot, used_at }) = self.slots.get_mut(&key) else { return self.admit(job, now) };
        *used_at = now;
        let mark = self.next.rows.mark();
        let rows = &mut self.next.rows;
        // A panic in a rule costs that command, not the shard.
        let decided = catch_unwind(AssertUnwindSafe(|| job.decide(hot.as_mut(), rows)));
        match decided {
            Ok(Ok(())) => {
                self.flying.insert(job.frame().ask.command_id);
                if self.snapshot_writes.available_permits() > 0 {
                    self.next.snapshots.extend(hot.snapshot(&key, self.limits.snapshot_every_events));
                }
                if !self.limits.guards.has(Guard::AnswerAfterCommit) {
                    job.answer_early();
                }
                self.next.jobs.push(job);
            }
            Ok(Err(trouble)) => {
                self.next.rows.truncate(mark);
                job.fail(trouble);
            }
            Err(_) => {
                self.next.rows.truncate(mark);
                self.evict(&key);
                tracing::error!(stream.type = key.stream_type, stream.id = %key.stream_id, "A command panicked");
                job.fail(Trouble::Unavailable("the command failed".to_owned()));
            }
        }
    }

    fn look(&mut self, key: &Key, mut look: Box<dyn Looking>) {
        let hot = match self.slots.get(key) {
            Some(Slot::Ready { hot, .. }) => Some(hot.as_ref()),
            Some(Slot::Loading(_)) | None => None,
        };
        look.see(hot);
        if self.writing.is_none() && self.next.jobs.is_empty() {
            look.tell(true);
        } else {
            self.next.looks.push(look);
        }
    }

    fn start_write(&mut self) {
        if self.writing.is_some() {
            return;
        }
        let kept = self.connection.take();
        if self.next.jobs.is_empty() {
            for look in self.next.looks.drain(..) {
                look.tell(true);
            }
            return;
        }
        #[cfg_attr(not(debug_assertions), allow(unused_mut))]
        let mut batch = std::mem::take(&mut self.next);
        let (pool, guards) = (self.pool.clone(), self.limits.guards);
        self.writing = Some(Box::pin(async move {
            let since = Instant::now();
            let mut connection = match kept {
                Some(connection) => connection,
                None => match pool.acquire().await {
                    Ok(connection) => connection,
                    Err(error) => return (batch, Appended::Hindered(error), None),
                },
            };
            let appended = match timeout(APPEND_WAIT_MAX, store::append(&mut connection, &batch.rows, guards)).await {
                #[cfg(debug_assertions)]
                Ok(Appended::Overtaken) if !guards.has(Guard::VersionCheck) => {
                    let mut appended = Appended::Overtaken;
                    while matches!(appended, Appended::Overtaken) && store::move_behind(&mut connection, &mut batch.rows).await.is_ok() {
                        appended = store::append(&mut connection, &batch.rows, guards).await;
                    }
                    appended
                }
                Ok(appended) => appended,
                Err(late) => Appended::Unknown(sqlx::Error::Io(late.into())),
            };
            metrics::histogram!("astro_append_seconds").record(since.elapsed());
            let sound = matches!(appended, Appended::Except(_));
            if matches!(appended, Appended::Unknown(_)) {
                connection.close_on_drop();
            }
            (batch, appended, sound.then_some(connection))
        }));
    }

    /// Lets a write begin, as far as it goes without waiting.
    async fn send(&mut self) {
        if let Some(writing) = &mut self.writing
            && let Poll::Ready(written) = futures::poll!(writing)
        {
            self.writing = Some(Box::pin(std::future::ready(written)));
        }
    }

    fn written(&mut self, batch: Batch, appended: Appended) {
        match appended {
            Appended::Except(stale) => self.committed(batch, &stale),
            Appended::Overtaken => self.void(batch, "another process was first", |_| Next::Again),
            Appended::Repeated => self.void(batch, "a command was repeated", |_| Next::Check),
            Appended::Hindered(error) => {
                let why = format!("the event store is hindered: {error}");
                self.void(batch, &why, |attempts| if attempts < STORE_FAILURES_MAX { Next::Again } else { Next::Fail });
            }
            Appended::Unknown(error) => {
                let why = format!("whether it was done is not known: {error}");
                self.void(batch, &why, |attempts| if attempts < STORE_FAILURES_MAX { Next::Check } else { Next::Fail });
            }
            Appended::Rejected(error) => {
                let why = format!("the event store rejects it: {error}");
                self.void(batch, &why, |_| Next::Fail);
            }
        }
        let now = Instant::now();
        for twin in std::mem::take(&mut self.twins) {
            self.admit(twin, now);
        }
    }

    fn committed(&mut self, batch: Batch, stale: &HashSet<Uuid>) {
        if batch.rows.events() > 0 {
            self.wake.wake();
        }
        self.keep(batch.snapshots);
        let mut again = Vec::new();
        for job in batch.jobs {
            let id = job.frame().ask.command_id;
            self.flying.remove(&id);
            if stale.contains(&id) {
                // Decided on what was no longer so, because another process writes to the stream too.
                let key = job.frame().key.clone();
                self.evict(&key);
                again.push(job);
            } else {
                self.recent.insert(id);
                job.done();
            }
        }
        for look in batch.looks {
            look.tell(stale.is_empty());
        }
        self.again(again, "another process was first");
    }

    /// Nothing of `batch` counts, nor of what was decided on top of it.
    fn void(&mut self, batch: Batch, why: &str, next: impl Fn(u32) -> Next) {
        tracing::debug!(commands = batch.jobs.len(), "Deciding again: {why}");
        let above = std::mem::take(&mut self.next);
        for look in batch.looks.into_iter().chain(above.looks) {
            look.tell(false);
        }
        for job in batch.jobs.iter().chain(&above.jobs) {
            self.flying.remove(&job.frame().ask.command_id);
            let key = job.frame().key.clone();
            self.evict(&key);
        }
        let mut again = Vec::new();
        for mut job in batch.jobs {
            match next(job.frame().attempts) {
                Next::Again => again.push(job),
                Next::Check => {
                    job.frame_mut().check = true;
                    again.push(job);
                }
                Next::Fail => job.fail(Trouble::Unavailable(why.to_owned())),
            }
        }
        again.extend(above.jobs);
        self.again(again, why);
    }

    /// Decides commands again after a moment that grows with their attempts; chance keeps processes out of step.
    fn again(&mut self, jobs: Vec<Box<dyn Job>>, why: &str) {
        let mut later = Vec::new();
        let mut attempts = 0;
        for mut job in jobs {
            let frame = job.frame_mut();
            frame.attempts += 1;
            if frame.attempts > self.limits.attempts {
                tracing::warn!(stream.type = frame.key.stream_type, stream.id = %frame.key.stream_id, "Giving up on a command: {why}");
                job.fail(Trouble::Busy);
            } else {
                attempts = attempts.max(frame.attempts);
                later.push(job);
            }
        }
        if later.is_empty() {
            return;
        }
        let most = Duration::from_micros(500 << attempts.min(10)).min(PAUSE_MAX);
        let pause = most.mul_f64(rand::rng().random());
        self.spawn(async move {
            sleep(pause).await;
            Report::Again(later)
        });
    }

    /// Forgets a stream, so that the next command reads what is stored.
    fn evict(&mut self, key: &Key) {
        if let Some(Slot::Ready { .. }) = self.slots.get(key) {
            self.slots.remove(key);
            metrics::counter!("astro_streams_dropped_total").increment(1);
        }
    }

    fn spawn(&mut self, task: impl Future<Output = Report> + Send + 'static) {
        self.tasks += 1;
        let reporter = self.reporter.clone();
        tokio::spawn(async move {
            // The shard holds a receiver as long as it counts tasks.
            let _ = reporter.send(task.await);
        });
    }

    /// Writes committed snapshots, beside everything else.
    fn keep(&self, snapshots: impl IntoIterator<Item = Snapshot>) {
        for snapshot in snapshots {
            let Ok(permit) = self.snapshot_writes.clone().try_acquire_owned() else { return };
            let pool = self.pool.clone();
            tokio::spawn(async move {
                snapshot::write(&pool, snapshot).await;
                drop(permit);
            });
        }
    }

    /// Compares snapshots with the truth. A stream with a wrong one is read anew; what was decided on it stands.
    fn check(&mut self, sample: Vec<Restored>) {
        let pool = self.pool.clone();
        self.spawn(async move {
            let mut wrong = Vec::new();
            for restored in sample {
                let key = restored.key.clone();
                match snapshot::verify(&pool, restored).await {
                    Ok(true) => {}
                    Ok(false) => wrong.push(key),
                    Err(error) => tracing::debug!("A snapshot could not be checked: {error}"),
                }
            }
            Report::Wrong(wrong)
        });
    }

    fn start_loads(&mut self) {
        while !self.cold.is_empty() {
            let rest = self.cold.split_off(self.cold.len().min(LOAD_STREAMS_MAX));
            let mut streams = std::mem::replace(&mut self.cold, rest);
            let (pool, check_one_in) = (self.pool.clone(), self.limits.snapshot_check_one_in);
            self.spawn(async move {
                match snapshot::load(&pool, &mut streams, check_one_in).await {
                    Ok(sample) => Report::Loaded(streams, sample),
                    Err(error) => Report::NotLoaded(streams.into_iter().map(|cold| cold.key).collect(), error),
                }
            });
        }
    }

    fn start_lookups(&mut self) {
        if self.lookups.is_empty() {
            return;
        }
        let jobs = std::mem::take(&mut self.lookups);
        let (pool, guards) = (self.pool.clone(), self.limits.guards);
        self.spawn(async move { Report::Again(look_up(&pool, jobs, guards).await) });
    }

    fn reported(&mut self, report: Report) {
        let now = Instant::now();
        match report {
            Report::Again(jobs) => {
                for job in jobs {
                    self.admit(job, now);
                }
            }
            Report::Wrong(keys) => keys.iter().for_each(|key| self.evict(key)),
            Report::Loaded(streams, sample) => {
                metrics::counter!("astro_streams_loaded_total").increment(streams.len() as u64);
                if !sample.is_empty() {
                    self.check(sample);
                }
                for Cold { key, mut hot } in streams {
                    let due = hot.snapshot(&key, self.limits.snapshot_every_events);
                    self.keep(due);
                    let waiting = match self.slots.insert(key, Slot::Ready { hot, used_at: now }) {
                        Some(Slot::Loading(waiting)) => waiting,
                        Some(Slot::Ready { .. }) | None => Vec::new(),
                    };
                    for job in waiting {
                        self.admit(job, now);
                    }
                }
            }
            Report::NotLoaded(keys, error) => {
                let broken =
                    matches!(&error, StoreError::Database(sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Database(_)));
                tracing::warn!(streams = keys.len(), "Streams could not be read: {error:#}");
                let mut again = Vec::new();
                for key in keys {
                    let Some(Slot::Loading(waiting)) = self.slots.remove(&key) else { continue };
                    for job in waiting {
                        if broken && job.frame().attempts < STORE_FAILURES_MAX {
                            again.push(job);
                        } else {
                            job.fail(Trouble::Unavailable(format!("{error}")));
                        }
                    }
                }
                self.again(again, "streams could not be read");
            }
        }
    }

    fn sweep(&mut self, now: Instant) {
        let before = self.slots.len();
        self.drop_unused(now);
        metrics::counter!("astro_streams_dropped_total").increment((before - self.slots.len()) as u64);
    }

    /// Drops what nobody asks for, and the longest unused beyond the limit. Whatever is dropped in flight only costs a conflict.
    fn drop_unused(&mut self, now: Instant) {
        let idle_after = self.limits.idle_after;
        self.slots.retain(|_, slot| match slot {
            Slot::Ready { used_at, .. } => now.duration_since(*used_at) < idle_after,
            Slot::Loading(_) => true,
        });
        let over = self.slots.len().saturating_sub(self.limits.hot_streams);
        if over == 0 {
            return;
        }
        let mut uses: Vec<Instant> =
            self.slots.values().filter_map(|slot| if let Slot::Ready { used_at, .. } = slot { Some(*used_at) } else { None }).collect();
        if uses.is_empty() {
            return;
        }
        let last = over.min(uses.len()) - 1;
        let (_, oldest, _) = uses.select_nth_unstable(last);
        let oldest = *oldest;
        self.slots.retain(|_, slot| !matches!(slot, Slot::Ready { used_at, .. } if *used_at <= oldest));
    }
}

/// What becomes of a command whose batch was not written.
enum Next {
    Again,
    /// Again, unless the command log has its outcome.
    Check,
    Fail,
}

/// Answers the commands whose outcomes are recorded, and gives back the others.
async fn look_up(pool: &PgPool, jobs: Vec<Box<dyn Job>>, guards: Guards) -> Vec<Box<dyn Job>> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.frame().ask.command_id).collect();
    let mut tries = 0;
    let entries = loop {
        match store::outcomes(pool, &ids).await {
            Ok(entries) => break entries,
            Err(error) => {
                tries += 1;
                if tries >= STORE_FAILURES_MAX || matches!(error, sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed) {
                    for job in jobs {
                        job.fail(Trouble::Unavailable(format!("whether it was done is not known: {error}")));
                    }
                    return Vec::new();
                }
                sleep(PAUSE_MAX).await;
            }
        }
    };
    let entries: HashMap<Uuid, store::Entry> = entries.into_iter().map(|entry| (entry.command_id, entry)).collect();
    let mut unknown = Vec::new();
    for mut job in jobs {
        match entries.get(&job.frame().ask.command_id) {
            Some(entry) => job.repeat(entry, guards),
            None => {
                let frame = job.frame_mut();
                (frame.check, frame.checked) = (false, true);
                unknown.push(job);
            }
        }
    }
    unknown
}
