//! Ctrl-C, SIGTERM and hang-up become one flag that every wait looks at; signals to children. Decides nothing.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// How often a wait looks again.
pub(crate) const POLL: Duration = Duration::from_millis(40);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The person (or the system) asked us to stop.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped on request")
    }
}

impl std::error::Error for Interrupted {}

/// From here on Ctrl-C, SIGTERM and SIGHUP only set the flag.
pub(crate) fn listen() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst)).context("listening for Ctrl-C")
}

pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Fails with [`Interrupted`] once we were asked to stop.
pub(crate) fn check() -> Result<()> {
    if interrupted() { Err(Interrupted.into()) } else { Ok(()) }
}

/// Waits until `done` says so; false when `limit` passed first. Does not look at the flag.
pub(crate) fn wait_until(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(POLL);
    }
}

/// A signal to one process; one that is gone already is no error.
pub(crate) fn send(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// A signal to a process group that we made.
pub(crate) fn send_group(leader: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(leader) {
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

/// Tests that start children and tests that lock or bind something, one at a time: a child that is just being made
/// holds its parent's locks and ports for a moment.
#[cfg(test)]
pub(crate) fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
