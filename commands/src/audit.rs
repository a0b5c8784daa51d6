//! Checks the log from the stored rows alone, and shows any stream as it was at any moment. Changes nothing.

use crate::{
    StoreError,
    hash::{self, Body, GENESIS, Hash},
    store::Stored,
};
use domain::{
    Decider, customer::Customer, launch::Launch, policy::Policy, rocket::Rocket, slug::SlugClaim, spaceport::Spaceport, supplier::Supplier,
};
use futures::TryStreamExt;
use jiff::Timestamp;
use nats::Moment;
use sqlx::{PgPool, Row, postgres::PgRow};
use std::collections::HashMap;

/// How many events are read at once.
const PAGE_EVENTS: i64 = 2_000;
/// For how many streams the last sequence is remembered while verifying.
const STREAMS_MAX: usize = 200_000;

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// How many positions are as they were written.
    pub checked: u64,
    /// The last position of the log, as the sequencer remembers it.
    pub head: u64,
    /// The first position that is not as it was written, if any.
    pub first_bad: Option<Bad>,
}

/// Where the log was changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Bad {
    /// The position.
    pub position: u64,
    /// What is wrong there, for a person.
    pub why: String,
}

/// Verifies the log from position `from` (1 is the first) to its end: positions are dense, every event is there and says what it said, each
/// stream is whole, and the hashes chain up to the one the sequencer holds. Reads page by page. Stops at the first position that is bad.
pub async fn verify(pool: &PgPool, from: u64) -> Result<Report, sqlx::Error> {
    let from = from.max(1);
    let head = sqlx::query("SELECT position, hash FROM sequencer").fetch_one(pool).await?;
    let (head, end): (i64, Vec<u8>) = (head.try_get(0)?, head.try_get(1)?);
    let head = u64::try_from(head).unwrap_or_default();
    let mut report = Report { checked: 0, head, first_bad: None };
    let mut link = match before(pool, from).await? {
        Some(link) => link,
        None if from > head + 1 => return Ok(report),
        None => {
            report.first_bad = Some(Bad { position: from - 1, why: "the log has no such position".to_owned() });
            return Ok(report);
        }
    };
    let mut streams: HashMap<(String, String), i64> = HashMap::new();
    let mut position = from - 1;
    while position < head {
        let rows = page(pool, position).await?;
        if rows.is_empty() {
            report.first_bad = Some(Bad { position: position + 1, why: format!("the log ends before its head {head}") });
            return Ok(report);
        }
        if streams.len() > STREAMS_MAX {
            streams.clear();
        }
        for row in &rows {
            match check(pool, row, position + 1, &link, &mut streams).await? {
                Ok(next) => link = next,
                Err(why) => {
                    report.first_bad = Some(Bad { position: position + 1, why });
                    return Ok(report);
                }
            }
            position += 1;
            report.checked += 1;
            if position == head && link[..] != end[..] {
                report.first_bad = Some(Bad { position, why: "the hash is not the one the sequencer holds".to_owned() });
                return Ok(report);
            }
        }
    }
    Ok(report)
}

async fn before(pool: &PgPool, from: u64) -> Result<Option<Hash>, sqlx::Error> {
    if from == 1 {
        return Ok(Some(GENESIS));
    }
    let link: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT hash FROM log WHERE position = $1").bind(stored(from - 1)).fetch_optional(pool).await?;
    Ok(link.and_then(|link| link.try_into().ok()))
}

fn stored(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

async fn page(pool: &PgPool, after: u64) -> Result<Vec<PgRow>, sqlx::Error> {
    // An outer join: an event that was deleted must show.
    sqlx::query(
        "SELECT l.position, l.hash, e.id, e.event_id, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version, \
            e.payload::text, e.command_id, e.correlation_id, e.causation_id, e.actor, e.body_hash, e.recorded_at \
         FROM log l LEFT JOIN events e ON e.id = l.event_row WHERE l.position > $1 AND l.position <= $2 ORDER BY l.position",
    )
    .bind(stored(after))
    .bind(stored(after).saturating_add(PAGE_EVENTS))
    .fetch_all(pool)
    .await
}

/// The link at `expected`, or what is wrong there.
async fn check(
    pool: &PgPool,
    row: &PgRow,
    expected: u64,
    previous: &Hash,
    streams: &mut HashMap<(String, String), i64>,
) -> Result<Result<Hash, String>, sqlx::Error> {
    let position: i64 = row.try_get(0)?;
    if position != stored(expected) {
        return Ok(Err(format!("the position is missing; the next one is {position}")));
    }
    if row.try_get::<Option<i64>, _>(2)?.is_none() {
        return Ok(Err("its event is missing".to_owned()));
    }
    let stream: (String, String) = (row.try_get(4)?, row.try_get(5)?);
    let sequence: i64 = row.try_get(6)?;
    let body = Body {
        event_id: row.try_get(3)?,
        stream_type: &stream.0,
        stream_id: &stream.1,
        sequence: sequence.try_into().unwrap_or_default(),
        event_type: row.try_get(7)?,
        event_version: row.try_get(8)?,
        payload: row.try_get(9)?,
        command_id: row.try_get(10)?,
        correlation_id: row.try_get(11)?,
        causation_id: row.try_get(12)?,
        actor: row.try_get(13)?,
    };
    let body_hash = body.hash();
    if row.try_get::<&[u8], _>(14)? != body_hash {
        return Ok(Err("the event does not say what it said".to_owned()));
    }
    let link = hash::link(previous, expected, row.try_get::<Moment, _>(15)?.0, &body_hash);
    if row.try_get::<&[u8], _>(1)? != link {
        return Ok(Err("the hash does not follow from the one before".to_owned()));
    }
    let last = match streams.get(&stream) {
        Some(last) => *last,
        None => predecessor(pool, &stream, position).await?,
    };
    if sequence != last + 1 {
        return Ok(Err(format!("{}/{} has event {sequence} after {last}", stream.0, stream.1)));
    }
    streams.insert(stream, sequence);
    Ok(Ok(link))
}

/// The last event of a stream before a position; only asked for streams that are met for the first time.
async fn predecessor(pool: &PgPool, stream: &(String, String), position: i64) -> Result<i64, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT max(e.sequence) FROM events e JOIN log l ON l.event_row = e.id \
         WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND l.position < $3",
    )
    .bind(&stream.0)
    .bind(&stream.1)
    .bind(position)
    .fetch_one(pool)
    .await?;
    Ok(last.unwrap_or_default())
}

/// A moment in the life of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// After the event at this position.
    Position(u64),
    /// After everything recorded up to this time.
    Time(Timestamp),
    /// Now, also what has no position yet.
    Now,
}

impl std::str::FromStr for At {
    type Err = jiff::Error;
    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        match text.parse() {
            Ok(position) => Ok(Self::Position(position)),
            Err(_) => text.parse().map(Self::Time),
        }
    }
}

/// A stream as it was.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Replayed {
    /// The kind of stream.
    pub stream_type: String,
    /// Which one.
    pub stream_id: String,
    /// The sequence of its last event then; 0 when it had none.
    pub version: u64,
    /// The position of that event, if it has one.
    pub position: Option<u64>,
    /// When that event was recorded.
    pub recorded_at: Option<Timestamp>,
    /// What the events up to then add up to.
    pub state: serde_json::Value,
}

/// The stream of `stream_type` named `stream_id` as it was `at` a moment.
pub async fn replay(pool: &PgPool, stream_type: &str, stream_id: &str, at: At) -> Result<Replayed, StoreError> {
    match stream_type {
        Supplier::NAME => replay_as::<Supplier>(pool, stream_id, at).await,
        Spaceport::NAME => replay_as::<Spaceport>(pool, stream_id, at).await,
        Rocket::NAME => replay_as::<Rocket>(pool, stream_id, at).await,
        Launch::NAME => replay_as::<Launch>(pool, stream_id, at).await,
        SlugClaim::NAME => replay_as::<SlugClaim>(pool, stream_id, at).await,
        Customer::NAME => replay_as::<Customer>(pool, stream_id, at).await,
        Policy::NAME => replay_as::<Policy>(pool, stream_id, at).await,
        other => Err(StoreError::UnknownStreamType(other.to_owned())),
    }
}

/// The same for the decider `D`.
pub async fn replay_as<D: Decider>(pool: &PgPool, stream_id: &str, at: At) -> Result<Replayed, StoreError> {
    let (position, time) = match at {
        At::Position(position) => (Some(stored(position)), None),
        At::Time(time) => (None, Some(Moment(time))),
        At::Now => (None, None),
    };
    let mut rows = sqlx::query(
        "SELECT e.sequence, e.event_type, e.event_version::int, e.payload::text, e.recorded_at, l.position FROM events e LEFT JOIN log l ON l.event_row = e.id \
         WHERE e.aggregate_type = $1 AND e.aggregate_id = $2 AND ($3::bigint IS NULL OR l.position <= $3) \
            AND ($4::timestamptz IS NULL OR e.recorded_at <= $4) ORDER BY e.sequence",
    )
    .bind(D::NAME)
    .bind(stream_id)
    .bind(position)
    .bind(time)
    .fetch(pool);
    let mut state = D::default();
    let mut replayed = Replayed {
        stream_type: D::NAME.to_owned(),
        stream_id: stream_id.to_owned(),
        version: 0,
        position: None,
        recorded_at: None,
        state: serde_json::Value::Null,
    };
    let stream = || format!("{}/{stream_id}", D::NAME);
    while let Some(row) = rows.try_next().await? {
        Stored::from_row(&row, 0)?.fold::<D>(stream, &mut replayed.version, &mut state)?;
        replayed.recorded_at = Some(row.try_get::<Moment, _>(4)?.0);
        replayed.position = row.try_get::<Option<i64>, _>(5)?.and_then(|position| position.try_into().ok());
    }
    replayed.state = serde_json::to_value(&state).map_err(|source| StoreError::Unwritable { stream: stream(), source })?;
    Ok(replayed)
}
