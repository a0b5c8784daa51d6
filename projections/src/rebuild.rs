//! Makes a view anew from the log while the old one serves: folds into a version beside it, catches up, compares, switches in one step,
//! and keeps the old version to go back to. Nothing is skipped: an event that fails ends the rebuild.

use crate::{
    Databases, ViewName,
    lane::AnyLane,
    projector::{Fault, chain, read},
    store::{Store, StoreFault, Stored, Table},
};
use jiff::{SignedDuration, Timestamp};
use nats::{Envelope, FeedError, feed::PAGE_EVENTS_MAX};
use std::time::Duration;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// How much is folded in memory before it is written.
const UNWRITTEN_MAX: usize = 20_000;
/// For how long a rebuild has its right at a time; it renews it as it goes on.
const CLAIM_SECONDS: i64 = 60;
/// How many documents are compared at a time.
const COMPARE_MAX: u32 = 500;
/// How often documents that change meanwhile are compared again.
const ROUNDS_MAX: u32 = 5;
/// How many differing documents are named.
const NAMED_MAX: usize = 20;
/// How long the new version is kept up to date here after the switch, until the projector has noticed.
const LINGER: Duration = Duration::from_millis(1_500);
/// How often the log is asked while lingering or waiting.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long the version in use may stand still while it is waited for, before comparing.
const LIVE_WAIT_MAX: Duration = Duration::from_secs(1);

/// What to do with a rebuilt view that differs from the one in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Differing {
    /// Throw it away: nothing was meant to change.
    Refuse,
    /// Use it: the fold was changed on purpose.
    Accept,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Events folded.
    pub done: u64,
    /// Events there are.
    pub total: u64,
    /// Seconds left at this rate, once there is a rate.
    pub seconds_left: Option<f64>,
}

/// What came of a rebuild.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilt {
    /// The version made.
    pub version: u32,
    /// The version in use before.
    pub previous: u32,
    /// Events read.
    pub events: u64,
    /// Documents compared with the version that was in use, at the same position.
    pub compared: u64,
    /// How many of them differed.
    pub differing: u64,
    /// The ids of some of those.
    pub some_differing: Vec<String>,
    /// Documents that changed faster than they could be compared.
    pub moving: u64,
    /// Whether the new version is in use now.
    pub switched: bool,
    /// How long it took.
    pub took: Duration,
}

/// A rebuild ended without a result; the view in use is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildFault {
    /// Another rebuild of the view is going on.
    #[error("another rebuild of the view is going on")]
    Busy,
    /// An event cannot be folded, and a rebuild skips none.
    #[error("the event at position {position} of {stream} cannot be folded: {why}")]
    Poison {
        /// Where.
        position: u64,
        /// The stream, as `type/id`.
        stream: String,
        /// Why not.
        why: String,
    },
    /// It was stopped, with its process.
    #[error("the rebuild was stopped")]
    Stopped,
    /// There is no version to go back to.
    #[error("there is no version to go back to")]
    NothingBefore,
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// The log could not be read.
    #[error("read the log")]
    Feed(#[from] FeedError),
}
impl From<Fault> for RebuildFault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Store(fault) => Self::Store(fault),
            Fault::Feed(fault) => Self::Feed(fault),
        }
    }
}

/// The right to rebuild a view; nobody else has it meanwhile.
struct Claim<'a> {
    store: &'a dyn Store,
    view: &'static str,
    until: Timestamp,
}

/// The moment a claim ends that is taken now. Whole milliseconds: every store keeps those.
fn claim_end(now: Timestamp) -> Timestamp {
    let end = now.saturating_add(SignedDuration::from_secs(CLAIM_SECONDS)).unwrap_or(Timestamp::MAX);
    Timestamp::from_millisecond(end.as_millisecond()).unwrap_or(Timestamp::MAX)
}

impl<'a> Claim<'a> {
    async fn take(store: &'a dyn Store, view: &'static str) -> Result<Self, RebuildFault> {
        let now = Timestamp::now();
        let until = claim_end(now);
        if store.claim(view, None, now, Some(until)).await? { Ok(Self { store, view, until }) } else { Err(RebuildFault::Busy) }
    }
    /// Extends it once half of it is over.
    async fn renew(&mut self) -> Result<(), RebuildFault> {
        let now = Timestamp::now();
        if self.until.duration_since(now) > SignedDuration::from_secs(CLAIM_SECONDS / 2) {
            return Ok(());
        }
        let until = claim_end(now);
        if !self.store.claim(self.view, Some(self.until), now, Some(until)).await? {
            return Err(RebuildFault::Busy);
        }
        self.until = until;
        Ok(())
    }
    async fn give_back(self) -> Result<(), RebuildFault> {
        self.store.claim(self.view, Some(self.until), Timestamp::now(), None).await?;
        Ok(())
    }
}

/// Folds the whole log into a new version of the view and puts it in use. The projector may run meanwhile; it takes the new version
/// over by itself. `progress` is told how far it is after each page of the log. `stop` ends it: the view in use stays as it is.
pub async fn rebuild(
    databases: &Databases,
    name: ViewName,
    differing: Differing,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Rebuilt, RebuildFault> {
    let store = databases.store(name.projection);
    let mut claim = Claim::take(&*store, name.view).await?;
    let outcome = stop
        .run_until_cancelled(replace(databases, name, &*store, &mut claim, differing, &mut progress))
        .await
        .unwrap_or(Err(RebuildFault::Stopped));
    claim.give_back().await?;
    outcome
}

async fn replace(
    databases: &Databases,
    name: ViewName,
    store: &dyn Store,
    claim: &mut Claim<'_>,
    differing: Differing,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<Rebuilt, RebuildFault> {
    let began = Instant::now();
    let missing = || StoreFault::Missing(name.to_string());
    let standing = store.standings().await?.remove(name.view).ok_or_else(missing)?;
    let live = Table { view: name.view, version: standing.version };
    let shadow = Table { view: name.view, version: standing.latest + 1 };
    store.create(shadow).await?;
    let mut lanes = [name.projection.lane(shadow).ok_or_else(missing)?];
    let folded = fold_all(databases, store, &mut lanes, claim, progress).await;
    let parity = match folded {
        Ok(()) => compare(databases, store, &mut lanes, live, claim).await,
        Err(fault) => Err(fault),
    };
    let parity = match parity {
        Ok(parity) => parity,
        Err(fault) => {
            // Left-overs do no harm: the next rebuild throws them away.
            if let Err(error) = store.discard(shadow).await {
                tracing::debug!(view = %name, "Left {shadow} behind: {}", chain(&error));
            }
            return Err(fault);
        }
    };
    let switched = parity.differing == 0 || differing == Differing::Accept;
    if switched {
        catch_up(databases, store, &mut lanes).await?;
        claim.renew().await?;
        store.switch(shadow, live.version).await?;
        tracing::info!(view = %name, version = shadow.version, "Switched {name} to version {}", shadow.version);
        linger(databases, store, &mut lanes).await?;
        for version in standing.positions.into_keys().filter(|version| *version != live.version) {
            store.discard(Table { view: name.view, version }).await?;
        }
    } else {
        store.discard(shadow).await?;
    }
    Ok(Rebuilt {
        version: shadow.version,
        previous: live.version,
        events: lanes[0].position(),
        compared: parity.compared,
        differing: parity.differing,
        some_differing: parity.named,
        moving: parity.moving,
        switched,
        took: began.elapsed(),
    })
}

/// Puts the version before back in use, after it has caught up. Says which version is in use now.
pub async fn roll_back(databases: &Databases, name: ViewName) -> Result<u32, RebuildFault> {
    let store = databases.store(name.projection);
    let store = &*store;
    let claim = Claim::take(store, name.view).await?;
    let done = async {
        let missing = || StoreFault::Missing(name.to_string());
        let standing = store.standings().await?.remove(name.view).ok_or_else(missing)?;
        let version = standing.previous.ok_or(RebuildFault::NothingBefore)?;
        let position = *standing.positions.get(&version).ok_or(RebuildFault::NothingBefore)?;
        let table = Table { view: name.view, version };
        let mut lanes = [name.projection.lane(table).ok_or_else(missing)?];
        lanes[0].open(position, &store.parked(table).await?);
        catch_up(databases, store, &mut lanes).await?;
        store.switch(table, standing.version).await?;
        tracing::info!(view = %name, version, "Went back to version {version} of {name}");
        linger(databases, store, &mut lanes).await?;
        Ok(version)
    };
    let outcome = done.await;
    claim.give_back().await?;
    outcome
}

type Page = JoinHandle<Result<Vec<Envelope>, FeedError>>;

fn fetch(databases: &Databases, after: u64) -> Page {
    let feed = databases.feed.clone();
    tokio::spawn(async move { feed.page(after, PAGE_EVENTS_MAX).await })
}

/// Folds the log from its beginning to its end; while a page is folded the next one is read.
async fn fold_all(
    databases: &Databases,
    store: &dyn Store,
    lanes: &mut [Box<dyn AnyLane>; 1],
    claim: &mut Claim<'_>,
    progress: &mut (impl FnMut(Progress) + Send),
) -> Result<(), RebuildFault> {
    let began = Instant::now();
    let mut total = databases.feed.head().await?;
    let mut next = fetch(databases, 0);
    loop {
        let page = next.await.map_err(|error| FeedError::Database(sqlx::Error::Io(std::io::Error::other(error))))??;
        let Some(last) = page.last().map(|event| event.position) else { break };
        next = fetch(databases, last);
        fold(store, lanes, page, last).await?;
        if lanes[0].unwritten() >= UNWRITTEN_MAX {
            write(store, lanes).await?;
        }
        claim.renew().await?;
        total = total.max(last);
        let rate = last as f64 / began.elapsed().as_secs_f64();
        progress(Progress { done: last, total, seconds_left: (rate > 0.0).then(|| (total - last) as f64 / rate) });
    }
    write(store, lanes).await
}

async fn fold(store: &dyn Store, lanes: &mut [Box<dyn AnyLane>; 1], page: Vec<Envelope>, up_to: u64) -> Result<(), RebuildFault> {
    let events = read(page, lanes);
    lanes[0].fold(store, &events, up_to).await?;
    Ok(())
}

async fn write(store: &dyn Store, lanes: &mut [Box<dyn AnyLane>; 1]) -> Result<(), RebuildFault> {
    let changes = lanes[0].take()?;
    if let Some(stream) = changes.parked.first() {
        let name = format!("{}/{}", stream.stream_type, stream.stream_id);
        return Err(RebuildFault::Poison { position: stream.position, stream: name, why: stream.why.clone() });
    }
    store.write(&[changes]).await?;
    Ok(())
}

/// Folds what came meanwhile.
async fn catch_up(databases: &Databases, store: &dyn Store, lanes: &mut [Box<dyn AnyLane>; 1]) -> Result<(), RebuildFault> {
    loop {
        let page = databases.feed.page(lanes[0].position(), PAGE_EVENTS_MAX).await?;
        let Some(last) = page.last().map(|event| event.position) else { return Ok(()) };
        fold(store, lanes, page, last).await?;
        write(store, lanes).await?;
    }
}

/// Keeps the version up to date until the projector has taken it over. Writing it twice does no harm.
async fn linger(databases: &Databases, store: &dyn Store, lanes: &mut [Box<dyn AnyLane>; 1]) -> Result<(), RebuildFault> {
    let until = Instant::now() + LINGER;
    while Instant::now() < until {
        catch_up(databases, store, lanes).await?;
        sleep(ASK_EVERY).await;
    }
    Ok(())
}

#[derive(Default)]
struct Parity {
    compared: u64,
    differing: u64,
    named: Vec<String>,
    moving: u64,
}

impl Parity {
    fn count(&mut self, id: &str, equal: bool) {
        self.compared += 1;
        if !equal {
            self.differing += 1;
            if self.named.len() < NAMED_MAX {
                self.named.push(id.to_owned());
            }
        }
    }
}

/// What comparing the two forms of a document says. `up_to` is where both versions have read.
fn verdict(live: Option<&Stored>, shadow: Option<&Stored>, up_to: u64) -> Option<bool> {
    let moved = |stored: Option<&Stored>| stored.is_some_and(|stored| stored.position > up_to);
    if moved(live) || moved(shadow) {
        return None;
    }
    Some(match (live, shadow) {
        (Some(live), Some(shadow)) => live.position == shadow.position && live.doc == shadow.doc,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    })
}

/// Where both versions have read, once the live one is as far as the other, or does not move: perhaps no projector runs.
async fn common(store: &dyn Store, view: &str, live: u32, shadow: u64) -> Result<u64, RebuildFault> {
    let (mut known, mut moved_at) = (None, Instant::now());
    loop {
        let position = store.standings().await?.get(view).and_then(|standing| standing.positions.get(&live).copied()).unwrap_or_default();
        if known != Some(position) {
            (known, moved_at) = (Some(position), Instant::now());
        }
        if position >= shadow || moved_at.elapsed() >= LIVE_WAIT_MAX {
            return Ok(position.min(shadow));
        }
        sleep(ASK_EVERY).await;
    }
}

/// Compares every document of both versions at one position. Those that change meanwhile are looked at again.
async fn compare(
    databases: &Databases,
    store: &dyn Store,
    lanes: &mut [Box<dyn AnyLane>; 1],
    live: Table,
    claim: &mut Claim<'_>,
) -> Result<Parity, RebuildFault> {
    let shadow = lanes[0].table();
    catch_up(databases, store, lanes).await?;
    let mut up_to = common(store, live.view, live.version, lanes[0].position()).await?;
    let mut parity = Parity::default();
    let mut moved = Vec::new();
    let (mut left, mut right) = (Scan::new(live), Scan::new(shadow));
    loop {
        let (a, b) = (left.peek(store).await?, right.peek(store).await?);
        let id = match (&a, &b) {
            (None, None) => break,
            (Some(a), Some(b)) => a.id.as_str().min(b.id.as_str()),
            (Some(one), None) | (None, Some(one)) => one.id.as_str(),
        }
        .to_owned();
        let (a, b) = (a.filter(|a| a.id == id), b.filter(|b| b.id == id));
        match verdict(a.as_ref(), b.as_ref(), up_to) {
            Some(equal) => parity.count(&id, equal),
            None => moved.push(id),
        }
        left.pass(a.is_some());
        right.pass(b.is_some());
        claim.renew().await?;
    }
    for _ in 0..ROUNDS_MAX {
        if moved.is_empty() {
            break;
        }
        catch_up(databases, store, lanes).await?;
        let before = up_to;
        up_to = common(store, live.view, live.version, lanes[0].position()).await?;
        if up_to == before {
            break;
        }
        claim.renew().await?;
        let mut still = Vec::new();
        for ids in moved.chunks(COMPARE_MAX as usize) {
            let (a, b) = tokio::try_join!(store.read(live, ids), store.read(shadow, ids))?;
            for id in ids {
                let find = |stored: &[Stored]| stored.iter().find(|stored| stored.id == *id).cloned();
                match verdict(find(&a).as_ref(), find(&b).as_ref(), up_to) {
                    Some(equal) => parity.count(id, equal),
                    None => still.push(id.clone()),
                }
            }
        }
        moved = still;
    }
    parity.moving = moved.len().try_into().unwrap_or(u64::MAX);
    let (a, b) = tokio::try_join!(store.lines_digest(live, up_to), store.lines_digest(shadow, up_to))?;
    if a != b {
        parity.count("the lines of the journal", false);
    }
    Ok(parity)
}

/// Reads a version in the order of its ids.
struct Scan {
    table: Table,
    after: String,
    waiting: std::collections::VecDeque<Stored>,
    ended: bool,
}

impl Scan {
    fn new(table: Table) -> Self {
        Self { table, after: String::new(), waiting: std::collections::VecDeque::new(), ended: false }
    }
    async fn peek(&mut self, store: &dyn Store) -> Result<Option<Stored>, StoreFault> {
        if self.waiting.is_empty() && !self.ended {
            self.waiting = store.scan(self.table, &self.after, COMPARE_MAX).await?.into();
            self.ended = self.waiting.len() < COMPARE_MAX as usize;
            if let Some(last) = self.waiting.back() {
                self.after.clone_from(&last.id);
            }
        }
        Ok(self.waiting.front().cloned())
    }
    fn pass(&mut self, passed: bool) {
        if passed {
            self.waiting.pop_front();
        }
    }
}
