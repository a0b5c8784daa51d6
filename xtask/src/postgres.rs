//! A private PostgreSQL: found or installed, its cluster made, started, its database and role there. Knows no table.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::{User, geteuid};

use crate::instance::State;
use crate::parts::{self, Certificates, PARTS, SETUP};
use crate::server::Server;
use crate::step::Progress;
use crate::{apt, process};

/// Older ones lack what the event store uses.
const OLDEST: u32 = 15;
/// Recovery after a crash may read much of the log.
const START: Duration = Duration::from_secs(120);
/// A fast shutdown writes a checkpoint.
const STOP: Duration = Duration::from_secs(30);
/// Statements of the application may take this long; migrations may take longer.
const STATEMENT_TIMEOUT: &str = "15s";
/// What is durable, and what may wait how long: the same file as in a deployment.
const SETTINGS: &str = include_str!("../../deploy/postgresql.conf");

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    bin: PathBuf,
    major: u32,
}

impl Programs {
    pub(crate) fn find_or_install(logs: &Path, progress: &Progress) -> Result<Self> {
        if let Some(found) = find() {
            progress.say(format!("{} in {}", found.major, found.bin.display()));
            return Ok(found);
        }
        apt::install("PostgreSQL", &["postgresql"], logs, progress)?;
        let found = find().with_context(|| format!("apt's postgresql has no version {OLDEST} or newer"))?;
        progress.say(format!("{} in {}", found.major, found.bin.display()));
        Ok(found)
    }

    pub(crate) fn pgbench(&self) -> PathBuf {
        self.bin.join("pgbench")
    }
}

/// The newest installed version that is new enough.
fn find() -> Option<Programs> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().filter_map(|entry| {
        let major: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some(Programs { bin: entry.path().join("bin"), major })
    });
    let on_path = crate::paths::on_path("postgres").and_then(|program| {
        let said = process::output(Command::new(&program).arg("--version")).ok()?;
        let major = said.rsplit(' ').next()?.split('.').next()?.trim().parse().ok()?;
        Some(Programs { bin: program.parent()?.to_path_buf(), major })
    });
    let complete = |found: &Programs| ["postgres", "initdb", "psql", "pg_isready"].iter().all(|name| found.bin.join(name).is_file());
    debian.chain(on_path).filter(|found| found.major >= OLDEST && complete(found)).max_by_key(|found| found.major)
}

/// A running cluster of our own.
#[derive(Debug)]
pub(crate) struct Postgres {
    pub(crate) server: Server,
    pub(crate) data: PathBuf,
    programs: Programs,
    port: u16,
    password: String,
    certificates: Option<Certificates>,
}

impl Postgres {
    /// Starts the cluster, making it first when there is none. Ready after [`Postgres::await_ready`].
    /// With `certificates` it takes nothing but TLS, and only from who has a certificate, too.
    pub(crate) fn start(
        programs: &Programs,
        certificates: Option<&Certificates>,
        dir: &Path,
        logs: &Path,
        state: &mut State,
    ) -> Result<Self> {
        let user = server_user()?;
        let port = state.port("postgres", None)?;
        let password = state.password("postgres")?;
        let data = match &state.postgres_data {
            Some(data) if data.join("PG_VERSION").exists() => data.clone(),
            _ => {
                let home = home_for(user.as_ref(), dir)?;
                let data = home.join("data");
                make_cluster(programs, user.as_ref(), &home, &data, &password, logs)?;
                state.postgres_data = Some(data.clone());
                state.imported_into = None;
                data
            }
        };
        let made_by = fs::read_to_string(data.join("PG_VERSION"))?;
        if made_by.trim() != programs.major.to_string() {
            bail!("the data in {} is of PostgreSQL {}, installed is {}", data.display(), made_by.trim(), programs.major);
        }
        forget_dead_postmaster(&data)?;
        let mut command = as_user(user.as_ref(), &programs.bin.join("postgres"), &data);
        command.arg("-D").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        command.arg("-c").arg(format!("port={port}"));
        for setting in settings() {
            command.arg("-c").arg(setting);
        }
        if let Some(certificates) = certificates {
            let own = encryption(certificates, user.as_ref(), &data)?;
            for (setting, file) in
                [("ssl_cert_file", "cert.pem"), ("ssl_key_file", "key.pem"), ("ssl_ca_file", "ca.pem"), ("hba_file", "pg_hba.conf")]
            {
                command.arg("-c").arg(format!("{setting}={}", own.join(file).display()));
            }
            command.args(["-c", "ssl=on", "-c", "ssl_min_protocol_version=TLSv1.2"]);
        }
        let server = Server::start("PostgreSQL", command, logs, Signal::SIGINT, STOP)?;
        Ok(Self { server, data, programs: programs.clone(), port, password, certificates: certificates.cloned() })
    }

    pub(crate) fn await_ready(&mut self) -> Result<()> {
        let (is_ready, port) = (self.programs.bin.join("pg_isready"), self.port.to_string());
        self.server.await_ready(START, || {
            let mut command = Command::new(&is_ready);
            command.args(["-q", "-h", "127.0.0.1", "-p", &port]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    }

    /// The address for whoever may do everything.
    pub(crate) fn superuser_url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// The application's database and role, made when missing; its address.
    pub(crate) fn application_url(&self, state: &mut State) -> Result<String> {
        let password = state.password("astro")?;
        // `\gexec` runs what the query before it printed, so that a second run does nothing.
        self.sql(&format!(
            "SELECT 'CREATE ROLE astro LOGIN CREATEROLE' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro') \\gexec\n\
             ALTER ROLE astro PASSWORD '{password}';\n\
             ALTER ROLE astro SET statement_timeout = '{STATEMENT_TIMEOUT}';\n\
             GRANT pg_read_all_stats TO astro;\n\
             SELECT 'CREATE DATABASE astro OWNER astro' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'astro') \\gexec\n\
             SELECT 'CREATE DATABASE astro_vault OWNER astro' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'astro_vault') \\gexec\n"
        ))?;
        Ok(format!("postgres://astro:{password}@127.0.0.1:{}/astro", self.port))
    }

    /// A login for each part, member of the group roles that say what it may do. Nobody else may connect to the two databases.
    pub(crate) fn make_logins(&self, state: &mut State) -> Result<()> {
        let mut statements = String::new();
        let groups: BTreeSet<&str> = PARTS.iter().flat_map(|part| part.groups).copied().collect();
        for group in &groups {
            statements += &format!(
                "SELECT 'CREATE ROLE astro_{group} NOLOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'astro_{group}') \\gexec\n\
                 GRANT CONNECT ON DATABASE astro TO astro_{group};\n"
            );
        }
        for part in &PARTS {
            let (login, password) = (format!("astro_login_{}", part.user), parts::password(state, part.user)?);
            statements += &format!(
                "SELECT 'CREATE ROLE {login} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{login}') \\gexec\n\
                 ALTER ROLE {login} PASSWORD '{password}';\n\
                 ALTER ROLE {login} SET statement_timeout = '{STATEMENT_TIMEOUT}';\n"
            );
            for group in part.groups {
                statements += &format!("GRANT astro_{group} TO {login};\n");
            }
        }
        // Whose open transaction holds the log back is seen by who numbers it and by operators.
        statements += "GRANT pg_read_all_stats TO astro_sequencer, astro_core;\n\
            REVOKE CONNECT ON DATABASE astro, astro_vault FROM PUBLIC;\n\
            GRANT CONNECT ON DATABASE astro_vault TO astro_vault;\n";
        self.sql(&statements)
    }

    /// Statements go in by standard input: arguments are public.
    fn sql(&self, statements: &str) -> Result<()> {
        let mut command = Command::new(self.programs.bin.join("psql"));
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres"]);
        command.arg("-p").arg(self.port.to_string()).env("PGPASSWORD", &self.password).env("PGOPTIONS", "");
        if let Some(certificates) = &self.certificates {
            command.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", certificates.ca());
            command.env("PGSSLCERT", certificates.cert(SETUP)).env("PGSSLKEY", certificates.key(SETUP));
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("starting psql")?;
        child.stdin.take().context("psql's input")?.write_all(statements.as_bytes())?;
        let out = child.wait_with_output()?;
        if !out.status.success() {
            bail!("psql failed: {}", String::from_utf8_lossy(&out.stderr).trim());
        }
        Ok(())
    }
}

/// The same address for migrations, which may take longer than the application's statements.
pub(crate) fn without_statement_timeout(url: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options=-c%20statement_timeout%3D0")
}

/// `key=value` of each line that sets something.
fn settings() -> impl Iterator<Item = String> {
    SETTINGS.lines().filter_map(|line| {
        let (key, value) = line.split('#').next()?.split_once('=')?;
        Some(format!("{}={}", key.trim(), value.trim().trim_matches('\'')))
    })
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`, or as nobody.
fn server_user() -> Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(user));
        }
    }
    bail!("PostgreSQL does not run as root, and there is no user postgres or nobody to run it")
}

fn as_user(user: Option<&User>, program: &Path, dir: &Path) -> Command {
    let mut command = match user {
        None => Command::new(program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid)).arg("--clear-groups").arg("--").arg(program);
            command.env("HOME", dir);
            command
        }
    };
    command.current_dir(dir);
    command
}

/// The folder for the cluster: in the data folder, unless the server's user cannot get there (a clone in root's home).
fn home_for(user: Option<&User>, dir: &Path) -> Result<PathBuf> {
    let inside = dir.join("postgres");
    let Some(user) = user else {
        fs::create_dir_all(&inside)?;
        return Ok(inside);
    };
    fs::create_dir_all(&inside)?;
    let hidden = dir.ancestors().any(|dir| fs::metadata(dir).is_ok_and(|meta| meta.permissions().mode() & 0o001 == 0));
    let home = if hidden {
        fs::remove_dir(&inside)?;
        let mut clone = DefaultHasher::new();
        dir.hash(&mut clone);
        Path::new("/var/lib").join(format!("astro-bookings-{:016x}", clone.finish()))
    } else {
        inside
    };
    fs::create_dir_all(&home).with_context(|| format!("making {}", home.display()))?;
    chown(&home, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
        .with_context(|| format!("giving {} to {}", home.display(), user.name))?;
    Ok(home)
}

/// Under another name first: a cluster that was interrupted half way is not taken for one.
fn make_cluster(programs: &Programs, user: Option<&User>, home: &Path, data: &Path, password: &str, logs: &Path) -> Result<()> {
    let (new, secret) = (home.join("data.new"), home.join("password.new"));
    for left_over in [&new, &data.to_path_buf()] {
        if left_over.exists() {
            fs::remove_dir_all(left_over).with_context(|| format!("removing {}", left_over.display()))?;
        }
    }
    let _ = fs::remove_file(&secret);
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(&secret)?.write_all(password.as_bytes())?;
    if let Some(user) = user {
        chown(&secret, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    let mut command = as_user(user, &programs.bin.join("initdb"), home);
    command.args(["--data-checksums", "--auth=scram-sha-256", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]);
    command.arg("--pwfile").arg(&secret).arg("--pgdata").arg(&new);
    let made = process::run(command, &logs.join("initdb.log"), |_| {});
    fs::remove_file(&secret)?;
    made?;
    fs::rename(&new, data).with_context(|| format!("making {}", data.display()))
}

/// What the server reads, as its own user: its certificate, whom it trusts, and who may come in how.
fn encryption(certificates: &Certificates, user: Option<&User>, data: &Path) -> Result<PathBuf> {
    let own = data.with_file_name("tls");
    let _ = fs::remove_dir_all(&own);
    fs::create_dir_all(&own)?;
    let hba = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n".as_bytes().to_vec();
    let files = [
        ("cert.pem", fs::read(certificates.cert("postgres"))?),
        ("key.pem", fs::read(certificates.key("postgres"))?),
        ("ca.pem", fs::read(certificates.ca())?),
        ("pg_hba.conf", hba),
    ];
    for (name, bytes) in files {
        let path = own.join(name);
        OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?.write_all(&bytes)?;
        if let Some(user) = user {
            chown(&path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
    }
    if let Some(user) = user {
        chown(&own, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    Ok(own)
}

/// In a restarted container the number in a crashed server's lock file may belong to anything by now.
fn forget_dead_postmaster(data: &Path) -> Result<()> {
    let file = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&file) else { return Ok(()) };
    let pid = text.lines().next().unwrap_or_default();
    let alive = fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "postgres");
    if !alive {
        fs::remove_file(&file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deployed_settings_are_durable() {
        let settings: Vec<String> = settings().collect();
        for needed in ["fsync=on", "synchronous_commit=on", "full_page_writes=on", "lock_timeout=5s"] {
            assert!(settings.iter().any(|setting| setting == needed), "{needed} is not in {settings:?}");
        }
    }

    #[test]
    fn migrations_may_take_longer() {
        assert_eq!(
            without_statement_timeout("postgres://h/d?sslmode=disable"),
            "postgres://h/d?sslmode=disable&options=-c%20statement_timeout%3D0"
        );
    }
}
