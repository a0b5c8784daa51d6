//! The loop that keeps the views of one projection up to date: reads the log, folds, writes, tells. It knows no view and can cause nothing
//! but documents. A failing event sets its stream aside; a failing server only makes it wait.

use crate::{
    Databases, Projection,
    lane::{AnyLane, Read},
    recorded::Recorded,
    store::{Changes, Store, StoreFault, Table},
};
use futures::future::try_join_all;
use nats::{Bus, Envelope, FeedError, feed::PAGE_EVENTS_MAX};
use std::{collections::HashMap, error::Error, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// How many events are folded and written at once.
const BATCH_EVENTS_MAX: usize = 1_000;
/// How often the projector looks for a new version of a view and for streams to try again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it says that it is there.
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// The first wait after a fault; twice as long each time.
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
    #[error("read the log")]
    Feed(#[from] FeedError),
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
    let wanted = |event: &Envelope| lanes.iter().any(|lane| lane.stream() == event.stream_type && event.position > lane.position());
    batch.into_iter().filter(wanted).map(Recorded::read).collect()
}

/// Keeps the views of `projection` up to date until `stop`; says in `position` up to where all of them have read. Several processes may
/// run the same one: what is written only goes forward.
pub async fn run(projection: Projection, databases: Databases, position: watch::Sender<u64>, stop: CancellationToken) {
    let store = databases.store(projection);
    let mut pause = PAUSE_MIN;
    while !stop.is_cancelled() {
        let began = Instant::now();
        let Err(fault) = follow(projection, &databases, &*store, &position, &stop).await else { continue };
        if began.elapsed() > PAUSE_MAX {
            pause = PAUSE_MIN;
        }
        let why = chain(&fault);
        tracing::warn!(projection = %projection, "The views of {projection} wait {} ms: {why}", pause.as_millis());
        // Told where it can be; the store may be what failed.
        if let Err(error) = store.beat(&why).await {
            tracing::debug!(projection = %projection, "The fault is not shown: {}", chain(&error));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(pause) => {}
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Opens the views where they stand and follows the log, until there is another version of one.
async fn follow(
    projection: Projection,
    databases: &Databases,
    store: &dyn Store,
    position: &watch::Sender<u64>,
    stop: &CancellationToken,
) -> Result<(), Fault> {
    let (mut lanes, versions) = open(projection, store).await?;
    let mut follower = databases.feed.follow(lanes.iter().map(|lane| lane.position()).min().unwrap_or_default());
    let (mut look_at, mut beat_at) = (Instant::now(), Instant::now());
    position.send_replace(follower.after());
    loop {
        let now = Instant::now();
        if now >= beat_at {
            store.beat("").await?;
            beat_at = now + BEAT_EVERY;
        }
        if now >= look_at {
            if self::versions(projection, store).await? != versions {
                return Ok(());
            }
            for lane in &mut lanes {
                try_again(databases, store, &mut **lane).await?;
            }
            look_at = Instant::now() + LOOK_EVERY;
        }
        let batch = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            batch = follower.next_batch(BATCH_EVENTS_MAX, LOOK_EVERY) => batch?,
        };
        let Some(up_to) = batch.last().map(|event| event.position) else { continue };
        let began = Instant::now();
        let batch = read(batch, &lanes);
        try_join_all(lanes.iter_mut().map(|lane| lane.fold(store, &batch, up_to))).await?;
        let changes: Vec<Changes> = lanes.iter_mut().map(|lane| lane.take()).collect::<Result<_, _>>()?;
        let folded = began.elapsed();
        store.write(&changes).await?;
        position.send_replace(up_to);
        tracing::debug!(
            projection = %projection, position = up_to, events = batch.len(), documents = changes.iter().map(|c| c.rows.len()).sum::<usize>(),
            folded_ms = folded.as_millis(), took_ms = began.elapsed().as_millis(), live = follower.is_live(),
            "The views of {projection} are at {up_to}"
        );
        if projection == Projection::Customer
            && let Some(bus) = databases.feed.bus()
        {
            announce(bus, &changes).await;
        }
    }
}

/// Which version of each view is in use.
async fn versions(projection: Projection, store: &dyn Store) -> Result<HashMap<&'static str, u32>, StoreFault> {
    let standings = store.standings().await?;
    let version = |view: &&'static str| {
        let standing = standings.get(*view).ok_or_else(|| StoreFault::Missing(format!("{projection}.{view}")))?;
        Ok((*view, standing.version))
    };
    projection.views().iter().map(version).collect()
}

type Opened = (Vec<Box<dyn AnyLane>>, HashMap<&'static str, u32>);

async fn open(projection: Projection, store: &dyn Store) -> Result<Opened, StoreFault> {
    let standings = store.standings().await?;
    let mut lanes = Vec::new();
    let mut versions = HashMap::new();
    for view in projection.views() {
        let missing = || StoreFault::Missing(format!("{projection}.{view}"));
        let standing = standings.get(*view).ok_or_else(missing)?;
        let table = Table { view, version: standing.version };
        let mut lane = projection.lane(table).ok_or_else(missing)?;
        lane.open(standing.position(), &store.parked(table).await?);
        versions.insert(*view, standing.version);
        lanes.push(lane);
    }
    Ok((lanes, versions))
}

/// Tries again the streams for which an operator asked it, or which another process has taken up again.
async fn try_again(databases: &Databases, store: &dyn Store, lane: &mut dyn AnyLane) -> Result<(), Fault> {
    let aside = lane.aside();
    if aside.is_empty() {
        return Ok(());
    }
    let parked = store.parked(lane.table()).await?;
    for (stream_id, from) in aside {
        let known = parked.iter().find(|stream| stream.stream_id == stream_id);
        if known.is_some_and(|stream| !stream.retry) {
            continue;
        }
        let mut after = from.saturating_sub(1);
        let mut past = Vec::new();
        while after < lane.position() {
            let page = databases.feed.page(after, PAGE_EVENTS_MAX).await?;
            let Some(last) = page.last() else { break };
            after = last.position;
            let of_stream = |event: &Envelope| event.stream_type == lane.stream() && event.stream_id == stream_id;
            past.extend(page.into_iter().filter(of_stream).map(Recorded::read));
        }
        lane.replay(store, &stream_id, &past).await?;
        let changes = lane.take()?;
        let again = !changes.parked.is_empty();
        store.write(&[changes]).await?;
        if !again {
            store.unpark(lane.table(), lane.stream(), &stream_id).await?;
            tracing::info!(view = %lane.table(), stream.id = stream_id, "Took stream {stream_id} up again in {}", lane.table());
        }
    }
    Ok(())
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
