//! Everything the environment decides, read once. A missing value is named where it is needed.

use anyhow::{Context, Result};
use clap::Args;
use std::{fmt, net::SocketAddr, path::PathBuf};

/// Where the servers are and how this installation is called. Each can be given as an option or a variable.
#[derive(Clone, Args)]
pub struct Config {
    /// The event store and the operational and finance views
    #[arg(long, env = "ASTRO_POSTGRES_URL", global = true, hide_env_values = true, value_name = "URL")]
    postgres_url: Option<String>,
    /// The bus
    #[arg(long, env = "ASTRO_NATS_URL", global = true, hide_env_values = true, value_name = "URL")]
    nats_url: Option<String>,
    /// Customer views, accounts, notifications and logs
    #[arg(long, env = "ASTRO_MONGO_URL", global = true, hide_env_values = true, value_name = "URL")]
    mongo_url: Option<String>,
    /// Where mail is handed over
    #[arg(long, env = "ASTRO_SMTP_URL", global = true, hide_env_values = true, value_name = "URL")]
    smtp_url: Option<String>,
    /// The sender of mail
    #[arg(long, env = "ASTRO_MAIL_FROM", global = true, default_value = "bookings@astro.example", value_name = "ADDRESS")]
    pub mail_from: String,
    /// Where the services can be reached from outside, for links in mail
    #[arg(long, env = "ASTRO_PUBLIC_URL", global = true, value_name = "URL")]
    pub public_url: Option<String>,
    /// The folder with the built pages: customer, supplier, employee, admin, assets
    #[arg(long, env = "ASTRO_UI", global = true, value_name = "DIR")]
    pub ui: Option<PathBuf>,
    /// The folder with the signing key and the pepper; made at the first start
    #[arg(long, env = "ASTRO_KEYS", global = true, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// The password of the demo accounts
    #[arg(long, env = "ASTRO_DEMO_PASSWORD", global = true, hide_env_values = true, value_name = "PASSWORD")]
    demo_password: Option<String>,
    /// Keeps installations on shared servers apart: lower-case letters, digits, `_`
    #[arg(long, env = "ASTRO_PREFIX", global = true, default_value = "astro", value_parser = prefix, value_name = "WORD")]
    pub prefix: String,
    /// Where Prometheus may ask for figures, an address and port of its own; nowhere when empty
    #[arg(long, env = "ASTRO_METRICS_LISTEN", global = true, default_value = "", hide_default_value = true, value_name = "ADDRESS")]
    metrics_listen: String,
    /// Which log lines are kept, such as `info` or `info,commands=debug`
    #[arg(
        long,
        env = "ASTRO_LOG",
        global = true,
        default_value = "info,sqlx=warn,async_nats=warn,dioxus_server=error",
        value_name = "FILTER"
    )]
    pub log: String,
    /// Connections to Postgres, at most; a third of them for appending
    #[arg(long, env = "ASTRO_POSTGRES_CONNECTIONS", global = true, default_value_t = 32, value_parser = clap::value_parser!(u32).range(4..=500), value_name = "N")]
    pub postgres_connections: u32,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("prefix", &self.prefix).finish_non_exhaustive() // addresses hold passwords
    }
}

/// Where a service listens.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address and port
    #[arg(long, env = "ASTRO_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
}

fn prefix(text: &str) -> Result<String, String> {
    let word = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if word && (1..=40).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 40 lower-case letters, digits or `_`".into())
    }
}

impl Config {
    /// The address of Postgres.
    pub fn postgres_url(&self) -> Result<&str> {
        self.postgres_url
            .as_deref()
            .context("ASTRO_POSTGRES_URL is not set: say where Postgres is, such as postgres://user:password@host:5432/astro")
    }
    /// The address of NATS.
    pub fn nats_url(&self) -> Result<&str> {
        self.nats_url.as_deref().context("ASTRO_NATS_URL is not set: say where NATS is, such as nats://host:4222")
    }
    /// The address of MongoDB.
    pub fn mongo_url(&self) -> Result<&str> {
        self.mongo_url.as_deref().context("ASTRO_MONGO_URL is not set: say where MongoDB is, such as mongodb://host:27017")
    }
    /// The address of the mail server.
    pub fn smtp_url(&self) -> Result<&str> {
        self.smtp_url.as_deref().context("ASTRO_SMTP_URL is not set: say where mail is handed over, such as smtp://host:25")
    }
    /// Where Prometheus may ask, if anywhere.
    pub fn metrics_listen(&self) -> Result<Option<SocketAddr>> {
        let address = Some(self.metrics_listen.trim()).filter(|address| !address.is_empty());
        address.map(|address| address.parse().context("ASTRO_METRICS_LISTEN is not an address and port such as 127.0.0.1:9100")).transpose()
    }
    /// The folder of the keys.
    pub fn keys(&self) -> Result<&std::path::Path> {
        self.keys.as_deref().context("ASTRO_KEYS is not set: say in which folder the signing key is kept")
    }
    /// The password of the demo accounts.
    pub fn demo_password(&self) -> Result<&str> {
        self.demo_password
            .as_deref()
            .context("ASTRO_DEMO_PASSWORD is not set: choose the password of the demo accounts, at least 12 characters")
    }
}

/// A configuration put together by hand, for tests.
#[derive(Debug, Clone)]
pub struct Given {
    /// Postgres.
    pub postgres_url: String,
    /// NATS.
    pub nats_url: String,
    /// MongoDB.
    pub mongo_url: String,
    /// Mail.
    pub smtp_url: String,
    /// Keys.
    pub keys: PathBuf,
    /// The word that keeps it apart.
    pub prefix: String,
}

impl From<Given> for Config {
    fn from(given: Given) -> Self {
        Self {
            postgres_url: Some(given.postgres_url),
            nats_url: Some(given.nats_url),
            mongo_url: Some(given.mongo_url),
            smtp_url: Some(given.smtp_url),
            mail_from: "bookings@astro.example".to_owned(),
            public_url: None,
            ui: None,
            keys: Some(given.keys),
            demo_password: None,
            prefix: given.prefix,
            metrics_listen: String::new(),
            log: "info".to_owned(),
            postgres_connections: 12,
        }
    }
}
