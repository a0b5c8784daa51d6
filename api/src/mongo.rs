//! The connection to MongoDB and the names of its databases.

use anyhow::{Context, Result};
use mongodb::{
    Client, Database,
    options::{Acknowledgment, ClientOptions, WriteConcern},
};
use std::time::Duration;

/// How long a request waits for a server that can answer.
const SERVER_WAIT_MAX: Duration = Duration::from_secs(2);
/// How long connecting may take.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Connections, at most.
const CONNECTIONS_MAX: u32 = 64;

/// The two databases of an installation.
#[derive(Debug, Clone)]
pub struct Mongo {
    /// The connection.
    pub client: Client,
    /// Accounts, sessions, logs, notifications.
    pub system: Database,
}

/// Connects; a server that is down is found out by who asks it first.
pub async fn connect(url: &str, prefix: &str) -> Result<Mongo> {
    let mut options = ClientOptions::parse(url).await.context("ASTRO_MONGO_URL is not an address of MongoDB")?;
    options.app_name = Some(format!("astro {prefix}"));
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    options.server_selection_timeout = Some(SERVER_WAIT_MAX);
    options.connect_timeout = Some(CONNECT_WAIT_MAX);
    options.max_pool_size = Some(CONNECTIONS_MAX);
    let client = Client::with_options(options).context("ASTRO_MONGO_URL cannot be used")?;
    let system = client.database(&format!("{prefix}_system"));
    Ok(Mongo { client, system })
}
