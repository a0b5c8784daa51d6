//! The connection to MongoDB and the names of its databases.

use crate::tls;
use anyhow::{Context, Result, bail};
use mongodb::{
    Client, Database,
    options::{Acknowledgment, ClientOptions, ServerAddress, Tls, TlsOptions, WriteConcern},
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

/// Connects; a server that is down is found out by who asks it first. With `encryption` to nobody but who has a certificate of that
/// authority; without, plain connections stay on this machine.
pub async fn connect(url: &str, prefix: &str, encryption: Option<&tls::Tls>) -> Result<Mongo> {
    let mut options = ClientOptions::parse(url).await.context("ASTRO_MONGO_URL is not an address of MongoDB")?;
    match (encryption, &options.tls) {
        (_, Some(Tls::Enabled(how))) if how.allow_invalid_certificates == Some(true) => {
            bail!("ASTRO_MONGO_URL: certificates must be checked, so tlsInsecure and tlsAllowInvalidCertificates will not do")
        }
        (Some(_), Some(Tls::Disabled)) => bail!("ASTRO_MONGO_URL: with ASTRO_TLS_CA tls=false will not do"),
        (Some(encryption), None) => {
            options.tls = Some(Tls::Enabled(TlsOptions::builder().ca_file_path(encryption.ca.clone()).build()));
        }
        (_, Some(Tls::Enabled(_))) => {}
        (None, _) => {
            if let Some(far) = options.hosts.iter().map(host_of).find(|host| !tls::stays_here(host)) {
                return Err(tls::leaves("ASTRO_MONGO_URL", &far, "or add ?tls=true"));
            }
        }
    }
    options.app_name = Some(format!("astro {prefix}"));
    options.write_concern = Some(WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build());
    options.server_selection_timeout = Some(SERVER_WAIT_MAX);
    options.connect_timeout = Some(CONNECT_WAIT_MAX);
    options.max_pool_size = Some(CONNECTIONS_MAX);
    let client = Client::with_options(options).context("ASTRO_MONGO_URL cannot be used")?;
    let system = client.database(&format!("{prefix}_system"));
    Ok(Mongo { client, system })
}

fn host_of(address: &ServerAddress) -> String {
    match address {
        ServerAddress::Tcp { host, .. } => host.clone(),
        // A socket of this machine.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn nothing_leaves_this_machine_in_plain_text() {
        for good in ["mongodb://127.0.0.1:27017", "mongodb://mongo.example/?tls=true"] {
            connect(good, "t", None).await.unwrap();
        }
        for refused in
            ["mongodb://mongo.example", "mongodb://127.0.0.1,mongo.example", "mongodb://mongo.example/?tls=true&tlsInsecure=true"]
        {
            let error = connect(refused, "t", None).await.unwrap_err().to_string();
            assert!(error.contains("ASTRO_MONGO_URL"), "{refused}: {error}");
        }
    }
}
