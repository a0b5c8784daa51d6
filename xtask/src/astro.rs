//! The binary `astro`: built, and called with what it must know. What it does is the crate `api`'s affair.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::process;
use crate::step::Progress;

/// Builds it for people: optimised.
pub(crate) fn build(paths: &Paths, logs: &Path, progress: &Progress) -> Result<PathBuf> {
    progress.say("compiling, minutes at the first time");
    let mut cargo = paths.cargo();
    cargo.args(["build", "--release", "-p", "api", "--bin", "astro"]);
    process::run(cargo, &logs.join("astro-build.log"), process::cargo_progress(progress))?;
    progress.say("built");
    Ok(paths.target().join("release/astro"))
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
    pub(crate) keys: PathBuf,
    pub(crate) demo_password: String,
}

impl Surroundings {
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words);
        command.env("ASTRO_POSTGRES_URL", &self.postgres_url).env("ASTRO_NATS_URL", &self.nats_url);
        command.env("ASTRO_MONGO_URL", &self.mongo_url).env("ASTRO_SMTP_URL", &self.smtp_url);
        command.env("ASTRO_LISTEN", &self.listen).env("ASTRO_UI", &self.ui).env("ASTRO_KEYS", &self.keys);
        command.env("ASTRO_PUBLIC_URL", &self.public_url).env("ASTRO_DEMO_PASSWORD", &self.demo_password);
        command
    }
}
