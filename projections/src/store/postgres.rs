//! Views in one schema of Postgres: documents, the journal's lines and positions in one transaction.

use super::{Changes, Member, Parked, Place, Row, Sharing, Standing, Store, StoreFault, Stored, Table, signed, unsigned};
use crate::{
    Column,
    guards::{Guards, Step, Trial},
    partitions::{PARTS, Positions},
};
use contract::{finance::JournalLine, operations::RebuildProgress};
use jiff::Timestamp;
use nats::{Moment, transaction::begin};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, Row as _, types::Json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// How many documents one statement writes.
const ROWS_MAX: usize = 1_000;
/// A batch does not wait for the disk. Where a crash takes the last of them, it takes documents and positions together, and the same events
/// are folded again.
const BEGIN: &str = "BEGIN; SET LOCAL synchronous_commit = off";

/// One schema of views.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    schema: &'static str,
    trial: Trial,
}

impl PostgresStore {
    /// The views of `schema`.
    #[must_use]
    pub fn new(pool: PgPool, schema: &'static str) -> Self {
        Self { pool, schema, trial: Trial::default() }
    }

    pub(crate) fn on_trial(self, trial: Trial) -> Self {
        Self { trial, ..self }
    }

    /// Whether this is where the journal is.
    fn has_lines(&self, view: &str) -> bool {
        self.schema == crate::finance::SCHEMA && view == "journal"
    }

    async fn make(&self, connection: &mut PgConnection, table: Table) -> Result<(), sqlx::Error> {
        let Self { schema, .. } = self;
        let Table { view, version } = table;
        run(connection, &format!("SELECT operations.make_version('{schema}', '{view}', {version})")).await?;
        sqlx::query(&format!(
            "INSERT INTO {schema}.positions (view, version) VALUES ($1, $2) ON CONFLICT (view, version) \
             DO UPDATE SET (positions, last_position, last_event) = (DEFAULT, NULL, NULL)"
        ))
        .bind(view)
        .bind(version as i32)
        .execute(&mut *connection)
        .await?;
        sqlx::query(&format!("DELETE FROM {schema}.parked WHERE view = $1 AND version = $2"))
            .bind(view)
            .bind(version as i32)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    /// Lets the names that readers use mean this version.
    async fn show(&self, connection: &mut PgConnection, table: Table) -> Result<(), sqlx::Error> {
        let Self { schema, .. } = self;
        let Table { view, version } = table;
        run(connection, &format!("SELECT operations.show_version('{schema}', '{view}', {version})")).await?;
        Ok(())
    }
}

async fn run(connection: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(|_| ())
}

fn value(column: &Column) -> Value {
    match column {
        Column::Text(text) => json!(text),
        Column::Number(number) => json!(number),
        Column::Moment(moment) => json!(moment),
        Column::Words(words) => json!(words),
    }
}

/// A row as a JSON object, whose keys are the names of the columns. The document is not copied for that: a launch is rewritten with every batch.
struct Object<'a>(&'a Row);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Row { id, position, doc, columns, .. } = self.0;
        let mut object = serializer.serialize_map(Some(columns.len() + 3))?;
        object.serialize_entry("id", id)?;
        object.serialize_entry("position", position)?;
        object.serialize_entry("doc", doc)?;
        for (name, column) in columns {
            object.serialize_entry(name, &value(column))?;
        }
        object.end()
    }
}

fn lines_as_json(lines: &[JournalLine]) -> Value {
    let line = |line: &JournalLine| {
        json!({
            "position": line.position, "line": line.line, "at": line.at, "account": line.account, "amount": line.amount.minor,
            "event": line.event, "launch": line.launch, "booking": line.booking, "supplier": line.supplier,
        })
    };
    Value::Array(lines.iter().map(line).collect())
}

/// How far the views are, as a JSON array of records.
fn positions_as_json(changes: &[Changes]) -> Value {
    let record = |Changes { table, behind, positions, last, .. }: &Changes| {
        json!({
            "view": table.view, "version": table.version, "behind": behind.0, "positions": positions.0,
            "last_position": last.map(|place| place.position), "last_event": last.map(|place| place.event_id),
        })
    };
    Value::Array(changes.iter().map(record).collect())
}

fn sharing(row: &sqlx::postgres::PgRow) -> Result<Sharing, sqlx::Error> {
    let holders: Vec<Option<Uuid>> = row.try_get(1)?;
    let holders = std::array::from_fn(|partition| holders.get(partition).copied().flatten());
    let Json(members) = row.try_get::<Json<Vec<(Uuid, u64, i64, String)>>, _>(3)?;
    let member =
        |(id, beats, millis, fault)| Member { id, beats, beat_at: Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MIN), fault };
    Ok(Sharing { epoch: unsigned(row.try_get(0)?), holders, paused: row.try_get(2)?, members: members.into_iter().map(member).collect() })
}

/// The row that [`sharing`] reads.
fn sharing_row(schema: &str) -> String {
    format!(
        "SELECT s.epoch, s.holders, s.paused, \
            (SELECT coalesce(jsonb_agg(jsonb_build_array(m.member, m.beats, floor(extract(epoch FROM m.beat_at) * 1000)::bigint, m.fault)), '[]') \
             FROM {schema}.members m) \
         FROM {schema}.sharing s"
    )
}

/// What [`stored`] reads.
const STORED: &str = "id, position, doc, to_jsonb(stored) - '{id,position,doc}'::text[]";

fn stored(row: &sqlx::postgres::PgRow) -> Result<Stored, sqlx::Error> {
    let (Json(doc), Json(columns)) = (row.try_get(2)?, row.try_get(3)?);
    Ok(Stored { id: row.try_get(0)?, position: unsigned(row.try_get(1)?), doc, columns })
}

#[async_trait::async_trait]
impl Store for PostgresStore {
    async fn prepare(&self, views: &[&'static str]) -> Result<(), StoreFault> {
        let Self { schema, .. } = self;
        let mut transaction = begin(&self.pool, "BEGIN").await?;
        // Two processes may start at once.
        run(&mut transaction, &format!("LOCK TABLE {schema}.views IN EXCLUSIVE MODE")).await?;
        for view in views {
            let known: bool = sqlx::query_scalar(&format!("SELECT EXISTS (SELECT FROM {schema}.views WHERE view = $1)"))
                .bind(view)
                .fetch_one(&mut *transaction)
                .await?;
            if known {
                continue;
            }
            let table = Table { view, version: 1 };
            self.make(&mut transaction, table).await?;
            self.show(&mut transaction, table).await?;
            sqlx::query(&format!("INSERT INTO {schema}.views (view, version, latest) VALUES ($1, 1, 1)"))
                .bind(view)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn standings(&self) -> Result<HashMap<String, Standing>, StoreFault> {
        let Self { schema, .. } = self;
        let rows = sqlx::query(&format!(
            "SELECT v.view, v.version, v.previous, v.latest, v.rebuilding_until, v.rebuild, p.version, p.positions, p.last_position, p.last_event \
             FROM {schema}.views v JOIN {schema}.positions p ON p.view = v.view"
        ))
        .fetch_all(&self.pool)
        .await?;
        let mut standings = HashMap::new();
        for row in rows {
            let view: String = row.try_get(0)?;
            let number = |column| row.try_get::<i32, _>(column).map(|number| number.unsigned_abs());
            let fresh = Standing {
                view: view.clone(),
                version: number(1)?,
                previous: row.try_get::<Option<i32>, _>(2)?.map(i32::unsigned_abs),
                latest: number(3)?,
                positions: BTreeMap::new(),
                last: BTreeMap::new(),
                rebuilding_until: row.try_get::<Option<Moment>, _>(4)?.map(Timestamp::from),
                rebuild: row.try_get::<Option<Json<RebuildProgress>>, _>(5)?.map(|Json(progress)| progress),
            };
            let positions: Positions = row.try_get::<Vec<i64>, _>(7)?.into_iter().map(unsigned).collect();
            let last = row.try_get::<Option<i64>, _>(8)?.zip(row.try_get(9)?);
            let standing = standings.entry(view).or_insert(fresh);
            let version = number(6)?;
            standing.positions.insert(version, positions);
            standing.last.extend(last.map(|(position, event_id)| (version, Place { position: unsigned(position), event_id })));
        }
        Ok(standings)
    }

    async fn read(&self, table: Table, ids: &[String]) -> Result<Vec<Stored>, StoreFault> {
        let rows = sqlx::query(&format!("SELECT {STORED} FROM {}.{table} stored WHERE id = ANY($1)", self.schema))
            .bind(ids)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.iter().map(stored).collect::<Result<_, _>>()?)
    }

    async fn scan(&self, table: Table, after: &str, limit: u32) -> Result<Vec<Stored>, StoreFault> {
        let statement =
            format!("SELECT {STORED} FROM {}.{table} stored WHERE id COLLATE \"C\" > $1 ORDER BY id COLLATE \"C\" LIMIT $2", self.schema);
        let rows = sqlx::query(&statement).bind(after).bind(i64::from(limit)).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(stored).collect::<Result<_, _>>()?)
    }

    async fn write(&self, fence: Option<u64>, changes: &[Changes]) -> Result<(), StoreFault> {
        let Self { schema, trial, .. } = self;
        let Guards { newer_only, fence: fenced, in_turn, .. } = trial.guards;
        let newer = if newer_only { "WHERE known.position < excluded.position" } else { "" };
        let in_turn = if in_turn {
            "AND NOT EXISTS (SELECT FROM unnest(known.positions, moved.behind) both_of(is_at, behind) WHERE is_at < behind)"
        } else {
            ""
        };
        let mut transaction = begin(&self.pool, BEGIN).await?;
        for Changes { table, rows, lines, parked, taken_up, .. } in changes {
            for rows in rows.chunks(ROWS_MAX) {
                let Some(first) = rows.first() else { continue };
                let names: Vec<&str> = ["position", "doc"].into_iter().chain(first.columns.iter().map(|(name, _)| *name)).collect();
                let excluded: Vec<String> = names.iter().map(|name| format!("excluded.{name}")).collect();
                let (names, excluded) = (names.join(", "), excluded.join(", "));
                sqlx::query(&format!(
                    "INSERT INTO {schema}.{table} AS known (id, {names}) \
                     SELECT id, {names} FROM jsonb_populate_recordset(NULL::{schema}.{table}, $1) ORDER BY id \
                     ON CONFLICT (id) DO UPDATE SET ({names}) = ROW({excluded}) {newer}"
                ))
                .bind(Json(rows.iter().map(Object).collect::<Vec<_>>()))
                .execute(&mut *transaction)
                .await?;
            }
            for lines in lines.chunks(ROWS_MAX) {
                let version = table.version;
                sqlx::query(&format!(
                    "INSERT INTO finance.lines_v{version} SELECT * FROM jsonb_populate_recordset(NULL::finance.lines_v{version}, $1) \
                     ON CONFLICT (position, line) DO NOTHING"
                ))
                .bind(Json(lines_as_json(lines)))
                .execute(&mut *transaction)
                .await?;
            }
            for stream in parked {
                sqlx::query(&format!(
                    "INSERT INTO {schema}.parked (view, version, stream_type, stream_id, position, why) VALUES ($1, $2, $3, $4, $5, $6) \
                     ON CONFLICT (view, version, stream_type, stream_id) \
                     DO UPDATE SET position = $5, why = $6, retry = false, discard = false, parked_at = DEFAULT"
                ))
                .bind(table.view)
                .bind(table.version as i32)
                .bind(&stream.stream_type)
                .bind(&stream.stream_id)
                .bind(signed(stream.position))
                .bind(&stream.why)
                .execute(&mut *transaction)
                .await?;
            }
            if !parked.is_empty() {
                trial.reach(Step::SetAside);
            }
            for (stream_type, stream_id) in taken_up {
                sqlx::query(&format!(
                    "DELETE FROM {schema}.parked WHERE view = $1 AND version = $2 AND stream_type = $3 AND stream_id = $4"
                ))
                .bind(table.view)
                .bind(table.version as i32)
                .bind(stream_type)
                .bind(stream_id)
                .execute(&mut *transaction)
                .await?;
            }
        }
        trial.between()?;
        trial.reach(Step::DocumentsWritten);
        // Last, so that who has the right is locked only for a moment. What has another epoch, whose version is gone, or what goes on behind
        // something that the store does not know finds no row.
        let moved = sqlx::query(&format!(
            "WITH fence AS MATERIALIZED (SELECT FROM {schema}.sharing WHERE epoch = $2 FOR SHARE) \
             UPDATE {schema}.positions known SET positions = ( \
                SELECT array_agg(greatest(was, now) ORDER BY n) FROM unnest(known.positions, moved.positions) WITH ORDINALITY both_of(was, now, n)), \
                last_position = coalesce(moved.last_position, known.last_position), last_event = coalesce(moved.last_event, known.last_event) \
             FROM jsonb_to_recordset($1) AS moved(view text, version int, behind bigint[], positions bigint[], \
                last_position bigint, last_event uuid) \
             WHERE known.view = moved.view AND known.version = moved.version AND ($2 IS NULL OR EXISTS (SELECT FROM fence)) {in_turn}"
        ))
        .bind(Json(positions_as_json(changes)))
        .bind(fence.filter(|_| fenced).map(signed))
        .execute(&mut *transaction)
        .await?;
        if moved.rows_affected() < changes.len() as u64 {
            transaction.rollback().await?;
            return Err(StoreFault::Fenced);
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn sharing(&self) -> Result<Sharing, StoreFault> {
        Ok(sharing(&sqlx::query(&sharing_row(self.schema)).fetch_one(&self.pool).await?)?)
    }

    async fn beat(&self, member: Uuid, fault: &str) -> Result<Sharing, StoreFault> {
        let Self { schema, .. } = self;
        let statement = format!(
            "WITH beat AS (INSERT INTO {schema}.members AS m (member, beats, beat_at, fault) VALUES ($1, 1, clock_timestamp(), $2) \
                ON CONFLICT (member) DO UPDATE SET beats = m.beats + 1, beat_at = clock_timestamp(), fault = $2) {}",
            sharing_row(schema)
        );
        Ok(sharing(&sqlx::query(&statement).bind(member).bind(fault).fetch_one(&self.pool).await?)?)
    }

    async fn deal(&self, epoch: u64, holders: [Option<Uuid>; PARTS]) -> Result<bool, StoreFault> {
        let done = sqlx::query(&format!("UPDATE {}.sharing SET epoch = epoch + 1, holders = $2 WHERE epoch = $1", self.schema))
            .bind(signed(epoch))
            .bind(holders.to_vec())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn forget(&self, member: Uuid, beats: Option<u64>) -> Result<(), StoreFault> {
        sqlx::query(&format!("DELETE FROM {}.members WHERE member = $1 AND ($2 IS NULL OR beats = $2)", self.schema))
            .bind(member)
            .bind(beats.map(signed))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn pause(&self, paused: bool) -> Result<(), StoreFault> {
        sqlx::query(&format!("UPDATE {}.sharing SET epoch = epoch + 1, paused = $1", self.schema)).bind(paused).execute(&self.pool).await?;
        Ok(())
    }

    async fn create(&self, table: Table) -> Result<(), StoreFault> {
        let mut transaction = begin(&self.pool, "BEGIN").await?;
        self.make(&mut transaction, table).await?;
        sqlx::query(&format!("UPDATE {}.views SET latest = greatest(latest, $2) WHERE view = $1", self.schema))
            .bind(table.view)
            .bind(table.version as i32)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn discard(&self, table: Table) -> Result<(), StoreFault> {
        let Self { schema, .. } = self;
        let mut transaction = begin(&self.pool, "BEGIN").await?;
        let Table { view, version } = table;
        run(&mut transaction, &format!("SELECT operations.drop_version('{schema}', '{view}', {version})")).await?;
        for of in ["positions", "parked"] {
            sqlx::query(&format!("DELETE FROM {schema}.{of} WHERE view = $1 AND version = $2"))
                .bind(table.view)
                .bind(table.version as i32)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    async fn switch(&self, table: Table, previous: u32, no_further: Positions) -> Result<bool, StoreFault> {
        let Self { schema, .. } = self;
        let mut transaction = begin(&self.pool, "BEGIN").await?;
        let switched = sqlx::query(&format!("UPDATE {schema}.views SET version = $2, previous = $3 WHERE view = $1 AND version = $3"))
            .bind(table.view)
            .bind(table.version as i32)
            .bind(previous as i32)
            .execute(&mut *transaction)
            .await?;
        if switched.rows_affected() == 0 {
            return Ok(false);
        }
        // From here on no projector moves the version in use.
        run(&mut transaction, &format!("UPDATE {schema}.sharing SET epoch = epoch + 1")).await?;
        let positions: Vec<i64> = sqlx::query_scalar(&format!("SELECT positions FROM {schema}.positions WHERE view = $1 AND version = $2"))
            .bind(table.view)
            .bind(previous as i32)
            .fetch_one(&mut *transaction)
            .await?;
        if positions.into_iter().zip(no_further.0).any(|(at, most)| unsigned(at) > most) {
            return Err(StoreFault::Behind);
        }
        self.show(&mut transaction, table).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn report(&self, view: &'static str, progress: &RebuildProgress) -> Result<(), StoreFault> {
        sqlx::query(&format!("UPDATE {}.views SET rebuild = $2 WHERE view = $1", self.schema))
            .bind(view)
            .bind(Json(progress))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    async fn lines_digest(&self, table: Table, up_to: u64) -> Result<Option<String>, StoreFault> {
        if !self.has_lines(table.view) {
            return Ok(None);
        }
        let statement = format!(
            "SELECT count(*) || '/' || coalesce(sum(hashtextextended(lines::text, 0)::numeric), 0) FROM finance.lines_v{} lines WHERE position <= $1",
            table.version
        );
        Ok(Some(sqlx::query_scalar(&statement).bind(signed(up_to)).fetch_one(&self.pool).await?))
    }

    async fn claim(
        &self,
        view: &'static str,
        held: Option<Timestamp>,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<bool, StoreFault> {
        let done = sqlx::query(&format!(
            "UPDATE {}.views SET rebuilding_until = $4 \
             WHERE view = $1 AND (rebuilding_until IS NULL OR rebuilding_until < $3 OR rebuilding_until = $2)",
            self.schema
        ))
        .bind(view)
        .bind(held.map(Moment))
        .bind(Moment(now))
        .bind(until.map(Moment))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    async fn parked(&self, table: Table) -> Result<Vec<Parked>, StoreFault> {
        let rows = sqlx::query(&format!(
            "SELECT stream_type, stream_id, position, why, retry, discard, parked_at FROM {}.parked \
             WHERE view = $1 AND version = $2 ORDER BY position",
            self.schema
        ))
        .bind(table.view)
        .bind(table.version as i32)
        .fetch_all(&self.pool)
        .await?;
        let parked = |row: &sqlx::postgres::PgRow| -> Result<Parked, sqlx::Error> {
            Ok(Parked {
                stream_type: row.try_get(0)?,
                stream_id: row.try_get(1)?,
                position: unsigned(row.try_get(2)?),
                why: row.try_get(3)?,
                retry: row.try_get(4)?,
                discard: row.try_get(5)?,
                since: row.try_get::<Moment, _>(6)?.0,
            })
        };
        Ok(rows.iter().map(parked).collect::<Result<_, _>>()?)
    }

    async fn ask_retry(&self, table: Table, stream_type: &str, stream_id: &str, discard: bool) -> Result<bool, StoreFault> {
        let done = sqlx::query(&format!(
            "UPDATE {}.parked SET retry = true, discard = $5 WHERE view = $1 AND version = $2 AND stream_type = $3 AND stream_id = $4",
            self.schema
        ))
        .bind(table.view)
        .bind(table.version as i32)
        .bind(stream_type)
        .bind(stream_id)
        .bind(discard)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
