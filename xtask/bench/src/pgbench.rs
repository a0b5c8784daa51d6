//! The yardstick: single-row inserts of an event-sized row by pgbench, in the same server at the same time of day.

use anyhow::{Context, Result, bail};
use std::{path::Path, time::Duration};
use tokio::process::Command;

const TABLE: &str = "DROP TABLE IF EXISTS bench_insert; CREATE TABLE bench_insert (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
    stream text NOT NULL, payload json NOT NULL, recorded_at timestamptz NOT NULL DEFAULT clock_timestamp())";
const INSERT: &str = "INSERT INTO bench_insert (stream, payload) VALUES ('launch-' || :client_id, \
    '{\"type\":\"seats_held\",\"booking\":\"01936f3e-8a5c-7b1e-9d2f-3c4b5a697887\",\"customer\":\"01936f3e-8a5c-7b1e-9d2f-3c4b5a697887\",\"seats\":[\"3B\"],\"price_each\":{\"minor\":125000000,\"currency\":\"USD\"},\"expires_at\":\"2026-11-22T12:34:56Z\",\"release_at\":\"2026-11-22T12:39:56Z\",\"at\":\"2026-11-22T12:19:56Z\"}');\n";

/// Durable inserts a second by `clients` connections.
pub(crate) async fn inserts_per_second(pgbench: &Path, url: &str, clients: usize, run: Duration) -> Result<f64> {
    let pool = sqlx::PgPool::connect(url).await?;
    sqlx::raw_sql(TABLE).execute(&pool).await?;
    pool.close().await;
    let script = std::env::temp_dir().join(format!("astro-bench-{}.sql", std::process::id()));
    std::fs::write(&script, INSERT)?;
    let jobs = clients.min(2).to_string();
    let seconds = run.as_secs().to_string();
    let output = Command::new(pgbench)
        .args(["--no-vacuum", "--protocol=prepared", "--client", &clients.to_string(), "--jobs", &jobs, "--time", &seconds, "--file"])
        .arg(&script)
        .arg(url)
        .output()
        .await
        .with_context(|| pgbench.display().to_string())?;
    std::fs::remove_file(&script)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse().ok());
    match tps {
        Some(tps) => Ok(tps),
        None => bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr)),
    }
}
