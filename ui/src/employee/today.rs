//! The day: what came in, what went back, which launches and bookings it was.

use super::bookings;
use crate::{
    client,
    components::{Empty, Stale},
    desk::{Bar, Bars, MonthChart, PageHead, Table, Tile, draw, short_money},
    format,
};
use contract::finance::{LaunchRevenue, Today};
use dioxus::prelude::*;

/// Launches drawn.
const TOP_MAX: usize = 5;

/// The page.
#[component]
pub fn TodayPage() -> Element {
    let today = use_resource(client::today);
    draw(today, "The day", |today| rsx! { Day { today: today.clone() } })
}

/// Launches as bars; each leads to its lines in the journal.
pub(super) fn launch_bars(launches: &[LaunchRevenue]) -> Vec<Bar> {
    let bar = |launch: &LaunchRevenue| Bar {
        key: launch.launch.to_string(),
        label: format!("{} to {}", launch.rocket_name, launch.destination.title()),
        note: format!("{}, {}", launch.supplier_name, format::day(format::civil(launch.departs_at, 0))),
        to: format!("/employee/journal?launch={}", launch.slug),
        net: launch.net,
        back: launch.refunded,
    };
    launches.iter().map(bar).collect()
}

#[component]
fn Day(today: Today) -> Element {
    let rows = today.latest.iter().map(bookings::row).collect::<Vec<_>>();
    rsx! {
        PageHead { title: "Today", desk: "Employee", position: today.position, at: today.as_of }
        if today.stale {
            Stale {}
        }
        div { class: "tiles",
            Tile { label: "Captured today", value: short_money(today.captured_today), note: "{short_money(today.captured)} in all" }
            Tile {
                label: "Bookings",
                value: format::count(today.bookings),
                note: format::plural(today.seats, "seat sold", "seats sold"),
            }
            Tile { label: "Held now", value: format::count(today.held), note: "waiting for payment" }
            Tile {
                label: "Refunds",
                value: short_money(today.refunded),
                note: "paid or promised, in all",
            }
        }
        div { class: "two",
            section { class: "card",
                div { class: "panel-head",
                    h2 { "Net revenue by month" }
                    span { class: "aside", "captured minus refunded" }
                }
                div { class: "panel-body", MonthChart { months: today.by_month.clone() } }
            }
            section { class: "card",
                div { class: "panel-head",
                    h2 { "Launches with the most" }
                    Link { class: "aside", to: "/employee/revenue", "All" }
                }
                div { class: "panel-body",
                    if today.top_launches.is_empty() {
                        p { class: "muted", "No money has moved yet." }
                    } else {
                        Bars { bars: launch_bars(today.top_launches.get(..TOP_MAX).unwrap_or(&today.top_launches)) }
                    }
                }
            }
        }
        section { class: "stack",
            div { class: "panel-head outside",
                h2 { "Latest bookings" }
                Link { class: "aside", to: "/employee/bookings", "All bookings" }
            }
            if rows.is_empty() {
                div { class: "card", Empty { title: "No bookings yet", "The first one shows here." } }
            } else {
                Table { caption: "Latest bookings", columns: bookings::columns(), rows, short: true }
            }
        }
    }
}
