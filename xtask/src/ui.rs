//! The web apps as browsers load them: compiled for wasm in one go, bound, compressed. What is in them is the crate `ui`'s affair.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};

use crate::paths::Paths;
use crate::process;
use crate::step::{Progress, Steps, print_line, seconds};

/// The apps, one bundle each.
pub(crate) const APPS: [&str; 4] = ["customer", "supplier", "employee", "admin"];
/// The compiler's name for the browser.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Small for people, or quick to build for tests and for working on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Small,
    Quick,
}

impl Profile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Small => "wasm",
            Self::Quick => "wasm-dev",
        }
    }

    /// Brotli's: 11 is its best and slow, 4 is quick.
    fn brotli_quality(self) -> &'static str {
        match self {
            Self::Small => "11",
            Self::Quick => "4",
        }
    }
}

/// Cargo for the browser: rustup's compiler, or Debian's where rustup cannot fetch the target.
pub(crate) fn wasm_cargo(paths: &Paths) -> Command {
    let mut cargo = paths.cargo();
    cargo.env("CARGO_TARGET_DIR", paths.target_wasm());
    let mut command = Command::new(paths.root.join("xtask/wasm-cargo"));
    command.current_dir(&paths.root);
    for (name, value) in cargo.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("WASM_TOOLCHAIN_DIR", paths.cache.join("wasm-toolchain"));
    command
}

/// Makes sure that something can compile for the browser.
pub(crate) fn prepare_toolchain(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    progress.say("seconds with rustup, minutes where Debian's compiler must do");
    let mut command = wasm_cargo(paths);
    command.arg("--setup");
    process::run(command, &logs.join("wasm-setup.log"), |line| progress.say(line)).with_context(|| {
        format!("no compiler for {TARGET}: `rustup target add {TARGET}` did not work, and Debian's (apt, as root) was no way out")
    })?;
    progress.say("ready");
    Ok(())
}

/// Whether the pinned toolchain itself can compile for the browser.
pub(crate) fn rustup_has_target(paths: &Paths) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(&paths.root).args(["--print", "target-libdir", "--target", TARGET]);
    process::output(&mut rustc).is_ok_and(|dir| Path::new(dir.trim()).is_dir())
}

/// Builds all bundles and returns their folder.
pub(crate) fn build(paths: &Paths, profile: Profile, logs: &Path, progress: &Progress) -> Result<PathBuf> {
    progress.say("compiling, minutes at the first time");
    let mut cargo = wasm_cargo(paths);
    cargo.args(["build", "-p", "ui", "--bins", "--features", "web", "--target", TARGET, "--profile", profile.name()]);
    process::run(cargo, &logs.join("ui-build.log"), process::cargo_progress(progress))?;
    let mut cargo = paths.cargo();
    cargo.args(["build", "-p", "bindgen", "--release"]).env("CARGO_TARGET_DIR", paths.target_tools());
    process::run(cargo, &logs.join("bindgen-build.log"), process::cargo_progress(progress))?;

    let out = paths.target().join("ui").join(profile.name());
    let built = paths.target_wasm().join(TARGET).join(profile.name());
    let inputs: Vec<PathBuf> = APPS.iter().map(|app| built.join(app).with_extension("wasm")).collect();
    let bindgen = paths.target_tools().join("release/bindgen");
    let assets = paths.root.join("ui/assets");
    let mut stamp = profile.brotli_quality().to_owned();
    for file in inputs.iter().chain([&bindgen]).cloned().chain(files_below(&assets)?) {
        stamp_of(&file, &mut stamp)?;
    }
    if fs::read_to_string(out.join("stamp")).is_ok_and(|made_from| made_from == stamp) {
        progress.say("nothing changed");
        return Ok(out);
    }
    progress.say("binding and compressing");
    let new = out.with_extension("new");
    let _ = fs::remove_dir_all(&new);
    let mut bind = Command::new(&bindgen);
    bind.arg("--out").arg(&new).arg("--quality").arg(profile.brotli_quality()).args(&inputs);
    if assets.is_dir() {
        bind.arg("--assets").arg(&assets);
    }
    process::run(bind, &logs.join("bindgen.log"), |_| {})?;
    fs::write(new.join("stamp"), stamp)?;
    let _ = fs::remove_dir_all(&out);
    fs::rename(&new, &out).with_context(|| format!("making {}", out.display()))?;
    progress.say("built");
    Ok(out)
}

/// What tells that a file is another than before.
fn stamp_of(file: &Path, stamp: &mut String) -> Result<()> {
    let meta = fs::metadata(file).with_context(|| format!("{} was not built", file.display()))?;
    let changed = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    writeln!(stamp, "{} {} {changed}", file.display(), meta.len())?;
    Ok(())
}

/// All files below a folder, in a fixed order; none when there is no such folder.
fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    files.sort();
    Ok(files)
}

/// `cargo xtask ui`.
pub(crate) fn run(paths: &Paths, profile: Profile) -> Result<()> {
    let logs = paths.data.join("logs");
    let started = std::time::Instant::now();
    let mut steps = Steps::new(2);
    steps.run("Compiler for the browser", |progress| prepare_toolchain(paths, &logs, progress))?;
    let out = steps.run("Web apps", |progress| build(paths, profile, &logs, progress))?;
    print_line(&format!("\n{:<10} {:>10} {:>10} {:>10}", "bundle", "wasm", "gzip", "brotli"));
    for app in APPS {
        let size = |ending: &str| -> Result<String> {
            let file = out.join(app).join(format!("{app}_bg.wasm{ending}"));
            let bytes = fs::metadata(&file).with_context(|| format!("{} is missing", file.display()))?.len();
            Ok(format!("{} kB", bytes.div_ceil(1000)))
        };
        print_line(&format!("{app:<10} {:>10} {:>10} {:>10}", size("")?, size(".gz")?, size(".br")?));
    }
    print_line(&format!("\n{} (in {})", out.display(), seconds(started.elapsed())));
    Ok(())
}
