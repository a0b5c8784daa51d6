//! One measured figure, alone or beside its yardstick, and how it is printed.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::{fmt::Write, path::Path};

/// A figure. `ratio` is `value` in units of the yardstick.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    yardstick: Option<String>,
    yardstick_value: Option<f64>,
    ratio: Option<f64>,
    runs: usize,
}

impl Figure {
    pub(crate) fn alone(name: &str, value: f64, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, unit, yardstick: None, yardstick_value: None, ratio: None, runs: 1 }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Of so many runs.
    pub(crate) fn runs(self, runs: usize) -> Self {
        Self { runs, ..self }
    }

    pub(crate) fn beside(name: &str, value: f64, unit: &'static str, runs: usize, (yardstick, per_second): (&str, f64)) -> Self {
        let ratio = Some(value / per_second);
        Self { name: name.to_owned(), value, unit, yardstick: Some(yardstick.to_owned()), yardstick_value: Some(per_second), ratio, runs }
    }
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    percentile(values, 50)
}

/// The value below which `percent` of all are; 0 of none.
pub(crate) fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(index).copied().unwrap_or_default()
}

/// A table in Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut table = "| figure | value | yardstick | ratio | runs |\n| --- | ---: | --- | ---: | ---: |".to_owned();
    for Figure { name, value, unit, yardstick, yardstick_value, ratio, runs } in figures {
        let yardstick =
            yardstick.as_ref().zip(*yardstick_value).map_or(String::new(), |(name, value)| format!("{name}: {}", rounded(value)));
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let _ = write!(table, "\n| {name} | {} {unit} | {yardstick} | {ratio} | {runs} |", rounded(*value));
    }
    table
}

fn rounded(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// One object per line.
pub(crate) fn print_json(figures: &[Figure]) {
    for figure in figures {
        println!("{}", serde_json::to_string(figure).unwrap_or_default());
    }
}

/// Between these the report is written; the rest of the file is people's.
const MARKS: [&str; 2] = ["<!-- figures: written by `cargo xtask bench` -->", "<!-- end of figures -->"];

/// Puts the table of `figures` into the report, with what it was measured on and when.
pub(crate) fn write_report(report: &Path, figures: &[Figure]) -> Result<()> {
    let text = std::fs::read_to_string(report)?;
    let (Some((before, rest)), [begin, end]) = (text.split_once(MARKS[0]), MARKS) else { bail!("the mark {} is missing", MARKS[0]) };
    let (_, after) = rest.split_once(end).with_context(|| format!("the mark {end} is missing"))?;
    let figures = format!("{before}{begin}\n{}\n\n{}\n{end}{after}", circumstances(), table(figures));
    Ok(std::fs::write(report, figures)?)
}

/// Which machine and day.
fn circumstances() -> String {
    let of = |file: &str, name: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_start_matches([' ', '\t', ':', '=']).trim_matches('"').to_owned()))
    };
    let processor = of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let system = of("/etc/os-release", "PRETTY_NAME").unwrap_or_else(|| std::env::consts::OS.to_owned());
    let kilobytes = of("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let today = jiff::Zoned::now().date();
    format!("**{today}**, {cores} cores ({processor}), {} GB, {system}; `cargo xtask bench`, release build.", kilobytes / 1_000_000)
}
