//! The binary `astro`: built, and called with what it must know. What it does is the crate `api`'s affair.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::process;
use crate::step::Progress;

/// Builds it for people: optimised, unless it shall be built quickly.
pub(crate) fn build(paths: &Paths, quickly: bool, logs: &Path, progress: &Progress) -> Result<PathBuf> {
    progress.say("compiling, minutes at the first time");
    let mut cargo = paths.cargo();
    cargo.args(["build", "-p", "api", "--bin", "astro"]);
    if !quickly {
        cargo.arg("--release");
    }
    process::run(cargo, &logs.join("astro-build.log"), process::cargo_progress(progress))?;
    progress.say("built");
    Ok(paths.target().join(if quickly { "debug/astro" } else { "release/astro" }))
}

/// A copy to run: clones share the build folder, so the original may be replaced at any time.
pub(crate) fn copy(program: &Path, dir: &Path) -> Result<PathBuf> {
    let (bin, copy) = (dir.join("bin"), dir.join("bin/astro"));
    fs::create_dir_all(&bin)?;
    // Not over it: the old file may still be running.
    let new = bin.join("astro.new");
    fs::copy(program, &new).with_context(|| format!("copying {}", program.display()))?;
    fs::rename(&new, &copy)?;
    Ok(copy)
}

/// What every role of `astro` reads from its environment.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) program: PathBuf,
    pub(crate) postgres_url: String,
    pub(crate) nats_url: String,
    pub(crate) mongo_url: String,
    pub(crate) smtp_url: String,
    pub(crate) listen: String,
    pub(crate) public_url: String,
    pub(crate) ui: PathBuf,
    /// None for who sees no personal data and signs nobody in.
    pub(crate) keys: Option<PathBuf>,
    /// Whom it trusts, its certificate and its key; none where connections stay on this machine.
    pub(crate) tls: Option<[PathBuf; 3]>,
    /// Where the core service is, for services that run without it.
    pub(crate) core_url: Option<String>,
    pub(crate) demo_password: String,
}

impl Surroundings {
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        command.env("ASTRO_POSTGRES_URL", &self.postgres_url).env("ASTRO_NATS_URL", &self.nats_url);
        command.env("ASTRO_MONGO_URL", &self.mongo_url).env("ASTRO_SMTP_URL", &self.smtp_url);
        command.env("ASTRO_LISTEN", &self.listen).env("ASTRO_UI", &self.ui);
        if let Some(keys) = &self.keys {
            command.env("ASTRO_KEYS", keys);
        }
        if let Some(core_url) = &self.core_url {
            command.env("ASTRO_CORE_URL", core_url);
        }
        if let Some([ca, cert, key]) = &self.tls {
            command.env("ASTRO_TLS_CA", ca).env("ASTRO_TLS_CERT", cert).env("ASTRO_TLS_KEY", key);
        }
        command.env("ASTRO_PUBLIC_URL", &self.public_url).env("ASTRO_DEMO_PASSWORD", &self.demo_password);
        command
    }
}
