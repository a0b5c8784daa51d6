//! The binary under measurement: its own database, its own start and end.

use crate::Options;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};
use uuid::Uuid;

/// How long the start may take.
const START: Duration = Duration::from_secs(60);
/// Of the demo accounts.
const PASSWORD: &str = "bench only, never served";

/// One installation.
pub(crate) struct Astro {
    program: std::path::PathBuf,
    environment: Vec<(&'static str, String)>,
    admin_url: String,
    database: String,
    database_url: String,
    address: String,
    mailbox: String,
    child: Option<Child>,
}

impl Astro {
    /// A new database with the tables of the log and the views.
    pub(crate) async fn prepare(options: &Options) -> Result<Self> {
        let name = format!("bench_{}", Uuid::new_v4().simple());
        let admin = sqlx::PgPool::connect(&options.postgres_url).await.context("PostgreSQL")?;
        sqlx::raw_sql(&format!("CREATE DATABASE {name}")).execute(&admin).await?;
        admin.close().await;
        let (server, parameters) =
            options.postgres_url.split_once('?').map_or((options.postgres_url.as_str(), String::new()), |(a, b)| (a, format!("?{b}")));
        let server = server.rsplit_once('/').map_or(server, |(server, _)| server);
        let database_url = format!("{server}/{name}{parameters}");
        let (http, smtp) = (free_port()?, free_port()?);
        let keys = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&keys)?;
        let environment = vec![
            ("ASTRO_POSTGRES_URL", database_url.clone()),
            ("ASTRO_NATS_URL", options.nats_url.clone()),
            ("ASTRO_MONGO_URL", options.mongo_url.clone()),
            ("ASTRO_PREFIX", name.clone()),
            ("ASTRO_LISTEN", format!("127.0.0.1:{http}")),
            ("ASTRO_SMTP_URL", format!("smtp://127.0.0.1:{smtp}")),
            ("ASTRO_UI", options.ui.display().to_string()),
            ("ASTRO_KEYS", keys.display().to_string()),
            ("ASTRO_DEMO_PASSWORD", PASSWORD.to_owned()),
        ];
        let astro = Self {
            program: options.astro.clone(),
            environment,
            admin_url: options.postgres_url.clone(),
            database: name,
            database_url,
            address: format!("http://127.0.0.1:{http}"),
            mailbox: format!("127.0.0.1:{smtp}"),
            child: None,
        };
        astro.run(&["migrate"]).await?;
        Ok(astro)
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database_url
    }
    pub(crate) fn address(&self) -> &str {
        &self.address
    }
    pub(crate) fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Imports the catalogue; answers how many launches it put on sale, and in what time.
    pub(crate) async fn import(&self, demo: &Path) -> Result<(u64, Duration)> {
        let (agencies, launches) = (demo.join("agencies.csv"), demo.join("launches.csv"));
        let begun = Instant::now();
        self.run(&["import", "--agencies", &agencies.display().to_string(), "--launches", &launches.display().to_string()]).await?;
        let took = begun.elapsed();
        let pool = sqlx::PgPool::connect(&self.database_url).await?;
        let scheduled: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = 'launch' AND event_type = 'scheduled'")
            .fetch_one(&pool)
            .await?;
        pool.close().await;
        Ok((scheduled.unsigned_abs(), took))
    }

    /// Demo accounts by role; no demo sales.
    pub(crate) async fn demo_accounts(&self) -> Result<Vec<(String, String)>> {
        let text = self.run(&["demo", "--bookings", "0"]).await?;
        let mut accounts = Vec::new();
        for line in text.lines().filter(|line| line.starts_with('{')) {
            let account: Value = serde_json::from_str(line)?;
            accounts
                .push((account["role"].as_str().unwrap_or_default().to_owned(), account["email"].as_str().unwrap_or_default().to_owned()));
        }
        Ok(accounts)
    }

    /// Starts every role in one process and waits until it serves.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let child =
            self.command(&["all", "--mailbox", &self.mailbox]).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn()?;
        self.child = Some(child);
        let health = format!("{}/health", self.address);
        let deadline = Instant::now() + START;
        while !reqwest::get(&health).await.is_ok_and(|answer| answer.status().is_success()) {
            if Instant::now() > deadline {
                bail!("astro did not answer within {START:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Memory that is really used.
    pub(crate) fn resident_megabytes(&self) -> Result<f64> {
        let pid = self.child.as_ref().and_then(Child::id).context("astro is not running")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kilobytes.context("no VmRSS")? / 1024.0)
    }

    /// Stops it and removes its database.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        let admin = sqlx::PgPool::connect(&self.admin_url).await?;
        sqlx::raw_sql(&format!("DROP DATABASE {} WITH (FORCE)", self.database)).execute(&admin).await?;
        Ok(())
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    async fn run(&self, words: &[&str]) -> Result<String> {
        let output = self.command(words).output().await.with_context(|| self.program.display().to_string())?;
        if !output.status.success() {
            bail!("astro {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
