//! A private MongoDB: the real `mongod` where there is one, else a stand-in built once. Knows no collection.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use crate::instance::State;
use crate::parts::Certificates;
use crate::paths::{Paths, on_path};
use crate::server::{Server, listens};
use crate::step::Progress;
use crate::{apt, process};

/// The oldest real server that will do.
const OLDEST: u32 = 7;
/// The stand-in. GPL-2.0: a program of its own in development and tests, never linked and never shipped.
const STAND_IN: &str = "secantus-mdb";
const STAND_IN_VERSION: &str = "0.5.3-beta.196";
/// Memory for cached pages: enough for the demo, small beside a browser.
const STAND_IN_CACHE: &str = "512M";
/// The stand-in allocates a log file in full, so this is what an empty store takes.
const STAND_IN_LOG_FILE: &str = "16MB";
const MONGOD_CACHE_GB: &str = "0.5";
const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(15);

/// Which server it is.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    Mongod(PathBuf),
    StandIn(PathBuf),
}

impl Program {
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::Mongod(path) | Self::StandIn(path) => path.clone(),
        }
    }
}

/// Whether an acknowledged write must survive a kill: accounts of a demo must, data of one test need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    EveryWrite,
    EveryStop,
}

pub(crate) fn find_or_build(paths: &Paths, logs: &Path, progress: &Progress) -> Result<Program> {
    if let Some(program) = on_path("mongod")
        && let Some(version) = mongod_version(&program).filter(|version| version.split('.').next().is_some_and(is_new_enough))
    {
        progress.say(format!("mongod {version}"));
        return Ok(Program::Mongod(program));
    }
    let home = paths.server(&format!("{STAND_IN}-{STAND_IN_VERSION}"));
    let program = home.join("bin/secantusd-rs");
    if !program.is_file() {
        build(paths, &home, logs, progress)?;
    }
    progress.say(format!("stand-in {STAND_IN_VERSION} (no mongod {OLDEST} or newer on the PATH)"));
    Ok(Program::StandIn(program))
}

fn is_new_enough(major: &str) -> bool {
    major.parse().is_ok_and(|major: u32| major >= OLDEST)
}

/// `db version v8.0.4` tells `8.0.4`.
fn mongod_version(program: &Path) -> Option<String> {
    let said = process::output(Command::new(program).arg("--version")).ok()?;
    Some(said.lines().next()?.rsplit('v').next()?.trim().to_owned())
}

fn build(paths: &Paths, home: &Path, logs: &Path, progress: &Progress) -> Result<()> {
    let tools = [("cmake", "cmake"), ("g++", "g++"), ("make", "make")];
    let mut missing: Vec<&str> = tools.iter().filter(|(program, _)| on_path(program).is_none()).map(|(_, package)| *package).collect();
    if !Path::new("/usr/include/zlib.h").exists() {
        missing.push("zlib1g-dev");
    }
    if !missing.is_empty() {
        apt::install("what the MongoDB stand-in is built with", &missing, logs, progress)?;
    }
    progress.say("building the stand-in once, about 6 minutes");
    let (new, target) = (home.with_extension("new"), paths.cache.join("build-mongo"));
    let _ = fs::remove_dir_all(&new);
    let mut cargo = paths.cargo();
    cargo.args(["install", STAND_IN, "--version", STAND_IN_VERSION, "--locked", "--ignore-rust-version", "--no-track"]);
    cargo.arg("--root").arg(&new).env("CARGO_TARGET_DIR", &target);
    // As built for a release it takes four times as long and is no faster where it counts.
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2");
    process::run(cargo, &logs.join("mongo-build.log"), process::cargo_progress(progress))?;
    let _ = fs::remove_dir_all(home);
    fs::rename(&new, home).with_context(|| format!("making {}", home.display()))?;
    // Gigabytes that nothing needs any more.
    let _ = fs::remove_dir_all(&target);
    Ok(())
}

/// A running server and its address.
#[derive(Debug)]
pub(crate) struct Mongo {
    pub(crate) server: Server,
    pub(crate) data: PathBuf,
    port: u16,
}

impl Mongo {
    /// Ready after [`Mongo::await_ready`].
    /// With `certificates` it takes nothing but TLS and lets nobody in who is not one of its users.
    pub(crate) fn start(
        program: &Program,
        durability: Durability,
        certificates: Option<&Certificates>,
        dir: &Path,
        logs: &Path,
        state: &mut State,
    ) -> Result<Self> {
        let is_real = matches!(program, Program::Mongod(_));
        // Each keeps its own files: a folder of one is nothing that the other can read.
        let (program, data, args) = match program {
            Program::Mongod(program) => {
                (program, dir.join("mongod"), vec!["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", MONGOD_CACHE_GB, "--dbpath"])
            }
            Program::StandIn(program) => {
                let mut args = vec!["--host", "127.0.0.1", "--cache-size", STAND_IN_CACHE, "--log-file-max", STAND_IN_LOG_FILE];
                if durability == Durability::EveryWrite {
                    args.push("--sync-on-commit");
                } else {
                    // A test looks for what must not be in the files: compressed it would not be found if it were.
                    args.extend(["--block-compressor", "none"]);
                }
                args.push("--storage-path");
                (program, dir.join("mongo-stand-in"), args)
            }
        };
        let port = state.port("mongo", None)?;
        fs::create_dir_all(&data)?;
        let mut command = Command::new(program);
        command.args(args).arg(&data).arg("--port").arg(port.to_string()).current_dir(&data);
        if let Some(certificates) = certificates {
            command.arg("--auth");
            let (cert, key) = (certificates.cert("mongo"), certificates.key("mongo"));
            if is_real {
                let both = data.join("certificate.pem");
                let _ = fs::remove_file(&both);
                let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&both)?;
                file.write_all(&[fs::read(cert)?, fs::read(key)?].concat())?;
                command.args(["--tlsMode", "requireTLS", "--tlsCertificateKeyFile"]).arg(both);
                command.arg("--tlsCAFile").arg(certificates.ca()).arg("--tlsAllowConnectionsWithoutCertificates");
            } else {
                command.arg("--tls-cert-file").arg(cert).arg("--tls-key-file").arg(key);
            }
        }
        let server = Server::start("MongoDB", command, logs, Signal::SIGTERM, STOP)?;
        Ok(Self { server, data, port })
    }

    pub(crate) fn await_ready(&mut self) -> Result<()> {
        let port = self.port;
        self.server.await_ready(START, || listens(port))
    }

    pub(crate) fn url(&self) -> String {
        format!("mongodb://127.0.0.1:{}", self.port)
    }
}
