//! Decides commands and appends what they cause. Each stream is hot in one shard of this process, which decides its commands in order and
//! writes the outcomes of many commands and streams in one statement; nobody is answered before that statement has committed. The primary
//! key of the events decides between processes. Giving events their place in the log is left to [`crate::sequence`].

mod job;
mod shard;
mod snapshot;

use crate::{
    Ask, Done, Failure, StoreError, Wake,
    guards::{Guard, Guards},
    store::Key,
};
use domain::Decider;
use job::{HotState, Look, Put};
use shard::{Message, Shard};
use snapshot::Cold;
use sqlx::PgPool;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};
use uuid::Uuid;

/// How much an executor takes on. All per process.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many shards decide in parallel, each with one append in flight. Half as many as processors: of 64 commands in flight, 4 shards on 2
    /// processors made batches of at most 16, and each command cost twice the processor time that it costs in batches of 32.
    pub shards: usize,
    /// The most commands in one append.
    pub batch_commands: usize,
    /// The most unanswered commands and looks of one shard; more are told to come back. Less than the requests a process serves at once,
    /// so that a launch that stands still leaves room for pages.
    pub mailbox_commands: usize,
    /// The most streams one shard keeps hot.
    pub hot_streams: usize,
    /// How long a stream nobody asks for stays hot.
    pub idle_after: Duration,
    /// How often idle streams are looked for.
    pub sweep_every: Duration,
    /// How long a command or a look may take before its caller is told to ask again.
    pub deadline: Duration,
    /// How often a command is decided again because another process was first, or the store failed.
    pub attempts: u32,
    /// By how many events a stream grows at least before its next snapshot is made; more if that is large.
    pub snapshot_every_events: u64,
    /// One in so many snapshots that are used is compared with a full fold; 0 is none.
    pub snapshot_check_one_in: u32,
    /// Which guards are in force: all, but in tests.
    #[doc(hidden)]
    pub guards: Guards,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, |processors| processors.get().div_ceil(2)),
            batch_commands: 1_024,
            mailbox_commands: 1_024,
            hot_streams: 10_000,
            idle_after: Duration::from_secs(300),
            sweep_every: Duration::from_secs(10),
            deadline: Duration::from_secs(10),
            attempts: 20,
            snapshot_every_events: 100,
            snapshot_check_one_in: 100,
            guards: Guards::default(),
        }
    }
}

/// When one that was turned away should come back.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// The longest stream id, in bytes: the longest slug and some.
const STREAM_ID_BYTES_MAX: usize = 200;

/// A stream as it stands, committed.
#[derive(Debug, Clone)]
pub struct Loaded<D> {
    /// Its events, folded.
    pub state: D,
    /// The sequence of its last event; 0 when it has none.
    pub version: u64,
}

/// Executes commands. Cheap to clone; the shards end when the last clone is gone and all is answered.
#[derive(Debug, Clone)]
pub struct Executor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    limits: Limits,
    shards: Vec<Handle>,
}

#[derive(Debug)]
struct Handle {
    inbox: mpsc::UnboundedSender<Message>,
    /// One permit for each command or look that may be unanswered; it bounds the inbox.
    room: Arc<Semaphore>,
}

impl Executor {
    /// Starts the shards on the current runtime. `wake` is rung after each commit.
    #[must_use]
    pub fn start(pool: PgPool, wake: Wake, limits: Limits) -> Self {
        let shards = (0..limits.shards.max(1))
            .map(|_| {
                let (inbox, messages) = mpsc::unbounded_channel();
                tokio::spawn(Shard::new(pool.clone(), wake.clone(), limits.clone(), messages).run());
                Handle { inbox, room: Arc::new(Semaphore::new(limits.mailbox_commands)) }
            })
            .collect();
        Self(Arc::new(Inner { pool, limits, shards }))
    }

    fn shard(&self, key: &Key) -> &Handle {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        &self.0.shards[(hasher.finish() % self.0.shards.len() as u64) as usize]
    }

    /// Puts `command` to the stream `id`. The answer, a refusal too, is given after it is committed together with all it depends on.
    pub async fn execute<D: Decider>(&self, id: &D::Id, command: D::Command, ask: &Ask) -> Result<Done<D::Event>, Failure<D::Refusal>> {
        let answer = self.put::<D>(id, command, ask).await;
        let outcome = match &answer {
            Ok(done) if done.repeated => "repeated",
            Ok(_) => "done",
            Err(Failure::Refused(_)) => "refused",
            Err(Failure::KeyReused) => "key_reused",
            Err(Failure::Busy { .. }) => "busy",
            Err(Failure::Unavailable(_)) => "unavailable",
        };
        metrics::counter!("astro_commands_total", "outcome" => outcome).increment(1);
        answer
    }

    async fn put<D: Decider>(&self, id: &D::Id, command: D::Command, ask: &Ask) -> Result<Done<D::Event>, Failure<D::Refusal>> {
        let key = key::<D>(id);
        if !is_word(&key.stream_id) {
            return Err(Failure::Unavailable(format!("{key} cannot be the name of a stream")));
        }
        let shard = self.shard(&key);
        let Ok(permit) = shard.room.clone().try_acquire_owned() else {
            return Err(Failure::Busy { retry_after: RETRY_AFTER });
        };
        let deadline = Instant::now() + self.0.limits.deadline;
        let (reply, answer) = oneshot::channel();
        let mut ask = ask.clone();
        if !self.0.limits.guards.has(Guard::CommandLog) {
            ask.command_id = Uuid::new_v4();
        }
        let job = Put::<D>::new(key, command, ask, deadline, permit, reply);
        let gone = || Failure::Unavailable("the executor has stopped".to_owned());
        shard.inbox.send(Message::Put(Box::new(job))).map_err(|_| gone())?;
        match timeout_at(deadline, answer).await {
            Ok(answer) => answer.map_err(|_| gone())?,
            Err(_) => Err(Failure::Unavailable("no answer in time; whether it was done is not known".to_owned())),
        }
    }

    /// The stream `id` as it stands: everything committed before the call, and nothing that is not committed.
    pub async fn load<D: Decider>(&self, id: &D::Id) -> Result<Loaded<D>, StoreError> {
        let (state, version) = self.look::<D, D>(id, D::clone).await?;
        Ok(Loaded { state, version })
    }

    /// What `look` makes of the stream `id` as it stands. Where that is hot nothing of it is copied but what `look` returns: use this rather
    /// than [`Executor::load`] where a state may be large.
    pub async fn see<D: Decider, T: Send + 'static>(&self, id: &D::Id, look: impl Fn(&D) -> T + Send + 'static) -> Result<T, StoreError> {
        Ok(self.look::<D, T>(id, look).await?.0)
    }

    async fn look<D: Decider, T: Send + 'static>(
        &self,
        id: &D::Id,
        look: impl Fn(&D) -> T + Send + 'static,
    ) -> Result<(T, u64), StoreError> {
        let key = key::<D>(id);
        let shard = self.shard(&key);
        let room = shard.room.clone().try_acquire_owned().map_err(|_| StoreError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let looking = Message::Look(key.clone(), Box::new(Look::<D, T, _>::new(look, room, reply)));
        let gone = || StoreError::Database(sqlx::Error::WorkerCrashed);
        let looked = async {
            shard.inbox.send(looking).map_err(|_| gone())?;
            let (look, seen, _room) = answer.await.map_err(|_| gone())?;
            // What is hot here may be behind another process.
            if let Some((seen, version)) = seen
                && !goes_on(&self.0.pool, &key, version).await?
            {
                return Ok((seen, version));
            }
            let mut cold = [Cold { key, hot: Box::new(HotState::<D>::default()) }];
            snapshot::load(&self.0.pool, &mut cold, 0).await?;
            let [Cold { hot, .. }] = &cold;
            let state = hot.as_any().downcast_ref::<HotState<D>>().map(|hot| look(&hot.state)).ok_or_else(gone)?;
            Ok((state, hot.version()))
        };
        let looked = timeout(self.0.limits.deadline, looked).await;
        looked.map_err(|late| StoreError::Database(sqlx::Error::Io(late.into())))?
    }
}

fn key<D: Decider>(id: &D::Id) -> Key {
    Key { stream_type: D::NAME, stream_id: id.to_string().into() }
}

/// Stream ids go into subjects and headers as they are.
fn is_word(id: &str) -> bool {
    !id.is_empty() && id.len() <= STREAM_ID_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Whether the stream has events behind `version`.
async fn goes_on(pool: &PgPool, key: &Key, version: u64) -> Result<bool, StoreError> {
    let next = i64::try_from(version + 1).unwrap_or(i64::MAX);
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3")
        .bind(key.stream_type)
        .bind(&*key.stream_id)
        .bind(next)
        .fetch_optional(pool)
        .await?;
    Ok(found.is_some())
}
