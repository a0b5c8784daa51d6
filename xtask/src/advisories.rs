//! What is known to be wrong with crates of others, read without a network: a copy of the RustSec database, one advisory per line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use semver::{Version, VersionReq};

use crate::lists;
use crate::paths::Paths;
use crate::process;

/// The copy: id, crate, date, what it is only about, patched and unaffected versions, title; tabs between, `;` within.
const COPY: &str = "deploy/advisories/rustsec.tsv";
/// What is accepted for now: id, until which day, why; tabs between.
const WAIVERS: &str = "deploy/advisories/waivers.tsv";
/// Advisories of this kind say nothing about a danger.
const HARMLESS: &str = "notice";

/// A crate that is really built, for some target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// Every crate that is built from these sources, ours included.
pub(crate) fn used(paths: &Paths) -> Result<BTreeSet<Used>> {
    let mut command = paths.cargo();
    let words = ["tree", "--locked", "--workspace", "--target", "all", "-e", "normal,build,dev", "--prefix", "none", "--format", "{p}"];
    let tree = process::output(command.args(words))?;
    Ok(tree.lines().filter_map(crate_of).collect())
}

/// `name v1.2.3 (…)`.
fn crate_of(line: &str) -> Option<Used> {
    let (name, rest) = line.split_once(" v")?;
    Some(Used { name: name.to_owned(), version: rest.split(' ').next()?.to_owned() })
}

#[derive(Debug)]
struct Advisory<'a> {
    id: &'a str,
    name: &'a str,
    about: &'a str,
    fine: Vec<VersionReq>,
    title: &'a str,
}

fn read(line: &str) -> Result<Advisory<'_>> {
    let parts: Vec<&str> = line.split('\t').collect();
    let [id, name, _, about, patched, unaffected, title] = parts[..] else { bail!("not an advisory: {line}") };
    let ranges = patched.split(';').chain(unaffected.split(';')).filter(|range| !range.is_empty());
    let fine = ranges.map(|range| VersionReq::parse(range).with_context(|| format!("{id}: {range}"))).collect::<Result<_>>()?;
    Ok(Advisory { id, name, about, fine, title })
}

impl Advisory<'_> {
    fn is_about(&self, used: &Used) -> Result<bool> {
        if self.name != used.name || self.about == HARMLESS {
            return Ok(false);
        }
        let version = Version::parse(&used.version).with_context(|| format!("{} {}", used.name, used.version))?;
        Ok(!self.fine.iter().any(|range| range.matches(&version)))
    }
}

/// What is wrong with what is used, as sentences; waivers that ran out or that nothing needs are wrong as well. `today` is `YYYY-MM-DD`.
fn wrong(copy: &str, waivers: &str, used: &BTreeSet<Used>, today: &str) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let mut waived = Vec::new();
    for line in waivers.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [id, until, why] = parts[..] else { bail!("not a waiver: {line}") };
        ensure!(!why.trim().is_empty() && until.len() == today.len(), "not a waiver: {line}");
        waived.push((id, until));
    }
    let mut needed = BTreeSet::new();
    for line in copy.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let advisory = read(line)?;
        for used in used {
            if !advisory.is_about(used)? {
                continue;
            }
            needed.insert(advisory.id);
            let what = if advisory.about.is_empty() { "vulnerable" } else { advisory.about };
            let said = format!("{} {} is {what} ({}): {}", used.name, used.version, advisory.id, advisory.title);
            match waived.iter().find(|(id, _)| *id == advisory.id) {
                None => wrong.push(said),
                Some((_, until)) if *until < today => wrong.push(format!("{said}; its waiver ended on {until}")),
                Some(_) => {}
            }
        }
    }
    wrong.extend(
        waived.iter().filter(|(id, _)| !needed.contains(id)).map(|(id, _)| format!("nothing needs the waiver of {id}: take it away")),
    );
    Ok(wrong)
}

/// The gate: every crate that is built against every advisory.
pub(crate) fn check(paths: &Paths) -> Result<String> {
    let copy = fs::read_to_string(paths.root.join(COPY)).context(COPY)?;
    let waivers = fs::read_to_string(paths.root.join(WAIVERS)).context(WAIVERS)?;
    let today = process::output(Command::new("date").args(["-u", "+%F"]))?;
    let used = used(paths)?;
    let wrong = wrong(&copy, &waivers, &used, today.trim())?;
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    let known = copy.lines().filter(|line| !line.starts_with('#')).count();
    Ok(format!("{} crates against {known} advisories", used.len()))
}

/// Makes the copy anew from a folder that holds the public database (`crates/<name>/RUSTSEC-….md`).
pub(crate) fn copy(paths: &Paths, database: &Path) -> Result<()> {
    let mut lines = BTreeSet::new();
    for folder in fs::read_dir(database.join("crates")).with_context(|| format!("{} has no folder crates", database.display()))? {
        for file in fs::read_dir(folder?.path())? {
            let file: PathBuf = file?.path();
            let page = fs::read_to_string(&file)?;
            lines.extend(line_of(&page).with_context(|| file.display().to_string())?);
        }
    }
    let head = "# Copied from the RustSec advisory database (rustsec.org) by `cargo xtask advisories`: facts and titles only.\n\
                # id\tcrate\tdate\tinformational\tpatched\tunaffected\ttitle\n";
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(paths.root.join(COPY), format!("{head}{body}"))?;
    println!("{} advisories are in {COPY}", lines.len());
    Ok(())
}

/// One advisory as a line; none when it was withdrawn.
fn line_of(page: &str) -> Result<Option<String>> {
    let (front, rest) = page.trim_start().strip_prefix("```toml").and_then(|page| page.split_once("\n```")).context("no front page")?;
    if lists::text(front, "advisory", "withdrawn").is_some() {
        return Ok(None);
    }
    let field = |key| lists::text(front, "advisory", key);
    let ranges = |key| lists::list(front, "versions", key).unwrap_or_default().join(";");
    let title = rest.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default().replace('\t', " ");
    let id = field("id").context("no id")?;
    let name = field("package").context("no package")?;
    let date = field("date").context("no date")?;
    let about = field("informational").unwrap_or_default();
    let line = [id, name, date, about, &ranges("patched"), &ranges("unaffected"), title.trim()].join("\t");
    read(&line)?;
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const COPIED: &str = "# head\nRUSTSEC-1\trsa\t2023-11-22\t\t\t\tMarvin\nRUSTSEC-2\tfoo\t2024-01-01\tunsound\t>= 1.2, < 1.3;>= 1.3.4\t< 0.5\tBad\nRUSTSEC-3\tfoo\t2024-01-01\tnotice\t\t\tNews\n";

    fn told(waivers: &str, name: &str, version: &str) -> Vec<String> {
        let used = BTreeSet::from([Used { name: name.into(), version: version.into() }]);
        wrong(COPIED, waivers, &used, "2026-11-22").unwrap()
    }

    #[test]
    fn what_is_not_patched_is_told() {
        assert_eq!(told("", "rsa", "0.9.10"), ["rsa 0.9.10 is vulnerable (RUSTSEC-1): Marvin"]);
        for fine in ["1.2.9", "1.3.4", "2.0.0", "0.4.9"] {
            assert!(told("", "foo", fine).is_empty(), "{fine}");
        }
        assert_eq!(told("", "foo", "1.3.3"), ["foo 1.3.3 is unsound (RUSTSEC-2): Bad"]);
    }

    #[test]
    fn a_waiver_ends_and_must_be_needed() {
        assert!(told("RUSTSEC-1\t2027-01-01\twe only verify", "rsa", "0.9.10").is_empty());
        assert!(told("RUSTSEC-1\t2026-11-21\twe only verify", "rsa", "0.9.10")[0].contains("ended on 2026-11-21"));
        assert!(told("RUSTSEC-1\t2027-01-01\twe only verify", "bar", "1.0.0")[0].contains("take it away"));
        let nobody = BTreeSet::new();
        assert!(wrong(COPIED, "RUSTSEC-1\t2027-01-01\t", &nobody, "2026-11-22").is_err(), "a waiver says why");
    }

    #[test]
    fn a_page_becomes_a_line() {
        let page = "```toml\n[advisory]\nid = \"RUSTSEC-9\"\npackage = \"foo\"\ndate = \"2024-05-01\"\n\n[affected.functions]\n\"foo::bar\" = [\"*\"]\n\n[versions]\npatched = [\">= 2\"]\n```\n\n# Title\n\nText\n";
        assert_eq!(line_of(page).unwrap().unwrap(), "RUSTSEC-9\tfoo\t2024-05-01\t\t>= 2\t\tTitle");
        assert_eq!(line_of(&page.replace("date =", "withdrawn = \"2024-06-01\"\ndate =")).unwrap(), None);
    }
}
