//! The yardstick: single-row inserts by pgbench, in the same server at the same time of day. The row is an event as cqrs-es and postgres-es
//! store it, in a table with the key they have: that of the sketch which the aims come from.

use crate::{Options, RUN, executor::CLIENTS, figure::median};
use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// Inserts whose statement each connection prepares once.
const PREPARED: &str = "pgbench inserts/s, 64 clients";
/// The same, where each insert is sent as text: what pgbench does unless it is told.
const AS_IT_COMES: &str = "pgbench inserts/s, 64 clients, nothing prepared";

/// Empties the table, or makes it.
pub(crate) const TABLE: &str = "DROP TABLE IF EXISTS bench_insert; CREATE TABLE bench_insert (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint NOT NULL CHECK (sequence >= 0), event_type text NOT NULL, event_version text NOT NULL, payload json NOT NULL, \
    metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";
/// What the row is about, and what is said of it.
pub(crate) const PAYLOAD: &str = r#"{"SeatBooked":{"booking_id":"01936f3e-8a5c-7b1e-9d2f-3c4b5a697887","seat":123,"passenger_id":"01936f3e-8a5c-7b1e-9d2f-3c4b5a697887","passenger_name":"Valentina Vladimirovna Tereshkova","fare_minor":2500000000,"currency":"EUR","booked_at":"2026-11-22T12:34:56.789012Z"}}"#;
pub(crate) const METADATA: &str = r#"{"correlation_id":"01936f3e-8a5c-7b1e-9d2f-3c4b5a697887","causation_id":"01936f3e-8a5c-7b1e-9d2f-3c4b5a697887","user_id":"u-000123"}"#;

/// What each client does over and over.
fn script_text() -> String {
    format!(
        "\\set seq :seq + 1\nINSERT INTO bench_insert (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata) \
         VALUES ('Launch', 'pgb-' || :client_id, :seq, 'SeatBooked', '1.0', '{PAYLOAD}', '{METADATA}');\n"
    )
}

/// What was measured of it, beside as many runs of something else.
#[derive(Default)]
pub(crate) struct Inserts {
    prepared: Vec<f64>,
    as_it_comes: Vec<f64>,
}

impl Inserts {
    /// Measures both once more, in the database at `url`.
    pub(crate) async fn measure(&mut self, options: &Options, url: &str) -> Result<()> {
        self.prepared.push(inserts_per_second(options, url, "prepared").await?);
        self.as_it_comes.push(inserts_per_second(options, url, "simple").await?);
        Ok(())
    }

    /// The middle one of prepared statements, with its name.
    pub(crate) fn prepared(&mut self) -> (&'static str, f64) {
        (PREPARED, median(&mut self.prepared))
    }

    /// The middle one of statements sent as text, with its name.
    pub(crate) fn as_it_comes(&mut self) -> (&'static str, f64) {
        (AS_IT_COMES, median(&mut self.as_it_comes))
    }
}

async fn inserts_per_second(options: &Options, url: &str, protocol: &str) -> Result<f64> {
    let pool = sqlx::PgPool::connect(url).await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    pool.close().await;
    let script = std::env::temp_dir().join(format!("astro-bench-{}.sql", std::process::id()));
    std::fs::write(&script, script_text())?;
    let (clients, jobs) = (CLIENTS.to_string(), CLIENTS.min(2).to_string());
    let output = Command::new(&options.pgbench)
        .args(["--no-vacuum", "--protocol", protocol, "--client", &clients, "--jobs", &jobs, "--define", "seq=0"])
        .args(["--time", &RUN.as_secs().to_string(), "--file"])
        .arg(&script)
        .arg(url)
        .output()
        .await
        .with_context(|| options.pgbench.display().to_string())?;
    std::fs::remove_file(&script)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    match tps {
        Some(tps) => Ok(tps),
        None => bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
