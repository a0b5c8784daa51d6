//! Keeps clones that share build folders apart. Cargo names the artefacts of a workspace by their path inside it, and takes one for
//! fresh when no source is newer: what another clone built last would be taken for ours. Dependencies are the same and stay.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::paths::Paths;

/// Which clone built last, in the native build folder.
const STAMP: &str = "astro-clone";

/// Forgets what another clone built of its own crates.
pub(crate) fn take_over(paths: &Paths) -> Result<()> {
    let stamp = paths.target().join(STAMP);
    let root = paths.root.to_string_lossy();
    if fs::read_to_string(&stamp).is_ok_and(|last| last == root) {
        return Ok(());
    }
    let ours = members(paths)?;
    for folder in [paths.target(), paths.target_wasm(), paths.target_tools()] {
        forget(&folder, &ours)?;
    }
    fs::create_dir_all(paths.target())?;
    fs::write(&stamp, root.as_bytes()).with_context(|| stamp.display().to_string())
}

/// The names of the workspace's crates.
fn members(paths: &Paths) -> Result<Vec<String>> {
    let output = paths.cargo().args(["metadata", "--no-deps", "--format-version", "1"]).output().context("cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    Ok(packages.iter().filter_map(|package| package["name"].as_str().map(str::to_owned)).collect())
}

/// Removes the fingerprints of `ours` in every profile's folder below `folder`: `<profile>` and `<target>/<profile>`.
fn forget(folder: &Path, ours: &[String]) -> Result<()> {
    for profile in children(folder)? {
        for inner in children(&profile)?.into_iter().chain([profile]) {
            for fingerprint in children(&inner.join(".fingerprint"))? {
                let name = fingerprint.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if name.rsplit_once('-').is_some_and(|(name, _)| ours.iter().any(|our| our == name)) {
                    fs::remove_dir_all(&fingerprint).with_context(|| fingerprint.display().to_string())?;
                }
            }
        }
    }
    Ok(())
}

/// The folders in a folder; none when there is no such folder.
fn children(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| folder.display().to_string()),
    };
    Ok(entries.filter_map(|entry| entry.ok().map(|entry| entry.path()).filter(|path| path.is_dir())).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_our_own_crates_are_forgotten() {
        let folder = std::env::temp_dir().join(format!("astro-shared-builds-{}", std::process::id()));
        let at = |path: &str| folder.join(path);
        for path in [
            "debug/.fingerprint/api-1f",
            "debug/.fingerprint/api-client-1f",
            "wasm32/wasm/.fingerprint/ui-2e",
            "debug/.fingerprint/serde-3d",
        ] {
            fs::create_dir_all(at(path)).unwrap();
        }
        forget(&folder, &["api".to_owned(), "ui".to_owned()]).unwrap();
        assert!(!at("debug/.fingerprint/api-1f").exists() && !at("wasm32/wasm/.fingerprint/ui-2e").exists());
        assert!(at("debug/.fingerprint/api-client-1f").exists() && at("debug/.fingerprint/serde-3d").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
