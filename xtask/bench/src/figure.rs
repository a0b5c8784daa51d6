//! One measured figure, alone or beside its yardstick, and how it is printed.

use serde::Serialize;

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
pub(crate) fn print_table(figures: &[Figure]) {
    println!("| figure | value | yardstick | ratio | runs |\n| --- | ---: | --- | ---: | ---: |");
    for Figure { name, value, unit, yardstick, yardstick_value, ratio, runs } in figures {
        let yardstick = yardstick.as_ref().zip(*yardstick_value).map_or(String::new(), |(name, value)| format!("{name}: {value:.0}/s"));
        let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        println!("| {name} | {value:.1} {unit} | {yardstick} | {ratio} | {runs} |");
    }
}

/// One object per line.
pub(crate) fn print_json(figures: &[Figure]) {
    for figure in figures {
        println!("{}", serde_json::to_string(figure).unwrap_or_default());
    }
}
