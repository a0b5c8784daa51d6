//! Snapshots: folded streams kept beside the log, so that a long one loads as fast as a short one. A cache and nothing more: made beside
//! the appends and never in them, ignored when it cannot be read or belongs to another form of the state, and compared with a full
//! fold every so often. Whatever fails here costs time, not truth.

use super::job::Hot;
use crate::{
    StoreError,
    store::{self, Key, Stored},
};
use futures::TryStreamExt;
use rand::Rng;
use sqlx::{PgPool, Row};

/// A stream grows by at least one event for so many bytes of its last snapshot before the next is made, so that a stream with a large
/// state pays no more for its snapshots, event by event, than one with a small state.
pub(super) const BYTES_PER_EVENT: u64 = 125;

/// A committed state on its way to the store.
pub(super) struct Snapshot {
    pub(super) key: Key,
    pub(super) version: u64,
    pub(super) state_version: i32,
    /// Writes the state out; not done where others wait.
    pub(super) state: Box<dyn FnOnce() -> serde_json::Result<String> + Send>,
}

/// Stores a snapshot, unless there is a newer one.
pub(super) async fn write(pool: &PgPool, snapshot: Snapshot) {
    let Snapshot { key, version, state_version, state } = snapshot;
    let state = match state() {
        Ok(state) => state,
        Err(error) => return tracing::warn!(stream.type = key.stream_type, stream.id = %key.stream_id, "No snapshot made: {error}"),
    };
    let written = sqlx::query(
        "INSERT INTO snapshots (stream_type, stream_id, state_version, version, state) VALUES ($1, $2, $3, $4, $5::text::json) \
         ON CONFLICT (stream_type, stream_id, state_version) DO UPDATE \
            SET version = excluded.version, state = excluded.state, made_at = excluded.made_at WHERE snapshots.version < excluded.version",
    )
    .bind(key.stream_type)
    .bind(&*key.stream_id)
    .bind(state_version)
    .bind(store::stored(version))
    .bind(state)
    .execute(pool)
    .await;
    if let Err(error) = written {
        tracing::debug!(stream.type = key.stream_type, stream.id = %key.stream_id, "No snapshot made: {error}");
    }
}

// The snapshot of a stream comes before the events behind it, as a row without an event type. One that is ahead of its stream, for
// instance after a restore, is none.
const FROM_SNAPSHOTS: &str = "WITH k AS MATERIALIZED (\
        SELECT k.st, k.si, k.sv, s.version, s.state \
        FROM UNNEST($1::text[], $2::text[], $3::int[]) AS k(st, si, sv) \
        LEFT JOIN snapshots s ON s.stream_type = k.st AND s.stream_id = k.si AND s.state_version = k.sv AND EXISTS (\
            SELECT FROM events e WHERE e.aggregate_type = k.st AND e.aggregate_id = k.si AND e.sequence = s.version)) \
    SELECT k.st, k.si, k.version AS sequence, NULL, k.sv, k.state::text FROM k WHERE k.version IS NOT NULL \
    UNION ALL \
    SELECT k.st, k.si, e.sequence, e.event_type, e.event_version::int, e.payload::text \
    FROM k JOIN events e ON e.aggregate_type = k.st AND e.aggregate_id = k.si AND e.sequence > COALESCE(k.version, 0) \
    ORDER BY 1, 2, 3";

/// A stream to load.
pub(super) struct Cold {
    pub(super) key: Key,
    pub(super) hot: Box<dyn Hot>,
}

/// Folds streams nobody has read yet, each from its snapshot where it has one. Returns one in `check_one_in` of those snapshots, to be
/// compared with the truth; 0 is none.
pub(super) async fn load(pool: &PgPool, streams: &mut [Cold], check_one_in: u32) -> Result<Vec<Restored>, StoreError> {
    let Read { spoiled, sample } = read(pool, streams, true, check_one_in).await?;
    if !spoiled.is_empty() {
        let mut again: Vec<Cold> =
            spoiled.iter().map(|index| Cold { key: streams[*index].key.clone(), hot: streams[*index].hot.fresh() }).collect();
        read(pool, &mut again, false, 0).await?;
        for (index, cold) in spoiled.into_iter().zip(again) {
            streams[index] = cold;
        }
    }
    Ok(sample)
}

/// What reading brought beside the states.
#[derive(Default)]
struct Read {
    /// Which of the streams have a snapshot that cannot be read, and so nothing that counts.
    spoiled: Vec<usize>,
    sample: Vec<Restored>,
}

/// Folds streams from what is stored.
async fn read(pool: &PgPool, streams: &mut [Cold], from_snapshots: bool, check_one_in: u32) -> Result<Read, StoreError> {
    let types: Vec<&str> = streams.iter().map(|cold| cold.key.stream_type).collect();
    let ids: Vec<String> = streams.iter().map(|cold| cold.key.stream_id.to_string()).collect();
    // No state has version 0.
    let states: Vec<i32> = streams.iter().map(|cold| if from_snapshots { cold.hot.state_version() } else { 0 }).collect();
    let mut rows = sqlx::query(FROM_SNAPSHOTS).bind(types).bind(&ids).bind(states).fetch(pool);
    let mut current = 0;
    let mut read = Read::default();
    while let Some(row) = rows.try_next().await? {
        let (stream_type, stream_id): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        let is = |cold: &Cold| cold.key.stream_type == stream_type && *cold.key.stream_id == *stream_id;
        if !is(&streams[current]) {
            let Some(found) = streams.iter().position(is) else { continue };
            current = found;
        }
        if read.spoiled.last() == Some(&current) {
            continue;
        }
        let Cold { key, hot } = &mut streams[current];
        if row.try_get::<Option<&str>, _>(3)?.is_some() {
            hot.fold(key, &Stored::from_row(&row, 2)?)?;
            continue;
        }
        let (version, state) = (row.try_get::<i64, _>(2)?.try_into().unwrap_or_default(), row.try_get::<&str, _>(5)?);
        let fresh = hot.fresh();
        match hot.restore(version, state) {
            Ok(()) if check_one_in > 0 && rand::rng().random_ratio(1, check_one_in) => {
                read.sample.push(Restored { key: key.clone(), version, state: state.to_owned(), fresh });
            }
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(stream.type = stream_type, stream.id = stream_id, "A snapshot cannot be read and is left aside: {error}");
                read.spoiled.push(current);
            }
        }
    }
    Ok(read)
}

/// Compares a snapshot with a full fold up to it. When they differ, says so and deletes the snapshots of the stream; returns whether they
/// agree.
pub(super) async fn verify(pool: &PgPool, restored: Restored) -> Result<bool, StoreError> {
    let Restored { key, version, state, mut fresh } = restored;
    let mut rows = sqlx::query(
        "SELECT sequence, event_type, event_version::int, payload::text FROM events \
         WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence <= $3 ORDER BY sequence",
    )
    .bind(key.stream_type)
    .bind(&*key.stream_id)
    .bind(store::stored(version))
    .fetch(pool);
    while let Some(row) = rows.try_next().await? {
        fresh.fold(&key, &Stored::from_row(&row, 0)?)?;
    }
    drop(rows);
    if fresh.version() == version && fresh.same(&state) {
        return Ok(true);
    }
    tracing::error!(stream.type = key.stream_type, stream.id = %key.stream_id, version, "A snapshot is not what its events add up to");
    metrics::counter!("astro_snapshots_wrong_total").increment(1);
    sqlx::query("DELETE FROM snapshots WHERE stream_type = $1 AND stream_id = $2")
        .bind(key.stream_type)
        .bind(&*key.stream_id)
        .execute(pool)
        .await?;
    Ok(false)
}

/// What a snapshot said, to be compared with the truth.
pub(super) struct Restored {
    pub(super) key: Key,
    pub(super) version: u64,
    /// As stored.
    pub(super) state: String,
    /// The same stream before its first event.
    pub(super) fresh: Box<dyn Hot>,
}
