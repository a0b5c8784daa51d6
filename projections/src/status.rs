//! How the views are, for operators: how far, how late, what is set aside.

use crate::{
    Databases, Projection, ReadFault, ViewName,
    projector::chain,
    store::{Parked, Standing, StoreFault, Table},
};
use contract::operations::{ProjectionStatus, Projections};
use jiff::{SignedDuration, Timestamp};

/// How long a projector may be silent before it counts as stopped.
const SILENCE_MAX: SignedDuration = SignedDuration::from_secs(15);
/// How far back from the last sequenced event unsequenced ones are looked for: transactions commit out of the order of their rows.
const UNSEQUENCED_BEHIND: i64 = 10_000;

/// Every view, and the head of the log, at `now`. A store that cannot be reached is shown as such.
pub async fn status(databases: &Databases, now: Timestamp) -> Result<Projections, ReadFault> {
    let head = databases.feed.head().await?;
    let mut views = Vec::new();
    for projection in Projection::ALL {
        let store = databases.store(projection);
        let standings = store.standings().await;
        for view in projection.views() {
            let name = ViewName { projection, view };
            let shown = match &standings {
                Ok(standings) => match standings.get(*view) {
                    Some(standing) => {
                        let parked = store.parked(Table { view, version: standing.version }).await.map_or(0, |parked| parked.len() as u64);
                        (standing.version, standing.position(), parked, state(standing, now))
                    }
                    None => (0, 0, 0, "missing".to_owned()),
                },
                Err(error) => (0, 0, 0, format!("unreachable: {}", chain(error))),
            };
            let (version, position, parked, state) = shown;
            let lag_events = head.saturating_sub(position);
            let oldest = if lag_events > 0 { databases.feed.recorded_at(position + 1).await? } else { None };
            let lag_ms = oldest.map_or(0, |at| u64::try_from(now.duration_since(at).as_millis()).unwrap_or_default());
            views.push(ProjectionStatus {
                view: name.to_string(),
                version,
                previous: standings.as_ref().ok().and_then(|standings| standings.get(*view)?.previous),
                position,
                head,
                lag_events,
                lag_ms,
                parked,
                state,
                paused: false,
                rebuild: None,
                partitions: Vec::new(),
            });
        }
    }
    let unsequenced: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM events e WHERE e.id > (SELECT coalesce(max(event_row), 0) - $1 FROM log) \
         AND NOT EXISTS (SELECT FROM log l WHERE l.event_row = e.id)",
    )
    .bind(UNSEQUENCED_BEHIND)
    .fetch_one(&databases.pool)
    .await?;
    let unsequenced = crate::store::unsigned(unsequenced);
    Ok(Projections { views, head, unsequenced, oldest_writer_ms: None, held_back: false, sequencer: None, epoch: 0, as_of: now })
}

fn state(standing: &Standing, now: Timestamp) -> String {
    if standing.rebuilding_until.is_some_and(|until| until > now) {
        "rebuilding".to_owned()
    } else if !standing.fault.is_empty() {
        format!("paused: {}", standing.fault)
    } else if standing.beat_at.is_none_or(|beat| now.duration_since(beat) > SILENCE_MAX) {
        "stopped".to_owned()
    } else {
        "live".to_owned()
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
    let table = in_use(databases, name).await?;
    Ok(databases.store(name.projection).ask_retry(table, stream_type, stream_id).await?)
}
