//! One set of private servers: who runs it (a lock that the system frees at death), what runs in it, what it must remember.
//! Starts and stops nothing except what a crashed predecessor left behind.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::signals;

/// What a left-over server gets to stop by itself, before it is killed.
const LEFT_OVER_GRACE: Duration = Duration::from_secs(20);
/// Random bytes in a password.
const PASSWORD_BYTES: usize = 18;

/// A process, told apart from a later one of the same number by its start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) pid: u32,
    /// Clock ticks after boot, and which boot.
    pub(crate) started: String,
}

impl Process {
    pub(crate) fn of(name: &str, pid: u32) -> Result<Self> {
        let started = started(pid).with_context(|| format!("{name} is gone already"))?;
        Ok(Self { name: name.into(), pid, started })
    }

    pub(crate) fn runs(&self) -> bool {
        started(self.pid).is_some_and(|started| started == self.started)
    }
}

/// When a process started; `None` when there is none, or only its remains.
fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything: fields are counted from the last bracket on (3: state, 22: start time).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    let ticks = fields.nth(18)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{ticks}@{}", boot.trim()))
}

/// A way in for a role of the demo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SignIn {
    pub(crate) role: String,
    pub(crate) email: String,
    pub(crate) password: String,
    /// The secret of the second factor, in base 32; none where there is no second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) totp_secret: Option<String>,
}

/// `run.json`: what runs now, for scripts and for `down`. Gone when nothing runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) clone: PathBuf,
    pub(crate) ready: bool,
    /// Whether views have read another log than this, and are to be rebuilt.
    #[serde(default)]
    pub(crate) to_rebuild: bool,
    pub(crate) address: String,
    /// Who finds which page where, where each service has an address of its own.
    #[serde(default)]
    pub(crate) pages: Vec<(String, String)>,
    /// The certificate of the authority that browsers must trust, where connections are encrypted.
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
    pub(crate) postgres_url: String,
    pub(crate) nats_url: String,
    pub(crate) mongo_url: String,
    pub(crate) smtp_url: String,
    /// Where Prometheus may ask.
    #[serde(default)]
    pub(crate) metrics_url: String,
    /// Where each server keeps its data.
    pub(crate) data: BTreeMap<String, PathBuf>,
    pub(crate) logs: PathBuf,
    pub(crate) demo: Vec<SignIn>,
    pub(crate) supervisor: Process,
    /// In the order in which they must stop.
    pub(crate) processes: Vec<Process>,
}

/// `state.json`: what the next `up` must find again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) ports: BTreeMap<String, u16>,
    pub(crate) passwords: BTreeMap<String, String>,
    /// The database that the demo catalogue went into.
    pub(crate) imported_into: Option<String>,
    /// The PostgreSQL cluster, which may be outside the data folder.
    pub(crate) postgres_data: Option<PathBuf>,
}

impl State {
    /// The port of that name: the one of last time when it is free still, else `preferred`, else any free one from it upwards.
    pub(crate) fn port(&mut self, name: &str, preferred: Option<u16>) -> Result<u16> {
        let port = match self.ports.get(name).copied() {
            Some(port) if is_free(port) => port,
            _ => match preferred {
                Some(first) => (first..first.saturating_add(100)).find(|port| is_free(*port)).context("no free port")?,
                None => TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port(),
            },
        };
        self.ports.insert(name.into(), port);
        Ok(port)
    }

    /// The password of that name, made at its first use.
    pub(crate) fn password(&mut self, name: &str) -> Result<String> {
        if let Some(password) = self.passwords.get(name) {
            return Ok(password.clone());
        }
        let mut bytes = [0u8; PASSWORD_BYTES];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.passwords.insert(name.into(), password.clone());
        Ok(password)
    }
}

/// Whether nothing listens there.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A data folder that we alone work on.
#[derive(Debug)]
pub(crate) struct Instance {
    dir: PathBuf,
    clone: PathBuf,
    /// Held open for its lock.
    _lock: File,
    pub(crate) state: State,
}

impl Instance {
    /// Takes the folder, making it when needed; `None` while another process has it.
    pub(crate) fn take(dir: &Path, clone: &Path) -> Result<Option<Self>> {
        fs::DirBuilder::new().recursive(true).mode(0o711).create(dir).with_context(|| format!("making {}", dir.display()))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join("lock"));
        let lock = lock.with_context(|| format!("{} is not ours to write: who made it?", dir.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error).context("locking the data folder"),
        }
        let state = read_json(&dir.join("state.json"))?.unwrap_or_default();
        Ok(Some(Self { dir: dir.into(), clone: clone.into(), _lock: lock, state }))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    pub(crate) fn save_state(&self) -> Result<()> {
        write_private(&self.dir.join("state.json"), &self.state)
    }

    pub(crate) fn save_run(&self, run: &Run) -> Result<()> {
        write_private(&self.dir.join("run.json"), run)
    }

    pub(crate) fn forget_run(&self) {
        let _ = fs::remove_file(self.dir.join("run.json"));
    }

    /// Stops what a predecessor that died left running, in order. Says what that was.
    pub(crate) fn clean_up_after_crash(&self) -> Result<Vec<String>> {
        let Some(run) = read_run(&self.dir)? else { return Ok(Vec::new()) };
        let mut stopped = Vec::new();
        // The record of a copied folder names another clone's servers: not ours to stop.
        if run.clone == self.clone {
            for process in run.processes.iter().filter(|process| process.runs()) {
                stopped.push(process.name.clone());
                let fast_shutdown = if process.name == "PostgreSQL" { Signal::SIGINT } else { Signal::SIGTERM };
                signals::send(process.pid, fast_shutdown);
                if !signals::wait_until(LEFT_OVER_GRACE, || !process.runs()) {
                    signals::send(process.pid, Signal::SIGKILL);
                    signals::wait_until(LEFT_OVER_GRACE, || !process.runs());
                }
            }
        }
        self.forget_run();
        Ok(stopped)
    }

    /// Removes the folder and what belongs to it elsewhere; the lock is held until the end.
    pub(crate) fn delete(self) -> Result<()> {
        if let Some(data) = self.state.postgres_data.as_ref().filter(|data| !data.starts_with(&self.dir))
            && data.exists()
        {
            fs::remove_dir_all(data).with_context(|| format!("removing {}", data.display()))?;
        }
        fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))
    }
}

/// Removes records that cannot be read, so that starting over works whatever is in them.
pub(crate) fn forget_damaged(dir: &Path) {
    if read_run(dir).is_err() {
        let _ = fs::remove_file(dir.join("run.json"));
    }
    if read_json::<State>(&dir.join("state.json")).is_err() {
        let _ = fs::remove_file(dir.join("state.json"));
    }
}

/// The record of what runs in that folder, if any.
pub(crate) fn read_run(dir: &Path) -> Result<Option<Run>> {
    read_json(&dir.join("run.json"))
}

fn read_json<T: for<'a> Deserialize<'a>>(file: &Path) -> Result<Option<T>> {
    match fs::read(file) {
        Ok(bytes) => {
            let value = serde_json::from_slice(&bytes);
            let value = value.with_context(|| format!("{} is damaged: `cargo xtask up --fresh` starts over", file.display()))?;
            Ok(Some(value))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

/// Readable for its owner only (it holds passwords), and never seen half written.
pub(crate) fn write_private(file: &Path, value: &impl Serialize) -> Result<()> {
    let new = file.with_extension("json.new");
    let write = || -> Result<()> {
        let _ = fs::remove_file(&new);
        let mut out = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
        out.write_all(serde_json::to_string_pretty(value)?.as_bytes())?;
        out.write_all(b"\n")?;
        fs::rename(&new, file)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::process::Command;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-instance-{name}-{}", std::process::id()))
    }

    #[test]
    fn one_at_a_time_and_ports_stay() {
        let _alone = crate::signals::alone();
        let dir = folder("ports");
        let mut first = Instance::take(&dir, &dir).unwrap().unwrap();
        assert!(Instance::take(&dir, &dir).unwrap().is_none());
        let port = first.state.port("nats", None).unwrap();
        let password = first.state.password("postgres").unwrap();
        first.save_state().unwrap();
        drop(first);

        let mut second = Instance::take(&dir, &dir).unwrap().unwrap();
        assert_eq!(second.state.port("nats", None).unwrap(), port);
        assert_eq!(second.state.password("postgres").unwrap(), password);
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert_ne!(second.state.port("nats", None).unwrap(), port, "a port that someone took meanwhile is not used");
        second.delete().unwrap();
        assert!(!dir.exists());
    }

    #[test]
    fn left_overs_are_stopped_and_strangers_are_not() {
        let _alone = crate::signals::alone();
        let dir = folder("crash");
        let instance = Instance::take(&dir, &dir).unwrap().unwrap();
        let mut ours = Command::new("sleep").arg("60").spawn().unwrap();
        let mut stranger = Command::new("sleep").arg("60").spawn().unwrap();
        let mut reused = Process::of("NATS", stranger.id()).unwrap();
        reused.started = "1@another-boot".into();
        let mut run = Run {
            clone: dir.clone(),
            ready: true,
            to_rebuild: false,
            address: String::new(),
            pages: Vec::new(),
            ca: None,
            postgres_url: String::new(),
            nats_url: String::new(),
            mongo_url: String::new(),
            smtp_url: String::new(),
            metrics_url: String::new(),
            data: BTreeMap::new(),
            logs: dir.join("logs"),
            demo: Vec::new(),
            supervisor: reused.clone(),
            processes: vec![Process::of("astro", ours.id()).unwrap(), reused],
        };
        run.clone = "/another/clone".into();
        instance.save_run(&run).unwrap();
        assert!(instance.clean_up_after_crash().unwrap().is_empty());

        run.clone = dir.clone();
        instance.save_run(&run).unwrap();
        assert_eq!(instance.clean_up_after_crash().unwrap(), ["astro"]);
        assert!(read_run(&dir).unwrap().is_none());
        ours.wait().unwrap();
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        instance.delete().unwrap();
    }
}
