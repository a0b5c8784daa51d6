//! `cargo xtask fuzz`: the targets in `fuzz/`, each for a while. They are a workspace of their own, built with coverage.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::paths::Paths;
use crate::step::print_line;
use crate::{process, signals};

/// Each target, and the longest input it is given, in bytes.
const TARGETS: [(&str, u32); 4] = [("token", 4_096), ("envelope", 16_384), ("catalogue", 16_384), ("query", 4_096)];
const CARGO_FUZZ: &str = "0.13.1";

/// Fuzzes every target, or those named, for so many seconds each; fails with the first input that breaks one.
pub(crate) fn run(paths: &Paths, seconds: u32, names: &[String]) -> Result<()> {
    let tool = install(paths)?;
    std::fs::copy(paths.root.join("Cargo.lock"), paths.root.join("fuzz/Cargo.lock"))?; // what is fuzzed is what is shipped
    for (name, longest) in TARGETS.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|given| given == name)) {
        signals::check()?;
        print_line(&format!("\n{name}, {seconds} s:"));
        let mut fuzz = Command::new(&tool);
        fuzz.args(["fuzz", "run", "--dev", "--sanitizer", "none", "--fuzz-dir"]).arg(paths.root.join("fuzz")).arg(name).arg("--");
        fuzz.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={longest}")).arg("-print_final_stats=1");
        // No unsafe code of ours: what is looked for are panics, so no sanitizer. Coverage is asked of a stable compiler by this.
        fuzz.current_dir(&paths.root).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", paths.target().with_file_name("target-fuzz"));
        if !process::run_visibly(fuzz)?.success() {
            bail!("{name} broke: the input is in fuzz/artifacts/{name}");
        }
    }
    Ok(())
}

fn install(paths: &Paths) -> Result<PathBuf> {
    let home = paths.cache.join("tools").join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let program = home.join("bin/cargo-fuzz");
    if !program.is_file() {
        print_line(&format!("Installing cargo-fuzz {CARGO_FUZZ}"));
        let mut cargo = paths.cargo();
        cargo.args(["install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked", "--root"]).arg(&home);
        cargo.env("CARGO_TARGET_DIR", paths.target_tools());
        if !process::run_visibly(cargo)?.success() {
            bail!("cargo-fuzz was not installed");
        }
    }
    Ok(program)
}
