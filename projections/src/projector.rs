//! The loop that keeps the views of one projection up to date: reads the log, folds, writes, tells. It knows no view and can cause nothing
//! but documents. A failing event sets its stream aside; a failing server only makes it wait.

use crate::{
    Databases, Projection, ViewName,
    guards::Step,
    lane::AnyLane,
    partitions::Partitions,
    recorded::Read,
    sharing::{Assignment, Membership},
    status::measure,
    store::{Changes, Place, Store, StoreFault, Table},
};
use futures::future::try_join_all;
use nats::{Bus, Envelope, FeedError, feed::PAGE_EVENTS_MAX, partition};
use std::{collections::BTreeSet, error::Error, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// How many events are folded and written at once.
const BATCH_EVENTS_MAX: usize = 5_000;
/// After a batch the projector rests, unless there is much to catch up: what comes meanwhile is folded together, and a document that changes
/// with every event is written less often. The commands have the processors first.
const REST: Duration = Duration::from_millis(5);
/// The same for what nobody watches as it happens.
const DESKS_REST: Duration = Duration::from_millis(50);
/// How long it rests at most while many wait for answers to commands.
const RUSH_REST_MAX: Duration = Duration::from_millis(200);
/// The same for what nobody watches as it happens.
const DESKS_RUSH_REST_MAX: Duration = Duration::from_millis(500);
/// How often the projector looks for streams to try again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The first wait after a fault; twice as long each time nothing was done in between.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest wait after a fault.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A server failed; the views wait until it is back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Where the views are kept.
    #[error(transparent)]
    Store(#[from] StoreFault),
    /// Where the log is.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// What came does not follow on what was read. It is read again.
    #[error("the log was delivered with a hole behind position {0}")]
    Hole(u64),
    /// These views have read what the log does not hold: it is an older one that was put back, and what they say is not in it.
    #[error("ahead of the log: rebuild {0}")]
    Ahead(String),
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Reads the events some lane looks at.
pub(crate) fn read(batch: Vec<Envelope>, lanes: &[Box<dyn AnyLane>]) -> Vec<Read> {
    let wanted = |event: &Envelope| lanes.iter().any(|lane| lane.wants(event));
    batch.into_iter().filter(wanted).map(Read::new).collect()
}

/// Keeps the views of `projection` up to date until `stop`; says in `position` up to where its partitions are read. Several processes may
/// run the same one: they share its partitions, and one that is gone is replaced by the others.
pub async fn run(projection: Projection, databases: Databases, position: watch::Sender<u64>, stop: CancellationToken) {
    let store = databases.store(projection);
    let _measuring = AbortOnDropHandle::new(tokio::spawn(measure(databases.clone(), projection)));
    let mut membership = Membership::join(Arc::clone(&store));
    let mut pause = PAUSE_MIN;
    while !stop.is_cancelled() {
        let assignment = *membership.assignments.borrow_and_update();
        let before = *position.borrow();
        let projector = Projector { projection, databases: &databases, store: &*store, assignment, position: &position };
        let outcome = projector.follow(&mut membership, &stop).await;
        databases.local.tell(projection, Partitions::NONE, 0);
        let Err(fault) = outcome else { continue };
        if *position.borrow() > before {
            pause = PAUSE_MIN;
        }
        if matches!(fault, Fault::Store(StoreFault::Fenced)) {
            tracing::debug!(projection = %projection, "Others may write the views of {projection} now; looking again");
            membership.look();
        } else {
            let why = chain(&fault);
            tracing::warn!(projection = %projection, "The views of {projection} wait {} ms: {why}", pause.as_millis());
            membership.tell(&why);
        }
        tokio::select! {
            () = stop.cancelled() => {}
            _ = membership.assignments.changed() => {}
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    membership.leave().await;
}

/// A projector for as long as it has the same partitions.
struct Projector<'a> {
    projection: Projection,
    databases: &'a Databases,
    store: &'a dyn Store,
    assignment: Assignment,
    position: &'a watch::Sender<u64>,
}

impl Projector<'_> {
    /// Opens the views where they stand and follows the log, until the assignment is another one.
    async fn follow(&self, membership: &mut Membership, stop: &CancellationToken) -> Result<(), Fault> {
        let Self { projection, databases, store, assignment: Assignment { owned, paused, epoch }, .. } = *self;
        if paused || owned.is_empty() {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = membership.assignments.changed() => {}
            }
            return Ok(());
        }
        let mut lanes = self.open().await?;
        databases.trial.reach(Step::Opened);
        let mut follower = databases.feed.follow(lanes.iter().map(|lane| lane.position()).min().unwrap_or_default());
        let mut after = follower.after();
        let mut look_at = Instant::now();
        self.tell(after);
        tracing::debug!(projection = %projection, epoch, ?owned, "The views of {projection} go on behind {after}");
        let (desks, rush) = (projection != Projection::Customer, databases.feed.rush());
        loop {
            if Instant::now() >= look_at {
                for lane in &mut lanes {
                    self.try_again(&mut **lane).await?;
                }
                membership.tell("");
                look_at = Instant::now() + LOOK_EVERY;
            }
            let most = if desks { rush.portion(BATCH_EVENTS_MAX) } else { BATCH_EVENTS_MAX };
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                _ = membership.assignments.changed() => return Ok(()),
                batch = follower.next_batch(most, LOOK_EVERY) => batch?,
            };
            let batch = match &databases.trial.deliver {
                Some(deliver) => deliver(batch),
                None => batch,
            };
            let Some(last) = batch.iter().max_by_key(|event| event.position).map(Place::from) else {
                // An older log may have been put back meanwhile, which opening finds out.
                if after > databases.feed.head().await? {
                    return Ok(());
                }
                continue;
            };
            let up_to = last.position;
            if !dense(&batch, after, up_to) && databases.trial.guards.holes {
                return Err(Fault::Hole(after));
            }
            let began = Instant::now();
            let is_full = batch.len() == most;
            let batch = read(batch, &lanes);
            try_join_all(lanes.iter_mut().map(|lane| lane.fold(store, &batch, up_to))).await?;
            lanes.iter_mut().for_each(|lane| lane.note(last));
            let changes: Vec<Changes> = lanes.iter_mut().map(|lane| lane.take()).collect::<Result<_, _>>()?;
            let folded = began.elapsed();
            databases.trial.reach(Step::Folded);
            store.write(Some(epoch), &changes).await?;
            databases.trial.reach(Step::Written);
            after = up_to;
            self.tell(after);
            databases.trial.reach(Step::Told);
            tracing::debug!(
                projection = %projection, position = up_to, events = batch.len(), documents = changes.iter().map(|c| c.rows.len()).sum::<usize>(),
                folded_ms = folded.as_millis(), duration_ms = began.elapsed().as_millis(), live = follower.is_live(),
                "The views of {projection} are at {up_to}"
            );
            if !desks && let Some(bus) = databases.feed.bus() {
                announce(bus, &changes).await;
            }
            let (rest, rush_rest_max) = if desks { (DESKS_REST, DESKS_RUSH_REST_MAX) } else { (REST, RUSH_REST_MAX) };
            rush.rest(if is_full { Duration::ZERO } else { rest }, rush_rest_max).await;
        }
    }

    /// Says how far its partitions are read.
    fn tell(&self, position: u64) {
        self.databases.local.tell(self.projection, self.assignment.owned, position);
        self.position.send_replace(position);
        metrics::gauge!("astro_view_position", "projection" => self.projection.as_str()).set(position as f64);
    }

    async fn open(&self) -> Result<Vec<Box<dyn AnyLane>>, Fault> {
        let Self { projection, databases, store, assignment, .. } = *self;
        store.begin(assignment.epoch).await?;
        // In this order: the log only grows, so what it does not have now was not read from it.
        let standings = store.standings().await?;
        let places: Vec<Place> = standings.values().flat_map(|standing| standing.last.values().copied()).collect();
        let positions: BTreeSet<u64> = places.iter().map(|place| place.position).collect();
        let log: Vec<Place> = databases.feed.at(&positions.into_iter().collect::<Vec<_>>()).await?.iter().map(Place::from).collect();
        let head = databases.feed.head().await?;
        let known = |view: &&'static str| Some((*view, standings.get(*view)?));
        // Noted for good: once the log is as far, positions would not tell any more that a view has read another one.
        let ahead = projection.views().iter().filter_map(known).flat_map(|(view, standing)| {
            let elsewhere = |version: &u32| standing.last.get(version).is_some_and(|place| !log.contains(place));
            let ahead = standing.positions.iter().filter(move |(version, positions)| positions.most() > head || elsewhere(version));
            ahead.map(move |(version, positions)| Changes::beyond_any_log(Table { view, version: *version }, *positions))
        });
        let ahead: Vec<Changes> = ahead.collect();
        if !ahead.is_empty() {
            store.write(Some(assignment.epoch), &ahead).await?;
        }
        let in_use = |table: &Table| standings.get(table.view).is_some_and(|standing| standing.version == table.version);
        let names: Vec<String> = ahead
            .iter()
            .filter(|changes| in_use(&changes.table))
            .map(|changes| ViewName { projection, view: changes.table.view }.to_string())
            .collect();
        if !names.is_empty() {
            return Err(Fault::Ahead(names.join(", ")));
        }
        let mut lanes = Vec::new();
        for view in projection.views() {
            let missing = || StoreFault::Missing(format!("{projection}.{view}"));
            let standing = standings.get(*view).ok_or_else(missing)?;
            let table = Table { view, version: standing.version };
            let mut lane = projection.lane(table, databases.trial.guards).ok_or_else(missing)?;
            lane.open(assignment.owned, standing.positions(), &store.parked(table).await?);
            lanes.push(lane);
        }
        Ok(lanes)
    }

    /// Tries again the streams for which an operator asked it, or which another process has taken up again.
    async fn try_again(&self, lane: &mut dyn AnyLane) -> Result<(), Fault> {
        let Self { databases, store, .. } = *self;
        let aside = lane.aside();
        if aside.is_empty() {
            return Ok(());
        }
        let parked = store.parked(lane.table()).await?;
        for (stream_id, from) in aside {
            let known = parked.iter().find(|stream| stream.stream_id == stream_id);
            // Before the lane has come as far again, there is nothing to try.
            if known.is_some_and(|stream| !stream.retry) || lane.positions().of(partition(&stream_id)) < from {
                continue;
            }
            let without = known.filter(|stream| stream.discard).map(|_| from);
            let mut after = from.saturating_sub(1);
            let mut past = Vec::new();
            loop {
                let page = databases.feed.of_stream(lane.stream(), &stream_id, after, PAGE_EVENTS_MAX).await?;
                let Some(last) = page.last() else { break };
                after = last.position;
                past.extend(page.into_iter().map(Read::new));
            }
            lane.replay(store, &stream_id, &past, without).await?;
            let changes = lane.take()?;
            let again = !changes.parked.is_empty();
            databases.trial.reach(Step::Replayed);
            store.write(Some(self.assignment.epoch), &[changes]).await?;
            databases.trial.reach(Step::TakenUp);
            if !again {
                tracing::info!(view = %lane.table(), stream.id = stream_id, without, "Took stream {stream_id} up again in {}", lane.table());
            }
        }
        Ok(())
    }
}

/// Whether every position behind `after` up to `up_to` is there, in whatever order and however often.
fn dense(batch: &[Envelope], after: u64, up_to: u64) -> bool {
    if (after + 1..).zip(batch).all(|(expected, event)| event.position == expected) {
        return true;
    }
    let positions: BTreeSet<u64> = batch.iter().map(|event| event.position).filter(|position| *position > after).collect();
    positions.len() as u64 == up_to.saturating_sub(after)
}

/// Tells whoever watches a launch that it looks different now. A hint: it may be lost.
async fn announce(bus: &Bus, changes: &[Changes]) {
    let launches = changes.iter().filter(|changes| changes.table.view == "launches").flat_map(|changes| &changes.rows);
    for row in launches {
        if let Err(error) = bus.notify(&format!("view.launches.{}", row.id), row.position.to_string()).await {
            tracing::debug!("Changes of launches are not announced: {error:#}");
            return;
        }
    }
}
