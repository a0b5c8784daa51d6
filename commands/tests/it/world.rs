//! A database of its own for each test, and what tests do with it. Nothing of it is left behind.

use crate::cabin;
use commands::{
    Ask, Executor, Limits, Wake,
    guards::{Guards, Trial},
    hash::Body,
    sequence,
};
use domain::Actor;
use futures::FutureExt;
use nats::{Bus, Feed, Rush};
use sqlx::{Connection, Executor as _, PgConnection, PgPool};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub pool: PgPool,
    pub url: String,
    pub name: String,
}

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask test`"))
}

/// Runs `test` in a world of its own.
pub async fn world(test: impl AsyncFnOnce(&World)) {
    let server = variable("ASTRO_TEST_POSTGRES_URL");
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    admin.execute(format!("CREATE DATABASE {name}").as_str()).await.unwrap();
    let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
    let pool = commands::connect(&url, 12).await.unwrap();
    commands::migrate(&pool).await.unwrap();
    let world = World { pool, url, name };
    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    world.pool.close().await;
    admin.execute(format!("DROP DATABASE {} WITH (FORCE)", world.name).as_str()).await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl World {
    pub fn executor(&self) -> Executor {
        self.executor_with(Limits::default())
    }

    pub fn executor_with(&self, limits: Limits) -> Executor {
        Executor::start(self.pool.clone(), Wake::new(), limits)
    }

    /// A bus with a stream of its own; ends the stream with [`World::end_bus`].
    pub async fn bus(&self) -> Bus {
        Bus::connect(&variable("ASTRO_TEST_NATS_URL"), &self.name).await.unwrap()
    }

    pub async fn end_bus(&self, bus: &Bus) {
        if bus.head().await.unwrap().is_some() {
            bus.delete().await.unwrap();
        }
    }

    pub fn sequence(&self, bus: Option<Bus>) -> Sequencing {
        self.sequence_with(Guards::default(), bus)
    }

    pub fn sequence_with(&self, trial: impl Into<Trial>, bus: Option<Bus>) -> Sequencing {
        let (trial, stop) = (trial.into(), CancellationToken::new());
        let task = tokio::spawn(sequence::run_with(trial, self.pool.clone(), bus, Wake::new(), Rush::default(), stop.clone()));
        Sequencing { stop, task }
    }

    pub fn feed(&self) -> Feed {
        Feed::new(self.pool.clone(), None)
    }

    pub async fn settle(&self, position: u64) {
        until("the log reaches its position", async || self.feed().head().await.unwrap() >= position).await;
    }

    pub async fn count(&self, sql: &str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// Runs SQL as one who may change history.
    pub async fn tamper(&self, sql: &str) {
        let mut transaction = self.pool.begin().await.unwrap();
        for table in ["events", "log"] {
            transaction.execute(format!("ALTER TABLE {table} DISABLE TRIGGER keep_history").as_str()).await.unwrap();
        }
        let changed = transaction.execute(sql).await.unwrap().rows_affected();
        assert!(changed > 0, "{sql} changed nothing");
        for table in ["events", "log"] {
            transaction.execute(format!("ALTER TABLE {table} ENABLE TRIGGER keep_history").as_str()).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
}

pub struct Sequencing {
    stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Sequencing {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
    /// Ends it as a killed process ends: without giving the lease back.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub fn ask() -> Ask {
    ask_as(Uuid::new_v4(), 1)
}

pub fn ask_as(command_id: Uuid, request: u8) -> Ask {
    Ask::new(command_id, Actor::System, [request; 32])
}

pub fn take(who: impl ToString) -> cabin::Command {
    cabin::Command::Take { who: who.to_string() }
}

/// Appends one event of the stream `raw/<stream>` by hand, in whatever transaction `connection` is.
pub async fn append_raw(connection: &mut PgConnection, stream: &str, sequence: u64) {
    append_stored(connection, ("raw", stream), sequence, ("done", 1, "{}"), Uuid::new_v4()).await;
}

/// Appends one event by hand: of a stream (type, id), at a sequence, of a form (type, version, payload), caused by a command.
pub async fn append_stored(
    connection: &mut PgConnection,
    (stream_type, stream_id): (&str, &str),
    sequence: u64,
    (event_type, event_version, payload): (&str, u32, &str),
    command_id: Uuid,
) {
    let event_id = Uuid::now_v7();
    let event_version = event_version.to_string();
    let body = Body {
        event_id,
        stream_type,
        stream_id,
        sequence,
        event_type,
        event_version: &event_version,
        payload,
        command_id,
        correlation_id: command_id,
        causation_id: None,
        actor: "system",
    };
    sqlx::query(
        "INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, event_id, command_id, \
            correlation_id, actor, body_hash) VALUES ($1, $2, $3, $4, $5, $6::text::json, $7, $8, $8, 'system', $9)",
    )
    .bind(stream_type)
    .bind(stream_id)
    .bind(sequence as i64)
    .bind(event_type)
    .bind(&event_version)
    .bind(payload)
    .bind(event_id)
    .bind(command_id)
    .bind(&body.hash()[..])
    .execute(connection)
    .await
    .unwrap();
}
