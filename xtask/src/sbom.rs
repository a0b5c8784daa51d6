//! `cargo xtask sbom`: what the product is made of, as CycloneDX 1.6 JSON. The same sources give the same document.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::advisories::Used;
use crate::check::metadata;
use crate::paths::Paths;
use crate::process;

/// Where it is written when nothing else is said.
const FILE: &str = "target/sbom.json";

/// Crates that are part of the binary `astro` or of its pages, tests and tools left out.
fn shipped(paths: &Paths) -> Result<BTreeSet<(String, String)>> {
    let mut shipped = BTreeSet::new();
    for (name, more) in [("api", &[][..]), ("ui", &["--features", "web", "--target", "wasm32-unknown-unknown"][..])] {
        let mut command = paths.cargo();
        let words = ["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"];
        let tree = process::output(command.args(words).args(more))?;
        shipped.extend(tree.lines().filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
        }));
    }
    Ok(shipped)
}

/// Writes the document to `file`, or to `target/sbom.json`.
pub(crate) fn run(paths: &Paths, file: Option<&std::path::Path>) -> Result<()> {
    let shipped = shipped(paths)?;
    let lock = fs::read_to_string(paths.root.join("Cargo.lock")).context("Cargo.lock")?;
    let document = document(&metadata(paths, &[])?, &shipped, &checksums(&lock));
    let to = paths.root.join(file.unwrap_or(std::path::Path::new(FILE)));
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&to, serde_json::to_string_pretty(&document)? + "\n").with_context(|| to.display().to_string())?;
    println!("{} components are in {}", document["components"].as_array().map_or(0, Vec::len), to.display());
    Ok(())
}

/// SHA-256 sums by crate, from `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<Used, String> {
    let field = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.map(|value| value.trim_matches('"').to_owned())
    };
    lock.split("[[package]]")
        .filter_map(|block| Some((Used { name: field(block, "name")?, version: field(block, "version")? }, field(block, "checksum")?)))
        .collect()
}

fn document(packages: &[Value], shipped: &BTreeSet<(String, String)>, sums: &BTreeMap<Used, String>) -> Value {
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let mut components: Vec<Value> = packages
        .iter()
        .filter(|package| shipped.contains(&(text(package, "name"), text(package, "version"))))
        .map(|package| {
            let (name, version) = (text(package, "name"), text(package, "version"));
            let purl = format!("pkg:cargo/{name}@{version}");
            let mut component = json!({ "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl });
            let licence = text(package, "license").replace('/', " OR ");
            if !licence.is_empty() {
                component["licenses"] = json!([{ "expression": licence }]);
            }
            if let Some(sum) = sums.get(&Used { name, version }) {
                component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
            }
            component
        })
        .collect();
    components.sort_by_key(|component| text(component, "purl"));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": { "type": "application", "bom-ref": "astro-bookings", "name": "astro-bookings", "version": env!("CARGO_PKG_VERSION") } },
        "components": components,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_has_its_licence_and_sum() {
        let lock = "version = 4\n\n[[package]]\nname = \"foo\"\nversion = \"1.0.0\"\nsource = \"x\"\nchecksum = \"ab\"\n\n[[package]]\nname = \"ours\"\nversion = \"0.1.0\"\n";
        let packages =
            [json!({ "name": "foo", "version": "1.0.0", "license": "MIT/Apache-2.0" }), json!({ "name": "bar", "version": "2.0.0" })];
        let shipped = BTreeSet::from([("foo".to_owned(), "1.0.0".to_owned())]);
        let document = document(&packages, &shipped, &checksums(lock));
        assert_eq!(document["components"].as_array().map(Vec::len), Some(1));
        let foo = &document["components"][0];
        assert_eq!(foo["purl"], "pkg:cargo/foo@1.0.0");
        assert_eq!(foo["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(foo["hashes"][0]["content"], "ab");
    }
}
