//! Revenue by launch and by supplier: bars first, then every number.

use super::today::launch_bars;
use crate::{
    client::{self, ListQuery},
    components::{Empty, LaunchPill, Stale},
    desk::{Bar, Bars, Column, PageHead, Pages, Row, Search, Sieve, Sift, Table, amount, draw},
    format,
};
use contract::finance::{LaunchRevenue, SupplierRevenue};
use dioxus::prelude::*;

const BASE: &str = "/employee/revenue";
/// Bars drawn of a page of launches.
const BARS_MAX: usize = 6;

/// The page.
#[component]
pub fn Revenue(sift: ReadSignal<Sift>) -> Element {
    let query = use_memo(move || {
        let sift = sift.read();
        ListQuery { page: sift.page(), per_page: 25, search: sift.search.clone(), ..ListQuery::default() }
    });
    let launches = use_resource(move || {
        let query = query();
        async move { client::launch_revenue(&query).await }
    });
    let suppliers = use_resource(client::supplier_revenue);
    let now = sift.read().clone();
    rsx! {
        PageHead { title: "Revenue", desk: "Employee", note: "captured minus refunded, from the journal" }
        if matches!(&*launches.read(), Some(Ok(page)) if page.stale) || matches!(&*suppliers.read(), Some(Ok(list)) if list.stale) {
            Stale {}
        }
        div { class: "two", "data-even": "true",
            section { class: "card",
                div { class: "panel-head",
                    h2 { "By launch" }
                    Key {}
                }
                div { class: "panel-body",
                    {draw(launches, "Revenue by launch", |page| {
                        let most = page.items.iter().take(BARS_MAX).cloned().collect::<Vec<_>>();
                        rsx! {
                            if most.is_empty() {
                                p { class: "muted", "No money has moved yet." }
                            }
                            Bars { bars: launch_bars(&most) }
                        }
                    })}
                }
            }
            section { class: "card",
                div { class: "panel-head",
                    h2 { "By supplier" }
                    Key {}
                }
                div { class: "panel-body",
                    {draw(suppliers, "Revenue by supplier", |suppliers| rsx! { Bars { bars: supplier_bars(&suppliers.items) } })}
                }
            }
        }
        div { class: "panel-head outside",
            h2 { "Every launch with money" }
        }
        Sieve { base: BASE, sift: now.clone(),
            Search { base: BASE, sift: now.clone(), label: "Search", placeholder: "Rocket, supplier, destination" }
        }
        {draw(launches, "Revenue by launch", |page| {
            if page.items.is_empty() {
                return rsx! {
                    div { class: "card",
                        Empty { title: "No launch matches",
                            if now.narrows() { "Search for something else." } else { "Revenue shows here with the first payment." }
                        }
                    }
                };
            }
            let columns = vec![
                Column::text("Launch"),
                Column::text("State").lead(),
                Column::text("Supplier"),
                Column::number("Sold"),
                Column::number("Captured, USD"),
                Column::number("Refunded, USD"),
                Column::number("Net, USD"),
            ];
            let rows = page.items.iter().map(row).collect::<Vec<_>>();
            rsx! {
                Table { caption: "Revenue by launch", columns, rows, short: true,
                    Pages { base: BASE, sift: now.clone(), total: page.total, per_page: page.per_page, noun: "launches", position: page.position }
                }
            }
        })}
    }
}

#[component]
fn Key() -> Element {
    rsx! {
        span { class: "aside key",
            span { i {} "net" }
            span { i { "data-part": "back" } "refunded" }
        }
    }
}

fn supplier_bars(suppliers: &[SupplierRevenue]) -> Vec<Bar> {
    let bar = |supplier: &SupplierRevenue| {
        let fees = if supplier.fees.minor == 0 { String::new() } else { format!(", fees {}", supplier.fees) };
        Bar {
            key: supplier.supplier.to_string(),
            label: supplier.supplier_name.clone(),
            note: format!("{}{fees}", format::plural(supplier.launches, "launch", "launches")),
            to: String::new(),
            net: supplier.net,
            back: supplier.refunded,
        }
    };
    suppliers.iter().map(bar).take(BARS_MAX).collect()
}

fn row(launch: &LaunchRevenue) -> Row {
    let departs = format::day(format::civil(launch.departs_at, 0));
    Row {
        key: launch.launch.to_string(),
        cells: vec![
            rsx! {
                Link { class: "open", to: "/employee/journal?launch={launch.slug}", "{launch.rocket_name} to {launch.destination.title()}" }
                small { "{departs}" }
            },
            rsx! {
                LaunchPill { status: launch.status }
            },
            rsx! { "{launch.supplier_name}" },
            rsx! { "{launch.sold}/{launch.capacity}" },
            rsx! { {amount(launch.captured)} },
            rsx! { {amount(launch.refunded)} },
            rsx! {
                b { {amount(launch.net)} }
            },
        ],
    }
}
