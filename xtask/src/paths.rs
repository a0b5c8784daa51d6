//! Where things are: the clone, its data folder, and the cache that clones share. Creates nothing but folders.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// Every folder that xtask uses.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The clone.
    pub(crate) root: PathBuf,
    /// What `up` keeps for this clone: `.astro/`.
    pub(crate) data: PathBuf,
    /// What all clones share: `~/.cache/astro-bookings`.
    pub(crate) cache: PathBuf,
}

impl Paths {
    pub(crate) fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        // A copied clone must not work on the folder it was copied from, so where cargo was called comes first.
        let root = env::current_dir()
            .ok()
            .and_then(|dir| dir.ancestors().find(|dir| dir.join("xtask/bindgen").is_dir()).map(Path::to_path_buf))
            .or_else(|| here.parent().map(Path::to_path_buf))
            .context("no clone found around the current folder")?;
        Ok(Self { data: root.join(".astro"), cache: cache(env::var_os)?, root })
    }

    /// Servers that were downloaded or built: `<cache>/servers/<name>-<version>`.
    pub(crate) fn server(&self, name_version: &str) -> PathBuf {
        self.cache.join("servers").join(name_version)
    }

    /// Native build output.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()).map_or_else(|| self.cache.join("target"), |dir| self.root.join(dir))
    }

    /// Build output for the browser: apart, because features and flags differ.
    pub(crate) fn target_wasm(&self) -> PathBuf {
        self.target_of("wasm")
    }

    /// Build output of programs that a build needs: apart, so that web apps and services can be built side by side.
    pub(crate) fn target_tools(&self) -> PathBuf {
        self.target_of("tools")
    }

    fn target_of(&self, what: &str) -> PathBuf {
        let mut dir = self.target().into_os_string();
        dir.push("-");
        dir.push(what);
        dir.into()
    }

    /// A cargo that builds into the shared cache and does not inherit what the cargo that ran us set for itself.
    pub(crate) fn cargo(&self) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.root).env("CARGO_TARGET_DIR", self.target());
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_")
                || text.starts_with("CARGO_MANIFEST")
                || text == "CARGO_BIN_NAME"
                || text == "CARGO_CRATE_NAME"
            {
                cargo.env_remove(&name);
            }
        }
        cargo
    }
}

fn cache(var: impl Fn(&'static str) -> Option<std::ffi::OsString>) -> Result<PathBuf> {
    let set = |name| var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = set("ASTRO_CACHE") {
        return Ok(dir);
    }
    let base = match set("XDG_CACHE_HOME") {
        Some(dir) => dir,
        None => set("HOME").context("neither HOME nor ASTRO_CACHE is set")?.join(".cache"),
    };
    Ok(base.join("astro-bookings"))
}

/// The first file of that name on the PATH.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_cache_can_be_moved() {
        let home = |name| (name == "HOME").then(|| "/home/ada".into());
        assert_eq!(cache(home).unwrap(), Path::new("/home/ada/.cache/astro-bookings"));
        let xdg = |name| matches!(name, "HOME" | "XDG_CACHE_HOME").then(|| "/c".into());
        assert_eq!(cache(xdg).unwrap(), Path::new("/c/astro-bookings"));
        assert_eq!(cache(|_| Some("/own".into())).unwrap(), Path::new("/own"));
        assert!(cache(|_| None).is_err());
    }
}
