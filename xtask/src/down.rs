//! `cargo xtask down`: asks the running `up` to stop, and waits until it has.

use std::time::Duration;

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use crate::instance::{self, Instance};
use crate::paths::Paths;
use crate::signals;
use crate::step::print_line;

/// All servers together, each at its slowest.
const LIMIT: Duration = Duration::from_secs(90);

pub(crate) fn run(paths: &Paths) -> Result<()> {
    let what = if stop(paths)? { "Stopped, the data is kept" } else { "Nothing runs here" };
    print_line(what);
    Ok(())
}

/// Stops what runs here; says whether anything did.
pub(crate) fn stop(paths: &Paths) -> Result<bool> {
    if !paths.data.exists() {
        return Ok(false);
    }
    if let Some(instance) = Instance::take(&paths.data, &paths.root)? {
        return Ok(!instance.clean_up_after_crash()?.is_empty());
    }
    let Some(run) = instance::read_run(&paths.data)?.filter(|run| run.supervisor.runs()) else {
        bail!("an `up` is at its first steps here: Ctrl-C ends it where it was started");
    };
    signals::send(run.supervisor.pid, Signal::SIGTERM);
    if !signals::wait_until(LIMIT, || !run.supervisor.runs()) {
        bail!("process {} did not stop within {} s", run.supervisor.pid, LIMIT.as_secs());
    }
    Ok(true)
}
