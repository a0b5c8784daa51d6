//! Charts drawn as SVG from data. What the numbers mean is left to the pages.

use contract::{Money, finance::MonthRevenue};
use dioxus::prelude::*;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 375.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 30.0;
const RULES: i64 = 4;

/// A round step so that `RULES` of them reach `span`.
fn step(span: i64) -> i64 {
    let rough = (span / RULES).max(1);
    let magnitude = 10_i64.pow(rough.ilog10());
    [1, 2, 5, 10].into_iter().map(|factor| factor * magnitude).find(|step| *step >= rough).unwrap_or(rough)
}

/// `$184.2m`, `$3.1bn`, `$950,000`: for tiles and axes, where the cent does not matter.
#[must_use]
pub fn short_money(amount: Money) -> String {
    let dollars = amount.minor / 100;
    let sign = if amount.minor < 0 { "-" } else { "" };
    let absolute = dollars.unsigned_abs();
    let tenths = |unit: u64| {
        let tenths = (absolute * 10 + unit / 2) / unit;
        if tenths.is_multiple_of(10) { format!("{}", tenths / 10) } else { format!("{}.{}", tenths / 10, tenths % 10) }
    };
    match absolute {
        0..1_000_000 => Money::dollars(dollars).to_string(),
        1_000_000..999_950_000 => format!("{sign}${}m", tenths(1_000_000)),
        _ => format!("{sign}${}bn", tenths(1_000_000_000)),
    }
}

/// `Jan` for `2027-01`.
fn month_name(month: &str) -> &'static str {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    month.get(5..7).and_then(|number| number.parse::<usize>().ok()).and_then(|number| NAMES.get(number.wrapping_sub(1))).unwrap_or(&"")
}

/// Net revenue by month as a curve.
#[component]
pub fn MonthChart(months: Vec<MonthRevenue>) -> Element {
    if months.is_empty() {
        return rsx! {};
    }
    let cents = |month: &MonthRevenue| month.net.minor / 100;
    let highest = months.iter().map(cents).max().unwrap_or(0).max(1);
    let lowest = months.iter().map(cents).min().unwrap_or(0).min(0);
    let step = step(highest - lowest);
    let (floor, ceiling) = (lowest.div_euclid(step) * step, (highest + step - 1).div_euclid(step) * step);
    #[allow(clippy::cast_precision_loss)] // pixels, not money
    let y = |value: i64| TOP + (HEIGHT - TOP - BOTTOM) * (ceiling - value) as f64 / (ceiling - floor).max(1) as f64;
    #[allow(clippy::cast_precision_loss)]
    let x = |index: usize| LEFT + 16.0 + (WIDTH - LEFT - RIGHT - 32.0) * index as f64 / (months.len().max(2) - 1) as f64;
    let points: Vec<(f64, f64)> = months.iter().enumerate().map(|(index, month)| (x(index), y(cents(month)))).collect();
    let curve: String =
        points.iter().enumerate().map(|(index, (x, y))| format!("{}{x:.1} {y:.1}", if index == 0 { "M" } else { "L" })).collect();
    let area = format!("{curve}V{:.1}H{:.1}Z", y(0.max(floor)), points[0].0);
    let rules: Vec<(f64, String, bool)> = (0..)
        .map(|index| floor + index * step)
        .take_while(|value| *value <= ceiling)
        .map(|value| (y(value), short_money(Money::dollars(value)), value == 0))
        .collect();
    let last = months.len() - 1;
    let every = if months.len() > 8 { 2 } else { 1 };
    let spoken = months.iter().map(|month| format!("{} {}", month.month, month.net)).collect::<Vec<_>>().join(", ");
    let (last_x, last_y) = points[last];
    rsx! {
        svg { class: "chart", view_box: "0 0 {WIDTH} {HEIGHT}", role: "img", "aria-label": "Net revenue by month: {spoken}",
            for (at , label , zero) in rules {
                line { class: if zero { "zero" } else { "rule" }, x1: "{LEFT}", x2: "{WIDTH - RIGHT}", y1: "{at:.1}", y2: "{at:.1}" }
                text { x: "{LEFT - 8.0}", y: "{at + 4.0:.1}", text_anchor: "end", "{label}" }
            }
            if points.len() > 1 {
                path { class: "area", d: "{area}" }
                path { class: "curve", d: "{curve}" }
            }
            for (index , (x , y)) in points.iter().copied().enumerate() {
                circle { class: "dot", "data-last": if index == last { "true" }, cx: "{x:.1}", cy: "{y:.1}", r: if index == last { "4.5" } else { "3" },
                    title { "{months[index].month}: {months[index].net}" }
                }
                if (last - index) % every == 0 {
                    text { x: "{x:.1}", y: "{HEIGHT - 8.0}", text_anchor: "middle", {month_name(&months[index].month)} }
                }
            }
            text { class: "value", x: "{last_x.min(WIDTH - RIGHT - 4.0):.1}", y: "{last_y - 12.0:.1}", text_anchor: "end", {short_money(months[last].net)} }
        }
    }
}

/// One bar: what stayed, and what was given back.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Tells it apart.
    pub key: String,
    /// What it is about.
    pub label: String,
    /// More about that, said more quietly.
    pub note: String,
    /// Where more is said; empty for nowhere.
    pub to: String,
    /// What stayed.
    pub net: Money,
    /// What went back.
    pub back: Money,
}

/// Amounts as bars on one scale.
#[component]
pub fn Bars(bars: Vec<Bar>) -> Element {
    let widest = bars.iter().map(|bar| bar.net.minor.max(0) + bar.back.minor.max(0)).max().unwrap_or(0).max(1);
    #[allow(clippy::cast_precision_loss)] // pixels, not money
    let share = move |amount: Money| amount.minor.max(0) as f64 * 100.0 / widest as f64;
    rsx! {
        ul { class: "bars",
            for bar in bars {
                li { key: "{bar.key}",
                    div { class: "row",
                        span { title: "{bar.label}, {bar.note}",
                            if bar.to.is_empty() {
                                "{bar.label}"
                            } else {
                                Link { to: bar.to.clone(), "{bar.label}" }
                            }
                            small { "{bar.note}" }
                        }
                        span { class: "num", "{bar.net}" }
                    }
                    svg { class: "rail", view_box: "0 0 100 10", preserve_aspect_ratio: "none", "aria-hidden": "true",
                        rect { class: "fill", x: "0", y: "0", height: "10", width: "{share(bar.net):.2}" }
                        rect { class: "back-part", x: "{share(bar.net):.2}", y: "0", height: "10", width: "{share(bar.back):.2}" }
                    }
                }
            }
        }
    }
}

/// How full a launch is: words first, then the bar with a mark at the minimum.
#[component]
pub fn Occupancy(sold: u16, held: u16, capacity: u16, #[props(default)] minimum: u16) -> Element {
    let share = |seats: u16| f64::from(seats) * 100.0 / f64::from(capacity.max(1));
    let percent = share(sold).round();
    rsx! {
        div { class: "occupancy",
            p {
                b { "{sold}/{capacity}" }
                span {
                    if held > 0 { "{held} held" } else { "{percent} %" }
                }
            }
            svg { class: "track", view_box: "0 0 100 6", preserve_aspect_ratio: "none", "aria-hidden": "true",
                rect { class: "sold", x: "0", y: "0", height: "6", width: "{share(sold):.2}" }
                rect { class: "held", x: "{share(sold):.2}", y: "0", height: "6", width: "{share(held):.2}" }
                if minimum > 0 && minimum < capacity {
                    rect { class: "need", x: "{share(minimum):.2}", y: "0", height: "6", width: "1.2",
                        title { "Confirmed from {minimum} seats" }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_short_where_cents_do_not_matter() {
        assert_eq!(short_money(Money::dollars(184_200_000)), "$184.2m");
        assert_eq!(short_money(Money::dollars(3_100_000_000)), "$3.1bn");
        assert_eq!(short_money(Money::dollars(999_990_000)), "$1bn");
        assert_eq!(short_money(Money::dollars(-21_000_000)), "-$21m");
        assert_eq!(short_money(Money::dollars(250_000)), "$250,000");
        assert_eq!(short_money(Money::ZERO), "$0");
    }

    #[test]
    fn occupancy_is_said_before_it_is_drawn() {
        let html = dioxus_ssr::render_element(rsx! { Occupancy { sold: 6, held: 0, capacity: 24, minimum: 8 } });
        assert!(html.contains("6/24") && html.contains("25 %"), "{html}");
        assert!(html.contains(r#"width="25.00""#) && html.contains("Confirmed from 8 seats"), "{html}");
        let html = dioxus_ssr::render_element(rsx! { Occupancy { sold: 0, held: 2, capacity: 0 } });
        assert!(html.contains("2 held"), "{html}");
    }

    #[test]
    fn a_chart_speaks_every_month_and_survives_a_loss() {
        let month = |month: &str, dollars| MonthRevenue { month: month.to_owned(), net: Money::dollars(dollars) };
        let months = vec![month("2026-11", 1_200_000), month("2026-12", -300_000)];
        let html = dioxus_ssr::render_element(rsx! { MonthChart { months } });
        assert!(html.contains("2026-11 $1,200,000, 2026-12 -$300,000"), "{html}");
        assert!(html.contains("Nov") && html.contains("Dec") && !html.contains("NaN"), "{html}");
        assert!(!dioxus_ssr::render_element(rsx! { MonthChart { months: vec![] } }).contains("svg"));
        let html = dioxus_ssr::render_element(rsx! { MonthChart { months: vec![month("2026-11", 0)] } });
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    }

    #[test]
    fn bars_share_one_scale() {
        let bar = |key: &str, net, back| Bar {
            key: key.to_owned(),
            label: key.to_owned(),
            note: String::new(),
            to: String::new(),
            net: Money::dollars(net),
            back: Money::dollars(back),
        };
        let html = dioxus_ssr::render_element(rsx! { Bars { bars: vec![bar("one", 75, 25), bar("two", 50, 0)] } });
        assert!(html.contains(r#"width="75.00""#) && html.contains(r#"width="25.00""#) && html.contains(r#"width="50.00""#), "{html}");
    }

    #[test]
    fn axes_step_in_round_numbers() {
        assert_eq!((step(7), step(544), step(1_000), step(0)), (1, 200, 500, 1));
    }
}
