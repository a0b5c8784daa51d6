//! Debian packages: installed only when something is missing, with sudo only when needed, else the command for the person to run.

use std::io::IsTerminal;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use nix::unistd::geteuid;

use crate::paths::on_path;
use crate::process;
use crate::step::Progress;

/// Installs packages that give `what`.
pub(crate) fn install(what: &str, packages: &[&str], logs: &Path, progress: &Progress) -> Result<()> {
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if on_path("apt-get").is_none() {
        bail!("{what} is missing and there is no apt-get here: install it in this system's way (on Debian: {by_hand})");
    }
    let prefix: &[&str] = if geteuid().is_root() {
        &[]
    } else if may_sudo(progress) {
        &["sudo", "-n"]
    } else {
        bail!("{what} is missing. Run this once, then the same command again:\n    sudo {by_hand}");
    };
    progress.say("apt-get update");
    // Old package lists name files that the mirrors have since dropped; a mirror that is down may still do for the rest.
    let _ = process::run(apt(prefix, &["update"]), &logs.join("apt-update.log"), |_| {});
    progress.say(format!("apt-get install {}", packages.join(" ")));
    let mut words = vec!["install", "-y", "--no-install-recommends"];
    words.extend(packages);
    process::run(apt(prefix, &words), &logs.join("apt-install.log"), |_| {})
}

fn apt(prefix: &[&str], words: &[&str]) -> Command {
    let mut line: Vec<&str> = prefix.to_vec();
    line.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=120"]);
    line.extend(words);
    let mut command = Command::new(line[0]);
    command.args(&line[1..]);
    command
}

/// Whether sudo works without a question, or after one that a person is there to answer.
fn may_sudo(progress: &Progress) -> bool {
    if on_path("sudo").is_none() {
        return false;
    }
    let quiet = Command::new("sudo").args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null()).status();
    if quiet.is_ok_and(|status| status.success()) {
        return true;
    }
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return false;
    }
    progress.quietly(|| {
        crate::step::print_line("\nsudo is needed once, for apt-get:");
        Command::new("sudo").arg("-v").status().is_ok_and(|status| status.success())
    })
}
