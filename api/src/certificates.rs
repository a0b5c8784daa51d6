//! Makes a certificate authority and a certificate for every server and role of an installation: for development and trials, where nobody
//! else hands certificates out. What uses them is in `tls`.

use crate::tls::{self, Purpose};
use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};
use time::OffsetDateTime;

/// How long the authority lasts, and how long before its end a new one is made.
const AUTHORITY_FOR: SignedDuration = SignedDuration::from_hours(365 * 24);
const AUTHORITY_RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(60 * 24);
/// How long a certificate lasts, and how long before its end a new one is made.
const CERTIFICATE_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
const CERTIFICATE_RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(20 * 24);
/// A certificate counts from a little before it is made: clocks differ.
const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);

/// Servers, who only answer.
const SERVERS: [&str; 4] = ["postgres", "nats", "mongo", "mail"];
/// Services, who answer and ask.
const SERVICES: [&str; 4] = ["customer", "supplier", "employee", "core"];
/// Roles that only ask. `setup` migrates, imports and makes the demo.
const ROLES: [&str; 6] = ["sequence", "project-customer", "project-operations", "project-finance", "schedule", "setup"];

/// Makes what is missing in `folder` or ends soon: `ca.pem`, `ca.key`, and for each server, service and role a folder with `cert.pem` and
/// `key.pem`. `hosts` are further names that people reach the services by. Says whether the authority is new: then everybody must be
/// told whom to trust.
pub fn make(folder: &Path, hosts: &[String], now: Timestamp) -> Result<bool> {
    private_folder(folder)?;
    let (authority, is_new) = authority(folder, now)?;
    for name in SERVERS {
        certificate(folder, &authority, name, &addresses(name, &[]), &[Purpose::Server], now)?;
    }
    for name in SERVICES {
        certificate(folder, &authority, name, &addresses(name, hosts), &[Purpose::Server, Purpose::Client], now)?;
    }
    for name in ROLES {
        certificate(folder, &authority, name, &[tls::identity_of(name)], &[Purpose::Client], now)?;
    }
    Ok(is_new)
}

/// The names that a server is reached by: in a network of containers, on this machine, and by people.
fn addresses(name: &str, hosts: &[String]) -> Vec<String> {
    let own = [tls::identity_of(name), name.to_owned(), format!("{name}.localhost"), "localhost".into(), "127.0.0.1".into(), "::1".into()];
    own.into_iter().chain(hosts.iter().cloned()).collect()
}

fn moment(at: Timestamp) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.as_second()).context("a time that no certificate can hold")
}

fn lasting(mut params: CertificateParams, name: &str, now: Timestamp, time: SignedDuration) -> Result<CertificateParams> {
    params.not_before = moment(now - CLOCKS_DIFFER)?;
    params.not_after = moment(now + time)?;
    params.distinguished_name.push(DnType::OrganizationName, "Astro Bookings (made for itself)");
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

fn authority_params(now: Timestamp) -> Result<CertificateParams> {
    let mut params = lasting(CertificateParams::default(), "Astro Bookings own authority", now, AUTHORITY_FOR)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn authority(folder: &Path, now: Timestamp) -> Result<(Issuer<'static, KeyPair>, bool)> {
    let (cert, key) = (folder.join("ca.pem"), folder.join("ca.key"));
    let lasts = |pem: &[u8]| tls::lasts(pem, pem, None, now + AUTHORITY_RENEWED_BEFORE);
    if let (Ok(known), Ok(pem)) = (fs::read(&cert), fs::read_to_string(&key))
        && lasts(&known)
    {
        let key = KeyPair::from_pem(&pem).with_context(|| format!("read {}", key.display()))?;
        return Ok((Issuer::new(authority_params(now)?, key), false));
    }
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let params = authority_params(now)?;
    let made = params.self_signed(&pair)?;
    // The key first: a certificate without its key would be kept and used for nothing.
    private_file(&key, &pair.serialize_pem())?;
    private_file(&cert, &made.pem())?;
    Ok((Issuer::new(params, pair), true))
}

fn certificate(
    folder: &Path,
    authority: &Issuer<'_, KeyPair>,
    name: &str,
    addresses: &[String],
    purposes: &[Purpose],
    now: Timestamp,
) -> Result<()> {
    let dir = folder.join(name);
    private_folder(&dir)?;
    let (cert, key, ca) = (dir.join("cert.pem"), dir.join("key.pem"), fs::read(folder.join("ca.pem"))?);
    if let (Ok(known), true) = (fs::read(&cert), key.is_file())
        && purposes.iter().all(|purpose| tls::lasts(&known, &ca, Some((*purpose, addresses)), now + CERTIFICATE_RENEWED_BEFORE))
    {
        return Ok(());
    }
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = lasting(CertificateParams::new(addresses)?, name, now, CERTIFICATE_FOR)?;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = purposes
        .iter()
        .map(|purpose| match purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        })
        .collect();
    let made = params.signed_by(&pair, authority)?;
    let _ = fs::remove_file(&cert);
    private_file(&key, &pair.serialize_pem())?;
    private_file(&cert, &made.pem())
}

fn private_folder(folder: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| format!("make {}", folder.display()))
}

/// For the owner's eyes only, and never seen half written.
fn private_file(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let _ = fs::remove_file(&new);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().with_context(|| format!("write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_lasts_is_kept_and_what_ends_soon_is_made_anew() {
        let folder = std::env::temp_dir().join(format!("astro-certificates-{}", uuid::Uuid::new_v4()));
        let now = Timestamp::now();
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        assert!(make(&folder, &[], now).unwrap());
        let (ca, core) = (read("ca.pem"), read("core/cert.pem"));
        for private in ["ca.key", "core/key.pem", "schedule/key.pem"] {
            assert_eq!(fs::metadata(folder.join(private)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(tls::lasts(&core, &ca, Some((Purpose::Server, &["core.localhost".into(), "127.0.0.1".into()])), now));
        assert!(!tls::lasts(&core, &ca, Some((Purpose::Server, &["customer.localhost".into()])), now));
        assert!(!tls::lasts(&read("schedule/cert.pem"), &ca, Some((Purpose::Server, &[tls::identity_of("schedule")])), now));

        assert!(!make(&folder, &[], now + SignedDuration::from_hours(24)).unwrap());
        assert_eq!((&ca, &core), (&read("ca.pem"), &read("core/cert.pem")));
        make(&folder, &["bookings.example".into()], now).unwrap();
        let renamed = read("core/cert.pem");
        assert!(tls::lasts(&renamed, &ca, Some((Purpose::Server, &["bookings.example".into()])), now));
        assert!(!make(&folder, &[], now + SignedDuration::from_hours(11 * 24)).unwrap());
        assert_ne!(renamed, read("core/cert.pem"));
        assert!(make(&folder, &[], now + SignedDuration::from_hours(310 * 24)).unwrap());
        assert!(!tls::lasts(&core, &read("ca.pem"), Some((Purpose::Server, &["localhost".into()])), now));
        fs::remove_dir_all(&folder).unwrap();
    }
}
