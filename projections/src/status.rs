//! How the views are, for operators: how far, how late, what is set aside.

use crate::{
    Databases, Projection, ReadFault, ViewName,
    partitions::Partitions,
    projector::chain,
    sharing::{HEARD_WITHIN, heard_by_all},
    store::{Member, Parked, Sharing, Standing, StoreFault, Table},
};
use contract::operations::{PartitionStatus, ProjectionStatus, RebuildProgress};
use jiff::{SignedDuration, Timestamp};
use nats::{Feed, FeedError};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How often it is asked whether projectors have heard that they shall stop.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long a projector may be silent before it counts as stopped.
const SILENCE_MAX: SignedDuration = SignedDuration::from_secs(15);
/// How often Prometheus is told how late the views are, and how long their store may take to say where they are.
const MEASURE_EVERY: Duration = Duration::from_secs(2);

/// How the views stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Every view.
    pub views: Vec<ProjectionStatus>,
    /// The last position of the log.
    pub head: u64,
}

/// Every view, and the head of the log, at `now`; what has no place in the log yet is the sequencer's to say. A store that cannot be reached is shown as such.
pub async fn status(databases: &Databases, now: Timestamp) -> Result<Status, ReadFault> {
    let head = databases.feed.head().await?;
    let mut views = Vec::new();
    for projection in Projection::ALL {
        let store = databases.store(projection);
        let (standings, sharing) = tokio::join!(store.standings(), store.sharing());
        let known = standings.and_then(|standings| Ok((standings, sharing?)));
        for view in projection.views() {
            let standing = known.as_ref().ok().and_then(|(standings, sharing)| Some((standings.get(*view)?, sharing)));
            views.push(match (&known, standing) {
                (_, Some((standing, sharing))) => {
                    let parked = store.parked(Table { view, version: standing.version }).await.map_or(0, |parked| parked.len() as u64);
                    let (lag_events, lag_ms) = lag(&databases.feed, standing.position(), head).await?;
                    let partition = |partition: u8| PartitionStatus {
                        partition,
                        position: standing.positions().of(partition).min(head),
                        holder: sharing.holders.get(usize::from(partition)).copied().flatten(),
                    };
                    ProjectionStatus {
                        version: standing.version,
                        previous: standing.previous,
                        position: standing.position().min(head),
                        lag_events,
                        lag_ms,
                        parked,
                        state: state(standing, sharing, now),
                        paused: sharing.paused,
                        ahead: standing.positions().are_beyond_any_log(),
                        rebuild: rebuild(standing, now),
                        partitions: Partitions::ALL.iter().map(partition).collect(),
                        ..nothing(projection, view, head)
                    }
                }
                (Ok(_), None) => ProjectionStatus { state: "missing".to_owned(), ..nothing(projection, view, head) },
                (Err(error), None) => {
                    ProjectionStatus { state: format!("unreachable: {}", chain(error)), ..nothing(projection, view, head) }
                }
            });
        }
    }
    Ok(Status { views, head })
}

/// How many events a view at `position` has not read, and how old the first of them is in milliseconds.
async fn lag(feed: &Feed, position: u64, head: u64) -> Result<(u64, u64), FeedError> {
    let age = if position < head { feed.age(position + 1).await? } else { None };
    let age = age.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    Ok((head.saturating_sub(position), age))
}

/// Tells Prometheus how late the views of a projection are, whatever its projector does. While their store does not answer, they count as
/// being where they were.
pub(crate) async fn measure(databases: Databases, projection: Projection) {
    let (store, feed) = (databases.store(projection), &databases.feed);
    let mut known = None;
    loop {
        if let Ok(Ok(standings)) = timeout(MEASURE_EVERY, store.standings()).await {
            known = standings.values().map(Standing::position).min();
        }
        if let (Some(position), Ok(head)) = (known, feed.head().await)
            && let Ok((events, age)) = lag(feed, position, head).await
        {
            metrics::gauge!("astro_view_lag_events", "projection" => projection.as_str()).set(events as f64);
            metrics::gauge!("astro_view_lag_seconds", "projection" => projection.as_str()).set(age as f64 / 1_000.0);
        }
        sleep(MEASURE_EVERY).await;
    }
}

/// A view of which nothing is known.
fn nothing(projection: Projection, view: &'static str, head: u64) -> ProjectionStatus {
    ProjectionStatus {
        view: ViewName { projection, view }.to_string(),
        version: 0,
        previous: None,
        position: 0,
        head,
        lag_events: head,
        lag_ms: 0,
        parked: 0,
        state: String::new(),
        paused: false,
        ahead: false,
        rebuild: None,
        partitions: Vec::new(),
    }
}

fn is_rebuilding(standing: &Standing, now: Timestamp) -> bool {
    standing.rebuilding_until.is_some_and(|until| until > now)
}

fn state(standing: &Standing, sharing: &Sharing, now: Timestamp) -> String {
    let live = |member: &&Member| now.duration_since(member.beat_at) <= SILENCE_MAX;
    let fault = sharing.members.iter().filter(live).find(|member| !member.fault.is_empty());
    if is_rebuilding(standing, now) {
        "rebuilding".to_owned()
    } else if sharing.paused {
        "paused".to_owned()
    } else if let Some(Member { fault, .. }) = fault {
        format!("paused: {fault}")
    } else if sharing.members.iter().any(|member| live(&member)) {
        "live".to_owned()
    } else {
        "stopped".to_owned()
    }
}

/// What there is to say of the last rebuild: how far it is while it goes on, or why it failed.
fn rebuild(standing: &Standing, now: Timestamp) -> Option<RebuildProgress> {
    let progress = standing.rebuild.clone()?;
    if is_rebuilding(standing, now) {
        Some(progress)
    } else if progress.phase.is_empty() {
        Some(progress).filter(|progress| !progress.fault.is_empty())
    } else {
        Some(RebuildProgress { phase: String::new(), seconds_left: None, fault: "its process ended".to_owned(), ..progress })
    }
}

async fn in_use(databases: &Databases, name: ViewName) -> Result<Table, ReadFault> {
    let standings = databases.store(name.projection).standings().await?;
    let standing = standings.get(name.view).ok_or_else(|| StoreFault::Missing(name.to_string()))?;
    Ok(Table { view: name.view, version: standing.version })
}

/// The streams set aside in a view.
pub async fn parked(databases: &Databases, name: ViewName) -> Result<Vec<Parked>, ReadFault> {
    let table = in_use(databases, name).await?;
    Ok(databases.store(name.projection).parked(table).await?)
}

/// Asks the projector to try a stream again that is set aside; false when it is not. It does so within a second.
pub async fn retry(databases: &Databases, name: ViewName, stream_type: &str, stream_id: &str) -> Result<bool, ReadFault> {
    ask(databases, name, stream_type, stream_id, false).await
}

/// Gives up the event for which a stream is set aside; false when it is not. Within a second the projector folds the later events of the
/// stream on the document as it was; if one of those fails the stream is set aside anew. A rebuild skips nothing: there the event fails
/// again until the fold is mended.
pub async fn discard(databases: &Databases, name: ViewName, stream_type: &str, stream_id: &str) -> Result<bool, ReadFault> {
    ask(databases, name, stream_type, stream_id, true).await
}

async fn ask(databases: &Databases, name: ViewName, stream_type: &str, stream_id: &str, discard: bool) -> Result<bool, ReadFault> {
    let table = in_use(databases, name).await?;
    Ok(databases.store(name.projection).ask_retry(table, stream_type, stream_id, discard).await?)
}

/// Stops every projector of the projection, in whatever process, until [`resume`]. Comes back once those that live have heard it, after
/// 1.5 s at the latest; how far the views are does not move from the start. Reading goes on, stale.
pub async fn pause(databases: &Databases, projection: Projection) -> Result<(), ReadFault> {
    let store = databases.store(projection);
    store.pause(true).await?;
    let known = store.sharing().await?.members;
    let deadline = Instant::now() + HEARD_WITHIN;
    while !heard_by_all(&*store, &known).await? && Instant::now() < deadline {
        sleep(ASK_EVERY).await;
    }
    Ok(())
}

/// Lets the projectors of a projection go on; they do within a second.
pub async fn resume(databases: &Databases, projection: Projection) -> Result<(), ReadFault> {
    Ok(databases.store(projection).pause(false).await?)
}
