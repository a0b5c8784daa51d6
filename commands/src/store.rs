//! The event store in Postgres: its schema, and the few statements that read and write it. What to write is the executor's.

use crate::{
    guards::{Guard, Guards},
    hash::{Body, Hash},
};
use domain::{Decider, UnknownEvent, upcast};
use sqlx::{
    Connection, PgConnection, PgPool, Row,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};
use std::{
    collections::HashSet,
    str::FromStr,
    sync::{Arc, LazyLock},
    time::Duration,
};
use uuid::Uuid;

/// How long a request waits for a connection before it is told that the store cannot answer.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long a connection that nobody uses is taken to work. One that is older is asked first, and replaced if it does not answer: after a restart
/// of Postgres none works, and each would fail a request.
const TRUSTED_FOR: Duration = Duration::from_secs(1);
/// How many statements each connection keeps prepared.
const PREPARED_MAX: usize = 200;

/// Reading the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres failed or cannot be reached.
    #[error("the event store cannot be read")]
    Database(#[from] sqlx::Error),
    /// Too many wait already.
    #[error("too many commands and looks at streams wait")]
    Busy,
    /// A stored event cannot be read as one of its kind.
    #[error("event {sequence} of {stream} is not readable")]
    Unreadable {
        /// The stream, as `type/id`.
        stream: String,
        /// The event's place in it.
        sequence: u64,
        /// Why not.
        source: UnknownEvent,
    },
    /// What a stream adds up to cannot be written as JSON.
    #[error("the state of {stream} cannot be written")]
    Unwritable {
        /// The stream, as `type/id`.
        stream: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// A stream has a hole, or an event twice.
    #[error("{stream} has no event {expected}: found {found}")]
    Gap {
        /// The stream, as `type/id`.
        stream: String,
        /// The sequence that should have come.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// There is no such kind of stream.
    #[error("there are no streams of type {0}")]
    UnknownStreamType(String),
}

/// Connects to the database of the event store, with at most `connections`. Connections are not tested before use: that would cost each
/// statement a round trip more, and everything here copes with one that is broken. Plans are made for the tables as they are: one kept
/// from when the log was empty read all of it for each row, and a window of 4 096 events took seconds during an import.
pub async fn connect(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    connect_with(url, connections, &[("plan_cache_mode", "force_custom_plan")]).await
}

/// The same for who looks everything up by its key: executors, the sequencer, and what follows the log. Statements are planned once, to go
/// by indexes only: planning was a fifth of what an append cost Postgres, and most of what reading one event did.
pub async fn connect_by_key(url: &str, connections: u32) -> Result<PgPool, sqlx::Error> {
    let by_key =
        [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];
    connect_with(url, connections, &by_key).await
}

/// A pool of up to `connections` of its own, to the same database and in the same way. It connects when it is used.
#[must_use]
pub fn beside(pool: &PgPool, connections: u32) -> PgPool {
    let options = (*pool.connect_options()).clone();
    pool.options().clone().max_connections(connections).connect_lazy_with(options)
}

async fn connect_with(url: &str, connections: u32, settings: &[(&str, &str)]) -> Result<PgPool, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?
        .application_name("astro")
        .statement_cache_capacity(PREPARED_MAX)
        .options([("jit", "off")])
        .options(settings.iter().copied());
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECTION_WAIT_MAX)
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move {
                if known.idle_for > TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_with(options)
        .await
}

/// Brings the schema up to date. The views keep their migrations in the same table under versions of their own, which are left alone here.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    let mut migrator = sqlx::migrate!("./migrations");
    migrator.set_ignore_missing(true);
    migrator.run(pool).await
}

/// Names a stream. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) stream_type: &'static str,
    pub(crate) stream_id: Arc<str>,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.stream_type, self.stream_id)
    }
}

/// What one append writes, by column, as the statement takes it.
#[derive(Default)]
pub(crate) struct Rows {
    events: Events,
    commands: Commands,
}

#[derive(Default)]
struct Events {
    stream: Vec<Key>,
    sequence: Vec<i64>,
    event_type: Vec<&'static str>,
    event_version: Vec<String>,
    payload: Vec<String>,
    event_id: Vec<Uuid>,
    command_id: Vec<Uuid>,
    correlation_id: Vec<Uuid>,
    causation_id: Vec<Option<Uuid>>,
    actor: Vec<Arc<str>>,
    traceparent: Vec<Option<Arc<str>>>,
    body_hash: Vec<Hash>,
}

#[derive(Default)]
struct Commands {
    command_id: Vec<Uuid>,
    request_hash: Vec<Hash>,
    stream: Vec<Key>,
    first_sequence: Vec<i64>,
    last_sequence: Vec<i64>,
    refusal: Vec<Option<String>>,
}

/// One event to append.
pub(crate) struct NewEvent<'a> {
    pub(crate) stream: &'a Key,
    pub(crate) sequence: u64,
    pub(crate) event_type: &'static str,
    pub(crate) event_version: u32,
    pub(crate) payload: String,
    pub(crate) command_id: Uuid,
    pub(crate) correlation_id: Uuid,
    pub(crate) causation_id: Option<Uuid>,
    pub(crate) actor: &'a Arc<str>,
    pub(crate) traceparent: Option<&'a Arc<str>>,
}

pub(crate) fn stored(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

impl Rows {
    /// Adds an event, under a new id.
    pub(crate) fn event(&mut self, event: NewEvent<'_>) {
        let event_id = Uuid::now_v7();
        let event_version = event.event_version.to_string();
        let body = Body {
            event_id,
            stream_type: event.stream.stream_type,
            stream_id: &event.stream.stream_id,
            sequence: event.sequence,
            event_type: event.event_type,
            event_version: &event_version,
            payload: &event.payload,
            command_id: event.command_id,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            actor: event.actor,
        };
        let columns = &mut self.events;
        columns.body_hash.push(body.hash());
        columns.stream.push(event.stream.clone());
        columns.sequence.push(stored(event.sequence));
        columns.event_type.push(event.event_type);
        columns.event_version.push(event_version);
        columns.payload.push(event.payload);
        columns.event_id.push(event_id);
        columns.command_id.push(event.command_id);
        columns.correlation_id.push(event.correlation_id);
        columns.causation_id.push(event.causation_id);
        columns.actor.push(event.actor.clone());
        columns.traceparent.push(event.traceparent.cloned());
    }

    /// Adds the outcome of a command: it moved `stream` from `before` to `after`, or was refused there.
    pub(crate) fn command(&mut self, command_id: Uuid, request_hash: Hash, stream: &Key, before: u64, after: u64, refusal: Option<String>) {
        let columns = &mut self.commands;
        columns.command_id.push(command_id);
        columns.request_hash.push(request_hash);
        columns.stream.push(stream.clone());
        columns.first_sequence.push(stored(before) + 1);
        columns.last_sequence.push(stored(after));
        columns.refusal.push(refusal);
    }

    /// The number of events.
    pub(crate) fn events(&self) -> usize {
        self.events.sequence.len()
    }

    /// Takes back what a command wrote that failed half-way.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        let Self { events, commands } = self;
        events.stream.truncate(mark.events);
        events.sequence.truncate(mark.events);
        events.event_type.truncate(mark.events);
        events.event_version.truncate(mark.events);
        events.payload.truncate(mark.events);
        events.event_id.truncate(mark.events);
        events.command_id.truncate(mark.events);
        events.correlation_id.truncate(mark.events);
        events.causation_id.truncate(mark.events);
        events.actor.truncate(mark.events);
        events.traceparent.truncate(mark.events);
        events.body_hash.truncate(mark.events);
        commands.command_id.truncate(mark.commands);
        commands.request_hash.truncate(mark.commands);
        commands.stream.truncate(mark.commands);
        commands.first_sequence.truncate(mark.commands);
        commands.last_sequence.truncate(mark.commands);
        commands.refusal.truncate(mark.commands);
    }

    /// How much is written so far.
    pub(crate) fn mark(&self) -> Mark {
        Mark { events: self.events.sequence.len(), commands: self.commands.command_id.len() }
    }
}

/// A place in [`Rows`] to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    events: usize,
    commands: usize,
}

/// How an append ended.
#[derive(Debug)]
pub(crate) enum Appended {
    /// Committed, but these commands are not in it: they caused nothing, and what they were decided on had changed meanwhile.
    Except(HashSet<Uuid>),
    /// Another writer was first on a stream: nothing was written.
    Overtaken,
    /// A command id was used before: nothing was written.
    Repeated,
    /// Nothing was written, and the reason may pass.
    Hindered(sqlx::Error),
    /// Nothing was written, and trying again would not help.
    Rejected(sqlx::Error),
    /// Not known: it may have been committed before the connection broke.
    Unknown(sqlx::Error),
}

// Arrays side by side in the select list are read row by row; UNNEST of several in FROM first copies each into a store of its own.
const EVENTS_AND: &str = "WITH appended AS (\
    INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, correlation_id, \
        causation_id, actor, traceparent, body_hash) \
    SELECT st, si, sq, et, ev, p::json, ei, ci, co, ca, a, tp, bh \
    FROM (SELECT unnest($1::text[]) AS st, unnest($2::text[]) AS si, unnest($3::bigint[]) AS sq, unnest($4::text[]) AS et, \
        unnest($5::text[]) AS ev, unnest($6::text[]) AS p, unnest($7::uuid[]) AS ei, unnest($8::uuid[]) AS ci, unnest($9::uuid[]) AS co, \
        unnest($10::uuid[]) AS ca, unnest($11::text[]) AS a, unnest($12::text[]) AS tp, unnest($13::bytea[]) AS bh) AS e)";
const COMMANDS: &str = " INSERT INTO command_log (command_id, request_hash, stream_type, stream_id, first_sequence, last_sequence, refusal) \
    SELECT ci, rh, st, si, fs, ls, r::json \
    FROM (SELECT unnest($14::uuid[]) AS ci, unnest($15::bytea[]) AS rh, unnest($16::text[]) AS st, unnest($17::text[]) AS si, \
        unnest($18::bigint[]) AS fs, unnest($19::bigint[]) AS ls, unnest($20::text[]) AS r) AS c";
// A command without events is recorded only if the version it was decided on is still the last: `first_sequence` is the one after it.
// The scalar subquery with LIMIT keeps the planner from hashing the whole table for it.
const IF_STILL_SO: &str = " WHERE fs <= ls OR (SELECT e.sequence FROM events e \
    WHERE e.aggregate_type = st AND e.aggregate_id = si AND e.sequence = fs LIMIT 1) IS NULL";
/// The statement for commands that all cause events, and the one for others.
static APPEND: LazyLock<[String; 2]> = LazyLock::new(|| {
    ["".to_owned(), format!("{IF_STILL_SO} RETURNING command_id")].map(|checked| format!("{EVENTS_AND}{COMMANDS}{checked}"))
});

/// Writes everything in one statement: one round trip, one commit. Which commands are in it is its own answer: the command log may have
/// another, earlier outcome of one that is not.
pub(crate) async fn append(connection: &mut PgConnection, rows: &Rows, guards: Guards) -> Appended {
    let Commands { command_id: ids, first_sequence: first, last_sequence: last, .. } = &rows.commands;
    let checked = guards.has(Guard::RefusalRecheck) && first.iter().zip(last).any(|(first, last)| first > last);
    match insert(connection, rows, checked).await {
        Ok(recorded) if !checked || recorded.len() == ids.len() => Appended::Except(HashSet::new()),
        Ok(recorded) => {
            let recorded: HashSet<Uuid> = recorded.into_iter().collect();
            Appended::Except(ids.iter().copied().filter(|id| !recorded.contains(id)).collect())
        }
        Err(error) => judge(error),
    }
}

/// Says which commands it recorded, where they had to be checked.
async fn insert(connection: &mut PgConnection, rows: &Rows, checked: bool) -> Result<Vec<Uuid>, sqlx::Error> {
    let Rows { events, commands } = rows;
    let types = |streams: &[Key]| streams.iter().map(|key| key.stream_type).collect::<Vec<_>>();
    fn ids(streams: &[Key]) -> Vec<&str> {
        streams.iter().map(|key| &*key.stream_id).collect()
    }
    sqlx::query_scalar(&APPEND[usize::from(checked)])
        .bind(types(&events.stream))
        .bind(ids(&events.stream))
        .bind(&events.sequence)
        .bind(&events.event_type)
        .bind(&events.event_version)
        .bind(&events.payload)
        .bind(&events.event_id)
        .bind(&events.command_id)
        .bind(&events.correlation_id)
        .bind(&events.causation_id)
        .bind(events.actor.iter().map(|actor| &**actor).collect::<Vec<&str>>())
        .bind(events.traceparent.iter().map(|trace| trace.as_deref()).collect::<Vec<Option<&str>>>())
        .bind(events.body_hash.iter().map(|hash| &hash[..]).collect::<Vec<&[u8]>>())
        .bind(&commands.command_id)
        .bind(commands.request_hash.iter().map(|hash| &hash[..]).collect::<Vec<&[u8]>>())
        .bind(types(&commands.stream))
        .bind(ids(&commands.stream))
        .bind(&commands.first_sequence)
        .bind(&commands.last_sequence)
        .bind(&commands.refusal)
        .fetch_all(connection)
        .await
}

fn judge(error: sqlx::Error) -> Appended {
    let sqlx::Error::Database(database) = &error else {
        return match error {
            // No connection was had, so nothing was sent.
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Appended::Hindered(error),
            _ => Appended::Unknown(error),
        };
    };
    match (database.code().as_deref(), database.constraint()) {
        (Some("23505"), Some("events_pkey")) => Appended::Overtaken,
        (Some("23505"), Some("command_log_pkey")) => Appended::Repeated,
        // serialization failure, deadlock, lock timeout, statement timeout or cancelled, too many connections, starting up
        (Some("40001" | "40P01" | "55P03" | "57014" | "53300" | "57P03"), _) => Appended::Hindered(error),
        // class 08 and shutdown: the connection went, perhaps after the commit
        (Some(code), _) if code.starts_with("08") || code.starts_with("57P") => Appended::Unknown(error),
        _ => Appended::Rejected(error),
    }
}

/// What the command log says about one command.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) command_id: Uuid,
    pub(crate) request_hash: Vec<u8>,
    pub(crate) stream_type: String,
    pub(crate) stream_id: String,
    pub(crate) last_sequence: u64,
    pub(crate) refusal: Option<String>,
    pub(crate) events: Vec<(String, i32, String)>,
}

/// The outcomes of those of the commands that were done or refused before.
pub(crate) async fn outcomes(pool: &PgPool, commands: &[Uuid]) -> Result<Vec<Entry>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT c.command_id, c.request_hash, c.stream_type, c.stream_id, c.last_sequence, c.refusal::text, \
            ARRAY(SELECT (e.event_type, e.event_version::int, e.payload::text) FROM events e WHERE e.aggregate_type = c.stream_type \
                AND e.aggregate_id = c.stream_id AND e.sequence BETWEEN c.first_sequence AND c.last_sequence ORDER BY e.sequence) \
         FROM command_log c WHERE c.command_id = ANY($1)",
    )
    .bind(commands)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Entry {
                command_id: row.try_get(0)?,
                request_hash: row.try_get(1)?,
                stream_type: row.try_get(2)?,
                stream_id: row.try_get(3)?,
                last_sequence: row.try_get::<i64, _>(4)?.try_into().unwrap_or_default(),
                refusal: row.try_get(5)?,
                events: row.try_get(6)?,
            })
        })
        .collect()
}

/// One event of a stream as stored.
pub(crate) struct Stored<'a> {
    pub(crate) sequence: u64,
    pub(crate) event_type: &'a str,
    pub(crate) event_version: i32,
    pub(crate) payload: &'a str,
}

impl<'a> Stored<'a> {
    /// From a row that has sequence, type, version as an int and payload as text, from column `at` on.
    pub(crate) fn from_row(row: &'a PgRow, at: usize) -> Result<Self, sqlx::Error> {
        Ok(Self {
            sequence: row.try_get::<i64, _>(at)?.try_into().unwrap_or_default(),
            event_type: row.try_get(at + 1)?,
            event_version: row.try_get(at + 2)?,
            payload: row.try_get(at + 3)?,
        })
    }

    /// Applies it to `state`, which is the stream at `version`: it has to be the next.
    pub(crate) fn fold<D: Decider>(&self, stream: impl Fn() -> String, version: &mut u64, state: &mut D) -> Result<(), StoreError> {
        let (expected, sequence) = (*version + 1, self.sequence);
        if sequence != expected {
            return Err(StoreError::Gap { stream: stream(), expected, found: sequence });
        }
        read::<D>(self.event_type, self.event_version, self.payload, |event| *state = std::mem::take(state).evolve(&event))
            .map_err(|source| StoreError::Unreadable { stream: stream(), sequence, source })?;
        *version = sequence;
        Ok(())
    }
}

/// Reads a stored event of whatever form.
pub(crate) fn read<D: Decider>(
    event_type: &str,
    event_version: i32,
    payload: &str,
    each: impl FnMut(D::Event),
) -> Result<(), UnknownEvent> {
    upcast::each::<D>(event_type, event_version.try_into().unwrap_or_default(), payload, each)
}

/// Numbers the events of `rows` behind whatever is stored: what an append without a version check would do.
#[cfg(debug_assertions)]
pub(crate) async fn move_behind(connection: &mut PgConnection, rows: &mut Rows) -> Result<(), sqlx::Error> {
    let mut heads: std::collections::HashMap<Key, i64> = std::collections::HashMap::new();
    for (key, sequence) in rows.events.stream.iter().zip(&mut rows.events.sequence) {
        let head = match heads.get(key) {
            Some(head) => *head,
            None => {
                sqlx::query_scalar("SELECT COALESCE(max(sequence), 0) FROM events WHERE aggregate_type = $1 AND aggregate_id = $2")
                    .bind(key.stream_type)
                    .bind(&*key.stream_id)
                    .fetch_one(&mut *connection)
                    .await?
            }
        };
        *sequence = head + 1;
        heads.insert(key.clone(), *sequence);
    }
    Ok(())
}
