//! Makes a view anew from the log while the old one serves: folds into a version beside it, catches up, compares, switches in one step,
//! and keeps the old version to go back to. Nothing is skipped: an event that fails ends the rebuild.

use crate::{
    Databases, ViewName,
    guards::Step,
    lane::AnyLane,
    partitions::{Partitions, Positions},
    projector::chain,
    recorded::Read,
    sharing::{HEARD_WITHIN, heard_by_all},
    store::{Place, Standing, Store, StoreFault, Stored, Table},
};
use contract::operations::RebuildProgress;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use nats::{Feed, FeedError, feed::PAGE_EVENTS_MAX};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How many pages of the log are read and decoded while one is folded.
const PAGES_AHEAD: usize = 4;
/// How often it is shown how far a rebuild is.
const SHOW_EVERY: Duration = Duration::from_millis(500);
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
/// How often the new version is caught up with the one in use until the switch finds it as far.
const SWITCH_TRIES_MAX: u32 = 100;
/// How often the log and the store are asked while waiting for projectors.
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
    #[error(transparent)]
    Feed(#[from] FeedError),
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
    async fn give_back(self) -> Result<(), StoreFault> {
        self.store.claim(self.view, Some(self.until), Timestamp::now(), None).await?;
        Ok(())
    }
}

/// Folds the whole log into a new version of the view and puts it in use. The projector may run meanwhile; it takes the new version
/// over by itself. `progress` is told how far it is after each page of the log, and [`crate::status`] says it in every process. `stop` ends
/// it: the view in use stays as it is.
pub async fn rebuild(
    databases: &Databases,
    name: ViewName,
    differing: Differing,
    stop: &CancellationToken,
    mut progress: impl FnMut(Progress) + Send,
) -> Result<Rebuilt, RebuildFault> {
    let store = databases.store(name.projection);
    let claim = Claim::take(&*store, name.view).await?;
    let mut making = Making::new(databases, name, &*store, claim);
    let outcome = making.replace(differing, stop, &mut progress).await;
    let fault = match &outcome {
        Ok(rebuilt) if rebuilt.switched => String::new(),
        Ok(rebuilt) => format!("{} documents differ from those in use: {}", rebuilt.differing, rebuilt.some_differing.join(", ")),
        Err(fault) => chain(fault),
    };
    making.end(fault).await?;
    outcome
}

/// Puts the version before back in use, after it has caught up. Says which version is in use now.
pub async fn roll_back(databases: &Databases, name: ViewName) -> Result<u32, RebuildFault> {
    let store = databases.store(name.projection);
    let claim = Claim::take(&*store, name.view).await?;
    let mut making = Making::new(databases, name, &*store, claim);
    let outcome = making.back().await;
    if making.shown_at.is_some() {
        making.end(outcome.as_ref().err().map_or_else(String::new, |fault| chain(fault))).await?;
    } else {
        making.claim.give_back().await?;
    }
    outcome
}

/// What a page of the log says to a view, and where the page ends.
struct Page {
    events: Vec<Read>,
    last: u64,
}

/// Reads and decodes the events of `stream` behind `after` up to `last`, on whatever thread is free.
fn fetch(feed: &Feed, stream: &'static str, after: u64, last: u64) -> impl Future<Output = Result<Page, FeedError>> + use<> {
    let feed = feed.clone();
    let reading = AbortOnDropHandle::new(tokio::spawn(async move {
        let page = feed.page(after, usize::try_from(last - after).unwrap_or(PAGE_EVENTS_MAX)).await?;
        let found = page.last().map_or(after, |event| event.position);
        if found != last {
            return Err(FeedError::Gap { expected: found + 1, found: last });
        }
        let events = page.into_iter().filter(|event| event.stream_type == stream).map(Read::new).collect();
        Ok(Page { events, last })
    }));
    async move { reading.await.map_err(|error| FeedError::Database(sqlx::Error::Io(std::io::Error::other(error))))? }
}

/// A version of a view on its way into use.
struct Making<'a> {
    databases: &'a Databases,
    name: ViewName,
    store: &'a dyn Store,
    claim: Claim<'a>,
    shown: RebuildProgress,
    shown_at: Option<Instant>,
}

impl<'a> Making<'a> {
    fn new(databases: &'a Databases, name: ViewName, store: &'a dyn Store, claim: Claim<'a>) -> Self {
        let shown = RebuildProgress { version: 0, done: 0, total: 0, seconds_left: None, phase: String::new(), fault: String::new() };
        Self { databases, name, store, claim, shown, shown_at: None }
    }

    /// Says what is going on, for whoever asks. Fails never: the rebuild goes on unseen.
    async fn show(&mut self, phase: &str) {
        let soon = self.shown_at.is_some_and(|at| at.elapsed() < SHOW_EVERY);
        if soon && phase == self.shown.phase {
            return;
        }
        phase.clone_into(&mut self.shown.phase);
        self.shown_at = Some(Instant::now());
        if let Err(error) = self.store.report(self.name.view, &self.shown).await {
            tracing::debug!(view = %self.name, "How far the rebuild is cannot be shown: {}", chain(&error));
        }
    }

    async fn end(mut self, fault: String) -> Result<(), StoreFault> {
        (self.shown.fault, self.shown.seconds_left) = (fault, None);
        self.show("").await;
        self.claim.give_back().await
    }

    fn missing(&self) -> StoreFault {
        StoreFault::Missing(self.name.to_string())
    }
    async fn standing(&self) -> Result<Standing, StoreFault> {
        self.store.standings().await?.remove(self.name.view).ok_or_else(|| self.missing())
    }
    fn lane(&self, table: Table) -> Result<Box<dyn AnyLane>, StoreFault> {
        self.name.projection.lane(table, self.databases.trial.guards).ok_or_else(|| self.missing())
    }

    /// `stop` ends it as long as nothing is switched; what is left then takes a moment only.
    async fn replace(
        &mut self,
        differing: Differing,
        stop: &CancellationToken,
        progress: &mut (impl FnMut(Progress) + Send),
    ) -> Result<Rebuilt, RebuildFault> {
        let began = Instant::now();
        let (store, name) = (self.store, self.name);
        let standing = self.standing().await?;
        let live = Table { view: name.view, version: standing.version };
        let shadow = Table { view: name.view, version: standing.latest + 1 };
        self.shown.version = shadow.version;
        store.create(shadow).await?;
        self.databases.trial.reach(Step::VersionMade);
        let mut lane = self.lane(shadow)?;
        lane.begin();
        let parity = async {
            self.fold_all(&mut *lane, progress).await?;
            self.databases.trial.reach(Step::VersionFilled);
            self.compare(&mut *lane, live).await
        };
        let parity = match stop.run_until_cancelled(parity).await.unwrap_or(Err(RebuildFault::Stopped)) {
            Ok(parity) => parity,
            Err(fault) => {
                // Left-overs do no harm: the next rebuild throws them away.
                if let Err(error) = store.discard(shadow).await {
                    tracing::debug!(view = %name, "Left {shadow} behind: {}", chain(&error));
                }
                return Err(fault);
            }
        };
        self.databases.trial.reach(Step::VersionCompared);
        let switched = parity.differing == 0 || differing == Differing::Accept;
        if switched {
            self.switch(&mut *lane, live.version).await?;
            self.databases.trial.reach(Step::SwitchHeard);
            for version in standing.positions.into_keys().filter(|version| *version != live.version) {
                store.discard(Table { view: name.view, version }).await?;
            }
        } else {
            store.discard(shadow).await?;
        }
        Ok(Rebuilt {
            version: shadow.version,
            previous: live.version,
            events: lane.position(),
            compared: parity.compared,
            differing: parity.differing,
            some_differing: parity.named,
            moving: parity.moving,
            switched,
            took: began.elapsed(),
        })
    }

    async fn back(&mut self) -> Result<u32, RebuildFault> {
        let standing = self.standing().await?;
        let version = standing.previous.ok_or(RebuildFault::NothingBefore)?;
        let positions = *standing.positions.get(&version).ok_or(RebuildFault::NothingBefore)?;
        if positions.most() > self.databases.feed.head().await? {
            // It was made from a log that is no more.
            return Err(RebuildFault::NothingBefore);
        }
        let table = Table { view: self.name.view, version };
        let mut lane = self.lane(table)?;
        lane.open(Partitions::ALL, positions, &self.store.parked(table).await?);
        self.switch(&mut *lane, standing.version).await?;
        Ok(version)
    }

    /// Puts the lane's version in use instead of `previous`, and keeps it up to date until the projectors have taken it over: they look
    /// again, for the switch begins a new epoch. Writing it twice does no harm.
    async fn switch(&mut self, lane: &mut dyn AnyLane, previous: u32) -> Result<(), RebuildFault> {
        let (table, name) = (lane.table(), self.name);
        self.show("switching").await;
        let mut tries = 1..=SWITCH_TRIES_MAX;
        loop {
            self.catch_up(lane).await?;
            self.claim.renew().await?;
            let no_further = self.no_further(previous, lane.position()).await?;
            match self.store.switch(table, previous, no_further).await {
                Ok(true) => break,
                Ok(false) => return Err(RebuildFault::Busy),
                Err(StoreFault::Behind) if tries.next().is_some() => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        self.databases.trial.reach(Step::Switched);
        tracing::info!(view = %name, version = table.version, "Switched {name} from version {previous} to {}", table.version);
        let known = self.store.sharing().await?.members;
        let deadline = Instant::now() + HEARD_WITHIN;
        while !known.is_empty() && Instant::now() < deadline {
            let heard = heard_by_all(self.store, &known).await?;
            self.catch_up(lane).await?;
            if heard {
                break;
            }
            sleep(ASK_EVERY).await;
        }
        Ok(())
    }

    /// How far the version in use may be for one that is read up to `position` to replace it: as far, but for what it has beyond the log
    /// itself. There it stands still: no projector moves a view that is ahead.
    async fn no_further(&self, in_use: u32, position: u64) -> Result<Positions, RebuildFault> {
        if !self.databases.trial.guards.behind {
            return Ok(Positions::all(u64::MAX));
        }
        let known = self.standing().await?.positions.remove(&in_use).unwrap_or_default();
        // Asked for last, for the log only grows.
        let head = self.databases.feed.head().await?;
        Ok(known.0.into_iter().map(|at| if at > head { at } else { position }).collect())
    }

    /// Folds the log from its beginning to its end, reading some pages ahead. Documents stay in memory until they are final, as far as
    /// there is room.
    async fn fold_all(&mut self, lane: &mut dyn AnyLane, progress: &mut (impl FnMut(Progress) + Send)) -> Result<(), RebuildFault> {
        let began = Instant::now();
        let feed = self.databases.feed.clone();
        let stream = lane.stream();
        let total = feed.head().await?;
        self.shown.total = total;
        self.show("reading").await;
        let ends = (0..total).step_by(PAGE_EVENTS_MAX).map(|after| (after, total.min(after + PAGE_EVENTS_MAX as u64)));
        let mut pages = stream::iter(ends.map(|(after, last)| fetch(&feed, stream, after, last))).buffered(PAGES_AHEAD);
        while let Some(Page { events, last }) = pages.try_next().await? {
            lane.fold(self.store, &events, last).await?;
            if lane.unwritten() >= UNWRITTEN_MAX {
                self.write(lane).await?;
            }
            self.claim.renew().await?;
            let rate = last as f64 / began.elapsed().as_secs_f64();
            let seconds_left = (rate > 0.0).then(|| (total - last) as f64 / rate);
            progress(Progress { done: last, total, seconds_left });
            (self.shown.done, self.shown.seconds_left) = (last, seconds_left.map(|seconds| seconds.ceil() as u64));
            self.show("reading").await;
        }
        if let Some(last) = feed.at(&[total]).await?.first() {
            lane.note(last.into());
        }
        self.write(lane).await
    }

    async fn write(&self, lane: &mut dyn AnyLane) -> Result<(), RebuildFault> {
        let changes = lane.take()?;
        if let Some(stream) = changes.parked.first() {
            let name = format!("{}/{}", stream.stream_type, stream.stream_id);
            return Err(RebuildFault::Poison { position: stream.position, stream: name, why: stream.why.clone() });
        }
        self.store.write(None, &[changes]).await?;
        Ok(())
    }

    /// Folds what came meanwhile.
    async fn catch_up(&self, lane: &mut dyn AnyLane) -> Result<(), RebuildFault> {
        loop {
            let page = self.databases.feed.page(lane.position(), PAGE_EVENTS_MAX).await?;
            let Some(last) = page.last().map(Place::from) else { return Ok(()) };
            let events: Vec<Read> = page.into_iter().filter(|event| lane.wants(event)).map(Read::new).collect();
            lane.fold(self.store, &events, last.position).await?;
            lane.note(last);
            self.write(lane).await?;
        }
    }

    /// Compares every document of both versions at one position. Those that change meanwhile are looked at again.
    async fn compare(&mut self, lane: &mut dyn AnyLane, live: Table) -> Result<Parity, RebuildFault> {
        let (store, shadow) = (self.store, lane.table());
        self.show("catching up").await;
        self.catch_up(lane).await?;
        let mut up_to = self.common(live, lane.position()).await?;
        self.show("comparing").await;
        let mut parity = Parity::default();
        let mut moved = Vec::new();
        let (mut left, mut right) = (Scan::new(live), Scan::new(shadow));
        loop {
            let id = match (left.id(store).await?, right.id(store).await?) {
                (None, None) => break,
                (Some(a), Some(b)) => a.min(b),
                (Some(one), None) | (None, Some(one)) => one,
            }
            .to_owned();
            let (a, b) = (left.take(&id), right.take(&id));
            match verdict(a.as_ref(), b.as_ref(), up_to) {
                Some(equal) => parity.count(&id, equal),
                None => moved.push(id),
            }
            self.claim.renew().await?;
        }
        for _ in 0..ROUNDS_MAX {
            if moved.is_empty() {
                break;
            }
            self.catch_up(lane).await?;
            let before = up_to;
            up_to = self.common(live, lane.position()).await?;
            if up_to == before {
                break;
            }
            self.claim.renew().await?;
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

    /// Where both versions have read, once the live one is as far as the other, or does not move: perhaps no projector runs.
    async fn common(&self, live: Table, shadow: u64) -> Result<u64, RebuildFault> {
        let (mut known, mut moved_at) = (None, Instant::now());
        loop {
            let position = self.standing().await?.positions.get(&live.version).map(Positions::least).unwrap_or_default();
            if known != Some(position) {
                (known, moved_at) = (Some(position), Instant::now());
            }
            if position >= shadow || moved_at.elapsed() >= LIVE_WAIT_MAX {
                return Ok(position.min(shadow));
            }
            sleep(ASK_EVERY).await;
        }
    }
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
        (Some(live), Some(shadow)) => live == shadow,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    })
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
    /// The id of the next document.
    async fn id(&mut self, store: &dyn Store) -> Result<Option<&str>, StoreFault> {
        if self.waiting.is_empty() && !self.ended {
            self.waiting = store.scan(self.table, &self.after, COMPARE_MAX).await?.into();
            self.ended = self.waiting.len() < COMPARE_MAX as usize;
            if let Some(last) = self.waiting.back() {
                self.after.clone_from(&last.id);
            }
        }
        Ok(self.waiting.front().map(|stored| stored.id.as_str()))
    }
    /// Takes the next document if it has this id.
    fn take(&mut self, id: &str) -> Option<Stored> {
        self.waiting.pop_front_if(|stored| stored.id == id)
    }
}
