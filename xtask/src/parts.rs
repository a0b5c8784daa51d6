//! The parts of the platform as processes of their own: who each is in PostgreSQL, NATS and MongoDB, which certificate and which keys it has.
//! Only `up --tls` runs them; what each does is `astro`'s affair.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::astro::Surroundings;
use crate::instance::State;
use crate::process;

/// One part.
#[derive(Debug)]
pub(crate) struct Part {
    /// Of its process and its certificate.
    pub(crate) name: &'static str,
    /// Its user in PostgreSQL, NATS and MongoDB, each in its own way.
    pub(crate) user: &'static str,
    /// What it is called with.
    pub(crate) words: &'static [&'static str],
    /// The group roles it is a member of in PostgreSQL.
    pub(crate) groups: &'static [&'static str],
    /// The keys it may have; none for who sees no personal data.
    keys: &'static [&'static str],
}

const PERSONAL: &[&str] = &["index.key", "master"];
const CHECKING: &[&str] = &["verifying.key", "index.key", "master"];
const ALL_KEYS: &[&str] = &[""];

/// In the order in which they stop: first what takes requests in. The core service is the last of those, as the others ask it.
pub(crate) const PARTS: [Part; 9] = [
    Part { name: "customer", user: "customer", words: &["serve", "customer"], groups: &["customer", "vault"], keys: CHECKING },
    Part { name: "supplier", user: "supplier", words: &["serve", "supplier"], groups: &["supplier", "vault"], keys: CHECKING },
    Part { name: "employee", user: "employee", words: &["serve", "employee"], groups: &["employee", "vault"], keys: CHECKING },
    Part { name: "core", user: "core", words: &["serve", "core"], groups: &["core", "vault"], keys: ALL_KEYS },
    Part { name: "schedule", user: "scheduler", words: &["schedule"], groups: &["scheduler", "vault"], keys: PERSONAL },
    Part { name: "project-customer", user: "project_customer", words: &["project", "customer"], groups: &["projector"], keys: &[] },
    Part { name: "project-operations", user: "project_operations", words: &["project", "operations"], groups: &["projector"], keys: &[] },
    Part { name: "project-finance", user: "project_finance", words: &["project", "finance"], groups: &["projector"], keys: &[] },
    Part { name: "sequence", user: "sequencer", words: &["sequence"], groups: &["sequencer"], keys: &[] },
];

/// The services, which people reach by a name and a port of their own, and where their page is there.
pub(crate) const SERVICES: [(&str, &str, u16, &str); 4] = [
    ("customer", "customers", 8443, "/"),
    ("supplier", "suppliers", 8444, "/supplier"),
    ("employee", "employees", 8445, "/employee"),
    ("core", "operators", 8446, "/admin"),
];

/// Who migrates, imports and makes the demo: the owner in PostgreSQL.
pub(crate) const SETUP: &str = "setup";

/// The password of a user, made at its first use. It begins with a letter: NATS takes what begins with a digit for a number.
pub(crate) fn password(state: &mut State, user: &str) -> Result<String> {
    Ok(format!("p{}", state.password(&format!("part {user}"))?))
}

/// How the file of NATS calls the password of a user.
pub(crate) fn nats_variable(user: &str) -> String {
    format!("ASTRO_NATS_{}", user.to_uppercase())
}

/// The certificates of this clone: `ca.pem`, and a folder for each name.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes those that are missing or end soon.
    pub(crate) fn make(program: &Path, dir: &Path, logs: &Path) -> Result<Self> {
        let folder = dir.join("tls");
        let mut command = std::process::Command::new(program);
        command.arg("certificates").arg(&folder);
        process::run(command, &logs.join("certificates.log"), |_| {})?;
        Ok(Self { folder })
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    pub(crate) fn cert(&self, name: &str) -> PathBuf {
        self.folder.join(name).join("cert.pem")
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.folder.join(name).join("key.pem")
    }
}

/// Gives each user of MongoDB its password, the users being made where they are missing.
pub(crate) fn make_mongo_users(setup: &Surroundings, mongo_url: &str, state: &mut State, dir: &Path, logs: &Path) -> Result<()> {
    let mut passwords = BTreeMap::new();
    for user in PARTS.iter().map(|part| part.user).chain([SETUP, "admin"]) {
        passwords.insert(user, password(state, user)?);
    }
    let file = dir.join("mongo-passwords.json");
    crate::instance::write_private(&file, &passwords)?;
    let mut command = setup.command(&["logins", "--passwords"]);
    command.arg(&file).env("ASTRO_MONGO_URL", mongo_url);
    let made = process::run(command, &logs.join("logins.log"), |_| {});
    fs::remove_file(&file)?;
    made
}

/// The same server for another user.
pub(crate) fn with_user(url: &str, user: &str, password: &str) -> Result<String> {
    let (scheme, rest) = url.split_once("://").context("an address without a scheme")?;
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    Ok(format!("{scheme}://{user}:{password}@{place}"))
}

impl Part {
    /// What it reads from its environment: the setup's, with its own users, certificate and keys.
    pub(crate) fn surroundings(
        &self,
        setup: &Surroundings,
        certificates: &Certificates,
        dir: &Path,
        state: &mut State,
    ) -> Result<Surroundings> {
        let password = password(state, self.user)?;
        Ok(Surroundings {
            postgres_url: with_user(&setup.postgres_url, &format!("astro_login_{}", self.user), &password)?,
            nats_url: with_user(&setup.nats_url, self.user, &password)?,
            mongo_url: with_user(&setup.mongo_url, &format!("astro_{}", self.user), &password)?,
            tls: Some([certificates.ca(), certificates.cert(self.name), certificates.key(self.name)]),
            keys: self.copy_keys(setup.keys.as_deref(), dir)?,
            demo_password: String::new(),
            ..setup.clone()
        })
    }

    /// A folder with the keys it may have, as they are now.
    fn copy_keys(&self, all: Option<&Path>, dir: &Path) -> Result<Option<PathBuf>> {
        let Some(all) = all.filter(|_| !self.keys.is_empty()) else { return Ok(None) };
        if self.keys == ALL_KEYS {
            return Ok(Some(all.to_owned()));
        }
        let own = dir.join("keys-of").join(self.name);
        let _ = fs::remove_dir_all(&own);
        DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
        for file in fs::read_dir(all)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if self.keys.iter().any(|may| name.starts_with(may)) {
                fs::copy(file.path(), own.join(&name)).with_context(|| format!("copying the key {name}"))?;
            }
        }
        Ok(Some(own))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn another_user_at_the_same_server() {
        assert_eq!(with_user("postgres://astro:x@127.0.0.1:5/astro", "a", "b").unwrap(), "postgres://a:b@127.0.0.1:5/astro");
        assert_eq!(with_user("nats://127.0.0.1:4222", "a", "b").unwrap(), "nats://a:b@127.0.0.1:4222");
    }

    /// The users of NATS are in a file of the deployment, too.
    #[test]
    fn the_file_of_nats_knows_every_part() {
        let file = include_str!("../../deploy/nats-users.conf");
        for user in PARTS.iter().map(|part| part.user).chain([SETUP]) {
            assert!(file.contains(&format!("user: {user},")), "{user} is missing");
            assert!(file.contains(&format!("password: ${}", nats_variable(user))), "the password of {user} is missing");
        }
    }
}
