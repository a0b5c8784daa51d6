//! One long-running child: started into its own process group, watched, stopped in its own way. Which servers there are is in `servers`.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;

use crate::instance::Process;
use crate::{process, signals};

/// How long one connection attempt to a local server may take.
const CONNECT: Duration = Duration::from_millis(250);

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stop: Signal,
    patience: Duration,
}

impl Server {
    /// Starts `command` with its output in `<logs>/<name>.log`; the previous log is kept beside it.
    pub(crate) fn start(name: &'static str, mut command: Command, logs: &Path, stop: Signal, patience: Duration) -> Result<Self> {
        fs::create_dir_all(logs).with_context(|| format!("making {}", logs.display()))?;
        let log = logs.join(format!("{}.log", name.to_lowercase()));
        if log.exists() {
            fs::rename(&log, log.with_extension("log.1"))?;
        }
        let file = File::create(&log).with_context(|| format!("writing {}", log.display()))?;
        // Its own process group: Ctrl-C on the terminal reaches xtask only, which then stops all in order.
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).process_group(0);
        let child = command.spawn().with_context(|| format!("starting {name}"))?;
        Ok(Self { name, child, log, stop, patience })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Its record, to find it again; fails with its last words when it has ended already.
    pub(crate) fn process(&mut self) -> Result<Process> {
        Process::of(self.name, self.child.id()).or_else(|gone| {
            self.check()?;
            Err(gone)
        })
    }

    /// Waits until `ready`; fails when the server ends, the limit passes or we are asked to stop.
    pub(crate) fn await_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        while !ready() {
            self.check()?;
            signals::check()?;
            if Instant::now() > end {
                bail!(
                    "{} was not ready after {} s\nThe last lines of {}:\n{}",
                    self.name,
                    limit.as_secs(),
                    self.log.display(),
                    process::tail(&self.log)
                );
            }
            std::thread::sleep(signals::POLL);
        }
        Ok(())
    }

    /// Fails, with its last words, when the server is no longer running.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                Err(anyhow!("{} died ({status})\nThe last lines of {}:\n{}", self.name, self.log.display(), process::tail(&self.log)))
            }
        }
    }

    /// Asks it to stop, waits, kills it when it does not. Says how it went.
    pub(crate) fn stop(&mut self) -> Stopped {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return Stopped::Before;
        }
        signals::send(self.child.id(), self.stop);
        let child = &mut self.child;
        if signals::wait_until(self.patience, || !matches!(child.try_wait(), Ok(None))) {
            return Stopped::InOrder;
        }
        signals::send_group(self.child.id(), Signal::SIGKILL);
        let _ = self.child.wait();
        Stopped::Killed
    }
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    InOrder,
    Before,
    Killed,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether something accepts connections there.
pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), CONNECT).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn shell(script: &str, logs: &Path, patience: Duration) -> Server {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        Server::start("Shell", command, logs, Signal::SIGTERM, patience).unwrap()
    }

    #[test]
    fn a_death_is_named_and_a_deaf_server_is_killed() {
        let _alone = crate::signals::alone();
        let logs = std::env::temp_dir().join(format!("xtask-server-{}", std::process::id()));
        let mut dying = shell("echo out of disk; exit 7", &logs, Duration::from_secs(1));
        let error = dying.await_ready(Duration::from_secs(10), || false).unwrap_err().to_string();
        assert!(error.contains("Shell died") && error.contains("out of disk"), "{error}");

        let mut deaf = shell("trap '' TERM; echo up; while :; do sleep 1; done", &logs, Duration::from_millis(200));
        let log = logs.join("shell.log");
        deaf.await_ready(Duration::from_secs(10), || fs::read_to_string(&log).is_ok_and(|text| text.contains("up"))).unwrap();
        assert_eq!(deaf.stop(), Stopped::Killed);
        assert_eq!(deaf.stop(), Stopped::Before);
        assert!(deaf.check().is_err());
        fs::remove_dir_all(&logs).unwrap();
    }
}
