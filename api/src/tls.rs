//! Encryption of every connection: whom this process trusts, who it is, and that no address leads around that.
//! With `ASTRO_TLS_CA` everything is encrypted; without it plain connections stay on this machine.

use crate::{config::Config, core::token::Service};
use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::WebPkiServerVerifier,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::{ParsedCertificate, WebPkiClientVerifier},
};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use std::{
    fs,
    net::IpAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};
use url::Url;

/// Names in certificates end like this: they say who somebody is, not where.
const IDENTITY_DOMAIN: &str = "astro.internal";

/// The name that says in a certificate who somebody is.
#[must_use]
pub fn identity_of(name: &str) -> String {
    format!("{name}.{IDENTITY_DOMAIN}")
}

/// Who asks over a connection, as its certificate says: in the extensions of each of its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity(pub Service);

impl Identity {
    /// The service that this certificate, found valid already, names.
    #[must_use]
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let names = |service: &Service| {
            let name = ServerName::try_from(identity_of(service.as_str())).ok();
            name.is_some_and(|name| rustls::client::verify_server_name(&parsed, &name).is_ok())
        };
        Service::ALL.into_iter().find(names).map(Self)
    }
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be asked.
    Server,
    /// To ask.
    Client,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Whether the first certificate of `pem` is still valid at `at`, signed by `ca` and, where said, for this purpose and all these names.
#[must_use]
pub fn lasts(pem: &[u8], ca: &[u8], purpose: Option<(Purpose, &[String])>, at: Timestamp) -> bool {
    let check = || -> Result<()> {
        let certificate = CertificateDer::from_pem_slice(pem)?;
        let roots = Arc::new(roots(ca)?);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at.as_second().try_into()?));
        match purpose {
            // An authority signs itself; as a server it would be refused, and its end is seen before that.
            None => {
                let name = ServerName::try_from("localhost")?;
                let verified = server_verifier(roots)?.verify_server_cert(&certificate, &[], &name, &[], at);
                let expired = |error: &rustls::CertificateError| {
                    matches!(
                        error,
                        rustls::CertificateError::Expired
                            | rustls::CertificateError::ExpiredContext { .. }
                            | rustls::CertificateError::NotValidYet
                            | rustls::CertificateError::NotValidYetContext { .. }
                    )
                };
                match verified {
                    Err(rustls::Error::InvalidCertificate(error)) if expired(&error) => bail!("expired"),
                    _ => Ok(()),
                }
            }
            Some((Purpose::Client, _)) => {
                WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?.verify_client_cert(&certificate, &[], at)?;
                Ok(())
            }
            Some((Purpose::Server, names)) => {
                let verifier = server_verifier(roots)?;
                for name in names {
                    verifier.verify_server_cert(&certificate, &[], &ServerName::try_from(name.clone())?, &[], at)?;
                }
                Ok(())
            }
        }
    };
    check().is_ok()
}

fn server_verifier(roots: Arc<RootCertStore>) -> Result<Arc<WebPkiServerVerifier>> {
    Ok(WebPkiServerVerifier::builder_with_provider(roots, provider()).build()?)
}

fn roots(pem: &[u8]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    ensure!(!roots.is_empty(), "holds no certificate");
    Ok(roots)
}

/// What this process shows and trusts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Whom it trusts, PEM.
    pub ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    client: ClientConfig,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// As configured; `None` when there is no `ASTRO_TLS_CA`.
    pub fn load(config: &Config) -> Result<Option<Self>> {
        let (ca, cert, key) = match (&config.tls_ca, &config.tls_cert, &config.tls_key) {
            (None, None, None) => return Ok(None),
            (Some(ca), Some(cert), Some(key)) => (ca.clone(), cert.clone(), key.clone()),
            _ => bail!("ASTRO_TLS_CA, ASTRO_TLS_CERT and ASTRO_TLS_KEY belong together: set all three, or none"),
        };
        let trusted = Arc::new(roots(&read("ASTRO_TLS_CA", &ca)?).with_context(|| format!("ASTRO_TLS_CA: {}", ca.display()))?);
        let chain = CertificateDer::pem_slice_iter(&read("ASTRO_TLS_CERT", &cert)?).collect::<Result<Vec<_>, _>>();
        let chain = chain.with_context(|| format!("ASTRO_TLS_CERT: {}", cert.display()))?;
        ensure!(!chain.is_empty(), "ASTRO_TLS_CERT: {} holds no certificate", cert.display());
        let pem = read("ASTRO_TLS_KEY", &key)?;
        ensure!(
            fs::metadata(&key)?.permissions().mode() & 0o007 == 0,
            "ASTRO_TLS_KEY: {} can be read by everybody: run `chmod 600 {}`",
            key.display(),
            key.display()
        );
        let secret = PrivateKeyDer::from_pem_slice(&pem).with_context(|| format!("ASTRO_TLS_KEY: {}", key.display()))?;
        let unfit = "ASTRO_TLS_KEY is not the key of ASTRO_TLS_CERT";
        let client = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&trusted))
            .with_client_auth_cert(chain.clone(), secret.clone_key())
            .context(unfit)?;
        // People have no certificate; whoever shows one must have it from our authority.
        let asking = WebPkiClientVerifier::builder_with_provider(trusted, provider()).allow_unauthenticated().build()?;
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(asking)
            .with_single_cert(chain, secret)
            .context(unfit)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { ca, cert, key, client, server: Arc::new(server) }))
    }

    /// To ask others.
    #[must_use]
    pub fn client(&self) -> ClientConfig {
        self.client.clone()
    }

    /// To be asked, over HTTP.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// To be asked by a program that chooses no protocol: the development mailbox.
    #[must_use]
    pub fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        let mut server = (*self.server).clone();
        server.alpn_protocols.clear();
        Arc::new(server).into()
    }
}

/// To ask servers whose certificates everybody trusts.
pub(crate) fn public() -> Result<ClientConfig> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn read(variable: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{variable}: read {}", path.display()))
}

/// Whether connections to `host` stay on this machine.
#[must_use]
pub fn stays_here(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.is_empty()
        || host.starts_with('/')
        || host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

pub(crate) fn leaves(variable: &str, host: &str, how: &str) -> anyhow::Error {
    anyhow::anyhow!("{variable}: {host} is not this machine, and nothing says that the connection is encrypted: set ASTRO_TLS_CA, {how}")
}

/// The address of a Postgres database with what it says about encryption: `verify-full`, or none on this machine. Nothing in between.
pub fn postgres_url(variable: &str, url: &str, tls: Option<&Tls>) -> Result<String> {
    let example = || format!("{variable} is not an address such as postgres://user:password@host:5432/astro");
    let options = PgConnectOptions::from_str(url).with_context(example)?;
    let mut url = Url::parse(url).with_context(example)?;
    let says = url.query_pairs().any(|(name, _)| matches!(&*name, "sslmode" | "ssl-mode"));
    let full = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    match tls {
        Some(_) if says && !full => bail!("{variable}: with ASTRO_TLS_CA only sslmode=verify-full will do"),
        Some(tls) => {
            let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
            let has = |wanted: &str| names.iter().any(|name| name == wanted);
            let mut query = url.query_pairs_mut();
            let files = [("sslrootcert", &tls.ca), ("sslcert", &tls.cert), ("sslkey", &tls.key)];
            for (name, file) in files.into_iter().filter(|(name, _)| !has(name)) {
                query.append_pair(name, &file.display().to_string());
            }
            if !says {
                query.append_pair("sslmode", "verify-full");
            }
        }
        None if full => {}
        None if !stays_here(options.get_host()) => return Err(leaves(variable, options.get_host(), "or add ?sslmode=verify-full")),
        None if says && !matches!(options.get_ssl_mode(), PgSslMode::Disable) => {
            bail!("{variable}: sslmode must be verify-full, or disable on this machine; what lies between can be led astray")
        }
        None => {
            if !says {
                url.query_pairs_mut().append_pair("sslmode", "disable");
            }
        }
    }
    Ok(url.into())
}

/// What the bus needs to connect to `url`: nothing on this machine without encryption.
pub fn nats(variable: &str, url: &str, tls: Option<&Tls>) -> Result<Option<ClientConfig>> {
    if let Some(tls) = tls {
        return Ok(Some(tls.client()));
    }
    let server = async_nats::ServerAddr::from_str(url).with_context(|| format!("{variable} is not an address such as nats://host:4222"))?;
    if server.tls_required() {
        return public().map(Some);
    }
    if stays_here(server.host()) { Ok(None) } else { Err(leaves(variable, server.host(), "or begin with tls://")) }
}

/// The certificate authority for the mail server at `url`, PEM: with it mail is encrypted whatever the address says.
pub fn mail(variable: &str, url: &str, tls: Option<&Tls>) -> Result<Option<Vec<u8>>> {
    if let Some(tls) = tls {
        return read("ASTRO_TLS_CA", &tls.ca).map(Some);
    }
    let parsed = Url::parse(url).with_context(|| format!("{variable} is not an address such as smtps://user:password@host"))?;
    let required = parsed.scheme() == "smtps" || parsed.query_pairs().any(|(name, value)| name == "tls" && value == "required");
    let host = parsed.host_str().unwrap_or_default();
    if required || stays_here(host) { Ok(None) } else { Err(leaves(variable, host, "begin with smtps://, or add ?tls=required")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_leaves_this_machine_in_plain_text() {
        let postgres = |url: &str| postgres_url("ASTRO_POSTGRES_URL", url, None);
        assert_eq!(postgres("postgres://u:p@127.0.0.1:5/astro").unwrap(), "postgres://u:p@127.0.0.1:5/astro?sslmode=disable");
        assert!(postgres("postgres://u:p@db.example/astro?sslmode=verify-full").unwrap().ends_with("verify-full"));
        for refused in [
            "postgres://u:p@db.example/astro",
            "postgres://u:p@10.0.0.1/astro?sslmode=disable",
            "postgres://u:p@db.example/astro?sslmode=require",
            "postgres://u:p@db.example/astro?sslmode=prefer",
            "postgres://u:p@localhost/astro?sslmode=prefer",
        ] {
            let error = postgres(refused).unwrap_err().to_string();
            assert!(error.contains("ASTRO_POSTGRES_URL") && !error.contains("u:p"), "{refused}: {error}");
        }
        assert!(nats("ASTRO_NATS_URL", "nats://127.0.0.1:4222", None).unwrap().is_none());
        assert!(nats("ASTRO_NATS_URL", "tls://nats.example", None).unwrap().is_some());
        assert!(nats("ASTRO_NATS_URL", "nats://nats.example", None).unwrap_err().to_string().contains("ASTRO_NATS_URL"));
        assert!(mail("ASTRO_SMTP_URL", "smtp://127.0.0.1:25", None).unwrap().is_none());
        assert!(mail("ASTRO_SMTP_URL", "smtps://mail.example", None).unwrap().is_none());
        assert!(mail("ASTRO_SMTP_URL", "smtp://mail.example?tls=required", None).unwrap().is_none());
        for refused in ["smtp://mail.example", "smtp://mail.example?tls=opportunistic"] {
            assert!(mail("ASTRO_SMTP_URL", refused, None).unwrap_err().to_string().contains("ASTRO_SMTP_URL"), "{refused}");
        }
    }
}
