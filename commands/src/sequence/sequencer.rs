//! Takes committed events that have no place in the log yet, and gives them one, in windows of settled transactions.
//!
//! Identity values and commit order differ: a row with a lower id may become visible later. So rows are taken only from transactions below
//! the oldest one still running (`pg_snapshot_xmin`), of which every one has committed or rolled back. A window is all rows of the
//! transactions between the last such border and the new one, in the order of their ids.

use super::{Ended, LEASE, Lead};
use crate::{
    guards::{Guard, Step as Reached, Trial},
    hash,
    store::stored,
};
use nats::{Envelope, feed};
use sqlx::{PgConnection, PgPool, Row, postgres::PgRow};
use std::collections::{HashMap, HashSet};

/// About how many events one window holds; a window never splits a transaction.
const WINDOW_EVENTS: i64 = 4_096;
/// For how many streams the last sequence is remembered, before starting afresh.
const HEADS_MAX: usize = 100_000;

/// What is left after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// More is settled.
    More,
    /// Something is committed, and an older transaction is still open.
    HeldBack,
    Nothing,
}

pub(super) struct Step {
    /// What got its place.
    pub(super) events: Vec<Envelope>,
    pub(super) rest: Rest,
}

struct Unsequenced {
    id: i64,
    body_hash: Vec<u8>,
    stream: (String, String),
    /// Without a position yet.
    event: Envelope,
}

#[derive(Default)]
pub(super) struct Sequencer {
    /// The last sequenced event of streams seen lately.
    heads: HashMap<(String, String), u64>,
    /// The forms of events seen so far: stream type, event type, version.
    forms: HashSet<(String, String, u32)>,
    trial: Trial,
}

/// The columns of an [`Unsequenced`] from events `e`, as [`feed::envelope`] wants the first ones.
macro_rules! columns {
    () => {
        "0::bigint, e.event_id, e.aggregate_type, e.aggregate_id, e.sequence, e.event_type, e.event_version::int, e.recorded_at, e.command_id, \
            e.correlation_id, e.causation_id, e.actor, e.payload::text, e.id, e.body_hash"
    };
}

// `wide` is where a window of the wished size would end; `newest` is the newest of this cluster: if it is not in the window, something is
// committed that an older transaction holds back.
// Already sequenced rows are left out: there are some after a restore into a new cluster, where transaction ids start anew. The scalar
// subquery with LIMIT asks the index for each row; an anti-join might be planned as a hash of the whole log.
const WINDOW: &str = concat!(
    "WITH border AS MATERIALIZED (\
        SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin, pg_snapshot_xmax(pg_current_snapshot()) AS next, \
            (SELECT e.xid FROM events e WHERE e.xid >= $1::text::xid8 ORDER BY e.xid OFFSET $2 LIMIT 1) AS wide), \
    edge AS MATERIALIZED (SELECT CASE WHEN wide < xmin THEN (wide::text::bigint + 1)::text::xid8 ELSE xmin END AS upto, wide < xmin AS more, \
        (SELECT e.xid FROM events e WHERE e.xid < next ORDER BY e.xid DESC LIMIT 1) AS newest FROM border) \
    SELECT ",
    columns!(),
    ", edge.upto::text, edge.more, COALESCE(edge.newest >= edge.upto, false) \
    FROM edge LEFT JOIN events e ON e.xid >= $1::text::xid8 AND e.xid < edge.upto AND (SELECT l.position FROM log l WHERE l.event_row = e.id LIMIT 1) IS NULL \
    ORDER BY e.id"
);

// What a reader would do that knows nothing of transactions still open: only without `Guard::SettledTail`.
const NAIVE_WINDOW: &str = concat!(
    "SELECT ",
    columns!(),
    ", COALESCE($1::text, ''), false, false FROM events e WHERE e.id > (SELECT COALESCE(max(event_row), 0) FROM log) ORDER BY e.id LIMIT $2"
);

// What a former cluster left: see `adopt`.
const LEFT: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events e WHERE e.xid >= LEAST($2::text::xid8, pg_snapshot_xmax(pg_current_snapshot())) \
        AND e.id <= (SELECT max(f.id) FROM events f WHERE f.xid >= pg_snapshot_xmax(pg_current_snapshot())) \
        AND (SELECT l.position FROM log l WHERE l.event_row = e.id LIMIT 1) IS NULL \
    ORDER BY e.id LIMIT $1"
);

const GIVE: &str = "WITH led AS (\
        UPDATE sequencer SET position = $3, hash = $4, settled_to = $5::text::xid8, stopped = NULL, \
            lease_until = clock_timestamp() + make_interval(secs => $6) \
        WHERE (epoch = $1 OR NOT $14) AND position = $2 RETURNING epoch), \
    formed AS (\
        INSERT INTO forms (stream_type, event_type, event_version, event_row) \
        SELECT f.st, f.et, f.ev, f.r FROM led, UNNEST($10::text[], $11::text[], $12::int[], $13::bigint[]) AS f(st, et, ev, r) ON CONFLICT DO NOTHING) \
    INSERT INTO log (position, event_row, hash) SELECT g.p, g.r, g.h FROM led, UNNEST($7::bigint[], $8::bigint[], $9::bytea[]) AS g(p, r, h)";

impl Sequencer {
    pub(super) fn new(trial: Trial) -> Self {
        Self { trial, ..Self::default() }
    }

    /// Keeps the lease while there is nothing to do.
    pub(super) async fn renew(&self, pool: &PgPool, lead: &Lead) -> Result<(), Ended> {
        let renewed = sqlx::query(
            "UPDATE sequencer SET settled_to = $2::text::xid8, stopped = NULL, lease_until = clock_timestamp() + make_interval(secs => $3) \
             WHERE epoch = $1",
        )
        .bind(lead.epoch)
        .bind(&lead.settled_to)
        .bind(LEASE.as_secs_f64())
        .execute(pool)
        .await?;
        if renewed.rows_affected() == 1 || !self.trial.guards.has(Guard::Fencing) { Ok(()) } else { Err(Ended::Fenced) }
    }

    /// After a restore into a new cluster transaction ids start anew, below those stored with the events: no transaction of this cluster has
    /// written what is not below the next id. Takes what the old cluster left unsequenced, all of it settled, up to the last row that is
    /// known to be the old one's. Where the end of the last window is not of this cluster either, windows start from the beginning; what has
    /// its place already is skipped there.
    pub(super) async fn adopt(&mut self, pool: &PgPool, lead: &mut Lead) -> Result<(), Ended> {
        let (windows, events): (bool, bool) = sqlx::query_as(
            "SELECT $1::text::xid8 > next, COALESCE((SELECT e.xid FROM events e ORDER BY e.xid DESC LIMIT 1) >= next, false) \
             FROM (SELECT pg_snapshot_xmax(pg_current_snapshot()) AS next) now",
        )
        .bind(&lead.settled_to)
        .fetch_one(pool)
        .await?;
        if !windows && !events {
            return Ok(());
        }
        if windows {
            tracing::warn!(position = lead.position, "The event store was restored into a new cluster; its transactions are counted anew");
        }
        loop {
            let rows = sqlx::query(LEFT).bind(WINDOW_EVENTS).bind(&lead.settled_to).fetch_all(pool).await?;
            if rows.is_empty() {
                break;
            }
            let rows = rows.iter().map(unsequenced).collect::<Result<Vec<_>, _>>()?;
            self.give(&mut *pool.acquire().await?, lead, rows, lead.settled_to.clone()).await?;
        }
        if windows {
            lead.settled_to = "0".to_owned();
        }
        Ok(())
    }

    /// Sequences the next window.
    pub(super) async fn step(&mut self, pool: &PgPool, lead: &mut Lead) -> Result<Step, Ended> {
        let window = if self.trial.guards.has(Guard::SettledTail) { WINDOW } else { NAIVE_WINDOW };
        // One connection for all of it: each that is given back to the pool costs a round trip more.
        let mut connection = pool.acquire().await?;
        let rows = sqlx::query(window).bind(&lead.settled_to).bind(WINDOW_EVENTS).fetch_all(&mut *connection).await?;
        let Some(first) = rows.first() else { return Ok(Step { events: Vec::new(), rest: Rest::Nothing }) };
        let upto: String = first.try_get(15)?;
        let more: Option<bool> = first.try_get(16)?;
        let held: bool = first.try_get(17)?;
        let rest = if more == Some(true) {
            Rest::More
        } else if held {
            Rest::HeldBack
        } else {
            Rest::Nothing
        };
        let empty = first.try_get::<Option<i64>, _>(13)?.is_none();
        if empty {
            // Remembered here and stored with the next write: an idle log writes nothing but its lease.
            lead.settled_to = upto;
            return Ok(Step { events: Vec::new(), rest });
        }
        let rows = rows.iter().map(unsequenced).collect::<Result<Vec<_>, _>>()?;
        let events = self.give(&mut connection, lead, rows, upto).await?;
        Ok(Step { events, rest })
    }

    /// Gives `rows` the next positions, in one statement that takes effect only while the lease is ours, and returns them as they stand then.
    async fn give(
        &mut self,
        connection: &mut PgConnection,
        lead: &mut Lead,
        mut rows: Vec<Unsequenced>,
        settled_to: String,
    ) -> Result<Vec<Envelope>, Ended> {
        if self.trial.guards.has(Guard::Contiguity) {
            match self.check(&mut *connection, lead, &rows).await {
                // What seems to be missing may have got its place from a successor meanwhile.
                Err(Ended::Gap { .. }) if !still_leads(&mut *connection, lead).await? => return Err(Ended::Fenced),
                checked => checked?,
            }
        }
        let mut position = lead.position;
        let mut link = lead.hash;
        let mut positions = Vec::with_capacity(rows.len());
        let mut links = Vec::with_capacity(rows.len());
        for row in &mut rows {
            position += 1;
            row.event.position = position;
            link = hash::link(&link, position, row.event.recorded_at, &row.body_hash);
            positions.push(stored(position));
            links.push(link);
        }
        let new = self.new_forms(&rows);
        self.trial.reach(Reached::EventsChosen);
        let given = sqlx::query(GIVE)
            .bind(lead.epoch)
            .bind(stored(lead.position))
            .bind(positions.last())
            .bind(&link[..])
            .bind(&settled_to)
            .bind(LEASE.as_secs_f64())
            .bind(&positions)
            .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(links.iter().map(|link| &link[..]).collect::<Vec<_>>())
            .bind(new.iter().map(|row| &*row.stream.0).collect::<Vec<&str>>())
            .bind(new.iter().map(|row| &*row.event.event_type).collect::<Vec<&str>>())
            .bind(new.iter().map(|row| i32::try_from(row.event.event_version).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .bind(new.iter().map(|row| row.id).collect::<Vec<_>>())
            .bind(self.trial.guards.has(Guard::Fencing))
            .execute(connection)
            .await?;
        if given.rows_affected() != rows.len() as u64 {
            return Err(Ended::Fenced);
        }
        self.trial.reach(Reached::PositionsWritten);
        *lead = Lead { epoch: lead.epoch, position, hash: link, settled_to };
        Ok(rows.into_iter().map(|row| row.event).collect())
    }

    /// One row of each form not met before; few, and most often none.
    fn new_forms<'a>(&mut self, rows: &'a [Unsequenced]) -> Vec<&'a Unsequenced> {
        let form = |row: &Unsequenced| (row.stream.0.clone(), row.event.event_type.clone(), row.event.event_version);
        rows.iter().filter(|row| self.forms.insert(form(row))).collect()
    }

    /// Checks that every stream goes on where the log left it. A hole would mean that an event was lost: then nothing more is given.
    async fn check(&mut self, connection: &mut PgConnection, lead: &Lead, rows: &[Unsequenced]) -> Result<(), Ended> {
        if self.heads.len() > HEADS_MAX {
            self.heads.clear();
        }
        // Streams that do not start here and are not remembered: their predecessor must have a place.
        let mut asked: Vec<&Unsequenced> = Vec::new();
        let mut seen = HashSet::new();
        for row in rows {
            if seen.insert(&row.stream) && row.event.sequence > 1 && !self.heads.contains_key(&row.stream) {
                asked.push(row);
            }
        }
        if !asked.is_empty() {
            let sequenced = sqlx::query(
                "SELECT k.st, k.si, k.sq FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS k(st, si, sq) \
                 JOIN events e ON e.aggregate_type = k.st AND e.aggregate_id = k.si AND e.sequence = k.sq JOIN log l ON l.event_row = e.id",
            )
            .bind(asked.iter().map(|row| &*row.stream.0).collect::<Vec<&str>>())
            .bind(asked.iter().map(|row| &*row.stream.1).collect::<Vec<&str>>())
            .bind(asked.iter().map(|row| stored(row.event.sequence - 1)).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
            for row in sequenced {
                self.heads.insert((row.try_get(0)?, row.try_get(1)?), row.try_get::<i64, _>(2)?.try_into().unwrap_or_default());
            }
        }
        for row in rows {
            let head = self.heads.get_mut(&row.stream);
            let found = row.event.sequence;
            // Of a stream that is not known here the one before must have a place, or this is its first.
            let expected = head.as_deref().map_or(found.saturating_sub(1).max(1), |head| head + 1);
            if found != expected {
                let (stream_type, stream_id) = &row.stream;
                return Err(Ended::Gap { stream: format!("{stream_type}/{stream_id}"), expected, found, position: lead.position });
            }
            match head {
                Some(head) => *head = found,
                None => {
                    self.heads.insert(row.stream.clone(), found);
                }
            }
        }
        Ok(())
    }
}

/// Whether nobody else has led since, or given a position.
async fn still_leads(connection: &mut PgConnection, lead: &Lead) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT epoch = $1 AND position = $2 FROM sequencer")
        .bind(lead.epoch)
        .bind(stored(lead.position))
        .fetch_one(connection)
        .await
}

fn unsequenced(row: &PgRow) -> Result<Unsequenced, sqlx::Error> {
    let event = feed::envelope(row)?;
    Ok(Unsequenced {
        id: row.try_get(13)?,
        body_hash: row.try_get(14)?,
        stream: (event.stream_type.clone(), event.stream_id.clone()),
        event,
    })
}
