//! The binary under measurement: its own database, its own start and end.

use crate::{
    Options,
    database::{Database, seconds_of},
};
use anyhow::{Context, Result, bail, ensure};
use nats::{Bus, Feed};
use projections::Databases;
use serde::Deserialize;
use sqlx::PgPool;
use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::{Child, Command};
use totp_rs::{Algorithm, Secret, TOTP};

/// How long the start may take.
const START: Duration = Duration::from_secs(60);
/// How long working off a load may take, how long it is looked at, and the share of a processor that is rest.
const WORK_OFF: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(1);
const RESTING: f64 = 0.1;
/// Connections that look into its database.
const CONNECTIONS: u32 = 8;
/// Of the demo accounts.
const PASSWORD: &str = "bench only, never served";

/// An account that was made for measuring.
#[derive(Deserialize)]
pub(crate) struct Demo {
    pub(crate) role: String,
    pub(crate) email: String,
    pub(crate) password: String,
    #[serde(default)]
    totp_secret: Option<String>,
}

impl Demo {
    /// What signs it in now.
    pub(crate) fn sign_in(&self) -> Result<serde_json::Value> {
        let code = match &self.totp_secret {
            Some(secret) => {
                let secret = Secret::Encoded(secret.clone()).to_bytes().map_err(|error| anyhow::anyhow!("a secret: {error:?}"))?;
                Some(TOTP::new(Algorithm::SHA1, 6, 1, 30, secret)?.generate_current()?)
            }
            None => None,
        };
        Ok(serde_json::json!({ "email": self.email, "password": self.password, "code": code }))
    }
}

/// One installation.
pub(crate) struct Astro {
    program: std::path::PathBuf,
    environment: Vec<(&'static str, String)>,
    database: Database,
    mongo_url: String,
    nats_url: String,
    address: String,
    mailbox: String,
    child: Option<Child>,
}

impl Astro {
    /// A new database with the tables of the log and the views.
    pub(crate) async fn prepare(options: &Options) -> Result<Self> {
        let database = Database::create(options).await?;
        let (name, database_url) = (database.name.clone(), database.url.clone());
        let (http, smtp) = (free_port()?, free_port()?);
        let keys = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&keys)?;
        let environment = vec![
            ("ASTRO_POSTGRES_URL", database_url),
            ("ASTRO_NATS_URL", options.nats_url.clone()),
            ("ASTRO_MONGO_URL", options.mongo_url.clone()),
            ("ASTRO_PREFIX", name.clone()),
            ("ASTRO_LISTEN", format!("127.0.0.1:{http}")),
            ("ASTRO_SMTP_URL", format!("smtp://127.0.0.1:{smtp}")),
            ("ASTRO_UI", options.ui.display().to_string()),
            ("ASTRO_KEYS", keys.display().to_string()),
            ("ASTRO_DEMO_PASSWORD", PASSWORD.to_owned()),
            ("ASTRO_LIMITS", "off".to_owned()),
        ];
        let astro = Self {
            program: options.astro.clone(),
            environment,
            database,
            mongo_url: options.mongo_url.clone(),
            nats_url: options.nats_url.clone(),
            address: format!("http://127.0.0.1:{http}"),
            mailbox: format!("127.0.0.1:{smtp}"),
            child: None,
        };
        astro.run(&["migrate"]).await?;
        Ok(astro)
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database.url
    }
    pub(crate) fn name(&self) -> &str {
        &self.database.name
    }
    /// The database, to look into it and to read the log.
    pub(crate) async fn pool(&self) -> Result<PgPool> {
        Ok(commands::connect(&self.database.url, CONNECTIONS).await?)
    }
    /// Its log and views.
    pub(crate) async fn databases(&self) -> Result<Databases> {
        let pool = self.pool().await?;
        let bus = Bus::connect(&self.nats_url, self.name()).await?;
        let mongo = mongodb::Client::with_uri_str(&self.mongo_url).await?;
        Ok(Databases::new(pool.clone(), &mongo, self.name(), Feed::new(pool, Some(bus))))
    }
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Imports the catalogue; answers how many launches it put on sale, and in what time.
    pub(crate) async fn import(&self, demo: &Path) -> Result<(u64, Duration)> {
        let (agencies, launches) = (demo.join("agencies.csv"), demo.join("launches.csv"));
        let begun = Instant::now();
        self.run(&["import", "--agencies", &agencies.display().to_string(), "--launches", &launches.display().to_string()]).await?;
        let took = begun.elapsed();
        let pool = PgPool::connect(&self.database.url).await?;
        let scheduled: i64 = sqlx::query_scalar("SELECT count(*) FROM events WHERE aggregate_type = 'launch' AND event_type = 'scheduled'")
            .fetch_one(&pool)
            .await?;
        pool.close().await;
        Ok((scheduled.unsigned_abs(), took))
    }

    /// The demo accounts, with so many customers more; no demo sales.
    pub(crate) async fn demo_accounts(&self, customers: usize) -> Result<Vec<Demo>> {
        let text = self.run(&["demo", "--bookings", "0", "--customers", &customers.to_string()]).await?;
        text.lines().filter(|line| line.starts_with('{')).map(|line| Ok(serde_json::from_str(line)?)).collect()
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

    /// Waits until it has done what earlier loads left to do: what is measured beside it then has the processors for itself.
    pub(crate) async fn at_rest(&self) -> Result<()> {
        let pid = self.child.as_ref().and_then(Child::id).context("astro is not running")?.to_string();
        let begun = Instant::now();
        loop {
            let used = seconds_of(&pid)?;
            tokio::time::sleep(LOOK).await;
            if seconds_of(&pid)? - used < RESTING * LOOK.as_secs_f64() {
                return Ok(());
            }
            ensure!(begun.elapsed() < WORK_OFF, "astro does not come to rest");
        }
    }

    /// Memory that is really used.
    pub(crate) fn resident_megabytes(&self) -> Result<f64> {
        let pid = self.child.as_ref().and_then(Child::id).context("astro is not running")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<f64>().ok());
        Ok(kilobytes.context("no VmRSS")? / 1024.0)
    }

    /// Stops it.
    pub(crate) async fn end(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// Stops it and removes its database.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.end().await?;
        self.database.drop().await
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
