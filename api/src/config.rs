//! Everything the environment decides, read once. A missing value is named where it is needed.

use crate::web::limits::Width;
use anyhow::{Context, Result};
use clap::Args;
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

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
    /// The keys of persons, a database of its own; `ASTRO_POSTGRES_URL` with `_vault` behind the database's name when left out
    #[arg(long, env = "ASTRO_VAULT_URL", global = true, hide_env_values = true, value_name = "URL")]
    vault_url: Option<String>,
    /// Whom this process trusts, PEM. With it every connection is encrypted, and a server that is not is refused
    #[arg(long, env = "ASTRO_TLS_CA", global = true, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// The certificate of this process, as a server and as a client, PEM
    #[arg(long, env = "ASTRO_TLS_CERT", global = true, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM, for the owner's eyes only
    #[arg(long, env = "ASTRO_TLS_KEY", global = true, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Where the core service is, for a service that runs without it and passes its requests on, such as `https://core.internal:8443`
    #[arg(long, env = "ASTRO_CORE_URL", global = true, value_name = "URL")]
    pub core_url: Option<String>,
    /// Proxies that say truly from where a request comes (X-Forwarded-For): addresses or networks, separated by commas
    #[arg(long, env = "ASTRO_TRUSTED_PROXIES", global = true, value_delimiter = ',', value_name = "ADDRESSES")]
    pub trusted_proxies: Vec<Network>,
    /// Other sites whose pages may call this one, exactly as browsers name them, such as `https://desk.example`; separated by commas
    #[arg(long, env = "ASTRO_ALLOWED_ORIGINS", global = true, value_delimiter = ',', value_name = "ORIGINS")]
    pub allowed_origins: Vec<String>,
    /// How often one address or account may ask: `default`, `off` for measuring, or a number that the limits are multiplied by
    #[arg(long, env = "ASTRO_LIMITS", global = true, default_value = "default", value_name = "WIDTH")]
    pub limits: Width,
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
    /// Connections to Postgres, at most; a third of them for appending, a third for what follows the log; the sequencer has three more, the payment provider four
    #[arg(long, env = "ASTRO_POSTGRES_CONNECTIONS", global = true, default_value_t = 32, value_parser = clap::value_parser!(u32).range(4..=500), value_name = "N")]
    pub postgres_connections: u32,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("prefix", &self.prefix).finish_non_exhaustive() // addresses hold passwords
    }
}

/// Addresses that share their first bits: `10.0.0.0/8`, or one alone: `192.0.2.7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: Ipv6Addr,
    /// How many bits are shared, counted as of IPv6.
    bits: u8,
}

/// Bits of an IPv6 address, and those before an IPv4 address written as one.
const IPV6_BITS: u8 = 128;
const BEFORE_IPV4_BITS: u8 = 96;

fn as_ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

impl Network {
    /// Whether `address` is one of them.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let differ = as_ipv6(address).to_bits() ^ self.address.to_bits();
        differ.leading_zeros() >= u32::from(self.bits)
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self { address: as_ipv6(address), bits: IPV6_BITS }
    }
}

impl FromStr for Network {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not an address such as 192.0.2.7 or a network such as 10.0.0.0/8");
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let before = if address.is_ipv4() { BEFORE_IPV4_BITS } else { 0 };
        let bits = match bits {
            Some(bits) => bits.parse::<u8>().ok().filter(|bits| *bits <= IPV6_BITS - before).ok_or_else(wrong)? + before,
            None => IPV6_BITS,
        };
        Ok(Self { address: as_ipv6(address), bits })
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

/// The same server, and a database of the same name with `_vault` behind it.
fn beside(postgres_url: &str) -> Option<String> {
    let (place, query) = postgres_url.split_once('?').map_or((postgres_url, None), |(place, query)| (place, Some(query)));
    let (_, database) = place.split_once("://")?.1.split_once('/')?;
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    (!database.is_empty()).then(|| format!("{place}_vault{query}"))
}

impl Config {
    /// The address of Postgres.
    pub fn postgres_url(&self) -> Result<&str> {
        self.postgres_url
            .as_deref()
            .context("ASTRO_POSTGRES_URL is not set: say where Postgres is, such as postgres://user:password@host:5432/astro")
    }
    /// The address of the vault, where the keys of persons are.
    pub fn vault_url(&self) -> Result<String> {
        match &self.vault_url {
            Some(url) => Ok(url.clone()),
            None => beside(self.postgres_url()?).context("ASTRO_VAULT_URL is not set, and ASTRO_POSTGRES_URL names no database"),
        }
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
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Postgres.
    pub postgres_url: String,
    /// NATS.
    pub nats_url: String,
    /// MongoDB.
    pub mongo_url: String,
    /// The vault, where it is not beside Postgres' database.
    pub vault_url: Option<String>,
    /// Mail.
    pub smtp_url: String,
    /// See [`Config::tls_ca`].
    pub tls_ca: Option<PathBuf>,
    /// See [`Config::tls_cert`].
    pub tls_cert: Option<PathBuf>,
    /// See [`Config::tls_key`].
    pub tls_key: Option<PathBuf>,
    /// See [`Config::core_url`].
    pub core_url: Option<String>,
    /// See [`Config::trusted_proxies`].
    pub trusted_proxies: Vec<Network>,
    /// See [`Config::allowed_origins`].
    pub allowed_origins: Vec<String>,
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
            vault_url: given.vault_url,
            smtp_url: Some(given.smtp_url),
            tls_ca: given.tls_ca,
            tls_cert: given.tls_cert,
            tls_key: given.tls_key,
            core_url: given.core_url,
            trusted_proxies: given.trusted_proxies,
            allowed_origins: given.allowed_origins,
            limits: Width::Off,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_vault_is_beside_the_events() {
        assert_eq!(beside("postgres://u:p@h:5/astro?sslmode=verify-full").unwrap(), "postgres://u:p@h:5/astro_vault?sslmode=verify-full");
        assert_eq!(beside("postgres://u:p@h/astro").unwrap(), "postgres://u:p@h/astro_vault");
        assert_eq!(beside("postgres://u:p@h"), None);
        assert_eq!(beside("postgres://u:p@h/"), None);
    }

    #[test]
    fn a_network_holds_what_shares_its_first_bits() {
        let holds = |network: &str, address: &str| network.parse::<Network>().unwrap().holds(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("192.0.2.7", "192.0.2.7") && holds("192.0.2.7", "::ffff:192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("2001:db8::/32", "2001:db8:1::9") && !holds("2001:db8::/32", "2001:db9::1"));
        for wrong in ["", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }
}
