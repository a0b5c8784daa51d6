//! The event history of any stream, as auditors read it. Checking it is `commands::audit`'s.

use crate::{
    app::App,
    keys::hex,
    problem::{Answer, ApiError},
};
use commands::{
    StoreError,
    audit::{self, At},
};
use contract::{
    Listing, Page,
    operations::{StreamEvent, StreamHit, StreamState},
};
use nats::Moment;
use sqlx::{PgPool, Row, postgres::PgRow};
use uuid::Uuid;

/// Streams shown for one search.
const HITS_MAX: usize = 20;

/// Streams with this id, and those the views find by these words.
pub(super) async fn find(app: &App, search: &str) -> Answer<Vec<StreamHit>> {
    if search.is_empty() {
        return Ok(Vec::new());
    }
    let id = search.rsplit_once('/').map_or(search, |(_, id)| id);
    let named: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT aggregate_type FROM events WHERE aggregate_id = $1 AND aggregate_type = ANY($2) AND sequence = 1",
    )
    .bind(id)
    .bind(TYPES)
    .fetch_all(&app.pool)
    .await?;
    let mut hits: Vec<StreamHit> = named
        .into_iter()
        .map(|stream_type| StreamHit { title: format!("{stream_type} {id}"), stream_type, stream_id: id.to_owned() })
        .collect();
    // What the views know has a better title.
    let known = app.views.operations.streams(id).await?;
    hits.retain(|hit| known.iter().all(|known| known.stream_id != hit.stream_id));
    Ok(known.into_iter().chain(hits).take(HITS_MAX).collect())
}

/// The kinds of streams; the primary key of the events begins with them.
const TYPES: &[&str] = &["launch", "customer", "supplier", "rocket", "spaceport", "slug", "policy"];

fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The events of a stream that have a position, oldest first.
pub(super) async fn events(pool: &PgPool, stream_type: &str, id: &str, listing: &Listing) -> Answer<Page<StreamEvent>> {
    let total: Option<i64> = sqlx::query_scalar("SELECT max(sequence) FROM recorded WHERE stream_type = $1 AND stream_id = $2")
        .bind(stream_type)
        .bind(id)
        .fetch_one(pool)
        .await?;
    let total = total.and_then(|total| u64::try_from(total).ok()).ok_or_else(ApiError::not_found)?;
    // Sequences are dense, so a page is a range of them.
    let after = u64::from(listing.page - 1) * u64::from(listing.per_page);
    let rows = sqlx::query(
        "SELECT position, sequence, event_id, event_type, recorded_at, actor, command_id, correlation_id, causation_id, payload::text, hash \
         FROM recorded WHERE stream_type = $1 AND stream_id = $2 AND sequence > $3 AND sequence <= $4 ORDER BY sequence",
    )
    .bind(stream_type)
    .bind(id)
    .bind(stored(after))
    .bind(stored(after + u64::from(listing.per_page)))
    .fetch_all(pool)
    .await?;
    let items = rows.iter().map(event).collect::<Answer<Vec<StreamEvent>>>()?;
    let position = items.last().map_or(0, |event| event.position);
    Ok(Page { items, total, page: listing.page, per_page: listing.per_page, position, stale: false })
}

fn event(row: &PgRow) -> Answer<StreamEvent> {
    let number = |column: usize| row.try_get::<i64, _>(column).map(|number| u64::try_from(number).unwrap_or_default());
    Ok(StreamEvent {
        position: number(0)?,
        sequence: number(1)?,
        event_id: row.try_get::<Uuid, _>(2)?,
        event_type: row.try_get(3)?,
        recorded_at: row.try_get::<Moment, _>(4)?.0,
        actor: row.try_get(5)?,
        command_id: row.try_get(6)?,
        correlation_id: row.try_get(7)?,
        causation_id: row.try_get(8)?,
        payload: serde_json::from_str(row.try_get(9)?).map_err(ApiError::internal)?,
        hash: hex(row.try_get::<&[u8], _>(10)?),
    })
}

/// The state of a stream at a moment.
pub(super) async fn state(pool: &PgPool, stream_type: &str, id: &str, at: At) -> Answer<StreamState> {
    match audit::replay(pool, stream_type, id, at).await {
        Ok(replayed) if replayed.version == 0 => Err(ApiError::not_found()),
        Ok(replayed) => {
            let position = replayed.position.unwrap_or_default();
            Ok(StreamState { sequence: replayed.version, position, stale: false, state: replayed.state })
        }
        Err(StoreError::UnknownStreamType(_)) => Err(ApiError::not_found()),
        Err(error) => Err(error.into()),
    }
}

/// The last hash of the chain.
pub(super) async fn head_hash(pool: &PgPool) -> Answer<String> {
    let hash: Vec<u8> = sqlx::query_scalar("SELECT hash FROM sequencer").fetch_one(pool).await?;
    Ok(hex(&hash))
}
