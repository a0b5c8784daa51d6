//! `cargo xtask check`: every static gate, each named and timed; all run, and one that fails makes all fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::paths::Paths;
use crate::step::{Progress, Steps, print_line};
use crate::ui::{self, Profile, TARGET};
use crate::{advisories, licences, lists, process, signals};

/// Which crate of ours may use which others of ours; nothing points back up.
const ARROWS: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("nats", &[]),
    ("vault", &["domain"]),
    ("contract", &["domain"]),
    ("commands", &["domain", "nats"]),
    ("projections", &["domain", "contract", "nats"]),
    ("scheduler", &["commands", "contract", "domain", "nats", "vault"]),
    ("ui", &["contract", "domain"]),
    // `ui` for its pages rendered on the server.
    ("api", &["commands", "projections", "scheduler", "contract", "domain", "nats", "ui", "vault"]),
    ("e2e", &["contract"]),
    ("xtask", &[]),
    ("bindgen", &[]),
    // Measures them in process.
    ("bench", &["commands", "domain", "nats", "projections"]),
];
/// What the rules and the contract must never reach, directly or through others.
const NOT_IN_DOMAIN: [&str; 6] = ["tokio", "sqlx", "mongodb", "async-nats", "axum", "reqwest"];
/// What may be built in.
const DENY: &str = "deny.toml";
/// Files over this size are data, not text that someone wrote.
const TEXT_LIMIT: u64 = 2 * 1024 * 1024;

type Gate = (&'static str, fn(&Paths, &Path, &Progress) -> Result<()>);

const GATES: [Gate; 14] = [
    ("format", format),
    ("arrows between our crates", arrows),
    ("the domain is pure", purity),
    ("licences and sources", licences_of_all),
    ("banned crates", banned),
    ("known advisories", known_advisories),
    ("no paths of one machine", machine_paths),
    ("no secrets", secrets),
    ("clippy", clippy),
    ("clippy for the browser", clippy_browser),
    ("documentation", documentation),
    ("domain and contract for the browser", wasm_libraries),
    ("web apps", web_apps),
    ("OpenAPI snapshots", openapi),
];

/// Runs the gates whose name holds one of the words, or all when there are none.
pub(crate) fn run(paths: &Paths, words: &[String]) -> Result<()> {
    let logs = paths.data.join("logs/check");
    let chosen: Vec<Gate> =
        GATES.into_iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()))).collect();
    if chosen.is_empty() {
        bail!("no gate is called so; there are: {}", GATES.map(|(name, _)| name).join(", "));
    }
    let mut steps = Steps::new(chosen.len());
    let mut failed = Vec::new();
    for &(name, gate) in &chosen {
        let result = steps.run(name, |progress| {
            gate(paths, &logs, progress)?;
            progress.say("ok");
            Ok(())
        });
        signals::check()?;
        if let Err(error) = result {
            print_line(&format!("{error:#}"));
            failed.push(name);
        }
    }
    if failed.is_empty() {
        print_line(&format!("\n{} of {} gates passed", chosen.len(), GATES.len()));
        Ok(())
    } else {
        bail!("{} of {} gates failed: {}", failed.len(), chosen.len(), failed.join(", "))
    }
}

/// Runs a cargo whose whole output is shown when it fails: a gate's reasons rarely fit into a few lines.
fn cargo(mut command: Command, name: &str, logs: &Path, progress: &Progress, words: &[&str]) -> Result<()> {
    command.args(words);
    let log = logs.join(format!("{name}.log"));
    process::run(command, &log, process::cargo_progress(progress)).or_else(|error| {
        signals::check()?;
        let said = fs::read_to_string(&log).with_context(|| format!("{error:#}"))?;
        let reasons: Vec<&str> = said
            .lines()
            .filter(|line| !line.trim_start().starts_with("Compiling ") && !line.trim_start().starts_with("Checking "))
            .collect();
        bail!("{}", reasons.join("\n"))
    })
}

fn format(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    cargo(paths.cargo(), "fmt", logs, progress, &["fmt", "--all", "--check"])
}

fn clippy(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    cargo(paths.cargo(), "clippy", logs, progress, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// The code that only the browser's build sees.
fn clippy_browser(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    ui::prepare_toolchain(paths, logs, progress)?;
    if !ui::rustup_has_target(paths) {
        print_line("\n      left out: Debian's compiler, which stands in here, comes without clippy");
        return Ok(());
    }
    let words = ["clippy", "-p", "ui", "--lib", "--bins", "--features", "web", "--target", TARGET, "--", "-D", "warnings"];
    cargo(ui::wasm_cargo(paths), "clippy-browser", logs, progress, &words)
}

fn documentation(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    let mut command = paths.cargo();
    command.env("RUSTDOCFLAGS", "-D warnings");
    cargo(command, "doc", logs, progress, &["doc", "--workspace", "--no-deps", "--exclude", "bindgen"])
}

fn wasm_libraries(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    ui::prepare_toolchain(paths, logs, progress)?;
    cargo(ui::wasm_cargo(paths), "wasm", logs, progress, &["check", "-p", "domain", "-p", "contract", "--target", TARGET])
}

fn web_apps(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    ui::prepare_toolchain(paths, logs, progress)?;
    ui::build(paths, Profile::Quick, logs, progress).map(drop)
}

fn openapi(paths: &Paths, logs: &Path, progress: &Progress) -> Result<()> {
    cargo(paths.cargo(), "openapi", logs, progress, &["test", "-p", "api", "openapi"])
}

pub(crate) fn metadata(paths: &Paths, more: &[&str]) -> Result<Vec<Value>> {
    let mut command = paths.cargo();
    command.args(["metadata", "--format-version", "1", "--locked"]).args(more);
    let mut metadata: Value = serde_json::from_str(&process::output(&mut command)?)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => bail!("cargo metadata names no packages"),
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn arrows(paths: &Paths, _: &Path, _: &Progress) -> Result<()> {
    let packages = metadata(paths, &["--no-deps"])?;
    let ours: BTreeSet<&str> = packages.iter().map(|package| text(package, "name")).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let name = text(package, "name");
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            wrong.push(format!("{name} has no row in the table of arrows"));
            continue;
        };
        // Tests may look at anything.
        let dependencies = package["dependencies"].as_array().into_iter().flatten().filter(|to| text(to, "kind") != "dev");
        for to in dependencies.map(|to| text(to, "name")).filter(|to| ours.contains(to) && !allowed.contains(to)) {
            wrong.push(format!("{name} -> {to}"));
        }
    }
    ensure!(wrong.is_empty(), "not allowed: {}", wrong.join(", "));
    Ok(())
}

fn purity(paths: &Paths, _: &Path, _: &Progress) -> Result<()> {
    for name in ["domain", "contract"] {
        let mut command = paths.cargo();
        command.args(["tree", "--locked", "-p", name, "-e", "normal", "--prefix", "none", "--format", "{p}"]);
        let tree = process::output(&mut command)?;
        let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        let found: Vec<&str> = NOT_IN_DOMAIN.into_iter().filter(|banned| names.contains(banned)).collect();
        ensure!(found.is_empty(), "{name} reaches {}", found.join(", "));
    }
    Ok(())
}

/// A list of `deny.toml`.
fn rule<'a>(rules: &'a str, table: &str, key: &str) -> Result<Vec<&'a str>> {
    lists::list(rules, table, key).with_context(|| format!("{DENY} has no list {key} under [{table}]"))
}

fn licences_of_all(paths: &Paths, _: &Path, _: &Progress) -> Result<()> {
    let rules = fs::read_to_string(paths.root.join(DENY)).context(DENY)?;
    let (allowed, registries) = (rule(&rules, "licenses", "allow")?, rule(&rules, "sources", "allow-registry")?);
    let mut wrong = Vec::new();
    for package in metadata(paths, &[])? {
        let (name, version, licence) = (text(&package, "name"), text(&package, "version"), text(&package, "license"));
        if !licences::is_allowed(licence, &allowed) {
            wrong.push(format!("{name} {version}: licence \"{licence}\""));
        }
        let source = text(&package, "source");
        let known = source.strip_prefix("registry+").is_some_and(|registry| registries.contains(&registry));
        if !source.is_empty() && !known {
            wrong.push(format!("{name} {version} comes from {source}"));
        }
    }
    ensure!(wrong.is_empty(), "not allowed:\n{}", wrong.join("\n"));
    Ok(())
}

fn banned(paths: &Paths, _: &Path, _: &Progress) -> Result<()> {
    let rules = fs::read_to_string(paths.root.join(DENY)).context(DENY)?;
    let banned = rule(&rules, "bans", "deny")?;
    let found: Vec<String> =
        advisories::used(paths)?.into_iter().map(|used| used.name).filter(|name| banned.contains(&name.as_str())).collect();
    ensure!(found.is_empty(), "banned by {DENY}, which says why: {}", found.join(", "));
    Ok(())
}

fn known_advisories(paths: &Paths, _: &Path, progress: &Progress) -> Result<()> {
    progress.say(advisories::check(paths)?);
    Ok(())
}

/// The names of all tracked files.
fn tracked(paths: &Paths) -> Result<Vec<String>> {
    let names = process::output(Command::new("git").args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(&paths.root))?;
    Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// A clone must work anywhere: no tracked file names a folder or an internal host of the machine it was written on.
fn machine_paths(paths: &Paths, _: &Path, _: &Progress) -> Result<()> {
    let mut words = vec![["/ro", "ot/"].concat(), ["/wo", "rk/"].concat(), paths.root.display().to_string()];
    words.extend(std::env::var("HOME").ok().filter(|home| home.len() > "/root".len()));
    words.extend(hosts_of_mirrors());
    let mut wrong = Vec::new();
    for name in tracked(paths)? {
        let file = paths.root.join(&name);
        if !fs::metadata(&file).is_ok_and(|meta| meta.is_file() && meta.len() <= TEXT_LIMIT) {
            continue; // deleted in the work tree, a link, or data
        }
        let bytes = fs::read(&file)?;
        let Ok(content) = std::str::from_utf8(&bytes) else { continue };
        for (number, line) in content.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| names(line, word)) {
                wrong.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// How secrets of others' services, and keys as files, begin. Put together, so that this line is none.
fn marks_of_secrets() -> Vec<String> {
    let keys = ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "].map(|kind| ["-----BEGIN ", kind, "PRIVATE KEY", "-----"].concat());
    let tokens = [["gh", "p_"], ["github_", "pat_"], ["gl", "pat-"], ["AK", "IA"], ["sk_", "live_"], ["xo", "xb-"], ["AI", "zaSy"]];
    keys.into_iter().chain(tokens.map(|parts| parts.concat())).collect()
}

/// No tracked file holds a private key or a token; keys are made where the platform first starts.
fn secrets(paths: &Paths, _: &Path, _: &Progress) -> Result<()> {
    let marks = marks_of_secrets();
    let mut wrong = Vec::new();
    for name in tracked(paths)? {
        let Ok(bytes) = fs::read(paths.root.join(&name)) else { continue }; // deleted in the work tree, or a link
        let kind = Path::new(&name).extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if ["pkcs8", "key", "p12", "pfx", "jks"].contains(&kind) {
            wrong.push(format!("{name}: a file of keys"));
        }
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| names(line, mark)) {
                wrong.push(format!("{name}:{}: {mark}", number + 1));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Whether the line has the word as the beginning of a path or of a host, not inside a longer one (`$tmp/root/usr`).
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || matches!(before, '_' | '-' | '.' | '}')))
}

/// Hosts that this machine fetches packages from instead of the public ones, as far as the environment tells.
fn hosts_of_mirrors() -> Vec<String> {
    let names = ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NPM_CONFIG_REGISTRY", "npm_config_registry", "HTTPS_PROXY", "https_proxy"];
    let urls = names.iter().filter_map(|name| std::env::var(name).ok());
    let hosts = urls.filter_map(|url| {
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let place = rest.split('/').next()?.rsplit('@').next()?.split(':').next()?;
        Some(place.to_owned())
    });
    hosts.filter(|host| host.contains('.') && !["pypi.org", "registry.npmjs.org", "127.0.0.1"].contains(&host.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_secret_is_found_where_it_begins() {
        let marks = super::marks_of_secrets();
        let found = |line: &str| marks.iter().any(|mark| names(line, mark));
        assert!(found(&format!("token = \"{}abc\"", ["gh", "p_"].concat())));
        assert!(found(&["-----BEGIN ", "PRIVATE KEY-----"].concat()));
        assert!(!found("-----BEGIN CERTIFICATE-----"));
    }

    #[test]
    fn a_path_is_found_where_it_begins() {
        assert!(names("see /srv/x for more", "/srv/"));
        assert!(names("\"/srv/x\"", "/srv/"));
        assert!(!names("$tmp/srv/x", "/srv/"));
        assert!(!names("${tmp}/srv/x", "/srv/"));
    }
}
